//! `docs/fixtures.md`: every fixture with its result on each engine.

use std::{collections::BTreeSet, fs, path::Path};

use super::{
    all,
    engine::Engine,
    expected::{Expected, Fixture, Job},
};

/// Folders that are no projects but several, or manifests, or have another page.
const OTHERS: [&str; 4] = ["runner", "runner-legacy", "tour", "trace"];

const INTRODUCTION: &str = "\
# The fixtures

Each folder in `fixtures/` is a small project. `cargo test suite` runs all of them on both engines, holds what comes of
each job against one table (`tests/suite`), and makes this page of it: exit codes, statuses, reasons of failures, words
in the traces, the order of jobs, the files of artifacts. A test that cannot run on a machine says why.

`fixtures/runner` and `fixtures/runner-legacy` are no projects but deployments of a runner, as `--runner-config` takes
them; `fixtures/tour` has the projects of [the tour](tour.md), which has a test of its own, and `fixtures/trace` the jobs
of [the trace](trace.md), each line of which is held on both engines. `slots` is also run in a cluster of its own, where
exactly eight pods run at once.

";

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("| fixture | what it shows | kind | embedded |\n| --- | --- | --- | --- |\n");
    let mut reasons = Vec::new();
    for fixture in all() {
        let Fixture { name, shows, runs, .. } = fixture;
        for (index, run) in runs.into_iter().enumerate() {
            let shows = if index == 0 { shows } else { "the same project again" };
            let command = [&[name][..], &run.arguments].concat().join(" ");
            let on_kind = result(&run);
            let (on_embedded, why) = run.on(Engine::Embedded);
            let on_embedded = Some(result(&on_embedded)).filter(|result| *result != on_kind);
            let on_embedded = on_embedded.unwrap_or_else(|| "the same".to_owned());
            let mark = why.map_or(String::new(), |why| {
                reasons.push(why);
                format!(" [{}]", reasons.len())
            });
            page.push_str(&format!("| `{command}` | {shows} | {on_kind} | {on_embedded}{mark} |\n"));
        }
    }
    page.push('\n');
    if reasons.is_empty() {
        page.push_str("No result differs between the engines.\n");
    }
    for (index, why) in reasons.iter().enumerate() {
        page.push_str(&format!("[{}] {why}\n", index + 1));
    }
    page
}

/// The exit code and how many jobs came to which status.
fn result(run: &Expected) -> String {
    let count = |which: &dyn Fn(&Job) -> bool| run.jobs.iter().filter(|job| which(job)).count();
    let counts = [
        ("success", count(&|job| job.status == "success")),
        ("failed", count(&|job| job.status == "failed" && !job.is_allowed)),
        ("failed but allowed", count(&|job| job.status == "failed" && job.is_allowed)),
        ("manual", count(&|job| job.status == "manual")),
        ("skipped", count(&|job| job.status == "skipped")),
        ("canceled", count(&|job| job.status == "canceled")),
        ("created", count(&|job| job.status == "created")),
    ];
    let counts: Vec<String> =
        counts.iter().filter(|it| it.1 > 0).map(|(what, n)| format!("{n} {what}")).collect();
    let jobs = if counts.is_empty() { "nothing runs".to_owned() } else { counts.join(", ") };
    format!("exit {}: {jobs}", run.code)
}

#[test]
fn the_page_of_fixtures_is_made_from_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/fixtures.md");
    let page = page();
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        fs::write(&path, &page).expect("the page can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/fixtures.md is out of date: run this test with INSTA_UPDATE=always");
}

#[test]
fn every_folder_of_fixtures_is_in_the_table() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    let entries = fs::read_dir(folder).expect("fixtures").map(|entry| entry.expect("an entry"));
    let found: BTreeSet<String> =
        entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let listed = all().iter().map(|fixture| fixture.name).chain(OTHERS).map(str::to_owned).collect();
    assert_eq!(found, listed);
}
