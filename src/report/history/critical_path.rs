//! Where the length of a run came from.

use super::{History, Job};

/// The jobs that each waited for the one before, from the one that ended last: the run could not have been
/// faster than they are. Of a trigger job that waited for its child pipeline, it is the jobs there.
pub(super) fn critical_path(run: &History) -> Vec<usize> {
    if run.pipelines.is_empty() { Vec::new() } else { of(run, 0) }
}

fn of(run: &History, pipeline: usize) -> Vec<usize> {
    let all: Vec<usize> = (0..run.jobs.len()).filter(|at| run.jobs[*at].pipeline == pipeline).collect();
    let mut path: Vec<usize> = Vec::new();
    let mut next = last(&all, |at| ended_with_child(run, at));
    while let Some(at) = next.filter(|at| !path.contains(at)) {
        path.push(at);
        next = last(&waited_for(run, &all, at), |at| ended(&run.jobs[at]));
    }
    path.reverse();
    let end = path.last().copied();
    path.into_iter().flat_map(|at| below(run, at, end == Some(at))).collect()
}

/// The job, or the jobs of its child pipeline where these are why it took so long.
fn below(run: &History, at: usize, is_last: bool) -> Vec<usize> {
    let inner = child(run, at).map(|child| of(run, child)).unwrap_or_default();
    let inner_end = inner.last().and_then(|at| ended(&run.jobs[*at]));
    let has_waited = ended(&run.jobs[at]).zip(inner_end).is_some_and(|(own, inner)| inner <= own);
    if !inner.is_empty() && (has_waited || is_last) { inner } else { vec![at] }
}

/// A child pipeline lies after that of its trigger job, so none is its own.
fn child(run: &History, at: usize) -> Option<usize> {
    let child = run.pipelines.iter().position(|pipeline| pipeline.trigger == Some(at));
    child.filter(|child| *child > run.jobs[at].pipeline)
}

fn ended(job: &Job) -> Option<f64> {
    job.attempts.last().and_then(|attempt| attempt.to)
}

/// When a job and all that it has started had ended.
fn ended_with_child(run: &History, at: usize) -> Option<f64> {
    let inner = child(run, at).and_then(|child| of(run, child).last().copied());
    let inner = inner.and_then(|at| ended(&run.jobs[at]));
    ended(&run.jobs[at]).into_iter().chain(inner).max_by(f64::total_cmp)
}

fn waited_for(run: &History, all: &[usize], at: usize) -> Vec<usize> {
    let job = &run.jobs[at];
    match &job.needs {
        Some(needs) => needs.clone(),
        None => all.iter().copied().filter(|other| run.jobs[*other].stage < job.stage).collect(),
    }
}

/// The one that ended last, of several the first.
fn last(of: &[usize], ended: impl Fn(usize) -> Option<f64>) -> Option<usize> {
    let timed = of.iter().filter_map(|at| Some((*at, ended(*at)?)));
    timed.max_by(|one, other| one.1.total_cmp(&other.1).then(other.0.cmp(&one.0))).map(|(at, _)| at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::script;

    fn path(events: Vec<script::Timed>) -> Vec<String> {
        let run = History::of(&script::record(events));
        run.critical_path.iter().map(|at| run.path(&run.jobs[*at])).collect()
    }

    #[test]
    fn it_leads_to_the_job_that_ended_last() {
        assert_eq!(path(script::mixed()), ["compile", "bench"]);
    }

    #[test]
    fn it_goes_through_a_child_pipeline_that_was_waited_for() {
        assert_eq!(path(script::family()), ["make", "tests/unit", "report"]);
    }
}
