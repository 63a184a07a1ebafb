//! What a runner is set to: from the Kubernetes manifests of its deployment, its `config.toml`, or the defaults.
//!
//! ```text
//! files ─ document ─ legacy ─► Manifests ─ environment ─► Settings
//!     │                            └─ namespace ─► objects of the runner's namespace
//!     └── config_toml ─ environment ─► Settings
//! ```

pub mod concurrency;
mod config_toml;
mod difference;
pub mod document;
mod environment;
mod legacy;
pub mod load;
pub mod manifests;
mod names;
pub mod namespace;
pub mod quantity;
pub mod resources;
pub mod start_script;
mod tags;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

pub use concurrency::{Capacity, Concurrency};
pub use load::{LoadError, RunnerConfig, load};
pub use manifests::Manifests;
pub use quantity::Amount;
pub use resources::{Bound, ContainerKind, Resource, ResourceName};

use crate::{
    config::keyword::job::PullPolicy,
    runner::{pod::login::DockerLogin, trace::OUTPUT_LIMIT},
};

/// The settings of the runners, whatever they were read from.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Names of the runners, one per replica: `gitlab-ci-runner-0`, ...
    pub runners: Vec<String>,
    /// Jobs that one runner runs at once (`concurrent`).
    pub concurrent: usize,
    /// Namespace of the pods.
    pub namespace: String,
    /// Namespace of the runners and their service account; mostly that of the pods.
    pub runner_namespace: String,
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
    /// `KUBERNETES_ALLOW_PRIVILEGE_ESCALATION`.
    pub allow_privilege_escalation: Option<bool>,
    /// `KUBERNETES_CAP_ADD`.
    pub cap_add: Vec<String>,
    /// `KUBERNETES_CAP_DROP`, besides what is dropped anyway.
    pub cap_drop: Vec<String>,
    /// Limits and requests of build containers.
    pub build: Resources,
    /// Limits and requests of helper containers.
    pub helper: Resources,
    /// Limits and requests of service containers.
    pub service: Resources,
    /// `..._OVERWRITE_MAX_ALLOWED`: up to what a job's variables may set limits and requests.
    pub overwrite: Overwrite,
    /// `..._OVERWRITE_ALLOWED`: which other things a job's variables may set, and to what.
    pub allowed: Allowed,
    /// `KUBERNETES_NODE_SELECTOR`: labels that a pod's node must have.
    pub node_selector: BTreeMap<String, String>,
    /// `KUBERNETES_NODE_TOLERATIONS`: taints that a pod bears, `key` or `key=value`, and the effect.
    pub node_tolerations: BTreeMap<String, String>,
    /// `pod_labels` of a `config.toml`.
    pub pod_labels: BTreeMap<String, String>,
    /// `pod_annotations` of a `config.toml`.
    pub pod_annotations: BTreeMap<String, String>,
    /// `KUBERNETES_IMAGE_PULL_SECRETS`: Secrets of the namespace that have a registry's login.
    pub image_pull_secrets: Vec<String>,
    /// The runner's own `docker login`; here it is the user's.
    pub docker_login: DockerLogin,
    /// `KUBERNETES_ALLOWED_PULL_POLICIES`: what a job may ask for; those of `pull_policy` where nothing is set.
    pub allowed_pull_policies: Vec<PullPolicy>,
    /// `KUBERNETES_ALLOWED_IMAGES`: globs; any image where there is none.
    pub allowed_images: Vec<String>,
    /// `KUBERNETES_ALLOWED_SERVICES`: globs; any image where there is none.
    pub allowed_services: Vec<String>,
    /// `RUNNER_TAG_LIST`: the tags that jobs may ask for; `None` takes every job.
    pub tags: Option<Vec<String>>,
    /// `REGISTER_RUN_UNTAGGED`: whether a runner with tags takes jobs without.
    pub run_untagged: bool,
    /// `RUNNER_PRE_BUILD_SCRIPT` and its kin.
    pub scripts: Scripts,
    /// `RUNNER_OUTPUT_LIMIT`, in KiB: how much of a job's output is kept.
    pub output_limit: usize,
    /// `KUBERNETES_POLL_INTERVAL`.
    pub poll_interval: Duration,
    /// `KUBERNETES_POLL_TIMEOUT`: how long a pod may take to run.
    pub poll_timeout: Duration,
    /// `KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS`, or the name that older runners knew.
    pub termination_grace: Option<Duration>,
    /// `RUNNER_ENV`: variables that the runner adds to every job.
    pub environment: Vec<(String, String)>,
}

/// Regular expressions of what variables of a job may set; where nothing is set they are not obeyed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allowed {
    /// `KUBERNETES_NAMESPACE_OVERWRITE_ALLOWED`.
    pub namespace: Option<String>,
    /// `KUBERNETES_SERVICE_ACCOUNT_OVERWRITE_ALLOWED`.
    pub service_account: Option<String>,
    /// `KUBERNETES_NODE_SELECTOR_OVERWRITE_ALLOWED`.
    pub node_selector: Option<String>,
    /// `KUBERNETES_NODE_TOLERATIONS_OVERWRITE_ALLOWED`.
    pub node_tolerations: Option<String>,
    /// `KUBERNETES_POD_LABELS_OVERWRITE_ALLOWED`.
    pub pod_labels: Option<String>,
    /// `KUBERNETES_POD_ANNOTATIONS_OVERWRITE_ALLOWED`.
    pub pod_annotations: Option<String>,
}

/// Scripts that the runner puts around those of every job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scripts {
    /// `RUNNER_PRE_GET_SOURCES_SCRIPT`.
    pub pre_get_sources: Option<String>,
    /// `RUNNER_POST_GET_SOURCES_SCRIPT`.
    pub post_get_sources: Option<String>,
    /// `RUNNER_PRE_BUILD_SCRIPT`.
    pub pre_build: Option<String>,
    /// `RUNNER_POST_BUILD_SCRIPT`.
    pub post_build: Option<String>,
}

/// The most that variables of a job may ask for; where nothing is set they are not obeyed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Overwrite {
    /// For build containers.
    pub build: Resources,
    /// For helper containers.
    pub helper: Resources,
    /// For service containers.
    pub service: Resources,
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

/// The namespace of runners that name none.
pub const NAMESPACE: &str = "kube-ops";

/// The helper image unless one is set: anything with `sh` and `tar` will do.
pub const HELPER_IMAGE: &str = "busybox:1.36";

impl Default for Settings {
    /// The deployment of `fixtures/runner/`, but not privileged.
    fn default() -> Self {
        let limits = |cpu: &str, memory: &str| Resources {
            cpu_limit: Some(Quantity(cpu.to_owned())),
            memory_limit: Some(Quantity(memory.to_owned())),
            ..Resources::default()
        };
        Self {
            runners: vec!["gitlab-ci-runner-0".to_owned(), "gitlab-ci-runner-1".to_owned()],
            concurrent: 4,
            service_account: Some("gitlab-ci".to_owned()),
            pull_policy: vec![PullPolicy::IfNotPresent],
            build: limits("1", "1Gi"),
            helper: limits("500m", "100Mi"),
            service: limits("1", "1Gi"),
            poll_interval: Duration::from_secs(5),
            poll_timeout: Duration::from_secs(360),
            termination_grace: Some(Duration::from_secs(10)),
            ..Self::unset()
        }
    }
}

impl Settings {
    /// What GitLab Runner does where nothing is set: one job at a time, no limits.
    pub fn unset() -> Self {
        Self {
            runners: vec!["gitlab-ci-runner-0".to_owned()],
            concurrent: 1,
            namespace: NAMESPACE.to_owned(),
            runner_namespace: NAMESPACE.to_owned(),
            service_account: None,
            pod_service_account: None,
            image: None,
            helper_image: HELPER_IMAGE.to_owned(),
            pull_policy: Vec::new(),
            privileged: None,
            allow_privilege_escalation: None,
            cap_add: Vec::new(),
            cap_drop: Vec::new(),
            build: Resources::default(),
            helper: Resources::default(),
            service: Resources::default(),
            overwrite: Overwrite::default(),
            allowed: Allowed::default(),
            node_selector: BTreeMap::new(),
            node_tolerations: BTreeMap::new(),
            pod_labels: BTreeMap::new(),
            pod_annotations: BTreeMap::new(),
            image_pull_secrets: Vec::new(),
            docker_login: DockerLogin::default(),
            allowed_pull_policies: Vec::new(),
            allowed_images: Vec::new(),
            allowed_services: Vec::new(),
            tags: None,
            run_untagged: false,
            scripts: Scripts::default(),
            output_limit: OUTPUT_LIMIT / 1024,
            poll_interval: Duration::from_secs(3),
            poll_timeout: Duration::from_secs(180),
            termination_grace: None,
            environment: Vec::new(),
        }
    }

    /// How many jobs the runners take at once.
    pub fn slots(&self) -> usize {
        self.runners.len().saturating_mul(self.concurrent)
    }

    /// The user as whom pods are created, as Kubernetes names a service account.
    pub fn impersonated(&self) -> Option<String> {
        let account = self.service_account.as_ref()?;
        Some(format!("system:serviceaccount:{}:{account}", self.runner_namespace))
    }

    /// Limits and requests of a kind of container.
    pub fn resources(&self, kind: ContainerKind) -> &Resources {
        match kind {
            ContainerKind::Build => &self.build,
            ContainerKind::Helper => &self.helper,
            ContainerKind::Service => &self.service,
        }
    }

    /// The most that a job's variables may set for a kind of container.
    pub fn overwrite_max(&self, kind: ContainerKind) -> &Resources {
        match kind {
            ContainerKind::Build => &self.overwrite.build,
            ContainerKind::Helper => &self.overwrite.helper,
            ContainerKind::Service => &self.overwrite.service,
        }
    }

    fn resources_mut(&mut self, kind: ContainerKind) -> &mut Resources {
        match kind {
            ContainerKind::Build => &mut self.build,
            ContainerKind::Helper => &mut self.helper,
            ContainerKind::Service => &mut self.service,
        }
    }

    fn overwrite_max_mut(&mut self, kind: ContainerKind) -> &mut Resources {
        match kind {
            ContainerKind::Build => &mut self.overwrite.build,
            ContainerKind::Helper => &mut self.overwrite.helper,
            ContainerKind::Service => &mut self.overwrite.service,
        }
    }
}
