//! What to start, skip, retry and cancel. A pure state machine: no clock, no tokio, no I/O.
//!
//! [`Scheduler::handle`] takes what happened ([`Input`]) and gives what to do ([`Action`]); statuses follow
//! GitLab's algebra (`Ci::Status::Composite`, `Ci::ProcessBuildService`). A [`Graph`] is all it knows of a
//! pipeline.

mod composite;
mod control;
pub mod critical_path;
pub mod graph;
pub mod protocol;
mod reason;
mod retry;
mod state;
pub mod status;
pub mod tree;

pub use critical_path::{CriticalPath, critical_path};
pub use graph::{Graph, Task};
pub use protocol::{Action, Delays, Deploy, End, Input, Options};
pub use state::Scheduler;
pub use status::Status;
pub use tree::{PipelineId, Step, Tree};

#[cfg(test)]
mod invariants;
#[cfg(test)]
mod tests;
