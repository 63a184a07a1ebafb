//! Which files a project has at a ref: of a checkout that is mapped, else of its server.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use super::{
    Limits,
    address::{Server, is_project},
    checkout::Checkout,
    component::{self, Choice},
    map::IncludeMap,
    memo::Memo,
    mirror::{Mirror, MirrorError},
    snapshot::{Commit, Snapshot},
    store::Store,
    ways_out,
};
use crate::config::loader::{LoadError, ProjectRef};

/// Where projects are, and how far podline goes for them.
pub struct Elsewhere {
    /// Which are checked out.
    pub map: IncludeMap,
    /// The project's own server; absent where it has none.
    pub server: Option<Server>,
    /// The folder of the project that podline writes to.
    pub own_folder: PathBuf,
    /// Whether only what is on this machine counts.
    pub is_offline: bool,
    /// How far to go.
    pub limits: Limits,
    /// Is told of each project or URL that is fetched.
    pub watch: Box<dyn Fn(&str) + Send + Sync>,
    /// Reads a file of a job's artifacts, for a child pipeline.
    pub artifact: ReadArtifact,
}

/// Gives the text of a file that a job has left: by the job's name and the file's path.
pub type ReadArtifact = Box<dyn Fn(&str, &str) -> Result<String, LoadError> + Send + Sync>;

impl std::fmt::Debug for Elsewhere {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Elsewhere").field("map", &self.map).finish_non_exhaustive()
    }
}

/// A project's files at a ref.
#[derive(Debug, Clone)]
pub(super) struct At {
    pub(super) snapshot: Snapshot,
    /// The commit, where there is one.
    pub(super) sha: Option<String>,
    /// What the user should know of it.
    pub(super) note: Option<String>,
}

/// The projects that includes name.
#[derive(Debug)]
pub(super) struct Projects {
    elsewhere: Elsewhere,
    /// What paths of the map are relative to.
    folder: PathBuf,
    store: OnceLock<Result<Arc<Store>, String>>,
    at: Memo<ProjectRef, Result<At, LoadError>>,
    /// Hosts that gave no answer: they are not waited for again.
    silent: Mutex<HashSet<String>>,
}

enum Origin {
    Mapped(Checkout),
    Server(Mirror),
}

impl At {
    /// The files of a commit.
    pub(super) fn new(commit: Commit, note: Option<String>) -> Self {
        let sha = Some(commit.sha.clone());
        Self { snapshot: Snapshot::Commit(commit), sha, note }
    }
}

impl Projects {
    /// Projects as the project in `folder` sees them.
    pub(super) fn new(folder: &Path, elsewhere: Elsewhere) -> Self {
        Self {
            elsewhere,
            folder: folder.to_owned(),
            store: OnceLock::new(),
            at: Memo::default(),
            silent: Mutex::default(),
        }
    }

    /// How far podline goes.
    pub(super) fn elsewhere(&self) -> &Elsewhere {
        &self.elsewhere
    }

    /// What was fetched before.
    ///
    /// # Errors
    /// When `.podline` cannot be written.
    pub(super) fn store(&self) -> Result<&Arc<Store>, String> {
        let open = || Store::open(&self.elsewhere.own_folder, self.elsewhere.limits.kept);
        let store = self.store.get_or_init(|| open().map(Arc::new).map_err(|error| error.to_string()));
        store.as_ref().map_err(|error| format!("`.podline/includes` cannot be written: {error}"))
    }

    /// A project's files at a ref, found once.
    ///
    /// # Errors
    /// When they cannot be had, or there is no such ref.
    pub(super) fn at(&self, project: &ProjectRef) -> Result<At, LoadError> {
        self.at.get(project, || match self.origin(project)? {
            Origin::Mapped(checkout) => {
                let at = checkout.at(project.reference.as_deref());
                at.map_err(|error| unavailable(project, error.to_string()))
            }
            Origin::Server(mirror) => {
                let at = self.ask(project, || mirror.at(project.reference.as_deref()));
                at.map_err(|error| said(project, error))
            }
        })
    }

    /// The text of a file of a project; `None` where it certainly has none.
    ///
    /// # Errors
    /// When it cannot be had or read.
    pub(super) fn read(&self, project: &ProjectRef, file: &str) -> Result<Option<String>, LoadError> {
        let text = self.at(project)?.snapshot.read(file)?;
        match (text, self.mapped(project)) {
            (None, Some(checkout)) => {
                let at = project.reference.as_ref().map_or(String::new(), |name| format!(" at `{name}`"));
                let reason = format!("`{}` has no file `{file}`{at}", checkout.shown().display());
                Err(LoadError::Unavailable {
                    reason,
                    help: "mend the file's name, or what is mapped".to_owned(),
                })
            }
            (text, _) => Ok(text),
        }
    }

    /// The ref that the version of a component stands for. `None` where no version fits.
    ///
    /// # Errors
    /// When the project's tags cannot be had.
    pub(super) fn version(&self, project: &ProjectRef, version: &str) -> Result<Option<String>, LoadError> {
        if !component::is_shorthand(version) {
            return Ok(Some(version.to_owned()));
        }
        let tags = match self.origin(project)? {
            Origin::Mapped(checkout) => checkout.tags(),
            Origin::Server(mirror) => {
                self.ask(project, || mirror.tags()).map_err(|error| said(project, error))?
            }
        };
        Ok(match component::choose(version, &tags) {
            Choice::Exact => Some(version.to_owned()),
            Choice::Newest(tag) => Some(tag),
            Choice::Nothing => None,
        })
    }

    fn mapped(&self, project: &ProjectRef) -> Option<Checkout> {
        let host = project.host.as_deref().or_else(|| self.elsewhere.server.as_ref().map(Server::host));
        let shown = self.elsewhere.map.find(host, &project.path)?;
        Some(Checkout::new(self.folder.join(&shown), shown, self.elsewhere.limits))
    }

    fn origin(&self, project: &ProjectRef) -> Result<Origin, LoadError> {
        if !is_project(&project.path) {
            let reason = format!("`{}` cannot be the path of a project", project.path);
            return Err(LoadError::Missing(reason));
        }
        if let Some(checkout) = self.mapped(project) {
            if checkout.exists() {
                return Ok(Origin::Mapped(checkout));
            }
            let reason =
                format!("it is mapped to `{}`, where there is no folder", checkout.shown().display());
            let help = "check it out there, or mend what is mapped".to_owned();
            return Err(LoadError::Unavailable { reason, help });
        }
        let server = match (&project.host, &self.elsewhere.server) {
            (Some(host), Some(own)) if host == own.host() => own.clone(),
            (Some(host), _) => {
                let none = || LoadError::Missing(format!("`{host}` cannot be the name of a server"));
                Server::of_host(host).ok_or_else(none)?
            }
            (None, Some(own)) => own.clone(),
            (None, None) => return Err(no_server(project)),
        };
        let none = || LoadError::Missing(format!("`{}` cannot be the path of a project", project.path));
        let address = server.address(&project.path).ok_or_else(none)?;
        let store = self.store().map_err(|reason| unavailable(project, reason))?;
        let (limits, is_offline) = (self.elsewhere.limits, self.elsewhere.is_offline);
        Ok(Origin::Server(Mirror::new(address, &project.path, store, limits, is_offline)))
    }

    /// Asks a server, unless it gave no answer before.
    fn ask<T>(
        &self,
        project: &ProjectRef,
        question: impl FnOnce() -> Result<T, MirrorError>,
    ) -> Result<T, MirrorError> {
        let host = || project.host.clone().unwrap_or_default();
        let silent = || self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        if silent().contains(&host()) {
            let reason = "the server gave no answer before".to_owned();
            return Err(MirrorError::Git { address: project.path.clone(), reason, is_silent: true });
        }
        if !self.elsewhere.is_offline {
            (self.elsewhere.watch)(&project.path);
        }
        let answer = question();
        if matches!(answer, Err(MirrorError::Git { is_silent: true, .. })) {
            silent().insert(host());
        }
        answer
    }
}

fn said(project: &ProjectRef, error: MirrorError) -> LoadError {
    match error {
        MirrorError::NoReference(_) => LoadError::Missing(error.to_string()),
        MirrorError::Offline => LoadError::Unavailable {
            reason: error.to_string(),
            help: format!("plan once without `--offline`, or {}", ways_out(&project.path)),
        },
        MirrorError::Git { .. } | MirrorError::Store(_) => unavailable(project, error.to_string()),
    }
}

fn unavailable(project: &ProjectRef, reason: String) -> LoadError {
    LoadError::Unavailable { reason, help: ways_out(&project.path) }
}

fn no_server(project: &ProjectRef) -> LoadError {
    LoadError::Unavailable {
        reason: "the repository has no remote that says on which server it is".to_owned(),
        help: format!("{}, or name the server with `--var CI_SERVER_HOST=HOST`", ways_out(&project.path)),
    }
}
