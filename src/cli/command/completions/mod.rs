//! `podline completions`.

use clap_complete::{Shell, env::Shells};

use crate::{
    cli::{ExitCode, Failed},
    report::Printer,
};

/// What bash needs beside what clap has for it.
const NAMES_IN_BASH: &str = include_str!("bash.sh");

/// Prints what makes a shell ask podline for completions: they know the project's jobs, and are those of the
/// podline that is installed.
pub(super) fn completions(shell: Shell, printer: &Printer) -> Result<ExitCode, Failed> {
    let mut script = Vec::new();
    let shells = Shells::builtins();
    let completer = shells.completer(&shell.to_string()).expect("every shell that can be named is built in");
    completer.write_registration("COMPLETE", "podline", "podline", "podline", &mut script)?;
    if shell == Shell::Bash {
        script.extend_from_slice(NAMES_IN_BASH.as_bytes());
    }
    printer.data(&String::from_utf8_lossy(&script))?;
    Ok(ExitCode::Success)
}
