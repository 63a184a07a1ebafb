//! What happened in a run, as its record tells it: attempts with their times, slots, the critical path. All
//! times are in seconds since the beginning of the run.

mod critical_path;
mod fold;
mod lanes;
mod pod;

pub use pod::Container;

use std::path::{Component, Path};

use crate::{
    event::{Failure, Phase, Status, Tests},
    report::record::Record,
};

/// A run.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct History {
    /// Name of the project's folder.
    pub project: String,
    /// Its number in the project.
    pub number: u64,
    /// The command that started it.
    pub command: String,
    /// When it began, in milliseconds since 1970.
    pub began: i64,
    /// What the pipeline is for.
    pub title: String,
    /// `workflow:name`.
    pub name: Option<String>,
    /// Name of the engine.
    pub engine: String,
    /// The version of podline.
    pub podline: String,
    /// Status of the pipeline; absent while it runs, and for a run that was killed.
    pub status: Option<Status>,
    /// Whether something may still happen in it.
    pub goes_on: bool,
    /// How long it took, or how far it has come.
    pub took: f64,
    /// What had to be made ready.
    pub setup: Vec<Step>,
    /// What the user was told.
    pub notices: Vec<String>,
    /// The pipeline and its child pipelines, each after the one that has started it.
    pub pipelines: Vec<Pipeline>,
    /// The jobs of all of them, those of one pipeline in GitLab's order.
    pub jobs: Vec<Job>,
    /// The places that jobs ran in, one a line of the timeline.
    pub lanes: Vec<String>,
    /// The jobs that the length of the run came from, in order, as indices.
    pub critical_path: Vec<usize>,
    /// Jobs that are not in a pipeline, with the reason.
    pub left_out: Vec<serde_json::Value>,
}

/// Something that was made ready.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Step {
    /// What.
    pub step: String,
    /// When it began.
    pub from: f64,
    /// When it was done.
    pub to: Option<f64>,
}

/// A pipeline of the run.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Pipeline {
    /// The trigger jobs that lead to it, by their names: none for the first.
    pub path: Vec<String>,
    /// The trigger job that has started it, as an index into [`History::jobs`].
    pub trigger: Option<usize>,
    /// What it is for: `child pipeline 7001`.
    pub title: String,
    /// The word of its status; absent while it runs.
    pub status: Option<&'static str>,
    /// Its stages in order.
    pub stages: Vec<String>,
    /// Its path as events name it.
    #[serde(skip)]
    pub key: Vec<String>,
}

/// A job.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Job {
    /// Its name in its pipeline, as it is shown.
    pub name: String,
    /// Its pipeline, as an index into [`History::pipelines`].
    pub pipeline: usize,
    /// Its stage, as an index into [`Pipeline::stages`].
    pub stage: usize,
    /// The jobs it needs, as indices; absent means all of earlier stages.
    pub needs: Option<Vec<usize>>,
    /// The word of its status: `success`, `failed`, `running`.
    pub status: &'static str,
    /// Whether its failure is allowed.
    pub allowed: bool,
    /// Why it does not run.
    pub reason: Option<String>,
    /// Its attempts.
    pub attempts: Vec<Attempt>,
    /// Why it is in the pipeline: what `podline explain` says.
    pub explanation: Option<serde_json::Value>,
    /// Its name in events.
    #[serde(skip)]
    pub key: String,
}

/// An attempt of a job.
#[derive(Debug, Clone, Default, serde::Serialize)]
pub struct Attempt {
    /// Its place, as an index into [`History::lanes`].
    pub lane: usize,
    /// When it began.
    pub from: f64,
    /// When it ended.
    pub to: Option<f64>,
    /// The word of its status.
    pub status: &'static str,
    /// When it came to each phase.
    pub phases: Vec<(Phase, f64)>,
    /// Exit code of the script.
    pub exit_code: Option<i32>,
    /// What went wrong.
    pub failure: Option<Failure>,
    /// The last lines of the trace of a failed one.
    pub tail: Vec<String>,
    /// How many files its artifacts have.
    pub artifacts: usize,
    /// How many bytes they have.
    pub artifact_bytes: u64,
    /// The most CPUs that its build container was seen to use.
    pub cpu: Option<f64>,
    /// The most memory that it held, in bytes.
    pub memory: Option<u64>,
    /// What its trace says of `coverage`, in percent.
    pub coverage: Option<f64>,
    /// What its JUnit reports say.
    pub tests: Option<Tests>,
    /// Its trace, as a path in the folder of the run.
    pub trace: Option<String>,
    /// Bytes of the trace.
    pub trace_size: u64,
    /// Its pod, as YAML.
    pub pod: Option<String>,
    /// Limits and requests of its containers.
    pub containers: Vec<pod::Container>,
}

impl History {
    /// Folds the record of a run.
    pub fn of(record: &Record) -> Self {
        fold::fold(record)
    }

    /// Reads what lies beside the traces in the folder of the run: how long they are, and the pods of their
    /// attempts.
    pub fn look_into(&mut self, run: &Path) {
        for attempt in self.jobs.iter_mut().flat_map(|job| &mut job.attempts) {
            let Some(trace) = attempt.trace.as_ref().map(|name| run.join(name)) else { continue };
            attempt.trace_size = trace.metadata().map_or(0, |metadata| metadata.len());
            attempt.pod = std::fs::read_to_string(trace.with_extension("yaml")).ok();
            attempt.containers = attempt.pod.as_deref().map(pod::containers).unwrap_or_default();
        }
    }

    /// Gives each job of a pipeline its explanation; what is explained and is no job of it was left out.
    pub fn explain(&mut self, pipeline: usize, explanations: &[serde_json::Value]) {
        for explanation in explanations {
            let name = explanation["name"].as_str().unwrap_or_default();
            match self.jobs.iter_mut().find(|job| job.pipeline == pipeline && job.key == name) {
                Some(job) => job.explanation = Some(explanation.clone()),
                None => self.left_out.push(explanation.clone()),
            }
        }
    }

    /// How events and `podline log` call a job: `child/job`.
    pub fn path(&self, job: &Job) -> String {
        crate::event::path(&self.pipelines[job.pipeline].key, &job.key)
    }
}

/// A path in the folder of a run, with slashes; `None` where it would lead out of it.
pub fn inside(path: &Path) -> Option<String> {
    let name = |part: Component<'_>| match part {
        Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
        _ => None,
    };
    let parts: Option<Vec<String>> = path.components().map(name).collect();
    parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join("/"))
}
