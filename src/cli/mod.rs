//! Arguments in, exit code out: the wiring of everything else.

pub mod args;
pub mod exit_code;
pub mod project_file;
pub mod repository;
pub mod settings;

pub use exit_code::ExitCode;
