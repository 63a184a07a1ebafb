//! What was seen of a machine. Plain data, so that the machines of others can be looked at, too.

use serde::{Deserialize, Serialize};

use crate::engine::Means;

/// A machine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// The operating system as Rust calls it: `linux`, `macos`.
    pub os: String,
    /// The version of git.
    pub git: Option<String>,
    /// Docker's engine.
    pub docker: Docker,
    /// The version of kind.
    pub kind: Option<String>,
    /// The version of kubectl.
    pub kubectl: Option<String>,
    /// podline's clusters.
    pub clusters: Vec<Cluster>,
    /// What the embedded engine finds; none but on Linux.
    pub machine: Option<Machine>,
    /// The contexts of the user's kubeconfig.
    pub contexts: Vec<String>,
    /// Bytes that are free where podline keeps images and clusters' data.
    pub free_bytes: Option<u64>,
}

/// Docker's engine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Docker {
    /// Where it was looked for.
    pub host: String,
    /// Its version, where it answers.
    pub version: Option<String>,
    /// The version of cgroups that it uses, `1` or `2`.
    pub cgroup: Option<String>,
    /// Why it does not answer, and what helps.
    pub trouble: Option<Trouble>,
    /// The newest node image of kind that it has.
    pub node_image: Option<String>,
}

/// Why something cannot be used.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Trouble {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// A cluster of podline's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// Its name, as users say it.
    pub name: String,
    /// Whether a run that is gone has left it.
    pub is_left_over: bool,
}

/// What pods on the machine itself need.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// What the kernel and its settings allow.
    #[serde(flatten)]
    pub means: Means,
    /// Which of the programs that make networks are there.
    pub network_programs: Vec<String>,
    /// How many images podline has.
    pub images: usize,
}
