//! What comes next and why, in words for who looks on.

use crate::{
    event::{Until, Upcoming},
    pipeline::{Job, JobId, Pipeline, When},
};

/// At most so many jobs of a stage are named.
const NAMED: usize = 4;

/// A stage that begins; `is_done` says which jobs have ended.
pub(super) fn stage(
    pipeline: &Pipeline,
    stage: &str,
    is_done: impl Fn(JobId) -> bool,
    until: Until,
) -> Upcoming {
    let own: Vec<&str> =
        pipeline.jobs.iter().filter(|job| job.stage == stage).map(|job| job.name.as_str()).collect();
    let earlier: Vec<(JobId, &Job)> = earlier(pipeline, stage).collect();
    let open: Vec<&str> =
        earlier.iter().filter(|(id, _)| !is_done(*id)).map(|(_, job)| job.name.as_str()).collect();
    let why = match (earlier.last(), open.as_slice()) {
        (None, _) => "it is the first stage".to_owned(),
        (Some((_, last)), []) => format!("all jobs up to stage `{}` are done", last.stage),
        (_, open) => {
            let is = if open.len() == 1 { "is" } else { "are" };
            format!("a job of it waits only for what it needs; {} {is} not done", list(open))
        }
    };
    let what = match own.as_slice() {
        [one] => format!("its only job is `{one}`"),
        all => format!("it has the jobs {}", list(all)),
    };
    Upcoming { stage: stage.to_owned(), job: None, what, why, until }
}

/// An attempt of a job that begins.
pub(super) fn job(pipeline: &Pipeline, id: JobId, number: u32, until: Until) -> Upcoming {
    let job = pipeline.job(id);
    let (what, why) = (what(job), why(pipeline, job, number));
    Upcoming { stage: job.stage.clone(), job: Some(job.name.clone()), what, why, until }
}

/// The jobs of the stages before a stage.
fn earlier<'p>(pipeline: &'p Pipeline, stage: &str) -> impl Iterator<Item = (JobId, &'p Job)> {
    let at = pipeline.stages.iter().position(|one| one == stage).unwrap_or_default();
    pipeline.jobs().filter(move |(_, job)| pipeline.stages[..at].contains(&job.stage))
}

fn what(job: &Job) -> String {
    if job.trigger.is_some() {
        return "its child pipeline is created".to_owned();
    }
    let commands = match job.script.len() {
        1 => "the command of its script".to_owned(),
        count => format!("the {count} commands of its script"),
    };
    match job.services.len() {
        0 => format!("a pod is made, and runs {commands}"),
        1 => format!("a pod is made with a service beside the job, and runs {commands}"),
        count => format!("a pod is made with {count} services beside the job, and runs {commands}"),
    }
}

fn why(pipeline: &Pipeline, job: &Job, number: u32) -> String {
    if number > 1 {
        return format!("the attempt before failed, and `retry` covers that: this is attempt {number}");
    }
    match job.when {
        When::Manual => return "it is manual, and was asked for".to_owned(),
        When::Delayed => return "its delay is over".to_owned(),
        When::OnFailure => return "a job before it failed, and it has `when: on_failure`".to_owned(),
        When::Always => return "what comes before it is done, and it has `when: always`".to_owned(),
        _ => {}
    }
    match &job.needs {
        Some(needs) if needs.is_empty() => "it needs nothing".to_owned(),
        Some(needs) => {
            let names: Vec<&str> = needs.iter().map(|need| pipeline.job(need.job).name.as_str()).collect();
            format!("what it needs is done: {}", list(&names))
        }
        None if earlier(pipeline, &job.stage).next().is_none() => "it is in the first stage".to_owned(),
        None => "all jobs of earlier stages are done".to_owned(),
    }
}

/// Names in a sentence.
fn list(names: &[&str]) -> String {
    let named: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    match (named.as_slice(), names.len().saturating_sub(NAMED)) {
        ([one], 0) => one.clone(),
        ([first @ .., last], 0) => format!("{} and {last}", first.join(", ")),
        (some, more) => format!("{} and {more} more", some.join(", ")),
    }
}
