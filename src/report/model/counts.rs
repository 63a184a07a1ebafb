//! How many jobs are in which state, and what is worst in them.

use super::Job;
use crate::report::theme::Look;

/// How many jobs are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All.
    pub total: usize,
    /// That wait.
    pub waiting: usize,
    /// That run.
    pub running: usize,
    /// That succeeded.
    pub success: usize,
    /// That failed.
    pub failed: usize,
    /// That failed and may.
    pub allowed: usize,
    /// That were canceled.
    pub canceled: usize,
    /// That will not run.
    pub skipped: usize,
    /// That somebody has to start.
    pub manual: usize,
}

impl Counts {
    /// Counts some jobs.
    pub fn of<'j>(jobs: impl IntoIterator<Item = &'j Job>) -> Self {
        let mut counts = Self::default();
        jobs.into_iter().for_each(|job| counts.add(job));
        counts
    }

    pub(super) fn add(&mut self, job: &Job) {
        self.total += 1;
        *match job.look() {
            Look::Waiting | Look::Retried => &mut self.waiting,
            Look::Running => &mut self.running,
            Look::Success => &mut self.success,
            Look::Failed => &mut self.failed,
            Look::Allowed => &mut self.allowed,
            Look::Canceled => &mut self.canceled,
            Look::Skipped => &mut self.skipped,
            Look::Manual => &mut self.manual,
        } += 1;
    }

    pub(super) fn add_all(&mut self, other: Self) {
        self.total += other.total;
        self.waiting += other.waiting;
        self.running += other.running;
        self.success += other.success;
        self.failed += other.failed;
        self.allowed += other.allowed;
        self.canceled += other.canceled;
        self.skipped += other.skipped;
        self.manual += other.manual;
    }

    /// Jobs to which nothing more happens.
    pub fn done(&self) -> usize {
        self.total - self.waiting - self.running
    }

    /// The ends that were not a plain success, with words.
    pub fn unusual(&self) -> Vec<(Look, String)> {
        let ends = [
            (Look::Failed, self.failed, "failed"),
            (Look::Allowed, self.allowed, "failed but allowed"),
            (Look::Canceled, self.canceled, "canceled"),
            (Look::Skipped, self.skipped, "skipped"),
            (Look::Manual, self.manual, "manual"),
        ];
        let named = |(look, count, word): (Look, usize, &str)| (look, format!("{count} {word}"));
        ends.into_iter().filter(|(_, count, _)| *count > 0).map(named).collect()
    }

    /// How the whole looks: what is worst in it.
    pub fn look(&self) -> Look {
        let started = self.done() > 0 || self.running > 0;
        match self {
            _ if self.running > 0 || (self.waiting > 0 && started) => Look::Running,
            _ if self.waiting > 0 => Look::Waiting,
            _ if self.failed > 0 => Look::Failed,
            _ if self.canceled > 0 => Look::Canceled,
            _ if self.allowed > 0 => Look::Allowed,
            _ if self.success > 0 => Look::Success,
            _ if self.manual > 0 => Look::Manual,
            _ => Look::Skipped,
        }
    }
}
