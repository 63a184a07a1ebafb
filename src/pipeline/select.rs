//! A part of a pipeline: some jobs and what they need.

use std::collections::{BTreeMap, BTreeSet};

use super::{Job, JobId, LeftOut, Pipeline};

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
        self.with(&chosen)
    }

    /// The pipeline without the jobs that there is a reason to leave out, and those that need one of them.
    #[must_use]
    pub fn without(self, reason: impl Fn(&Job) -> Option<String>) -> Self {
        let mut gone: BTreeMap<JobId, String> =
            self.jobs().filter_map(|(id, job)| Some((id, reason(job)?))).collect();
        if gone.is_empty() {
            return self;
        }
        loop {
            let needs_one = |job: &Job| {
                let needs = job.needs.iter().flatten();
                let need = needs.map(|need| need.job).find(|id| gone.contains_key(id))?;
                Some(format!("it needs `{}`, which is left out", self.job(need).name))
            };
            let more: Vec<_> = self
                .jobs()
                .filter(|(id, _)| !gone.contains_key(id))
                .filter_map(|(id, job)| Some((id, needs_one(job)?)))
                .collect();
            if more.is_empty() {
                break;
            }
            gone.extend(more);
        }
        let chosen = self.jobs().map(|(id, _)| id).filter(|id| !gone.contains_key(id)).collect();
        let mut left = self.with(&chosen);
        left.left_out.extend(gone.iter().map(|(id, reason)| LeftOut::new(&self.job(*id).name, reason)));
        left
    }

    /// The pipeline with only these jobs, which need no others.
    fn with(&self, chosen: &BTreeSet<JobId>) -> Self {
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
