//! `podline eval`: the value of an expression, and of each part of it.

use indexmap::IndexMap;

use crate::{
    cli::{ExitCode, Failed, args::EvalArguments},
    config::expression::Expression,
    report::{Printer, Problem, theme::Label},
};

pub(super) fn eval(arguments: &EvalArguments, printer: &Printer) -> Result<ExitCode, Failed> {
    let text = &arguments.expression;
    let expression = Expression::parse(text).map_err(|error| {
        let message =
            format!("{}\n\n  {text}\n  {}^", error.message, " ".repeat(characters(text, error.range.start)));
        let problem = Problem::new(message);
        Failed::usage(match error.hint {
            Some(help) => problem.help(help),
            None => problem,
        })
    })?;
    let variables: IndexMap<&str, &str> =
        arguments.variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let holds = expression.holds(|name| variables.get(name).copied());
    let theme = printer.data_theme();
    let label = if holds { Label::Success } else { Label::Failure };
    printer.data(&format!("{}\n", theme.paint(label, holds.to_string())))?;
    for name in expression.variables() {
        let value = variables.get(name).map_or_else(|| "not set".to_owned(), |value| format!("{value:?}"));
        printer.data(&format!("  ${name} is {value}\n"))?;
    }
    Ok(ExitCode::Success)
}

/// Characters before a byte.
fn characters(text: &str, byte: usize) -> usize {
    text.char_indices().take_while(|(at, _)| *at < byte).count()
}
