//! The child pipeline of a trigger job as `podline plan` shows it, where it is known beforehand.

use super::plan::plan_job;
use crate::{
    cli::{args::SourceKind, planned::Planned, project::Project},
    config::Severity,
    pipeline::{
        Job, Pipeline,
        child::{self, MAX_DEPTH, Start},
    },
    report::plan::{PlanJob, PlanStage},
};

/// What there is to say of the child pipeline of a job, and its stages. `depth` says how many trigger jobs
/// lead to the job.
pub(super) fn with_child(
    mut shown: PlanJob,
    project: &Project,
    planned: &Planned,
    job: &Job,
    depth: usize,
) -> PlanJob {
    let Some(include) = child::include(job) else { return shown };
    let (says, stages) = match child::maker(include) {
        _ if depth >= MAX_DEPTH => ("GitLab refuses it: child pipelines lie too deep".to_owned(), Vec::new()),
        Some(maker) => (format!("known when `{maker}` has run"), Vec::new()),
        None => planned_ahead(project, planned, job, depth),
    };
    shown.trigger = Some(format!("child pipeline: {says}"));
    shown.child = stages;
    shown
}

fn planned_ahead(project: &Project, planned: &Planned, job: &Job, depth: usize) -> (String, Vec<PlanStage>) {
    let number = planned.context.pipeline_id;
    let start = Start {
        dotenv: Vec::new(),
        pipeline_id: number * 1000,
        created_at: planned.context.created_at.clone(),
    };
    let Some(child) = planned.child(project, SourceKind::Worktree, job, start, None) else {
        return ("not known beforehand".to_owned(), Vec::new());
    };
    if let Some(error) = child.diagnostics.iter().find(|found| found.severity == Severity::Error) {
        let place = error.span.map(|span| format!("{}: ", child.sources.locate(span))).unwrap_or_default();
        return (format!("cannot be created: {place}{}", error.message), Vec::new());
    }
    match &child.pipeline {
        Some(Pipeline { filtered: Some(reason), .. }) => (format!("would be empty: {reason}"), Vec::new()),
        Some(pipeline) => (size(pipeline), stages(project, &child, pipeline, depth)),
        None => ("not known beforehand".to_owned(), Vec::new()),
    }
}

fn size(pipeline: &Pipeline) -> String {
    let count = |count: usize, noun: &str| format!("{count} {noun}{}", if count == 1 { "" } else { "s" });
    format!("{} in {}", count(pipeline.jobs.len(), "job"), count(pipeline.stages.len(), "stage"))
}

fn stages(project: &Project, child: &Planned, pipeline: &Pipeline, depth: usize) -> Vec<PlanStage> {
    let shown = |job: &Job| with_child(plan_job(pipeline, job), project, child, job, depth + 1);
    let stage = |name: &String| PlanStage {
        name: name.clone(),
        jobs: pipeline.jobs.iter().filter(|job| job.stage == *name).map(shown).collect(),
    };
    pipeline.stages.iter().map(stage).collect()
}
