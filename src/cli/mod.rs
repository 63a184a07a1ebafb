//! Arguments in, exit code out: the wiring of everything else.

pub mod args;
pub mod builds;
mod command;
pub mod context;
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

use clap::Parser;

use crate::report::{Printer, printer::View};
use args::{Arguments, Command, Format};
use settings::Environment;

/// Runs the command that this process was started as.
pub fn main() -> ExitCode {
    // the one crypto provider of the process; it is set already where a test calls this twice
    drop(rustls::crypto::ring::default_provider().install_default());
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let view = match &arguments.command {
        Command::Run(run) if run.format == Format::Json => Some(View::Json),
        Command::Run(run) if run.plain => Some(View::Plain),
        _ => None,
    };
    let printer = Printer::new(&settings::surroundings(arguments.color, view));
    match command::run(&arguments, &Environment::read(), &printer) {
        Ok(code) => code,
        Err(failed) => {
            failed.show(&printer);
            failed.code
        }
    }
}

/// Help and versions go to stdout and are no mistake; everything else clap says is one.
fn usage(error: &clap::Error) -> ExitCode {
    // a closed pipe takes nothing more, and there is nobody else to tell
    drop(error.print());
    if error.use_stderr() { ExitCode::Usage } else { ExitCode::Success }
}
