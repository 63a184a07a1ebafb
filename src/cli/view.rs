//! A pipeline as the plan's view shows it.

use std::{collections::HashSet, time::Duration};

use super::{
    planned::{Planned, Runner},
    project::Project,
};
use crate::{
    config::keyword::{job::AllowFailure, rules::When},
    pipeline::{Context, Event, Job, Pipeline},
    report::plan::{Plan, PlanJob, PlanStage, Slots},
    runner::{
        Capacity, Settings,
        build::DUMMY_VARIABLES,
        concurrency::{requested, requested_of_a_real_cluster},
        settings::Amount,
    },
};

/// CPU that a kind node's own pods request, in thousandths: etcd, the API server and its companions.
const NODE_OWN_CPU: u64 = 950;

/// What the pipeline is for: `push to main, 5f2c01ab`.
pub fn title(context: &Context) -> String {
    let what = match &context.event {
        Event::Push { branch, .. } => format!("push to {branch}"),
        Event::Tag { tag, .. } => format!("tag {tag}"),
        Event::MergeRequest(request) => {
            format!("merge request of {} into {}", request.source_branch, request.target_branch)
        }
        Event::Schedule { branch } => format!("schedule on {branch}"),
        Event::Web { branch } => format!("started by hand on {branch}"),
        Event::Api { branch } => format!("started over the API on {branch}"),
        Event::Trigger { branch } => format!("trigger on {branch}"),
    };
    let sha: String = context.commit.sha.chars().take(8).collect();
    format!("{what}, {sha}")
}

/// The most services that a job of the pipeline has.
pub fn most_services(pipeline: &Pipeline) -> usize {
    pipeline.jobs.iter().map(|job| job.services.len()).max().unwrap_or(0)
}

/// What a kind node on this machine likely has for pods: all of its CPUs less what the node's own pods
/// request. Memory is hardly ever what binds.
pub fn estimated_room() -> Option<Capacity> {
    let cpus = std::thread::available_parallelism().ok()?.get() as u64;
    let cpu = Amount::thousandths((cpus * 1000).saturating_sub(NODE_OWN_CPU));
    Some(Capacity { cpu, memory: Amount::units(u64::MAX / 2) })
}

/// The plan as people read it.
pub fn plan(
    project: &Project,
    planned: &Planned,
    pipeline: &Pipeline,
    runner: &Runner,
    jobs: Option<usize>,
) -> Plan {
    let settings = &runner.settings;
    let shared = shared_image(pipeline, settings);
    let conditional = conditional(planned);
    let stage = |name: &String| PlanStage {
        name: name.clone(),
        jobs: pipeline
            .jobs
            .iter()
            .filter(|job| job.stage == *name)
            .map(|job| {
                plan_job(pipeline, job, settings, shared.is_none(), conditional.contains(job.key.as_str()))
            })
            .collect(),
    };
    let services = most_services(pipeline);
    let fits = estimated_room().map(|free| requested(settings, services).fits(free).max(1));
    let mut facts = project.notes.clone();
    facts.extend(
        shared.as_ref().map(|image| format!("every job runs in `{image}` with {}", limits(settings))),
    );
    facts.extend(runner_facts(runner, services));
    Plan {
        title: title(&planned.context),
        name: pipeline.name.clone(),
        filtered: pipeline.filtered.clone(),
        stages: pipeline.stages.iter().map(stage).collect(),
        slots: (!pipeline.jobs.is_empty()).then_some(Slots {
            runners: settings.runners.len(),
            concurrent: settings.concurrent,
            fits,
            jobs,
        }),
        runner: facts,
        left_out: pipeline.left_out.iter().map(|left| (left.name.clone(), left.reason.clone())).collect(),
        not_simulated: not_simulated(pipeline),
        dummies: dummies(pipeline),
    }
}

/// Keywords that are accepted and not acted on, each once, for people.
pub fn not_simulated(pipeline: &Pipeline) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for keyword in &pipeline.not_simulated {
        let name = format!("`{}`", keyword.value);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Variables with made-up values that some job's file mentions.
pub fn dummies(pipeline: &Pipeline) -> Vec<String> {
    let mentions = |name: &str| pipeline.jobs.iter().any(|job| mentions(job, name));
    DUMMY_VARIABLES.iter().filter(|name| mentions(name)).map(|name| (*name).to_owned()).collect()
}

fn mentions(job: &Job, name: &str) -> bool {
    let scripts = job.script.iter().chain(&job.after_script).map(|line| line.value.as_str());
    let values = job.variables.iter().map(|variable| variable.value.as_str());
    scripts.chain(values).any(|text| text.contains(name))
}

/// Keys of the jobs that say when they are in.
fn conditional(planned: &Planned) -> HashSet<&str> {
    let jobs = planned.config.iter().flat_map(|config| &config.jobs);
    let conditional = jobs.filter(|job| job.rules.is_some() || job.only.is_some() || job.except.is_some());
    conditional.map(|job| job.name.as_str()).collect()
}

/// The image, if all jobs have the same one: it is then said once.
fn shared_image(pipeline: &Pipeline, settings: &Settings) -> Option<String> {
    let mut images = pipeline.jobs.iter().map(|job| image(job, settings));
    let first = images.next()??;
    (pipeline.jobs.len() > 1 && images.all(|image| image.as_ref() == Some(&first))).then_some(first)
}

fn image(job: &Job, settings: &Settings) -> Option<String> {
    job.image.as_ref().map(|image| image.name.value.clone()).or_else(|| settings.image.clone())
}

fn limits(settings: &Settings) -> String {
    let text = |quantity: &Option<k8s_openapi::apimachinery::pkg::api::resource::Quantity>| {
        quantity.as_ref().map(|quantity| quantity.0.clone())
    };
    match (text(&settings.build.cpu_limit), text(&settings.build.memory_limit)) {
        (Some(cpu), Some(memory)) => format!("{cpu} CPU, {memory}"),
        (Some(cpu), None) => format!("{cpu} CPU"),
        (None, Some(memory)) => memory,
        (None, None) => "no limits".to_owned(),
    }
}

/// `has_conditions`: that a job without any is in is no news.
fn plan_job(
    pipeline: &Pipeline,
    job: &Job,
    settings: &Settings,
    with_image: bool,
    has_conditions: bool,
) -> PlanJob {
    let image = match image(job, settings) {
        Some(image) => with_image.then_some(image),
        None if job.trigger.is_some() => None,
        None => Some("no image: `--default-image` names one".to_owned()),
    };
    let names = |needs: &Vec<crate::pipeline::job::Need>| {
        needs.iter().map(|need| pipeline.job(need.job).name.clone()).collect()
    };
    PlanJob {
        name: job.name.clone(),
        when: when(job),
        allow_failure: allow_failure(job),
        needs: job.needs.as_ref().map(names),
        reason: has_conditions.then(|| job.reason.clone()),
        held: job.held.as_ref().map(|held| format!("held: {held}")),
        environment: job.environment.as_ref().map(|environment| environment.name.clone()),
        limits: image.is_some().then(|| limits(settings)).filter(|_| with_image),
        image,
    }
}

fn when(job: &Job) -> Option<String> {
    match job.when {
        When::OnSuccess | When::Never => None,
        When::OnFailure => Some("when something has failed".to_owned()),
        When::Always => Some("always".to_owned()),
        When::Manual => Some("manual".to_owned()),
        When::Delayed => Some(format!("delayed by {}", span(job.start_in.unwrap_or_default()))),
    }
}

fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, 0) => format!("{minutes}m"),
        (0, minutes, seconds) => format!("{minutes}m {seconds}s"),
        (hours, 0, _) => format!("{hours}h"),
        (hours, minutes, _) => format!("{hours}h {minutes}m"),
    }
}

fn allow_failure(job: &Job) -> Option<String> {
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
