//! Throwaway clusters by the `kind` command, each with a Docker network and a kubeconfig of its own.
//!
//! A cluster is known by Docker: by the label that kind puts on its node containers, and by labels of the
//! network that podline makes for it. What podline itself has to remember lies in a folder of the cluster:
//! the kubeconfig, and a file that whoever uses the cluster holds a lock on.

mod cluster;
mod command;
mod config;
mod images;
mod kind_engine;
mod node_image;
mod ready;
mod remains;
mod state;

pub use cluster::{Cluster, Lifetime, Options};
pub use config::Config;
pub use images::{Imported, full_name};
pub use kind_engine::{Kind, KindEngine};
pub use state::{Known, Use};

#[cfg(test)]
mod tests;
