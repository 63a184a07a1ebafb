//! `podline completions`.

use clap::CommandFactory;

use crate::{
    cli::{ExitCode, Failed, args::Arguments},
    report::Printer,
};

pub(super) fn completions(shell: clap_complete::Shell, printer: &Printer) -> Result<ExitCode, Failed> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "podline", &mut script);
    printer.data(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::Success)
}
