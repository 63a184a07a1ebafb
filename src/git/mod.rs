//! What podline asks of git, through the user's own `git` command: it honours their configuration,
//! worktrees and large files.

mod bounded;
mod facts;
mod paths;
mod pushed;
mod remote;
mod replica;
mod stand_in;

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
};

pub use bounded::Bounds;
pub use facts::{Facts, Head};
pub use paths::{Base, Snapshot};
pub use pushed::Pushed;
pub use remote::Remote;
pub use replica::Replica;
pub use stand_in::StandIn;

/// A repository's working tree.
#[derive(Debug, Clone)]
pub struct Git {
    folder: PathBuf,
    /// The repository, where it is not the folder's own.
    git_dir: Option<PathBuf>,
}

/// Why git could not answer.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no git command.
    #[error("`git` could not be started: {0}")]
    Missing(std::io::Error),
    /// Git said no.
    #[error("`git {command}` failed: {message}")]
    Failed {
        /// The arguments, joined.
        command: String,
        /// What it printed.
        message: String,
    },
    /// It took too long.
    #[error("`git {command}` did not end within {} s", time.as_secs())]
    TimedOut {
        /// The arguments, joined.
        command: String,
        /// How long it was given.
        time: std::time::Duration,
    },
    /// It printed more than can be used.
    #[error("`git {command}` printed more than {bytes} bytes")]
    TooMuch {
        /// The arguments, joined.
        command: String,
        /// How much it was allowed.
        bytes: u64,
    },
}

impl Git {
    /// Git at work in a folder.
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), git_dir: None }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where to fetch from what this works on.
    pub fn address(&self) -> &Path {
        self.git_dir.as_deref().unwrap_or(&self.folder)
    }

    /// What a git command prints, without the line's end.
    ///
    /// # Errors
    /// When git is missing or ends with a code other than 0.
    pub fn run<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Result<String, GitError> {
        let bytes = self.bytes(arguments)?;
        Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned())
    }

    /// What a git command prints, byte for byte.
    ///
    /// # Errors
    /// When git is missing or ends with a code other than 0.
    pub fn bytes<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Result<Vec<u8>, GitError> {
        let output = self.command(arguments).output().map_err(GitError::Missing)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let words: Vec<_> = arguments.iter().map(|word| word.as_ref().to_string_lossy()).collect();
        Err(GitError::Failed {
            command: words.join(" "),
            message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    /// A git command about to be started here. Variables by which git tells its hooks where they are
    /// (`GIT_DIR`, `GIT_INDEX_FILE`, ...) are taken away: they would point it elsewhere.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: &[A]) -> Command {
        let mut command = Command::new("git");
        command.args(arguments);
        self.surround(&mut command);
        command
    }

    fn surround(&self, command: &mut Command) {
        command.current_dir(&self.folder);
        for name in LOCAL_VARIABLES {
            command.env_remove(name);
        }
        if let Some(git_dir) = &self.git_dir {
            command.env("GIT_DIR", git_dir).env("GIT_WORK_TREE", &self.folder);
        }
        command.env("LC_ALL", "C").stdin(std::process::Stdio::null());
    }
}

/// `git rev-parse --local-env-vars`.
const LOCAL_VARIABLES: [&str; 15] = [
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_COUNT",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
];

#[cfg(test)]
pub(crate) mod tests {
    use super::Git;

    /// An empty repository with a user, on the branch `trunk`.
    pub(crate) fn repository() -> (tempfile::TempDir, Git) {
        let folder = tempfile::tempdir().expect("a folder");
        let git = Git::at(folder.path());
        for arguments in [
            &["init", "-q", "-b", "trunk"][..],
            &["config", "user.name", "Ada"],
            &["config", "user.email", "ada@example.com"],
            &["config", "commit.gpgsign", "false"],
            &["config", "tag.gpgsign", "false"],
        ] {
            git.run(arguments).expect("git runs");
        }
        (folder, git)
    }

    /// Writes files, each `path` or `path=content`.
    pub(crate) fn write(git: &Git, files: &[&str]) {
        for file in files {
            let (path, content) = file.split_once('=').unwrap_or((file, "content"));
            let path = git.folder().join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, content).expect("a file");
        }
    }
}
