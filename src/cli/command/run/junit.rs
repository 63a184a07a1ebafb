//! `podline run --junit`: the jobs of the run that has ended, for a program that shows test results.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    cli::{Failed, args::RunArguments, project::Project},
    report::{Problem, history::History, junit_xml, record::Record},
};

/// Where to: the file of the command line, or that of the project's `podline.toml`.
pub(super) fn file(arguments: &RunArguments, project: &Project) -> Option<PathBuf> {
    let of_project = || project.file.run.junit.as_ref().map(|file| project.folder.join(file));
    arguments.junit.clone().or_else(of_project)
}

/// Writes the file from the record in the folder of the run.
///
/// # Errors
/// When the record cannot be read or the file not be written.
pub(super) fn write(run: &Path, file: &Path) -> Result<(), Failed> {
    let write = || {
        let document = junit_xml::document(&History::of(&Record::read(run)?));
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(file, document)
    };
    write().map_err(|error| {
        let problem = Problem::new(format!("`{}` cannot be written: {error}", file.display()));
        Failed::usage(problem.help("`podline report --format junit` prints the same"))
    })
}
