//! Why a job waits or does not run, in words.

use super::{Scheduler, Status};
use crate::pipeline::When;

/// Why a job has the status it has, where that is not plain.
pub(super) fn of(scheduler: &Scheduler, job: usize) -> Option<String> {
    let task = &scheduler.graph.tasks[job];
    let state = &scheduler.jobs[job];
    match state.status {
        Status::Created => of_wait(scheduler, job),
        Status::WaitingForResource => {
            let group = task.resource_group.as_deref()?;
            let here = scheduler.resources.get(group).map(|holder| &scheduler.graph.tasks[*holder].name);
            let holder = here.or_else(|| scheduler.elsewhere.get(group))?;
            Some(format!("waits for resource group `{group}`, which `{holder}` has"))
        }
        Status::Pending => Some("waits for a slot".to_owned()),
        Status::Scheduled => Some(format!("delayed by {}", delay(task.start_in?))),
        Status::Manual => Some(match &task.held {
            Some(held) if state.held => format!("held: {held}"),
            _ if state.blocked => "its child pipeline waits for somebody to start a job".to_owned(),
            _ if scheduler.is_lenient(job) => "nobody has started it".to_owned(),
            _ => "blocks the pipeline until somebody starts it".to_owned(),
        }),
        Status::Skipped | Status::Canceled => state.why.clone(),
        Status::Running | Status::Success | Status::Failed => None,
    }
}

/// Why a job is skipped when what comes before it has this status.
pub(super) fn of_skip(scheduler: &Scheduler, job: usize, before: Status) -> Option<String> {
    let task = &scheduler.graph.tasks[job];
    let with = |status| named(scheduler, job, |other| scheduler.jobs[other].status == status);
    match before {
        Status::Failed => {
            let failed =
                |other: usize| scheduler.jobs[other].status == Status::Failed && !scheduler.is_lenient(other);
            named(scheduler, job, failed).map(|jobs| format!("{jobs} failed"))
        }
        Status::Canceled => with(Status::Canceled).map(|jobs| format!("{jobs} {} canceled", was(&jobs))),
        _ if task.when == When::OnFailure => Some("nothing before it failed".to_owned()),
        _ => with(Status::Skipped)
            .map(|jobs| format!("{jobs}, which it needs, {} skipped", was(&jobs)))
            .or_else(|| {
                let jobs = with(Status::Manual)?;
                Some(format!("nobody has started {jobs}, which it needs"))
            }),
    }
}

fn of_wait(scheduler: &Scheduler, job: usize) -> Option<String> {
    let manual = |other: usize| scheduler.jobs[other].status == Status::Manual;
    let moving = |other: usize| !scheduler.jobs[other].status.is_completed() && !manual(other);
    let blocking = |other: usize| manual(other) && !scheduler.is_lenient(other);
    named(scheduler, job, moving).map(|jobs| format!("waits for {jobs}")).or_else(|| {
        let jobs = named(scheduler, job, blocking)?;
        Some(format!("waits for somebody to start {jobs}"))
    })
}

/// Those of the jobs before `job` that are meant, as a list; nothing if there are none.
fn named(scheduler: &Scheduler, job: usize, meant: impl Fn(usize) -> bool) -> Option<String> {
    let before = scheduler.graph.predecessors(job).into_iter().filter(|&other| meant(other));
    let names: Vec<&str> = before.map(|other| scheduler.graph.tasks[other].name.as_str()).collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(format!("`{one}`")),
        [one, two] => Some(format!("`{one}` and `{two}`")),
        [one, two, more @ ..] => Some(format!("`{one}`, `{two}` and {} more", more.len())),
    }
}

fn was(jobs: &str) -> &'static str {
    if jobs.contains(" and ") { "were" } else { "was" }
}

/// A delay in words: `30m`, `1h 30m`.
fn delay(delay: std::time::Duration) -> String {
    let seconds = delay.as_secs();
    let units = [("d", 86_400, u64::MAX), ("h", 3_600, 24), ("m", 60, 60), ("s", 1, 60)];
    let parts: Vec<String> = units
        .iter()
        .map(|(unit, length, most)| (seconds / length % most, unit))
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}
