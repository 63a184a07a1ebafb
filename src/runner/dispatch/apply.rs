//! Does what the schedulers say, and tells it.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures::FutureExt;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    Child, Dispatcher, Happening, Key, Outcome, Running,
    branch::{self, Branch},
    outcome,
};
use crate::{
    event::{Event, Finished},
    pipeline::{JobId, child},
    runner::{Attempt, AttemptResult, Slot},
    scheduler::{Action, Graph, Input, PipelineId, Status, Step},
};

/// Events of a job of a child pipeline that may wait to be passed on.
const EVENTS: usize = 64;

impl Dispatcher {
    pub(super) async fn apply(&mut self, steps: Vec<Step>) {
        for Step { pipeline, action } in steps {
            self.do_one(pipeline, action).await;
        }
    }

    async fn do_one(&mut self, pipeline: PipelineId, action: Action) {
        match action {
            Action::Ended { job, attempt, status, allowed, retried } => {
                let end = Ended { attempt, status, allowed, retried };
                self.tell_end((pipeline, job), end).await;
            }
            Action::AutoCancel { failed } => {
                let name = self.path(pipeline, failed);
                let message = format!("`{name}` failed, and the workflow cancels on a failure");
                self.send(pipeline, Event::Canceling { message }).await;
            }
            Action::Cancel(job) => match self.running.get(&(pipeline, job)) {
                Some(running) => running.cancel.cancel(),
                None => self.drop_held((pipeline, job)),
            },
            Action::Changed { job, status, reason } => {
                let job = self.name((pipeline, job));
                self.send(pipeline, Event::JobStatus { job, status, reason }).await;
            }
            Action::StageFinished { stage, status } => {
                let stage = self.branches[pipeline.0].member.pipeline.stages[stage].clone();
                self.send(pipeline, Event::StageFinished { stage, status }).await;
            }
            Action::StartDelay { job, after } => {
                self.tasks.spawn(async move {
                    tokio::time::sleep(after).await;
                    Happening::DelayOver((pipeline, job))
                });
            }
            Action::Start { job, attempt } => self.hold_or_start((pipeline, job), attempt).await,
            // The first pipeline is told of when all others have ended.
            Action::Finished { .. } if pipeline == PipelineId::ROOT => {}
            Action::Finished { .. } => self.finished(pipeline).await,
        }
    }

    /// An attempt has ended.
    pub(super) async fn ended(&mut self, key: Key, outcome: Outcome) {
        let end = outcome.end();
        self.outcomes.insert(key, outcome);
        self.handle(key.0, Input::Finished(key.1, end)).await;
    }

    /// Says what the end of an attempt counts as.
    async fn tell_end(&mut self, key: Key, end: Ended) {
        let outcome = self.outcomes.remove(&key).unwrap_or_else(|| self.outcome_of_child(key, end.status));
        let Some(running) = self.running.remove(&key) else {
            let status = Event::JobStatus { job: self.name(key), status: end.status, reason: None };
            return self.send(key.0, status).await;
        };
        let took = running.started.elapsed();
        if let Some(place) = running.place {
            self.slots.release(place);
        }
        *self.branches[key.0.0].took.entry(key.1).or_default() += took;
        let exit_code = outcome.exit_code();
        let failure = match outcome.result {
            AttemptResult::Failed { failure, .. } if end.status == Status::Failed => Some(failure),
            _ => None,
        };
        let finished = Finished {
            job: self.name(key),
            attempt: end.attempt,
            status: end.status,
            allowed: end.allowed,
            retried: end.retried,
            exit_code,
            failure,
            took,
            tail: outcome.tail,
            trace: outcome.trace,
            artifacts: outcome.artifacts,
            artifact_bytes: outcome.artifact_bytes,
            memory: outcome.memory,
            coverage: outcome.coverage,
            tests: outcome.tests,
        };
        self.send(key.0, Event::JobFinished(Box::new(finished))).await;
        if end.status == Status::Skipped {
            let reason = self.tree.pipeline(key.0).reason(key.1);
            let status = Event::JobStatus { job: self.name(key), status: end.status, reason };
            self.send(key.0, status).await;
        }
    }

    /// How a trigger job ends whose child pipeline was created.
    fn outcome_of_child(&self, (pipeline, job): Key, status: Status) -> Outcome {
        let result = match (status, self.tree.child(pipeline, job)) {
            (Status::Failed, Some(child)) => {
                let scheduler = self.tree.pipeline(child);
                let jobs = self.branches[child.0].member.pipeline.jobs();
                let failed = jobs.filter(|(id, _)| {
                    scheduler.status(*id) == Status::Failed && !scheduler.failure_is_allowed(*id)
                });
                outcome::child_failed(failed.map(|(_, job)| job.name.as_str()))
            }
            (Status::Canceled, _) => AttemptResult::Canceled,
            _ => AttemptResult::Success,
        };
        Outcome::bare(result)
    }

    pub(super) async fn start(&mut self, key: Key, number: u32) {
        self.is_told = false;
        let is_trigger = self.branches[key.0.0].member.pipeline.job(key.1).trigger.is_some();
        let taken =
            (!is_trigger).then(|| self.slots.take().expect("the schedulers start no more jobs than slots"));
        let (place, slot) = taken.unzip();
        let running = Running {
            number,
            place,
            started: Instant::now(),
            cancel: CancellationToken::new(),
            kill: CancellationToken::new(),
        };
        let tokens = (running.cancel.clone(), running.kill.clone());
        self.running.insert(key, running);
        let runner = slot.as_ref().map(|slot| slot.runner.clone());
        self.send(key.0, Event::JobStarted { job: self.name(key), attempt: number, runner }).await;
        match slot {
            Some(slot) => self.execute(key, number, slot, tokens),
            None => self.trigger(key, number, tokens),
        }
    }

    fn execute(
        &mut self,
        key: Key,
        number: u32,
        slot: Slot,
        (cancel, kill): (CancellationToken, CancellationToken),
    ) {
        let branch = &self.branches[key.0.0];
        let attempt = Attempt { job: key.1, number, slot, cancel, kill };
        let executor = Arc::clone(&branch.member.execute);
        let (path, events) = (branch.path.clone(), self.events.clone());
        self.tasks.spawn(async move {
            let (own, told) = mpsc::channel(EVENTS);
            let execution = AssertUnwindSafe(executor.execute(attempt, own)).catch_unwind();
            // Everything is passed on before the end is.
            let (execution, ()) = tokio::join!(execution, pass_on(told, &path, &events));
            let outcome = execution.unwrap_or_else(|panic| outcome::broken(panic.as_ref()));
            Happening::Ended(key, number, outcome)
        });
    }

    /// Starts to create a child pipeline. A pipeline of another project counts as one that has succeeded.
    fn trigger(&mut self, key: Key, number: u32, (cancel, kill): (CancellationToken, CancellationToken)) {
        let member = &self.branches[key.0.0].member;
        if child::include(member.pipeline.job(key.1)).is_none() {
            let outcome = Outcome::bare(AttemptResult::Success);
            self.tasks.spawn(async move { Happening::Ended(key, number, outcome) });
            return;
        }
        let trigger = Arc::clone(&member.trigger);
        self.tasks.spawn(async move {
            let creation = AssertUnwindSafe(trigger.create(key.1, number)).catch_unwind();
            let created = tokio::select! {
                created = creation => created,
                () = cancel.cancelled() => {
                    return Happening::Ended(key, number, Outcome::bare(AttemptResult::Canceled));
                }
                () = kill.cancelled() => {
                    return Happening::Ended(key, number, Outcome::bare(AttemptResult::Canceled));
                }
            };
            let broken =
                |panic: Box<dyn std::any::Any + Send>| Err(Box::new(outcome::broken(panic.as_ref())));
            Happening::Created(key, number, created.unwrap_or_else(broken))
        });
    }

    /// A child pipeline begins, or could not be created.
    pub(super) async fn created(&mut self, key: Key, created: Result<Child, Box<Outcome>>) {
        let child = match created {
            Ok(child) => child,
            Err(outcome) => return self.ended(key, *outcome).await,
        };
        if self.running.get(&key).is_some_and(|running| running.cancel.is_cancelled()) {
            return self.ended(key, Outcome::bare(AttemptResult::Canceled)).await;
        }
        let (pipeline, job): Key = key;
        let name = self.name(key);
        let parent = &self.branches[pipeline.0];
        let options = parent.options.of_child(&name);
        let path = parent.path.iter().cloned().chain([name]).collect();
        let graph = Graph::from(&*child.member.pipeline);
        self.branches.push(Branch::new(child.member, path, options.clone(), Instant::now()));
        if let Some(fits) = child.fits {
            self.tree.limit(fits);
        }
        let (id, steps) = self.tree.create(pipeline, job, graph, options);
        self.send(id, Event::PipelineStarted(child.outline)).await;
        for message in child.notices {
            self.send(id, Event::Notice { message }).await;
        }
        self.apply(steps).await;
    }

    /// Tells that a pipeline has ended.
    pub(super) async fn finished(&mut self, pipeline: PipelineId) {
        let (branch, scheduler) = (&self.branches[pipeline.0], self.tree.pipeline(pipeline));
        let statuses = branch
            .member
            .pipeline
            .jobs()
            .map(|(id, job): (JobId, _)| (job.name.clone(), scheduler.status(id)));
        let finished = Event::PipelineFinished {
            status: scheduler.pipeline_status(),
            jobs: statuses.collect(),
            took: branch.started.elapsed(),
        };
        self.send(pipeline, finished).await;
    }
}

/// What the end of an attempt counts as.
struct Ended {
    attempt: u32,
    status: Status,
    allowed: bool,
    retried: bool,
}

/// Passes the events of a job on as those of its pipeline, until it has no more.
async fn pass_on(mut told: mpsc::Receiver<Event>, path: &[String], events: &mpsc::Sender<Event>) {
    while let Some(event) = told.recv().await {
        // Nobody listens: the run goes on all the same.
        let _ = events.send(branch::told(path, event)).await;
    }
}
