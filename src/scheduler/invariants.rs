//! What holds in every pipeline, whatever happens in it.

use proptest::prelude::*;

use super::{Action, End, Graph, Input, Options, Scheduler, Status, Task};
use crate::pipeline::{AllowFailure, JobId, Retry, When};

/// A pipeline and what happens in it: each number picks one of what may happen next.
#[derive(Debug, Clone)]
struct Story {
    graph: Graph,
    slots: usize,
    choices: Vec<u16>,
}

fn task() -> impl Strategy<Value = (Task, bool, Vec<prop::sample::Index>)> {
    let when = prop_oneof![
        4 => Just(When::OnSuccess),
        1 => Just(When::OnFailure),
        1 => Just(When::Always),
        1 => Just(When::Manual),
        1 => Just(When::Delayed),
    ];
    let allow_failure = prop_oneof![
        3 => Just(AllowFailure::Always(false)),
        1 => Just(AllowFailure::Always(true)),
        1 => Just(AllowFailure::ExitCodes(vec![3])),
    ];
    let group = prop::option::weighted(0.2, Just("group".to_owned()));
    let needs = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    let held = prop::option::weighted(0.1, Just("would deploy".to_owned()));
    (0..4_usize, when, allow_failure, 0..3_u32, group, held, any::<bool>(), needs).prop_map(
        |(stage, when, allow_failure, max, resource_group, held, dag, needs)| {
            let start_in = (when == When::Delayed).then_some(std::time::Duration::from_secs(1));
            let retry = Retry { max, ..Retry::default() };
            let task = Task::new("", stage);
            (Task { when, allow_failure, start_in, retry, resource_group, held, ..task }, dag, needs)
        },
    )
}

fn graph() -> impl Strategy<Value = Graph> {
    (prop::collection::vec(task(), 0..12), prop::bool::weighted(0.2)).prop_map(
        |(mut drafts, cancel_on_job_failure)| {
            drafts.sort_by_key(|(task, ..)| task.stage);
            let tasks = drafts.into_iter().enumerate().map(|(at, (task, dag, needs))| {
                // Earlier ones only: no circle, and none of a later stage.
                let needs = needs.iter().filter(|_| at > 0).map(|need| need.index(at)).collect();
                Task { name: format!("job{at}"), needs: dag.then_some(needs), ..task }
            });
            let stages = (0..4).map(|stage| format!("stage{stage}")).collect();
            Graph { stages, tasks: tasks.collect(), cancel_on_job_failure }
        },
    )
}

fn story() -> impl Strategy<Value = Story> {
    (graph(), 1..4_usize, prop::collection::vec(any::<u16>(), 60..80))
        .prop_map(|(graph, slots, choices)| Story { graph, slots, choices })
}

/// Everything that may happen next without anybody asking for more.
fn possible(scheduler: &Scheduler, canceled: bool) -> Vec<Input> {
    let mut inputs = Vec::new();
    for (at, _) in scheduler.graph().tasks.iter().enumerate() {
        let job = JobId(at);
        match scheduler.status(job) {
            Status::Running => {
                let failed = |code| End::Failed { reason: "script_failure", exit_code: Some(code) };
                inputs.extend([End::Success, failed(1), failed(3)].map(|end| Input::Finished(job, end)));
            }
            Status::Scheduled => inputs.push(Input::DelayOver(job)),
            Status::Manual if !canceled => inputs.push(Input::Play(job)),
            _ => {}
        }
    }
    if !canceled && !inputs.is_empty() {
        inputs.push(Input::CancelAll);
    }
    inputs
}

/// Tells the story and checks each step; gives all actions.
fn tell(story: &Story) -> (Scheduler, Vec<Action>) {
    let options = Options { slots: story.slots, ..Options::default() };
    let mut scheduler = Scheduler::from_graph(story.graph.clone(), options);
    let mut all = scheduler.handle(Input::Begin);
    check(&scheduler, story.slots);
    check_order(&scheduler, &all);
    let (mut canceled, mut played) = (false, false);
    for choice in &story.choices {
        let inputs = possible(&scheduler, canceled);
        if inputs.is_empty() {
            break;
        }
        let input = inputs[usize::from(*choice) % inputs.len()].clone();
        canceled |= input == Input::CancelAll;
        played |= matches!(input, Input::Play(_));
        let actions = scheduler.handle(input);
        check(&scheduler, story.slots);
        // A job that is played late brings back what had ended before others.
        if !played {
            check_order(&scheduler, &actions);
        }
        all.extend(actions);
    }
    // Whatever is left comes to its end.
    while let Some(input) = possible(&scheduler, true).into_iter().next() {
        let actions = scheduler.handle(input);
        check(&scheduler, story.slots);
        all.extend(actions);
    }
    (scheduler, all)
}

fn check(scheduler: &Scheduler, slots: usize) {
    let graph = scheduler.graph();
    let with =
        |status: Status| (0..graph.tasks.len()).filter(move |&job| scheduler.status(JobId(job)) == status);
    assert!(with(Status::Running).count() <= slots, "more jobs run than there are slots");
    let taken = with(Status::Running).chain(with(Status::Pending));
    let grouped = taken.filter(|&job| graph.tasks[job].resource_group.is_some());
    assert!(grouped.count() <= 1, "two jobs have the resource group");
    let free = slots - with(Status::Running).count();
    assert!(free == 0 || with(Status::Pending).count() == 0, "a job waits beside a free slot");
}

/// No job starts before what it waits for has ended, but for GitLab's exception: `when: always` with a
/// need that does not run.
fn check_order(scheduler: &Scheduler, actions: &[Action]) {
    let graph = scheduler.graph();
    let status = |other: usize| scheduler.status(JobId(other));
    let left_alone = |other: usize| status(other) == Status::Manual && scheduler.is_lenient(other);
    let starts = actions.iter().filter_map(|action| match action {
        Action::Start { job, .. } => Some(job.0),
        _ => None,
    });
    for job in starts {
        let task = &graph.tasks[job];
        let before = graph.predecessors(job);
        let lost = before.iter().any(|&other| status(other) == Status::Skipped || left_alone(other));
        let early = task.when == When::Always && task.needs.is_some() && lost;
        let ended = before.iter().all(|&other| status(other).is_completed() || left_alone(other));
        assert!(ended || early, "`{}` starts too early", task.name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_story_comes_to_an_end(story in story()) {
        let (scheduler, actions) = tell(&story);
        for (at, task) in scheduler.graph().tasks.iter().enumerate() {
            let status = scheduler.status(JobId(at));
            let blocked = status == Status::Created
                && scheduler.reason(JobId(at)).is_some_and(|reason| reason.contains("somebody"));
            prop_assert!(
                status.is_completed() || status == Status::Manual || blocked,
                "`{}` is {status:?}", task.name
            );
            if status == Status::Skipped {
                prop_assert!(scheduler.reason(JobId(at)).is_some(), "`{}` is skipped without reason", task.name);
            }
        }
        let finished = matches!(actions.last(), Some(Action::Finished { .. }));
        prop_assert!(finished, "the pipeline does not finish");
    }

    #[test]
    fn the_same_story_ends_the_same(story in story()) {
        prop_assert_eq!(tell(&story).1, tell(&story).1);
    }

    #[test]
    fn every_start_has_one_end(story in story()) {
        let (_, actions) = tell(&story);
        let mut running = std::collections::BTreeSet::new();
        for action in actions {
            match action {
                Action::Start { job, attempt } => prop_assert!(running.insert((job, attempt))),
                Action::Ended { job, attempt, .. } => prop_assert!(running.remove(&(job, attempt))),
                _ => {}
            }
        }
        prop_assert!(running.is_empty());
    }
}
