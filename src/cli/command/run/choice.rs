//! Which jobs run, and which of those that wait for somebody are started.

use std::collections::BTreeSet;

use crate::{
    cli::{Failed, args::RunArguments, command::pod::no_such_job, project::Project},
    pipeline::{JobId, Pipeline},
    scheduler::{Delays, Deploy},
};

/// What the command line makes of a pipeline.
#[derive(Debug)]
pub(super) struct Choice {
    /// The jobs that take part.
    pub(super) pipeline: Pipeline,
    /// Manual jobs to start.
    pub(super) manual: BTreeSet<String>,
    /// Held jobs to start.
    pub(super) deploy: Deploy,
    /// Whether delayed jobs wait.
    pub(super) delays: Delays,
}

impl Choice {
    /// Reads the choice from the command line.
    ///
    /// # Errors
    /// When it names a job that the pipeline has not.
    pub(super) fn of(
        pipeline: &Pipeline,
        arguments: &RunArguments,
        project: &Project,
    ) -> Result<Self, Failed> {
        let mut selected = Vec::new();
        for name in &arguments.selected {
            selected.extend(find(pipeline, name)?);
        }
        let deploys = arguments.deploy.iter().filter(|name| *name != "*");
        for name in arguments.manual.iter().chain(deploys) {
            find(pipeline, name)?;
        }
        // a job that is asked for by name is started, manual or not
        let asked = selected.iter().map(|id| pipeline.job(*id).name.clone());
        let manual =
            arguments.manual.iter().cloned().chain(project.file.run.manual.iter().cloned()).chain(asked);
        Ok(Self {
            manual: manual.collect(),
            deploy: deploy(&arguments.deploy),
            delays: if arguments.no_delay || project.file.run.no_delay { Delays::Skip } else { Delays::Wait },
            pipeline: if selected.is_empty() { pipeline.clone() } else { pipeline.only(&selected) },
        })
    }
}

/// A job by its name, or all instances of a parallel one by its key.
fn find(pipeline: &Pipeline, name: &str) -> Result<Vec<JobId>, Failed> {
    if let Some(id) = pipeline.find(name) {
        return Ok(vec![id]);
    }
    let instances: Vec<JobId> =
        pipeline.jobs().filter(|(_, job)| job.key.value == name).map(|(id, _)| id).collect();
    if instances.is_empty() {
        return Err(no_such_job(name, pipeline.jobs.iter().map(|job| job.name.as_str())));
    }
    Ok(instances)
}

fn deploy(names: &[String]) -> Deploy {
    if names.iter().any(|name| name == "*") {
        Deploy::All
    } else if names.is_empty() {
        Deploy::None
    } else {
        Deploy::Only(names.iter().cloned().collect())
    }
}
