//! Which jobs exist for an event, with their variables, needs and order, and why.
//!
//! [`Config`](crate::config::Config), a [`Context`] (the event, git facts, the user's variables) and a
//! [`Repository`] to look into go in; a [`Pipeline`] and diagnostics come out. Nothing here reads a file
//! or starts a process.

pub mod child;
pub mod context;
mod create;
pub mod explain;
pub mod job;
mod matrix;
mod needs;
pub mod plan;
mod policy;
pub mod predefined;
mod rules;
mod select;
pub mod setting;
pub mod slug;
pub mod variables;
mod workflow;

pub use context::{Context, Event, Repository};
pub use create::create;
pub use explain::{Explanation, explain, explain_workflow};
pub use job::{Job, JobId};
pub use plan::{Plan, PlannedChild};
pub use predefined::before_pipeline;
pub use rules::Found;
pub use setting::Setting;

use crate::config::Spanned;
pub use crate::config::keyword::{
    job::{AllowFailure, Retry},
    rules::When,
};

/// A pipeline as GitLab would create it.
#[derive(Debug, Clone)]
pub struct Pipeline {
    /// `workflow:name`, expanded.
    pub name: Option<String>,
    /// The stages that have jobs, in order.
    pub stages: Vec<String>,
    /// The jobs, by stage and then by position: a [`JobId`] is an index into this list.
    pub jobs: Vec<Job>,
    /// Jobs of the configuration that are not in the pipeline.
    pub left_out: Vec<LeftOut>,
    /// Jobs that cannot be made out, as an include that they depend on could not be had.
    pub unresolved: Vec<LeftOut>,
    /// `workflow:auto_cancel:on_job_failure: all`.
    pub cancel_on_job_failure: bool,
    /// Keywords that podline accepts and does not act on, each named once.
    pub not_simulated: Vec<Spanned<String>>,
    /// Why there is no pipeline at all, if there is none.
    pub filtered: Option<String>,
}

/// A job that the configuration has and the pipeline has not.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct LeftOut {
    /// The job.
    pub name: String,
    /// Why, for instance `no rule matched`.
    pub reason: String,
}

impl LeftOut {
    fn new(name: &str, reason: &str) -> Self {
        Self { name: name.to_owned(), reason: reason.to_owned() }
    }
}

impl Pipeline {
    /// The job behind an id of this pipeline.
    pub fn job(&self, id: JobId) -> &Job {
        &self.jobs[id.0]
    }

    /// The jobs with their ids.
    pub fn jobs(&self) -> impl Iterator<Item = (JobId, &Job)> {
        self.jobs.iter().enumerate().map(|(at, job)| (JobId(at), job))
    }

    /// The jobs of the configuration that are not in the pipeline, for whatever reason.
    pub fn absent(&self) -> impl Iterator<Item = &LeftOut> {
        self.left_out.iter().chain(&self.unresolved)
    }

    /// The job of this name.
    pub fn find(&self, name: &str) -> Option<JobId> {
        self.jobs.iter().position(|job| job.name == name).map(JobId)
    }
}

#[cfg(test)]
mod tests;
