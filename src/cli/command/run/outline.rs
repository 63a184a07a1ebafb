//! What is shown of a pipeline before its first job.

use crate::{
    event::{Outline, OutlineJob},
    pipeline::{Pipeline, job::Need},
};

/// The outline of a pipeline that runs on an engine.
pub(super) fn outline(pipeline: &Pipeline, title: String, engine: &str, slots: usize) -> Outline {
    let names = |needs: &Vec<Need>| needs.iter().map(|need| pipeline.job(need.job).name.clone()).collect();
    let jobs = pipeline.jobs.iter().map(|job| OutlineJob {
        name: job.name.clone(),
        stage: job.stage.clone(),
        needs: job.needs.as_ref().map(names),
    });
    Outline {
        name: pipeline.name.clone(),
        title,
        engine: engine.to_owned(),
        slots,
        stages: pipeline.stages.clone(),
        jobs: jobs.collect(),
    }
}
