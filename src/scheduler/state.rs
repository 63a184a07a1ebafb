//! The state machine: statuses of jobs, stages and the pipeline, and how they change.

use std::collections::HashMap;

use super::{Action, Delays, Graph, Input, Options, Status, composite::Composite, graph::Task, reason};
use crate::pipeline::{AllowFailure, JobId, Pipeline, When, child::Strategy};

/// The state of a pipeline that runs.
#[derive(Debug, Clone)]
pub struct Scheduler {
    pub(super) graph: Graph,
    pub(super) options: Options,
    /// Stage by stage, needs first: one walk settles everything.
    order: Vec<usize>,
    /// The order in which pending jobs take slots: longest chain of dependants first, so that what the
    /// rest waits for ends early; then GitLab's order.
    priority: Vec<usize>,
    /// For each job, how long the longest chain is that begins with it.
    pub(super) chains: Vec<usize>,
    pub(super) jobs: Vec<JobState>,
    stages: Vec<Status>,
    pipeline: Status,
    /// Which job has a resource group.
    pub(super) resources: HashMap<String, usize>,
    /// Resource groups that jobs of other pipelines have, with the names of these.
    pub(super) elsewhere: HashMap<String, String>,
    pub(super) finished: bool,
}

/// The state of a job.
#[derive(Debug, Clone)]
pub(super) struct JobState {
    pub(super) status: Status,
    /// The attempt that runs or has run last; 0 before the first.
    pub(super) attempt: u32,
    /// Whether somebody wants it started: it waits for nobody and for no delay.
    pub(super) played: bool,
    /// Whether it may not start before somebody plays it, whatever its `when`.
    pub(super) held: bool,
    /// Whether its running attempt is to end as canceled.
    pub(super) canceling: bool,
    /// Whether its child pipeline waits for somebody.
    pub(super) blocked: bool,
    /// Whether its last failure is one of `allow_failure:exit_codes`.
    pub(super) failure_allowed: bool,
    /// Why it was skipped or canceled.
    pub(super) why: Option<String>,
}

impl Scheduler {
    /// The state before [`Input::Begin`].
    pub fn new(pipeline: &Pipeline, options: Options) -> Self {
        Self::from_graph(Graph::from(pipeline), options)
    }

    /// As [`Scheduler::new`], from the bare graph.
    pub fn from_graph(graph: Graph, options: Options) -> Self {
        let chains = graph.chains();
        let mut priority: Vec<usize> = (0..graph.tasks.len()).collect();
        priority.sort_by_key(|&job| std::cmp::Reverse(chains[job]));
        Self {
            order: graph.order(),
            priority,
            chains,
            jobs: graph.tasks.iter().map(|task| JobState::new(task, &options)).collect(),
            stages: vec![Status::Created; graph.stages.len()],
            pipeline: Status::Created,
            resources: HashMap::new(),
            elsewhere: HashMap::new(),
            finished: false,
            graph,
            options,
        }
    }

    /// Takes what happened and gives what to do. What does not fit the state, such as the end of a job that
    /// has ended, changes nothing.
    pub fn handle(&mut self, input: Input) -> Vec<Action> {
        let before: Vec<Status> = self.jobs.iter().map(|job| job.status).collect();
        let mut actions = Vec::new();
        let ended = match &input {
            Input::Finished(job, _) if !self.status(*job).is_completed() => Some(job.0),
            _ => None,
        };
        self.take(input, &mut actions);
        let delays = self.process();
        self.assign_resources();
        let starts = self.start();
        self.tell_changes(&before, ended, &mut actions);
        self.update_stages(&mut actions);
        self.update_pipeline();
        actions.extend(delays);
        actions.extend(starts);
        let idle = !self.jobs.iter().any(|job| job.status.is_active());
        // What changes without anything going on, such as a canceled wait, is an end of its own.
        if idle && (!self.finished || !actions.is_empty()) {
            actions.push(Action::Finished { status: self.pipeline });
        }
        self.finished = idle;
        actions
    }

    /// Status of a job.
    pub fn status(&self, job: JobId) -> Status {
        self.jobs[job.0].status
    }

    /// Status of a stage, by its index.
    pub fn stage_status(&self, stage: usize) -> Status {
        self.stages[stage]
    }

    /// Status of the pipeline.
    pub fn pipeline_status(&self) -> Status {
        self.pipeline
    }

    /// Whether the last failure of a job is allowed.
    pub fn failure_is_allowed(&self, job: JobId) -> bool {
        self.status(job) == Status::Failed && self.is_lenient(job.0)
    }

    /// Whether the pipeline waits for somebody to start this job.
    pub fn blocks(&self, job: JobId) -> bool {
        self.status(job) == Status::Manual && !self.is_lenient(job.0) && !self.jobs[job.0].blocked
    }

    /// How many attempts of a job have started.
    pub fn attempts(&self, job: JobId) -> u32 {
        self.jobs[job.0].attempt
    }

    /// Why a job waits, was skipped or was canceled, for people: ``waits for `build` ``.
    pub fn reason(&self, job: JobId) -> Option<String> {
        reason::of(self, job.0)
    }

    /// Whether a newer pipeline may cancel this one: every job that has started is `interruptible`.
    pub fn is_interruptible(&self) -> bool {
        self.jobs.iter().zip(&self.graph.tasks).all(|(job, task)| job.attempt == 0 || task.interruptible)
    }

    /// The jobs and what they wait for.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Decides on every job whose predecessors have ended: `Ci::ProcessBuildService`.
    fn process(&mut self) -> Vec<Action> {
        let mut delays = Vec::new();
        let (mut earlier, mut here) = (Composite::default(), Composite::default());
        let mut stage = 0;
        for at in 0..self.order.len() {
            let job = self.order[at];
            let task = &self.graph.tasks[job];
            if task.stage != stage {
                stage = task.stage;
                earlier.merge(here);
                here = Composite::default();
            }
            if self.jobs[job].status == Status::Created {
                let before = match &task.needs {
                    Some(needs) => self.composite(needs.iter().copied()).status_of_needs(),
                    None => earlier.status(),
                };
                if before.is_completed() {
                    delays.extend(self.decide(job, before));
                }
            }
            here.add(self.jobs[job].status, self.is_lenient(job));
        }
        delays
    }

    fn decide(&mut self, job: usize, before: Status) -> Option<Action> {
        let task = &self.graph.tasks[job];
        if !runs_after(task, before) {
            self.jobs[job].why = reason::of_skip(self, job, before);
            self.set(job, Status::Skipped);
            return None;
        }
        let state = &mut self.jobs[job];
        let waits = !state.played && self.options.delays == Delays::Wait;
        match (task.when, task.start_in) {
            _ if state.held => state.status = Status::Manual,
            (When::Manual, _) if !state.played => state.status = Status::Manual,
            (When::Delayed, Some(after)) if waits => {
                state.status = Status::Scheduled;
                return Some(Action::StartDelay { job: JobId(job), after });
            }
            _ => self.enqueue(job),
        }
        None
    }

    /// Puts a job in the queue, behind its resource group if it has one.
    pub(super) fn enqueue(&mut self, job: usize) {
        let status = match self.graph.tasks[job].resource_group {
            Some(_) => Status::WaitingForResource,
            None => Status::Pending,
        };
        self.jobs[job].canceling = false;
        self.set(job, status);
    }

    fn assign_resources(&mut self) {
        for &job in &self.priority {
            let Some(group) = &self.graph.tasks[job].resource_group else { continue };
            let state = &mut self.jobs[job];
            let is_taken = self.resources.contains_key(group) || self.elsewhere.contains_key(group);
            if state.status == Status::WaitingForResource && !is_taken {
                self.resources.insert(group.clone(), job);
                state.status = Status::Pending;
            }
        }
    }

    fn start(&mut self) -> Vec<Action> {
        let mut free = self.options.slots.saturating_sub(self.in_slots());
        let mut next = Vec::new();
        for &job in self.priority.iter().filter(|&&job| self.jobs[job].status == Status::Pending) {
            let takes_slot = self.graph.tasks[job].trigger.is_none();
            if takes_slot && free == 0 {
                continue;
            }
            free -= usize::from(takes_slot);
            next.push(job);
        }
        next.into_iter()
            .map(|job| {
                self.run(job);
                Action::Start { job: JobId(job), attempt: self.jobs[job].attempt }
            })
            .collect()
    }

    /// How many slots are taken.
    pub(super) fn in_slots(&self) -> usize {
        let tasks = self.jobs.iter().zip(&self.graph.tasks);
        tasks.filter(|(job, task)| job.status == Status::Running && task.trigger.is_none()).count()
    }

    pub(super) fn run(&mut self, job: usize) {
        let state = &mut self.jobs[job];
        state.status = Status::Running;
        state.attempt += 1;
        state.canceling = false;
        state.blocked = false;
        state.failure_allowed = false;
        state.why = None;
    }

    /// Sets a status and gives the job's resource group back: a job that runs or may run at once is not
    /// set by this.
    pub(super) fn set(&mut self, job: usize, status: Status) {
        self.jobs[job].status = status;
        if let Some(group) = &self.graph.tasks[job].resource_group
            && self.resources.get(group) == Some(&job)
        {
            self.resources.remove(group);
        }
    }

    fn tell_changes(&self, before: &[Status], ended: Option<usize>, actions: &mut Vec<Action>) {
        for (job, before) in before.iter().enumerate() {
            let status = self.jobs[job].status;
            let told = Some(job) == ended && status.is_completed();
            if status != *before && status != Status::Running && !told {
                let reason = reason::of(self, job);
                actions.push(Action::Changed { job: JobId(job), status, reason });
            }
        }
    }

    fn update_stages(&mut self, actions: &mut Vec<Action>) {
        let mut sets = vec![None; self.stages.len()];
        for (job, task) in self.graph.tasks.iter().enumerate() {
            let set: &mut Composite = sets[task.stage].get_or_insert_default();
            set.add(self.jobs[job].status, self.is_lenient(job));
        }
        for (stage, set) in sets.into_iter().enumerate() {
            let Some(status) = set.map(Composite::status) else { continue };
            // A stage never goes back to created: GitLab leaves it as it was.
            if status != Status::Created && status != self.stages[stage] {
                self.stages[stage] = status;
                if status.is_completed() {
                    actions.push(Action::StageFinished { stage, status });
                }
            }
        }
    }

    fn update_pipeline(&mut self) {
        self.pipeline = match (self.composite(0..self.jobs.len()).status(), self.pipeline) {
            (Status::Created, before) => before,
            // A pipeline that has run before is running again as soon as something is pending.
            (Status::Pending, Status::Success | Status::Failed | Status::Canceled | Status::Running) => {
                Status::Running
            }
            (status, _) => status,
        };
    }

    fn composite(&self, jobs: impl IntoIterator<Item = usize>) -> Composite {
        let mut set = Composite::default();
        for job in jobs {
            set.add(self.jobs[job].status, self.is_lenient(job));
        }
        set
    }

    /// Whether the job may fail, or, a manual one, be left alone.
    pub(super) fn is_lenient(&self, job: usize) -> bool {
        let state = &self.jobs[job];
        match &self.graph.tasks[job].allow_failure {
            _ if state.held && state.status == Status::Manual => true,
            // GitLab leaves it running: what comes after waits for the child in any case.
            _ if state.blocked && self.graph.tasks[job].trigger == Some(Strategy::Depend) => false,
            AllowFailure::Always(allowed) => *allowed,
            AllowFailure::ExitCodes(_) => state.failure_allowed,
        }
    }
}

impl JobState {
    pub(super) fn new(task: &Task, options: &Options) -> Self {
        let deployed = task.held.is_some() && options.deploy.allows(&task.name);
        let reused = options.reused.contains(&task.name);
        Self {
            status: if reused { Status::Success } else { Status::Created },
            attempt: 0,
            // Who lets a manual job deploy wants it to run; its delay is another matter.
            played: options.manual.contains(&task.name) || (deployed && task.when == When::Manual),
            held: task.held.is_some() && !deployed,
            canceling: false,
            blocked: false,
            failure_allowed: false,
            why: None,
        }
    }
}

/// Whether a job runs when what comes before it has this status.
fn runs_after(task: &Task, before: Status) -> bool {
    match task.when {
        When::OnSuccess | When::Manual | When::Delayed => {
            before == Status::Success || (before == Status::Skipped && task.needs.is_none())
        }
        When::OnFailure => before == Status::Failed,
        When::Always => matches!(before, Status::Success | Status::Failed | Status::Skipped),
        When::Never => false,
    }
}
