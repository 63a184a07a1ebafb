//! Begins the record of a run: what it is, and why each job is in the pipeline or not.

use std::path::Path;

use super::{
    again::{Again, quoted},
    choice::Choice,
};
use crate::{
    cli::{
        args::RunArguments,
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
    let selected: Vec<String> = arguments.selected.iter().map(|name| quoted(name)).collect();
    let head = Head {
        number: run.number,
        id: run.id.clone(),
        project: planned.context.project.path.rsplit('/').next().unwrap_or_default().to_owned(),
        command: Again::of(folder, arguments, None).run(&selected.join(" ")),
        started: jiff::Timestamp::now(),
        podline: env!("CARGO_PKG_VERSION").to_owned(),
    };
    Recorder::begin(
        &run.folder,
        &head,
        &explanations(arguments, project, planned, runner, choice),
        planned.mask.clone(),
    )
}

/// The explanation of each job that takes part, and of those that were left out.
fn explanations(
    arguments: &RunArguments,
    project: &Project,
    planned: &Planned,
    runner: &Runner,
    choice: &Choice,
) -> Vec<Explained> {
    let Some(pipeline) = &planned.pipeline else { return Vec::new() };
    let repository = project.repository(&planned.context.event, arguments.source);
    let builds = Builds::preview(project, planned, pipeline, &runner.settings);
    let taking_part = choice.pipeline.jobs.iter().map(|job| job.name.as_str());
    let names = taking_part.chain(pipeline.left_out.iter().map(|job| job.name.as_str()));
    let explain = |name: &str| {
        let mut explained = explained(planned, &repository, name)?;
        explained.facts = pipeline.find(name).map(|id| facts(&builds, id)).unwrap_or_default();
        Some(explained)
    };
    names.filter_map(explain).collect()
}
