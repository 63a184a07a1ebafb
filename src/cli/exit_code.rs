//! The exit codes of the `podline` command, as `docs/exit-codes.md` tells them.

use crate::scheduler::Status;

/// How the command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitCode {
    /// All went well, or there was nothing to run.
    Success = 0,
    /// The pipeline failed.
    PipelineFailed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// The engine failed: no Docker, no node, a lost cluster.
    EngineFailed = 3,
    /// The pipeline is blocked on a manual job.
    Blocked = 4,
    /// Interrupted by the user.
    Interrupted = 130,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

impl From<Status> for ExitCode {
    /// The exit code for the status in which a pipeline came to rest.
    fn from(status: Status) -> Self {
        match status {
            Status::Success | Status::Skipped => Self::Success,
            Status::Manual | Status::Scheduled => Self::Blocked,
            Status::Canceled => Self::Interrupted,
            _ => Self::PipelineFailed,
        }
    }
}
