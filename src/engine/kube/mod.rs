//! Pods in a Kubernetes cluster, whoever made the cluster.
//!
//! The cluster is always the one of a kubeconfig file, or of a context that was named: never the user's
//! current context. rustls takes its crypto provider from the process: install `rustls`' ring provider
//! before the first [`client::connect`].

mod admission;
mod answered;
pub mod client;
mod errors;
mod exec;
mod files;
mod log;
mod login;
pub mod namespace;
pub mod node;
mod pods;
mod resume;
mod terminal;
mod usage;
mod watch;

pub(super) use errors::failed;
pub use pods::KubePods;
