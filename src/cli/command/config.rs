//! `podline config`: the effective configuration as YAML.

use std::path::Path;

use crate::{
    cli::{
        ExitCode, Failed,
        args::{ConfigArguments, SourceKind},
        planned::Planned,
        project::Project,
    },
    config,
    report::Printer,
};

pub(super) fn config(
    folder: &Path,
    arguments: &ConfigArguments,
    printer: &Printer,
) -> Result<ExitCode, Failed> {
    let project = Project::open(folder)?;
    let planned = Planned::new(&project, &arguments.pipeline, SourceKind::Worktree, 1, printer)?;
    planned.show(printer);
    if let Some(config) = &planned.config {
        printer.data(&config::emit(&config.tree))?;
    }
    Ok(if planned.diagnostics.has_errors() { ExitCode::Usage } else { ExitCode::Success })
}
