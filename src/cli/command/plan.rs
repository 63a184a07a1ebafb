//! `podline plan`: what would run, in which order, and why.

use std::path::Path;

use crate::{
    cli::{
        ExitCode, Failed,
        args::{Format, PlanArguments, SourceKind},
        builds::Builds,
        child::Child,
        planned::{Planned, Runner},
        project::Project,
        view,
    },
    pipeline::{self, PlannedChild},
    report::{self, Printer, diagnostics::Record},
};

pub(super) fn plan(folder: &Path, arguments: &PlanArguments, printer: &Printer) -> Result<ExitCode, Failed> {
    let project = Project::open(folder)?;
    let mut planned = Planned::new(&project, &arguments.pipeline, SourceKind::Worktree, 1, printer)?;
    let runner = Runner::read(&project, &arguments.runner, &mut planned)?;
    match arguments.format {
        Format::Json => json(&project, &planned, printer)?,
        Format::Text => text(&project, &planned, &runner, arguments, printer)?,
    }
    Ok(if planned.diagnostics.has_errors() { ExitCode::Usage } else { ExitCode::Success })
}

/// The plan with what was found wrong on the way.
#[derive(serde::Serialize)]
struct Document {
    #[serde(flatten)]
    plan: pipeline::Plan,
    diagnostics: Vec<Record>,
}

fn json(project: &Project, planned: &Planned, printer: &Printer) -> Result<(), Failed> {
    let diagnostics = report::diagnostics::records(&planned.diagnostics, &planned.sources);
    let document = Document { plan: with_children(project, planned, 0), diagnostics };
    let text = serde_json::to_string_pretty(&document).expect("a plan of text and numbers is JSON");
    Ok(printer.data(&format!("{text}\n"))?)
}

/// The plan of a pipeline with those of its child pipelines. `depth` says how many trigger jobs lead to it.
fn with_children(project: &Project, planned: &Planned, depth: usize) -> pipeline::Plan {
    let Some(pipeline) = &planned.pipeline else { return pipeline::Plan::default() };
    let mut plan = pipeline::Plan::new(pipeline);
    for (shown, job) in plan.jobs.iter_mut().zip(&pipeline.jobs) {
        shown.child = Child::of(project, planned, job, depth).map(|child| match child {
            Child::Known(child) => PlannedChild::Known(with_children(project, &child, depth + 1)),
            Child::Unknown(unknown) => PlannedChild::Unknown { unknown },
        });
    }
    plan
}

fn text(
    project: &Project,
    planned: &Planned,
    runner: &Runner,
    arguments: &PlanArguments,
    printer: &Printer,
) -> Result<(), Failed> {
    planned.show(printer);
    let Ok(pipeline) = planned.pipeline() else { return Ok(()) };
    let jobs = arguments.runner.jobs.or(project.file.run.jobs).map(std::num::NonZeroUsize::get);
    let builds = Builds::preview(project, planned, pipeline, &runner.settings);
    let mut plan = view::plan::plan(project, planned, runner, &builds, jobs);
    plan.hide(&planned.mask);
    let lines = report::plan::lines(&plan, &printer.data_theme(), printer.columns());
    Ok(printer.data(&format!("{}\n", lines.join("\n")))?)
}
