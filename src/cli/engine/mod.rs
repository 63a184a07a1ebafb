//! The engine of a run: which one it is, and what it is told to make.

pub(super) mod kind;

use std::sync::Arc;

use super::{
    Failed,
    args::{EngineKind, RunArguments},
    project::Project,
    settings::Environment,
};
use crate::{
    engine::{Fits, Provisioner},
    pipeline::Pipeline,
    runner::Settings,
};

/// What an engine is chosen by.
pub(super) struct Request<'r> {
    /// The command line.
    pub(super) arguments: &'r RunArguments,
    /// The project with its `podline.toml`.
    pub(super) project: &'r Project,
    /// What the environment says.
    pub(super) environment: &'r Environment,
    /// Id of the run.
    pub(super) run: &'r str,
    /// The runner's settings.
    pub(super) settings: &'r Settings,
    /// The jobs that take part.
    pub(super) pipeline: &'r Pipeline,
    /// The images of its jobs.
    pub(super) images: Vec<String>,
}

/// The engine of a run.
pub(super) struct Chosen {
    /// Its name, as `--engine` takes it.
    pub(super) name: &'static str,
    /// Makes the place for the run's pods.
    pub(super) provisioner: Arc<dyn Provisioner>,
    /// What is done first, for people.
    pub(super) step: String,
    /// What is done last where it takes a while, for people.
    pub(super) removal: Option<String>,
    /// The name, as users say it, of the cluster that is there after the run.
    pub(super) stays: Option<String>,
    /// How many pods there likely is room for, as long as the engine has not looked.
    pub(super) likely: Option<Fits>,
}

/// Chooses the engine: the command line's, else that of `podline.toml`, else what this machine can run.
///
/// # Errors
/// When the engine cannot be used on this machine.
pub(super) async fn choose(request: Request<'_>) -> Result<Chosen, Failed> {
    let asked = request.arguments.engine.or(request.project.file.run.engine);
    match asked.unwrap_or(EngineKind::Auto) {
        EngineKind::Auto | EngineKind::Kind => kind::chosen(request).await,
    }
}
