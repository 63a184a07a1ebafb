//! What each of a job's `needs` comes to.

use std::collections::HashMap;

use crate::{
    config::{
        Config, Diagnostics, Span,
        keyword::job::{Job, Need as Written, NeedTarget},
    },
    pipeline::{Pipeline, matrix::Instance, needs::Names},
};

/// One of a job's `needs`.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedNeed {
    /// The job of the pipeline, or what else is needed.
    pub name: String,
    /// Where the need was written.
    pub span: Span,
    /// What it comes to.
    pub state: NeedState,
    /// Whether artifacts are taken.
    pub artifacts: bool,
    /// Whether it may be missing.
    pub optional: bool,
}

/// What a need comes to.
#[derive(Debug, Clone, PartialEq)]
pub enum NeedState {
    /// A job of the pipeline, in this stage.
    Present(String),
    /// A job that is left out, with the reason.
    LeftOut(String),
    /// No job has this name.
    Missing,
    /// Something of another pipeline, which gives no order here.
    Elsewhere,
}

pub(super) fn explained(
    config: &Config,
    pipeline: &Pipeline,
    job: &Job,
    instance: &Instance,
    written: &[Written],
) -> Vec<ExplainedNeed> {
    let mut names = Names::new(config, std::iter::empty(), HashMap::new(), &Diagnostics::default());
    let mut list = Vec::new();
    for need in written {
        let named = |name: String, state: NeedState| ExplainedNeed {
            name,
            span: need.span,
            state,
            artifacts: need.artifacts,
            optional: need.optional,
        };
        match &need.target {
            NeedTarget::Job { .. } => {
                // What is wrong with names is said where the pipeline is created.
                let resolved = names.names_of(job, instance, need, &mut Diagnostics::default());
                list.extend(resolved.into_iter().map(|name| {
                    let state = state(pipeline, config, &name);
                    named(name, state)
                }));
            }
            NeedTarget::Project { project, job, reference } => {
                list.push(named(format!("{project}: {job} at {reference}"), NeedState::Elsewhere));
            }
            NeedTarget::Pipeline { pipeline, job } => {
                let job = job.as_ref().map(|job| format!(": {job}")).unwrap_or_default();
                list.push(named(format!("pipeline {pipeline}{job}"), NeedState::Elsewhere));
            }
        }
    }
    list
}

fn state(pipeline: &Pipeline, config: &Config, name: &str) -> NeedState {
    if let Some(id) = pipeline.find(name) {
        return NeedState::Present(pipeline.job(id).stage.clone());
    }
    // Instances of one job that share a reason are left out under its name.
    let key = config.jobs.iter().map(|job| job.name.as_str()).find(|key| {
        name.strip_prefix(key).is_some_and(|rest| rest.starts_with(": [") || rest.starts_with(' '))
    });
    let left_out = pipeline.absent().find(|left| left.name == name || Some(left.name.as_str()) == key);
    left_out.map_or(NeedState::Missing, |left| NeedState::LeftOut(left.reason.clone()))
}
