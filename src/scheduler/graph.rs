//! What the scheduler knows of a pipeline.

use std::time::Duration;

use crate::pipeline::{AllowFailure, Job, Pipeline, Retry, When, child::Strategy};

/// The jobs of a pipeline and what they wait for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Graph {
    /// Names of the stages in order.
    pub stages: Vec<String>,
    /// The jobs, with the indices of the pipeline's [`JobId`](crate::pipeline::JobId)s. `needs` point at
    /// jobs of the same or an earlier stage and form no circle.
    pub tasks: Vec<Task>,
    /// `workflow:auto_cancel:on_job_failure: all`.
    pub cancel_on_job_failure: bool,
}

/// A job as far as its turn depends on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Task {
    /// Its name.
    pub name: String,
    /// Index of its stage.
    pub stage: usize,
    /// What makes it run.
    pub when: When,
    /// With [`When::Delayed`], how long it waits.
    pub start_in: Option<Duration>,
    /// Which failures do not count.
    pub allow_failure: AllowFailure,
    /// Indices of the jobs it needs; `None` means all jobs of earlier stages.
    pub needs: Option<Vec<usize>>,
    /// `retry`.
    pub retry: Retry,
    /// `resource_group`: of the jobs that name the same, one at a time runs.
    pub resource_group: Option<String>,
    /// `interruptible`.
    pub interruptible: bool,
    /// Why it is not started without being asked for.
    pub held: Option<String>,
    /// For a trigger job, what its child pipeline means to it. It takes no slot.
    pub trigger: Option<Strategy>,
}

impl Task {
    /// A job with GitLab's defaults.
    pub fn new(name: &str, stage: usize) -> Self {
        Self {
            name: name.to_owned(),
            stage,
            when: When::OnSuccess,
            start_in: None,
            allow_failure: AllowFailure::Always(false),
            needs: None,
            retry: Retry::default(),
            resource_group: None,
            interruptible: false,
            held: None,
            trigger: None,
        }
    }

    fn of(job: &Job, stage: usize) -> Self {
        let needs = job.needs.as_ref();
        Self {
            name: job.name.clone(),
            stage,
            when: job.when,
            start_in: job.start_in,
            allow_failure: job.allow_failure.clone(),
            needs: needs.map(|needs| needs.iter().map(|need| need.job.0).collect()),
            retry: job.retry.clone(),
            resource_group: job.resource_group.clone(),
            interruptible: job.interruptible,
            held: job.held.clone(),
            trigger: job.trigger.as_ref().map(Strategy::of),
        }
    }
}

impl From<&Pipeline> for Graph {
    fn from(pipeline: &Pipeline) -> Self {
        let stage_of = |job: &Job| pipeline.stages.iter().position(|stage| *stage == job.stage);
        Self {
            stages: pipeline.stages.clone(),
            tasks: pipeline
                .jobs
                .iter()
                .map(|job| Task::of(job, stage_of(job).expect("a pipeline has the stages of its jobs")))
                .collect(),
            cancel_on_job_failure: pipeline.cancel_on_job_failure,
        }
    }
}

impl Graph {
    /// The jobs stage by stage; within a stage none comes before one that it needs.
    pub(super) fn order(&self) -> Vec<usize> {
        let mut by_stage: Vec<usize> = (0..self.tasks.len()).collect();
        by_stage.sort_by_key(|&job| self.tasks[job].stage);
        let mut seen = vec![false; self.tasks.len()];
        let mut order = Vec::with_capacity(self.tasks.len());
        for root in by_stage {
            if seen[root] {
                continue;
            }
            seen[root] = true;
            // A stack of its own: chains of needs can be as long as the pipeline.
            let mut path = vec![(root, self.needs(root).iter())];
            while let Some((job, needs)) = path.last_mut() {
                let stage = self.tasks[*job].stage;
                match needs.find(|&&need| !seen[need] && self.tasks[need].stage == stage) {
                    Some(&need) => {
                        seen[need] = true;
                        path.push((need, self.needs(need).iter()));
                    }
                    None => {
                        order.push(*job);
                        path.pop();
                    }
                }
            }
        }
        order
    }

    /// For each job, how many jobs the longest chain has that begins with it and goes on with one that
    /// waits for the one before.
    pub(super) fn chains(&self) -> Vec<usize> {
        let mut chains = vec![1; self.tasks.len()];
        let mut by_needs = vec![0; self.tasks.len()];
        // The longest chain among stage-ordered jobs behind the stage at hand, and of that stage.
        let (mut behind, mut here) = (0, 0);
        let mut stage = usize::MAX;
        for job in self.order().into_iter().rev() {
            let task = &self.tasks[job];
            if task.stage != stage {
                stage = task.stage;
                behind = behind.max(here);
                here = 0;
            }
            chains[job] = 1 + by_needs[job].max(behind);
            match &task.needs {
                Some(needs) => {
                    for &need in needs {
                        by_needs[need] = by_needs[need].max(chains[job]);
                    }
                }
                None => here = here.max(chains[job]),
            }
        }
        chains
    }

    /// The jobs that may run once `job` does although they could not before: those that need it, directly
    /// or not, and all of later stages (GitLab's `Ci::ResetSkippedJobsService`).
    pub fn dependants(&self, job: usize) -> Vec<usize> {
        let mut reached = vec![false; self.tasks.len()];
        reached[job] = true;
        let mut dependants = Vec::new();
        for other in self.order() {
            let needs_it = self.needs(other).iter().any(|&need| reached[need]);
            reached[other] |= needs_it;
            if needs_it || self.tasks[other].stage > self.tasks[job].stage {
                dependants.push(other);
            }
        }
        dependants
    }

    /// The jobs that `job` names in `needs`.
    fn needs(&self, job: usize) -> &[usize] {
        self.tasks[job].needs.as_deref().unwrap_or_default()
    }

    /// The jobs that have to end before `job` may run.
    pub(super) fn predecessors(&self, job: usize) -> Vec<usize> {
        let task = &self.tasks[job];
        match &task.needs {
            Some(needs) => needs.clone(),
            None => (0..self.tasks.len()).filter(|&other| self.tasks[other].stage < task.stage).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Graph, Task};

    fn graph(tasks: &[(&str, usize, Option<&[usize]>)]) -> Graph {
        let tasks = tasks.iter().map(|(name, stage, needs)| Task {
            needs: needs.map(<[usize]>::to_vec),
            ..Task::new(name, *stage)
        });
        Graph { tasks: tasks.collect(), stages: vec![], cancel_on_job_failure: false }
    }

    #[test]
    fn jobs_of_a_stage_come_after_those_they_need() {
        let graph = graph(&[("a", 0, Some(&[2])), ("b", 0, None), ("c", 0, None), ("d", 1, None)]);
        assert_eq!(graph.order(), [2, 0, 1, 3]);
    }

    #[test]
    fn a_chain_follows_needs_and_stages() {
        let graph = graph(&[
            ("build", 0, None),
            ("lint", 0, None),
            ("test", 1, Some(&[0])),
            ("report", 1, Some(&[2])),
            ("deploy", 2, None),
        ]);
        // build, test, report, deploy; lint, deploy.
        assert_eq!(graph.chains(), [4, 2, 3, 2, 1]);
    }

    #[test]
    fn a_circle_of_needs_ends_too() {
        let graph = graph(&[("a", 0, Some(&[1])), ("b", 0, Some(&[0]))]);
        assert_eq!(graph.order().len(), 2);
    }
}
