mod children;
mod pace;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinHandle,
    time::Instant,
};

use super::{Control, DispatchOptions, dispatch};
use crate::{
    config::{Sources, Span, Spanned},
    event::{Event, Failure, FailureReason, Wish},
    pipeline::{
        AllowFailure, Job, JobId, Pipeline, Retry, When,
        job::{Givers, Need},
        variables::Collection,
    },
    runner::{Attempt, AttemptResult, Child, Execute, Member, Outcome, Summary, Trigger},
    scheduler::{Delays, Deploy, Status},
};

/// Attempts that do what a test says.
struct Scripted {
    calls: mpsc::UnboundedSender<Call>,
    /// Whether they end only when the test says so, even when killed.
    stubborn: bool,
}

/// An attempt that has begun. Dropping its end makes it panic.
struct Call {
    attempt: Attempt,
    events: mpsc::Sender<Event>,
    end: oneshot::Sender<AttemptResult>,
}

impl Call {
    /// Ends the attempt, and with it everything that could still send events.
    fn end(self, result: AttemptResult) {
        self.end.send(result).expect("it still runs");
    }
}

#[async_trait]
impl Execute for Scripted {
    async fn execute(&self, attempt: Attempt, events: mpsc::Sender<Event>) -> Outcome {
        let (end, ended) = oneshot::channel();
        let kill = attempt.kill.clone();
        self.calls.send(Call { attempt, events, end }).expect("the test listens");
        let result = tokio::select! {
            result = ended => result.expect("the script ends here"),
            () = kill.cancelled(), if !self.stubborn => AttemptResult::Canceled,
        };
        Outcome { trace: "trace.log".into(), ..Outcome::bare(result) }
    }
}

/// For pipelines without trigger jobs.
struct NoChildren;

#[async_trait]
impl Trigger for NoChildren {
    async fn create(&self, _job: JobId, _number: u32) -> Result<Child, Box<Outcome>> {
        unreachable!("no job of these pipelines is a trigger job")
    }
}

fn member(jobs: Vec<Job>, execute: &Arc<Scripted>, trigger: Arc<dyn Trigger>) -> Member {
    Member { pipeline: Arc::new(pipeline(jobs)), execute: Arc::<Scripted>::clone(execute), trigger }
}

/// A run whose attempts are in the hand of the test.
struct Run {
    calls: mpsc::UnboundedReceiver<Call>,
    control: mpsc::Sender<Control>,
    events: mpsc::Receiver<Event>,
    summary: JoinHandle<Summary>,
}

impl Run {
    fn start(jobs: Vec<Job>) -> Self {
        Self::start_with(jobs, |_| {}, false)
    }

    fn start_with(jobs: Vec<Job>, change: impl FnOnce(&mut DispatchOptions), stubborn: bool) -> Self {
        Self::start_tree(jobs, |_| Arc::new(NoChildren), change, stubborn)
    }

    fn start_tree(
        jobs: Vec<Job>,
        trigger: impl FnOnce(&Arc<Scripted>) -> Arc<dyn Trigger>,
        change: impl FnOnce(&mut DispatchOptions),
        stubborn: bool,
    ) -> Self {
        let mut options = DispatchOptions {
            runners: vec!["runner-0".into(), "runner-1".into()],
            concurrent: 2,
            limit: None,
            manual: BTreeSet::new(),
            deploy: Deploy::None,
            delays: Delays::Wait,
            reused: BTreeMap::new(),
            attended: false,
            pace: None,
            started: Instant::now(),
        };
        change(&mut options);
        let (calls, called) = mpsc::unbounded_channel();
        let (control, controlled) = mpsc::channel(8);
        let (events, told) = mpsc::channel(64);
        let executor = Arc::new(Scripted { calls, stubborn });
        let root = member(jobs, &executor, trigger(&executor));
        let summary = tokio::spawn(dispatch(root, options, controlled, events));
        Self { calls: called, control, events: told, summary }
    }

    /// The next attempt that begins.
    async fn call(&mut self) -> Call {
        self.calls.recv().await.expect("an attempt begins")
    }

    async fn wish(&self, wish: Control) {
        self.control.send(wish).await.expect("the run goes on");
    }

    /// Waits for the end; gives all events in words.
    async fn end(mut self) -> (Summary, Vec<String>) {
        let summary = self.summary.await.expect("the dispatcher ends");
        let mut events = Vec::new();
        while let Some(event) = self.events.recv().await {
            events.push(words(&event));
        }
        (summary, events)
    }
}

fn words(event: &Event) -> String {
    match event {
        Event::JobStarted { job, attempt, runner } => {
            let on = runner.as_ref().map(|runner| format!(" on {runner}")).unwrap_or_default();
            format!("{job} #{attempt} started{on}")
        }
        Event::JobOutput { job, line } => format!("{job}: {line}"),
        Event::JobStatus { job, status, reason } => {
            format!("{job} is {}: {}", status.name(), reason.as_deref().unwrap_or("-"))
        }
        Event::JobFinished(finished) => {
            let allowed = if finished.allowed { ", allowed" } else { "" };
            let retried = if finished.retried { ", retried" } else { "" };
            let (job, attempt) = (&finished.job, finished.attempt);
            // of trigger jobs, why
            let failure = finished.failure.as_ref().filter(|_| finished.exit_code.is_none());
            let failure = failure.map(|failure| format!(" ({})", failure.message)).unwrap_or_default();
            format!("{job} #{attempt} finished: {}{allowed}{retried}{failure}", finished.status.name())
        }
        Event::StageFinished { stage, status } => format!("stage {stage}: {}", status.name()),
        Event::Canceling { message } => format!("canceling: {message}"),
        Event::PipelineFinished { status, took, .. } => {
            format!("pipeline: {} after {took:?}", status.name())
        }
        Event::Notice { message } => format!("note: {message}"),
        Event::PipelineStarted(outline) => {
            format!("{} of {} stage", outline.title, outline.stages.len())
        }
        Event::Downstream { pipeline, event } => format!("{}/ {}", pipeline.join("/"), words(event)),
        event => format!("{event:?}"),
    }
}

/// Lets time pass once all that can happen now has happened: the clock of these tests jumps.
async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

fn failed() -> AttemptResult {
    let failure = Failure { reason: FailureReason::ScriptFailure, message: "exit code 1".into(), help: None };
    AttemptResult::Failed { failure, exit_code: Some(1) }
}

fn pipeline(jobs: Vec<Job>) -> Pipeline {
    let mut stages: Vec<String> = jobs.iter().map(|job| job.stage.clone()).collect();
    stages.dedup();
    Pipeline {
        name: None,
        stages,
        jobs,
        left_out: vec![],
        unresolved: Vec::new(),
        cancel_on_job_failure: false,
        not_simulated: vec![],
        filtered: None,
    }
}

fn job(name: &str, stage: &str) -> Job {
    let span = Span::new(Sources::default().add("test.yml", ""), 0..0);
    Job {
        name: name.into(),
        key: Spanned::new(name.into(), span),
        instance: None,
        stage: stage.into(),
        when: When::OnSuccess,
        start_in: None,
        allow_failure: AllowFailure::Always(false),
        needs: None,
        artifacts_from: Givers::default(),
        artifacts_from_pipelines: vec![],
        matched_rule: None,
        reason: String::new(),
        variables: Collection::default(),
        script: vec![],
        after_script: vec![],
        pre_get_sources_script: vec![],
        image: None,
        services: vec![],
        artifacts: None,
        cache: vec![],
        retry: Retry::default(),
        timeout: None,
        interruptible: false,
        tags: vec![],
        resource_group: None,
        environment: None,
        trigger: None,
        coverage: None,
        held: None,
        span,
    }
}

#[tokio::test(start_paused = true)]
async fn stages_run_one_after_the_other() {
    let mut run = Run::start(vec![job("a", "build"), job("b", "build"), job("test", "test")]);
    let (a, b) = (run.call().await, run.call().await);
    a.events.send(Event::JobOutput { job: "a".into(), line: "hello".into() }).await.expect("open");
    pass(Duration::from_secs(2)).await;
    a.end(AttemptResult::Success);
    pass(Duration::from_secs(1)).await;
    b.end(AttemptResult::Success);
    let test = run.call().await;
    pass(Duration::from_secs(1)).await;
    test.end(AttemptResult::Success);
    let (summary, events) = run.end().await;
    assert_eq!(
        events,
        [
            "a #1 started on runner-0",
            "b #1 started on runner-1",
            "a: hello",
            "a #1 finished: success",
            "b #1 finished: success",
            "stage build: success",
            "test #1 started on runner-0",
            "test #1 finished: success",
            "stage test: success",
            "pipeline: success after 4s",
        ]
    );
    assert_eq!(summary.status, Status::Success);
    assert_eq!(summary.jobs["b"].took, Some(Duration::from_secs(3)));
    assert_eq!(summary.critical_path.jobs, ["b", "test"]);
    assert_eq!(summary.critical_path.took, Duration::from_secs(4));
}

#[tokio::test(start_paused = true)]
async fn a_failure_skips_later_stages() {
    let mut run = Run::start(vec![job("build", "build"), job("test", "test")]);
    run.call().await.end(failed());
    let (summary, events) = run.end().await;
    assert_eq!(
        events,
        [
            "build #1 started on runner-0",
            "build #1 finished: failed",
            "test is skipped: `build` failed",
            "stage build: failed",
            "stage test: skipped",
            "pipeline: failed after 0ns",
        ]
    );
    let test = &summary.jobs["test"];
    assert_eq!((test.status, test.attempts, test.took), (Status::Skipped, 0, None));
    assert_eq!(test.reason.as_deref(), Some("`build` failed"));
}

#[tokio::test(start_paused = true)]
async fn a_job_starts_while_others_of_its_stage_before_still_run() {
    let test = Job { needs: Some(vec![Need { job: JobId(0), artifacts: true }]), ..job("test", "test") };
    let mut run = Run::start(vec![job("build", "build"), job("slow", "build"), test]);
    let (build, slow) = (run.call().await, run.call().await);
    build.end(AttemptResult::Success);
    let test = run.call().await;
    assert_eq!(test.attempt.job, JobId(2));
    slow.end(AttemptResult::Success);
    test.end(AttemptResult::Success);
    assert_eq!(run.end().await.0.status, Status::Success);
}

#[tokio::test(start_paused = true)]
async fn no_more_jobs_run_than_there_are_slots() {
    let jobs = || (0..6).map(|at| job(&format!("job{at}"), "test")).collect::<Vec<_>>();
    for (limit, slots) in [(None, 4), (Some(9), 4), (Some(3), 3)] {
        let mut run = Run::start_with(jobs(), |options| options.limit = limit, false);
        let mut calls = Vec::new();
        for _ in 0..slots {
            calls.push(run.call().await);
        }
        tokio::task::yield_now().await;
        assert!(run.calls.try_recv().is_err(), "limit {limit:?}");
        for _ in 0..6 {
            let call = calls.remove(0);
            call.end(AttemptResult::Success);
            if let Ok(Some(call)) = tokio::time::timeout(Duration::from_secs(1), run.calls.recv()).await {
                calls.push(call);
            }
        }
        assert_eq!(run.end().await.0.status, Status::Success);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_attempt_is_followed_by_another() {
    let retry = Retry { max: 1, ..Retry::default() };
    let mut run = Run::start(vec![Job { retry, ..job("build", "build") }]);
    run.call().await.end(failed());
    let second = run.call().await;
    assert_eq!(second.attempt.number, 2);
    second.end(AttemptResult::Success);
    let (summary, events) = run.end().await;
    assert_eq!(events[1], "build #1 finished: failed, retried");
    assert_eq!(summary.jobs["build"].attempts, 2);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_panics_is_a_failure_of_the_runner() {
    let allow_failure = AllowFailure::Always(true);
    let mut run = Run::start(vec![Job { allow_failure, ..job("build", "build") }]);
    drop(run.call().await.end);
    let mut failure = None;
    while let Some(event) = run.events.recv().await {
        if let Event::JobFinished(finished) = event {
            assert!(finished.allowed);
            failure = finished.failure;
        }
    }
    let failure = failure.expect("it failed");
    assert_eq!(failure.reason, FailureReason::RunnerSystemFailure);
    assert!(failure.message.starts_with("podline went wrong: the script ends here"), "{}", failure.message);
    assert_eq!(run.end().await.0.status, Status::Success);
}

#[tokio::test(start_paused = true)]
async fn canceling_lets_running_jobs_end_and_starts_no_other() {
    let mut run = Run::start(vec![job("build", "build"), job("test", "test")]);
    let build = run.call().await;
    run.wish(Control::Cancel).await;
    build.attempt.cancel.cancelled().await;
    assert!(!build.attempt.kill.is_cancelled());
    // The after_script has its time.
    pass(Duration::from_secs(20)).await;
    build.end(AttemptResult::Canceled);
    let (summary, events) = run.end().await;
    assert_eq!(
        events,
        [
            "build #1 started on runner-0",
            "canceling: jobs get 30 s for `after_script`; a second interrupt kills them",
            "test is canceled: canceled before it started",
            "stage test: canceled",
            "build #1 finished: canceled",
            "stage build: canceled",
            "pipeline: canceled after 20s",
        ]
    );
    assert_eq!(summary.status, Status::Canceled);
}

#[tokio::test(start_paused = true)]
async fn killing_ends_jobs_at_once() {
    let mut run = Run::start(vec![job("build", "build")]);
    let build = run.call().await;
    run.wish(Control::Cancel).await;
    build.attempt.cancel.cancelled().await;
    run.wish(Control::Kill).await;
    build.attempt.kill.cancelled().await;
    drop(build.events);
    let (summary, events) = run.end().await;
    assert_eq!((summary.status, summary.took), (Status::Canceled, Duration::ZERO));
    assert!(events.contains(&"canceling: running jobs are killed".to_owned()), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn jobs_that_do_not_die_are_given_up() {
    let jobs = vec![job("a", "build"), job("b", "build")];
    let mut run = Run::start_with(jobs, |_| {}, true);
    let (a, b) = (run.call().await.end, run.call().await.end);
    run.wish(Control::Kill).await;
    let (summary, events) = run.end().await;
    assert_eq!((summary.status, summary.took), (Status::Canceled, Duration::from_secs(5)));
    assert_eq!(events.iter().filter(|event| event.ends_with("finished: canceled")).count(), 2);
    assert!(a.is_closed() && b.is_closed());
}

#[tokio::test(start_paused = true)]
async fn a_delayed_job_waits_and_can_be_played() {
    let start_in = Some(Duration::from_secs(1800));
    let rollout = || Job { when: When::Delayed, start_in, ..job("rollout", "deploy") };
    for (play, took) in [(false, 1800), (true, 0)] {
        let mut run = Run::start(vec![rollout()]);
        if play {
            run.wish(Control::Wish(Wish::Play("rollout".into()))).await;
        }
        run.call().await.end(AttemptResult::Success);
        let (summary, events) = run.end().await;
        assert_eq!(events[0], "rollout is scheduled: delayed by 30m");
        assert_eq!((summary.status, summary.took.as_secs()), (Status::Success, took));
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_blocked_on_a_manual_job() {
    let gate = Job { when: When::Manual, ..job("gate", "build") };
    let (summary, events) = Run::start(vec![gate, job("test", "test")]).end().await;
    assert_eq!(summary.status, Status::Manual);
    assert_eq!(
        events,
        ["gate is manual: blocks the pipeline until somebody starts it", "pipeline: manual after 0ns"]
    );
    let test = &summary.jobs["test"];
    assert_eq!(test.reason.as_deref(), Some("waits for somebody to start `gate`"));
}

#[tokio::test(start_paused = true)]
async fn a_run_without_a_place_to_run_ends_at_once() {
    let run = Run::start_with(vec![job("build", "build")], |options| options.concurrent = 0, false);
    let (summary, events) = run.end().await;
    assert_eq!(summary.status, Status::Canceled);
    assert_eq!(events[1], "canceling: no runner has a place for a job");
}

#[tokio::test(start_paused = true)]
async fn a_run_goes_on_when_nobody_listens() {
    let mut run = Run::start(vec![job("build", "build")]);
    let (_, nobody) = mpsc::channel(1);
    run.events = nobody;
    run.control = mpsc::channel(1).0;
    run.call().await.end(AttemptResult::Success);
    assert_eq!(run.end().await.0.status, Status::Success);
}

#[tokio::test(start_paused = true)]
async fn a_blocked_run_waits_for_somebody_who_is_there_and_ends_where_nobody_is() {
    let gate = || vec![Job { when: When::Manual, ..job("gate", "deploy") }];
    let attended = |options: &mut DispatchOptions| options.attended = true;
    let mut started = Run::start_with(gate(), attended, false);
    started.wish(Control::Wish(Wish::Play("gate".into()))).await;
    started.call().await.end(AttemptResult::Success);
    let (summary, events) = started.end().await;
    assert_eq!(summary.status, Status::Success);
    assert_eq!(events[1], r#"Blocked { jobs: ["gate"] }"#, "{events:?}");

    let left = Run::start_with(gate(), attended, false);
    left.wish(Control::Cancel).await;
    assert_eq!(left.end().await.0.status, Status::Manual);

    let alone = Run::start(gate());
    let (summary, events) = alone.end().await;
    assert_eq!(summary.status, Status::Manual);
    assert!(!events.iter().any(|event| event.starts_with("Blocked")), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn somebody_may_retry_a_job_that_has_failed_and_cancel_one_that_runs() {
    let mut run = Run::start(vec![job("unit", "test"), job("slow", "test")]);
    let (unit, slow) = (run.call().await, run.call().await);
    unit.end(failed());
    while !matches!(run.events.recv().await, Some(Event::JobFinished(_))) {}
    run.wish(Control::Wish(Wish::Retry("unit".into()))).await;
    run.call().await.end(AttemptResult::Success);
    run.wish(Control::Wish(Wish::Cancel("slow".into()))).await;
    slow.attempt.cancel.cancelled().await;
    slow.end(AttemptResult::Canceled);
    let (summary, _) = run.end().await;
    assert_eq!(summary.jobs["unit"].status, Status::Success);
    assert_eq!((summary.jobs["unit"].attempts, summary.jobs["slow"].status), (2, Status::Canceled));
}
