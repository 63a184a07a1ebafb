//! Where includes of other projects are looked for: what the command line, `podline.toml` and git say.

use std::path::{Path, PathBuf};

use indexmap::IndexMap;

use super::{Failed, args::PipelineArguments, project::Project};
use crate::{
    config::loader::LoadError,
    fetch::{Elsewhere, IncludeMap, Limits, MapError, Server},
    report::{Printer, Problem, spinner::Waiting},
    runner::files::artifacts::ArtifactStore,
};

/// What podline may use to get includes.
#[derive(Debug, Clone)]
pub(super) struct Reach {
    map: IncludeMap,
    is_offline: bool,
    waiting: Waiting,
}

impl Reach {
    /// What the command line and `podline.toml` allow.
    ///
    /// # Errors
    /// When a project that is mapped has a name that no project can have.
    pub(super) fn new(
        project: &Project,
        arguments: &PipelineArguments,
        printer: &Printer,
    ) -> Result<Self, Failed> {
        let map = map(project, arguments)?;
        Ok(Self { map, is_offline: arguments.offline, waiting: Waiting::new(printer) })
    }

    /// The same for a child pipeline, which is read while something else is on the screen.
    pub(super) fn silent(&self) -> Self {
        Self { waiting: Waiting::silent(), ..self.clone() }
    }

    /// Where includes are looked for, `variables` being those before the pipeline and `artifacts` what jobs of
    /// the parent pipeline have left.
    pub(super) fn elsewhere(
        &self,
        project: &Project,
        variables: &IndexMap<String, String>,
        artifacts: Option<ArtifactStore>,
    ) -> Elsewhere {
        let waiting = self.waiting.clone();
        Elsewhere {
            map: self.map.clone(),
            server: server(project, variables),
            own_folder: project.own_folder(),
            is_offline: self.is_offline,
            limits: Limits::default(),
            watch: Box::new(move |what| waiting.say(format!("fetching {what}"))),
            artifact: Box::new(move |job, file| match &artifacts {
                Some(artifacts) => {
                    artifacts.read_file(job, file).map_err(|error| LoadError::Unreadable(error.to_string()))
                }
                None => Err(LoadError::Unavailable {
                    reason: format!("job `{job}` has not run"),
                    help: "it is known when the job has run".to_owned(),
                }),
            }),
        }
    }
}

/// Flags come before the file.
fn map(project: &Project, arguments: &PipelineArguments) -> Result<IncludeMap, Failed> {
    let mut map = IncludeMap::default();
    for (name, path) in &arguments.include_map {
        map.add(name, from_here(&project.folder, path)).map_err(|error| wrong("--include-map", &error))?;
    }
    for (name, path) in &project.file.includes {
        map.add(name, path).map_err(|error| wrong("[includes] in podline.toml", &error))?;
    }
    Ok(map)
}

/// A path of the command line, which is relative to where the command is given.
fn from_here(folder: &Path, path: &Path) -> PathBuf {
    match std::env::current_dir() {
        Ok(here) if here != folder => here.join(path),
        _ => path.to_owned(),
    }
}

fn wrong(place: &str, error: &MapError) -> Failed {
    Failed::usage(Problem::new(format!("`{place}`: {error}")))
}

/// The server of the project's remote, unless the user names another by `CI_SERVER_HOST`.
fn server(project: &Project, variables: &IndexMap<String, String>) -> Option<Server> {
    let facts = &project.facts;
    match variables.get("CI_SERVER_HOST") {
        Some(host) if *host != facts.project.host => Server::of_host(host),
        _ => Server::of_remote(facts.remote_url.as_deref()?, &facts.project.path, &facts.project.host),
    }
}
