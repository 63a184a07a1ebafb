//! What happens to a pipeline from outside: attempts end, people play, retry and cancel.

use super::{Action, End, Input, Scheduler, Status, retry, state::JobState};
use crate::pipeline::{AllowFailure, JobId};

const BEFORE_START: &str = "canceled before it started";

impl Scheduler {
    /// Changes the state by what happened, before anything follows from it.
    pub(super) fn take(&mut self, input: Input, actions: &mut Vec<Action>) {
        match input {
            Input::Begin | Input::Freed => {}
            Input::Run(job) => {
                if self.status(job) == Status::Pending {
                    self.run(job.0);
                }
            }
            Input::Enqueue(job) => {
                let waits = [Status::Created, Status::Skipped, Status::Manual, Status::Scheduled];
                if waits.contains(&self.status(job)) {
                    self.enqueue(job.0);
                }
            }
            Input::Finished(job, end) => self.finish(job.0, &end, actions),
            Input::Play(job) => self.play(job.0),
            Input::Retry(job) => self.retry(job.0),
            Input::RetryAll => self.retry_all(),
            Input::Cancel(job) => {
                // GitLab cancels a waiting manual job only when it is named.
                if self.status(job) == Status::Manual {
                    self.jobs[job.0].why = Some(BEFORE_START.to_owned());
                    self.set(job.0, Status::Canceled);
                }
                self.cancel(job.0, BEFORE_START, actions);
            }
            Input::CancelAll => self.cancel_all(BEFORE_START, actions),
            Input::DelayOver(job) => {
                if self.status(job) == Status::Scheduled {
                    self.enqueue(job.0);
                }
            }
            Input::Blocked(job) => {
                let state = &mut self.jobs[job.0];
                if state.status == Status::Running {
                    state.status = Status::Manual;
                    state.blocked = true;
                }
            }
        }
    }

    fn finish(&mut self, job: usize, end: &End, actions: &mut Vec<Action>) {
        let task = &self.graph.tasks[job];
        let state = &mut self.jobs[job];
        if state.status.is_completed() {
            return;
        }
        // An attempt that never ran counts all the same.
        if state.status != Status::Running && !state.blocked {
            state.attempt += 1;
        }
        state.blocked = false;
        let (mut retried, mut why) = (false, None);
        let status = match end {
            // Whatever the runner says of a job that was told to end: `canceling` only becomes `canceled`.
            _ if state.canceling => Status::Canceled,
            End::Success => Status::Success,
            End::Canceled => Status::Canceled,
            End::Skipped(reason) => {
                why = Some(reason.clone());
                Status::Skipped
            }
            End::Failed { reason, exit_code } => {
                state.failure_allowed = fails_leniently(&task.allow_failure, *exit_code);
                retried = retry::is_due(&task.retry, state.attempt - 1, reason, *exit_code);
                Status::Failed
            }
        };
        state.why = if status == Status::Canceled { Some("canceled".to_owned()) } else { why };
        let attempt = state.attempt;
        self.set(job, status);
        let allowed = self.failure_is_allowed(JobId(job));
        actions.push(Action::Ended { job: JobId(job), attempt, status, allowed, retried });
        if retried {
            self.enqueue(job);
        } else if status == Status::Failed && !allowed && self.graph.cancel_on_job_failure {
            self.auto_cancel(job, actions);
        }
    }

    fn auto_cancel(&mut self, failed: usize, actions: &mut Vec<Action>) {
        let why = format!("canceled because `{}` failed", self.graph.tasks[failed].name);
        let told = actions.len();
        let before = self.jobs.iter().filter(|job| job.status == Status::Canceled).count();
        self.cancel_all(&why, actions);
        let after = self.jobs.iter().filter(|job| job.status == Status::Canceled).count();
        if before != after || actions.len() > told {
            actions.insert(told, Action::AutoCancel { failed: JobId(failed) });
        }
    }

    fn cancel_all(&mut self, why: &str, actions: &mut Vec<Action>) {
        for job in 0..self.jobs.len() {
            self.cancel(job, why, actions);
        }
    }

    fn cancel(&mut self, job: usize, why: &str, actions: &mut Vec<Action>) {
        let state = &mut self.jobs[job];
        match state.status {
            Status::Running if !state.canceling => {
                state.canceling = true;
                actions.push(Action::Cancel(JobId(job)));
            }
            Status::Created | Status::WaitingForResource | Status::Pending | Status::Scheduled => {
                state.why = Some(why.to_owned());
                self.set(job, Status::Canceled);
            }
            _ => {}
        }
    }

    /// Starts what waits for somebody; a job whose turn has not come starts when it comes.
    fn play(&mut self, job: usize) {
        let state = &mut self.jobs[job];
        // What waits in a child pipeline is played there.
        let waits = matches!(state.status, Status::Created | Status::Manual | Status::Scheduled);
        if !waits || state.blocked {
            return;
        }
        state.played = true;
        state.held = false;
        if state.status != Status::Created {
            self.enqueue(job);
            self.reset_skipped(job);
        }
    }

    fn retry(&mut self, job: usize) {
        let state = &mut self.jobs[job];
        if matches!(state.status, Status::Success | Status::Failed | Status::Canceled) {
            state.status = Status::Created;
            state.played = true;
            state.held = false;
            self.reset_skipped(job);
        }
    }

    /// A manual job that is retried with its pipeline waits for somebody again.
    fn retry_all(&mut self) {
        for (state, task) in self.jobs.iter_mut().zip(&self.graph.tasks) {
            if matches!(state.status, Status::Failed | Status::Canceled | Status::Skipped) {
                *state = JobState { attempt: state.attempt, ..JobState::new(task, &self.options) };
            }
        }
    }

    fn reset_skipped(&mut self, job: usize) {
        for dependant in self.graph.dependants(job) {
            let state = &mut self.jobs[dependant];
            if state.status == Status::Skipped {
                state.status = Status::Created;
                state.why = None;
            }
        }
    }
}

fn fails_leniently(allow_failure: &AllowFailure, exit_code: Option<i32>) -> bool {
    match allow_failure {
        AllowFailure::Always(allowed) => *allowed,
        AllowFailure::ExitCodes(codes) => exit_code.is_some_and(|code| codes.contains(&code)),
    }
}
