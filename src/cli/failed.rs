//! Why a command could not do its work, and the exit code that says so.

use super::ExitCode;
use crate::{
    engine,
    git::GitError,
    report::{Printer, Problem},
};

/// A command that could not do its work.
#[derive(Debug)]
pub struct Failed {
    /// What to tell the user; nothing where they have been told already.
    pub problem: Option<Problem>,
    /// How the process ends.
    pub code: ExitCode,
}

impl Failed {
    /// The command line or a file that podline reads is wrong.
    pub fn usage(problem: Problem) -> Self {
        Self { problem: Some(problem), code: ExitCode::Usage }
    }

    /// Tells the user, where they have not been told.
    pub fn show(&self, printer: &Printer) {
        if let Some(problem) = &self.problem {
            let lines = problem.lines(&printer.theme(), printer.columns());
            printer.say(&format!("{}\n", lines.join("\n")));
        }
    }

    /// The mistakes have been shown.
    pub fn told(code: ExitCode) -> Self {
        Self { problem: None, code }
    }
}

impl From<GitError> for Failed {
    fn from(error: GitError) -> Self {
        let problem = Problem::from_error(&error);
        Self::usage(match error {
            GitError::Missing(_) => problem.help("install git: podline asks it what is checked out"),
            GitError::Failed { .. } | GitError::TimedOut { .. } | GitError::TooMuch { .. } => problem,
        })
    }
}

impl From<engine::Error> for Failed {
    fn from(error: engine::Error) -> Self {
        let problem = Problem::from_error(&error);
        let problem = match &error {
            engine::Error::Unusable { help, .. } => problem.help(help),
            engine::Error::Forbidden { rule, .. } => {
                problem.help(format!("a Role with this allows it:\n{rule}"))
            }
            _ => problem,
        };
        Self { problem: Some(problem), code: ExitCode::EngineFailed }
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self { problem: Some(Problem::from_error(&error)), code: ExitCode::EngineFailed }
    }
}
