//! `podline lint`: every mistake of a configuration.

use std::{collections::HashSet, path::Path};

use crate::{
    cli::{
        ExitCode, Failed,
        args::{LintArguments, LintFormat, PipelineArguments, SourceKind},
        planned::Planned,
        project::{CONFIGURATION, Project},
    },
    report::{Printer, annotations, diagnostics, sarif, theme::Label},
};

pub(super) fn lint(folder: &Path, arguments: &LintArguments, printer: &Printer) -> Result<ExitCode, Failed> {
    let project = Project::open(folder)?;
    let own = arguments.pipeline.file.clone().unwrap_or_else(|| CONFIGURATION.to_owned());
    let files = if arguments.files.is_empty() { vec![own] } else { arguments.files.clone() };
    let (mut wrong, mut records) = (false, Vec::new());
    for file in files {
        let pipeline = PipelineArguments { file: Some(file.clone()), ..arguments.pipeline.clone() };
        let planned = Planned::new(&project, &pipeline, SourceKind::Worktree, 1, printer)?;
        wrong |= planned.diagnostics.has_errors();
        if arguments.format == LintFormat::Text {
            show(&file, &planned, printer);
        }
        records.extend(diagnostics::records(&planned.diagnostics, &planned.sources));
    }
    // Of files that include the same one, each finds its mistakes.
    let mut seen = HashSet::new();
    records.retain(|record| seen.insert(record.clone()));
    match arguments.format {
        LintFormat::Text => {}
        LintFormat::Json => {
            let text = serde_json::to_string_pretty(&records).expect("records of text and numbers are JSON");
            printer.data(&format!("{text}\n"))?;
        }
        LintFormat::Sarif => printer.data(&sarif::log(&records))?,
        LintFormat::Github => printer.data(&annotations::lines(&records))?,
    }
    Ok(if wrong { ExitCode::Usage } else { ExitCode::Success })
}

fn show(file: &str, planned: &Planned, printer: &Printer) {
    planned.show(printer);
    if !planned.diagnostics.has_errors() {
        let jobs = planned.config.as_ref().map_or(0, |config| config.jobs.len());
        let jobs = if jobs == 1 { "1 job".to_owned() } else { format!("{jobs} jobs") };
        let theme = printer.theme();
        let mark = theme.mark(crate::report::theme::Look::Success);
        printer.say(&format!("{mark} {} is valid: {jobs}\n", theme.paint(Label::Strong, file)));
    }
}
