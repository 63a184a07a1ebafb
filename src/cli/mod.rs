//! Arguments in, exit code out: the wiring of everything else.

pub mod args;
pub mod builds;
mod child;
mod command;
mod completion;
pub mod context;
pub mod doctor;
mod elsewhere;
mod engine;
mod event;
pub mod exit_code;
mod explained;
pub mod failed;
pub mod planned;
pub mod project;
pub mod project_file;
pub mod repository;
pub mod runs;
pub mod settings;
mod usual;
pub mod variables;
pub mod view;

pub use exit_code::ExitCode;
pub use failed::Failed;

use clap::{CommandFactory, Parser};
use clap_complete::CompleteEnv;

use crate::report::{Printer, printer::View};
use args::{Arguments, Command, HookCommand, OutputKind};
use project_file::ProjectFile;
use settings::Environment;

/// Runs the command that this process was started as.
pub fn main() -> ExitCode {
    // the one crypto provider of the process; it is set already where a test calls this twice
    drop(rustls::crypto::ring::default_provider().install_default());
    // answers a shell, where it was one that started this process, and ends it
    CompleteEnv::with_factory(Arguments::command).complete();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let printer = Printer::new(&settings::surroundings(arguments.color, view_of(&arguments)));
    match command::run(&arguments, &Environment::read(), &printer) {
        Ok(code) => code,
        Err(failed) => {
            failed.show(&printer);
            failed.code
        }
    }
}

/// How a run is to be shown. A `podline.toml` that is wrong is told of later, by who opens the project.
fn view_of(arguments: &Arguments) -> Option<View> {
    let typed = match &arguments.command {
        Command::Run(run) => run.output(),
        Command::Hook(HookCommand::Run { .. }) => None,
        _ => return None,
    };
    let file = ProjectFile::read(&arguments.directory).unwrap_or_default().run;
    let steps = matches!(&arguments.command, Command::Run(run) if run.demo.step || file.step);
    // what a run says when it stops stays in the terminal, to be read again
    let chosen = typed.or(file.output).or(steps.then_some(OutputKind::Plain))?;
    Some(match chosen {
        OutputKind::Live if steps => View::Plain,
        OutputKind::Live => View::Live,
        OutputKind::Plain => View::Plain,
        OutputKind::Json => View::Json,
        OutputKind::Github => View::Github,
    })
}

/// Help and versions go to stdout and are no mistake; everything else clap says is one.
fn usage(error: &clap::Error) -> ExitCode {
    // a closed pipe takes nothing more, and there is nobody else to tell
    drop(error.print());
    if error.use_stderr() { ExitCode::Usage } else { ExitCode::Success }
}
