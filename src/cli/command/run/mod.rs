//! `podline run`: the pipeline as pods.

mod again;
mod children;
mod choice;
mod closing;
mod earlier;
pub(super) mod interrupt;
mod junit;
mod narrate;
mod outline;
mod pace;
mod prepare;
mod record;
mod setup;
mod site;
mod visit;
mod watch;
mod work;

use std::{path::Path, sync::Arc};

use crate::{
    cli::{
        ExitCode, Failed,
        args::RunArguments,
        engine::Asked,
        planned::{Planned, Runner},
        project::Project,
        runs::Run,
        settings::Environment,
    },
    report::{Printer, Problem, tty},
    runner::{build::image, pod::login::DockerLogin},
};
pub(super) use again::quoted;
use choice::Choice;
use watch::Changes;
use work::Work;

/// Runs the pipeline of a project.
///
/// # Errors
/// When the configuration is wrong or the engine fails; a pipeline that fails is an exit code.
pub(super) fn run(
    folder: &Path,
    arguments: &RunArguments,
    environment: &Environment,
    printer: &Printer,
) -> Result<ExitCode, Failed> {
    if arguments.watch {
        return watch::watch(folder, arguments, environment, printer);
    }
    of(&Arc::new(Project::open(folder)?), folder, arguments, environment, printer, None)
}

/// Opens a shell in a pod as a job's.
///
/// # Errors
/// As [`run`], and when there is no terminal.
pub(super) fn shell(
    folder: &Path,
    arguments: &RunArguments,
    environment: &Environment,
    printer: &Printer,
) -> Result<ExitCode, Failed> {
    let project = Arc::new(Project::open(folder)?);
    let arguments = RunArguments { shell: true, ..arguments.clone() };
    of(&project, folder, &arguments, environment, printer, None)
}

/// Runs the pipeline of a project that was opened; `folder` is what the user calls it. A change of its files
/// ends it where `changes` has those.
///
/// # Errors
/// As [`run`].
pub(super) fn of(
    project: &Arc<Project>,
    folder: &Path,
    arguments: &RunArguments,
    environment: &Environment,
    printer: &Printer,
    changes: Option<Changes>,
) -> Result<ExitCode, Failed> {
    if (arguments.shell || arguments.shell_on_failure) && !tty::is_there() {
        let problem = Problem::new("a shell needs a terminal");
        return Err(Failed::usage(problem.help("start podline in one, with its input and output there")));
    }
    let asked = Asked::of(arguments, &project.file.run, environment)?;
    let number = Run::next_number(&project.own_folder());
    let mut planned = Planned::new(project, &arguments.pipeline, arguments.source, number, printer)?;
    let mut runner = Runner::read(project, &arguments.runner, &mut planned)?;
    if let Some(pipeline) = &planned.pipeline {
        planned.diagnostics.append(image::without_image(pipeline, &runner.settings));
    }
    planned.show(printer);
    let choice = Choice::of(planned.pipeline()?, arguments, project)?;
    if choice.pipeline.jobs.is_empty() {
        printer.say(&format!("nothing to run: {}\n", why_none(&choice)));
        return Ok(ExitCode::Success);
    }
    let planned = Arc::new(planned);
    let junit = junit::file(arguments, project);
    let run = Run::begin(&project.own_folder())?;
    let record = run.folder.clone();
    choice.reuse.bring_into(&run.folder)?;
    runner.settings = asked.settings(runner.settings, &run.id);
    // the login of a user is for machines of that user's own
    if let (Asked::Auto | Asked::Kind, Some(folder)) = (&asked, &environment.docker.config_folder) {
        runner.settings.docker_login = DockerLogin::read(folder);
    }
    let recorder = record::begin(&run, folder, arguments, project, &planned, &runner, &choice)?;
    let work = Work {
        folder,
        project,
        planned: &planned,
        runner: &runner,
        arguments,
        environment,
        asked: &asked,
        run,
        choice,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let code = runtime.block_on(work.run(recorder, printer, changes));
    // what still waits in other threads, for instance for a broken connection, must not hold the process
    runtime.shutdown_background();
    let Some(file) = junit else { return code };
    match (code, junit::write(&record, &file)) {
        (code, Ok(())) => code,
        (Ok(ExitCode::Success), Err(failed)) => Err(failed),
        // that it failed matters more than that a file of it is missing
        (code, Err(failed)) => {
            failed.show(printer);
            code
        }
    }
}

/// Why there is no job to run.
fn why_none(choice: &Choice) -> String {
    if let Some(run) = choice.reuse.run {
        return format!("no job failed in the last run, run {run}");
    }
    let reason = choice.pipeline.filtered.as_deref().unwrap_or("no job is in the pipeline");
    format!("{reason}; `podline plan` says why of each job")
}
