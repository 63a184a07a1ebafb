//! `podline report`: a run as a page, as a file or served while the run goes on, or for other programs.

mod browser;
mod serve;

use std::{
    fs,
    io::{self, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use crate::{
    cli::{
        ExitCode, Failed,
        args::{ReportArguments, ReportFormat},
        project::OWN_FOLDER,
        runs::Run,
    },
    report::{
        Printer, Problem,
        history::{self, History, Job},
        html, junit_xml,
        record::{self, Record},
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
        return serve::serve(&run, arguments, printer);
    }
    let history = history(&run).map_err(|error| no_record(&run, &error))?;
    match arguments.format {
        ReportFormat::Html => page(&run, &history, arguments, printer)?,
        ReportFormat::Junit => text(&junit_xml::document(&history), arguments, printer)?,
        ReportFormat::Json => {
            let json = serde_json::to_string_pretty(&history).expect("a history has string keys");
            text(&format!("{json}\n"), arguments, printer)?;
        }
    }
    Ok(ExitCode::Success)
}

fn page(run: &Path, history: &History, arguments: &ReportArguments, printer: &Printer) -> Result<(), Failed> {
    let page = arguments.output.clone().unwrap_or_else(|| run.join(PAGE));
    write(history, run, &page).map_err(|error| unwritable(&page, &error))?;
    printer.data(&format!("{}\n", printer.near(&page).display()))?;
    if arguments.open {
        browser::open(page.as_os_str())?;
    }
    Ok(())
}

/// To the file that is named, else to standard output.
fn text(text: &str, arguments: &ReportArguments, printer: &Printer) -> Result<(), Failed> {
    match &arguments.output {
        Some(file) => fs::write(file, text).map_err(|error| unwritable(file, &error)),
        None => Ok(printer.data(text)?),
    }
}

fn unwritable(file: &Path, error: &io::Error) -> Failed {
    Failed::usage(Problem::new(format!("`{}` cannot be written: {error}", file.display())))
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
fn history(run: &Path) -> io::Result<History> {
    let mut history = History::of(&Record::read(run)?);
    // the events name a trace when it is complete
    let traces: Vec<_> = history.jobs.iter().map(|job| open_trace(run, &history, job)).collect();
    for (job, trace) in history.jobs.iter_mut().zip(traces) {
        if let Some(open) = job.attempts.last_mut().filter(|attempt| attempt.to.is_none()) {
            open.trace = trace;
        }
    }
    for pipeline in 1..history.pipelines.len() {
        if let Some(folder) = run_folder::pipeline(run, &history.pipelines[pipeline].key) {
            history.explain(pipeline, &record::read_explanations(&folder));
        }
    }
    history.look_into(run);
    Ok(history)
}

/// The trace of an attempt that goes on.
fn open_trace(run: &Path, history: &History, job: &Job) -> Option<String> {
    job.attempts.last().filter(|attempt| attempt.to.is_none())?;
    let trace = run_folder::find(run, &history.path(job))?.trace;
    history::inside(trace.strip_prefix(run).ok()?)
}

fn no_record(run: &Path, error: &io::Error) -> Failed {
    let message = format!("`{}` has no record of its run: {error}", run.display());
    Failed::usage(Problem::new(message).help("a run of this version of podline leaves one"))
}

/// Writes the page beside its place first: who looks at it meanwhile sees the old one.
fn write(history: &History, run: &Path, page: &Path) -> io::Result<()> {
    let folder = page.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::NamedTempFile::new_in(folder)?;
    let mut writer = BufWriter::new(file);
    html::write(history, run, &mut writer)?;
    writer.flush()?;
    let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.persist(page)?;
    Ok(())
}
