//! `podline plan`: what would run, in which order, and why.

use std::path::Path;

use crate::{
    cli::{
        ExitCode, Failed,
        args::{Format, PlanArguments, SourceKind},
        builds::Builds,
        planned::{Planned, Runner},
        project::Project,
        view,
    },
    pipeline::{self},
    report::{self, Printer, diagnostics::Record},
};

pub(super) fn plan(folder: &Path, arguments: &PlanArguments, printer: &Printer) -> Result<ExitCode, Failed> {
    let project = Project::open(folder)?;
    let mut planned = Planned::new(&project, &arguments.pipeline, SourceKind::Worktree, 1, printer)?;
    let runner = Runner::read(&project, &arguments.runner, &mut planned)?;
    match arguments.format {
        Format::Json => json(&planned, printer)?,
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

fn json(planned: &Planned, printer: &Printer) -> Result<(), Failed> {
    let diagnostics = report::diagnostics::records(&planned.diagnostics, &planned.sources);
    let plan = planned.pipeline.as_ref().map(pipeline::Plan::new).unwrap_or_default();
    let document = Document { plan, diagnostics };
    let text = serde_json::to_string_pretty(&document).expect("a plan of text and numbers is JSON");
    Ok(printer.data(&format!("{text}\n"))?)
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
