//! `podline eval`: the value of an expression, and of each part of it.

use std::path::Path;

use indexmap::IndexMap;

use crate::{
    cli::{
        ExitCode, Failed,
        args::{EvalArguments, Format, SourceKind},
        explained,
        planned::Planned,
        project::{CONFIGURATION, Project},
    },
    config::expression::{Expression, Name, SyntaxError, Trace, Value},
    pipeline,
    report::{Printer, Problem, expression, theme::Label},
};

pub(super) fn eval(folder: &Path, arguments: &EvalArguments, printer: &Printer) -> Result<ExitCode, Failed> {
    let text = &arguments.expression;
    let expression = Expression::parse(text).map_err(|error| refused(text, error))?;
    let variables = variables(folder, arguments, printer)?;
    let trace = expression.explain(|name| match name {
        Name::Variable(name) => variables.get(name).map(|value| Value::from(value.as_str())),
        Name::Input(name) => {
            let inputs = &arguments.pipeline.inputs;
            inputs.iter().rfind(|(key, _)| key == name).map(|(_, value)| Value::from(value.as_str()))
        }
    });
    let holds = trace.value.is_present();
    match arguments.format {
        Format::Json => json(&trace, printer)?,
        Format::Text => show(&trace, printer)?,
    }
    // Where the user asks for it, 1 says false, as with `test`.
    Ok(if arguments.exit_code && !holds { ExitCode::PipelineFailed } else { ExitCode::Success })
}

/// What the expression may use: in a project what its event gives, otherwise what the command line names.
fn variables(
    folder: &Path,
    arguments: &EvalArguments,
    printer: &Printer,
) -> Result<IndexMap<String, String>, Failed> {
    let file = arguments.pipeline.file.as_deref().unwrap_or(CONFIGURATION);
    if !folder.join(file).is_file() {
        return Ok(arguments.pipeline.variables.iter().cloned().collect());
    }
    let project = Project::open(folder)?;
    let planned = Planned::new(&project, &arguments.pipeline, SourceKind::Worktree, 1, printer)?;
    Ok(pipeline::explain::of_workflow(planned.config.as_ref(), &planned.context))
}

/// An expression with the value of each part, for programs.
#[derive(serde::Serialize)]
struct Document<'t> {
    holds: bool,
    value: &'t Value,
    parts: Vec<expression::Part>,
}

fn json(trace: &Trace, printer: &Printer) -> Result<(), Failed> {
    let parts = explained::parts(trace);
    let document = Document { holds: trace.value.is_present(), value: &trace.value, parts };
    let text = serde_json::to_string_pretty(&document).expect("values are JSON");
    Ok(printer.data(&format!("{text}\n"))?)
}

/// The truth stands alone on the first line, to be read by scripts.
fn show(trace: &Trace, printer: &Printer) -> Result<(), Failed> {
    let theme = printer.data_theme();
    let holds = trace.value.is_present();
    let label = if holds { Label::Success } else { Label::Failure };
    let mut text = format!("{}\n", theme.paint(label, holds.to_string()));
    let mut parts = explained::parts(trace);
    for value in parts.iter_mut().flat_map(|part| &mut part.value) {
        *value = printer.masked(value).into_owned();
    }
    for line in expression::tree(&parts, &theme, printer.columns().saturating_sub(2)) {
        text.push_str(&format!("  {line}\n"));
    }
    Ok(printer.data(&text)?)
}

fn refused(text: &str, error: SyntaxError) -> Failed {
    let (before, rest) = text.split_at(error.range.start.min(text.len()));
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    let end = rest.find('\n').map_or(text.len(), |at| before.len() + at);
    let blank = " ".repeat(before[line..].chars().count());
    let marked = text
        .get(error.range.clone())
        .map_or(0, |part| part.lines().next().map_or(0, |it| it.chars().count()));
    let carets = "^".repeat(marked.max(1));
    let problem = Problem::new(format!("{}\n\n  {}\n  {blank}{carets}", error.message, &text[line..end]));
    Failed::usage(match error.hint {
        Some(help) => problem.help(help),
        None => problem,
    })
}
