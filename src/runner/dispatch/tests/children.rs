//! Trigger jobs, and the child pipelines that they start.

use std::sync::Mutex;

use super::*;
use crate::{
    config::{
        Node,
        keyword::job::{Trigger as Written, TriggerTarget},
    },
    event::Outline,
};

/// Child pipelines of these jobs, one after the other; then none can be created.
struct Prepared {
    execute: Arc<Scripted>,
    children: Mutex<Vec<Vec<Job>>>,
    fits: Option<usize>,
}

#[async_trait]
impl Trigger for Prepared {
    async fn create(&self, _job: JobId, _number: u32) -> Result<Child, Box<Outcome>> {
        let mut children = self.children.lock().expect("nothing panics while it holds this");
        if children.is_empty() {
            let failure = Failure {
                reason: FailureReason::DownstreamPipelineCreationFailed,
                message: "downstream pipeline can not be created".into(),
                help: None,
            };
            let result = AttemptResult::Failed { failure, exit_code: None };
            return Err(Box::new(Outcome::bare(result)));
        }
        let jobs = children.remove(0);
        // those that are left are for the child's own children
        let inner = Arc::new(Self {
            execute: Arc::clone(&self.execute),
            children: Mutex::new(std::mem::take(&mut *children)),
            fits: None,
        });
        let member = member(jobs, &self.execute, inner);
        let outline = Outline {
            name: None,
            title: "child pipeline".into(),
            engine: "test".into(),
            slots: 4,
            stages: member.pipeline.stages.clone(),
            jobs: vec![],
        };
        Ok(Child { member, outline, notices: vec!["mind this".into()], fits: self.fits })
    }
}

fn start(jobs: Vec<Job>, children: Vec<Vec<Job>>) -> Run {
    start_with(jobs, children, None)
}

/// There is room for so many pods of the first child pipeline.
fn start_with(jobs: Vec<Job>, children: Vec<Vec<Job>>, fits: Option<usize>) -> Run {
    let trigger = |execute: &Arc<Scripted>| -> Arc<dyn Trigger> {
        Arc::new(Prepared { execute: Arc::clone(execute), children: Mutex::new(children), fits })
    };
    Run::start_tree(jobs, trigger, |_| {}, false)
}

fn bridge(name: &str, stage: &str, strategy: Option<&str>) -> Job {
    let job = job(name, stage);
    let target = TriggerTarget::Child(Box::new(Node::string("child.yml", job.span)));
    let trigger = Written {
        span: job.span,
        target,
        strategy: strategy.map(|strategy| Spanned::new(strategy.to_owned(), job.span)),
        forward_yaml_variables: true,
        forward_pipeline_variables: false,
    };
    Job { trigger: Some(trigger), ..job }
}

#[tokio::test(start_paused = true)]
async fn a_trigger_job_waits_for_its_child_and_what_happens_there_is_told() {
    let parent = vec![bridge("child", "build", Some("depend")), job("after", "test")];
    let mut run = start(parent, vec![vec![job("unit", "test")]]);
    let unit = run.call().await;
    unit.events.send(Event::JobOutput { job: "unit".into(), line: "hello".into() }).await.expect("open");
    pass(Duration::from_secs(2)).await;
    unit.end(AttemptResult::Success);
    let after = run.call().await;
    pass(Duration::from_secs(1)).await;
    after.end(AttemptResult::Success);
    let (summary, events) = run.end().await;
    assert_eq!(
        events,
        [
            "child #1 started",
            "child/ child pipeline of 1 stage",
            "child/ note: mind this",
            "child/ unit #1 started on runner-0",
            "child/ unit: hello",
            "child/ unit #1 finished: success",
            "child/ stage test: success",
            "child/ pipeline: success after 2s",
            "child #1 finished: success",
            "stage build: success",
            "after #1 started on runner-0",
            "after #1 finished: success",
            "stage test: success",
            "pipeline: success after 3s",
        ]
    );
    let names: Vec<_> = summary.jobs.keys().map(String::as_str).collect();
    assert_eq!(names, ["child", "child/unit", "after"]);
    assert_eq!(summary.critical_path.jobs, ["child/unit", "after"]);
    assert_eq!(summary.jobs["child/unit"].origin, "child");
}

#[tokio::test(start_paused = true)]
async fn a_child_that_nobody_waits_for_runs_on_and_does_not_count() {
    let mut run =
        start(vec![bridge("child", "build", None), job("after", "test")], vec![vec![job("unit", "test")]]);
    let mut calls = [run.call().await, run.call().await];
    // the parent's job comes first
    calls.sort_by_key(|call| call.attempt.slot.runner.clone());
    let [after, unit] = calls;
    after.end(AttemptResult::Success);
    pass(Duration::from_secs(1)).await;
    unit.end(failed());
    let (summary, _) = run.end().await;
    let statuses: Vec<_> = summary.jobs.values().map(|job| job.status).collect();
    assert_eq!(summary.status, Status::Success);
    assert!(statuses.contains(&Status::Failed), "{statuses:?}");
    assert_eq!(summary.took, Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_child_that_fails_or_cannot_be_created_fails_its_trigger_job() {
    let parent = || vec![bridge("child", "build", Some("depend")), job("after", "test")];
    let mut run = start(parent(), vec![vec![job("unit", "test"), job("style", "test")]]);
    let (unit, style) = (run.call().await, run.call().await);
    unit.end(failed());
    style.end(AttemptResult::Success);
    let (summary, events) = run.end().await;
    assert_eq!(summary.status, Status::Failed);
    assert!(events.contains(&"child #1 finished: failed (`unit` failed in its child pipeline)".to_owned()));

    let (summary, events) = start(parent(), vec![]).end().await;
    assert_eq!(summary.status, Status::Failed);
    assert_eq!(
        events[..3],
        [
            "child #1 started",
            "child #1 finished: failed (downstream pipeline can not be created)",
            "after is skipped: `child` failed",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn cancel_goes_down_through_all_pipelines() {
    let inner = vec![bridge("inner", "test", Some("depend"))];
    let mut run = start(
        vec![bridge("child", "build", Some("mirror")), job("after", "test")],
        vec![inner, vec![job("unit", "test")]],
    );
    let unit = run.call().await;
    run.wish(Control::Cancel).await;
    unit.attempt.cancel.cancelled().await;
    unit.end(AttemptResult::Canceled);
    let (summary, _) = run.end().await;
    assert_eq!(summary.status, Status::Canceled);
    assert!(summary.jobs.values().all(|job| job.status == Status::Canceled), "{:?}", summary.jobs);
}

#[tokio::test(start_paused = true)]
async fn pipelines_that_wait_for_each_other_are_canceled_with_the_reason() {
    let group = |job| Job { resource_group: Some("prod".into()), ..job };
    let parent = vec![group(bridge("child", "build", Some("depend")))];
    let (summary, events) = start(parent, vec![vec![group(job("deploy", "test"))]]).end().await;
    assert_eq!(summary.status, Status::Canceled);
    let told = "canceling: `child/deploy` waits for resource group `prod`, which `child` has, and that would \
                wait for each other forever";
    assert!(events.iter().any(|event| event == told), "{events:#?}");
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_of_another_project_is_held_and_counts_as_succeeded_when_it_is_played() {
    let other = || {
        let bridge = bridge("other", "build", None);
        let project = Spanned::new("group/other".to_owned(), bridge.span);
        let target = TriggerTarget::Project { project, branch: None };
        let trigger = bridge.trigger.clone().map(|trigger| Written { target, ..trigger });
        Job { trigger, held: Some("would start a pipeline of `group/other`".into()), ..bridge }
    };
    let (summary, events) = start(vec![other()], vec![]).end().await;
    assert_eq!(events[0], "other is manual: held: would start a pipeline of `group/other`");
    assert_eq!(summary.status, Status::Skipped);
    let trigger = |_: &Arc<Scripted>| -> Arc<dyn Trigger> { Arc::new(NoChildren) };
    let run = Run::start_tree(vec![other()], trigger, |options| options.deploy = Deploy::All, false);
    assert_eq!(run.end().await.0.status, Status::Success);
}

#[tokio::test(start_paused = true)]
async fn no_more_jobs_of_a_child_start_than_there_is_room_for() {
    let child = vec![job("one", "test"), job("two", "test")];
    let mut run = start_with(vec![bridge("child", "build", Some("depend"))], vec![child], Some(1));
    let one = run.call().await;
    pass(Duration::from_secs(1)).await;
    assert!(run.calls.try_recv().is_err(), "the second waits for the first");
    one.end(AttemptResult::Success);
    run.call().await.end(AttemptResult::Success);
    assert_eq!(run.end().await.0.status, Status::Success);
}

#[tokio::test(start_paused = true)]
async fn somebody_may_retry_a_job_of_a_child_pipeline_while_that_goes_on() {
    let parent = vec![bridge("child", "build", Some("depend"))];
    let mut run = start(parent, vec![vec![job("unit", "test"), job("slow", "test")]]);
    let (unit, slow) = (run.call().await, run.call().await);
    unit.end(failed());
    let is_finished = |event: &Event| matches!(event.place().1, Event::JobFinished(_));
    while !run.events.recv().await.is_some_and(|event| is_finished(&event)) {}
    run.wish(Control::Wish(Wish::Retry("child/unit".into()))).await;
    run.call().await.end(AttemptResult::Success);
    slow.end(AttemptResult::Success);
    let (summary, _) = run.end().await;
    assert_eq!(summary.status, Status::Success, "the trigger job has waited for it");
}
