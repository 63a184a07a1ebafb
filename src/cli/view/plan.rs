//! A pipeline as `podline plan` shows it.

use std::{collections::HashSet, time::Duration};

use super::plan_child::with_child;
use super::{dummies, estimated_fits, most_services, not_simulated, plan_pods::Pods, slots, title};
use crate::{
    cli::{
        builds::Builds,
        planned::{Planned, Runner},
        project::Project,
    },
    config::keyword::{job::AllowFailure, rules::When},
    pipeline::{Job, LeftOut, Pipeline, job::Need},
    report::plan::{Plan, PlanJob, PlanStage},
    runner::settings::concurrency::{requested, requested_of_a_real_cluster},
};

/// Characters of a reason that are shown: a condition may be long, and `podline explain` has it whole.
const REASON: usize = 72;

/// The plan as people read it.
pub fn plan(
    project: &Project,
    planned: &Planned,
    runner: &Runner,
    builds: &Builds,
    jobs: Option<usize>,
) -> Plan {
    let (pipeline, settings) = (&*builds.pipeline, &runner.settings);
    let pods = Pods::of(builds);
    let conditional = conditional(planned);
    let stage = |name: &String| PlanStage {
        name: name.clone(),
        jobs: pipeline
            .jobs()
            .filter(|(_, job)| job.stage == *name)
            .map(|(id, job)| PlanJob {
                reason: conditional.contains(job.key.as_str()).then(|| shortened(&job.reason)),
                image: pods.image(id),
                limits: pods.limits(id),
                ..with_child(plan_job(pipeline, job), project, planned, job, 0)
            })
            .collect(),
    };
    let services = most_services(pipeline);
    let image = pods.shared.as_ref().map(|shared| match shared {
        (image, Some(limits)) => format!("every job runs in `{image}` with {limits}"),
        (refused, None) => format!("no job can run: {refused}"),
    });
    let mut facts: Vec<_> = image.into_iter().collect();
    facts.extend(runner_facts(runner, services));
    Plan {
        title: title(&planned.context),
        name: pipeline.name.clone(),
        filtered: pipeline.filtered.clone(),
        stages: pipeline.stages.iter().map(stage).collect(),
        slots: (!pipeline.jobs.is_empty()).then(|| slots(settings, estimated_fits(settings, pipeline), jobs)),
        notes: planned.notes(project),
        runner: facts,
        left_out: reasons(&pipeline.left_out),
        unresolved: reasons(&pipeline.unresolved),
        not_simulated: not_simulated(pipeline),
        dummies: dummies(pipeline),
    }
}

/// Keys of the jobs that say when they are in.
fn conditional(planned: &Planned) -> HashSet<&str> {
    let jobs = planned.config.iter().flat_map(|config| &config.jobs);
    let conditional = jobs.filter(|job| job.rules.is_some() || job.only.is_some() || job.except.is_some());
    conditional.map(|job| job.name.as_str()).collect()
}

/// What a job itself says.
pub(super) fn plan_job(pipeline: &Pipeline, job: &Job) -> PlanJob {
    let names = |needs: &Vec<Need>| needs.iter().map(|need| pipeline.job(need.job).name.clone()).collect();
    PlanJob {
        name: job.name.clone(),
        when: when(job),
        allow_failure: allow_failure(job),
        needs: job.needs.as_ref().map(names),
        held: job.held.as_ref().map(|held| format!("held: {held}")),
        environment: job.environment.as_ref().map(|environment| environment.name.clone()),
        ..PlanJob::default()
    }
}

fn reasons(jobs: &[LeftOut]) -> Vec<(String, String)> {
    jobs.iter().map(|job| (job.name.clone(), shortened(&job.reason))).collect()
}

fn shortened(reason: &str) -> String {
    match reason.char_indices().nth(REASON) {
        Some((at, _)) => format!("{}…", reason[..at].trim_end()),
        None => reason.to_owned(),
    }
}

pub(in crate::cli) fn when(job: &Job) -> Option<String> {
    match job.when {
        When::OnSuccess | When::Never => None,
        When::OnFailure => Some("when something has failed".to_owned()),
        When::Always => Some("always".to_owned()),
        When::Manual => Some("manual".to_owned()),
        When::Delayed => Some(format!("delayed by {}", span(job.start_in.unwrap_or_default()))),
    }
}

pub(in crate::cli) fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, 0) => format!("{minutes}m"),
        (0, minutes, seconds) => format!("{minutes}m {seconds}s"),
        (hours, 0, _) => format!("{hours}h"),
        (hours, minutes, _) => format!("{hours}h {minutes}m"),
    }
}

pub(in crate::cli) fn allow_failure(job: &Job) -> Option<String> {
    match &job.allow_failure {
        // an optional manual job says what it is by being manual
        AllowFailure::Always(true) if job.when != When::Manual => Some("may fail".to_owned()),
        AllowFailure::Always(_) => None,
        AllowFailure::ExitCodes(codes) => {
            let codes: Vec<_> = codes.iter().map(i32::to_string).collect();
            Some(format!("may fail with exit code {}", codes.join(", ")))
        }
    }
}

/// Where the runner's settings differ, what had to be changed in its manifests, what a real cluster is asked.
fn runner_facts(runner: &Runner, services: usize) -> Vec<String> {
    let mut facts = Vec::new();
    if let Some(config) = &runner.config {
        facts.extend(config.changes.iter().cloned());
        facts.extend(runner.settings.differences_from_default());
    }
    let (here, there) =
        (requested(&runner.settings, services), requested_of_a_real_cluster(&runner.settings, services));
    if here != there {
        facts.push(format!(
            "a pod requests {here} here; a real cluster would be asked for {there}, as limits without requests are requests"
        ));
    }
    facts
}
