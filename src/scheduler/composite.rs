//! The status of a set of jobs, after GitLab's `Ci::Status::Composite`.

use super::Status;

/// Which statuses occur in a set of jobs: all that the status of the set depends on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Composite(u16);

const CREATED: u16 = 1;
const WAITING_FOR_RESOURCE: u16 = 1 << 1;
const PENDING: u16 = 1 << 2;
const RUNNING: u16 = 1 << 3;
const SUCCESS: u16 = 1 << 4;
const FAILED: u16 = 1 << 5;
const CANCELED: u16 = 1 << 6;
const SKIPPED: u16 = 1 << 7;
const MANUAL: u16 = 1 << 8;
const SCHEDULED: u16 = 1 << 9;
/// A failure or cancellation that is allowed: GitLab's success with warnings.
const WARNED: u16 = 1 << 10;
/// A manual job that nobody has to start.
const IGNORED: u16 = 1 << 11;

impl Composite {
    /// Adds a job; `allow_failure` is whether it may fail, or, not started, be left alone.
    pub(super) fn add(&mut self, status: Status, allow_failure: bool) {
        self.0 |= match status {
            Status::Failed | Status::Canceled if allow_failure => WARNED,
            Status::Manual if allow_failure => IGNORED,
            Status::Created => CREATED,
            Status::WaitingForResource => WAITING_FOR_RESOURCE,
            Status::Pending => PENDING,
            Status::Running => RUNNING,
            Status::Success => SUCCESS,
            Status::Failed => FAILED,
            Status::Canceled => CANCELED,
            Status::Skipped => SKIPPED,
            Status::Manual => MANUAL,
            Status::Scheduled => SCHEDULED,
        };
    }

    /// Adds all jobs of another set.
    pub(super) fn merge(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Status of the jobs of a stage, of a pipeline, or before a stage; the first rule that fits decides.
    /// An empty set has succeeded.
    pub(super) fn status(self) -> Status {
        // GitLab adds these to nearly every "only these" rule: they hide behind the others.
        const CALM: u16 = WARNED | IGNORED;
        if self.0 == 0 {
            Status::Success
        } else if self.only(SKIPPED | IGNORED) {
            Status::Skipped
        } else if self.only(SUCCESS | SKIPPED | CALM) {
            Status::Success
        } else if self.only(CREATED | CALM) {
            Status::Created
        } else if self.only(CANCELED | SUCCESS | SKIPPED | CALM) {
            Status::Canceled
        } else if self.only(PENDING | CREATED | SKIPPED | CALM) {
            Status::Pending
        } else if self.any(RUNNING | PENDING) {
            Status::Running
        } else if self.any(WAITING_FOR_RESOURCE) {
            Status::WaitingForResource
        } else if self.any(MANUAL) {
            Status::Manual
        } else if self.any(SCHEDULED) {
            Status::Scheduled
        } else if self.any(CREATED) {
            Status::Running
        } else {
            Status::Failed
        }
    }

    /// Status of the jobs that a job names in `needs`: one of them that does not run decides at once, even
    /// while others still run.
    pub(super) fn status_of_needs(self) -> Status {
        if self.any(SKIPPED | IGNORED) { Status::Skipped } else { self.status() }
    }

    fn only(self, statuses: u16) -> bool {
        self.0 & !statuses == 0
    }

    fn any(self, statuses: u16) -> bool {
        self.0 & statuses != 0
    }
}

#[cfg(test)]
mod tests {
    use super::Composite;
    use super::Status::{self, *};

    fn set(jobs: &[(Status, bool)]) -> Composite {
        let mut set = Composite::default();
        for &(status, allow_failure) in jobs {
            set.add(status, allow_failure);
        }
        set
    }

    #[test]
    fn a_set_of_jobs_has_the_status_gitlab_gives_it() {
        let table: &[(&[(Status, bool)], Status)] = &[
            (&[], Success),
            (&[(Success, false), (Success, false)], Success),
            (&[(Success, false), (Failed, false)], Failed),
            (&[(Success, false), (Failed, true)], Success),
            (&[(Failed, true)], Success),
            (&[(Canceled, true)], Success),
            (&[(Canceled, false), (Success, false)], Canceled),
            (&[(Canceled, false), (Failed, false)], Failed),
            (&[(Skipped, false)], Skipped),
            (&[(Skipped, false), (Success, false)], Success),
            (&[(Skipped, false), (Failed, false)], Failed),
            (&[(Manual, true)], Skipped),
            (&[(Manual, true), (Success, false)], Success),
            (&[(Manual, false)], Manual),
            (&[(Manual, false), (Success, false)], Manual),
            (&[(Manual, false), (Failed, false)], Manual),
            (&[(Manual, false), (Running, false)], Running),
            (&[(Created, false)], Created),
            (&[(Created, false), (Manual, true)], Created),
            (&[(Created, false), (Success, false)], Running),
            (&[(Created, false), (Skipped, false)], Pending),
            (&[(Pending, false), (Created, false)], Pending),
            (&[(Pending, false), (Success, false)], Running),
            (&[(Running, false), (Failed, false)], Running),
            (&[(WaitingForResource, false), (Created, false)], WaitingForResource),
            (&[(Scheduled, false), (Success, false)], Scheduled),
            (&[(Scheduled, false), (Manual, false)], Manual),
        ];
        for (jobs, status) in table {
            assert_eq!(set(jobs).status(), *status, "{jobs:?}");
        }
    }

    #[test]
    fn a_need_that_does_not_run_decides_at_once() {
        let table: &[(&[(Status, bool)], Status)] = &[
            (&[], Success),
            (&[(Success, false), (Success, false)], Success),
            (&[(Skipped, false), (Success, false)], Skipped),
            (&[(Skipped, false), (Failed, false)], Skipped),
            (&[(Manual, true), (Running, false)], Skipped),
            (&[(Manual, false), (Success, false)], Manual),
            (&[(Failed, true), (Success, false)], Success),
        ];
        for (needs, status) in table {
            assert_eq!(set(needs).status_of_needs(), *status, "{needs:?}");
        }
    }
}
