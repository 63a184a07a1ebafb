//! Arguments in, exit code out: the wiring of everything else.

pub mod args;
pub mod context;
pub mod exit_code;
pub mod failed;
pub mod loader;
pub mod planned;
pub mod project;
pub mod project_file;
pub mod repository;
pub mod settings;

pub use exit_code::ExitCode;
pub use failed::Failed;
