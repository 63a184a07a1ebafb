//! The plan that machines read: `podline plan --format json`.

use super::{Job, LeftOut, Pipeline};
use crate::config::keyword::{job::AllowFailure, rules::When};

/// What would run, in which order and why.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Plan {
    /// The stages that have jobs, in order.
    pub stages: Vec<String>,
    /// The jobs by stage and position.
    pub jobs: Vec<PlannedJob>,
    /// Jobs of the configuration that are not in the pipeline.
    pub left_out: Vec<LeftOut>,
    /// Jobs that cannot be made out, as an include that they depend on could not be had.
    pub unresolved: Vec<LeftOut>,
}

/// A job of a [`Plan`].
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct PlannedJob {
    /// Its name.
    pub name: String,
    /// Its stage.
    pub stage: String,
    /// What makes it run.
    pub when: When,
    /// Whether each failure is allowed.
    pub allow_failure: bool,
    /// Names of the jobs it needs; `None` means all of earlier stages.
    pub needs: Option<Vec<String>>,
    /// Index of the rule that matched.
    pub matched_rule: Option<usize>,
    /// Name of the environment, expanded.
    pub environment: Option<String>,
    /// The child pipeline that it starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub child: Option<PlannedChild>,
}

/// The child pipeline of a [`PlannedJob`].
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
#[serde(untagged)]
pub enum PlannedChild {
    /// What would run there.
    Known(Plan),
    /// It is not known before the run, or would not be created.
    Unknown {
        /// Why, for people.
        unknown: String,
    },
}

impl Plan {
    /// The plan of a pipeline, without its child pipelines.
    pub fn new(pipeline: &Pipeline) -> Self {
        Self {
            stages: pipeline.stages.clone(),
            jobs: pipeline.jobs.iter().map(|job| PlannedJob::new(pipeline, job)).collect(),
            left_out: pipeline.left_out.clone(),
            unresolved: pipeline.unresolved.clone(),
        }
    }
}

impl PlannedJob {
    fn new(pipeline: &Pipeline, job: &Job) -> Self {
        let names = |needs: &Vec<super::job::Need>| {
            needs.iter().map(|need| pipeline.job(need.job).name.clone()).collect()
        };
        Self {
            name: job.name.clone(),
            stage: job.stage.clone(),
            when: job.when,
            allow_failure: job.allow_failure == AllowFailure::Always(true),
            needs: job.needs.as_ref().map(names),
            matched_rule: job.matched_rule,
            environment: job.environment.as_ref().map(|environment| environment.name.clone()),
            child: None,
        }
    }
}
