//! Reads what a configuration includes: files of the project, and everything else through the rest of this room.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::{
    component::{self, Address},
    memo::Memo,
    project::{Elsewhere, Projects},
    remote::{Remote, Wanted},
};
use crate::config::loader::{Component, External, Found, LoadError, Loader, ProjectRef};

/// Most includes that are fetched at once, as GitLab's `MAX_PARALLEL_REMOTE_REQUESTS`.
const MAX_AT_ONCE: usize = 4;

/// The project of GitLab itself, which has the templates, and where they are in it.
const GITLAB: (&str, &str, &str) = ("gitlab.com", "gitlab-org/gitlab", "lib/gitlab/ci/templates");

/// The files of a project.
#[derive(Debug, Clone)]
pub struct Files {
    /// Their paths from its root.
    pub paths: Vec<String>,
    /// Whether these are all: what git does not know may be a part of a project, a single file of it even.
    pub are_all: bool,
}

/// A project's loader.
#[derive(Debug)]
pub struct ProjectLoader {
    folder: PathBuf,
    files: Files,
    projects: Projects,
    remote: Remote,
    found: Memo<External, Result<Found, LoadError>>,
}

impl ProjectLoader {
    /// A loader for the project in a folder.
    pub fn new(folder: &Path, files: Files, elsewhere: Elsewhere) -> Self {
        Self {
            folder: folder.to_owned(),
            files,
            projects: Projects::new(folder, elsewhere),
            remote: Remote::default(),
            found: Memo::default(),
        }
    }

    fn find(&self, include: &External) -> Result<Found, LoadError> {
        match include {
            External::Project { project, file } => {
                let (text, note) = self.file(project, file)?;
                let name = include.to_string();
                Ok(Found { text, name, home: Some(project.clone()), component: None, note })
            }
            External::Template(name) => {
                let (host, path, folder) = GITLAB;
                let project =
                    ProjectRef { host: Some(host.to_owned()), path: path.to_owned(), reference: None };
                let (text, note) = self.file(&project, &format!("{folder}/{name}"))?;
                Ok(Found { text, name: include.to_string(), home: None, component: None, note })
            }
            External::Component(address) => self.component(address),
            External::Artifact { job, file } => {
                let text = (self.projects.elsewhere().artifact)(job, file)?;
                Ok(Found { text, name: include.to_string(), home: None, component: None, note: None })
            }
            External::Remote { url, integrity, reuse } => {
                let shown = include.to_string();
                let reuse = Duration::from_secs(*reuse);
                let wanted = Wanted { url, shown: &shown, integrity: integrity.as_deref(), reuse };
                let (text, note) = self.remote.get(&self.projects, wanted)?;
                Ok(Found { text, name: shown, home: None, component: None, note })
            }
        }
    }

    /// A file of a project, and the note on where it was had.
    fn file(&self, project: &ProjectRef, file: &str) -> Result<(String, Option<String>), LoadError> {
        let at = self.projects.at(project)?;
        match self.projects.read(project, file)? {
            Some(text) => Ok((text, at.note)),
            None => Err(LoadError::Missing(format!("`{project}` has no such file"))),
        }
    }

    fn component(&self, text: &str) -> Result<Found, LoadError> {
        let Some(address) = Address::parse(text) else {
            let reason = "write `host/group/project/name@version`".to_owned();
            return Err(LoadError::Missing(reason));
        };
        let mut project =
            ProjectRef { host: Some(address.host.clone()), path: address.project.clone(), reference: None };
        let Some(reference) = self.projects.version(&project, &address.version)? else {
            let reason = format!("`{}` has no tag that is a version, such as `1.0.0`", address.project);
            return Err(LoadError::Missing(reason));
        };
        project.reference = Some(reference.clone());
        let at = self.projects.at(&project)?;
        for file in address.files() {
            let text = match at.snapshot.read(&file)? {
                Some(text) => text,
                None => continue,
            };
            return Ok(Found {
                text,
                name: format!("{project}:{file}"),
                component: Some(Component {
                    name: address.name,
                    sha: at.sha.unwrap_or_default(),
                    version: component::semantic(&reference).map(|_| reference),
                    reference: address.version,
                }),
                home: Some(project),
                note: at.note,
            });
        }
        let [simple, complex] = address.files();
        Err(LoadError::Missing(format!("`{project}` has neither `{simple}` nor `{complex}`")))
    }
}

impl Loader for ProjectLoader {
    fn local(&self, path: &str) -> Result<String, LoadError> {
        match read(&self.folder.join(path)) {
            Err(LoadError::NotFound) if !self.files.are_all => Err(LoadError::Unavailable {
                reason: "it is not in this folder, which is no git repository and may be a part of a project"
                    .to_owned(),
                help: "GitLab refuses the file if the project lacks it".to_owned(),
            }),
            read => read,
        }
    }

    fn local_files(&self) -> Vec<String> {
        self.files.paths.clone()
    }

    fn expect(&self, includes: &[External]) {
        let mut open: Vec<&External> = includes.iter().filter(|include| !self.found.knows(include)).collect();
        if open.len() < 2 {
            return;
        }
        open.reverse();
        let threads = open.len().min(MAX_AT_ONCE);
        let open = Mutex::new(open);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let next = || open.lock().unwrap_or_else(PoisonError::into_inner).pop();
                    while let Some(include) = next() {
                        // it is told when it is asked for
                        drop(self.external(include));
                    }
                });
            }
        });
    }

    fn external(&self, include: &External) -> Result<Found, LoadError> {
        self.found.get(include, || self.find(include))
    }

    fn files_of(&self, project: &ProjectRef) -> Result<Vec<String>, LoadError> {
        let files = self.projects.at(project)?.snapshot.files();
        files.map_err(|error| LoadError::Unreadable(error.to_string()))
    }
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
