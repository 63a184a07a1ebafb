//! `podline log`: the trace of a job, as far as it is there or to its end; without a job, the jobs of a run.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    cli::{ExitCode, Failed, args::LogArguments, project::OWN_FOLDER, runs::Run},
    event::{Event, Finished},
    report::{
        Printer, Problem,
        model::Model,
        record::Record,
        summary::{self, Closing},
    },
    runner::run_folder::{self, Found},
};

/// How often a trace that is followed is looked at.
const LOOK: Duration = Duration::from_millis(100);

pub(super) fn log(folder: &Path, arguments: &LogArguments, printer: &Printer) -> Result<ExitCode, Failed> {
    let run = find(&folder.join(OWN_FOLDER), arguments.run)?;
    match &arguments.job {
        None => list(&run, printer),
        Some(job) if arguments.follow => follow(&run, job, printer),
        Some(job) => {
            let found = run_folder::find(&run, job).ok_or_else(|| not_started(&run, job))?;
            printer.data(&String::from_utf8_lossy(&std::fs::read(&found.trace)?))?;
            Ok(ExitCode::Success)
        }
    }
}

fn find(own: &Path, number: Option<u64>) -> Result<PathBuf, Failed> {
    let none = |message: String| Failed::usage(Problem::new(message).help("`podline run` makes one"));
    match number {
        Some(number) => Run::find(own, number).ok_or_else(|| none(format!("there is no run {number}"))),
        None => Run::last(own).ok_or_else(|| none("there is no run yet".to_owned())),
    }
}

fn not_started(run: &Path, job: &str) -> Failed {
    let problem = Problem::new(format!("job `{job}` did not start in the run `{}`", run.display()));
    Failed::usage(problem.help("`podline log` lists its jobs, `podline run` makes another run"))
}

/// The jobs of a run, as they stand.
fn list(run: &Path, printer: &Printer) -> Result<ExitCode, Failed> {
    let mut model = Model::default();
    for (at, event) in &Record::read(run)?.events {
        model.apply(event, *at);
    }
    let canonical = std::fs::canonicalize(run).unwrap_or_else(|_| run.to_owned());
    let closing =
        Closing { traces: Some(printer.near(&run_folder::traces(&canonical))), ..Closing::default() };
    let lines = summary::lines(&model, &closing, &printer.data_theme(), printer.columns());
    printer.data(&(lines.join("\n") + "\n"))?;
    Ok(ExitCode::Success)
}

/// Prints a trace as it grows, and those of further attempts, until the job has ended.
fn follow(run: &Path, job: &str, printer: &Printer) -> Result<ExitCode, Failed> {
    let mut open: Option<(Found, File)> = None;
    loop {
        // What a trace has when its end is known is all of it: the end comes after it.
        let is_over = state(run, open.as_ref().map(|(found, _)| found.trace.as_path()));
        let last = run_folder::find(run, job);
        match (&mut open, last) {
            (None, None) if is_over != State::Open => return Err(not_started(run, job)),
            (open, Some(found)) if open.as_ref().is_none_or(|(opened, _)| opened.id != found.id) => {
                let file = File::open(&found.trace)?;
                *open = Some((found, file));
                continue;
            }
            (Some((_, file)), _) => {
                let mut bytes = Vec::new();
                file.read_to_end(&mut bytes)?;
                if !bytes.is_empty() {
                    printer.data(&String::from_utf8_lossy(&bytes))?;
                } else if is_over != State::Open {
                    return Ok(ExitCode::Success);
                }
            }
            (None, _) => {}
        }
        std::thread::sleep(LOOK);
    }
}

/// Whether there is more to come of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The attempt has ended, and no other follows.
    Ended,
    /// The whole run has, or it was killed.
    Over,
}

fn state(run: &Path, trace: Option<&Path>) -> State {
    let Ok(record) = Record::read(run) else { return State::Over };
    let has_ended = record.events.iter().any(|(_, event)| match event.place().1 {
        Event::JobFinished(finished) => is_end(finished, trace),
        _ => false,
    });
    match (has_ended, record.goes_on) {
        (true, _) => State::Ended,
        (false, true) => State::Open,
        (false, false) => State::Over,
    }
}

fn is_end(finished: &Finished, trace: Option<&Path>) -> bool {
    !finished.retried && trace.is_some_and(|trace| finished.trace.file_name() == trace.file_name())
}
