//! GitLab's pipeline-processing cases, through the configuration, the pipeline and the scheduler.

use std::path::Path;

use indexmap::IndexMap;
use podline::{
    config::{self, Diagnostics, Sources, yaml},
    pipeline::JobId,
    scheduler::{Deploy, End, Input, Options, Scheduler},
};
use serde::Deserialize;

use super::{
    project::{Project, push},
    tally::{self, Tally},
};

#[derive(Deserialize)]
struct Case {
    init: Init,
    transitions: Vec<Transition>,
}

#[derive(Deserialize)]
struct Init {
    expect: State,
}

#[derive(Deserialize)]
struct Transition {
    event: String,
    jobs: Option<Vec<String>>,
    expect: State,
}

#[derive(Deserialize, Debug, PartialEq, Eq)]
struct State {
    pipeline: String,
    stages: IndexMap<String, String>,
    jobs: IndexMap<String, String>,
}

#[test]
fn every_pipeline_goes_on_as_gitlabs_does() {
    if let Some(folder) = tally::conformance() {
        run_all("scheduler", &folder.join("scheduler"));
    }
}

/// What the others leave open: cancellations, delays, exit codes, `needs` within a stage.
#[test]
fn every_pipeline_of_our_own_goes_on_as_gitlab_documents() {
    run_all("own scheduler", &Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance/scheduler"));
}

fn run_all(name: &'static str, folder: &Path) {
    let mut tally = Tally::new(name);
    let mut compared = 0;
    for file in tally::files(folder) {
        tally.case(&file, run(&folder.join(&file)).map(|states| compared += states));
    }
    tally.finish(&format!("; {compared} states compared"));
}

/// Goes through a case; gives how many states were compared.
fn run(file: &Path) -> Result<usize, String> {
    let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
    let case: Case = serde_yaml::from_str(&text).map_err(|error| error.to_string())?;
    let mut scheduler = scheduler(&text)?;
    scheduler.handle(Input::Begin);
    compare(&scheduler, &case.init.expect).map_err(|error| format!("init: {error}"))?;
    for (at, transition) in case.transitions.iter().enumerate() {
        let place = format!("transition {} ({})", at + 1, transition.event);
        apply(&mut scheduler, transition).map_err(|error| format!("{place}: {error}"))?;
        compare(&scheduler, &transition.expect).map_err(|error| format!("{place}: {error}"))?;
    }
    Ok(1 + case.transitions.len())
}

/// The pipeline of the `config` of a case, before it begins.
fn scheduler(case: &str) -> Result<Scheduler, String> {
    let (mut sources, mut diagnostics) = (Sources::default(), Diagnostics::default());
    let source = sources.add("case.yml", case);
    let documents = yaml::parse(source, case, &mut diagnostics).ok_or("the case is no YAML")?;
    let config = documents.content.get("config").and_then(config::Node::as_mapping).ok_or("no `config`")?;
    let planned = Project::of_text(&config::emit(config)).plan(".gitlab-ci.yml", &push());
    let errors: Vec<String> = planned.errors().map(|error| planned.show(error)).collect();
    let pipeline = planned.pipeline.filter(|_| errors.is_empty()).ok_or(errors.join("\n"))?;
    // Nothing is held back: GitLab deploys.
    Ok(Scheduler::new(&pipeline, Options { deploy: Deploy::All, ..Options::default() }))
}

fn apply(scheduler: &mut Scheduler, transition: &Transition) -> Result<(), String> {
    let unknown = || format!("unknown event `{}`", transition.event);
    let Some(names) = &transition.jobs else {
        scheduler.handle(match transition.event.as_str() {
            "retry" => Input::RetryAll,
            "cancel" => Input::CancelAll,
            _ => return Err(unknown()),
        });
        return Ok(());
    };
    for name in names {
        let job = scheduler.graph().tasks.iter().position(|task| task.name == *name);
        let job = JobId(job.ok_or_else(|| format!("there is no job `{name}`"))?);
        scheduler.handle(match transition.event.as_str() {
            "success" => Input::Finished(job, End::Success),
            "drop" => Input::Finished(job, End::Failed { reason: "script_failure", exit_code: Some(1) }),
            "cancel" => Input::Cancel(job),
            "run" => Input::Run(job),
            "play" => Input::Play(job),
            "enqueue" => Input::Enqueue(job),
            "retry" => Input::Retry(job),
            "skip" => Input::Finished(job, End::Skipped("skipped".to_owned())),
            "enqueue_scheduled" => Input::DelayOver(job),
            _ => return Err(unknown()),
        });
    }
    Ok(())
}

fn compare(scheduler: &Scheduler, expected: &State) -> Result<(), String> {
    let graph = scheduler.graph();
    let with_jobs = |stage: &usize| graph.tasks.iter().any(|task| task.stage == *stage);
    let stages = (0..graph.stages.len()).filter(with_jobs);
    let jobs = graph.tasks.iter().enumerate();
    let found = State {
        pipeline: scheduler.pipeline_status().name().to_owned(),
        stages: stages
            .map(|stage| (graph.stages[stage].clone(), scheduler.stage_status(stage).name().to_owned()))
            .collect(),
        jobs: jobs
            .map(|(job, task)| (task.name.clone(), scheduler.status(JobId(job)).name().to_owned()))
            .collect(),
    };
    if found == *expected { Ok(()) } else { Err(format!("\n  expected {expected:?}\n  found    {found:?}")) }
}
