//! `docs/trace.md`: each of its lines, against the traces of `fixtures/trace` and of GitLab Runner.

#![expect(clippy::print_stderr, reason = "a test that cannot run says why")]

use std::{fs, path::Path, sync::LazyLock};

use regex::Regex;

use super::engine::Engine;
use crate::support::Project;

/// The chapters of the page: title, job of the fixture, trace of GitLab Runner.
const CHAPTERS: [(&str, &str, &str); 5] = [
    ("A job that succeeds", "success", "cluster-trace-success.log"),
    ("A script that fails", "failure", "cluster-trace-exit3.log"),
    ("A process killed for lack of memory", "process killed", "cluster-trace-oom-child.log"),
    ("A container killed for lack of memory", "container killed", "cluster-trace-oom-pid1.log"),
    ("An image that cannot be pulled", "no image", "cluster-trace-image-pull.log"),
];

/// What all of them begin with.
const BEGINNING: &str = "How every trace begins";

/// A line of a trace with the section that it is in.
type Line = (String, String);

/// A row of a table.
#[derive(Debug)]
struct Row {
    section: String,
    runner: Option<String>,
    podline: Option<String>,
    why: String,
}

#[test]
fn every_difference_has_a_reason_and_nothing_else_has() {
    for title in CHAPTERS.iter().map(|(title, ..)| *title).chain([BEGINNING]) {
        for row in table(title) {
            assert_eq!(row.runner == row.podline, row.why.is_empty(), "{title}: {row:?}");
        }
    }
}

#[test]
fn the_runner_s_column_is_what_gitlab_runner_printed() {
    let Some(folder) = std::env::var_os("PODLINE_REFERENCE") else {
        eprintln!("skipped: PODLINE_REFERENCE does not name the folder with GitLab Runner's traces");
        return;
    };
    for (title, _, file) in CHAPTERS {
        let path = Path::new(&folder).join("runner-golden").join(file);
        let trace = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        held(title, &trace, |row| row.runner);
    }
}

#[test]
fn podlines_column_is_what_jobs_print_in_a_cluster() {
    // on cgroup v2 a container is killed as a whole, whichever of its processes was too large
    let is_v2 = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    run(Engine::Kind, |job| !(is_v2 && job == "process killed"));
}

#[test]
fn podlines_column_is_what_jobs_print_without_a_cluster() {
    // another process of the container is killed there: it has its own rating, not the kubelet's
    run(Engine::Embedded, |job| job != "container killed");
}

/// Runs the jobs that are of interest, and compares their traces with the page.
fn run(engine: Engine, wanted: impl Fn(&str) -> bool) {
    if let Some(reason) = engine.missing() {
        eprintln!("skipped: {reason}");
        return;
    }
    let project = Project::fixture("trace");
    let chapters: Vec<_> = CHAPTERS.into_iter().filter(|(_, job, _)| wanted(job)).collect();
    let jobs = chapters.iter().map(|(_, job, _)| *job);
    let arguments: Vec<&str> = ["--runner-config", "runner.toml"].into_iter().chain(jobs).collect();
    let trace_of = |job: &str| project.podline(&["log", job]).run().expect(0).stdout;
    for _ in 0..TRIES {
        let run = engine.run(&project, &arguments);
        run.code(1);
        if !chapters.iter().any(|(_, job, _)| lacks_its_reason(&trace_of(job))) {
            break;
        }
    }
    for (title, job, _) in chapters {
        held(title, &trace_of(job), |row| row.podline);
    }
}

/// How often the jobs run at most. Where memory and processor are short, containerd may see a container's end before
/// the kernel's word that it was killed for its memory, and never tell the kubelet why.
const TRIES: usize = 3;

/// Whether a container was killed, and the node did not say for what.
fn lacks_its_reason(trace: &str) -> bool {
    trace.contains("exit code 137, reason `Error`")
}

/// Compares a trace with a column of a chapter.
fn held(title: &str, trace: &str, column: impl Fn(Row) -> Option<String>) {
    let rows = table(BEGINNING).into_iter().chain(table(title));
    let of_row = |row: Row| Some((row.section.clone(), column(row)?));
    let told: Vec<Line> = rows.filter_map(of_row).collect();
    let seen = lines(trace);
    let text = |lines: &[Line]| {
        lines.iter().map(|(section, text)| format!("{section:24}{text}\n")).collect::<String>()
    };
    assert!(
        seen == told,
        "docs/trace.md, {title}:\n--- the page says\n{}--- the trace is\n{}",
        text(&told),
        text(&seen)
    );
}

/// The rows of the one table in a chapter of the page.
fn table(title: &str) -> Vec<Row> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/trace.md");
    let page = fs::read_to_string(page).expect("the page");
    let (_, chapter) = page.split_once(&format!("## {title}\n")).expect("a chapter of that title");
    let rows = chapter.lines().take_while(|line| !line.starts_with("## "));
    let rows: Vec<Row> = rows.filter(|line| line.starts_with('|')).skip(2).map(row).collect();
    assert!(!rows.is_empty(), "{title} has a table");
    rows
}

fn row(line: &str) -> Row {
    let line = line.replace("\\|", "\u{0}");
    let cells: Vec<String> =
        line.split('|').map(|cell| cell.trim_matches(' ').replace('\u{0}', "|")).collect();
    let [_, section, runner, podline, why, _] = cells.as_slice() else { panic!("four cells: {line}") };
    let runner = code(runner);
    let podline = if podline == "same" { runner.clone() } else { code(podline) };
    Row { section: section.clone(), runner, podline, why: why.clone() }
}

/// The text of a span of code, which has as many backticks before as after it.
fn code(cell: &str) -> Option<String> {
    let inner = cell.trim_matches('`');
    let ticks = cell.len() - inner.len();
    assert!(cell.is_empty() || ticks > 0, "a cell is code: {cell}");
    // a span that begins or ends with a space or a backtick has one more on each side
    let inner = if ticks > 2 { &inner[1..inner.len() - 1] } else { inner };
    (!cell.is_empty()).then(|| inner.to_owned())
}

/// The lines of a trace, without what the page leaves out.
fn lines(trace: &str) -> Vec<Line> {
    static MARK: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"section_(start|end):\d+:([a-z_]+)\r").expect("a pattern"));
    let mut section = String::new();
    let mut lines = Vec::new();
    for line in trace.lines() {
        let line = plain(line);
        for mark in MARK.captures_iter(&line) {
            section = if &mark[1] == "start" { mark[2].to_owned() } else { String::new() };
        }
        let text = named(&MARK.replace_all(&line, ""));
        // `tr` may see that its reader was killed
        if !text.is_empty() && !text.starts_with("tr: ") {
            lines.push((section.clone(), text));
        }
    }
    lines
}

/// A line without time and colours.
fn plain(line: &str) -> String {
    static TIME: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^\d{4}-\d\d-\d\dT[\d:.]+Z \w\w[OE][ +]").expect("a pattern"));
    static COLOUR: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\x1b\[[0-9;]*[mK]").expect("a pattern"));
    COLOUR.replace_all(&TIME.replace(line, ""), "").into_owned()
}

/// A line with what differs from run to run as `…`.
fn named(line: &str) -> String {
    static NAMES: LazyLock<Vec<Regex>> = LazyLock::new(|| {
        let patterns = [
            r"(runner-)[a-z0-9]+-project-\d+-concurrent-\d+-[a-z0-9]+",
            r"(gitlab-runner 19\.4\.0 \()[0-9a-f]+",
            r"(Running with podline )\d+\.\d+\.\d+",
            r"(^  on gitlab-ci-runner-0 )[a-z0-9]+",
            r"(system ID: )\w+",
            r"(correlation ID: )\w+",
            r"(Checking out )[0-9a-f]+",
            r"(executor with image )\S+",
            r"(to be running on the node )[^,]+",
            r"()^(?:1000|9\d\d)$",
            // up to what the runner says after it
            r"(cluster: |image pull failed: |`if-not-present`\): )(?:Failed to pull|failed to pull|`registry).*?(?P<rest>\. Check|$)",
        ];
        patterns.iter().map(|pattern| Regex::new(pattern).expect("a pattern")).collect()
    });
    NAMES.iter().fold(line.to_owned(), |line, name| {
        let with = if name.capture_names().flatten().next().is_some() { "${1}…${rest}" } else { "${1}…" };
        name.replace_all(&line, with).into_owned()
    })
}
