//! One pipeline of the tree, with what the dispatcher keeps of it.

use std::{collections::HashMap, time::Duration};

use tokio::time::Instant;

use super::Member;
use crate::{event::Event, pipeline::JobId, scheduler::Options};

pub(super) struct Branch {
    pub(super) member: Member,
    /// Names of the trigger jobs that lead to it.
    pub(super) path: Vec<String>,
    pub(super) options: Options,
    pub(super) started: Instant,
    /// How long the attempts of each job took together.
    pub(super) took: HashMap<JobId, Duration>,
}

impl Branch {
    pub(super) fn new(member: Member, path: Vec<String>, options: Options, started: Instant) -> Self {
        Self { member, path, options, started, took: HashMap::new() }
    }

    /// An event of this pipeline as the listeners of the run get it.
    pub(super) fn told(&self, event: Event) -> Event {
        told(&self.path, event)
    }
}

/// An event of the pipeline that these trigger jobs lead to.
pub(super) fn told(path: &[String], event: Event) -> Event {
    match path {
        [] => event,
        path => Event::Downstream { pipeline: path.to_vec(), event: Box::new(event) },
    }
}
