//! What a run came to.

use std::time::Duration;

use indexmap::IndexMap;

use super::branch::Branch;
use crate::{
    event,
    pipeline::{JobId, child::Strategy},
    scheduler::{CriticalPath, PipelineId, Status, Tree, critical_path},
};

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Status of the first pipeline; [`Status::Manual`] if it is blocked on a manual job.
    pub status: Status,
    /// The jobs by name, in GitLab's order; those of a child pipeline, `child/job`, after its trigger job.
    pub jobs: IndexMap<String, JobSummary>,
    /// From the start of the run to its end.
    pub took: Duration,
    /// The jobs that the run could not have been faster than.
    pub critical_path: CriticalPath,
}

/// What a job came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSummary {
    /// Its status.
    pub status: Status,
    /// Whether it has failed and that is allowed.
    pub allowed: bool,
    /// Why it waits, was skipped or was canceled, for people.
    pub reason: Option<String>,
    /// How many attempts of it have started.
    pub attempts: u32,
    /// How long its attempts took together; `None` if none has started.
    pub took: Option<Duration>,
    /// The job of the first pipeline that it belongs to: itself, or the trigger job that leads to it.
    pub origin: String,
    /// Whether it has started a child pipeline, whose jobs follow.
    pub has_child: bool,
    /// Whether it is one that would deploy or release.
    pub would_deploy: bool,
    /// Whether the pipeline waits for somebody to start it.
    pub blocks: bool,
}

/// What the pipelines of a run came to.
pub(super) fn of(tree: &Tree, branches: &[Branch]) -> Summary {
    let whole = Whole { tree, branches };
    let mut jobs = IndexMap::new();
    whole.collect(PipelineId::ROOT, &mut jobs);
    Summary {
        status: tree.pipeline(PipelineId::ROOT).pipeline_status(),
        jobs,
        took: branches[0].started.elapsed(),
        critical_path: whole.critical_path(PipelineId::ROOT),
    }
}

struct Whole<'w> {
    tree: &'w Tree,
    branches: &'w [Branch],
}

impl Whole<'_> {
    fn collect(&self, pipeline: PipelineId, jobs: &mut IndexMap<String, JobSummary>) {
        let (branch, scheduler) = (&self.branches[pipeline.0], self.tree.pipeline(pipeline));
        for (id, job) in branch.member.pipeline.jobs() {
            let child = self.tree.child(pipeline, id);
            let summary = JobSummary {
                status: scheduler.status(id),
                allowed: scheduler.failure_is_allowed(id),
                reason: scheduler.reason(id),
                attempts: scheduler.attempts(id),
                took: branch.took.get(&id).copied(),
                origin: branch.path.first().unwrap_or(&job.name).clone(),
                has_child: child.is_some(),
                would_deploy: job.held.is_some(),
                blocks: scheduler.blocks(id),
            };
            jobs.insert(event::path(&branch.path, &job.name), summary);
            if let Some(child) = child {
                self.collect(child, jobs);
            }
        }
    }

    /// The critical path of a pipeline, with that of a child pipeline instead of the job that waits for it.
    fn critical_path(&self, pipeline: PipelineId) -> CriticalPath {
        let branch = &self.branches[pipeline.0];
        let graph = self.tree.pipeline(pipeline).graph();
        let took: Vec<Option<Duration>> =
            (0..graph.tasks.len()).map(|job| branch.took.get(&JobId(job)).copied()).collect();
        let path = critical_path(graph, &took);
        let inner = |name: String| -> Vec<String> {
            let job = branch.member.pipeline.find(&name);
            let waits = job.filter(|job| graph.tasks[job.0].trigger != Some(Strategy::None));
            match waits.and_then(|job| self.tree.child(pipeline, job)) {
                Some(child) => self.critical_path(child).jobs,
                None => vec![event::path(&branch.path, &name)],
            }
        };
        CriticalPath { jobs: path.jobs.into_iter().flat_map(inner).collect(), took: path.took }
    }
}
