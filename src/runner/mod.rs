//! A job of the pipeline as a pod: settings, spec, script, sources, artifacts, trace, result.

pub mod attempt;
pub mod build;
pub mod dispatch;
pub mod failure;
pub mod files;
pub mod pod;
pub mod run_folder;
pub mod script;
pub mod settings;
pub mod trace;

#[cfg(test)]
mod fixture;

pub use build::Build;
pub use dispatch::{Control, DispatchOptions, JobSummary, Summary, dispatch};
pub use settings::{Capacity, Concurrency, Settings};

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    event::{Event, Failure, Outline, Tests, Until},
    pipeline::{JobId, Pipeline},
};

/// Runs one attempt of a job. The dispatcher calls it; the real one makes a pod, tests script it.
#[async_trait]
pub trait Execute: Send + Sync {
    /// Runs an attempt to its end. What happens meanwhile goes to `events`
    /// ([`Event::JobPhase`], [`Event::JobOutput`], [`Event::Notice`]); the end is the returned value.
    async fn execute(&self, attempt: Attempt, events: mpsc::Sender<Event>) -> Outcome;
}

/// Creates the child pipelines of a pipeline. The dispatcher asks for one when a trigger job starts.
#[async_trait]
pub trait Trigger: Send + Sync {
    /// Creates the child pipeline of a trigger job. `number` says which attempt of it that is, from 1.
    ///
    /// # Errors
    /// How the trigger job ends when GitLab would not create the pipeline.
    async fn create(&self, job: JobId, number: u32) -> Result<Child, Box<Outcome>>;
}

/// Holds a run before what comes next.
#[async_trait]
pub trait Pace: std::fmt::Debug + Send + Sync {
    /// What it waits for.
    fn until(&self) -> Until;

    /// Waits for it.
    async fn wait(&self);
}

/// A pipeline with those who do its work.
#[derive(Clone)]
pub struct Member {
    /// The pipeline.
    pub pipeline: Arc<Pipeline>,
    /// Runs its jobs.
    pub execute: Arc<dyn Execute>,
    /// Creates its child pipelines.
    pub trigger: Arc<dyn Trigger>,
}

/// A child pipeline that was created.
pub struct Child {
    /// The pipeline, which has jobs.
    pub member: Member,
    /// What is shown of it first.
    pub outline: Outline,
    /// What the user should know of it.
    pub notices: Vec<String>,
    /// How many pods there is room for from here on, where its pods ask for more than those before.
    pub fits: Option<usize>,
}

/// One attempt of a job.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// The job.
    pub job: JobId,
    /// Which attempt, from 1.
    pub number: u32,
    /// The runner slot that took it.
    pub slot: Slot,
    /// Canceled: end as GitLab's cancel would, with `after_script` within its 30 seconds.
    pub cancel: CancellationToken,
    /// Canceled: end now.
    pub kill: CancellationToken,
}

/// A place on a runner where one job at a time runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Name of the runner, for instance `gitlab-ci-runner-0`.
    pub runner: String,
    /// Which of that runner's concurrent places, from 0: `CI_CONCURRENT_ID`.
    pub index: usize,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What happened to it.
    pub result: AttemptResult,
    /// The last lines of its trace.
    pub tail: Vec<String>,
    /// Path of the whole trace.
    pub trace: std::path::PathBuf,
    /// How many files its artifacts have.
    pub artifacts: usize,
    /// How many bytes they have.
    pub artifact_bytes: u64,
    /// The most memory that its build container held, in bytes, where that is known.
    pub memory: Option<u64>,
    /// What its trace says of `coverage`, in percent.
    pub coverage: Option<f64>,
    /// What its JUnit reports say.
    pub tests: Option<Tests>,
}

impl Outcome {
    /// An end that has left nothing, not even a trace.
    pub fn bare(result: AttemptResult) -> Self {
        let trace = std::path::PathBuf::new();
        Self {
            result,
            tail: Vec::new(),
            trace,
            artifacts: 0,
            artifact_bytes: 0,
            memory: None,
            coverage: None,
            tests: None,
        }
    }
}

/// What happened to an attempt.
#[derive(Debug, Clone, PartialEq)]
pub enum AttemptResult {
    /// The script ended with 0.
    Success,
    /// Something failed; the exit code is there when the script has run to its end.
    Failed {
        /// What went wrong.
        failure: Failure,
        /// Exit code of the script.
        exit_code: Option<i32>,
    },
    /// It was canceled.
    Canceled,
}
