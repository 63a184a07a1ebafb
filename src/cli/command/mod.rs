//! What each subcommand does, one file each.

mod artifacts;
mod cluster;
mod completions;
mod config;
mod doctor;
mod eval;
mod explain;
mod graph;
mod hook;
mod image;
mod init;
mod lint;
mod log;
mod man;
mod plan;
pub(super) mod pod;
mod report;
mod run;

use super::{
    ExitCode, Failed,
    args::{Arguments, Command},
    settings::Environment,
};
use crate::report::Printer;

/// Runs a subcommand.
///
/// # Errors
/// When it could not do its work.
pub(super) fn run(
    arguments: &Arguments,
    environment: &Environment,
    printer: &Printer,
) -> Result<ExitCode, Failed> {
    let folder = arguments.directory.as_path();
    match &arguments.command {
        Command::Run(arguments) => run::run(folder, arguments, environment, printer),
        Command::Shell(arguments) => run::shell(folder, arguments, environment, printer),
        Command::Cluster(command) => cluster::cluster(command, environment, printer),
        Command::Artifacts { job, output } => artifacts::artifacts(folder, job, output, printer),
        Command::Log(arguments) => log::log(folder, arguments, printer),
        Command::Report(arguments) => report::report(folder, arguments, printer),
        Command::Plan(arguments) => plan::plan(folder, arguments, printer),
        Command::Explain(arguments) => explain::explain(folder, arguments, printer),
        Command::Graph(arguments) => graph::graph(folder, arguments, printer),
        Command::Hook(command) => hook::hook(folder, command, environment, printer),
        Command::Lint(arguments) => lint::lint(folder, arguments, printer),
        Command::Config(arguments) => config::config(folder, arguments, printer),
        Command::Pod(arguments) => pod::pod(folder, arguments, printer),
        Command::Image(command) => image::image(command, environment, printer),
        Command::Eval(arguments) => eval::eval(folder, arguments, printer),
        Command::Init(arguments) => init::init(folder, arguments, printer),
        Command::Man { folder } => man::man(folder.as_deref(), printer),
        Command::Doctor { format } => doctor::doctor(*format, environment, printer),
        Command::Completions { shell } => completions::completions(*shell, printer),
    }
}
