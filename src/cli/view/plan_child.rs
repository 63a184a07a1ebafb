//! The child pipeline of a trigger job as `podline plan` shows it, where it is known beforehand.

use super::plan::plan_job;
use crate::{
    cli::{child::Child, planned::Planned, project::Project},
    pipeline::{Job, Pipeline},
    report::{
        plan::{PlanJob, PlanStage},
        text::count,
    },
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
    let says = match Child::of(project, planned, job, depth) {
        None => return shown,
        Some(Child::Unknown(why)) => why,
        Some(Child::Known(child)) => match &child.pipeline {
            Some(pipeline) => {
                shown.child = stages(project, &child, pipeline, depth);
                let (jobs, stages) = (pipeline.jobs.len(), pipeline.stages.len());
                format!("{} in {}", count(jobs, "job"), count(stages, "stage"))
            }
            None => return shown,
        },
    };
    shown.trigger = Some(format!("child pipeline: {says}"));
    shown
}

fn stages(project: &Project, child: &Planned, pipeline: &Pipeline, depth: usize) -> Vec<PlanStage> {
    let shown = |job: &Job| with_child(plan_job(pipeline, job), project, child, job, depth + 1);
    let stage = |name: &String| PlanStage {
        name: name.clone(),
        jobs: pipeline.jobs.iter().filter(|job| job.stage == *name).map(shown).collect(),
    };
    pipeline.stages.iter().map(stage).collect()
}
