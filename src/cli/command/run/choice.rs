//! Which jobs run, and which of those that wait for somebody are started.

use std::collections::BTreeSet;

use super::earlier::{Earlier, Reuse};
use crate::{
    cli::{Failed, args::RunArguments, command::pod::no_such_job, project::Project},
    pipeline::{Job, JobId, Pipeline},
    report::Problem,
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
    /// What is taken over from the last run.
    pub(super) reuse: Reuse,
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
        for name in arguments.selected.iter().chain(&arguments.from) {
            selected.extend(find(pipeline, name)?);
        }
        let deploys = arguments.deploy.iter().filter(|name| *name != "*");
        // which jobs a child pipeline has is known when it is created
        let is_below = |name: &&String| trigger_job(pipeline, name).is_none();
        for name in arguments.manual.iter().chain(deploys).filter(is_below) {
            find(pipeline, name)?;
        }
        // a job that is asked for by name is started, manual or not
        let asked = selected.iter().map(|id| pipeline.job(*id).name.clone());
        let manual =
            arguments.manual.iter().cloned().chain(project.file.run.manual.iter().cloned()).chain(asked);
        let (pipeline, reuse) = match (arguments.failed, &arguments.from) {
            _ if arguments.shell => Earlier::for_a_look(&project.own_folder(), pipeline, &selected),
            (false, None) if selected.is_empty() => (pipeline.clone(), Reuse::default()),
            (false, None) => (pipeline.only(&selected), Reuse::default()),
            (true, _) => Earlier::last(&project.own_folder())?.failed(pipeline)?,
            (false, Some(_)) => Earlier::last(&project.own_folder())?.from(pipeline, &selected)?,
        };
        Ok(Self {
            manual: manual.collect(),
            // a look into a pod deploys nothing
            deploy: if arguments.shell { Deploy::All } else { deploy(&arguments.deploy) },
            delays: if arguments.no_delay || project.file.run.no_delay { Delays::Skip } else { Delays::Wait },
            pipeline,
            reuse,
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
    if let (true, Some(trigger)) = (instances.is_empty(), trigger_job(pipeline, name)) {
        let problem = Problem::new(format!("`{name}` cannot run without the job that starts its pipeline"));
        return Err(Failed::usage(problem.help(format!("run `{trigger}` and what it needs"))));
    }
    if instances.is_empty() {
        return Err(no_such_job(name, pipeline.jobs.iter().map(|job| job.name.as_str())));
    }
    Ok(instances)
}

/// The trigger job of a name such as `child/job`.
fn trigger_job<'p>(pipeline: &'p Pipeline, name: &str) -> Option<&'p str> {
    let is_above = |job: &&Job| name.strip_prefix(&job.name).is_some_and(|rest| rest.starts_with('/'));
    pipeline.jobs.iter().filter(|job| job.trigger.is_some()).find(is_above).map(|job| job.name.as_str())
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
