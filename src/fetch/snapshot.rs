//! The files of a project: those of a commit, or those that lie in a folder.

use std::{
    io,
    path::{Path, PathBuf},
};

use walkdir::WalkDir;

use super::{Limits, MAX_FILE};
use crate::{
    config::loader::LoadError,
    git::{Bounds, Git, GitError},
};

/// Most that a list of a project's files may take, in bytes.
const MAX_LIST: u64 = 64 << 20;

/// A project's files.
#[derive(Debug, Clone)]
pub(super) enum Snapshot {
    /// As they lie there.
    Folder(PathBuf),
    /// Those of a commit.
    Commit(Commit),
}

/// A commit of a repository.
#[derive(Debug, Clone)]
pub(super) struct Commit {
    pub(super) repository: Repository,
    pub(super) sha: String,
}

/// A repository, and how git is run in it.
#[derive(Debug, Clone)]
pub(super) struct Repository {
    pub(super) git: Git,
    /// Git's configuration: how it reaches the server for what is not there yet.
    pub(super) settings: Vec<(&'static str, String)>,
    pub(super) limits: Limits,
}

impl Snapshot {
    /// The text of a file; `None` where there is none.
    ///
    /// # Errors
    /// When it is there and cannot be read or had.
    pub(super) fn read(&self, path: &str) -> Result<Option<String>, LoadError> {
        let bytes = match self {
            Self::Folder(folder) => read_in(folder, path)?,
            Self::Commit(commit) => commit.read(path)?,
        };
        let Some(bytes) = bytes else { return Ok(None) };
        if bytes.len() as u64 >= MAX_FILE {
            return Err(too_big());
        }
        let text = String::from_utf8(bytes);
        text.map(Some).map_err(|_| LoadError::Unreadable("it is not UTF-8 text".to_owned()))
    }

    /// Paths of all files, sorted.
    ///
    /// # Errors
    /// When git cannot list them.
    pub(super) fn files(&self) -> Result<Vec<String>, GitError> {
        let mut files = match self {
            Self::Folder(folder) => list(folder),
            Self::Commit(commit) => commit.files()?,
        };
        files.sort_unstable();
        Ok(files)
    }
}

impl Repository {
    /// What git prints, up to so many bytes. It may fetch what it lacks.
    pub(super) fn run(&self, output: u64, arguments: &[&str]) -> Result<Vec<u8>, GitError> {
        let settings: Vec<_> = self.settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
        let bounds = Bounds { time: self.limits.time, output, file: self.limits.pack };
        self.git.within(bounds, &settings, arguments)
    }
}

impl Commit {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, LoadError> {
        let unreadable = |error: GitError| LoadError::Unreadable(error.to_string());
        let entries =
            self.repository.run(MAX_FILE, &["ls-tree", "-z", &self.sha, "--", path]).map_err(unreadable)?;
        let entries = String::from_utf8_lossy(&entries);
        let entry = entries.split('\0').find_map(|entry| {
            let (object, name) = entry.split_once('\t')?;
            (name == path).then(|| object.split(' ').collect::<Vec<_>>())
        });
        match entry.as_deref() {
            Some(["120000", ..]) => Err(link()),
            Some([_, "blob", id]) => match self.repository.run(MAX_FILE, &["cat-file", "blob", id]) {
                Ok(bytes) => Ok(Some(bytes)),
                Err(GitError::TooMuch { .. }) => Err(too_big()),
                Err(error) => Err(unreadable(error)),
            },
            _ => Ok(None),
        }
    }

    fn files(&self) -> Result<Vec<String>, GitError> {
        let bytes = self.repository.run(MAX_LIST, &["ls-tree", "-r", "-z", "--name-only", &self.sha])?;
        let paths = bytes.split(|byte| *byte == 0).filter(|path| !path.is_empty());
        Ok(paths.map(|path| String::from_utf8_lossy(path).into_owned()).collect())
    }
}

/// Reads a file below a folder. Links are refused on the whole way: they may lead anywhere.
fn read_in(folder: &Path, path: &str) -> Result<Option<Vec<u8>>, LoadError> {
    let mut at = folder.to_owned();
    for part in path.split('/') {
        at.push(part);
        match at.symlink_metadata() {
            Ok(found) if found.is_symlink() => return Err(link()),
            Ok(_) => {}
            Err(error) if is_missing(&error) => return Ok(None),
            Err(error) => return Err(LoadError::Unreadable(error.to_string())),
        }
    }
    if !at.is_file() {
        return Ok(None);
    }
    let read = || {
        let mut bytes = Vec::new();
        io::Read::read_to_end(&mut io::Read::take(std::fs::File::open(&at)?, MAX_FILE), &mut bytes)?;
        Ok::<_, io::Error>(bytes)
    };
    read().map(Some).map_err(|error| LoadError::Unreadable(error.to_string()))
}

fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// All files of a folder but git's own; what cannot be read is not there.
fn list(folder: &Path) -> Vec<String> {
    let walk = WalkDir::new(folder).into_iter().filter_entry(|entry| entry.file_name() != ".git");
    let files = walk.filter_map(Result::ok).filter(|entry| !entry.file_type().is_dir());
    let inner = |entry: walkdir::DirEntry| {
        let path = entry.path().strip_prefix(folder).ok()?.to_string_lossy().into_owned();
        Some(path.replace(std::path::MAIN_SEPARATOR, "/"))
    };
    files.filter_map(inner).collect()
}

fn link() -> LoadError {
    LoadError::Unreadable("it is a symbolic link, which GitLab does not follow".to_owned())
}

fn too_big() -> LoadError {
    LoadError::Unreadable(format!(
        "it is bigger than {} MB, and GitLab refuses it as well",
        (MAX_FILE - 1) >> 20
    ))
}
