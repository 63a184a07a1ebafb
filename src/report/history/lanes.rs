//! The lines of the timeline: a job has the first place of its runner that is free, as the runners give them
//! out.

use super::Job;
use crate::report::text;

/// A job by its pipeline and its name.
type Key<'k> = (usize, &'k str);

/// The places of the runners.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: Vec<Lane>,
}

#[derive(Debug)]
struct Lane {
    runner: String,
    job: Option<(usize, String)>,
}

impl Lanes {
    /// The place of a job that starts.
    pub(super) fn take(&mut self, runner: &str, (pipeline, job): Key<'_>) -> usize {
        let free = self.lanes.iter().position(|lane| lane.runner == runner && lane.job.is_none());
        let at = free.unwrap_or_else(|| {
            self.lanes.push(Lane { runner: runner.to_owned(), job: None });
            self.lanes.len() - 1
        });
        self.lanes[at].job = Some((pipeline, job.to_owned()));
        at
    }

    /// A job has ended.
    pub(super) fn release(&mut self, (pipeline, job): Key<'_>) {
        let has = |lane: &&mut Lane| lane.job.as_ref().is_some_and(|it| it.0 == pipeline && it.1 == job);
        if let Some(lane) = self.lanes.iter_mut().find(has) {
            lane.job = None;
        }
    }

    /// The names of the places, those of one runner beside each other; attempts are told their new numbers.
    pub(super) fn names(self, jobs: &mut [Job]) -> Vec<String> {
        let mut order: Vec<usize> = (0..self.lanes.len()).collect();
        order.sort_by(|one, other| self.lanes[*one].runner.cmp(&self.lanes[*other].runner));
        for attempt in jobs.iter_mut().flat_map(|job| &mut job.attempts) {
            attempt.lane = order.iter().position(|lane| *lane == attempt.lane).unwrap_or(0);
        }
        let runner = |at: &usize| text::bare(&self.lanes[*at].runner);
        let nth = |at: usize| order[..at].iter().filter(|lane| runner(lane) == runner(&order[at])).count();
        (0..order.len()).map(|at| format!("{}/{}", runner(&order[at]), nth(at))).collect()
    }
}
