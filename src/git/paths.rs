//! Paths of a tree, and those that differ between two.

use super::{Git, GitError};

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Snapshot {
    /// The files as they are now, committed or not, without those that are ignored.
    WorkingTree,
    /// A commit.
    Commit(String),
}

/// What a snapshot is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base<'b> {
    /// A commit itself.
    Commit(&'b str),
    /// The commit at which the snapshot's history parted from this ref.
    MergeBase(&'b str),
}

impl Git {
    /// Paths of all files of a snapshot, sorted.
    ///
    /// # Errors
    /// When git cannot list them.
    pub fn files(&self, snapshot: &Snapshot) -> Result<Vec<String>, GitError> {
        let mut paths = match snapshot {
            Snapshot::Commit(commit) => {
                self.list(&["ls-tree", "-r", "-z", "--name-only", "--full-tree", commit])?
            }
            Snapshot::WorkingTree => {
                let (all, deleted) = std::thread::scope(|scope| {
                    let deleted = scope.spawn(|| self.list(&["ls-files", "-z", "--deleted"]));
                    let all = self.list(&["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
                    (all, deleted.join().expect("threads that ask git do not panic"))
                });
                let deleted: std::collections::HashSet<String> = deleted?.into_iter().collect();
                all?.into_iter().filter(|path| !deleted.contains(path)).collect()
            }
        };
        paths.sort_unstable();
        paths.dedup();
        Ok(paths)
    }

    /// Paths that differ between a base and a snapshot, both names of what was renamed; sorted.
    ///
    /// # Errors
    /// When there is no such base, or no common history.
    pub fn changed_paths(&self, base: Base<'_>, snapshot: &Snapshot) -> Result<Vec<String>, GitError> {
        let mut arguments = vec!["diff", "--name-only", "--no-renames", "--no-ext-diff", "-z"];
        match base {
            Base::Commit(commit) => arguments.push(commit),
            Base::MergeBase(name) => arguments.extend(["--merge-base", name]),
        }
        if let Snapshot::Commit(commit) = snapshot {
            arguments.push(commit);
        }
        arguments.push("--");
        let mut paths = self.list(&arguments)?;
        if *snapshot == Snapshot::WorkingTree {
            paths.extend(self.list(&["ls-files", "-z", "--others", "--exclude-standard"])?);
        }
        paths.sort_unstable();
        paths.dedup();
        Ok(paths)
    }

    /// The commit that a branch, tag or other name stands for; a branch that only `origin` has counts.
    ///
    /// # Errors
    /// When git cannot be started.
    pub fn commit_of(&self, name: &str) -> Result<Option<String>, GitError> {
        for name in [name.to_owned(), format!("origin/{name}")] {
            let revision = format!("{name}^{{commit}}");
            match self.run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &revision]) {
                Ok(sha) => return Ok(Some(sha)),
                Err(GitError::Failed { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// The message of a tag; empty for one without, or where there is no such tag.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub fn tag_message(&self, tag: &str) -> Result<String, GitError> {
        let name = format!("refs/tags/{tag}");
        let text = self.run(&["for-each-ref", "--format=%(objecttype)%00%(contents)", &name])?;
        let message = text.strip_prefix("tag\0").unwrap_or_default();
        Ok(message.trim_end_matches('\n').to_owned())
    }

    fn list(&self, arguments: &[&str]) -> Result<Vec<String>, GitError> {
        let bytes = self.bytes(arguments)?;
        let paths = bytes.split(|byte| *byte == 0).filter(|path| !path.is_empty());
        Ok(paths.map(|path| String::from_utf8_lossy(path).into_owned()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::tests::{repository, write};

    #[test]
    fn files_and_changes_of_commits_and_of_the_working_tree() {
        let (_folder, git) = repository();
        let run = |arguments: &[&str]| git.run(arguments).expect("git runs");
        let commit = |message: &str| {
            run(&["add", "-A"]);
            run(&["commit", "-q", "-m", message]);
            run(&["rev-parse", "HEAD"])
        };
        write(&git, &["a", "dir/b", ".gitignore=ignored"]);
        let first = commit("first");
        run(&["checkout", "-q", "-b", "side"]);
        write(&git, &["only on side"]);
        let side = commit("side");
        run(&["checkout", "-q", "trunk"]);
        run(&["mv", "a", "renamed"]);
        let second = commit("second");
        write(&git, &["é new", "ignored", "dir/b=changed"]);
        std::fs::remove_file(git.folder().join("renamed")).expect("a file");

        let working = Snapshot::WorkingTree;
        let at_second = Snapshot::Commit(second.clone());
        assert_eq!(git.files(&working).expect("files"), [".gitignore", "dir/b", "é new"]);
        assert_eq!(git.files(&at_second).expect("files"), [".gitignore", "dir/b", "renamed"]);
        let changed = |base, snapshot| git.changed_paths(base, snapshot).expect("paths");
        assert_eq!(changed(Base::Commit(&first), &at_second), ["a", "renamed"]);
        assert_eq!(changed(Base::Commit(&first), &working), ["a", "dir/b", "é new"]);
        assert_eq!(changed(Base::Commit(&second), &at_second), [""; 0]);
        assert_eq!(changed(Base::Commit(&side), &at_second), ["a", "only on side", "renamed"]);
        assert_eq!(changed(Base::MergeBase(&side), &at_second), ["a", "renamed"]);
        assert_eq!(changed(Base::MergeBase(&side), &working), ["a", "dir/b", "é new"]);
        assert!(git.changed_paths(Base::Commit("gone"), &working).is_err());
    }

    #[test]
    fn names_stand_for_commits_and_tags_have_messages() {
        let (_folder, git) = repository();
        let run = |arguments: &[&str]| git.run(arguments).expect("git runs");
        run(&["commit", "-q", "--allow-empty", "-m", "first"]);
        run(&["tag", "light"]);
        run(&["tag", "-a", "heavy", "-m", "one\n\ntwo"]);
        run(&["update-ref", "refs/remotes/origin/far", "HEAD"]);
        let head = run(&["rev-parse", "HEAD"]);
        for (name, expected) in
            [("trunk", true), ("heavy", true), ("far", true), ("gone", false), ("--all", false)]
        {
            let found = git.commit_of(name).expect("git runs");
            assert_eq!(found, expected.then(|| head.clone()), "{name}");
        }
        for (tag, message) in [("light", ""), ("heavy", "one\n\ntwo"), ("gone", "")] {
            assert_eq!(git.tag_message(tag).expect("git runs"), message, "{tag}");
        }
    }
}
