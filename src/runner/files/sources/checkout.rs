//! The `.git` of a checkout: shallow, HEAD detached, fetched from the user's own repository.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Child, Stdio},
};

use super::{Checkout, SourcesError, fault, index::index, scratch::Scratch};
use crate::{
    git::{Git, GitError},
    runner::files::tarball::Tarball,
};

/// A folder with a `.git` that commits are being fetched into.
pub(super) struct Fetching {
    folder: Scratch,
    child: Child,
    command: String,
}

/// A folder with a complete `.git`.
pub(super) struct GitFolder {
    folder: Scratch,
    git: Git,
}

impl GitFolder {
    /// Starts the fetch. The folder is written by hand, as `git init` would: that saves a process.
    pub(super) fn start(from: &Git, checkout: &Checkout) -> Result<Fetching, GitError> {
        let folder = Scratch::make().map_err(failed)?;
        init(&folder.path().join(".git"), checkout).map_err(failed)?;
        let refspec = format!("+{}:{}", checkout.commit, checkout.reference);
        let source = fs::canonicalize(from.address()).map_err(failed)?;
        let mut words: Vec<String> = FETCH.iter().map(|word| (*word).to_owned()).collect();
        words.extend(checkout.depth.map(|depth| format!("--depth={depth}")));
        words.extend([source.to_string_lossy().into_owned(), refspec]);
        if checkout.depth.is_none() {
            words.extend(EVERYTHING.map(str::to_owned));
        }
        // The ref that is checked out is known already, and git refuses to write it twice: a tag would also
        // come along with its commit.
        words.push(format!("^{}", checkout.reference));
        let child = Git::at(folder.path())
            .command(&words)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(GitError::Missing)?;
        Ok(Fetching { folder, child, command: words.join(" ") })
    }

    /// Git at work in the folder.
    pub(super) fn git(&self) -> &Git {
        &self.git
    }

    /// Writes an index of the commit, and no files.
    pub(super) fn read_index(&self) -> Result<(), GitError> {
        self.git.run(&["read-tree", "HEAD"]).map(drop)
    }

    /// Writes into the index what files below `root` will look like once they are unpacked. `changed`
    /// are the paths, each with a zero byte after it, that are not as the commit has them.
    pub(super) fn write_index(&self, root: &Path, changed: &[u8], time: u64) -> Result<(), GitError> {
        let staged = self.git.bytes(&["ls-files", "--stage", "-z"])?;
        let changed = changed.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
        match index(&staged, root, &changed, time) {
            Some(bytes) => fs::write(self.folder.path().join(".git/index"), bytes).map_err(failed),
            None => Ok(()),
        }
    }

    /// Writes the files of the commit. Large files (Git LFS) come from what the user's repository `from` has of them,
    /// by the filter that it has for them.
    pub(super) fn check_out(&self, from: &Git) -> Result<(), GitError> {
        let mut words = large_files(from);
        words.extend(["reset", "--hard", "--quiet"].map(str::to_owned));
        self.git.run(&words).map(drop)
    }

    /// Adds to its configuration.
    pub(super) fn configure(&self, text: &str) -> Result<(), GitError> {
        let file = fs::OpenOptions::new().append(true).open(self.folder.path().join(".git/config"));
        file.and_then(|mut file| file.write_all(text.as_bytes())).map_err(failed)
    }

    /// Packs its `.git` as this folder.
    pub(super) fn pack<W: Write>(&self, tarball: &mut Tarball<W>, target: &str) -> Result<(), SourcesError> {
        let here = |source| fault(Path::new(target), source);
        for (name, path) in self.files().map_err(here)? {
            tarball.file(&format!("{target}/{name}"), &path).map_err(|source| fault(&path, source))?;
        }
        tarball.folder(&format!("{target}/refs/heads")).map_err(here)
    }

    /// The files of `.git`, sorted, relative to it, without those that tell of this fetch: when it was
    /// and from where.
    fn files(&self) -> io::Result<Vec<(String, PathBuf)>> {
        let mut files = Vec::new();
        collect(&self.folder.path().join(".git"), "", &mut files)?;
        files.retain(|(name, _)| !name.starts_with("logs/") && name != "FETCH_HEAD");
        files.sort();
        Ok(files)
    }
}

impl Fetching {
    /// Waits for the end of the fetch.
    pub(super) fn finish(self) -> Result<GitFolder, GitError> {
        let output = self.child.wait_with_output().map_err(GitError::Missing)?;
        if !output.status.success() {
            let message = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            return Err(GitError::Failed { command: self.command, message });
        }
        let git = Git::at(self.folder.path());
        Ok(GitFolder { folder: self.folder, git })
    }
}

/// What GitLab has the runner fetch where `GIT_DEPTH` is 0.
const EVERYTHING: [&str; 2] = ["+refs/remotes/origin/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"];

/// One pack rather than loose objects, no work in the background, the protocol that gives any commit. Tags of
/// what is fetched come along, as the runner's do.
const FETCH: [&str; 13] = [
    "-c",
    "protocol.version=2",
    "-c",
    "fetch.unpackLimit=1",
    "-c",
    "gc.auto=0",
    "-c",
    "maintenance.auto=false",
    "-c",
    "fetch.writeCommitGraph=false",
    "fetch",
    "--quiet",
    "--no-recurse-submodules",
];

/// Options of git with which a checkout elsewhere finds the large files of a repository. Nothing of it is kept in the
/// checkout: a job has no use for it.
fn large_files(from: &Git) -> Vec<String> {
    // a repository without large files has no such filter, which is no error
    let filter = from.run(&["config", "--get-regexp", r"^filter\.lfs\."]).unwrap_or_default();
    let mut settings: Vec<String> = filter
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    if let Ok(folder) = from.run(&["rev-parse", "--git-path", "lfs"])
        && !settings.is_empty()
    {
        settings.push(format!("lfs.storage={}", from.folder().join(folder).display()));
    }
    settings.into_iter().flat_map(|setting| ["-c".to_owned(), setting]).collect()
}

fn init(folder: &Path, checkout: &Checkout) -> io::Result<()> {
    fs::create_dir_all(folder.join("objects"))?;
    fs::create_dir_all(folder.join("refs"))?;
    let head = match checkout.has_files {
        true => checkout.commit.as_str(),
        false => "ref: refs/heads/master",
    };
    fs::write(folder.join("HEAD"), format!("{head}\n"))?;
    // A commit of 64 digits is one of a SHA-256 repository.
    let (version, extensions) = match checkout.commit.len() {
        64 => (1, "[extensions]\n\tobjectformat = sha256\n"),
        _ => (0, ""),
    };
    let url = checkout.remote_url.replace('\\', "\\\\").replace('"', "\\\"");
    let config = format!(
        "[core]\n\trepositoryformatversion = {version}\n\tfilemode = true\n\tbare = false\n\
         \tlogallrefupdates = true\n\ttrustctime = false\n\tcheckStat = minimal\n{extensions}\
         [remote \"origin\"]\n\turl = \"{url}\"\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n"
    );
    fs::write(folder.join("config"), config)
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            collect(&entry.path(), &format!("{name}/"), files)?;
        } else {
            files.push((name, entry.path()));
        }
    }
    Ok(())
}

fn failed(error: io::Error) -> GitError {
    GitError::Failed { command: "init".to_owned(), message: error.to_string() }
}
