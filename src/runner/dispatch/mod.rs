//! Runs a pipeline and its child pipelines: the one place where all that happens at once is put in a row.
//!
//! Ends of attempts, what the user wants and delays that are over go into the [`Tree`] of schedulers one by
//! one; what it says is done and told. Decisions are the schedulers', pods are the executor's.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

mod apply;
mod branch;
mod held;
mod outcome;
mod slots;
mod summary;
mod upcoming;

pub use summary::{JobSummary, Summary};

use super::{AttemptResult, Child, Member, Outcome, Pace};
use crate::{
    event::{Event, Status, Wish},
    pipeline::JobId,
    scheduler::{Delays, Deploy, Graph, Input, Options, PipelineId, Tree},
};
use branch::Branch;
use held::Held;
use slots::{Place, Slots};

/// How long killed attempts have to end before they are given up.
const KILL_GRACE: Duration = Duration::from_secs(5);

/// How a pipeline is run.
#[derive(Debug, Clone)]
pub struct DispatchOptions {
    /// Names of the runners.
    pub runners: Vec<String>,
    /// How many jobs one runner runs at once.
    pub concurrent: usize,
    /// How many jobs run at once on all runners together, if fewer than they could.
    pub limit: Option<usize>,
    /// Names of manual jobs to start; `child/job` in child pipelines.
    pub manual: BTreeSet<String>,
    /// Held jobs that may run.
    pub deploy: Deploy,
    /// Whether delayed jobs wait.
    pub delays: Delays,
    /// Jobs that do not run, as they have succeeded in an earlier run, and which run that was, for people.
    pub reused: BTreeMap<String, String>,
    /// Whether somebody is there who may start jobs: a run that is blocked waits for them.
    pub attended: bool,
    /// What holds the run before each stage and each job.
    pub pace: Option<Arc<dyn Pace>>,
    /// When the run began: what [`Event::PipelineFinished`] and [`Summary::took`] count from.
    pub started: Instant,
}

/// What the user wants of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Control {
    /// End as GitLab's cancel would: running jobs may run their `after_script`, others do not start. A second
    /// one is [`Control::Kill`].
    Cancel,
    /// End now.
    Kill,
    /// Something of one job.
    Wish(Wish),
}

/// Runs a pipeline to its end, and all child pipelines that it starts: every job has ended, or waits for
/// somebody.
///
/// Events go to `events` in the order things happen; those of an attempt lie between its
/// [`Event::JobStarted`] and [`Event::JobFinished`], those of a child pipeline come as
/// [`Event::Downstream`]. [`Event::PipelineStarted`] of the first pipeline is the caller's. A closed
/// `control` means that nobody wants anything; closed `events`, that nobody listens.
pub async fn dispatch(
    root: Member,
    options: DispatchOptions,
    mut control: mpsc::Receiver<Control>,
    events: mpsc::Sender<Event>,
) -> Summary {
    let mut dispatcher = Dispatcher::new(root, options, events);
    dispatcher.begin().await;
    let mut listening = true;
    loop {
        if dispatcher.tree.is_at_rest() {
            if !listening || !dispatcher.waits_for_somebody().await {
                break;
            }
            match control.recv().await {
                Some(Control::Wish(wish)) => dispatcher.wish(wish).await,
                Some(Control::Cancel | Control::Kill) | None => break,
            }
            continue;
        }
        tokio::select! {
            biased;
            wish = control.recv(), if listening => match wish {
                Some(wish) => dispatcher.control(wish).await,
                None => listening = false,
            },
            Some(happening) = dispatcher.tasks.join_next() => {
                // An attempt that was given up has no end to tell of.
                if let Ok(happening) = happening {
                    dispatcher.happened(happening).await;
                }
                dispatcher.end_of_standstill().await;
            }
            else => break,
        }
    }
    dispatcher.end().await
}

struct Dispatcher {
    tree: Tree,
    /// By [`PipelineId`].
    branches: Vec<Branch>,
    slots: Slots,
    events: mpsc::Sender<Event>,
    tasks: JoinSet<Happening>,
    running: HashMap<Key, Running>,
    /// How attempts have ended, until the scheduler has said what that counts as.
    outcomes: HashMap<Key, Outcome>,
    ending: Ending,
    attended: bool,
    /// Whether it was told that the run waits for somebody.
    is_told: bool,
    /// What is to be told first.
    reused: BTreeMap<String, String>,
    held: Held,
}

/// A job of one of the pipelines.
type Key = (PipelineId, JobId);

/// An attempt that runs.
struct Running {
    number: u32,
    /// None for a trigger job.
    place: Option<Place>,
    started: Instant,
    cancel: CancellationToken,
    kill: CancellationToken,
}

/// What one of the tasks comes back with.
enum Happening {
    Ended(Key, u32, Outcome),
    Created(Key, u32, Result<Child, Box<Outcome>>),
    DelayOver(Key),
    /// What was held may begin.
    GoOn,
    /// An attempt that was held was canceled.
    Dropped(Key),
    GraceOver,
}

/// Whether the run is being ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    No,
    Canceling,
    Killing,
}

impl Dispatcher {
    fn new(root: Member, options: DispatchOptions, events: mpsc::Sender<Event>) -> Self {
        let slots = Slots::new(options.runners, options.concurrent);
        let scheduling = Options {
            slots: options.limit.unwrap_or(usize::MAX).min(slots.free()),
            manual: options.manual,
            deploy: options.deploy,
            delays: options.delays,
            reused: options.reused.keys().cloned().collect(),
        };
        Self {
            tree: Tree::new(Graph::from(&*root.pipeline), scheduling.clone()),
            branches: vec![Branch::new(root, Vec::new(), scheduling, options.started)],
            slots,
            events,
            tasks: JoinSet::new(),
            running: HashMap::new(),
            outcomes: HashMap::new(),
            ending: Ending::No,
            attended: options.attended,
            is_told: false,
            reused: options.reused,
            held: Held::new(options.pace),
        }
    }

    async fn begin(&mut self) {
        for (job, from) in std::mem::take(&mut self.reused) {
            let (status, reason) = (Status::Success, Some(from));
            self.send(PipelineId::ROOT, Event::JobStatus { job, status, reason }).await;
        }
        self.handle(PipelineId::ROOT, Input::Begin).await;
        self.end_of_standstill().await;
    }

    async fn control(&mut self, wish: Control) {
        match wish {
            Control::Cancel if self.ending == Ending::No => {
                let message = "jobs get 30 s for `after_script`; a second interrupt kills them";
                self.cancel(message).await;
            }
            Control::Cancel | Control::Kill if self.ending < Ending::Killing => self.kill().await,
            Control::Wish(wish) => self.wish(wish).await,
            Control::Cancel | Control::Kill => {}
        }
    }

    /// Does what somebody wants of a job; of one that is not there any more, nothing.
    async fn wish(&mut self, wish: Wish) {
        if self.ending != Ending::No {
            return;
        }
        let (input, path): (fn(JobId) -> Input, _) = match wish {
            Wish::Play(job) => (Input::Play, job),
            Wish::Retry(job) => (Input::Retry, job),
            Wish::Cancel(job) => (Input::Cancel, job),
        };
        if let Some((pipeline, job)) = self.find(&path) {
            self.handle(pipeline, input(job)).await;
        }
    }

    /// A job by its name with those of the trigger jobs that lead to it; of the latest pipeline that has it.
    fn find(&self, path: &str) -> Option<Key> {
        self.branches.iter().enumerate().rev().find_map(|(at, branch)| {
            let mut jobs = branch.member.pipeline.jobs();
            let (job, _) = jobs.find(|(_, job)| crate::event::path(&branch.path, &job.name) == path)?;
            Some((PipelineId(at), job))
        })
    }

    /// Whether the run is to go on although nothing does: somebody is there to start the job that blocks it.
    async fn waits_for_somebody(&mut self) -> bool {
        let is_blocked = self.tree.pipeline(PipelineId::ROOT).pipeline_status() == Status::Manual;
        if !self.attended || self.ending != Ending::No || !is_blocked {
            return false;
        }
        if !std::mem::replace(&mut self.is_told, true) {
            let mut jobs = Vec::new();
            for (at, branch) in self.branches.iter().enumerate() {
                let pipeline = PipelineId(at);
                let blocking = branch.member.pipeline.jobs().map(|(job, _)| job);
                let blocking = blocking.filter(|job| self.tree.pipeline(pipeline).blocks(*job));
                jobs.extend(blocking.map(|job| self.path(pipeline, job)));
            }
            self.send(PipelineId::ROOT, Event::Blocked { jobs }).await;
        }
        true
    }

    async fn cancel(&mut self, message: &str) {
        self.ending = Ending::Canceling;
        self.send(PipelineId::ROOT, Event::Canceling { message: message.to_owned() }).await;
        self.handle(PipelineId::ROOT, Input::CancelAll).await;
    }

    async fn kill(&mut self) {
        // First of all: whoever reads the events may be slow.
        for running in self.running.values() {
            running.kill.cancel();
        }
        self.tasks.spawn(async {
            tokio::time::sleep(KILL_GRACE).await;
            Happening::GraceOver
        });
        self.cancel("running jobs are killed").await;
        self.ending = Ending::Killing;
    }

    /// Cancels a run in which nothing happens any more although jobs wait.
    async fn end_of_standstill(&mut self) {
        if self.tree.is_at_rest() || !self.tasks.is_empty() || self.ending != Ending::No {
            return;
        }
        let message = match self.tree.waiting_for_resource() {
            Some((pipeline, job)) => {
                let reason = self.tree.pipeline(pipeline).reason(job).unwrap_or_default();
                let name = self.path(pipeline, job);
                format!("`{name}` {reason}, and that would wait for each other forever")
            }
            None => "no runner has a place for a job".to_owned(),
        };
        self.cancel(&message).await;
    }

    async fn happened(&mut self, happening: Happening) {
        match happening {
            Happening::Ended(key, number, outcome) if self.is_current(key, number) => {
                self.ended(key, outcome).await;
            }
            Happening::Created(key, number, created) if self.is_current(key, number) => {
                self.created(key, created).await;
            }
            Happening::Ended(..) | Happening::Created(..) => {}
            Happening::GoOn => self.go_on().await,
            Happening::Dropped(key) => {
                self.ended(key, Outcome::bare(AttemptResult::Canceled)).await;
            }
            Happening::DelayOver((pipeline, job)) => {
                self.handle(pipeline, Input::DelayOver(job)).await;
            }
            Happening::GraceOver => {
                self.tasks.abort_all();
                let mut jobs: Vec<Key> = self.running.keys().copied().collect();
                // Child pipelines before the jobs that wait for them.
                jobs.sort_by_key(|(pipeline, job)| (std::cmp::Reverse(*pipeline), *job));
                for key in jobs {
                    self.ended(key, Outcome::bare(AttemptResult::Canceled)).await;
                }
            }
        }
    }

    fn is_current(&self, key: Key, number: u32) -> bool {
        self.running.get(&key).is_some_and(|running| running.number == number)
    }

    async fn handle(&mut self, pipeline: PipelineId, input: Input) {
        let steps = self.tree.handle(pipeline, input);
        self.apply(steps).await;
    }

    async fn end(mut self) -> Summary {
        self.finished(PipelineId::ROOT).await;
        summary::of(&self.tree, &self.branches)
    }

    /// Sends an event of a pipeline.
    async fn send(&self, pipeline: PipelineId, event: Event) {
        // Nobody listens: the run goes on all the same.
        let _ = self.events.send(self.branches[pipeline.0].told(event)).await;
    }

    fn name(&self, (pipeline, job): Key) -> String {
        self.branches[pipeline.0].member.pipeline.job(job).name.clone()
    }

    fn path(&self, pipeline: PipelineId, job: JobId) -> String {
        crate::event::path(&self.branches[pipeline.0].path, &self.name((pipeline, job)))
    }
}

#[cfg(test)]
mod tests;
