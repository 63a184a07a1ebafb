//! A repository for a folder that is not the root of one: without git, or a part of a larger repository.

use std::{
    path::Path,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use super::{Git, GitError};

/// A repository outside of the folder that it is of, with all its files in one commit. The folder itself
/// stays as it is; the repository goes when this does.
#[derive(Debug)]
pub struct StandIn {
    git: Git,
    _folder: tempfile::TempDir,
}

impl StandIn {
    /// Commits the files of a folder, as its `.gitignore` takes them, on a branch. The same files give the
    /// same commit.
    ///
    /// # Errors
    /// When git fails, or there is no room for the repository.
    pub fn of(folder: &Path, branch: &str) -> Result<Self, GitError> {
        let place = tempfile::tempdir().map_err(|error| failed("init", &error))?;
        let git = Git { folder: folder.to_owned(), git_dir: Some(place.path().join("repository.git")) };
        git.run(&["init", "--quiet", "--initial-branch", branch])?;
        git.run(&["add", "--all", "--", ".", ":(exclude).podline"])?;
        commit(&git, newest(folder))?;
        Ok(Self { git, _folder: place })
    }

    /// Git at work in the folder, with this repository.
    pub fn git(&self) -> &Git {
        &self.git
    }
}

fn commit(git: &Git, time: u64) -> Result<(), GitError> {
    let mut command: Command = git.command(&[
        "-c",
        "user.name=podline",
        "-c",
        "user.email=podline@localhost",
        "-c",
        "commit.gpgSign=false",
        "-c",
        "core.hooksPath=/dev/null",
        "commit",
        "--quiet",
        "--allow-empty",
        "--message",
        "The folder as it is",
    ]);
    let date = format!("@{time} +0000");
    let output = command
        .env("GIT_AUTHOR_DATE", &date)
        .env("GIT_COMMITTER_DATE", &date)
        .output()
        .map_err(GitError::Missing)?;
    match output.status.success() {
        true => Ok(()),
        false => Err(GitError::Failed {
            command: "commit".to_owned(),
            message: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        }),
    }
}

/// When a file right in the folder was last changed, in seconds since 1970: the same files, the same commit.
fn newest(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let times =
        entries.filter_map(|entry| entry.metadata().ok().filter(std::fs::Metadata::is_file)?.modified().ok());
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    times.map(seconds).max().unwrap_or(0)
}

fn failed(command: &str, error: &std::io::Error) -> GitError {
    GitError::Failed { command: command.to_owned(), message: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::Facts;

    #[test]
    fn a_folder_without_git_becomes_one_commit_and_stays_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in [("a", "1"), (".gitignore", "ignored\n"), ("ignored", "2")] {
            std::fs::write(folder.path().join(name), text).expect("a file can be written");
        }
        let stand_in = StandIn::of(folder.path(), "trunk").expect("git runs");
        let facts = Facts::read(stand_in.git()).expect("git runs").expect("there is a repository");
        assert_eq!((facts.branch.as_deref(), facts.is_modified), (Some("trunk"), false));
        assert_eq!(stand_in.git().run(&["ls-files"]).expect("git runs"), ".gitignore\na");
        let again = StandIn::of(folder.path(), "trunk").expect("git runs");
        let head = |one: &StandIn| one.git().run(&["rev-parse", "HEAD"]).expect("git runs");
        assert_eq!(head(&stand_in), head(&again));
        assert!(!folder.path().join(".git").exists());
    }
}
