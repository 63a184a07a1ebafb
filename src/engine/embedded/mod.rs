//! Pods without Docker and without a cluster: in Linux namespaces and cgroups of this machine.
//!
//! ```text
//! Pod ─► plan ─► sandbox (a process of its own) ─► news ─► status
//!          ▲
//!        images (unpacked layers), volumes (folders)
//! ```

mod cgroup;
mod engine;
pub mod image;
mod layers;
mod means;
mod network;
mod node;
mod owner;
mod pod;
mod pods;
mod remains;
mod removal;
pub mod sandbox;
mod terminal;
mod tree;

pub use engine::{Embedded, Options};
pub use means::look;
