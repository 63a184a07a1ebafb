//! What the scheduler does, in small pipelines.

use std::time::Duration;

use super::{Action, Delays, Deploy, End, Graph, Input, Options, Scheduler, Status, Task};
use crate::pipeline::{AllowFailure, JobId, Retry, When};

const FAILED: End = End::Failed { reason: "script_failure", exit_code: Some(1) };

/// A pipeline that runs, with jobs by name and everything in words.
struct Run(Scheduler);

impl Run {
    /// The pipeline of these jobs, with four slots, and what its beginning gives.
    fn begin(tasks: Vec<Task>) -> (Self, Vec<String>) {
        Self::begin_with(tasks, Options { slots: 4, ..Options::default() })
    }

    fn begin_with(tasks: Vec<Task>, options: Options) -> (Self, Vec<String>) {
        let stages = ["build", "test", "deploy"].map(str::to_owned).to_vec();
        Self::begin_graph(Graph { stages, tasks, cancel_on_job_failure: false }, options)
    }

    fn begin_graph(graph: Graph, options: Options) -> (Self, Vec<String>) {
        let mut run = Self(Scheduler::from_graph(graph, options));
        let actions = run.handle(Input::Begin);
        (run, actions)
    }

    fn handle(&mut self, input: Input) -> Vec<String> {
        self.0.handle(input).iter().map(|action| self.words(action)).collect()
    }

    fn finish(&mut self, name: &str, end: End) -> Vec<String> {
        self.handle(Input::Finished(self.id(name), end))
    }

    fn id(&self, name: &str) -> JobId {
        JobId(self.0.graph().tasks.iter().position(|task| task.name == name).expect("a job of the test"))
    }

    fn status(&self, name: &str) -> Status {
        self.0.status(self.id(name))
    }

    fn reason(&self, name: &str) -> Option<String> {
        self.0.reason(self.id(name))
    }

    fn words(&self, action: &Action) -> String {
        let graph = self.0.graph();
        let name = |job: &JobId| graph.tasks[job.0].name.as_str();
        match action {
            Action::Ended { job, attempt, status, allowed, retried } => {
                let allowed = if *allowed { ", allowed" } else { "" };
                let retried = if *retried { ", retried" } else { "" };
                format!("{} #{attempt} ended: {}{allowed}{retried}", name(job), status.name())
            }
            Action::AutoCancel { failed } => format!("auto-cancel: {}", name(failed)),
            Action::Cancel(job) => format!("cancel {}", name(job)),
            Action::Changed { job, status, reason } => {
                format!("{} is {}: {}", name(job), status.name(), reason.as_deref().unwrap_or("-"))
            }
            Action::StageFinished { stage, status } => {
                format!("stage {}: {}", graph.stages[*stage], status.name())
            }
            Action::StartDelay { job, after } => format!("delay {}: {after:?}", name(job)),
            Action::Start { job, attempt } => format!("start {} #{attempt}", name(job)),
            Action::Finished { status } => format!("finished: {}", status.name()),
        }
    }
}

fn job(name: &str, stage: usize) -> Task {
    Task::new(name, stage)
}

fn manual(name: &str, stage: usize, optional: bool) -> Task {
    Task { when: When::Manual, allow_failure: AllowFailure::Always(optional), ..job(name, stage) }
}

fn names(names: &[&str]) -> std::collections::BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// What comes before the job under test.
#[derive(Debug, Clone, Copy)]
enum Before {
    Success,
    Failed,
    AllowedFailure,
    Canceled,
    Skipped,
    OptionalManual,
    BlockingManual,
}

#[test]
fn when_decides_by_what_came_before() {
    use Before::*;
    use Status::{Created, Manual, Running, Skipped as Skip};
    use When::{Always, Manual as ByHand, OnFailure, OnSuccess};
    #[rustfmt::skip]
    let table = [
        // when, what came before, after stages, after needs
        (OnSuccess, Success,        Running, Running),
        (OnSuccess, Failed,         Skip,    Skip),
        (OnSuccess, AllowedFailure, Running, Running),
        (OnSuccess, Canceled,       Skip,    Skip),
        (OnSuccess, Skipped,        Running, Skip),
        (OnSuccess, OptionalManual, Running, Skip),
        (OnSuccess, BlockingManual, Created, Created),
        (OnFailure, Success,        Skip,    Skip),
        (OnFailure, Failed,         Running, Running),
        (OnFailure, AllowedFailure, Skip,    Skip),
        (OnFailure, Canceled,       Skip,    Skip),
        (OnFailure, Skipped,        Skip,    Skip),
        (OnFailure, OptionalManual, Skip,    Skip),
        (Always,    Success,        Running, Running),
        (Always,    Failed,         Running, Running),
        (Always,    Canceled,       Skip,    Skip),
        (Always,    Skipped,        Running, Running),
        (Always,    OptionalManual, Running, Running),
        (Always,    BlockingManual, Created, Created),
        (ByHand,    Success,        Manual,  Manual),
        (ByHand,    Failed,         Skip,    Skip),
        (ByHand,    Skipped,        Manual,  Skip),
    ];
    for (when, before, after_stages, after_needs) in table {
        for (needs, expected) in [(None, after_stages), (Some(vec![0]), after_needs)] {
            let status = status_after(before, Task { when, needs: needs.clone(), ..job("test", 1) });
            assert_eq!(status, expected, "when {when:?}, before {before:?}, needs {needs:?}");
        }
    }
}

fn status_after(before: Before, test: Task) -> Status {
    let build = match before {
        Before::AllowedFailure => Task { allow_failure: AllowFailure::Always(true), ..job("build", 0) },
        Before::Skipped => Task { when: When::OnFailure, ..job("build", 0) },
        Before::OptionalManual => manual("build", 0, true),
        Before::BlockingManual => manual("build", 0, false),
        Before::Success | Before::Failed | Before::Canceled => job("build", 0),
    };
    let (mut run, _) = Run::begin(vec![build, test]);
    match before {
        Before::Success => drop(run.finish("build", End::Success)),
        Before::Failed | Before::AllowedFailure => drop(run.finish("build", FAILED)),
        Before::Canceled => drop(run.finish("build", End::Canceled)),
        Before::Skipped | Before::OptionalManual | Before::BlockingManual => {}
    }
    run.status("test")
}

#[test]
fn a_stage_begins_when_the_one_before_has_ended() {
    let (mut run, begin) = Run::begin(vec![job("a", 0), job("b", 0), job("test", 1)]);
    assert_eq!(begin, ["start a #1", "start b #1"]);
    assert_eq!(run.finish("a", End::Success), ["a #1 ended: success"]);
    assert_eq!(run.reason("test").as_deref(), Some("waits for `b`"));
    assert_eq!(
        run.finish("b", End::Success),
        ["b #1 ended: success", "stage build: success", "start test #1"]
    );
    assert_eq!(
        run.finish("test", End::Success),
        ["test #1 ended: success", "stage test: success", "finished: success"]
    );
}

#[test]
fn jobs_of_a_stage_that_has_a_failure_run_to_their_end() {
    let (mut run, _) = Run::begin(vec![job("a", 0), job("b", 0), job("test", 1), job("deploy", 2)]);
    assert_eq!(run.finish("a", FAILED), ["a #1 ended: failed"]);
    assert_eq!(
        run.finish("b", End::Success),
        [
            "b #1 ended: success",
            "test is skipped: `a` failed",
            "deploy is skipped: `a` failed",
            "stage build: failed",
            "stage test: skipped",
            "stage deploy: skipped",
            "finished: failed",
        ]
    );
}

#[test]
fn a_job_starts_the_moment_its_last_need_ends() {
    let test = Task { needs: Some(vec![0]), ..job("test", 1) };
    let (mut run, _) = Run::begin(vec![job("build", 0), job("slow", 0), test]);
    assert_eq!(run.finish("build", End::Success), ["build #1 ended: success", "start test #1"]);
}

#[test]
fn a_job_that_needs_nothing_starts_at_once() {
    let lint = Task { needs: Some(vec![]), ..job("lint", 2) };
    let (_, begin) = Run::begin(vec![job("build", 0), lint]);
    assert_eq!(begin, ["start build #1", "start lint #1"]);
}

#[test]
fn slots_go_to_the_job_that_most_wait_for() {
    let options = Options { slots: 1, ..Options::default() };
    let needs = |job: usize| Some(vec![job]);
    let (mut run, begin) = Run::begin_with(
        vec![
            job("lint", 0),
            job("build", 0),
            Task { needs: needs(1), ..job("unit", 1) },
            Task { needs: needs(2), ..job("e2e", 1) },
        ],
        options,
    );
    assert_eq!(begin, ["lint is pending: waits for a slot", "start build #1"]);
    let after = run.finish("build", End::Success);
    assert_eq!(after, ["build #1 ended: success", "start unit #1"]);
    // One each: GitLab's order decides.
    assert_eq!(
        run.finish("unit", End::Success),
        ["unit #1 ended: success", "e2e is pending: waits for a slot", "start lint #1"]
    );
}

#[test]
fn an_exit_code_may_be_allowed() {
    for (code, status) in [(137, Status::Success), (1, Status::Failed)] {
        let allow_failure = AllowFailure::ExitCodes(vec![137]);
        let (mut run, _) = Run::begin(vec![Task { allow_failure, ..job("build", 0) }]);
        let end = End::Failed { reason: "script_failure", exit_code: Some(code) };
        run.finish("build", end);
        assert_eq!(run.0.pipeline_status(), status, "exit code {code}");
    }
}

#[test]
fn a_failure_that_is_retried_holds_back_what_waits_for_it() {
    let retry = Retry { max: 1, ..Retry::default() };
    let (mut run, _) = Run::begin(vec![Task { retry, ..job("build", 0) }, job("test", 1)]);
    assert_eq!(run.finish("build", FAILED), ["build #1 ended: failed, retried", "start build #2"]);
    assert_eq!(run.status("test"), Status::Created);
    let after = run.finish("build", End::Success);
    assert_eq!(after, ["build #2 ended: success", "stage build: success", "start test #1"]);
}

#[test]
fn a_retry_that_fails_too_is_final() {
    let retry = Retry { max: 1, ..Retry::default() };
    let (mut run, _) = Run::begin(vec![Task { retry, ..job("build", 0) }]);
    run.finish("build", FAILED);
    assert_eq!(
        run.finish("build", FAILED),
        ["build #2 ended: failed", "stage build: failed", "finished: failed"]
    );
}

#[test]
fn jobs_of_a_resource_group_run_one_at_a_time() {
    let grouped = |name| Task { resource_group: Some("production".into()), ..job(name, 0) };
    let (mut run, begin) = Run::begin(vec![grouped("a"), grouped("b")]);
    assert_eq!(
        begin,
        ["b is waiting_for_resource: waits for resource group `production`, which `a` has", "start a #1"]
    );
    assert_eq!(run.finish("a", FAILED), ["a #1 ended: failed", "start b #1"]);
}

#[test]
fn an_optional_manual_job_is_left_alone() {
    let (mut run, begin) = Run::begin(vec![manual("gate", 0, true), job("test", 1)]);
    assert_eq!(begin, ["gate is manual: nobody has started it", "stage build: skipped", "start test #1"]);
    run.finish("test", End::Success);
    assert_eq!(run.0.pipeline_status(), Status::Success);
}

#[test]
fn a_blocking_manual_job_blocks_the_pipeline() {
    let (mut run, begin) = Run::begin(vec![manual("gate", 0, false), job("test", 1)]);
    assert_eq!(begin, ["gate is manual: blocks the pipeline until somebody starts it", "finished: manual"]);
    assert_eq!(run.reason("test").as_deref(), Some("waits for somebody to start `gate`"));
    assert_eq!(run.handle(Input::Play(JobId(0))), ["start gate #1"]);
}

#[test]
fn a_manual_job_that_is_named_runs_in_its_turn() {
    let options = Options { slots: 4, manual: names(&["gate"]), ..Options::default() };
    let (mut run, _) = Run::begin_with(vec![job("build", 0), manual("gate", 1, true)], options);
    let after = run.finish("build", End::Success);
    assert_eq!(after, ["build #1 ended: success", "stage build: success", "start gate #1"]);
}

#[test]
fn playing_a_manual_job_brings_back_what_was_skipped() {
    let deploy = Task { needs: Some(vec![0]), ..job("deploy", 1) };
    let (mut run, begin) = Run::begin(vec![manual("gate", 0, true), deploy]);
    assert_eq!(begin[1], "deploy is skipped: nobody has started `gate`, which it needs");
    assert_eq!(run.handle(Input::Play(JobId(0))), ["deploy is created: waits for `gate`", "start gate #1"]);
    assert!(run.finish("gate", End::Success).contains(&"start deploy #1".to_owned()));
}

#[test]
fn a_job_that_is_only_enqueued_brings_nothing_back() {
    let deploy = Task { needs: Some(vec![0]), ..job("deploy", 1) };
    let (mut run, _) = Run::begin(vec![manual("gate", 0, true), deploy]);
    assert_eq!(run.handle(Input::Enqueue(JobId(0))), ["start gate #1"]);
    assert_eq!(run.status("deploy"), Status::Skipped);
}

#[test]
fn a_pipeline_can_be_retried_as_a_whole() {
    let (mut run, _) = Run::begin(vec![job("a", 0), job("b", 0), job("test", 1), manual("gate", 1, true)]);
    run.finish("a", End::Success);
    run.finish("b", FAILED);
    assert_eq!(run.status("test"), Status::Skipped);
    let after = run.handle(Input::RetryAll);
    assert!(after.contains(&"start b #2".to_owned()), "{after:?}");
    assert_eq!(run.status("a"), Status::Success);
    let after = run.finish("b", End::Success);
    assert!(after.contains(&"start test #1".to_owned()), "{after:?}");
    assert_eq!(run.status("gate"), Status::Manual);
}

#[test]
fn a_job_that_is_retried_brings_back_what_was_skipped() {
    let (mut run, _) = Run::begin(vec![job("build", 0), job("test", 1)]);
    run.finish("build", FAILED);
    assert_eq!(run.handle(Input::Retry(JobId(0))), ["test is created: waits for `build`", "start build #2"]);
    assert_eq!(run.0.pipeline_status(), Status::Running);
}

#[test]
fn a_held_job_waits_as_an_optional_manual_one() {
    let held = |when| Task { when, held: Some("would deploy to production".into()), ..job("deploy", 0) };
    let (run, begin) = Run::begin(vec![held(When::OnSuccess)]);
    assert_eq!(
        begin,
        ["deploy is manual: held: would deploy to production", "stage build: skipped", "finished: skipped",]
    );
    assert_eq!(run.status("deploy"), Status::Manual);

    let table = [
        (Deploy::None, Status::Manual),
        (Deploy::Only(names(&["other"])), Status::Manual),
        (Deploy::Only(names(&["deploy"])), Status::Running),
        (Deploy::All, Status::Running),
    ];
    for (deploy, status) in table {
        for when in [When::OnSuccess, When::Manual] {
            let options = Options { slots: 1, deploy: deploy.clone(), ..Options::default() };
            let (run, _) = Run::begin_with(vec![held(when)], options);
            assert_eq!(run.status("deploy"), status, "{deploy:?} {when:?}");
        }
    }
}

#[test]
fn naming_a_held_job_as_manual_does_not_deploy() {
    let held = Task { held: Some("would deploy to production".into()), ..manual("deploy", 0, false) };
    let options = Options { slots: 1, manual: names(&["deploy"]), ..Options::default() };
    let (run, _) = Run::begin_with(vec![held], options);
    assert_eq!(run.status("deploy"), Status::Manual);
}

#[test]
fn a_delayed_job_waits_for_its_delay() {
    let start_in = Some(Duration::from_secs(5400));
    let rollout = || Task { when: When::Delayed, start_in, ..job("rollout", 0) };
    let (mut run, begin) = Run::begin(vec![rollout()]);
    assert_eq!(begin, ["rollout is scheduled: delayed by 1h 30m", "delay rollout: 5400s"]);
    assert_eq!(run.0.pipeline_status(), Status::Scheduled);
    assert_eq!(run.handle(Input::DelayOver(JobId(0))), ["start rollout #1"]);

    let (mut run, _) = Run::begin(vec![rollout()]);
    assert_eq!(run.handle(Input::Play(JobId(0))), ["start rollout #1"]);
    assert_eq!(run.handle(Input::DelayOver(JobId(0))), [""; 0]);

    let options = Options { slots: 1, delays: Delays::Skip, ..Options::default() };
    assert_eq!(Run::begin_with(vec![rollout()], options).1, ["start rollout #1"]);
}

#[test]
fn canceling_ends_what_runs_and_drops_what_waits() {
    let retry = Retry { max: 2, ..Retry::default() };
    let (mut run, _) = Run::begin(vec![Task { retry, ..job("build", 0) }, job("test", 1)]);
    assert_eq!(
        run.handle(Input::CancelAll),
        ["cancel build", "test is canceled: canceled before it started", "stage test: canceled"]
    );
    assert_eq!(run.handle(Input::CancelAll), [""; 0]);
    // Failing on the way out is being canceled, and no reason for a retry.
    assert_eq!(
        run.finish("build", FAILED),
        ["build #1 ended: canceled", "stage build: canceled", "finished: canceled"]
    );
}

#[test]
fn one_job_can_be_canceled() {
    let (mut run, _) = Run::begin(vec![job("a", 0), job("b", 0), job("test", 1)]);
    assert_eq!(run.handle(Input::Cancel(JobId(0))), ["cancel a"]);
    run.finish("a", End::Canceled);
    assert_eq!(run.status("b"), Status::Running);
    let after = run.finish("b", End::Success);
    assert!(after.contains(&"test is skipped: `a` was canceled".to_owned()), "{after:?}");
}

#[test]
fn a_failure_cancels_the_pipeline_where_the_workflow_says_so() {
    let graph = |allow| Graph {
        stages: vec!["build".into(), "test".into()],
        tasks: vec![
            Task { allow_failure: AllowFailure::Always(allow), ..job("a", 0) },
            job("b", 0),
            job("test", 1),
        ],
        cancel_on_job_failure: true,
    };
    let options = || Options { slots: 4, ..Options::default() };
    let (mut run, _) = Run::begin_graph(graph(false), options());
    assert_eq!(
        run.finish("a", FAILED),
        [
            "a #1 ended: failed",
            "auto-cancel: a",
            "cancel b",
            "test is canceled: canceled because `a` failed",
            "stage test: canceled",
        ]
    );
    let (mut run, _) = Run::begin_graph(graph(true), options());
    assert_eq!(run.finish("a", FAILED), ["a #1 ended: failed, allowed"]);
}

#[test]
fn a_need_that_was_skipped_is_named() {
    let needs = |jobs: &[usize]| Some(jobs.to_vec());
    let (mut run, _) = Run::begin(vec![
        job("build", 0),
        Task { needs: needs(&[0]), ..job("test", 1) },
        Task { needs: needs(&[1]), ..job("deploy", 2) },
        Task { when: When::OnFailure, needs: needs(&[1]), ..job("rollback", 2) },
    ]);
    run.finish("build", FAILED);
    assert_eq!(run.reason("test").as_deref(), Some("`build` failed"));
    assert_eq!(run.reason("deploy").as_deref(), Some("`test`, which it needs, was skipped"));
    assert_eq!(run.reason("rollback").as_deref(), Some("nothing before it failed"));
}

#[test]
fn an_end_that_fits_nothing_changes_nothing() {
    let (mut run, _) = Run::begin(vec![job("build", 0)]);
    run.finish("build", End::Success);
    assert_eq!(run.finish("build", FAILED), [""; 0]);
    assert_eq!(run.status("build"), Status::Success);
}

#[test]
fn a_pipeline_is_interruptible_until_a_job_starts_that_is_not() {
    let build = Task { interruptible: true, ..job("build", 0) };
    let (mut run, _) = Run::begin(vec![build, job("deploy", 1)]);
    assert!(run.0.is_interruptible());
    run.finish("build", End::Success);
    assert!(!run.0.is_interruptible());
}

#[test]
fn a_pipeline_without_jobs_succeeds() {
    assert_eq!(Run::begin(vec![]).1, ["finished: success"]);
}
