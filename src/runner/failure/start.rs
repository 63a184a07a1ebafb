//! A pod that does not come up.

use std::time::Duration;

use k8s_openapi::api::core::v1::{ContainerStateWaiting, Pod};

use super::system;
use crate::{
    event::{Failure, FailureReason},
    runner::Build,
};

/// Why a pod will not start however long one waits: an image that cannot be had, a container that cannot
/// be made. The runner gives up at the first sight of these, too.
pub fn start_trouble(pod: &Pod, build: &Build) -> Option<Failure> {
    let status = pod.status.as_ref()?;
    let all = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    let mut waiting =
        all.filter_map(|status| Some((status.name.as_str(), status.state.as_ref()?.waiting.as_ref()?)));
    waiting.find_map(|(container, waiting)| refused(pod, build, container, waiting))
}

/// An image that was not pulled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedPull {
    /// The container that it is for.
    pub container: String,
    /// The image.
    pub image: String,
    /// Kubernetes' name of the policy it was to be pulled under.
    pub policy: Option<String>,
    /// What the node said.
    pub said: String,
}

/// The first image of a pod that was not pulled.
pub fn failed_pull(pod: &Pod) -> Option<FailedPull> {
    let mut statuses = pod.status.as_ref()?.container_statuses.iter().flatten();
    statuses.find_map(|status| {
        let waiting = status.state.as_ref()?.waiting.as_ref()?;
        let is_pull = matches!(
            waiting.reason.as_deref()?,
            "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" | "ErrImageNeverPull"
        );
        let container = pod.spec.as_ref()?.containers.iter().find(|it| it.name == status.name)?;
        is_pull.then(|| FailedPull {
            container: status.name.clone(),
            image: container.image.clone().unwrap_or_default(),
            policy: container.image_pull_policy.clone(),
            said: waiting.message.as_deref().unwrap_or("the node gave no reason").trim().to_owned(),
        })
    })
}

/// The pull policy of a container, in Kubernetes' words.
pub fn policy_of<'p>(pod: &'p Pod, container: &str) -> Option<&'p str> {
    let mut containers = pod.spec.as_ref()?.containers.iter();
    containers.find(|it| it.name == container)?.image_pull_policy.as_deref()
}

fn refused(pod: &Pod, build: &Build, container: &str, waiting: &ContainerStateWaiting) -> Option<Failure> {
    let image = Image::of(pod, build, container);
    let said = waiting.message.as_deref().unwrap_or("the node gave no reason").trim();
    let failure = |reason, message, help| Some(Failure { reason, message, help });
    match waiting.reason.as_deref()? {
        "ErrImagePull" | "ImagePullBackOff" | "RegistryUnavailable" | "SignatureValidationFailed" => failure(
            FailureReason::ImagePullFailure,
            format!("{image} could not be pulled (pull policy `{}`): {said}", image.policy),
            Some(image.ways_out()),
        ),
        "ErrImageNeverPull" => failure(
            FailureReason::ImagePullFailure,
            format!("{image} is not in the cluster, and pull policy `never` forbids to pull it"),
            Some(image.ways_out()),
        ),
        "InvalidImageName" | "ImageInspectError" => failure(
            FailureReason::RunnerConfigurationError,
            format!("{image} is no valid name of an image: {said}"),
            Some("check `image`, and that every variable in it has a value".to_owned()),
        ),
        "CreateContainerConfigError" | "CreateContainerError" | "RunContainerError" => failure(
            FailureReason::RunnerConfigurationError,
            format!("container `{container}` could not be made: {said}"),
            None,
        ),
        "CrashLoopBackOff" => failure(
            FailureReason::RunnerConfigurationError,
            format!("container `{container}` is in CrashLoopBackOff: {said}"),
            None,
        ),
        _ => None,
    }
}

/// The pod did not run in the time that it may take.
pub fn not_started(pod: Option<&Pod>, waited: Duration) -> Failure {
    let seconds = waited.as_secs();
    let status = pod.and_then(|pod| pod.status.as_ref());
    let mut conditions = status.and_then(|status| status.conditions.as_ref()).into_iter().flatten();
    let unschedulable = conditions.find(|it| it.type_ == "PodScheduled" && it.status == "False");
    if let Some(condition) = unschedulable {
        let said = condition.message.as_deref().unwrap_or("the scheduler gave no reason");
        return system(
            format!("no node took the pod within {seconds} s: {said}"),
            Some(&unschedulable_help(pod, said)),
        );
    }
    let phase = status.and_then(|status| status.phase.as_deref()).unwrap_or("unknown");
    let all = status.map(|it| it.init_container_statuses.iter().chain(&it.container_statuses));
    let waiting: Vec<String> = all
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|status| {
            let waiting = status.state.as_ref()?.waiting.as_ref()?;
            Some(format!(", `{}` {}", status.name, waiting.reason.as_deref().unwrap_or("waits")))
        })
        .collect();
    system(
        format!("the pod did not start within {seconds} s (last phase: {phase}{})", waiting.concat()),
        Some("a large image may need longer: `docker pull` it first, or raise `KUBERNETES_POLL_TIMEOUT`"),
    )
}

/// What to do where no node takes a pod: by the scheduler's words it is the nodes' labels, their taints, or room.
fn unschedulable_help(pod: Option<&Pod>, said: &str) -> String {
    let selector = pod.and_then(|pod| pod.spec.as_ref()?.node_selector.as_ref()).into_iter().flatten();
    let labels: Vec<String> = selector.map(|(key, value)| format!("`{key}={value}`")).collect();
    if said.contains("node affinity/selector") && !labels.is_empty() {
        let labels = labels.join(", ");
        return format!(
            "no node has the labels that the pod selects: {labels} (`KUBERNETES_NODE_SELECTOR` of the runner, \
             `KUBERNETES_NODE_SELECTOR_*` of the job)"
        );
    }
    if said.contains("untolerated taint") {
        return "the nodes have a taint that the pod does not tolerate (`KUBERNETES_NODE_TOLERATIONS` of the \
                runner, `KUBERNETES_NODE_TOLERATIONS_*` of the job)"
            .to_owned();
    }
    "lower the requests (`KUBERNETES_CPU_REQUEST`, `KUBERNETES_MEMORY_REQUEST`; without them Kubernetes asks for \
     the limits), run fewer jobs at once (`--jobs`), or wait longer (`KUBERNETES_POLL_TIMEOUT`)"
        .to_owned()
}

/// The image of a container, in the user's words.
struct Image<'a> {
    role: String,
    name: &'a str,
    requested: &'a str,
    policy: &'static str,
}

impl<'a> Image<'a> {
    fn of(pod: &'a Pod, build: &'a Build, container: &str) -> Self {
        let spec = pod.spec.as_ref();
        let inits = spec.and_then(|spec| spec.init_containers.as_ref()).into_iter().flatten();
        let mut all = inits.chain(spec.into_iter().flat_map(|spec| &spec.containers));
        let found = all.find(|it| it.name == container);
        let name = found.and_then(|it| it.image.as_deref()).unwrap_or(&build.image.name);
        let written = std::iter::once(&build.image).chain(build.services.iter().map(|it| &it.image));
        let requested = written.filter(|image| image.name == name).map(|it| it.requested.as_str()).next();
        let policy = match found.and_then(|it| it.image_pull_policy.as_deref()) {
            Some("Always") => "always",
            Some("Never") => "never",
            Some(_) => "if-not-present",
            None => "unset",
        };
        let role = match container {
            super::BUILD => "image".to_owned(),
            super::HELPER | "init-permissions" => "helper image".to_owned(),
            service => format!("image of service `{service}`"),
        };
        Self { role, name, requested: requested.unwrap_or(name), policy }
    }

    fn ways_out(&self) -> String {
        let (name, requested) = (self.name, self.requested);
        if self.role == "helper image" {
            return format!("`docker pull {name}`, or set another with `KUBERNETES_HELPER_IMAGE`");
        }
        format!(
            "check the name; `docker pull {name}` so that podline can hand it to the cluster; or name another \
             for it in podline.toml: `[images]`, `\"{requested}\" = \"...\"`"
        )
    }
}

impl std::fmt::Display for Image<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{} `{}`", self.role, self.requested)?;
        if self.name != self.requested {
            write!(out, " (`{}` by podline.toml)", self.name)?;
        }
        Ok(())
    }
}
