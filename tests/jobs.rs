//! What happens within a job, in a real kind cluster: as GitLab Runner's Kubernetes executor has it.

use std::{path::PathBuf, process::Command};

use crate::{
    kind::{Run, run},
    support::{Project, engine},
};

/// Asserts that a job has printed these lines in this order, others between them.
fn printed(run: &Run, job: &str, lines: &[&str]) {
    let output = run.output(job);
    let mut rest = output.iter();
    for line in lines {
        assert!(
            rest.any(|printed| printed == line),
            "`{line}` of `{job}` in its turn, in:\n{}",
            output.join("\n")
        );
    }
}

/// Asserts that a line of a job has this text in it.
fn said(run: &Run, job: &str, text: &str) {
    let output = run.output(job);
    assert!(output.iter().any(|line| line.contains(text)), "`{text}` of `{job}` in:\n{}", output.join("\n"));
}

fn never(run: &Run, job: &str, text: &str) {
    let output = run.output(job);
    assert!(!output.iter().any(|line| line.contains(text)), "`{text}` of `{job}` in:\n{}", output.join("\n"));
}

/// Builds the images of real servers from Debian packages; `None`, with the reason, where that cannot be.
#[expect(clippy::print_stderr, reason = "a test that cannot run says why")]
fn servers() -> Option<()> {
    let Some(builder) = std::env::var_os("PODLINE_LAB").map(|lab| PathBuf::from(lab).join("image")) else {
        eprintln!(
            "skipped: PODLINE_LAB does not name the folder whose `image` builds images of Debian packages"
        );
        return None;
    };
    for (image, package) in [("podline-test/postgres", "postgresql"), ("podline-test/redis", "redis-server")]
    {
        let is_there = Command::new("docker").args(["image", "inspect", image]).output();
        if is_there.is_ok_and(|output| output.status.success()) {
            continue;
        }
        let status = Command::new(&builder).args([image, package]).status().expect("it can be started");
        assert!(status.success(), "{image} was built");
    }
    Some(())
}

#[test]
fn a_job_uses_a_real_database_and_a_real_cache() {
    if !engine::is_up() || servers().is_none() {
        return;
    }
    let Some(run) = run(&Project::fixture("services"), &[]) else { return };
    run.code(0);
    printed(&run, "database", &["waiting for TCP connection to localhost on [5432]...", " there"]);
    printed(&run, "store", &["OK", "42"]);
    said(&run, "store", "[service:memory] ");
}

#[test]
fn services_that_do_not_serve_are_told_about() {
    let project = Project::fixture("ports");
    let Some(run) = run(&project, &["--runner-config", "patience.yml"]) else { return };
    run.code(1);
    said(&run, "two", "has ended with exit code 1; services share the pod's network");
    let failure = &run.finished("silent")["failure"];
    let message = failure["message"].as_str().expect("a message");
    assert_eq!(
        message,
        "service `deaf` (`busybox:1.36`) does not listen on port 9999, its `HEALTHCHECK_TCP_PORT`"
    );
    never(&run, "silent", "$ echo never");
}

#[test]
fn the_next_pull_policy_is_tried_in_a_new_pod() {
    let project = Project::fixture("policies");
    project.write("runner.yml", "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: gitlab-ci-runner-cm, namespace: kube-ops }\ndata: { KUBERNETES_NAMESPACE: kube-ops }\n");
    let Some(run) = run(&project, &["--runner-config", "runner.yml"]) else { return };
    run.code(1);
    assert_eq!(run.statuses()["second"], "success");
    said(
        &run,
        "second",
        "Failed to pull image \"busybox:1.36\" for container \"build\" with policy \"Always\"",
    );
    said(
        &run,
        "second",
        "Attempt #2: Trying \"IfNotPresent\" pull policy for \"busybox:1.36\" image for container \"build\"",
    );
    said(&run, "exhausted", "with policy \"IfNotPresent\": image pull failed");
    assert_eq!(run.finished("exhausted")["failure"]["reason"], "image_pull_failure");
}

#[test]
fn scripts_run_as_the_runner_runs_them() {
    let Some(run) = run(&Project::fixture("scripts"), &[]) else { return };
    run.code(0);
    for job in ["shared", "shared:debian"] {
        printed(
            &run,
            job,
            &[
                "the word is kept",
                "input is /dev/null",
                "letter a",
                "letter b",
                "status success, word '', left behind",
            ],
        );
        said(&run, job, "$ for letter in a b; do # collapsed multi-line command");
    }
    for job in ["pipe", "pipe:debian"] {
        printed(&run, job, &["a failure that is looked at"]);
        assert_eq!(run.finished(job)["exit_code"], 1, "{job}");
        never(&run, job, "\u{1b}[0;mnot reached");
        assert!(!run.output(job).contains(&"not reached"));
    }
    printed(&run, "lines", &["first", "status failed"]);
    said(&run, "lines", "after_script failed, but job will continue unaffected");
    assert_eq!(run.finished("lines")["exit_code"], 7);
    assert_eq!(run.finished("timeout")["failure"]["reason"], "job_execution_timeout");
    assert!(!run.output("timeout").contains(&"not reached"));
    printed(&run, "script timeout", &["status failed"]);
    assert_eq!(run.statuses()["after timeout"], "success");
    said(&run, "after timeout", "after_script failed, but job will continue unaffected");
    said(&run, "trace", "+ echo traced");
    printed(&run, "user", &["user 1234:1234", "new"]);
    printed(&run, "entrypoint", &["not in the way"]);
}

/// A project with a history, a tag, an executable file, a link, odd names and a submodule's folder.
fn with_history() -> Project {
    let project = Project::fixture("sources");
    project.write("run.sh", "#!/bin/sh\necho executable\n");
    project.write("folder/a name with ünïcode.txt", "content\n");
    let path = project.path();
    let script = "chmod +x run.sh && ln -s run.sh link && mkdir submodule \
        && git -C submodule init --quiet && git -C submodule -c user.name=A -c user.email=a@b commit \
           --quiet --allow-empty --message sub";
    let made = Command::new("sh").args(["-c", script]).current_dir(path).status();
    assert!(made.expect("sh can be started").success());
    project.git(&["-c", "advice.addEmbeddedRepo=false", "add", "--all"]);
    project.git(&["commit", "--quiet", "--message", "second"]);
    project.git(&["tag", "--annotate", "--message", "one", "v1.0"]);
    for number in 0..23 {
        project.git(&["commit", "--quiet", "--allow-empty", "--message", &format!("more {number}")]);
    }
    project.git(&["tag", "--annotate", "--message", "two", "v2.0"]);
    project.git(&["commit", "--quiet", "--allow-empty", "--message", "the last"]);
    project
}

#[test]
fn a_job_finds_its_sources_as_the_runner_leaves_them() {
    let project = with_history();
    let Some(run) = run(&project, &[]) else { return };
    run.code(0);
    printed(&run, "git", &["20", "same as the commit", "executable", "content", "empty submodule"]);
    said(&run, "git", "v2.0-1-g");
    said(&run, "git", "submodules are not fetched: `submodule` is there, and empty");
    printed(&run, "full", &["26"]);
    printed(&run, "shallow", &["1"]);
    printed(&run, "none", &["0"]);
    printed(&run, "no checkout", &[".git", "the last", "run.sh"]);
    printed(&run, "elsewhere", &["/builds/another/place", "run.sh"]);
}

#[test]
fn uncommitted_changes_are_there_unless_the_commit_is_asked_for() {
    let project =
        Project::with("image: debian:bookworm\nlook: { script: [cat word, git status --short, ls] }\n");
    project.write("word", "committed\n");
    project.git(&["add", "word"]);
    project.git(&["commit", "--quiet", "--message", "word"]);
    project.write("word", "changed\n").write("new", "");
    let Some(changed) = run(&project, &[]) else { return };
    printed(changed.code(0), "look", &["changed", " M word", "?? new", "new"]);
    let Some(head) = run(&project, &["--source", "head"]) else { return };
    printed(head.code(0), "look", &["committed", "word"]);
    assert!(!head.output("look").contains(&"new"));
}

#[test]
fn artifacts_go_where_they_are_wanted_and_nowhere_else() {
    let project = Project::fixture("keeping");
    let Some(run) = run(&project, &[]) else { return };
    run.code(0);
    printed(&run, "take", &["version 1.2, same 2, why why", "c", "a", "new", "log"]);
    assert!(!run.output("take").contains(&"b.tmp"));
    printed(&run, "nothing", &["README.md", "version ''"]);
    assert!(!run.output("nothing").contains(&"out"));
    printed(&run, "picked", &["README.md", "ignored.log", "new.txt"]);
    assert!(!run.output("picked").contains(&"out"));

    project.podline(&["artifacts", "make", "-o", "got"]).run().expect(0);
    assert_eq!(project.read("got/out/deep/c"), "3\n");
    assert!(!project.path().join("got/out/deep/b.tmp").exists());
    let link = std::fs::read_link(project.path().join("got/out/link")).expect("a link");
    assert_eq!(link, PathBuf::from("a"));
}
