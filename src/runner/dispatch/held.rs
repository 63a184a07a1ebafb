//! Attempts that the scheduler has started and that are held, for who looks on, before each stage and job.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use super::{Dispatcher, Happening, Key, upcoming};
use crate::{event::Event, runner::Pace, scheduler::PipelineId};

/// What is held, in the order in which it may go on.
pub(super) struct Held {
    pace: Option<Arc<dyn Pace>>,
    starts: VecDeque<(Key, u32)>,
    /// Stages that have begun.
    begun: BTreeSet<(PipelineId, String)>,
    /// What was told to come next.
    told: Option<Told>,
}

enum Told {
    Stage(PipelineId, String),
    Job(Key),
}

impl Held {
    pub(super) fn new(pace: Option<Arc<dyn Pace>>) -> Self {
        Self { pace, starts: VecDeque::new(), begun: BTreeSet::new(), told: None }
    }
}

impl Dispatcher {
    /// Starts an attempt, once it is its turn.
    pub(super) async fn hold_or_start(&mut self, key: Key, number: u32) {
        if self.held.pace.is_none() {
            return self.start(key, number).await;
        }
        self.held.starts.push_back((key, number));
        if self.held.told.is_none() {
            self.tell_next().await;
        }
    }

    /// What was told may happen.
    pub(super) async fn go_on(&mut self) {
        match self.held.told.take() {
            Some(Told::Stage(pipeline, stage)) => {
                self.held.begun.insert((pipeline, stage));
            }
            // one that was canceled meanwhile is not held any more
            Some(Told::Job(key)) if self.held.starts.front().is_some_and(|(next, _)| *next == key) => {
                if let Some((key, number)) = self.held.starts.pop_front() {
                    self.start(key, number).await;
                }
            }
            Some(Told::Job(_)) | None => {}
        }
        self.tell_next().await;
    }

    /// Says what comes next, and waits until it may.
    async fn tell_next(&mut self) {
        let (Some((key, number)), Some(pace)) = (self.held.starts.front().copied(), self.held.pace.clone())
        else {
            return;
        };
        let pipeline = Arc::clone(&self.branches[key.0.0].member.pipeline);
        let stage = pipeline.job(key.1).stage.clone();
        let (told, upcoming) = if self.held.begun.contains(&(key.0, stage.clone())) {
            (Told::Job(key), upcoming::job(&pipeline, key.1, number, pace.until()))
        } else {
            let is_done = |job| self.tree.pipeline(key.0).status(job).is_completed();
            let upcoming = upcoming::stage(&pipeline, &stage, is_done, pace.until());
            (Told::Stage(key.0, stage), upcoming)
        };
        self.held.told = Some(told);
        self.send(key.0, Event::Upcoming(upcoming)).await;
        self.tasks.spawn(async move {
            pace.wait().await;
            Happening::GoOn
        });
    }

    /// Lets go of an attempt that was canceled before it began.
    pub(super) fn drop_held(&mut self, key: Key) {
        let before = self.held.starts.len();
        self.held.starts.retain(|(held, _)| *held != key);
        if self.held.starts.len() < before {
            self.tasks.spawn(async move { Happening::Dropped(key) });
        }
    }
}
