//! `podline log` on runs as `docs/record.md` describes them.

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
};

use crate::support::{Project, Seen};

const HEAD: &str = r#"{"number":1,"id":"abcd","project":"demo","command":"podline run","started":"2026-01-02T03:04:05Z","podline":"0.1.0"}"#;

const BEGIN: &str = r#"{"event":"pipeline_started","name":null,"title":"push to main","engine":"kind","slots":8,"stages":["build","test"],"jobs":[{"name":"compile","stage":"build","needs":null},{"name":"unit","stage":"test","needs":null}],"at":0}
{"event":"job_started","job":"compile","attempt":1,"runner":"gitlab-ci-runner-0","at":0.1}
"#;

const END: &str = r#"{"event":"pipeline_finished","status":"failed","jobs":{"compile":"failed","unit":"skipped"},"took":5,"at":5}
"#;

fn finished(attempt: u32, retried: bool) -> String {
    format!(
        r#"{{"event":"job_finished","job":"compile","attempt":{attempt},"status":"failed","allowed":false,"retried":{retried},"exit_code":1,"failure":null,"took":2.5,"tail":[],"trace":".podline/runs/1/jobs/compile-100{attempt}.log","artifacts":0,"at":4}}
"#
    )
}

/// A project whose first run has this record.
fn with_run(events: &str) -> Project {
    let project = Project::with("compile: { script: make }\n");
    project.write(".podline/runs/1/run.json", HEAD).write(".podline/runs/1/events.jsonl", events);
    project
}

fn append(project: &Project, file: &str, text: &str) {
    let path = project.path().join(".podline/runs/1").join(file);
    let mut file = OpenOptions::new().append(true).open(path).expect("it is there");
    file.write_all(text.as_bytes()).expect("it can be written");
}

#[test]
fn without_a_job_it_lists_the_jobs_of_the_run() {
    let project = with_run(&[BEGIN, &finished(1, false), END].concat());
    let seen = project.podline(&["log"]).run().expect(0);
    insta::assert_snapshot!(seen.stdout);
}

#[test]
fn a_run_is_named_by_its_number() {
    let project = with_run(&[BEGIN, &finished(1, false), END].concat());
    project.write(".podline/runs/1/jobs/compile-1001.log", "first\n");
    project.write(".podline/runs/2/jobs/compile-2001.log", "second\n");
    assert_eq!(project.podline(&["log", "compile"]).run().expect(0).stdout, "second\n");
    assert_eq!(project.podline(&["log", "compile", "--run", "1"]).run().expect(0).stdout, "first\n");
    let seen = project.podline(&["log", "compile", "--run", "7"]).run().expect(2);
    assert!(seen.stderr.contains("there is no run 7"), "{seen}");
    let seen = project.podline(&["log", "unit", "--run", "1", "-f"]).run().expect(2);
    assert!(seen.stderr.contains("job `unit` did not start"), "{seen}");
}

#[test]
fn a_trace_is_followed_over_attempts_to_the_end_of_its_job() {
    let project = with_run(BEGIN);
    let record = File::open(project.path().join(".podline/runs/1/events.jsonl")).expect("it is there");
    record.lock().expect("the run goes on");
    project.write(".podline/runs/1/jobs/compile-1001.log", "one\n");
    let mut child = project.podline(&["log", "compile", "--follow"]).start();
    let mut output = child.stdout.take().expect("a pipe");
    let mut printed = String::new();
    let mut wait_for = |line: &str| {
        let mut chunk = [0; 256];
        while !printed.contains(line) {
            let read = output.read(&mut chunk).expect("output");
            assert!(read > 0, "`{line}` never came: {printed}");
            printed.push_str(&String::from_utf8_lossy(&chunk[..read]));
        }
    };
    wait_for("one\n");
    append(&project, "jobs/compile-1001.log", "two\n");
    wait_for("two\n");
    append(&project, "events.jsonl", &finished(1, true));
    project.write(".podline/runs/1/jobs/compile-1002.log", "again\n");
    wait_for("again\n");
    append(&project, "jobs/compile-1002.log", "end\n");
    append(&project, "events.jsonl", &finished(2, false));
    wait_for("end\n");
    let seen = Seen::of(&child.wait_with_output().expect("an end"));
    assert_eq!((seen.code, printed.as_str()), (Some(0), "one\ntwo\nagain\nend\n"));
}

#[test]
fn the_trace_of_a_run_that_was_killed_ends_where_it_ends() {
    let project = with_run(BEGIN);
    project.write(".podline/runs/1/jobs/compile-1001.log", "one\n");
    assert_eq!(project.podline(&["log", "compile", "-f"]).run().expect(0).stdout, "one\n");
}
