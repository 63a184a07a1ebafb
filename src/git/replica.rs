//! A commit checked out in a folder of its own, with what the repository knows around it.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::Stdio,
};

use super::{Git, GitError, Pushed};

/// A repository in a temporary folder that borrows the objects of another, checked out at what is pushed.
/// The other one is only read. Gone when this is dropped.
#[derive(Debug)]
pub struct Replica {
    folder: PathBuf,
    _temporary: tempfile::TempDir,
}

impl Replica {
    /// Makes one. `remote` is what is pushed to: a name, or an address.
    ///
    /// # Errors
    /// When git is missing or refuses, or the temporary folder cannot be written.
    pub fn of(git: &Git, pushed: &Pushed, remote: &str, address: &str) -> Result<Self, GitError> {
        let temporary = tempfile::tempdir().map_err(GitError::Missing)?;
        let name = git.folder().file_name().unwrap_or("project".as_ref());
        let folder = temporary.path().join(name);
        std::fs::create_dir(&folder).map_err(GitError::Missing)?;
        let replica = Git::at(&folder);
        replica.run(&["init", "--quiet", "--template=", "--initial-branch", "podline-replica"])?;
        borrow(git, &folder)?;
        copy_refs(git, &replica)?;
        let remote = if remote == address { "origin" } else { remote };
        replica.run(&["remote", "add", remote, address])?;
        check_out(&replica, pushed, remote)?;
        Ok(Self { folder, _temporary: temporary })
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// Lets a repository see the objects of another, those of large files too.
fn borrow(git: &Git, folder: &Path) -> Result<(), GitError> {
    let own = |path: &str| -> Result<PathBuf, GitError> {
        Ok(git.folder().join(git.run(&["rev-parse", "--git-path", path])?))
    };
    let objects = std::path::absolute(own("objects")?).map_err(GitError::Missing)?;
    let info = folder.join(".git/objects/info");
    std::fs::create_dir_all(&info).map_err(GitError::Missing)?;
    std::fs::write(info.join("alternates"), format!("{}\n", objects.display())).map_err(GitError::Missing)?;
    let shallow = own("shallow")?;
    if shallow.is_file() {
        std::fs::copy(shallow, folder.join(".git/shallow")).map_err(GitError::Missing)?;
    }
    let large = std::path::absolute(own("lfs")?).map_err(GitError::Missing)?;
    if large.is_dir() {
        Git::at(folder).run(&["config".as_ref(), "lfs.storage".as_ref(), large.as_os_str()])?;
    }
    for key in ["user.name", "user.email"] {
        if let Ok(value) = git.run(&["config", key]) {
            Git::at(folder).run(&["config", key, &value])?;
        }
    }
    Ok(())
}

/// Copies what is known of tags and of branches elsewhere.
fn copy_refs(git: &Git, replica: &Git) -> Result<(), GitError> {
    let format = "--format=%(refname) %(objectname) %(symref)";
    let refs = git.run(&["for-each-ref", format, "refs/remotes", "refs/tags"])?;
    let mut commands = String::new();
    let mut links = Vec::new();
    for line in refs.lines() {
        let mut words = line.split(' ');
        let (name, object) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match words.next().filter(|target| !target.is_empty()) {
            Some(target) => links.push((name, target)),
            None => commands.push_str(&format!("create {name} {object}\n")),
        }
    }
    let mut update = replica
        .command(&["update-ref", "--stdin"])
        .stdin(Stdio::piped())
        .spawn()
        .map_err(GitError::Missing)?;
    if let Some(mut stdin) = update.stdin.take() {
        stdin.write_all(commands.as_bytes()).map_err(GitError::Missing)?;
    }
    if !update.wait().map_err(GitError::Missing)?.success() {
        let message = "the refs could not be copied".to_owned();
        return Err(GitError::Failed { command: "update-ref --stdin".to_owned(), message });
    }
    for (name, target) in links {
        replica.run(&["symbolic-ref", name, target])?;
    }
    Ok(())
}

/// Checks out what is pushed, on a branch whose upstream is where it goes. No hook runs.
fn check_out(replica: &Git, pushed: &Pushed, remote: &str) -> Result<(), GitError> {
    let checkout =
        ["-c", "core.hooksPath=/dev/null", "-c", "advice.detachedHead=false", "checkout", "--quiet"];
    let Pushed::Branch { name, commit, before } = pushed else {
        let detach = [&checkout[..], &["--detach", pushed.commit()]].concat();
        return replica.run(&detach).map(drop);
    };
    replica.run(&[&checkout[..], &["-B", name, commit]].concat())?;
    let upstream = format!("refs/remotes/{remote}/{name}");
    match before {
        // what is there may be unknown here: the push will be refused, or is forced
        Some(before) => drop(replica.run(&["update-ref", &upstream, before])),
        None => drop(replica.run(&["update-ref", "-d", &upstream])),
    }
    replica.run(&["config", &format!("branch.{name}.remote"), remote])?;
    replica.run(&["config", &format!("branch.{name}.merge"), &format!("refs/heads/{name}")])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::{
        Facts,
        tests::{repository, write},
    };

    #[test]
    fn a_replica_has_the_commit_and_not_the_working_tree() {
        let (folder, git) = repository();
        write(&git, &["a=committed"]);
        git.run(&["add", "."]).expect("git runs");
        git.run(&["commit", "-qm", "one"]).expect("git runs");
        let first = git.run(&["rev-parse", "HEAD"]).expect("git runs");
        git.run(&["commit", "-qm", "two", "--allow-empty"]).expect("git runs");
        let second = git.run(&["rev-parse", "HEAD"]).expect("git runs");
        git.run(&["tag", "v1", &first]).expect("git runs");
        write(&git, &["a=changed", "b=new"]);

        let pushed =
            Pushed::Branch { name: "main".to_owned(), commit: second.clone(), before: Some(first.clone()) };
        let address = "git@git.example.com:shop/cart.git";
        let replica = Replica::of(&git, &pushed, "origin", address).expect("git makes it");
        let facts = Facts::read(&Git::at(replica.folder())).expect("git runs").expect("it is a repository");
        assert_eq!(facts.branch.as_deref(), Some("main"));
        assert_eq!(facts.upstream, Some(first.clone()));
        assert_eq!(
            (facts.project.host.as_str(), facts.project.path.as_str()),
            ("git.example.com", "shop/cart")
        );
        assert!(!facts.is_modified && facts.untracked.is_empty());
        assert_eq!(std::fs::read_to_string(replica.folder().join("a")).expect("a file"), "committed");

        let tag = Pushed::Tag { name: "v1".to_owned(), commit: first.clone() };
        let replica = Replica::of(&git, &tag, address, address).expect("git makes it");
        let facts = Facts::read(&Git::at(replica.folder())).expect("git runs").expect("it is a repository");
        assert_eq!(facts.branch, None);
        assert_eq!(facts.head.map(|head| (head.sha, head.tags)), Some((first, vec!["v1".to_owned()])));
        assert_eq!(std::fs::read_to_string(folder.path().join("a")).expect("a file"), "changed");
    }
}
