//! The statuses of jobs, stages and pipelines.

/// Status of a job, stage or pipeline, in GitLab's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It waits for other jobs.
    Created,
    /// It waits for its `resource_group`.
    WaitingForResource,
    /// It waits for a slot.
    Pending,
    /// It runs.
    Running,
    /// It has succeeded.
    Success,
    /// It has failed.
    Failed,
    /// It was canceled.
    Canceled,
    /// It will not run.
    Skipped,
    /// Somebody has to start it; a pipeline is blocked on it.
    Manual,
    /// It waits for its delay.
    Scheduled,
}
