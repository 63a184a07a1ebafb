//! What to start, skip, retry and cancel. A pure state machine: no clock, no tokio, no I/O.
//!
//! [`Scheduler::handle`] takes what happened and gives what to do; statuses follow GitLab's algebra
//! (`Ci::Status::Composite`, `ProcessBuildService`).

pub mod status;

pub use status::Status;
