//! A job as GitLab Runner gets it: GitLab Runner's own word for that is a build.

mod expanded;
mod feature_flags;
pub mod image;
mod make;
pub mod ports;
#[cfg(test)]
mod tests;
mod variables;

use std::time::Duration;

pub use make::{Identity, Inputs, KeyOfFiles};
pub use variables::{DUMMY_VARIABLES, RUNNER_VERSION};

use crate::{
    config::keyword::job::{Artifacts, Cache, PullPolicy},
    pipeline::{JobId, job::PipelineNeed},
};

/// A job with everything expanded, ready to become a pod.
#[derive(Debug, Clone)]
pub struct Build {
    /// The job in the pipeline.
    pub job: JobId,
    /// `CI_JOB_ID`: made up, unique in the run and among attempts.
    pub id: u64,
    /// `CI_PROJECT_ID`: made up.
    pub project_id: u64,
    /// Name of the job.
    pub name: String,
    /// Its stage.
    pub stage: String,
    /// The image of the build container.
    pub image: BuildImage,
    /// The services.
    pub services: Vec<BuildService>,
    /// All variables in the order they are exported, expanded.
    pub variables: Vec<BuildVariable>,
    /// `before_script` and `script`, within the runner's `pre_build_script` and `post_build_script`.
    pub script: Vec<String>,
    /// `after_script`.
    pub after_script: Vec<String>,
    /// The runner's own `pre_get_sources_script`, then `hooks:pre_get_sources_script`.
    pub pre_get_sources_script: Vec<String>,
    /// `CI_PROJECT_DIR`, for instance `/builds/group/project`.
    pub project_dir: String,
    /// `artifacts`, expanded.
    pub artifacts: Option<Artifacts>,
    /// `cache`, expanded; keys computed.
    pub caches: Vec<Cache>,
    /// The jobs whose artifacts it takes, in the order to unpack them.
    pub artifacts_from: Vec<JobId>,
    /// Jobs of other pipelines whose artifacts it takes, expanded.
    pub artifacts_from_pipelines: Vec<PipelineNeed>,
    /// The time limit of the job.
    pub timeout: Duration,
    /// `coverage`: the pattern, with its slashes.
    pub coverage: Option<String>,
    /// How many bytes of its output are kept (`output_limit` of the runner).
    pub output_limit: usize,
    /// When somebody looks into its pod.
    pub look: Look,
}

/// When somebody looks into the pod of a job, which waits for them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Look {
    /// Never.
    #[default]
    Never,
    /// Instead of the job's script.
    First,
    /// When the script has failed.
    Failure,
}

/// An image with what the job says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildImage {
    /// The name after `[images]` of `podline.toml`.
    pub name: String,
    /// The name in the user's file, expanded.
    pub requested: String,
    /// Pull policies in the order to try; empty leaves it to Kubernetes.
    pub pull_policy: Vec<PullPolicy>,
    /// Numeric user and group of `kubernetes:user`.
    pub user: Option<(i64, Option<i64>)>,
}

/// A service of a [`Build`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildService {
    /// Its image.
    pub image: BuildImage,
    /// Its aliases, those of its image name first.
    pub aliases: Vec<String>,
    /// `entrypoint`.
    pub entrypoint: Option<Vec<String>>,
    /// `command`.
    pub command: Option<Vec<String>>,
    /// The variables of the job under its own, expanded.
    pub variables: Vec<BuildVariable>,
}

/// A variable with its final value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildVariable {
    /// The key.
    pub key: String,
    /// The value, expanded.
    pub value: String,
    /// Whether the value is hidden in traces, and kept out of the pod.
    pub masked: bool,
    /// Whether the job sees the path of a file that holds the value.
    pub file: bool,
}

impl Build {
    /// The value of a variable.
    pub fn variable(&self, key: &str) -> Option<&str> {
        let found = self.variables.iter().rev().find(|variable| variable.key == key);
        found.map(|variable| variable.value.as_str())
    }

    /// What runs before its sources come: nothing where `GIT_STRATEGY` says that there are none
    /// (`guardGetSourcesScriptHooks` in `shells/abstract.go`).
    pub fn hook(&self) -> &[String] {
        match self.variable("GIT_STRATEGY") {
            Some("none" | "empty") => &[],
            _ => &self.pre_get_sources_script,
        }
    }

    /// What the job sees of a variable: its value, or the path of the file that holds it.
    pub fn exported(&self, variable: &BuildVariable) -> String {
        match variable.file {
            true => format!("{}.tmp/{}", self.project_dir, variable.key),
            false => variable.value.clone(),
        }
    }
}
