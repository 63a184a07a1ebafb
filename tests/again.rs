//! Runs that go on from the last one, on this machine itself.

#![cfg(target_os = "linux")]

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdout, Command},
};

use crate::support::{Podline, Project, Run, Seen};

/// Fails at `flaky` as long as the file `broken` is there; what comes after it takes what `build` has left.
const PIPELINE: &str = "\
stages: [build, test, deploy]
default: { image: none }
build:
  stage: build
  script: ['echo built > built.txt', 'echo FROM_BUILD=yes > build.env']
  artifacts: { paths: [built.txt], reports: { dotenv: build.env } }
style:
  stage: test
  needs: []
  script: 'true'
flaky:
  stage: test
  script: test ! -e broken
publish:
  stage: deploy
  script: ['cat built.txt', 'echo dotenv $FROM_BUILD']
";

/// A project and a machine for podline alone, without Docker.
struct Place {
    project: Project,
    machine: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self::with(PIPELINE);
        place.project.write("broken", "");
        place
    }

    fn with(configuration: &str) -> Self {
        Self { project: Project::with(configuration), machine: tempfile::tempdir().expect("a folder") }
    }

    fn mend(&self) {
        std::fs::remove_file(self.project.path().join("broken")).expect("the file is there");
    }

    fn podline(&self, arguments: &[&str]) -> Podline {
        self.project
            .podline(arguments)
            .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
            .env("PODLINE_STATE", self.machine.path().join("state"))
            .env("PODLINE_CACHE", self.machine.path().join("cache"))
    }

    fn run(&self, more: &[&str]) -> Run {
        let arguments = ["run", "--engine", "embedded", "--image-fallback", "host", "--output", "json"];
        Run::new(self.podline(&[&arguments[..], more].concat()).run())
    }

    fn refused(&self, more: &[&str]) -> Seen {
        self.podline(&[&["run", "--engine", "embedded"][..], more].concat()).run().expect(2)
    }
}

/// The jobs that have started, in this order.
fn started(run: &Run) -> Vec<String> {
    let started = run.events().iter().filter(|event| event["event"] == "job_started");
    started.map(|event| event["job"].as_str().expect("a job has a name").to_owned()).collect()
}

#[test]
fn only_what_failed_and_what_comes_after_it_runs_again_with_the_artifacts_of_before() {
    let place = Place::new();
    place.run(&[]).code(1);
    // it fails again: the next run still has what the first one made
    let again = place.run(&["--failed"]);
    again.code(1);
    assert_eq!(started(&again), ["flaky"]);
    place.mend();
    let mended = place.run(&["--failed"]);
    mended.code(0);
    assert_eq!(started(&mended), ["flaky", "publish"]);
    assert_eq!(mended.statuses().get("build"), Some(&"success"));
    let output = mended.output("publish");
    assert!(output.contains(&"built") && output.contains(&"dotenv yes"), "{output:?}");
    // the run stands for itself
    let log = place.podline(&["log", "build"]).run().expect(0);
    assert!(log.stdout.contains("$ echo built > built.txt"), "{log}");
    assert_eq!(started(&place.run(&["--failed"])), Vec::<String>::new());
}

#[test]
fn a_run_from_a_job_on_takes_what_came_before_from_the_last_run() {
    let place = Place::new();
    place.mend();
    place.run(&[]).code(0);
    let run = place.run(&["--from", "publish"]);
    run.code(0);
    assert_eq!(started(&run), ["publish"]);
    assert!(run.output("publish").contains(&"built"));
}

#[test]
fn without_what_it_would_reuse_a_run_says_what_to_do() {
    let place = Place::new();
    insta::assert_snapshot!(place.refused(&["--failed"]).stderr, @r"
    error: there is no run yet
    help: `podline run` makes one
    ");
    place.run(&["style"]).code(0);
    insta::assert_snapshot!(place.refused(&["--from", "publish"]).stderr, @r"
    error: `build` did not run in the last run, run 1, so there are no artifacts of it
    help: `podline run --from build` begins with it, `podline run` with the whole pipeline
    ");
}

/// A `podline run --watch` and what it says.
struct Watch {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Watch {
    fn start(place: &Place) -> Self {
        let flags =
            ["run", "--watch", "--engine", "embedded", "--image-fallback", "host", "--output", "json"];
        let mut child = place.podline(&flags).start();
        let lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        Self { child, lines }
    }

    /// Waits for an event that has these texts.
    fn until(&mut self, texts: &[&str]) {
        let mut lines = self.lines.by_ref().map_while(Result::ok);
        assert!(lines.any(|line| texts.iter().all(|text| line.contains(text))), "no event has {texts:?}");
    }

    /// Ctrl-C.
    fn interrupt(mut self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill can be started").success());
        self.child.wait().expect("it ends");
    }
}

#[test]
fn a_change_runs_the_pipeline_again_and_ends_a_run_that_goes_on() {
    let place = Place::with("job: { image: none, script: ['cat word', 'test ! -e slow || sleep 600'] }\n");
    place.project.write("word", "one\n");
    let mut watch = Watch::start(&place);
    watch.until(&["job_output", "\"one\""]);
    watch.until(&["pipeline_finished", "success"]);
    place.project.write("slow", "").write("word", "two\n");
    watch.until(&["job_output", "\"two\""]);
    // the job sleeps, and what it was started for is no longer so
    std::fs::remove_file(place.project.path().join("slow")).expect("the file is there");
    watch.until(&["pipeline_finished", "canceled"]);
    watch.until(&["job_output", "\"two\""]);
    watch.until(&["pipeline_finished", "success"]);
    watch.interrupt();
}
