//! Shows something in the user's browser.

use std::{
    ffi::OsStr,
    process::{Command, Stdio},
};

use crate::{
    cli::{ExitCode, Failed},
    report::Problem,
};

/// What shows a file or an address as the user likes it.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };

/// Opens a file or an address.
///
/// # Errors
/// When there is no browser, or it cannot be asked.
pub(super) fn open(what: &OsStr) -> Result<(), Failed> {
    let mut command = Command::new(OPENER);
    let opened = command.arg(what).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    let trouble = match opened {
        Ok(status) if status.success() => return Ok(()),
        Ok(status) => status.to_string(),
        Err(error) => error.to_string(),
    };
    let problem = Problem::new(format!("no browser could be opened: `{OPENER}` says {trouble}"));
    let help = format!("open `{}` in one yourself", what.to_string_lossy());
    Err(Failed { problem: Some(problem.help(help)), code: ExitCode::EngineFailed })
}
