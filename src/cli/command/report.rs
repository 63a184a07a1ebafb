//! `podline report`: the page of a run, as a file or served while the run goes on.

mod serve;

use std::{
    fs,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use crate::{
    cli::{ExitCode, Failed, args::ReportArguments, project::OWN_FOLDER, runs::Run},
    report::{
        Printer, Problem,
        html::{self, Data},
        record::Record,
    },
    runner::run_folder,
};

/// Name of the page in the folder of its run.
const PAGE: &str = "report.html";

pub(super) fn report(
    folder: &Path,
    arguments: &ReportArguments,
    printer: &Printer,
) -> Result<ExitCode, Failed> {
    let run = find(folder, arguments.run)?;
    if arguments.serve {
        return serve::serve(&run, arguments.port, printer);
    }
    let data = data(&run).map_err(|error| no_record(&run, &error))?;
    let page = arguments.output.clone().unwrap_or_else(|| run.join(PAGE));
    write(&data, &run_folder::traces(&run), &page).map_err(|error| {
        Failed::usage(Problem::new(format!("`{}` cannot be written: {error}", page.display())))
    })?;
    printer.data(&format!("{}\n", printer.near(&page).display()))?;
    Ok(ExitCode::Success)
}

fn find(folder: &Path, number: Option<u64>) -> Result<PathBuf, Failed> {
    let own = folder.join(OWN_FOLDER);
    let own = fs::canonicalize(&own).unwrap_or(own);
    match number {
        Some(number) => Run::find(&own, number).ok_or_else(|| {
            let problem = Problem::new(format!("there is no run {number}"));
            Failed::usage(match Run::last(&own) {
                Some(last) => problem.help(format!("the last one is `{}`", last.display())),
                None => problem.help("`podline run` makes one"),
            })
        }),
        None => Run::last(&own).ok_or_else(|| {
            Failed::usage(Problem::new("there is no run yet").help("`podline run` makes one"))
        }),
    }
}

/// What the page of a run shows.
fn data(run: &Path) -> io::Result<Data> {
    let mut data = Data::of(&Record::read(run)?);
    for job in &mut data.jobs {
        // the events name a trace when it is complete
        if let Some(open) = job.attempts.last_mut().filter(|attempt| attempt.to.is_none()) {
            let trace = run_folder::find(run, &job.key).map(|found| found.trace);
            open.trace = trace.and_then(|trace| Some(trace.file_name()?.to_str()?.to_owned()));
        }
    }
    data.look_into(&run_folder::traces(run));
    Ok(data)
}

fn no_record(run: &Path, error: &io::Error) -> Failed {
    let message = format!("`{}` has no record of its run: {error}", run.display());
    Failed::usage(Problem::new(message).help("a run of this version of podline leaves one"))
}

/// Writes the page beside its place first: who looks at it meanwhile sees the old one.
fn write(data: &Data, traces: &Path, page: &Path) -> io::Result<()> {
    let folder = page.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder)?;
    let mut writer = BufWriter::new(file);
    html::write(data, traces, &mut writer)?;
    writer.flush()?;
    let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.persist(page)?;
    Ok(())
}
