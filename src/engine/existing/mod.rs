//! Pods in a cluster that somebody else made: in a namespace of the run, or in one that is there.
//!
//! Whatever a run makes belongs to a Lease that it renews as long as it lives: by that the next run, on
//! whatever machine, tells what was left behind from what is in use.

mod access;
mod existing_engine;
mod lease;
mod limits;
mod remains;

pub use existing_engine::{Existing, ExistingEngine, Space};
pub use remains::prune;
