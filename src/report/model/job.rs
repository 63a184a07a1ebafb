//! A job of a run, as views show it.

use std::time::Duration;

use super::Model;
use crate::event::{Finished, OutlineJob, Phase, Status, Usage};
use crate::report::{text, theme::Look};

/// A job.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its name as it is shown: a quoted YAML key may hold anything.
    pub name: String,
    /// Its stage.
    pub stage: String,
    /// The jobs that it needs.
    pub needs: Option<Vec<String>>,
    /// Its status.
    pub status: Status,
    /// Where it is, while it runs.
    pub phase: Option<Phase>,
    /// The runner that has or had it.
    pub runner: Option<String>,
    /// The attempt that runs or ran last; 0 before the first.
    pub attempt: u32,
    /// When that attempt began.
    pub started: Option<Duration>,
    /// When it ended.
    pub ended: Option<Duration>,
    /// The last line of its output that shows something.
    pub last_line: Option<String>,
    /// What it uses, while it runs.
    pub usage: Option<Usage>,
    /// Why it is where it is, for one that does not run.
    pub reason: Option<String>,
    /// What its result must be read with.
    pub remark: Option<String>,
    /// How its last attempt ended.
    pub end: Option<Box<Finished>>,
    /// The child pipeline that it has started.
    pub child: Option<Box<Model>>,
}

impl Job {
    pub(super) fn new(job: &OutlineJob) -> Self {
        Self {
            name: text::bare(&job.name),
            stage: job.stage.clone(),
            needs: job.needs.clone(),
            status: Status::Created,
            phase: None,
            runner: None,
            attempt: 0,
            started: None,
            ended: None,
            last_line: None,
            usage: None,
            reason: None,
            remark: None,
            end: None,
            child: None,
        }
    }

    /// Whether something goes on in the child pipeline that it has started, also when nobody waits for that.
    pub fn has_moving_child(&self) -> bool {
        self.child.as_ref().is_some_and(|child| child.is_moving())
    }

    /// How it looks.
    pub fn look(&self) -> Look {
        Look::of(self.status, self.end.as_ref().is_some_and(|end| end.allowed))
    }

    /// Whether nothing more will happen to it by itself.
    pub fn is_done(&self) -> bool {
        !matches!(self.look(), Look::Waiting | Look::Running)
    }

    /// Since when it runs, or how long it took.
    pub fn time(&self, now: Duration) -> Option<Duration> {
        match self.look() {
            Look::Running => self.started.map(|started| now.saturating_sub(started)),
            Look::Waiting => None,
            _ => self.end.as_ref().map(|end| end.took),
        }
    }
}
