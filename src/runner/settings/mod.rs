//! What a runner is set to: from the Kubernetes manifests of its deployment, or the defaults.

use std::time::Duration;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use crate::config::keyword::job::PullPolicy;

/// The settings of the runners, whatever they were read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Names of the runners, one per replica: `gitlab-ci-runner-0`, ...
    pub runners: Vec<String>,
    /// Jobs that one runner runs at once (`concurrent`).
    pub concurrent: usize,
    /// Namespace of the pods.
    pub namespace: String,
    /// Service account of the runners, as which pods are created.
    pub service_account: Option<String>,
    /// `KUBERNETES_SERVICE_ACCOUNT`: service account of the job pods.
    pub pod_service_account: Option<String>,
    /// `KUBERNETES_IMAGE`.
    pub image: Option<String>,
    /// `KUBERNETES_HELPER_IMAGE`.
    pub helper_image: String,
    /// `KUBERNETES_PULL_POLICY`, in the order to try.
    pub pull_policy: Vec<PullPolicy>,
    /// `KUBERNETES_PRIVILEGED`.
    pub privileged: Option<bool>,
    /// Limits and requests of build containers.
    pub build: Resources,
    /// Limits and requests of helper containers.
    pub helper: Resources,
    /// Limits and requests of service containers.
    pub service: Resources,
    /// `KUBERNETES_POLL_INTERVAL`.
    pub poll_interval: Duration,
    /// `KUBERNETES_POLL_TIMEOUT`: how long a pod may take to run.
    pub poll_timeout: Duration,
    /// `KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS`, or the name that older runners knew.
    pub termination_grace: Option<Duration>,
    /// `RUNNER_ENV`: variables that the runner adds to every job.
    pub environment: Vec<(String, String)>,
}

/// Limits and requests of one kind of container, as configured; absent where nothing is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Resources {
    /// `..._CPU_LIMIT`.
    pub cpu_limit: Option<Quantity>,
    /// `..._MEMORY_LIMIT`.
    pub memory_limit: Option<Quantity>,
    /// `..._EPHEMERAL_STORAGE_LIMIT`.
    pub ephemeral_storage_limit: Option<Quantity>,
    /// `..._CPU_REQUEST`.
    pub cpu_request: Option<Quantity>,
    /// `..._MEMORY_REQUEST`.
    pub memory_request: Option<Quantity>,
    /// `..._EPHEMERAL_STORAGE_REQUEST`.
    pub ephemeral_storage_request: Option<Quantity>,
}

impl Settings {
    /// How many jobs the runners take at once.
    pub fn slots(&self) -> usize {
        self.runners.len() * self.concurrent
    }
}
