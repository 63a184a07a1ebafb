//! Begins the record of a run: what it is, and why each job is in the pipeline or not.

use std::path::Path;

use super::{
    again::{Again, quoted},
    choice::Choice,
};
use crate::{
    cli::{
        args::{RunArguments, SourceKind},
        builds::Builds,
        command::explain::facts,
        explained::explained,
        planned::{Planned, Runner},
        project::Project,
        runs::Run,
    },
    report::{
        explain::Explained,
        record::{Head, Recorder},
    },
};

pub(super) fn begin(
    run: &Run,
    folder: &Path,
    arguments: &RunArguments,
    project: &Project,
    planned: &Planned,
    runner: &Runner,
    choice: &Choice,
) -> std::io::Result<Recorder> {
    let mut selected: Vec<String> = arguments.selected.iter().map(|name| quoted(name)).collect();
    selected.extend(arguments.failed.then(|| "--failed".to_owned()));
    selected.extend(arguments.from.iter().map(|job| format!("--from {}", quoted(job))));
    let head = Head {
        number: run.number,
        id: run.id.clone(),
        project: planned.context.project.path.rsplit('/').next().unwrap_or_default().to_owned(),
        command: Again::of(folder, arguments, None).run(&selected.join(" ")),
        started: jiff::Timestamp::now(),
        podline: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let explanations = planned.pipeline.as_ref().map_or_else(Vec::new, |pipeline| {
        let builds = Builds::preview(project, planned, pipeline, &runner.settings);
        let taking_part = choice.pipeline.jobs.iter().map(|job| job.name.as_str());
        explanations(project, arguments.source, planned, &builds, taking_part)
    });
    Recorder::begin(&run.folder, &head, &explanations, planned.mask.clone())
}

/// The explanations of a child pipeline.
pub(super) fn of_child(
    project: &Project,
    source: SourceKind,
    planned: &Planned,
    builds: &Builds,
) -> Vec<Explained> {
    explanations(project, source, planned, builds, builds.pipeline.jobs.iter().map(|job| job.name.as_str()))
}

/// The explanation of each job that takes part, and of those that were left out.
fn explanations<'n>(
    project: &Project,
    source: SourceKind,
    planned: &Planned,
    builds: &'n Builds,
    taking_part: impl Iterator<Item = &'n str>,
) -> Vec<Explained> {
    let repository = project.repository(&planned.context.event, source);
    let names = taking_part.chain(builds.pipeline.left_out.iter().map(|job| job.name.as_str()));
    let explain = |name: &str| {
        let mut explained = explained(planned, &repository, name)?;
        explained.facts = builds.pipeline.find(name).map(|id| facts(builds, id)).unwrap_or_default();
        Some(explained)
    };
    names.filter_map(explain).collect()
}
