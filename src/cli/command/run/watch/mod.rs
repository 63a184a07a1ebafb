//! `podline run --watch`: again at every change of the project's files.

mod files;
mod warm;

use std::{path::Path, sync::Arc};

use super::interrupt;
use crate::{
    cli::{ExitCode, Failed, args::RunArguments, project::Project, settings::Environment},
    report::{Printer, printer::View},
};
pub(in crate::cli::command) use files::Changes;
use warm::Warm;

/// Names of files that are told.
const NAMED: usize = 3;

/// Puts the cursor at the top of an empty screen.
const CLEAR: &str = "\u{1b}[H\u{1b}[2J";

/// Runs the pipeline, and again at every change, until the user interrupts it. A change during a run ends it.
///
/// # Errors
/// When the project cannot be opened or watched, or its cluster cannot be made.
pub(super) fn watch(
    folder: &Path,
    arguments: &RunArguments,
    environment: &Environment,
    printer: &Printer,
) -> Result<ExitCode, Failed> {
    let project = Arc::new(Project::open(folder)?);
    let mut changes = files::changes(Arc::clone(&project))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    // all the time, so that no interrupt is lost between a run and the wait after it
    let mut interrupts = runtime.block_on(async { interrupt::listen(None, None) })?;
    let warm = runtime.block_on(Warm::up(&project, arguments, environment, printer))?;
    let mut again = arguments.clone();
    again.cluster = warm.as_ref().map(|warm| warm.name.clone()).or(again.cluster);
    let code = loop {
        changes.mark_unchanged();
        let ended = once(folder, &again, environment, printer, &changes);
        let is_outdated = changes.has_changed().unwrap_or(false);
        let code = match ended {
            Ok(code) => code,
            Err(failed) => {
                failed.show(printer);
                failed.code
            }
        };
        if interrupts.try_recv().is_ok() {
            break code;
        }
        if !is_outdated {
            tell(printer, "\nwaiting for a file to change; Ctrl-C ends\n");
            let next = async {
                tokio::select! {
                    changed = changes.changed() => changed.is_ok(),
                    _ = interrupts.recv() => false,
                }
            };
            if !runtime.block_on(next) {
                break code;
            }
        }
        let clear = if printer.view() == View::Live { CLEAR } else { "\n" };
        let changed = named(&changes.borrow_and_update());
        tell(printer, &format!("{clear}{changed} changed: running again\n"));
    };
    if let Some(warm) = warm {
        runtime.block_on(warm.down(printer))?;
    }
    runtime.shutdown_background();
    Ok(code)
}

/// One run. The project is read anew.
fn once(
    folder: &Path,
    arguments: &RunArguments,
    environment: &Environment,
    printer: &Printer,
    changes: &Changes,
) -> Result<ExitCode, Failed> {
    let project = Arc::new(Project::open(folder)?);
    super::of(&project, folder, arguments, environment, printer, Some(changes.clone()))
}

fn named(files: &[String]) -> String {
    let names: Vec<String> = files.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    match files.len() {
        0 => "something".to_owned(),
        count if count > NAMED => format!("{} and {} more", names.join(", "), count - NAMED),
        _ => names.join(", "),
    }
}

/// Programs that read events know by these what goes on.
fn tell(printer: &Printer, text: &str) {
    if printer.view() != View::Json {
        printer.say(text);
    }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_few_files_are_named_and_the_rest_counted() {
        let files = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        assert_eq!(named(&files(&["a", "b"])), "`a`, `b`");
        assert_eq!(named(&files(&["a", "b", "c", "d", "e"])), "`a`, `b`, `c` and 2 more");
    }
}
