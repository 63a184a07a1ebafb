//! Runs a pipeline: the one place where all that happens at once is put in a row.
//!
//! Ends of attempts, what the user wants and delays that are over go into the [`Scheduler`] one by one;
//! what it says is done and told. Decisions are the scheduler's, pods are the executor's.

use std::{
    collections::{BTreeSet, HashMap},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::Duration,
};

use futures::FutureExt;
use tokio::{sync::mpsc, task::JoinSet, time::Instant};
use tokio_util::sync::CancellationToken;

mod outcome;
mod slots;
mod summary;

pub use summary::{JobSummary, Summary};

use super::{Attempt, AttemptResult, Execute, Outcome};
use crate::{
    event::{Event, Finished},
    pipeline::{JobId, Pipeline},
    scheduler::{Action, Delays, Deploy, Input, Options, Scheduler, Status, critical_path},
};
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
    /// Names of manual jobs to start.
    pub manual: BTreeSet<String>,
    /// Held jobs that may run.
    pub deploy: Deploy,
    /// Whether delayed jobs wait.
    pub delays: Delays,
    /// When the run began: what [`Event::PipelineFinished`] and [`Summary::took`] count from.
    pub started: Instant,
}

/// What the user wants of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// End as GitLab's cancel would: running jobs may run their `after_script`, others do not start.
    Cancel,
    /// End now.
    Kill,
    /// Start a manual, held or delayed job.
    Play(JobId),
}

/// Runs a pipeline to its end: every job has ended, or waits for somebody.
///
/// Events go to `events` in the order things happen; those of an attempt lie between its
/// [`Event::JobStarted`] and [`Event::JobFinished`]. [`Event::PipelineStarted`] is the caller's. A closed
/// `control` means that nobody wants anything; closed `events`, that nobody listens.
pub async fn dispatch(
    pipeline: Arc<Pipeline>,
    options: DispatchOptions,
    executor: Arc<dyn Execute>,
    mut control: mpsc::Receiver<Control>,
    events: mpsc::Sender<Event>,
) -> Summary {
    let mut dispatcher = Dispatcher::new(pipeline, options, executor, events);
    dispatcher.begin().await;
    let mut listening = true;
    while dispatcher.finished.is_none() {
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
            }
            else => break,
        }
    }
    dispatcher.end().await
}

struct Dispatcher {
    pipeline: Arc<Pipeline>,
    scheduler: Scheduler,
    slots: Slots,
    executor: Arc<dyn Execute>,
    events: mpsc::Sender<Event>,
    tasks: JoinSet<Happening>,
    running: HashMap<JobId, Running>,
    took: Vec<Option<Duration>>,
    started: Instant,
    ending: Ending,
    finished: Option<Status>,
}

/// An attempt that runs.
struct Running {
    number: u32,
    place: Place,
    started: Instant,
    cancel: CancellationToken,
    kill: CancellationToken,
}

/// What one of the tasks comes back with.
enum Happening {
    Ended(JobId, u32, Outcome),
    DelayOver(JobId),
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
    fn new(
        pipeline: Arc<Pipeline>,
        options: DispatchOptions,
        executor: Arc<dyn Execute>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let slots = Slots::new(options.runners, options.concurrent);
        let scheduling = Options {
            slots: options.limit.unwrap_or(usize::MAX).min(slots.free()),
            manual: options.manual,
            deploy: options.deploy,
            delays: options.delays,
        };
        Self {
            scheduler: Scheduler::new(&pipeline, scheduling),
            took: vec![None; pipeline.jobs.len()],
            pipeline,
            slots,
            executor,
            events,
            tasks: JoinSet::new(),
            running: HashMap::new(),
            started: options.started,
            ending: Ending::No,
            finished: None,
        }
    }

    async fn begin(&mut self) {
        let actions = self.scheduler.handle(Input::Begin);
        self.apply(actions).await;
        if self.finished.is_none() && self.running.is_empty() && self.tasks.is_empty() {
            self.cancel("no runner has a place for a job").await;
        }
    }

    async fn control(&mut self, wish: Control) {
        match wish {
            Control::Cancel if self.ending == Ending::No => {
                let message = "jobs get 30 s for `after_script`; a second interrupt kills them";
                self.cancel(message).await;
            }
            Control::Kill if self.ending < Ending::Killing => self.kill().await,
            Control::Play(job) if self.ending == Ending::No => {
                let actions = self.scheduler.handle(Input::Play(job));
                self.apply(actions).await;
            }
            _ => {}
        }
    }

    async fn cancel(&mut self, message: &str) {
        self.ending = Ending::Canceling;
        self.send(Event::Canceling { message: message.to_owned() }).await;
        let actions = self.scheduler.handle(Input::CancelAll);
        self.apply(actions).await;
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

    async fn happened(&mut self, happening: Happening) {
        match happening {
            Happening::Ended(job, number, outcome) => {
                let current = self.running.get(&job).is_some_and(|running| running.number == number);
                if current {
                    self.ended(job, outcome).await;
                }
            }
            Happening::DelayOver(job) => {
                let actions = self.scheduler.handle(Input::DelayOver(job));
                self.apply(actions).await;
            }
            Happening::GraceOver => {
                self.tasks.abort_all();
                let mut jobs: Vec<JobId> = self.running.keys().copied().collect();
                jobs.sort();
                for job in jobs {
                    self.ended(job, outcome::without_trace(AttemptResult::Canceled)).await;
                }
            }
        }
    }

    async fn ended(&mut self, job: JobId, outcome: Outcome) {
        let Some(running) = self.running.remove(&job) else { return };
        let took = running.started.elapsed();
        self.slots.release(running.place);
        *self.took[job.0].get_or_insert_default() += took;
        let mut actions = self.scheduler.handle(Input::Finished(job, outcome.end())).into_iter();
        // The scheduler says first what the end counts as.
        if let Some(Action::Ended { attempt, status, allowed, retried, .. }) = actions.next() {
            let exit_code = outcome.exit_code();
            let failure = match outcome.result {
                AttemptResult::Failed { failure, .. } if status == Status::Failed => Some(failure),
                _ => None,
            };
            self.send(Event::JobFinished(Box::new(Finished {
                job: self.name(job),
                attempt,
                status,
                allowed,
                retried,
                exit_code,
                failure,
                took,
                tail: outcome.tail,
                trace: outcome.trace,
                artifacts: outcome.artifacts,
            })))
            .await;
        }
        self.apply(actions.collect()).await;
    }

    async fn apply(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Ended { .. } => {}
                Action::AutoCancel { failed } => {
                    let message =
                        format!("`{}` failed, and the workflow cancels on a failure", self.name(failed));
                    self.send(Event::Canceling { message }).await;
                }
                Action::Cancel(job) => {
                    if let Some(running) = self.running.get(&job) {
                        running.cancel.cancel();
                    }
                }
                Action::Changed { job, status, reason } => {
                    self.send(Event::JobStatus { job: self.name(job), status, reason }).await;
                }
                Action::StageFinished { stage, status } => {
                    let stage = self.pipeline.stages[stage].clone();
                    self.send(Event::StageFinished { stage, status }).await;
                }
                Action::StartDelay { job, after } => {
                    self.tasks.spawn(async move {
                        tokio::time::sleep(after).await;
                        Happening::DelayOver(job)
                    });
                }
                Action::Start { job, attempt } => self.start(job, attempt).await,
                Action::Finished { status } => self.finished = Some(status),
            }
        }
    }

    async fn start(&mut self, job: JobId, number: u32) {
        let (place, slot) = self.slots.take().expect("the scheduler starts no more jobs than slots");
        let running = Running {
            number,
            place,
            started: Instant::now(),
            cancel: CancellationToken::new(),
            kill: CancellationToken::new(),
        };
        let runner = slot.runner.clone();
        let (cancel, kill) = (running.cancel.clone(), running.kill.clone());
        let attempt = Attempt { job, number, slot, cancel, kill };
        self.running.insert(job, running);
        self.send(Event::JobStarted { job: self.name(job), attempt: number, runner }).await;
        let (executor, events) = (Arc::clone(&self.executor), self.events.clone());
        self.tasks.spawn(async move {
            let execution = AssertUnwindSafe(executor.execute(attempt, events)).catch_unwind();
            let outcome = execution.await.unwrap_or_else(|panic| outcome::broken(panic.as_ref()));
            Happening::Ended(job, number, outcome)
        });
    }

    async fn end(self) -> Summary {
        let status = self.finished.unwrap_or(self.scheduler.pipeline_status());
        let took = self.started.elapsed();
        let statuses = self.pipeline.jobs().map(|(id, job)| (job.name.clone(), self.scheduler.status(id)));
        let jobs = statuses.collect();
        self.send(Event::PipelineFinished { status, jobs, took }).await;
        let jobs = self.pipeline.jobs().map(|(id, job)| {
            let summary = JobSummary {
                status: self.scheduler.status(id),
                allowed: self.scheduler.failure_is_allowed(id),
                reason: self.scheduler.reason(id),
                attempts: self.scheduler.attempts(id),
                took: self.took[id.0],
            };
            (job.name.clone(), summary)
        });
        let critical_path = critical_path(self.scheduler.graph(), &self.took);
        Summary { status, jobs: jobs.collect(), took, critical_path }
    }

    async fn send(&self, event: Event) {
        // Nobody listens: the run goes on all the same.
        let _ = self.events.send(event).await;
    }

    fn name(&self, job: JobId) -> String {
        self.pipeline.job(job).name.clone()
    }
}

#[cfg(test)]
mod tests;
