//! The chain of jobs that a pipeline cannot be faster than.

use std::time::Duration;

use super::Graph;

/// The jobs that took the longest one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CriticalPath {
    /// Names of the jobs in the order they ran, each waiting for the one before.
    pub jobs: Vec<String>,
    /// How long they took together, waiting for slots not counted.
    pub took: Duration,
}

/// The critical path of a pipeline, given how long each job took; `None` for a job that has not run.
///
/// Among equals, the job that comes first in GitLab's order is taken.
pub fn critical_path(graph: &Graph, took: &[Option<Duration>]) -> CriticalPath {
    let mut until = vec![Duration::ZERO; graph.tasks.len()];
    let mut before = vec![None; graph.tasks.len()];
    // The job that ends last in the stages before the one at hand, and in that one.
    let (mut earlier, mut here) = (None, None);
    let mut stage = 0;
    for job in graph.order() {
        let task = &graph.tasks[job];
        if task.stage != stage {
            stage = task.stage;
            earlier = later(earlier, here, &until);
            here = None;
        }
        before[job] = match &task.needs {
            Some(needs) => needs.iter().fold(None, |last, &need| later(last, Some(need), &until)),
            None => earlier,
        };
        let start = before[job].map_or(Duration::ZERO, |before: usize| until[before]);
        until[job] = start + took.get(job).copied().flatten().unwrap_or_default();
        here = later(here, Some(job), &until);
    }
    let mut jobs = Vec::new();
    let last = later(earlier, here, &until);
    let mut at = last;
    while let Some(job) = at {
        if took.get(job).copied().flatten().is_some() {
            jobs.push(graph.tasks[job].name.clone());
        }
        at = before[job];
    }
    jobs.reverse();
    CriticalPath { jobs, took: last.map(|last| until[last]).unwrap_or_default() }
}

/// The one of two jobs that ends later; the first of equals.
fn later(one: Option<usize>, other: Option<usize>, until: &[Duration]) -> Option<usize> {
    match (one, other) {
        (Some(one), Some(other)) if until[other] > until[one] => Some(other),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::critical_path;
    use crate::scheduler::{Graph, Task};

    /// Name, stage, needs, seconds.
    type Row<'a> = (&'a str, usize, Option<&'a [usize]>, Option<u64>);

    fn path(tasks: &[Row<'_>]) -> (Vec<String>, u64) {
        let took: Vec<_> = tasks.iter().map(|task| task.3.map(Duration::from_secs)).collect();
        let tasks = tasks.iter().map(|(name, stage, needs, _)| Task {
            needs: needs.map(<[usize]>::to_vec),
            ..Task::new(name, *stage)
        });
        let graph = Graph { tasks: tasks.collect(), ..Graph::default() };
        let path = critical_path(&graph, &took);
        (path.jobs, path.took.as_secs())
    }

    #[test]
    fn stages_add_up_by_their_slowest_jobs() {
        let (jobs, took) = path(&[
            ("build", 0, None, Some(10)),
            ("lint", 0, None, Some(30)),
            ("unit", 1, None, Some(5)),
            ("e2e", 1, None, Some(60)),
            ("deploy", 2, None, Some(1)),
        ]);
        assert_eq!((jobs.join(" "), took), ("lint e2e deploy".into(), 91));
    }

    #[test]
    fn needs_leave_slow_jobs_of_earlier_stages_aside() {
        let (jobs, took) = path(&[
            ("build", 0, None, Some(10)),
            ("lint", 0, None, Some(30)),
            ("test", 1, Some(&[0]), Some(25)),
        ]);
        assert_eq!((jobs.join(" "), took), ("build test".into(), 35));
    }

    #[test]
    fn a_job_that_has_not_run_is_not_named() {
        let (jobs, took) = path(&[
            ("build", 0, None, Some(10)),
            ("gate", 1, None, None),
            ("deploy", 2, Some(&[1]), Some(5)),
        ]);
        assert_eq!((jobs.join(" "), took), ("build deploy".into(), 15));
    }

    #[test]
    fn nothing_that_ran_is_no_path() {
        assert_eq!(path(&[]), (vec![], 0));
        assert_eq!(path(&[("build", 0, None, None)]), (vec![], 0));
    }
}
