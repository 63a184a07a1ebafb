//! What a run came to.

use std::time::Duration;

use indexmap::IndexMap;

use crate::scheduler::{CriticalPath, Status};

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Status of the pipeline; [`Status::Manual`] if it is blocked on a manual job.
    pub status: Status,
    /// The jobs by name, in GitLab's order.
    pub jobs: IndexMap<String, JobSummary>,
    /// From the start of the run to its end.
    pub took: Duration,
    /// The jobs that the run could not have been faster than.
    pub critical_path: CriticalPath,
}

/// What a job came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSummary {
    /// Its status.
    pub status: Status,
    /// Whether it has failed and that is allowed.
    pub allowed: bool,
    /// Why it waits, was skipped or was canceled, for people.
    pub reason: Option<String>,
    /// How many attempts of it have started.
    pub attempts: u32,
    /// How long its attempts took together; `None` if none has started.
    pub took: Option<Duration>,
}
