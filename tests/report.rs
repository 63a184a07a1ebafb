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

    fn event(&mut self, at: f64, event: Value) {
        self.event_of(&[], at, event);
    }

    /// Something that happened in a child pipeline.
    fn event_of(&mut self, pipeline: &[&str], at: f64, mut event: Value) {
        event["at"] = json!(at);
        if !pipeline.is_empty() {
            event["pipeline"] = json!(pipeline);
        }
        self.events.push(event);
    }

    /// A job that ran, with its log.
    fn job(&mut self, name: &str, runner: usize, from: f64, to: f64, code: i32, log: &[u8]) {
        self.job_of(&[], name, runner, (from, to), code, log);
    }

    /// A job of a child pipeline.
    fn job_of(
        &mut self,
        pipeline: &[&str],
        name: &str,
        runner: usize,
        (from, to): (f64, f64),
        code: i32,
        log: &[u8],
    ) {
        let id = self.events.len();
        let trace = format!("job-{id}.log");
        let below: String = pipeline.iter().map(|job| format!("pipelines/{job}-1001/")).collect();
        let jobs = self.project.path().join(format!(".podline/runs/1/{below}jobs"));
        fs::create_dir_all(&jobs).expect("a folder can be made");
        fs::write(jobs.join(&trace), log).expect("a log can be written");
        let pod = "metadata:\n  name: runner-1\nspec:\n  containers:\n  - name: build\n    image: busybox:1.36\n    \
                   resources:\n      limits: {cpu: \"1\", memory: 1Gi}\n";
        fs::write(jobs.join(&trace).with_extension("yaml"), pod).expect("a pod can be written");
        let runner = format!("gitlab-ci-runner-{runner}");
        self.event_of(
            pipeline,
            from,
            json!({"event": "job_started", "job": name, "attempt": 1, "runner": runner}),
        );
        self.event_of(pipeline, from + 0.3, json!({"event": "job_phase", "job": name, "phase": "script"}));
        let text = String::from_utf8_lossy(log);
        let tail: Vec<&str> = text.lines().rev().take(3).collect::<Vec<_>>().into_iter().rev().collect();
        let failure = (code != 0).then(|| {
            json!({"reason": "script_failure", "message": format!("exit code {code}"), "help": "look at the log"})
        });
        self.event_of(
            pipeline,
            to,
            json!({
                "event": "job_finished", "job": name, "attempt": 1, "allowed": false, "retried": false,
                "status": if code == 0 { "success" } else { "failed" }, "exit_code": code, "failure": failure,
                "took": to - from, "tail": tail, "trace": jobs.join(&trace), "artifacts": 2,
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

/// A pipeline whose child pipeline has failed in `lint`, and that of its `publish` not.
fn family() -> Recorded {
    let jobs = json!([
        outline("compile", "build", Value::Null),
        outline("child", "test", Value::Null),
        outline("report", "deploy", Value::Null),
    ]);
    let mut run = Recorded::new(&["build", "test", "deploy"], jobs);
    let started = |job: &str| json!({"event": "job_started", "job": job, "attempt": 1, "runner": null});
    let begun = |title: &str, stages: Value, jobs: Value| {
        json!({"event": "pipeline_started", "name": null, "title": title, "engine": "kind", "slots": 8,
               "stages": stages, "jobs": jobs})
    };
    run.job("compile", 0, 0.0, 2.0, 0, b"$ make\n");
    run.event(2.0, started("child"));
    let inner = json!([outline("lint", "check", json!([])), outline("publish", "publish", json!([]))]);
    run.event_of(&["child"], 2.1, begun("child pipeline 1001", json!(["check", "publish"]), inner));
    run.job_of(&["child"], "lint", 0, (2.2, 5.0), 1, b"$ lint\nmain.c:12: \x1b[31munused variable\x1b[0m\n");
    run.event_of(&["child"], 5.0, started("publish"));
    let last = json!([outline("notes", "test", Value::Null)]);
    run.event_of(&["child", "publish"], 5.1, begun("child pipeline 1002", json!(["test"]), last));
    run.job_of(&["child", "publish"], "notes", 1, (5.2, 6.0), 0, b"the notes of the release\n");
    let ended = |status: &str, jobs: Value| json!({"event": "pipeline_finished", "status": status, "took": 1, "jobs": jobs});
    run.event_of(&["child", "publish"], 6.1, ended("success", json!({"notes": "success"})));
    let finished = |job: &str, status: &str| {
        let failure = json!({"reason": "unknown_failure", "message": "`lint` failed in its child pipeline", "help": null});
        json!({"event": "job_finished", "job": job, "attempt": 1, "allowed": false, "retried": false, "status": status,
               "exit_code": null, "failure": if status == "failed" { failure } else { Value::Null }, "took": 4,
               "tail": [], "trace": "", "artifacts": 0})
    };
    run.event_of(&["child"], 6.2, finished("publish", "success"));
    run.event_of(&["child"], 6.2, ended("failed", json!({"lint": "failed", "publish": "success"})));
    run.event(6.3, finished("child", "failed"));
    run.event(
        6.3,
        json!({"event": "job_status", "job": "report", "status": "skipped", "reason": "`child` failed"}),
    );
    run.event(6.4, ended("failed", json!({"compile": "success", "child": "failed", "report": "skipped"})));
    let explained = json!([{"name": "lint", "standing": {"standing": "present"}, "rules": [{
        "title": "rule 1", "place": "child.yml:3", "clauses": [{"text": "if: $CI", "meaning": "it is true", "parts": []}],
        "lets_in": true, "decides": true, "is_too_late": false, "sets": []}]}]);
    run.project.write(".podline/runs/1/pipelines/child-1001/explanations.json", &explained.to_string());
    run
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
    let wrong = page.text("#wrong");
    assert!(
        wrong.contains("unit") && wrong.contains("exit code 1") && wrong.contains("ERROR: Job failed"),
        "{wrong}"
    );
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
fn what_a_job_used_stands_beside_what_it_may() {
    let mut run = shop();
    let usage = |cpu: f64, mebibytes: u64| json!({"event": "job_usage", "job": "unit", "cpu": cpu, "cpu_limit": 1, "memory": mebibytes << 20, "memory_limit": 1 << 30});
    run.event(11.0, usage(0.8, 412));
    run.event(13.0, usage(0.2, 980));
    let Some(mut page) = Page::of_file(&run.page()) else { return };
    page.value("location.hash = 'job=2&tab=pod'");
    page.until("document.querySelectorAll('#panel-pod .gauge').length === 2");
    let used = page.text("#panel-pod .used");
    assert!(used.contains("980Mi at most, 96% of 1Gi"), "{used}");
    assert!(used.contains("0.8 at most, 80% of 1"), "{used}");
    assert_eq!(
        page.value("document.querySelectorAll('.gauge.s-warning').length"),
        1,
        "memory came to its end"
    );
    assert!(page.text("#job-facts").contains("980Mi memory"), "{}", page.text("#job-facts"));
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
fn everything_is_reached_with_the_keyboard() {
    let Some(mut page) = Page::of_file(&shop().page()) else { return };
    let name = |page: &mut Page| page.text("#job-name");
    // through the page from the top: the first job of the graph
    for _ in 0..40 {
        page.press("Tab");
        if page.value("document.activeElement.matches('.node')") == json!(true) {
            break;
        }
    }
    assert_eq!(page.value("document.activeElement.dataset.job"), "0");
    assert!(
        page.value("document.querySelectorAll('.node.near').length").as_u64() > Some(1),
        "with its needs"
    );
    page.press("Enter");
    page.until("!document.getElementById('job').hidden");
    assert_eq!(name(&mut page), "compile");
    for (key, job) in [("j", "docs"), ("j", "unit"), ("k", "docs"), ("f", "unit"), ("f", "unit")] {
        page.press(key);
        page.until(&format!("document.getElementById('job-name').textContent === '{job}'"));
    }
    for (key, tab) in [("2", "why"), ("3", "variables"), ("4", "yaml"), ("5", "pod"), ("1", "log")] {
        page.press(key);
        page.until(&format!("!document.getElementById('panel-{tab}').hidden"));
    }
    page.value("document.querySelector('[data-tab=log]').focus()");
    page.press("ArrowRight");
    page.until(
        "!document.getElementById('panel-why').hidden && document.activeElement.dataset.tab === 'why'",
    );
    page.press("ArrowLeft");
    page.until(
        "!document.getElementById('panel-log').hidden && document.activeElement.dataset.tab === 'log'",
    );
    // a key that is typed into a field is text
    page.press("/");
    page.press("j");
    assert_eq!(
        (name(&mut page), page.value("document.getElementById('log-search').value")),
        ("unit".to_owned(), json!("j"))
    );
    page.press("Escape");
    page.press("?");
    page.until("document.getElementById('help').open");
    page.press("j");
    assert_eq!(name(&mut page), "unit", "keys wait while they are explained");
    page.value("document.getElementById('help').close()");
    let theme = "document.getElementById('theme').textContent";
    let before = page.value(theme);
    page.press("t");
    assert_ne!(page.value(theme), before);
    page.press("Escape");
    page.until("!document.getElementById('overview').hidden");
    assert_eq!(page.complaints, [] as [&str; 0]);
}

#[test]
fn child_pipelines_are_shown_below_the_jobs_that_start_them() {
    let Some(mut page) = Page::of_file(&family().page()) else { return };
    let heads = page.value("[...document.querySelectorAll('.child-head a')].map(it => it.textContent)");
    assert_eq!(heads, json!(["child", "child / publish"]));
    let rows = "[...document.querySelectorAll('#jobs tbody tr:not([hidden]) .job')].map(it => it.innerText)";
    let all = json!(["compile", "child", "child/lint", "child/publish", "child/publish/notes", "report"]);
    assert_eq!(page.value(rows), all);
    assert_eq!(page.text("#critical"), "critical path: compile 2.0s → child/publish/notes 0.8s");
    let wrong = page.text("#wrong");
    assert!(wrong.contains("child/lint") && wrong.contains("main.c:12: unused variable"), "{wrong}");
    assert!(
        !wrong.contains("`lint` failed in its child pipeline"),
        "the job says it, not its trigger: {wrong}"
    );
    page.screenshot("child-pipelines");
    page.press("/");
    page.write("child/publish");
    assert_eq!(page.value(rows), json!(["child/publish", "child/publish/notes"]));
    page.press("Escape");
    assert_eq!(page.value(rows), all, "what was looked for is forgotten");

    // from a trigger job down to a log, and up again
    page.click(".node[data-job='1']");
    page.until("!document.getElementById('downstream').hidden");
    assert!(page.text("#no-log").contains("the jobs that it has started do"));
    page.screenshot("trigger-job");
    page.click("#downstream .node[data-job='4']");
    page.until("!document.getElementById('downstream').hidden && document.getElementById('job-name').textContent === 'publish'");
    page.click("#downstream .node");
    page.until("document.getElementById('log').textContent.includes('the notes of the release')");
    assert_eq!(page.text("#job h1"), "child / publish / notes");
    page.click("#job-path a");
    page.until("document.getElementById('job-name').textContent === 'child'");

    page.press("j");
    page.until("document.getElementById('log').textContent.includes('unused variable')");
    page.press("2");
    page.until("document.getElementById('panel-why').textContent.includes('child.yml:3')");
    page.press("5");
    page.until("document.getElementById('panel-pod').textContent.includes('1Gi memory')");
    assert_eq!(page.complaints, [] as [&str; 0]);
}

#[test]
fn it_is_dark_where_the_reader_likes_that() {
    let Some(mut page) = Page::of_file(&shop().page()) else { return };
    let (colour, text) =
        ("getComputedStyle(document.body).backgroundColor", "getComputedStyle(document.body).color");
    page.prefers("dark");
    page.until("getComputedStyle(document.body).backgroundColor === 'rgb(20, 23, 28)'");
    page.screenshot("dark");
    page.click("#theme");
    page.click("#theme");
    assert_eq!(page.value(colour), "rgb(255, 255, 255)", "a choice goes before what the system prefers");
    page.click("#theme");
    assert_eq!(page.value(colour), "rgb(20, 23, 28)");
    page.on_paper(Some(718));
    assert_eq!(
        (page.value(colour), page.value(text)),
        (json!("rgb(255, 255, 255)"), json!("rgb(0, 0, 0)")),
        "paper is white"
    );
}

#[test]
fn it_fits_a_phone_and_a_sheet_of_paper() {
    let fits = "document.documentElement.scrollWidth <= innerWidth";
    for (name, run) in [("shop", shop()), ("family", family()), ("many", many())] {
        let Some(mut page) = Page::of_file(&run.page()) else { return };
        page.size(390, 844);
        assert_eq!(page.value(fits), true, "{name}: nothing but pictures is scrolled sideways");
        page.screenshot(&format!("phone-{name}"));
        page.click(".node[data-job='2']");
        page.until("!document.getElementById('job').hidden");
        for tab in ["why", "variables", "yaml", "pod", "log"] {
            page.click(&format!("[data-tab='{tab}']"));
            page.until(&format!("!document.getElementById('panel-{tab}').hidden"));
            assert_eq!(page.value(fits), true, "{name}: {tab}");
        }
        page.screenshot(&format!("phone-{name}-job"));
        // A4 between margins
        page.on_paper(Some(718));
        assert_eq!(page.value(fits), true, "{name}: a log on paper");
        page.on_paper(None);
        page.press("Escape");
        page.until("!document.getElementById('overview').hidden");
        page.on_paper(Some(718));
        let cut = "[...document.querySelectorAll('main *')].filter(it => it.checkVisibility() && !it.closest('svg')).filter(it => it.getBoundingClientRect().right > innerWidth + 1).map(it => it.className)";
        assert_eq!(page.value(cut), json!([]), "{name}: what is wider than the paper is cut off there");
        let hidden =
            "['.filter', '#theme', '#keys'].filter(it => document.querySelector(it).checkVisibility())";
        assert_eq!(page.value(hidden), json!([]), "{name}: nobody can press paper");
        assert!(page.print().starts_with(b"%PDF"));
    }
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

/// Two hundred jobs in two stages on eight runners, two of which have failed.
fn many() -> Recorded {
    let names: Vec<String> = (0..200).map(|at| format!("shard {at}/200")).collect();
    let jobs = names.iter().enumerate().map(|(at, name)| {
        let needs = if at < 20 { Value::Null } else { json!([names[at % 20]]) };
        outline(name, if at < 20 { "build" } else { "test" }, needs)
    });
    let mut run = Recorded::new(&["build", "test"], Value::Array(jobs.collect()));
    for (at, name) in names.iter().enumerate() {
        let from = f64::from(u32::try_from(at / 8).expect("small"));
        run.job(name, at % 8, from, from + 0.9, i32::from(at % 100 == 77), b"$ true\n");
    }
    run
}

#[test]
fn two_hundred_jobs_are_drawn_at_once() {
    let Some(mut page) = Page::of_file(&many().page()) else { return };
    assert_eq!(page.value("document.querySelectorAll('.node').length"), 200);
    assert_eq!(page.value("document.querySelectorAll('.lane').length"), 8);
    let drawn = page.value("performance.getEntriesByType('navigation')[0].domComplete");
    assert!(drawn.as_f64().is_some_and(|took| took < 5000.0), "{drawn} ms");
    page.screenshot("200-jobs");
    let rows = "[...document.querySelectorAll('#jobs tbody tr:not([hidden]) .job')].map(it => it.innerText)";
    page.click("[data-chip='failed']");
    assert_eq!(page.value(rows), json!(["shard 77/200", "shard 177/200"]));
    assert_eq!(page.value("document.querySelectorAll('.bar:not(.dim)').length"), 2);
    page.press("/");
    page.write("shard 177");
    assert_eq!(page.value(rows), json!(["shard 177/200"]));
    page.press("Enter");
    page.until("!document.getElementById('job').hidden");
    assert_eq!(page.text("#job-name"), "shard 177/200");
}

#[test]
fn a_run_that_was_killed_says_so() {
    let mut run = Recorded::new(
        &["test"],
        json!([outline("unit", "test", Value::Null), outline("e2e", "test", Value::Null)]),
    );
    run.event(
        1.0,
        json!({"event": "job_started", "job": "unit", "attempt": 1, "runner": "gitlab-ci-runner-0"}),
    );
    run.project.write(".podline/runs/1/jobs/unit-1001.log", "$ make test\nhalf a li");
    let Some(mut page) = Page::of_file(&run.page()) else { return };
    assert_eq!(page.value("document.title"), "shop #1: unfinished");
    assert!(page.text("#notices").contains("has not come to its end"));
    assert_eq!(
        page.value("[...document.querySelectorAll('td.status')].map(it => it.innerText)"),
        json!(["unfinished", "not started"])
    );
    page.click(".node");
    page.until("document.getElementById('log').textContent.includes('half a li')");
    page.screenshot("killed");
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

#[test]
fn other_programs_get_the_run_as_junit_and_as_json() {
    let run = shop();
    run.write();
    let report = |arguments: &[&str]| {
        let all: Vec<&str> = ["report"].iter().chain(arguments).copied().collect();
        run.project.podline(&all).run().expect(0).stdout
    };
    insta::assert_snapshot!(report(&["--format", "junit"]));
    assert_eq!(report(&["--format", "junit", "--output", "out.xml"]), "");
    assert_eq!(run.project.read("out.xml"), report(&["--format", "junit"]));
    let json: Value = serde_json::from_str(&report(&["--format", "json"])).expect("stdout is JSON");
    assert_eq!((&json["status"], json["jobs"].as_array().map(Vec::len)), (&json!("failed"), Some(5)));
    assert_eq!(json["jobs"][2]["attempts"][0]["failure"]["message"], "exit code 1");
}

#[test]
fn the_page_is_opened_in_the_browser_of_the_user() {
    use std::os::unix::fs::PermissionsExt as _;
    let run = shop();
    run.write();
    let programs = run.project.path().join("../programs");
    let opener = programs.join(if cfg!(target_os = "macos") { "open" } else { "xdg-open" });
    fs::create_dir(&programs).expect("a folder can be made");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").expect("there is a PATH"));
    let open = |script: &str| {
        fs::write(&opener, script).expect("a file can be written");
        fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).expect("a mode can be set");
        run.project.podline(&["report", "--open"]).env("PATH", &path).run()
    };
    open("#!/bin/sh\necho \"$1\" > opened\n").expect(0);
    assert!(run.project.read("opened").trim().ends_with(".podline/runs/1/report.html"));
    let seen = open("#!/bin/sh\nexit 3\n").expect(3).stderr;
    assert!(seen.contains("no browser could be opened") && seen.contains("in one yourself"), "{seen}");
}

/// A run that goes on while a browser shows it, on a machine without Docker.
#[cfg(target_os = "linux")]
mod served {
    use std::{
        io::{BufRead as _, BufReader, Read as _, Write as _},
        net::{Ipv4Addr, TcpStream},
        process::Child,
    };

    use super::*;
    use crate::embedded::{Machine, eventually};

    /// A `podline` that is ended when the test does.
    struct Running(Child);

    impl Drop for Running {
        fn drop(&mut self) {
            drop(self.0.kill());
            drop(self.0.wait());
        }
    }

    /// Serves the last run of a project: the server, and its port.
    fn serve(machine: &Machine, project: &Project) -> (Running, u16) {
        let mut server = Running(machine.podline(project, &["report", "--serve"]).start());
        let mut line = String::new();
        let stdout = server.0.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it is");
        let port = line.trim().trim_end_matches('/').rsplit(':').next().and_then(|port| port.parse().ok());
        (server, port.unwrap_or_else(|| panic!("an address, not {line:?}")))
    }

    /// What the server says to a request for this path, for this host.
    fn ask(port: u16, host: &str, path: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).expect("it listens");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Ends the `sleep` of a job, which has this argument alone on this machine.
    fn wake(argument: &str) {
        let is_it = |pid: &u32| {
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            command == format!("sleep\0{argument}\0").as_bytes()
        };
        eventually("the job sleeps", || {
            let entries = fs::read_dir("/proc").expect("processes can be listed").flatten();
            let pid = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).find(is_it);
            let kill = |pid: u32| std::process::Command::new("kill").arg(pid.to_string()).status();
            pid.is_some_and(|pid| kill(pid).is_ok_and(|status| status.success()))
        });
    }

    #[test]
    fn a_run_is_followed_to_its_end_without_a_reload() {
        let argument = format!("3{:06}", std::process::id() % 1_000_000);
        let script = format!("unit: {{ script: [echo before, sleep {argument} || true, echo after] }}\n");
        let project = Project::with(&format!("image: busybox:1.36\n{script}"));
        let machine = Machine::new();
        let arguments = ["run", "--engine", "embedded", "--image-fallback", "host", "--format", "json"];
        let mut run = Running(machine.podline(&project, &arguments).start());
        let mut lines = BufReader::new(run.0.stdout.take().expect("stdout is piped")).lines();
        let is_script = |line: Result<String, _>| line.expect("a line").contains("\"line\":\"before\"");
        assert!(lines.any(is_script), "the script never ran");
        let (mut server, port) = serve(&machine, &project);
        let Some(mut page) = Page::open(&format!("http://127.0.0.1:{port}/")) else { return };
        page.value("window.mine = true");
        page.until("document.querySelector('td.status').innerText === 'running'");
        assert_eq!(page.text("#run-status"), "running");
        page.click(".node");
        page.until("document.getElementById('log').textContent.includes('before')");
        assert!(!page.text("#log").contains("\nafter"));
        page.screenshot("serve");

        wake(&argument);
        page.until("[...document.querySelectorAll('#log .row .t')].some(it => it.textContent === 'after')");
        page.until("document.getElementById('job-status').textContent === 'success'");
        page.press("Escape");
        page.until("document.querySelector('td.status').innerText === 'success'");
        page.until("document.getElementById('run-status').textContent === 'success'");
        assert_eq!(page.value("window.mine"), true, "it is still the same page");
        assert!(run.0.wait().expect("podline ends").success());
        // what has ended is not asked for any more
        page.value("performance.clearResourceTimings()");
        page.value("new Promise(resolve => setTimeout(resolve, 1200))");
        assert_eq!(page.value("performance.getEntriesByType('resource').length"), 0);
        assert_eq!(page.complaints, [] as [&str; 0]);

        std::process::Command::new("kill").args(["-INT", &server.0.id().to_string()]).status().expect("kill");
        assert_eq!(server.0.wait().expect("it ends").code(), Some(0), "Ctrl-C is how it ends");
    }

    #[test]
    fn a_run_that_goes_on_is_told_from_one_that_was_killed() {
        let argument = format!("4{:06}", std::process::id() % 1_000_000);
        let script = format!("image: busybox:1.36\nunit: {{ script: [echo before, sleep {argument}] }}\n");
        let (project, machine) = (Project::with(&script), Machine::new());
        let arguments = ["run", "--engine", "embedded", "--image-fallback", "host", "--format", "json"];
        let mut run = Running(machine.podline(&project, &arguments).start());
        let mut lines = BufReader::new(run.0.stdout.take().expect("stdout is piped")).lines();
        let is_script = |line: Result<String, _>| line.expect("a line").contains("\"line\":\"before\"");
        assert!(lines.any(is_script), "the script never ran");
        let report = || {
            let json = machine.podline(&project, &["report", "--format", "json"]).run().expect(0).stdout;
            serde_json::from_str::<Value>(&json).expect("stdout is JSON")
        };
        assert_eq!((&report()["goes_on"], &report()["status"]), (&json!(true), &Value::Null));
        run.0.kill().expect("it runs");
        run.0.wait().expect("it has ended");
        assert_eq!((&report()["goes_on"], &report()["status"]), (&json!(false), &Value::Null));
        let junit = machine.podline(&project, &["report", "--format", "junit"]).run().expect(0).stdout;
        assert!(junit.contains("<error message=\"the run did not come to its end\""), "{junit}");
        let page = machine.podline(&project, &["report"]).run().expect(0).stdout;
        let Some(mut page) = Page::of_file(&project.path().join(page.trim())) else { return };
        assert_eq!(page.text("#run-status"), "unfinished");
        page.click(".node");
        page.until("document.getElementById('log').textContent.includes('before')");
        // what the killed run has left goes with the next one
        let next = Project::with("job: { image: none, script: [echo] }\n");
        machine.podline(&next, &arguments).run().expect(0);
    }

    #[test]
    fn a_run_leaves_its_jobs_as_test_cases() {
        let configuration = "
image: busybox:1.36
unit:
  script: ['printf \"broken \\\\000\\\\033[31m\\\\377 <x> ]]> & \\\\001\\\\n\"; exit 3']
style: { script: [exit 1], allow_failure: true }
publish: { stage: deploy, script: [echo] }
";
        let project = Project::with(configuration);
        project.write("podline.toml", "[run]\nimage-fallback = \"host\"\njunit = \"out/junit.xml\"\n");
        let machine = Machine::new();
        machine.podline(&project, &["run", "--engine", "embedded"]).run().expect(1);
        let document = project.read("out/junit.xml");
        for part in [
            "<testsuite name=\"pipeline\"",
            "skipped=\"2\" tests=\"3\" failures=\"1\" errors=\"0\"",
            "<testcase name=\"unit\" classname=\"test\"",
            "<failure message=\"script ended with exit code 3\" type=\"script_failure\">",
            "<skipped message=\"failed, and may: script ended with exit code 1\"/>",
            "<skipped message=\"skipped: `unit` failed\"/>",
            "&lt;x&gt; ]]&gt; &amp;",
        ] {
            assert!(document.contains(part), "{part}: {document}");
        }
        assert!(!document.contains(|it: char| it.is_control() && it != '\n'), "{document:?}");
        let printed = machine.podline(&project, &["report", "--format", "junit"]).run().expect(0).stdout;
        assert_eq!(printed, document);
    }

    #[test]
    fn a_run_keeps_the_traces_the_pods_and_the_rules_of_child_pipelines() {
        let (project, machine) = (Project::fixture("children"), Machine::new());
        let arguments = ["run", "--engine", "embedded", "--image-fallback", "host"];
        machine.podline(&project, &arguments).run().expect(0);
        let json = machine.podline(&project, &["report", "--format", "json"]).run().expect(0).stdout;
        let run: Value = serde_json::from_str(&json).expect("stdout is JSON");
        let paths: Vec<&Value> =
            run["pipelines"].as_array().expect("a list").iter().map(|it| &it["path"]).collect();
        for path in [json!([]), json!(["tests"]), json!(["tests", "publish"]), json!(["docs"])] {
            assert!(paths.contains(&&path), "{path}");
        }
        for job in run["jobs"].as_array().expect("a list") {
            assert_eq!(job["explanation"]["name"], job["name"]);
            let attempt = &job["attempts"][0];
            let starts_a_pipeline =
                ["tests", "publish", "docs"].contains(&job["name"].as_str().expect("a name"));
            if attempt.is_null() || starts_a_pipeline {
                continue;
            }
            let trace = attempt["trace"].as_str().unwrap_or_else(|| panic!("{job:#}"));
            assert!(project.read(&format!(".podline/runs/1/{trace}")).contains("Job succeeded"), "{trace}");
            assert_eq!(attempt["containers"][0]["name"], "build", "{trace}");
        }
    }

    #[test]
    fn only_browsers_of_this_machine_that_know_its_name_are_served() {
        let run = family();
        run.write();
        let (_server, port) = serve(&Machine::new(), &run.project);
        let here = format!("127.0.0.1:{port}");
        let table = [
            (here.clone(), "/", "200 OK"),
            (format!("localhost:{port}"), "/data.json", "200 OK"),
            (here.clone(), "/logs/pipelines/child-1001/jobs/job-6.log", "200 OK"),
            // a page elsewhere whose name was turned to this address
            (format!("evil.example:{port}"), "/", "403 Forbidden"),
            (format!("evil.example:{port}"), "/data.json", "403 Forbidden"),
            ("127.0.0.1".to_owned(), "/data.json", "403 Forbidden"),
            (here.clone(), "/logs/../run.json", "404 Not Found"),
            (here.clone(), "/logs/..%2f..%2f..%2f.gitlab-ci.yml", "404 Not Found"),
            (here.clone(), "/logs/%2e%2e/secret.log", "404 Not Found"),
            (here.clone(), "/logs/%2fetc%2fhosts.log", "404 Not Found"),
            (here, "/logs/events.jsonl", "404 Not Found"),
        ];
        run.project.write(".podline/runs/secret.log", "not of this run");
        for (host, path, wanted) in table {
            let answer = ask(port, &host, path);
            let line = answer.lines().next().unwrap_or_default();
            assert!(line.ends_with(wanted), "{host}{path}: {line}");
            assert!(wanted == "200 OK" || !answer.contains("podline"), "{host}{path}: {answer}");
        }
        // bound to the loopback address alone
        let listening = fs::read_to_string("/proc/net/tcp").expect("sockets can be listed");
        let all = format!("00000000:{port:04X} ");
        assert!(
            listening.contains(&format!("0100007F:{port:04X} ")) && !listening.contains(&all),
            "{listening}"
        );

        let taken = port.to_string();
        let seen = run.project.podline(&["report", "--serve", "--port", &taken]).run().expect(2).stderr;
        assert!(
            seen.contains(&format!("port {port} cannot be had")) && seen.contains("name another"),
            "{seen}"
        );
    }
}
