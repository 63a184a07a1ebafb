//! The statuses of jobs, stages and pipelines.

/// Status of a job, stage or pipeline, in GitLab's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
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

impl Status {
    /// Whether nothing more happens to what has this status unless somebody asks for it.
    ///
    /// GitLab's `COMPLETED_STATUSES`: a manual job is not among them, even an optional one.
    pub fn is_completed(self) -> bool {
        matches!(self, Self::Success | Self::Failed | Self::Canceled | Self::Skipped)
    }

    /// Whether the job is on its way without anybody's doing: waiting for its turn, or running.
    pub fn is_active(self) -> bool {
        matches!(self, Self::WaitingForResource | Self::Pending | Self::Running | Self::Scheduled)
    }

    /// The word that GitLab uses for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::WaitingForResource => "waiting_for_resource",
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Skipped => "skipped",
            Self::Manual => "manual",
            Self::Scheduled => "scheduled",
        }
    }
}
