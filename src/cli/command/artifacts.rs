//! `podline artifacts`: the artifacts of a job of the last run.

use std::path::Path;

use crate::{
    cli::{ExitCode, Failed, project::OWN_FOLDER, runs::Run},
    report::{Printer, Problem},
    runner::{
        files::{artifacts, unpack::unpack},
        run_folder,
    },
};

pub(super) fn artifacts(
    folder: &Path,
    job: &str,
    output: &Path,
    printer: &Printer,
) -> Result<ExitCode, Failed> {
    let none = |message: String| Failed::usage(Problem::new(message).help("`podline run` makes them"));
    let run = Run::last(&folder.join(OWN_FOLDER)).ok_or_else(|| none("there is no run yet".to_owned()))?;
    let found = run_folder::find(&run, job)
        .ok_or_else(|| none(format!("job `{job}` did not start in the last run, `{}`", run.display())))?;
    let kept = artifacts::kept(&found.folder, found.id);
    let Some(kept) = kept.filter(|kept| !kept.archives.is_empty()) else {
        return Err(none(format!("job `{job}` left no artifacts in the last run")));
    };
    let output = folder.join(output);
    let mut files = 0;
    for archive in &kept.archives {
        let unpacked = unpack(archive, &kept.project_dir, &output)?;
        files += unpacked.files;
        for reason in unpacked.left_out {
            printer.say(&format!("warning: left out: {reason}\n"));
        }
    }
    let noun = if files == 1 { "file" } else { "files" };
    printer.say(&format!("{files} {noun} of `{job}` in {}\n", output.display()));
    Ok(ExitCode::Success)
}
