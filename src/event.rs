//! What happens in a run: the one interface between what runs and what shows.

use std::time::Duration;

pub use crate::scheduler::Status;

/// One thing that happened, in the order it happened.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The pipeline is known; nothing runs yet.
    PipelineStarted(Outline),
    /// Something that the run needs before jobs can start has begun: the cluster, an image.
    SetupStarted {
        /// What, for people, for instance ``creating cluster `podline-5f2c` ``.
        step: String,
    },
    /// It is done.
    SetupFinished {
        /// The step as it was named at its start.
        step: String,
        /// How long it took.
        #[serde(with = "seconds")]
        took: Duration,
    },
    /// Something that the user should know, once.
    Notice {
        /// What.
        message: String,
    },
    /// The run stops before what comes next (`--step`, `--speed`).
    Upcoming(Upcoming),
    /// The cluster is asked for something (`--narrate`).
    Request {
        /// What podline asks for, for people.
        message: String,
        /// The `kubectl` command that shows the same; none where there is no API server.
        command: Option<String>,
    },
    /// A job's pod is being made.
    JobStarted {
        /// The job.
        job: String,
        /// Which attempt, from 1.
        attempt: u32,
        /// The runner that took it, for instance `gitlab-ci-runner-0`; none for a trigger job.
        runner: Option<String>,
    },
    /// A job has come to a new phase.
    JobPhase {
        /// The job.
        job: String,
        /// The phase.
        phase: Phase,
    },
    /// Something that a job's result must be read with: it does not run in its image.
    JobRemark {
        /// The job.
        job: String,
        /// What.
        message: String,
    },
    /// A job has printed a line.
    JobOutput {
        /// The job.
        job: String,
        /// The line, with its colours, without its end.
        line: String,
    },
    /// What a job uses, every other second while its script runs, where the engine can tell.
    JobUsage {
        /// The job.
        job: String,
        /// What it uses.
        #[serde(flatten)]
        usage: Usage,
    },
    /// A job is in a status that it reaches without running: skipped, manual, canceled before its start.
    JobStatus {
        /// The job.
        job: String,
        /// The status.
        status: Status,
        /// Why, for people.
        reason: Option<String>,
    },
    /// An attempt of a job has ended.
    JobFinished(Box<Finished>),
    /// All jobs of a stage have ended.
    StageFinished {
        /// The stage.
        stage: String,
        /// Its status.
        status: Status,
    },
    /// The run is being ended before its time.
    Canceling {
        /// What that means now, for people.
        message: String,
    },
    /// Nothing goes on any more, and the run waits for somebody to start one of these jobs: where there is
    /// nobody who could, it ends instead.
    Blocked {
        /// The jobs, each with the trigger jobs that lead to it: `child/job`.
        jobs: Vec<String>,
    },
    /// Nothing more will happen.
    PipelineFinished {
        /// The status.
        status: Status,
        /// The last status of each job.
        jobs: indexmap::IndexMap<String, Status>,
        /// From [`Event::PipelineStarted`] to here.
        #[serde(with = "seconds")]
        took: Duration,
    },
    /// Something of all this in a child pipeline. JSON has what happened, with a field `pipeline`.
    #[serde(skip)]
    Downstream {
        /// The trigger jobs that lead to the child pipeline, from the first pipeline on.
        pipeline: Vec<String>,
        /// What happened there.
        event: Box<Self>,
    },
}

impl Event {
    /// In which child pipeline it happened, by the trigger jobs that lead there, and what.
    pub fn place(&self) -> (&[String], &Self) {
        match self {
            Self::Downstream { pipeline, event } => (pipeline, event),
            event => (&[], event),
        }
    }

    /// The event in the words of the first pipeline, where trigger jobs lead to this one: its jobs are called
    /// `child/job` there.
    #[must_use]
    pub fn below(self, pipeline: &[String]) -> Self {
        let below = |job: String| path(pipeline, &job);
        match self {
            Self::JobStarted { job, attempt, runner } => {
                Self::JobStarted { job: below(job), attempt, runner }
            }
            Self::JobPhase { job, phase } => Self::JobPhase { job: below(job), phase },
            Self::JobOutput { job, line } => Self::JobOutput { job: below(job), line },
            Self::JobUsage { job, usage } => Self::JobUsage { job: below(job), usage },
            Self::JobStatus { job, status, reason } => Self::JobStatus { job: below(job), status, reason },
            Self::JobFinished(finished) => {
                Self::JobFinished(Box::new(Finished { job: below(finished.job.clone()), ..*finished }))
            }
            Self::Upcoming(upcoming) => Self::Upcoming(Upcoming { job: upcoming.job.map(below), ..upcoming }),
            event => event,
        }
    }
}

/// What somebody who looks at a run wants of it. Jobs are named with the trigger jobs that lead to them:
/// `child/job`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// Start a manual, held or delayed job.
    Play(String),
    /// Another attempt of a job that has ended.
    Retry(String),
    /// End a job as GitLab's cancel would.
    Cancel(String),
}

/// How a job of a child pipeline is called: `child/job`.
pub fn path(pipeline: &[String], job: &str) -> String {
    pipeline.iter().map(String::as_str).chain([job]).collect::<Vec<_>>().join("/")
}

/// What a run is going to do.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Outline {
    /// `workflow:name`.
    pub name: Option<String>,
    /// What the pipeline is for, for instance `push to main, 5f2c01ab`.
    pub title: String,
    /// Name of the engine.
    pub engine: String,
    /// How many pods may run at once.
    pub slots: usize,
    /// The stages in order.
    pub stages: Vec<String>,
    /// The jobs in GitLab's order.
    pub jobs: Vec<OutlineJob>,
}

/// A job of an [`Outline`].
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct OutlineJob {
    /// Its name.
    pub name: String,
    /// Its stage.
    pub stage: String,
    /// The jobs it needs; `None` means all of earlier stages.
    pub needs: Option<Vec<String>>,
}

/// What happens next, told before it does.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Upcoming {
    /// The stage.
    pub stage: String,
    /// The job of it; none where the stage begins.
    pub job: Option<String>,
    /// What will happen, for people.
    pub what: String,
    /// Why now, for people.
    pub why: String,
    /// What the run waits for.
    pub until: Until,
}

/// What a run that has stopped waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// Somebody presses Enter.
    Enter,
    /// A while, in seconds.
    Seconds(#[serde(with = "seconds")] Duration),
    /// Nothing.
    Nothing,
}

/// Where in its life a running job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The pod is being created and scheduled.
    Preparing,
    /// Images are being fetched.
    Pulling,
    /// Sources, caches and artifacts are being put in place.
    Sources,
    /// `before_script` and `script` run.
    Script,
    /// `after_script` runs.
    AfterScript,
    /// Caches and artifacts are being taken out.
    Uploading,
}

/// How an attempt of a job ended.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Finished {
    /// The job.
    pub job: String,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// The status.
    pub status: Status,
    /// Whether the failure is allowed.
    pub allowed: bool,
    /// Whether another attempt follows.
    pub retried: bool,
    /// Exit code of the script, where it has run to its end.
    pub exit_code: Option<i32>,
    /// What went wrong.
    pub failure: Option<Failure>,
    /// From its start to here.
    #[serde(with = "seconds")]
    pub took: Duration,
    /// The last lines of its trace, for a failed job.
    pub tail: Vec<String>,
    /// Path of the whole trace.
    #[serde(serialize_with = "display")]
    pub trace: std::path::PathBuf,
    /// How many files its artifacts have.
    pub artifacts: usize,
    /// How many bytes they have.
    #[serde(default)]
    pub artifact_bytes: u64,
    /// The most memory that its build container held, in bytes, where the container's own account says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// What its trace says of `coverage`, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
    /// What its JUnit reports say, where it has some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<Tests>,
}

/// What the build container of a job uses, beside what it may.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Usage {
    /// CPUs, over the last seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<f64>,
    /// How many it may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_limit: Option<f64>,
    /// Bytes of memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// How many it may use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_limit: Option<u64>,
}

/// What the JUnit reports of a job say, summed up.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Tests {
    /// How many tests.
    pub total: usize,
    /// How many of them failed.
    pub failed: usize,
    /// How many could not be carried through.
    pub errors: usize,
    /// How many were left out.
    pub skipped: usize,
    /// The first of those that failed or could not be carried through.
    pub failing: Vec<FailingTest>,
}

/// A test that failed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct FailingTest {
    /// Its class, file or module.
    pub class: Option<String>,
    /// Its name.
    pub name: String,
    /// The first line of what is said of it.
    pub message: Option<String>,
}

/// What went wrong with a job.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    /// GitLab's failure reason.
    pub reason: FailureReason,
    /// What happened, in the words of the user's file.
    pub message: String,
    /// What to do now.
    pub help: Option<String>,
}

/// GitLab's failure reasons, those that a runner gives and `retry:when` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureReason {
    /// The script ended with a code other than 0.
    ScriptFailure,
    /// The pod, the node or podline failed.
    RunnerSystemFailure,
    /// The job took longer than its time limit.
    JobExecutionTimeout,
    /// An image could not be had.
    ImagePullFailure,
    /// The job asks for what the runner's settings do not allow.
    RunnerConfigurationError,
    /// An artifact that the job takes is not there.
    MissingDependencyFailure,
    /// The child pipeline of a trigger job could not be created.
    DownstreamPipelineCreationFailed,
    /// Child pipelines lie too deep in each other.
    ReachedMaxDescendantPipelinesDepth,
    /// Nothing of these.
    UnknownFailure,
}

impl FailureReason {
    /// The name that `retry:when` uses.
    pub fn name(self) -> &'static str {
        match self {
            Self::ScriptFailure => "script_failure",
            Self::RunnerSystemFailure => "runner_system_failure",
            Self::JobExecutionTimeout => "job_execution_timeout",
            Self::ImagePullFailure => "image_pull_failure",
            Self::RunnerConfigurationError => "runner_configuration_error",
            Self::MissingDependencyFailure => "missing_dependency_failure",
            Self::DownstreamPipelineCreationFailed => "downstream_pipeline_creation_failed",
            Self::ReachedMaxDescendantPipelinesDepth => "reached_max_descendant_pipelines_depth",
            Self::UnknownFailure => "unknown_failure",
        }
    }
}

/// Durations are seconds with milliseconds in JSON.
mod seconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64((duration.as_secs_f64() * 1000.0).round() / 1000.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        Duration::try_from_secs_f64(seconds).map_err(D::Error::custom)
    }
}

/// A path goes out as it is shown: JSON has no place for bytes that are not UTF-8.
fn display<S: serde::Serializer>(path: &std::path::Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}
