//! What the views show of a pipeline.

pub mod plan;
mod plan_child;
mod plan_pods;

pub(super) use plan::{allow_failure, span, when};

use crate::{
    engine::Fits,
    pipeline::{Context, Event, Job, Pipeline},
    report::plan::Slots,
    runner::{
        Capacity, Concurrency, Settings,
        build::DUMMY_VARIABLES,
        settings::{Amount, concurrency::requested},
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
        Event::Schedule { branch, .. } => format!("schedule on {branch}"),
        Event::Web { branch } => format!("started by hand on {branch}"),
        Event::Api { branch } => format!("started over the API on {branch}"),
        Event::Trigger { branch } => format!("trigger on {branch}"),
    };
    let sha: String = context.commit.sha.chars().take(8).collect();
    format!("{what}, {sha}")
}

/// The most services that a job of the pipeline has.
fn most_services(pipeline: &Pipeline) -> usize {
    pipeline.jobs.iter().map(|job| job.services.len()).max().unwrap_or(0)
}

/// How many pods of the pipeline a kind node on this machine likely has room for: all of its CPUs less what the
/// node's own pods request. Memory is hardly ever what binds.
pub fn estimated_fits(settings: &Settings, pipeline: &Pipeline) -> Option<Fits> {
    let cpus = std::thread::available_parallelism().ok()?.get() as u64;
    let cpu = Amount::thousandths((cpus * 1000).saturating_sub(NODE_OWN_CPU));
    let free = Capacity { cpu, memory: Amount::units(u64::MAX / 2) };
    let pods = requested(settings, most_services(pipeline)).fits(free);
    Some(Fits { pods: pods as u64, place: "the node".to_owned() })
}

/// How many pods run at once where there is room for so many, and what binds.
pub fn slots(settings: &Settings, fits: Option<Fits>, jobs: Option<usize>) -> Slots {
    let (fits, place) =
        fits.map(|fits| (usize::try_from(fits.pods).unwrap_or(usize::MAX), fits.place)).unzip();
    let Concurrency { pods, fits, jobs } = Concurrency::of(settings, fits, jobs);
    Slots {
        pods,
        runners: settings.runners.len(),
        concurrent: settings.concurrent,
        fits: fits.zip(place),
        jobs,
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
