//! `podline hook`: the pipeline of what is pushed, before it is.

mod install;
mod place;
mod run;

use std::path::Path;

use crate::{
    cli::{ExitCode, Failed, args::HookCommand, settings::Environment},
    report::Printer,
};

pub(super) fn hook(
    folder: &Path,
    command: &HookCommand,
    environment: &Environment,
    printer: &Printer,
) -> Result<ExitCode, Failed> {
    match command {
        HookCommand::Install => install::install(folder, printer),
        HookCommand::Uninstall => install::uninstall(folder, printer),
        HookCommand::Run { remote, address } => {
            let address = address.as_deref().unwrap_or(remote);
            run::run(folder, remote, address, environment, printer)
        }
    }
}
