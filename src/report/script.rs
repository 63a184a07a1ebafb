//! Scripted runs for the tests of the views.

use std::time::Duration;

use super::model::Model;
use super::record::{Head, Record};
use crate::event::{
    Event, FailingTest, Failure, FailureReason, Finished, Outline, OutlineJob, Phase, Status, Tests, Usage,
};

/// An event and when it happens.
pub(super) type Timed = (Duration, Event);

/// The state at the end of a run.
pub(super) fn model(events: &[Timed]) -> Model {
    until(events, Duration::MAX)
}

/// The state at a moment of a run.
pub(super) fn until(events: &[Timed], now: Duration) -> Model {
    let mut model = Model::default();
    for (at, event) in events.iter().filter(|(at, _)| *at <= now) {
        model.apply(event, *at);
    }
    model
}

/// The head of the record of such a run.
pub(super) fn head() -> Head {
    Head {
        number: 7,
        id: "5f2c".to_owned(),
        project: "demo".to_owned(),
        command: "podline run".to_owned(),
        started: "2026-01-02T03:04:05Z".parse().expect("a time"),
        podline: "0.1.0".to_owned(),
    }
}

/// The record of such a run.
pub(super) fn record(events: Vec<Timed>) -> Record {
    Record { head: head(), events, explanations: Vec::new(), goes_on: false }
}

#[derive(Default)]
struct Script(Vec<Timed>);

impl Script {
    fn at(&mut self, seconds: f64, event: Event) -> &mut Self {
        self.0.push((Duration::from_secs_f64(seconds), event));
        self
    }

    fn setup(&mut self, from: f64, to: f64, step: &str) -> &mut Self {
        self.at(from, Event::SetupStarted { step: step.into() });
        self.at(to, Event::SetupFinished { step: step.into(), took: Duration::from_secs_f64(to - from) })
    }

    fn start(&mut self, at: f64, job: &str, attempt: u32, runner: usize) -> &mut Self {
        let runner = Some(format!("gitlab-ci-runner-{runner}"));
        self.at(at, Event::JobStarted { job: job.into(), attempt, runner })
    }

    fn phase(&mut self, at: f64, job: &str, phase: Phase) -> &mut Self {
        self.at(at, Event::JobPhase { job: job.into(), phase })
    }

    fn say(&mut self, at: f64, job: &str, line: &str) -> &mut Self {
        self.at(at, Event::JobOutput { job: job.into(), line: line.into() })
    }

    fn uses(&mut self, at: f64, job: &str, cpu: f64, mebibytes: u64) -> &mut Self {
        let usage = Usage {
            cpu: Some(cpu),
            cpu_limit: Some(1.0),
            memory: Some(mebibytes << 20),
            memory_limit: Some(1 << 30),
        };
        self.at(at, Event::JobUsage { job: job.into(), usage })
    }

    fn end(&mut self, at: f64, finished: Finished) -> &mut Self {
        self.at(at, Event::JobFinished(Box::new(finished)))
    }

    fn status(&mut self, at: f64, job: &str, status: Status, reason: Option<&str>) -> &mut Self {
        self.at(at, Event::JobStatus { job: job.into(), status, reason: reason.map(Into::into) })
    }

    /// In the order of time; events of one moment in the order they were written.
    fn finish(mut self) -> Vec<Timed> {
        self.0.sort_by_key(|(at, _)| *at);
        self.0
    }
}

fn finished(job: &str, took: f64) -> Finished {
    Finished {
        job: job.into(),
        attempt: 1,
        status: Status::Success,
        allowed: false,
        retried: false,
        exit_code: Some(0),
        failure: None,
        took: Duration::from_secs_f64(took),
        tail: Vec::new(),
        trace: format!(".podline/runs/7/{}.log", job.replace([':', ' ', '[', ']'], "_")).into(),
        artifacts: 0,
        artifact_bytes: 0,
        memory: None,
        coverage: None,
        tests: None,
    }
}

fn failed(job: &str, took: f64, exit_code: i32, message: &str, tail: &[&str]) -> Finished {
    Finished {
        status: Status::Failed,
        exit_code: Some(exit_code),
        failure: Some(Failure { reason: FailureReason::ScriptFailure, message: message.into(), help: None }),
        tail: tail.iter().map(|line| (*line).to_owned()).collect(),
        ..finished(job, took)
    }
}

fn outline(title: &str, stages: &[(&str, &[&str])]) -> Outline {
    let job = |stage: &str, name: &str| OutlineJob { name: name.into(), stage: stage.into(), needs: None };
    Outline {
        name: None,
        title: title.into(),
        engine: "kind".into(),
        slots: 8,
        stages: stages.iter().map(|(stage, _)| (*stage).to_owned()).collect(),
        jobs: stages.iter().flat_map(|(stage, jobs)| jobs.iter().map(|name| job(stage, name))).collect(),
    }
}

/// Ten jobs in four stages: success, a failure with a limit, an allowed one, a retry, one canceled, one
/// skipped, one manual, one held. It ends after 110 seconds.
pub(super) fn mixed() -> Vec<Timed> {
    let mut script = Script::default();
    let tests = ["lint", "unit: [stable]", "unit: [nightly]", "e2e", "bench"];
    let stages: [(&str, &[&str]); 4] = [
        ("build", &["compile", "docs"]),
        ("test", &tests),
        ("package", &["image"]),
        ("deploy", &["staging", "production"]),
    ];
    script.at(0.0, Event::PipelineStarted(outline("push to main, 5f2c01ab", &stages)));
    script.at(
        0.0,
        Event::Notice {
            message: "the working tree has changes that are not committed; they are part of this run".into(),
        },
    );
    script.setup(0.1, 12.0, "creating cluster `podline-5f2c`");
    script.setup(12.0, 20.2, "loading image `rust:1.80` into the node");
    script.status(20.2, "compile", Status::Pending, None).status(20.2, "docs", Status::Pending, None);
    build(&mut script);
    test(&mut script);
    script.at(105.0, Event::Canceling { message: "after_script has 30s; Ctrl-C again ends now".into() });
    script.end(108.0, Finished { status: Status::Canceled, exit_code: None, ..finished("bench", 51.0) });
    script.at(108.0, Event::StageFinished { stage: "test".into(), status: Status::Failed });
    script.status(109.0, "image", Status::Skipped, Some("`e2e` failed"));
    script.status(109.0, "staging", Status::Manual, None);
    script.status(109.0, "production", Status::Manual, Some("held: would deploy to production"));
    let mut script = script.finish();
    let jobs = model(&script).jobs.iter().map(|(name, job)| (name.clone(), job.status)).collect();
    let end = Event::PipelineFinished { status: Status::Failed, jobs, took: Duration::from_secs(110) };
    script.push((Duration::from_secs(110), end));
    script
}

fn build(script: &mut Script) {
    script.start(20.3, "compile", 1, 0).start(20.3, "docs", 1, 1);
    for job in ["compile", "docs"] {
        script.phase(21.0, job, Phase::Sources).phase(21.4, job, Phase::Script);
    }
    script.say(21.5, "compile", "\u{1b}[32;1m$ cargo build --workspace\u{1b}[0;m");
    script.say(30.0, "compile", "\u{1b}[1m\u{1b}[32m   Compiling\u{1b}[0m serde v1.0.228");
    script.say(22.0, "docs", "$ cargo doc --no-deps");
    script.end(34.0, Finished { artifacts: 12, artifact_bytes: 4 << 20, ..finished("docs", 13.7) });
    script.phase(54.0, "compile", Phase::Uploading);
    script.end(
        55.1,
        Finished {
            artifacts: 3,
            artifact_bytes: 700,
            coverage: Some(87.5),
            memory: Some(743 << 20),
            ..finished("compile", 34.8)
        },
    );
    script.at(55.1, Event::StageFinished { stage: "build".into(), status: Status::Success });
}

fn test(script: &mut Script) {
    for (at, job) in [(0, "lint"), (1, "unit: [stable]"), (2, "unit: [nightly]"), (3, "e2e")] {
        script.start(56.0, job, 1, at % 2);
    }
    script.start(57.0, "bench", 1, 0);
    script.phase(56.5, "lint", Phase::Script).say(57.0, "lint", "$ cargo fmt --check");
    let tail =
        ["$ cargo fmt --check", "\u{1b}[31mDiff in src/main.rs:3:\u{1b}[0m", "-fn main(){}", "+fn main() {}"];
    let lint = failed("lint", 2.4, 1, "the script ended with exit code 1", &tail);
    script.end(58.4, Finished { allowed: true, ..lint });
    script.phase(56.6, "unit: [stable]", Phase::Script);
    script.say(57.0, "unit: [stable]", "running 128 tests");
    script.say(60.0, "unit: [stable]", "test parser::a_list_of_lists_is_flattened_once_and_keeps_the_order_of_its_items ... \u{1b}[32mok\u{1b}[0m");
    script.phase(56.7, "unit: [nightly]", Phase::Pulling);
    script.phase(57.2, "e2e", Phase::Script).say(59.0, "e2e", "browser: 12/40 scenarios");
    script.uses(60.5, "unit: [stable]", 0.93, 412).uses(60.5, "e2e", 1.0, 1003);
    script.phase(58.0, "bench", Phase::Sources);
    script.phase(61.5, "bench", Phase::Script).say(62.0, "bench", "warming up");
    let lost = Failure {
        reason: FailureReason::RunnerSystemFailure,
        message: "the pod was evicted: the node had no memory left".into(),
        help: None,
    };
    let lost =
        Finished { failure: Some(lost), exit_code: None, ..failed("unit: [nightly]", 14.0, 1, "", &[]) };
    script.end(70.0, Finished { retried: true, ..lost });
    script.start(72.0, "unit: [nightly]", 2, 1).phase(73.0, "unit: [nightly]", Phase::Script);
    let tail: Vec<_> = (1..=30).map(|line| format!("scenario {line} passed")).collect();
    let mut tail: Vec<_> = tail.iter().map(String::as_str).collect();
    tail.extend(["", "Killed"]);
    let mut e2e = failed(
        "e2e",
        34.0,
        137,
        "container `build` was killed: it used all of its memory limit of 1Gi",
        &tail,
    );
    if let Some(failure) = &mut e2e.failure {
        failure.help = Some(
            "raise `KUBERNETES_MEMORY_LIMIT` in the runner's ConfigMap, or set it as a variable of the job"
                .into(),
        );
    }
    e2e.tests = Some(browser_tests());
    script.end(90.0, e2e);
    let tests = Tests { total: 128, skipped: 2, ..Tests::default() };
    script.end(95.0, Finished { tests: Some(tests), ..finished("unit: [stable]", 39.0) });
    script.end(100.0, Finished { attempt: 2, ..finished("unit: [nightly]", 28.0) });
    script.phase(105.0, "bench", Phase::AfterScript);
}

fn browser_tests() -> Tests {
    let test = |class: Option<&str>, name: &str, message: Option<&str>| FailingTest {
        class: class.map(str::to_owned),
        name: name.to_owned(),
        message: message.map(str::to_owned),
    };
    let failing = vec![
        test(Some("checkout"), "a basket that is paid for is empty", Some("expected 0 items, found 3")),
        test(None, "logs in\u{1b}[2J", None),
    ];
    Tests { total: 40, failed: 2, errors: 1, skipped: 0, failing }
}

/// A pipeline with a child pipeline, in which a job fails, and one that waits for nobody.
pub(super) fn family() -> Vec<Timed> {
    let child = ["tests".to_owned()];
    let mut script = Script::default();
    let stages: [(&str, &[&str]); 3] =
        [("build", &["make"]), ("test", &["tests", "style"]), ("deploy", &["report"])];
    script.at(0.0, Event::PipelineStarted(outline("push to main, 5f2c01ab", &stages)));
    script.start(0.5, "make", 1, 0).end(4.0, finished("make", 3.5));
    script.start(4.1, "style", 1, 1).end(6.0, finished("style", 1.9));
    script.at(4.1, Event::JobStarted { job: "tests".into(), attempt: 1, runner: None });
    let below = |event: Event| Event::Downstream { pipeline: child.to_vec(), event: Box::new(event) };
    let started = |job: &str, runner: usize| {
        let runner = Some(format!("gitlab-ci-runner-{runner}"));
        below(Event::JobStarted { job: job.into(), attempt: 1, runner })
    };
    let trace = |name: &str| format!("/demo/.podline/runs/7/pipelines/tests-7001/jobs/{name}.log").into();
    let inner: [(&str, &[&str]); 1] = [("test", &["unit", "style"])];
    script.at(4.3, below(Event::PipelineStarted(outline("child pipeline 7001", &inner))));
    script.at(4.4, started("unit", 0)).at(4.4, started("style", 0));
    let unit = Finished { trace: trace("unit-7001001"), ..finished("unit", 8.0) };
    let style = failed("style", 2.0, 1, "exit code 1", &["one file is not formatted"]);
    let style = Finished { trace: trace("style-7001002"), allowed: true, ..style };
    script.at(6.4, below(Event::JobFinished(Box::new(style))));
    script.at(12.4, below(Event::JobFinished(Box::new(unit))));
    let jobs = [("unit".to_owned(), Status::Success), ("style".to_owned(), Status::Failed)];
    let took = Duration::from_secs(8);
    script.at(12.5, below(Event::PipelineFinished { status: Status::Success, jobs: jobs.into(), took }));
    script.end(12.5, finished("tests", 8.4));
    script.start(12.6, "report", 1, 0).end(14.0, finished("report", 1.4));
    script.finish()
}

/// A hundred jobs of one stage on eight slots, five seconds each, between a stage before and one after.
pub(super) fn hundred() -> Vec<Timed> {
    let names: Vec<_> = (1..=98).map(|at| format!("test {at}/98")).collect();
    let tests: Vec<_> = names.iter().map(String::as_str).collect();
    let stages: [(&str, &[&str]); 3] = [("build", &["compile"]), ("test", &tests), ("deploy", &["pages"])];
    let mut script = Script::default();
    script.at(0.0, Event::PipelineStarted(outline("merge request !12 into main, 5f2c01ab", &stages)));
    script.start(0.0, "compile", 1, 0).end(9.0, finished("compile", 9.0));
    script.at(9.0, Event::StageFinished { stage: "build".into(), status: Status::Success });
    for (at, job) in names.iter().enumerate() {
        let (round, slot) = (at / 8, at % 8);
        let started = 9.0
            + 5.0 * f64::from(u32::try_from(round).unwrap_or(0))
            + 0.01 * f64::from(u32::try_from(slot).unwrap_or(0));
        script.status(9.0, job, Status::Pending, None);
        script.start(started + 0.1, job, 1, slot / 4).phase(started + 0.5, job, Phase::Script);
        script.say(started + 1.0, job, &format!("running shard {} of 98", at + 1));
        match at {
            20 => script.end(
                started + 4.9,
                failed(job, 4.8, 1, "the script ended with exit code 1", &["assertion failed"]),
            ),
            _ => script.end(started + 4.9, finished(job, 4.8)),
        };
    }
    script.start(75.0, "pages", 1, 0).end(80.0, finished("pages", 5.0));
    script.finish()
}
