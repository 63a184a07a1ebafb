//! A part of a pipeline: some jobs and what they need.

use std::collections::BTreeSet;

use super::{Job, JobId, Pipeline};

impl Pipeline {
    /// The pipeline with only these jobs and those that they need: by `needs`, or, for a job without, those
    /// whose artifacts it takes. Stages keep their order.
    #[must_use]
    pub fn only(&self, jobs: &[JobId]) -> Self {
        let mut chosen = BTreeSet::new();
        let mut waiting: Vec<JobId> = jobs.to_vec();
        while let Some(id) = waiting.pop() {
            if chosen.insert(id) {
                waiting.extend(needed(self.job(id)));
            }
        }
        let place = |id: JobId| chosen.iter().position(|chosen| *chosen == id).map(JobId);
        let moved = |id: &JobId| {
            let mut job = self.job(*id).clone();
            for need in job.needs.iter_mut().flatten() {
                need.job = place(need.job).expect("what a chosen job needs is chosen");
            }
            job.artifacts_from = job.artifacts_from.iter().copied().filter_map(place).collect();
            job
        };
        let jobs: Vec<Job> = chosen.iter().map(moved).collect();
        let has_jobs = |stage: &String| jobs.iter().any(|job| job.stage == *stage);
        let stages = self.stages.iter().filter(|stage| has_jobs(stage)).cloned().collect();
        Self { stages, jobs, ..self.clone() }
    }
}

fn needed(job: &Job) -> Vec<JobId> {
    match &job.needs {
        Some(needs) => needs.iter().map(|need| need.job).collect(),
        None => job.artifacts_from.to_vec(),
    }
}
