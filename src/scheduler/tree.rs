//! A pipeline with its child pipelines: a scheduler for each, slots and resource groups for all of them.

use super::{Action, End, Graph, Input, Options, Scheduler, Status};
use crate::pipeline::{JobId, child::Strategy};

/// Which pipeline of a [`Tree`], in the order in which they were created; 0 is the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PipelineId(pub usize);

impl PipelineId {
    /// The one that is no child.
    pub const ROOT: Self = Self(0);
}

/// Something to do or to tell in one of the pipelines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The pipeline.
    pub pipeline: PipelineId,
    /// What.
    pub action: Action,
}

/// The state of a pipeline that runs and of its child pipelines.
#[derive(Debug, Clone)]
pub struct Tree {
    branches: Vec<Branch>,
    slots: usize,
}

/// One pipeline.
#[derive(Debug, Clone)]
struct Branch {
    scheduler: Scheduler,
    /// The trigger job that has started it.
    bridge: Option<Bridge>,
}

/// A trigger job and which of its attempts.
#[derive(Debug, Clone, Copy)]
struct Bridge {
    pipeline: PipelineId,
    job: JobId,
    attempt: u32,
    strategy: Strategy,
}

impl Tree {
    /// The state before [`Input::Begin`], without children. Slots of the options are those of the tree.
    pub fn new(graph: Graph, options: Options) -> Self {
        let slots = options.slots;
        let scheduler = Scheduler::from_graph(graph, options);
        Self { branches: vec![Branch { scheduler, bridge: None }], slots }
    }

    /// The scheduler of a pipeline.
    pub fn pipeline(&self, pipeline: PipelineId) -> &Scheduler {
        &self.branches[pipeline.0].scheduler
    }

    /// Whether nothing goes on any more in any of the pipelines.
    pub fn is_at_rest(&self) -> bool {
        self.branches.iter().all(|branch| branch.scheduler.finished)
    }

    /// A job that waits for its resource group.
    pub fn waiting_for_resource(&self) -> Option<(PipelineId, JobId)> {
        let waits = |branch: &Branch| {
            let jobs = branch.scheduler.jobs.iter();
            jobs.clone().position(|job| job.status == Status::WaitingForResource).map(JobId)
        };
        let mut branches = self.branches.iter().enumerate();
        branches.find_map(|(at, branch)| Some((PipelineId(at), waits(branch)?)))
    }

    /// The child pipeline that was created last by a trigger job.
    pub fn child(&self, pipeline: PipelineId, job: JobId) -> Option<PipelineId> {
        let attempt = self.pipeline(pipeline).attempts(job);
        let is_it =
            |bridge: &Bridge| bridge.pipeline == pipeline && bridge.job == job && bridge.attempt == attempt;
        self.branches.iter().position(|branch| branch.bridge.as_ref().is_some_and(is_it)).map(PipelineId)
    }

    /// Takes what happened in a pipeline and gives what to do, in this one and others.
    pub fn handle(&mut self, pipeline: PipelineId, input: Input) -> Vec<Step> {
        let mut steps = Vec::new();
        self.take(pipeline, input, &mut steps);
        self.share(&mut steps);
        without_passing(steps)
    }

    /// From here on no more jobs than this run at once; those that run already go on.
    pub fn limit(&mut self, slots: usize) {
        self.slots = self.slots.min(slots);
    }

    /// A trigger job's child pipeline is there, and begins. A trigger job without strategy has succeeded by
    /// that.
    pub fn create(
        &mut self,
        parent: PipelineId,
        job: JobId,
        graph: Graph,
        options: Options,
    ) -> (PipelineId, Vec<Step>) {
        let trigger = &self.pipeline(parent).graph.tasks[job.0].trigger;
        let strategy = trigger.unwrap_or(Strategy::None);
        let attempt = self.pipeline(parent).attempts(job);
        let bridge = Some(Bridge { pipeline: parent, job, attempt, strategy });
        let id = PipelineId(self.branches.len());
        self.branches.push(Branch { scheduler: Scheduler::from_graph(graph, options), bridge });
        let mut steps = Vec::new();
        if strategy == Strategy::None {
            self.take(parent, Input::Finished(job, End::Success), &mut steps);
        }
        self.take(id, Input::Begin, &mut steps);
        self.share(&mut steps);
        (id, without_passing(steps))
    }

    /// Hands an input to the scheduler of a pipeline, and what follows from it to others.
    fn take(&mut self, pipeline: PipelineId, input: Input, steps: &mut Vec<Step>) {
        let is_cancel = input == Input::CancelAll;
        // Where others wait for slots too, the most urgent job of all gets the next one.
        let slots = if self.others_wait(pipeline) {
            0
        } else {
            self.pipeline(pipeline).in_slots().saturating_add(self.free())
        };
        let actions = self.ask(pipeline, input, slots);
        steps.extend(actions.iter().map(|action| Step { pipeline, action: action.clone() }));
        if is_cancel {
            self.cancel_children(pipeline, steps);
        }
        for action in actions {
            match action {
                Action::AutoCancel { .. } => self.cancel_children(pipeline, steps),
                Action::Cancel(job) => {
                    if let Some(child) = self.child(pipeline, job) {
                        self.take(child, Input::CancelAll, steps);
                    }
                }
                Action::Finished { status } => self.tell_parent(pipeline, status, steps),
                _ => {}
            }
        }
    }

    fn ask(&mut self, pipeline: PipelineId, input: Input, slots: usize) -> Vec<Action> {
        let elsewhere = self.branches.iter().enumerate().filter(|(at, _)| *at != pipeline.0);
        let elsewhere = elsewhere.flat_map(|(_, branch)| {
            let scheduler = &branch.scheduler;
            let named =
                |(group, job): (&String, &usize)| (group.clone(), scheduler.graph.tasks[*job].name.clone());
            scheduler.resources.iter().map(named)
        });
        let elsewhere = elsewhere.collect();
        let scheduler = &mut self.branches[pipeline.0].scheduler;
        scheduler.elsewhere = elsewhere;
        scheduler.options.slots = slots;
        scheduler.handle(input)
    }

    /// GitLab cancels all child pipelines with their parent, also those that nobody waits for
    /// (`cascade_to_children`).
    fn cancel_children(&mut self, parent: PipelineId, steps: &mut Vec<Step>) {
        let is_child = |branch: &Branch| branch.bridge.is_some_and(|bridge| bridge.pipeline == parent);
        let children: Vec<_> = (0..self.branches.len()).filter(|at| is_child(&self.branches[*at])).collect();
        for child in children {
            self.take(PipelineId(child), Input::CancelAll, steps);
        }
    }

    /// A child has come to rest: what that is for the trigger job (`Ci::Bridge#inherit_status_from_downstream`).
    fn tell_parent(&mut self, child: PipelineId, status: Status, steps: &mut Vec<Step>) {
        let branch = &self.branches[child.0];
        let Some(bridge) = branch.bridge else { return };
        let is_over = self.pipeline(bridge.pipeline).attempts(bridge.job) != bridge.attempt;
        if bridge.strategy == Strategy::None || is_over {
            return;
        }
        let failed = End::Failed { reason: "unknown_failure", exit_code: None };
        let end = match (status, bridge.strategy) {
            (Status::Success, _) => End::Success,
            (Status::Canceled, _) => End::Canceled,
            (Status::Manual, _) => {
                return self.take(bridge.pipeline, Input::Blocked(bridge.job), steps);
            }
            // Nothing of it would be held on GitLab.
            (Status::Skipped, _) if branch.scheduler.jobs.iter().any(|job| job.held) => {
                End::Skipped("the jobs of its child pipeline are held".to_owned())
            }
            (Status::Skipped, Strategy::Mirror) => End::Skipped("its child pipeline was skipped".to_owned()),
            _ => failed,
        };
        self.take(bridge.pipeline, Input::Finished(bridge.job, end), steps);
    }

    /// Gives free slots and resource groups to jobs of any pipeline, the most urgent first.
    fn share(&mut self, steps: &mut Vec<Step>) {
        if self.branches.len() == 1 {
            return;
        }
        let mut is_moving = true;
        while is_moving {
            is_moving = false;
            let free = self.free().min(1);
            let mut order: Vec<usize> = (0..self.branches.len()).collect();
            order.sort_by_key(|at| std::cmp::Reverse(self.urgency(PipelineId(*at))));
            for at in order {
                let pipeline = PipelineId(at);
                let slots = self.pipeline(pipeline).in_slots() + free;
                let actions = self.ask(pipeline, Input::Freed, slots);
                let are_news = actions.iter().any(|action| !matches!(action, Action::Finished { .. }));
                if are_news {
                    steps.extend(actions.into_iter().map(|action| Step { pipeline, action }));
                    is_moving = true;
                    break;
                }
            }
        }
    }

    /// How many slots no job has.
    fn free(&self) -> usize {
        let taken = self.branches.iter().map(|branch| branch.scheduler.in_slots()).sum();
        self.slots.saturating_sub(taken)
    }

    fn others_wait(&self, pipeline: PipelineId) -> bool {
        (0..self.branches.len()).any(|at| at != pipeline.0 && self.urgency(PipelineId(at)).is_some())
    }

    /// How many jobs the longest chain has that begins with one that waits for a slot, through the trigger
    /// jobs that wait for it.
    fn urgency(&self, pipeline: PipelineId) -> Option<usize> {
        let scheduler = self.pipeline(pipeline);
        let pending = scheduler.jobs.iter().zip(&scheduler.chains);
        let longest = pending.filter(|(job, _)| job.status == Status::Pending).map(|(_, chain)| *chain).max();
        longest.map(|longest| longest + self.behind(pipeline))
    }

    fn behind(&self, pipeline: PipelineId) -> usize {
        match self.branches[pipeline.0].bridge {
            Some(bridge) if bridge.strategy != Strategy::None => {
                let chain = self.pipeline(bridge.pipeline).chains[bridge.job.0];
                chain - 1 + self.behind(bridge.pipeline)
            }
            _ => 0,
        }
    }
}

/// Leaves out that jobs wait which start in the same moment.
fn without_passing(steps: Vec<Step>) -> Vec<Step> {
    let starts: Vec<(PipelineId, JobId)> = steps
        .iter()
        .filter_map(|step| match step.action {
            Action::Start { job, .. } => Some((step.pipeline, job)),
            _ => None,
        })
        .collect();
    let passes = |step: &Step| match step.action {
        Action::Changed { job, status: Status::Pending | Status::WaitingForResource, .. } => {
            starts.contains(&(step.pipeline, job))
        }
        _ => false,
    };
    steps.into_iter().filter(|step| !passes(step)).collect()
}

#[cfg(test)]
mod tests;
