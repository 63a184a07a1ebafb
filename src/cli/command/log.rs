//! `podline log`: the trace of a job of the last run.

use std::path::Path;

use crate::{
    cli::{ExitCode, Failed, project::OWN_FOLDER, runs::Run},
    report::{Printer, Problem},
    runner::run_folder,
};

pub(super) fn log(folder: &Path, job: &str, printer: &Printer) -> Result<ExitCode, Failed> {
    let none = |message: String| Failed::usage(Problem::new(message).help("`podline run` makes one"));
    let run = Run::last(&folder.join(OWN_FOLDER)).ok_or_else(|| none("there is no run yet".to_owned()))?;
    let found = run_folder::find(&run, job)
        .ok_or_else(|| none(format!("job `{job}` did not start in the last run, `{}`", run.display())))?;
    let text = std::fs::read(&found.trace)?;
    printer.data(&String::from_utf8_lossy(&text))?;
    Ok(ExitCode::Success)
}
