//! `podline completions`.

use clap_complete::env::Shells;

use crate::{
    cli::{ExitCode, Failed},
    report::Printer,
};

/// Prints what makes a shell ask podline for completions: they know the project's jobs, and are those of the
/// podline that is installed.
pub(super) fn completions(shell: clap_complete::Shell, printer: &Printer) -> Result<ExitCode, Failed> {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let completer = shells.completer(&shell.to_string()).expect("every shell that can be named is built in");
    completer.write_registration("COMPLETE", "podline", "podline", "podline", &mut script)?;
    printer.data(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::Success)
}
