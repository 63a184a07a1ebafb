//! GitLab's own pipeline-processing cases, from the directory that `PODLINE_CONFORMANCE` names.

use std::path::Path;

use indexmap::IndexMap;
use serde::Deserialize;
use serde_yaml::Value;

use super::{End, Graph, Input, Options, Scheduler, Task};
use crate::pipeline::{AllowFailure, JobId, When};

#[derive(Deserialize)]
struct Case {
    config: IndexMap<String, Value>,
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

#[derive(Deserialize)]
struct JobConfig {
    stage: Option<String>,
    when: Option<String>,
    allow_failure: Option<bool>,
    needs: Option<Vec<Need>>,
    /// No case has a rule that matches.
    rules: Option<Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Need {
    Name(String),
    Job { job: String },
}

impl Need {
    fn name(&self) -> &str {
        match self {
            Self::Name(name) | Self::Job { job: name } => name,
        }
    }
}

#[test]
fn the_scheduler_agrees_with_gitlabs_own_cases() {
    let Some(directory) = std::env::var_os("PODLINE_CONFORMANCE") else {
        // `cargo test` shows it with --nocapture; that the test ran is not what it says.
        #[expect(clippy::print_stderr, reason = "a test that is skipped says why")]
        {
            eprintln!("skipped: PODLINE_CONFORMANCE does not name the directory with the cases");
        }
        return;
    };
    let directory = Path::new(&directory).join("scheduler");
    let mut files: Vec<_> = std::fs::read_dir(&directory)
        .expect("PODLINE_CONFORMANCE has a directory `scheduler`")
        .map(|entry| entry.expect("the directory can be read").path())
        .collect();
    files.sort();
    assert!(!files.is_empty(), "there are no cases");
    let wrong: Vec<String> = files.iter().filter_map(|file| run(file).err()).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), files.len(), wrong.join("\n"));
}

fn run(file: &Path) -> Result<(), String> {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{name}: {error}"))?;
    let case: Case = serde_yaml::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
    let graph = graph(&case.config).map_err(|error| format!("{name}: {error}"))?;
    let mut scheduler = Scheduler::from_graph(graph, Options::default());
    scheduler.handle(Input::Begin);
    compare(&scheduler, &case.init.expect).map_err(|error| format!("{name}: init: {error}"))?;
    for (at, transition) in case.transitions.iter().enumerate() {
        apply(&mut scheduler, transition);
        compare(&scheduler, &transition.expect)
            .map_err(|error| format!("{name}: {at} ({}): {error}", transition.event))?;
    }
    Ok(())
}

fn graph(config: &IndexMap<String, Value>) -> Result<Graph, serde_yaml::Error> {
    let named = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let mut stages: Vec<String> = match config.get("stages") {
        Some(stages) => serde_yaml::from_value(stages.clone())?,
        None => named(&["build", "test", "deploy"]),
    };
    stages.insert(0, ".pre".to_owned());
    stages.push(".post".to_owned());
    let cancel_on_job_failure = config
        .get("workflow")
        .and_then(|workflow| workflow.get("auto_cancel")?.get("on_job_failure")?.as_str())
        .is_some_and(|when| when == "all");
    let mut jobs = Vec::new();
    for (name, value) in config {
        if !matches!(name.as_str(), "stages" | "workflow") {
            let job: JobConfig = serde_yaml::from_value(value.clone())?;
            if job.rules.is_none() {
                let stage = job.stage.clone().unwrap_or_else(|| "test".to_owned());
                let stage = stages.iter().position(|other| *other == stage);
                jobs.push((stage.expect("a case names stages that are there"), name, job));
            }
        }
    }
    jobs.sort_by_key(|(stage, ..)| *stage);
    let id = |need: &Need| jobs.iter().position(|(_, name, _)| *name == need.name());
    let tasks = jobs.iter().map(|(stage, name, job)| {
        let when = when(job.when.as_deref());
        Task {
            when,
            start_in: (when == When::Delayed).then_some(std::time::Duration::from_secs(60)),
            allow_failure: AllowFailure::Always(job.allow_failure.unwrap_or(when == When::Manual)),
            needs: job.needs.as_ref().map(|needs| needs.iter().filter_map(id).collect()),
            ..Task::new(name, *stage)
        }
    });
    Ok(Graph { tasks: tasks.collect(), stages, cancel_on_job_failure })
}

fn when(name: Option<&str>) -> When {
    match name {
        Some("on_failure") => When::OnFailure,
        Some("always") => When::Always,
        Some("manual") => When::Manual,
        Some("delayed") => When::Delayed,
        _ => When::OnSuccess,
    }
}

fn apply(scheduler: &mut Scheduler, transition: &Transition) {
    let Some(names) = &transition.jobs else {
        scheduler.handle(match transition.event.as_str() {
            "retry" => Input::RetryAll,
            "cancel" => Input::CancelAll,
            event => panic!("unknown event `{event}`"),
        });
        return;
    };
    for name in names {
        let job = scheduler.graph().tasks.iter().position(|task| task.name == *name);
        let job = JobId(job.expect("a case names jobs that are there"));
        scheduler.handle(match transition.event.as_str() {
            "success" => Input::Finished(job, End::Success),
            "drop" => Input::Finished(job, End::Failed { reason: "script_failure", exit_code: Some(1) }),
            "cancel" => Input::Cancel(job),
            "run" => Input::Run(job),
            "play" => Input::Play(job),
            "enqueue" => Input::Enqueue(job),
            "retry" => Input::Retry(job),
            event => panic!("unknown event `{event}`"),
        });
    }
}

fn compare(scheduler: &Scheduler, expected: &State) -> Result<(), String> {
    let graph = scheduler.graph();
    let stages = graph.stages.iter().enumerate();
    let stages = stages.filter(|(stage, _)| graph.tasks.iter().any(|task| task.stage == *stage));
    let jobs = graph.tasks.iter().enumerate();
    let found = State {
        pipeline: scheduler.pipeline_status().name().to_owned(),
        stages: stages
            .map(|(stage, name)| (name.clone(), scheduler.stage_status(stage).name().to_owned()))
            .collect(),
        jobs: jobs
            .map(|(job, task)| (task.name.clone(), scheduler.status(JobId(job)).name().to_owned()))
            .collect(),
    };
    if found == *expected { Ok(()) } else { Err(format!("\n  expected {expected:?}\n  found    {found:?}")) }
}
