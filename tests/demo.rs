//! Runs in front of a class: `--step`, `--narrate` and `--speed`, in a real pseudo-terminal and a real cluster.

#![expect(clippy::print_stderr, reason = "a test that cannot run says why")]

use std::process::Command;

use crate::{
    kind::run,
    support::{
        Project, cluster, engine,
        pty::{Ended, OnTerminal},
    },
};

/// What a run says when it stops.
const STOPS: &str = "Enter goes on, Ctrl-C ends the run";

/// Runs podline in a terminal and answers each stop; gives the number of stops, what was shown, the exit code.
fn in_a_terminal(project: &Project, arguments: &str, columns: u16, answer: &str) -> (usize, Ended) {
    let mut run = OnTerminal::podline(project, arguments.split(' ')).size(columns, 24).start();
    let mut stops = 0;
    while run.until_more_of(STOPS, stops) {
        stops += 1;
        run.press(answer);
    }
    (stops, run.end())
}

/// Where the jobs of these tests run.
fn place() -> Option<String> {
    engine::is_up().then(|| match engine::is_embedded() {
        true => "--engine embedded".to_owned(),
        false => format!("--cluster {}", cluster::name()),
    })
}

#[test]
fn a_run_stops_before_each_stage_and_each_job_until_enter() {
    let Some(place) = place() else { return };
    let project = Project::fixture("tour/01-stages");
    let arguments = format!("run {place} --step --color never");
    let (stops, seen) = in_a_terminal(&project, &arguments, 80, "\n");
    let seen = seen.expect(0).everything;
    assert_eq!(stops, 3 + 4, "{seen}");
    assert!(seen.contains("next: stage `test`: it has the jobs `unit` and `style`"), "{seen}");
    assert!(seen.contains("      all jobs up to stage `build` are done"), "{seen}");
    assert!(seen.contains("next: `unit`: a pod is made, and runs the command of its script"), "{seen}");
    // a job has not begun before somebody let it
    let (stop, start) = (seen.find("next: `upload`"), seen.find("[upload] started"));
    assert!(stop.is_some() && stop < start, "{seen}");
}

/// What is said before the first stage, its job and the next stage.
#[test]
fn a_stop_fits_a_narrow_and_a_wide_terminal() {
    let Some(place) = place() else { return };
    for columns in [40, 200] {
        let project = Project::fixture("tour/01-stages");
        let arguments = format!("run {place} --step --color never");
        let (_, seen) = in_a_terminal(&project, &arguments, columns, "\n");
        let seen = seen.expect(0).everything;
        let stops: Vec<&str> = seen.split("next: ").skip(1).take(3).collect();
        let said = |stop: &&str| stop.split("the run").next().map(|said| format!("next: {said}the run"));
        let stops: Vec<_> = stops.iter().filter_map(said).collect();
        insta::assert_snapshot!(format!("step_{columns}"), stops.join("\n\n"));
    }
}

#[test]
fn ctrl_c_ends_a_run_that_stops() {
    let Some(place) = place() else { return };
    let project = Project::fixture("tour/01-stages");
    let arguments = format!("run {place} --step --color never");
    let (stops, seen) = in_a_terminal(&project, &arguments, 80, "\u{3}");
    let seen = seen.expect(130).everything;
    assert_eq!(stops, 1, "{seen}");
    assert!(!seen.contains("[compile] started"), "{seen}");
}

#[test]
fn without_a_terminal_a_run_says_what_comes_next_and_goes_on() {
    let Some(run) = run(&Project::fixture("tour/05-services"), &["--step"]) else { return };
    run.code(0);
    assert!(run.notices().any(|notice| notice.contains("there is no terminal to press Enter in")));
    let next: Vec<_> = run.events().iter().filter(|event| event["event"] == "upcoming").collect();
    assert_eq!((&next[0]["stage"], &next[0]["job"]), (&"test".into(), &serde_json::Value::Null));
    assert_eq!(next[1]["job"], "browse");
    assert_eq!(
        next[1]["what"],
        "a pod is made with a service beside the job, and runs the command of its script"
    );
    assert_eq!(next[1]["until"], "nothing");
}

#[test]
fn a_slow_run_leaves_time_that_is_not_the_jobs() {
    let Some(run) = run(&Project::fixture("tour/05-services"), &["--speed", "normal"]) else { return };
    run.code(0);
    let at = |position: usize| run.events()[position]["at"].as_f64().expect("a time");
    let started = run.position("job_started", "browse");
    let stage = run.position("upcoming", "browse");
    assert!(at(started) - at(stage) >= 1.4);
    assert_eq!(run.events()[stage]["until"]["seconds"], 1.5);
}

/// Every `kubectl` command that a run names works while its pod is there, as it was printed.
#[test]
fn a_narrated_run_names_kubectl_commands_that_are_right() {
    if engine::is_embedded() || Command::new("kubectl").args(["version", "--client"]).output().is_err() {
        eprintln!("skipped: it needs a cluster and kubectl");
        return;
    }
    let project = Project::with(
        "job: { image: 'busybox:1.36', script: [mkdir out, touch out/a], artifacts: { paths: [out] } }\n",
    );
    let Some(run) = run(&project, &["--narrate"]) else { return };
    run.code(0);
    let asked: Vec<_> = run.events().iter().filter(|event| event["event"] == "request").collect();
    let words = |event: &serde_json::Value| event["message"].as_str().expect("a message").to_owned();
    insta::assert_snapshot!(asked.iter().map(|event| words(event)).collect::<Vec<_>>().join("\n"));
    let commands = asked.iter().map(|event| event["command"].as_str().expect("a command"));
    for command in commands {
        let output = Command::new("sh")
            .args(["-c", &format!("timeout 5 {command}")])
            .env("KUBECONFIG", "/dev/null")
            .output()
            .expect("a shell can be started");
        let error = String::from_utf8_lossy(&output.stderr);
        // the pod is gone by now; everything else about the command is right
        let is_right = output.status.success() || error.contains("NotFound") || error.contains("not found");
        assert!(is_right, "{command}: {error}");
    }
}

#[test]
fn without_an_api_server_there_is_no_kubectl() {
    if !engine::is_embedded() {
        eprintln!("skipped: PODLINE_TEST_ENGINE is not `embedded`");
        return;
    }
    let Some(run) = run(&Project::fixture("tour/05-services"), &["--narrate"]) else { return };
    run.code(0);
    let asked: Vec<_> = run.events().iter().filter(|event| event["event"] == "request").collect();
    assert!(asked.len() > 3 && asked.iter().all(|event| event["command"].is_null()), "{asked:?}");
}
