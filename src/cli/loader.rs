//! Reads what a configuration includes from the project's folder and from checkouts that the user names.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use indexmap::IndexMap;

use crate::{
    config::source::{External, LoadError, Loader},
    runner::files::artifacts::ArtifactStore,
};

/// Includes from files.
#[derive(Debug)]
pub struct FileLoader {
    project: PathBuf,
    files: Vec<String>,
    checkouts: IndexMap<String, PathBuf>,
    artifacts: Option<ArtifactStore>,
}

impl FileLoader {
    /// A loader for a project: `files` are its paths, for wildcards; `checkouts` says where other projects
    /// lie, relative to this one (`[includes]` in `podline.toml`).
    pub fn new(project: &Path, files: Vec<String>, checkouts: IndexMap<String, PathBuf>) -> Self {
        Self { project: project.to_owned(), files, checkouts, artifacts: None }
    }

    /// The loader of a child pipeline's configuration, which jobs of the parent may have made.
    #[must_use]
    pub fn with_artifacts(self, artifacts: Option<ArtifactStore>) -> Self {
        Self { artifacts, ..self }
    }
}

impl Loader for FileLoader {
    fn local(&self, path: &str) -> Result<String, LoadError> {
        read(&self.project.join(path))
    }

    fn local_files(&self) -> Vec<String> {
        self.files.clone()
    }

    fn external(&self, include: &External) -> Result<String, LoadError> {
        match include {
            External::Project { project, file, .. } => match self.checkouts.get(project) {
                Some(checkout) => read(&self.project.join(checkout).join(file.trim_start_matches('/')))
                    .map_err(|error| {
                        LoadError::Unavailable(format!("`{file}` in `{}`: {error}", checkout.display()))
                    }),
                None => Err(LoadError::Unavailable(format!(
                    "project `{project}` is not here: name a checkout of it under `[includes]` in `podline.toml`"
                ))),
            },
            External::Remote { url, .. } => Err(unavailable("remote file", url)),
            External::Template(name) => Err(unavailable("template", name)),
            External::Component(address) => Err(unavailable("component", address)),
            External::Artifact { job, file } => match &self.artifacts {
                Some(artifacts) => {
                    artifacts.read_file(job, file).map_err(|error| LoadError::Unreadable(error.to_string()))
                }
                None => Err(LoadError::Unavailable(format!("job `{job}` has not run"))),
            },
        }
    }
}

fn unavailable(kind: &str, name: &str) -> LoadError {
    LoadError::Unavailable(format!(
        "{kind} `{name}` is not on this machine, and podline does not fetch it yet"
    ))
}

fn read(path: &Path) -> Result<String, LoadError> {
    match fs::read(path) {
        Ok(bytes) => {
            String::from_utf8(bytes).map_err(|_| LoadError::Unreadable("it is not UTF-8 text".to_owned()))
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Err(LoadError::NotFound)
        }
        Err(error) => Err(LoadError::Unreadable(error.to_string())),
    }
}
