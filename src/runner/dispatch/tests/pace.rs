//! Runs that stop before each stage and each job.

use tokio::sync::Semaphore;

use super::*;
use crate::{event::Until, runner::Pace};

/// Lets a run go on when a test says so.
#[derive(Debug)]
struct Held(Semaphore);

#[async_trait]
impl Pace for Held {
    fn until(&self) -> Until {
        Until::Enter
    }

    async fn wait(&self) {
        self.0.acquire().await.expect("it is never closed").forget();
    }
}

/// What was told before the next pause: what comes next, or what happened.
async fn told(run: &mut Run) -> String {
    match run.events.recv().await.expect("the run goes on") {
        Event::Upcoming(next) => {
            let subject = next.job.unwrap_or_else(|| format!("stage {}", next.stage));
            format!("next is {subject}: {}; {}", next.what, next.why)
        }
        event => words(&event),
    }
}

fn stepped(jobs: Vec<Job>) -> (Run, Arc<Held>) {
    let held = Arc::new(Held(Semaphore::new(0)));
    let pace = Arc::clone(&held);
    (Run::start_with(jobs, |options| options.pace = Some(pace), false), held)
}

#[tokio::test(start_paused = true)]
async fn a_run_stops_before_each_stage_and_each_job_and_says_why() {
    let needs = Some(vec![Need { job: JobId(0), artifacts: true }]);
    let early = Job { needs, ..job("early", "test") };
    let (mut run, held) = stepped(vec![job("a", "build"), job("b", "build"), early, job("late", "test")]);
    let mut seen = vec![told(&mut run).await];
    for _ in 0..2 {
        held.0.add_permits(1);
        seen.push(told(&mut run).await);
    }
    // nothing runs before it may
    seen.push(told(&mut run).await);
    let a = run.call().await;
    a.end(AttemptResult::Success);
    held.0.add_permits(1);
    let b = run.call().await;
    for _ in 0..3 {
        seen.push(told(&mut run).await);
    }
    held.0.add_permits(2);
    run.call().await.end(AttemptResult::Success);
    b.end(AttemptResult::Success);
    held.0.add_permits(1);
    run.call().await.end(AttemptResult::Success);
    let (summary, events) = run.end().await;
    assert_eq!(summary.status, Status::Success);
    insta::assert_snapshot!(seen.join("\n"));
    assert_eq!(events.last().map(String::as_str), Some("pipeline: success after 0ns"));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_canceled_while_it_stops_starts_nothing_more() {
    let (mut run, held) = stepped(vec![job("a", "build"), job("b", "build")]);
    told(&mut run).await;
    held.0.add_permits(1);
    told(&mut run).await;
    run.wish(Control::Cancel).await;
    let (summary, events) = run.end().await;
    assert_eq!(summary.status, Status::Canceled);
    assert!(events.iter().all(|event| !event.contains("started")), "{events:?}");
}
