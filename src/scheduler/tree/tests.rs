use std::collections::BTreeSet;

use super::{PipelineId, Step, Tree};
use crate::{
    pipeline::{AllowFailure, JobId, Retry, When, child::Strategy},
    scheduler::{Action, Deploy, End, Graph, Input, Options, Status, Task},
};

const FAILED: End = End::Failed { reason: "script_failure", exit_code: Some(1) };

/// Pipelines that run, each with a name that stands before its jobs.
struct Run {
    tree: Tree,
    names: Vec<&'static str>,
}

impl Run {
    fn begin(slots: usize, tasks: Vec<Task>) -> (Self, Vec<String>) {
        let options = Options { slots, ..Options::default() };
        let mut run = Self { tree: Tree::new(graph(tasks), options), names: vec![""] };
        let steps = run.tree.handle(PipelineId::ROOT, Input::Begin);
        let words = run.words(steps);
        (run, words)
    }

    /// The child pipeline of a trigger job begins.
    fn create(&mut self, bridge: &str, name: &'static str, tasks: Vec<Task>) -> Vec<String> {
        self.create_with(bridge, name, tasks, Options::default())
    }

    fn create_with(
        &mut self,
        bridge: &str,
        name: &'static str,
        tasks: Vec<Task>,
        options: Options,
    ) -> Vec<String> {
        let (pipeline, job) = self.find(bridge);
        self.names.push(name);
        let (_, steps) = self.tree.create(pipeline, job, graph(tasks), options);
        self.words(steps)
    }

    fn handle(&mut self, job: &str, input: impl FnOnce(JobId) -> Input) -> Vec<String> {
        let (pipeline, job) = self.find(job);
        let steps = self.tree.handle(pipeline, input(job));
        self.words(steps)
    }

    fn finish(&mut self, job: &str, end: End) -> Vec<String> {
        self.handle(job, |job| Input::Finished(job, end))
    }

    fn status(&self, job: &str) -> Status {
        let (pipeline, job) = self.find(job);
        self.tree.pipeline(pipeline).status(job)
    }

    fn reason(&self, job: &str) -> Option<String> {
        let (pipeline, job) = self.find(job);
        self.tree.pipeline(pipeline).reason(job)
    }

    /// `job` of the first pipeline, `child/job` of others.
    fn find(&self, path: &str) -> (PipelineId, JobId) {
        let (name, job) = path.rsplit_once('/').unwrap_or(("", path));
        let pipeline = PipelineId(self.names.iter().position(|known| *known == name).expect("a pipeline"));
        let tasks = &self.tree.pipeline(pipeline).graph().tasks;
        (pipeline, JobId(tasks.iter().position(|task| task.name == job).expect("a job")))
    }

    /// Starts, ends, cancels and what is not plain.
    fn words(&self, steps: Vec<Step>) -> Vec<String> {
        let word = |Step { pipeline, action }: Step| {
            let name = |job: JobId| {
                let name = &self.tree.pipeline(pipeline).graph().tasks[job.0].name;
                let before = self.names[pipeline.0];
                if before.is_empty() { name.clone() } else { format!("{before}/{name}") }
            };
            Some(match action {
                Action::Start { job, .. } => format!("start {}", name(job)),
                Action::Ended { job, status, .. } => format!("{} {}", name(job), status.name()),
                Action::Cancel(job) => format!("cancel {}", name(job)),
                Action::Changed { job, status, .. } => format!("{} is {}", name(job), status.name()),
                Action::Finished { status } => format!("{}: {}", self.names[pipeline.0], status.name()),
                _ => return None,
            })
        };
        steps.into_iter().filter_map(word).collect()
    }
}

fn graph(tasks: Vec<Task>) -> Graph {
    let stages = ["build", "test", "deploy"].map(str::to_owned).to_vec();
    Graph { stages, tasks, cancel_on_job_failure: false }
}

fn job(name: &str, stage: usize) -> Task {
    Task::new(name, stage)
}

fn bridge(name: &str, stage: usize, strategy: Strategy) -> Task {
    Task { trigger: Some(strategy), ..job(name, stage) }
}

#[test]
fn without_a_strategy_a_trigger_job_succeeds_when_its_child_is_there() {
    let (mut run, begun) = Run::begin(1, vec![bridge("child", 0, Strategy::None), job("after", 1)]);
    assert_eq!(begun, ["start child"]);
    // the parent's next job comes first: it is the earlier pipeline, and both are one job long
    let created = run.create("child", "child", vec![job("unit", 0)]);
    assert_eq!(created, ["child success", "start after", "child/unit is pending"]);
    assert_eq!(run.finish("after", End::Success), ["after success", ": success", "start child/unit"]);
    assert!(!run.tree.is_at_rest());
    assert_eq!(run.finish("child/unit", FAILED), ["child/unit failed", "child: failed"]);
    assert!(run.tree.is_at_rest());
    assert_eq!(run.tree.pipeline(PipelineId::ROOT).pipeline_status(), Status::Success);
}

#[test]
fn with_a_strategy_it_waits_and_its_status_is_that_of_the_child() {
    let manual = || Task { when: When::Manual, allow_failure: AllowFailure::Always(true), ..job("m", 0) };
    let table = [
        (Strategy::Depend, vec![job("unit", 0)], End::Success, Status::Success),
        (Strategy::Depend, vec![job("unit", 0)], FAILED, Status::Failed),
        (Strategy::Depend, vec![job("unit", 0)], End::Canceled, Status::Canceled),
        (Strategy::Mirror, vec![job("unit", 0)], FAILED, Status::Failed),
    ];
    for (strategy, tasks, end, status) in table {
        let (mut run, _) = Run::begin(1, vec![bridge("child", 0, strategy)]);
        assert_eq!(run.create("child", "child", tasks), ["start child/unit"]);
        assert_eq!(run.status("child"), Status::Running);
        run.finish("child/unit", end);
        assert_eq!(run.status("child"), status, "{strategy:?}");
    }
    // a child in which nothing runs by itself
    for (strategy, status) in [(Strategy::Depend, Status::Failed), (Strategy::Mirror, Status::Skipped)] {
        let (mut run, _) = Run::begin(1, vec![bridge("child", 0, strategy)]);
        run.create("child", "child", vec![manual()]);
        assert_eq!(run.status("child"), status, "{strategy:?}");
    }
}

#[test]
fn a_trigger_job_whose_child_is_only_held_is_skipped() {
    let held = Task { held: Some("would deploy".into()), ..job("deploy", 0) };
    let (mut run, _) = Run::begin(1, vec![bridge("child", 0, Strategy::Depend), job("after", 1)]);
    let created = run.create("child", "child", vec![held.clone()]);
    assert_eq!(created, ["child/deploy is manual", "child: skipped", "child skipped", "start after"]);
    let reason = "the jobs of its child pipeline are held";
    assert_eq!(run.reason("child").as_deref(), Some(reason));

    let (mut run, _) = Run::begin(1, vec![bridge("child", 0, Strategy::Depend)]);
    let deploy = Deploy::Only(BTreeSet::from(["child/deploy".to_owned()]));
    let options = Options { slots: 1, deploy, ..Options::default() }.of_child("child");
    assert_eq!(run.create_with("child", "child", vec![held], options), ["start child/deploy"]);
}

#[test]
fn a_child_that_waits_for_somebody_blocks_its_parent_until_it_is_played() {
    let manual = Task { when: When::Manual, ..job("gate", 0) };
    for strategy in [Strategy::Depend, Strategy::Mirror] {
        let lenient = Task { allow_failure: AllowFailure::Always(true), ..bridge("child", 0, strategy) };
        let (mut run, _) = Run::begin(1, vec![lenient, job("after", 1)]);
        run.create("child", "child", vec![manual.clone()]);
        assert_eq!(run.status("child"), Status::Manual);
        // a mirrored status counts as one of its own: it may fail, and nobody has to wait for it
        let after = if strategy == Strategy::Mirror { Status::Running } else { Status::Created };
        assert_eq!(run.status("after"), after, "{strategy:?}");
        if strategy == Strategy::Depend {
            assert!(run.tree.is_at_rest());
            assert_eq!(run.handle("child/gate", Input::Play), ["start child/gate"]);
            let ended = run.finish("child/gate", End::Success);
            assert_eq!(ended, ["child/gate success", "child: success", "child success", "start after"]);
        }
    }
}

#[test]
fn slots_are_those_of_all_pipelines_and_the_most_urgent_job_has_the_next() {
    let child = || {
        vec![
            job("short", 0),
            Task { needs: Some(vec![]), ..job("long", 0) },
            Task { needs: Some(vec![1]), ..job("longer", 1) },
        ]
    };
    let needs = |list: &[usize]| Some(list.to_vec());
    let (mut run, begun) = Run::begin(
        1,
        vec![
            bridge("child", 0, Strategy::Depend),
            Task { needs: needs(&[]), ..job("aside", 0) },
            Task { needs: needs(&[]), ..job("aside too", 0) },
            Task { needs: needs(&[0]), ..job("after", 1) },
        ],
    );
    // trigger jobs take no slot
    assert_eq!(begun, ["aside too is pending", "start child", "start aside"]);
    let created = run.create("child", "child", child());
    assert_eq!(created, ["child/short is pending", "child/long is pending"]);
    // `long`, `longer` and then `after` wait for it: that is longer than `aside too`
    assert_eq!(run.finish("aside", End::Success), ["aside success", "start child/long"]);
    let ended = run.finish("child/long", End::Success);
    assert_eq!(ended, ["child/long success", "child/longer is pending", "start child/short"]);
    assert_eq!(run.finish("child/short", End::Success), ["child/short success", "start child/longer"]);
    let ended = run.finish("child/longer", End::Success);
    let up = ["child/longer success", "child: success", "child success"];
    assert_eq!(ended, [&up[..], &["after is pending", "start aside too"]].concat());
}

#[test]
fn a_resource_group_is_that_of_the_project() {
    let group = |task| Task { resource_group: Some("prod".into()), ..task };
    let (mut run, _) = Run::begin(4, vec![bridge("child", 0, Strategy::Depend), group(job("deploy", 0))]);
    run.create("child", "child", vec![group(job("migrate", 0))]);
    let waits = "waits for resource group `prod`, which `deploy` has";
    assert_eq!(run.reason("child/migrate").as_deref(), Some(waits));
    assert_eq!(run.finish("deploy", End::Success), ["deploy success", "start child/migrate"]);
}

#[test]
fn a_child_that_waits_for_the_resource_group_of_its_own_trigger_job_is_known() {
    let group = |task| Task { resource_group: Some("prod".into()), ..task };
    let (mut run, _) = Run::begin(4, vec![group(bridge("child", 0, Strategy::Depend))]);
    run.create("child", "child", vec![group(job("deploy", 0))]);
    assert_eq!(run.tree.waiting_for_resource(), Some((PipelineId(1), JobId(0))));
    assert!(!run.tree.is_at_rest());
    let steps = run.tree.handle(PipelineId::ROOT, Input::CancelAll);
    let canceled =
        ["cancel child", "child/deploy is canceled", "child: canceled", "child canceled", ": canceled"];
    assert_eq!(run.words(steps), canceled);
}

#[test]
fn cancel_goes_down_also_to_those_that_nobody_waits_for() {
    let (mut run, _) = Run::begin(4, vec![bridge("a", 0, Strategy::Depend), bridge("b", 0, Strategy::None)]);
    run.create("a", "a", vec![bridge("inner", 0, Strategy::Depend)]);
    run.create("a/inner", "a/inner", vec![job("x", 0)]);
    run.create("b", "b", vec![job("y", 0)]);
    let steps = run.tree.handle(PipelineId::ROOT, Input::CancelAll);
    assert_eq!(run.words(steps), ["cancel a", "cancel a/inner", "cancel a/inner/x", "cancel b/y"]);
    run.finish("b/y", End::Canceled);
    let ended = run.finish("a/inner/x", FAILED);
    let up = ["a/inner/x canceled", "a/inner: canceled", "a/inner canceled", "a: canceled", "a canceled"];
    assert_eq!(ended[..5], up);
    assert!(run.tree.is_at_rest());
}

#[test]
fn a_trigger_job_that_is_retried_has_another_child() {
    let (mut run, _) = Run::begin(1, vec![bridge("child", 0, Strategy::Depend)]);
    run.create("child", "first", vec![job("unit", 0)]);
    run.finish("first/unit", FAILED);
    assert_eq!(run.status("child"), Status::Failed);
    assert_eq!(run.handle("child", Input::Retry), ["start child"]);
    run.create("child", "second", vec![job("unit", 0)]);
    // what still happens in the first one is not its business any more
    run.handle("first/unit", Input::Retry);
    run.finish("second/unit", End::Success);
    assert_eq!(run.status("child"), Status::Success);
}

#[test]
fn what_nobody_has_to_play_in_a_child_holds_its_parent_up_as_little_as_there() {
    let optional =
        Task { when: When::Manual, allow_failure: AllowFailure::Always(true), ..job("optional", 0) };
    let needs_it = Task { needs: Some(vec![1]), ..job("needs it", 1) };
    let (mut run, _) = Run::begin(2, vec![bridge("child", 0, Strategy::Depend), job("after", 1)]);
    run.create("child", "child", vec![job("unit", 0), optional, needs_it]);
    assert_eq!(run.status("child/needs it"), Status::Skipped);
    let ended = run.finish("child/unit", End::Success);
    assert_eq!(ended, ["child/unit success", "child: success", "child success", "start after"]);
    // played later, it runs for itself
    assert_eq!(
        run.handle("child/optional", Input::Play),
        ["child/needs it is created", "start child/optional"]
    );
}

#[test]
fn a_trigger_job_waits_for_the_last_attempt_of_a_job_of_its_child() {
    let retry = Retry { max: 1, ..Retry::default() };
    let (mut run, _) = Run::begin(1, vec![bridge("child", 0, Strategy::Depend)]);
    run.create("child", "child", vec![Task { retry, ..job("unit", 0) }, job("done", 1)]);
    assert_eq!(run.finish("child/unit", FAILED), ["child/unit failed", "start child/unit"]);
    assert_eq!(run.status("child"), Status::Running);
    assert_eq!(
        run.finish("child/unit", FAILED),
        ["child/unit failed", "child/done is skipped", "child: failed", "child failed", ": failed"]
    );
}
