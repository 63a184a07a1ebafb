//! Where pods run.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{CLUSTER, Format};

/// `--engine`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineKind {
    /// What this machine can run.
    Auto,
    /// A kind cluster.
    Kind,
    /// An existing cluster, named with `--context`.
    Kube,
    /// Namespaces and cgroups of this machine, without Docker. Linux only.
    Embedded,
}

/// `--image-fallback`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImageFallback {
    /// Nothing: the job fails.
    None,
    /// The host's own file system.
    Host,
}

/// How a kind cluster is made.
#[derive(Debug, Clone, Args)]
pub struct KindArguments {
    /// kind's configuration of the cluster instead of podline's own.
    #[arg(help_heading = CLUSTER, long, value_name = "PATH")]
    pub kind_config: Option<PathBuf>,
    /// The node image instead of kind's default.
    #[arg(help_heading = CLUSTER, long, value_name = "IMAGE", env = "PODLINE_NODE_IMAGE")]
    pub node_image: Option<String>,
}

/// Which existing cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ExistingArguments {
    /// The context of an existing cluster to run in; podline never takes the current one.
    #[arg(help_heading = CLUSTER, long, value_name = "NAME")]
    pub context: Option<String>,
    /// The namespace to run in instead of one that is made for the run.
    #[arg(help_heading = CLUSTER, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// The kubeconfig that has the context instead of those of `KUBECONFIG`.
    #[arg(help_heading = CLUSTER, long, value_name = "PATH")]
    pub kubeconfig: Option<PathBuf>,
}

/// `podline cluster`.
#[derive(Debug, Subcommand)]
pub enum ClusterCommand {
    /// Make a cluster that stays, for `podline run --cluster NAME`.
    Up {
        /// Its name.
        #[arg(default_value = "dev")]
        name: String,
        #[command(flatten)]
        kind: KindArguments,
    },
    /// Remove a cluster.
    Down {
        /// Its name.
        #[arg(default_value = "dev")]
        name: String,
    },
    /// List podline's clusters.
    List {
        /// Text or JSON.
        #[arg(long, value_name = "FORMAT", default_value = "text")]
        format: Format,
    },
    /// Remove what runs that were killed have left behind, here or in an existing cluster.
    Prune {
        #[command(flatten)]
        existing: ExistingArguments,
    },
}
