//! What the end of an attempt comes to.

use std::any::Any;

use super::{AttemptResult, Outcome};
use crate::{
    event::{Failure, FailureReason},
    scheduler::End,
};

impl Outcome {
    /// What the scheduler needs to know of it.
    pub(super) fn end(&self) -> End {
        match &self.result {
            AttemptResult::Success => End::Success,
            AttemptResult::Failed { failure, exit_code } => {
                End::Failed { reason: failure.reason.name(), exit_code: *exit_code }
            }
            AttemptResult::Canceled => End::Canceled,
        }
    }

    /// Exit code of the script, where it has run to its end.
    pub(super) fn exit_code(&self) -> Option<i32> {
        match &self.result {
            AttemptResult::Success => Some(0),
            AttemptResult::Failed { exit_code, .. } => *exit_code,
            AttemptResult::Canceled => None,
        }
    }
}

/// What a child pipeline that failed is to the trigger job that waits for it.
pub(super) fn child_failed<'j>(failed: impl Iterator<Item = &'j str>) -> AttemptResult {
    let names: Vec<String> = failed.map(|name| format!("`{name}`")).collect();
    let message = match names.as_slice() {
        [] => "its child pipeline did not succeed".to_owned(),
        names => format!("{} failed in its child pipeline", names.join(", ")),
    };
    let failure = Failure { reason: FailureReason::UnknownFailure, message, help: None };
    AttemptResult::Failed { failure, exit_code: None }
}

/// The end of an attempt in which podline itself went wrong.
pub(super) fn broken(panic: &(dyn Any + Send)) -> Outcome {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    let failure = Failure {
        reason: FailureReason::RunnerSystemFailure,
        message: format!("podline went wrong: {}", text.as_deref().unwrap_or("no message")),
        help: Some("this is a mistake of podline, not of the job: please report it".to_owned()),
    };
    Outcome::bare(AttemptResult::Failed { failure, exit_code: None })
}
