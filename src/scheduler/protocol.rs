//! What goes into a [`Scheduler`](super::Scheduler) and what comes out of it.

use std::{collections::BTreeSet, time::Duration};

use super::Status;
use crate::pipeline::JobId;

/// What the user decides about a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// How many jobs may run at once; none are started with 0.
    pub slots: usize,
    /// Names of manual jobs that are started as soon as they can be.
    pub manual: BTreeSet<String>,
    /// Which held jobs may run.
    pub deploy: Deploy,
    /// Whether `when: delayed` waits.
    pub delays: Delays,
    /// Names of jobs that do not run, as they have succeeded in an earlier run.
    pub reused: BTreeSet<String>,
}

/// Which of the jobs that are held, because they would deploy or release, may run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Deploy {
    /// None of them.
    #[default]
    None,
    /// Those of these names.
    Only(BTreeSet<String>),
    /// All of them.
    All,
}

impl Deploy {
    /// Whether the held job of this name may run.
    pub fn allows(&self, name: &str) -> bool {
        match self {
            Self::None => false,
            Self::Only(names) => names.contains(name),
            Self::All => true,
        }
    }
}

impl Options {
    /// Those of the child pipeline of a trigger job: its jobs are named `child/job`.
    #[must_use]
    pub fn of_child(&self, bridge: &str) -> Self {
        let below = |names: &BTreeSet<String>| {
            let inner = |name: &String| Some(name.strip_prefix(bridge)?.strip_prefix('/')?.to_owned());
            names.iter().filter_map(inner).collect()
        };
        let deploy = match &self.deploy {
            Deploy::Only(names) => Deploy::Only(below(names)),
            deploy => deploy.clone(),
        };
        Self {
            slots: self.slots,
            manual: below(&self.manual),
            deploy,
            delays: self.delays,
            reused: BTreeSet::new(),
        }
    }
}

/// What becomes of `start_in`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Delays {
    /// A delayed job waits as long as it says.
    #[default]
    Wait,
    /// A delayed job starts at once.
    Skip,
}

/// Something that has happened, or that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// The pipeline begins.
    Begin,
    /// A runner has taken a pending job by itself: GitLab's `run`. With slots of its own the scheduler
    /// never needs to hear this.
    Run(JobId),
    /// A job goes into the queue whatever it waits for, and nothing that was skipped comes back for it:
    /// GitLab's bare `enqueue`. People mean [`Input::Play`].
    Enqueue(JobId),
    /// An attempt of a job has ended. A job that is not running yet is taken too, as GitLab does.
    Finished(JobId, End),
    /// Somebody starts a manual, held or delayed job.
    Play(JobId),
    /// Somebody wants another attempt of a job that has ended.
    Retry(JobId),
    /// Somebody wants another attempt of all that failed or was canceled.
    RetryAll,
    /// Somebody cancels a job.
    Cancel(JobId),
    /// Somebody cancels the pipeline.
    CancelAll,
    /// The delay of a job is over.
    DelayOver(JobId),
    /// The child pipeline of a trigger job waits for somebody.
    Blocked(JobId),
    /// Slots or resource groups that another pipeline of the tree had may be free.
    Freed,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The script ended with 0.
    Success,
    /// It failed.
    Failed {
        /// GitLab's name of the failure reason, which `retry:when` uses, for instance `script_failure`.
        reason: &'static str,
        /// Exit code of the script, where it has run to its end.
        exit_code: Option<i32>,
    },
    /// It was canceled.
    Canceled,
    /// The child pipeline of a trigger job did not run, for this reason.
    Skipped(String),
}

/// Something to do or to tell. Those of one [`Input`] come in the order of this list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// An attempt has ended: what it counts as.
    Ended {
        /// The job.
        job: JobId,
        /// Which attempt, from 1.
        attempt: u32,
        /// Its status.
        status: Status,
        /// Whether it has failed and that is allowed.
        allowed: bool,
        /// Whether another attempt follows.
        retried: bool,
    },
    /// The pipeline is canceled because a job has failed (`workflow:auto_cancel:on_job_failure`).
    AutoCancel {
        /// The job that failed.
        failed: JobId,
    },
    /// A running attempt is to end; it still ends with [`Input::Finished`].
    Cancel(JobId),
    /// A job has come to a status other than by running.
    Changed {
        /// The job.
        job: JobId,
        /// Its status.
        status: Status,
        /// Why, for people.
        reason: Option<String>,
    },
    /// Nothing of a stage goes on any more.
    StageFinished {
        /// Index of the stage.
        stage: usize,
        /// Its status.
        status: Status,
    },
    /// A delay begins; [`Input::DelayOver`] follows.
    StartDelay {
        /// The job that waits.
        job: JobId,
        /// How long.
        after: Duration,
    },
    /// An attempt of a job starts now.
    Start {
        /// The job.
        job: JobId,
        /// Which attempt, from 1.
        attempt: u32,
    },
    /// Nothing goes on any more: every job has ended, or waits for somebody.
    Finished {
        /// Status of the pipeline.
        status: Status,
    },
}
