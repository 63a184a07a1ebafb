//! What is left after a run that was interrupted or killed, in the shared kind cluster.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command},
};

use crate::support::{Project, Seen, cluster};

const SLOW: &str = "
image: busybox:1.36
one:
  script: [echo ready, sleep 60]
  after_script: [echo cleaned up]
";

/// Starts a run and returns once its script runs.
fn start(project: &Project) -> Child {
    let arguments = ["run", "--engine", "kind", "--cluster", &cluster::name(), "--output", "json"];
    let mut child = project.podline(&arguments).start();
    let mut lines = BufReader::new(child.stdout.as_mut().expect("stdout is piped"));
    let mut line = String::new();
    while !line.contains("\"line\":\"ready\"") {
        line.clear();
        assert!(lines.read_line(&mut line).expect("a line") > 0, "the script never ran");
    }
    child
}

fn signal(child: &Child, signal: &str) {
    let status = Command::new("kill").args([signal, &child.id().to_string()]).status();
    assert!(status.expect("kill can be started").success());
}

#[test]
fn an_interrupt_ends_the_run_as_gitlab_cancels_it() {
    if !cluster::is_up() {
        return;
    }
    for name in ["-INT", "-TERM", "-HUP"] {
        let project = Project::with(SLOW);
        let child = start(&project);
        signal(&child, name);
        let seen = Seen::of(&child.wait_with_output().expect("podline ends")).expect(130);
        assert!(seen.stdout.contains("cleaned up"), "{name}: after_script runs: {seen}");
        assert!(seen.stdout.contains("canceling"), "{name}: {seen}");
    }
}

#[test]
fn the_pods_of_a_killed_run_are_removed_by_prune() {
    if !cluster::is_up() {
        return;
    }
    let project = Project::with(SLOW);
    let mut child = start(&project);
    signal(&child, "-KILL");
    child.wait().expect("podline is killed");
    let prune = || project.podline(&["cluster", "prune"]).run().expect(0).stderr;
    assert!(prune().contains("removed the pods of "));
    assert!(!prune().contains("removed the pods of "), "they are gone");
}
