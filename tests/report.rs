//! `podline report` as a reader sees it, in a real Chromium.

use std::{fmt::Write as _, fs, path::PathBuf};

use serde_json::{Value, json};

use crate::support::{Project, chromium::Page};

/// The record of a run, as `docs/record.md` describes it.
struct Recorded {
    project: Project,
    events: Vec<Value>,
}

impl Recorded {
    fn new(stages: &[&str], jobs: Value) -> Self {
        let project = Project::with("test:\n  script: [true]\n");
        let head = json!({
            "number": 1, "id": "abcdefgh", "project": "shop", "command": "podline run",
            "started": "2026-01-02T03:04:05Z", "podline": "0.1.0",
        });
        project.write(".podline/runs/1/run.json", &head.to_string());
        let outline = json!({
            "event": "pipeline_started", "at": 0, "name": null, "title": "push to main, 5f2c01ab",
            "engine": "kind", "slots": 8, "stages": stages, "jobs": jobs,
        });
        Self { project, events: vec![outline] }
    }

    fn event(&mut self, at: f64, mut event: Value) {
        event["at"] = json!(at);
        self.events.push(event);
    }

    /// A job that ran, with its log.
    fn job(&mut self, name: &str, runner: usize, from: f64, to: f64, code: i32, log: &[u8]) {
        let id = self.events.len();
        let trace = format!("job-{id}.log");
        let jobs = self.project.path().join(".podline/runs/1/jobs");
        fs::create_dir_all(&jobs).expect("a folder can be made");
        fs::write(jobs.join(&trace), log).expect("a log can be written");
        let pod = "metadata:\n  name: runner-1\nspec:\n  containers:\n  - name: build\n    image: busybox:1.36\n    \
                   resources:\n      limits: {cpu: \"1\", memory: 1Gi}\n";
        fs::write(jobs.join(&trace).with_extension("yaml"), pod).expect("a pod can be written");
        let runner = format!("gitlab-ci-runner-{runner}");
        self.event(from, json!({"event": "job_started", "job": name, "attempt": 1, "runner": runner}));
        self.event(from + 0.3, json!({"event": "job_phase", "job": name, "phase": "script"}));
        let failure = (code != 0).then(|| {
            json!({"reason": "script_failure", "message": format!("exit code {code}"), "help": "look at the log"})
        });
        self.event(
            to,
            json!({
                "event": "job_finished", "job": name, "attempt": 1, "allowed": false, "retried": false,
                "status": if code == 0 { "success" } else { "failed" }, "exit_code": code, "failure": failure,
                "took": to - from, "tail": [], "trace": jobs.join(&trace), "artifacts": 2,
            }),
        );
    }

    fn write(&self) {
        let mut events = self.events.clone();
        events.sort_by(|one, other| one["at"].as_f64().partial_cmp(&other["at"].as_f64()).expect("times"));
        let lines: String = events.iter().fold(String::new(), |mut lines, event| {
            writeln!(lines, "{event}").expect("text takes text");
            lines
        });
        self.project.write(".podline/runs/1/events.jsonl", &lines);
    }

    /// The page, as `podline report` writes it.
    fn page(&self) -> PathBuf {
        self.write();
        let seen = self.project.podline(&["report"]).run().expect(0);
        assert_eq!(seen.stdout.trim(), ".podline/runs/1/report.html");
        self.project.path().join(seen.stdout.trim())
    }
}

fn outline(name: &str, stage: &str, needs: Value) -> Value {
    json!({"name": name, "stage": stage, "needs": needs})
}

/// A shop with five jobs, one of which has failed and one of which was skipped.
fn shop() -> Recorded {
    let jobs = json!([
        outline("compile", "build", Value::Null),
        outline("docs", "build", Value::Null),
        outline("unit", "test", json!(["compile"])),
        outline("style", "test", json!([])),
        outline("publish", "deploy", json!(["unit", "docs"])),
    ]);
    let mut run = Recorded::new(&["build", "test", "deploy"], jobs);
    run.event(0.1, json!({"event": "setup_started", "step": "creating the cluster `podline-x`"}));
    run.event(
        3.0,
        json!({"event": "setup_finished", "step": "creating the cluster `podline-x`", "took": 2.9}),
    );
    run.event(3.0, json!({"event": "notice", "message": "the working tree has changes"}));
    let log = b"section_start:1767323045:prepare_script\r\x1b[0KPreparing environment\n\
        Running on runner-1\nsection_end:1767323047:prepare_script\r\x1b[0Ksection_start:1767323047:step_script\r\x1b[0K\
        Executing \"step_script\" stage\n\x1b[32;1m$ cargo test\x1b[0;m\nrunning 12 tests\n\
        \x1b[31mtest cart::total ... FAILED\x1b[0m\n  10%\r  55%\r 100%\nsection_end:1767323052:step_script\r\x1b[0K\
        ERROR: Job failed\n";
    run.job("compile", 0, 3.1, 9.0, 0, b"$ cargo build\nok\n");
    run.job("docs", 1, 3.1, 6.0, 0, b"$ cargo doc\n");
    run.job("unit", 0, 9.1, 15.0, 1, log);
    run.job("style", 1, 6.1, 7.5, 0, b"$ cargo fmt --check\n");
    run.event(
        15.0,
        json!({"event": "job_status", "job": "publish", "status": "skipped", "reason": "`unit` failed"}),
    );
    run.event(
        15.2,
        json!({"event": "pipeline_finished", "status": "failed", "took": 15.2, "jobs": {
            "compile": "success", "docs": "success", "unit": "failed", "style": "success", "publish": "skipped"}}),
    );
    run
}

#[test]
fn a_reader_goes_from_the_overview_to_the_line_that_failed() {
    let Some(mut page) = Page::of_file(&shop().page()) else { return };
    assert_eq!(page.value("document.title"), "shop #1: failed");
    assert_eq!(page.text("#critical"), "critical path: compile 5.9s → unit 5.9s");
    assert_eq!(page.value("document.querySelectorAll('.node').length"), 5);
    assert_eq!(page.value("document.querySelectorAll('.edges path').length"), 3, "one a need");
    page.screenshot("overview");

    page.click(".node[data-job='2']");
    page.until("document.querySelectorAll('.row').length > 5");
    assert_eq!(page.text("#job-name"), "unit");
    assert_eq!(page.text("#failure"), "exit code 1\nlook at the log");
    let rows = page.text("#log");
    assert!(rows.contains("Preparing environment") && rows.contains("test cart::total ... FAILED"), "{rows}");
    assert!(rows.contains(" 100%") && !rows.contains("55%"), "as a terminal would show it: {rows}");
    assert!(!rows.contains("section_"), "marks are not text: {rows}");
    let red = "getComputedStyle([...document.querySelectorAll('.row .t > span')].find(it => it.textContent.startsWith('test cart'))).color";
    assert_eq!(page.value(red), "rgb(179, 38, 30)");
    page.screenshot("log");

    // a section folds by a click on its head
    page.click(".row.section");
    assert!(!page.text("#log").contains("Running on runner-1"));
    page.click(".row.section");
    assert!(page.text("#log").contains("Running on runner-1"));

    // what is searched for is found in a folded section too, which opens
    page.press("x");
    assert!(!page.text("#log").contains("FAILED"));
    page.press("/");
    page.write("failed");
    page.until("document.getElementById('log-found').textContent === '1 of 2'");
    assert_eq!(page.value("document.querySelector('mark.now').textContent"), "FAILED");
    page.press("Enter");
    page.until("document.getElementById('log-found').textContent === '2 of 2'");

    page.press("Escape");
    page.press("5");
    page.until("!document.getElementById('panel-pod').hidden");
    assert!(page.text("#panel-pod").contains("1 cpu, 1Gi memory"), "{}", page.text("#panel-pod"));
    page.press("Escape");
    page.until("!document.getElementById('overview').hidden");
    assert_eq!(page.complaints, [] as [&str; 0]);
}

#[test]
fn jobs_are_found_by_name_and_by_status() {
    let Some(mut page) = Page::of_file(&shop().page()) else { return };
    let rows = "[...document.querySelectorAll('#jobs tbody tr:not([hidden]) .job')].map(it => it.innerText)";
    page.press("/");
    page.write("build");
    assert_eq!(page.value(rows), json!(["compile", "docs"]), "a stage is a name too");
    assert_eq!(page.value("document.querySelectorAll('.node.dim').length"), 3);
    page.value("document.getElementById('search').value = ''; document.getElementById('search').dispatchEvent(new Event('input'))");
    page.click("[data-chip='failed']");
    assert_eq!(page.value(rows), json!(["unit"]));
    page.press("f");
    page.until("document.getElementById('job-name').textContent === 'unit'");
    page.press("Escape");
    page.click("[data-chip='failed']");
    page.press("j");
    page.until("document.getElementById('job-name').textContent === 'compile'");
    page.press("j");
    page.until("document.getElementById('job-name').textContent === 'docs'");
    assert_eq!(page.complaints, [] as [&str; 0]);
}

#[test]
fn it_is_dark_where_the_reader_likes_that_fits_a_phone_and_prints() {
    let Some(mut page) = Page::of_file(&shop().page()) else { return };
    let colour = "getComputedStyle(document.body).backgroundColor";
    page.prefers("dark");
    page.until("getComputedStyle(document.body).backgroundColor === 'rgb(20, 23, 28)'");
    page.screenshot("dark");
    page.click("#theme");
    page.click("#theme");
    assert_eq!(page.value(colour), "rgb(255, 255, 255)", "a choice goes before what the system prefers");
    page.click("#theme");
    page.size(390, 844);
    let wide = "document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(page.value(wide), true, "nothing but pictures is scrolled sideways");
    page.screenshot("phone");
    page.click(".node[data-job='2']");
    page.until("document.querySelectorAll('.row').length > 5");
    assert_eq!(page.value(wide), true);
    page.screenshot("phone-log");
    let printed = page.print();
    assert!(printed.starts_with(b"%PDF"));
}

#[test]
fn nothing_that_a_job_prints_is_more_than_text() {
    let jobs = json!([outline("<img src=x onerror=alert(1)>", "test", Value::Null)]);
    let mut run = Recorded::new(&["test"], jobs);
    let log = b"</script><script>document.title='owned'</script>\n\
        <img src=x onerror=\"document.title='owned'\">\n\
        \x1b]8;;javascript:alert(1)\x1b\\link\x1b]8;;\x1b\\\n\
        user \xe2\x80\xaenimda\nbroken \xff\xfe bytes\n\x1b[2J\x1b[3Aup\x1b[999999999999m\x1b[38;2;1;2m\n\
        \x1b[38;5;999mpalette\x1b[\nsection_end:9:nothing\r\x1b[0K\nsection_start:99999999999999999:x[collapsed=true]\r\x1b[0Knever ended\nhidden\n";
    run.job("<img src=x onerror=alert(1)>", 0, 0.0, 1.0, 1, log);
    let Some(mut page) = Page::of_file(&run.page()) else { return };
    page.click(".node");
    page.until("document.querySelectorAll('.row').length > 5");
    assert_eq!(page.value("document.title"), "shop #1: unfinished");
    assert_eq!(page.value("document.querySelectorAll('#log img, #log a, #log script').length"), 0);
    let text = page.text("#log");
    assert!(text.contains("</script><script>document.title='owned'</script>"), "{text}");
    assert!(text.contains("userU+202Enimda") || text.contains("user U+202Enimda"), "{text}");
    assert!(text.contains("broken \u{fffd}\u{fffd} bytes") && text.contains("link"), "{text}");
    assert!(text.contains("never ended") && !text.contains("hidden"), "{text}");
    assert_eq!(page.complaints, [] as [&str; 0]);
}

#[test]
fn two_hundred_jobs_are_drawn_at_once() {
    let names: Vec<String> = (0..200).map(|at| format!("shard {at}/200")).collect();
    let jobs = names.iter().enumerate().map(|(at, name)| {
        let needs = if at < 20 { Value::Null } else { json!([names[at % 20]]) };
        outline(name, if at < 20 { "build" } else { "test" }, needs)
    });
    let mut run = Recorded::new(&["build", "test"], Value::Array(jobs.collect()));
    for (at, name) in names.iter().enumerate() {
        let from = f64::from(u32::try_from(at / 8).expect("small"));
        run.job(name, at % 8, from, from + 0.9, i32::from(at == 77), b"$ true\n");
    }
    let Some(mut page) = Page::of_file(&run.page()) else { return };
    assert_eq!(page.value("document.querySelectorAll('.node').length"), 200);
    assert_eq!(page.value("document.querySelectorAll('.lane').length"), 8);
    let drawn = page.value("performance.getEntriesByType('navigation')[0].domComplete");
    assert!(drawn.as_f64().is_some_and(|took| took < 5000.0), "{drawn} ms");
    page.screenshot("200-jobs");
    page.press("/");
    page.write("shard 177");
    assert_eq!(page.value("document.querySelectorAll('#jobs tbody tr:not([hidden])').length"), 1);
}

#[test]
fn a_log_of_fifty_megabytes_is_read_and_searched() {
    let mut run = Recorded::new(&["test"], json!([outline("noisy", "test", Value::Null)]));
    let mut log = String::with_capacity(51_000_000);
    for line in 0.. {
        if log.len() > 50_000_000 {
            break;
        }
        let _ = writeln!(
            log,
            "\u{1b}[36m{line:>8}\u{1b}[0m a line of a job that says a great deal about what it does"
        );
    }
    log.push_str("the needle at the end\n");
    run.job("noisy", 0, 0.0, 1.0, 1, log.as_bytes());
    let lines = log.lines().count();
    let Some(mut page) = Page::of_file(&run.page()) else { return };
    page.click(".node");
    page.until("document.getElementById('log-size').textContent.endsWith('50 MB')");
    assert!(page.text("#log").contains("the needle at the end"), "a failed job's log shows its end");
    let few = "document.querySelectorAll('.row').length < 120";
    assert_eq!(page.value(few), true, "only what is seen is there");
    page.press("Home");
    assert!(page.text("#log").contains("       0 a line"));
    page.press("/");
    page.write("needle");
    page.until("document.getElementById('log-found').textContent === '1 of 1'");
    page.until("document.querySelector('mark.now')");
    assert_eq!(
        page.value("Number(document.querySelector('mark.now').closest('.row').dataset.line)"),
        lines - 1
    );
    assert_eq!(page.value(few), true);
}

#[test]
fn a_run_without_a_record_is_named() {
    let project = Project::with("test:\n  script: [true]\n");
    insta::assert_snapshot!(project.podline(&["report"]).run().to_string(), @r"
    exit code: 2
    ----- stderr -----
    error: there is no run yet
    help: `podline run` makes one
    ");
    project.write(".podline/runs/3/.keep", "");
    let seen = project.podline(&["report", "2"]).run().expect(2).stderr;
    assert!(seen.contains("there is no run 2"), "{seen}");
}
