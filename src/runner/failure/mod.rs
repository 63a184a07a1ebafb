//! What is wrong with a pod, in the words of the user's file.

mod memory;
mod services;
mod start;

#[cfg(test)]
mod tests;

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};

use super::{Build, script, trace::EndMark};
use crate::{
    engine,
    event::{Failure, FailureReason},
};
pub use memory::{oom_killed, script_failed};
pub use services::{ended_services, service_ended, unhealthy};
pub use start::{FailedPull, failed_pull, not_started, policy_of, start_trouble};

/// Name of the container that runs the job's scripts.
pub const BUILD: &str = "build";

/// Name of the container that files are carried through.
pub const HELPER: &str = "helper";

/// What a pod's status says of its job.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Observed {
    /// The kubelet says that an image is not there yet.
    pub is_pulling: bool,
    /// The sandbox is there and a container is not: the kubelet pulls its image, or is about to start it. It
    /// says `ContainerCreating` of both.
    pub may_be_pulling: bool,
    /// The build container runs.
    pub is_build_up: bool,
    /// The helper container runs.
    pub is_helper_up: bool,
    /// Every service runs, or has run.
    pub are_services_up: bool,
    /// The build container runs on the host's own file system, not in its image.
    pub is_on_host: bool,
    /// The build container has ended.
    pub ended: Option<ContainerStateTerminated>,
}

/// Reads a pod's status.
pub fn observe(pod: &Pod) -> Observed {
    let build = container(pod, BUILD).and_then(|it| it.state.as_ref());
    let helper = container(pod, HELPER).and_then(|it| it.state.as_ref());
    let waiting = build.and_then(|state| state.waiting.as_ref()?.reason.as_deref());
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let has_sandbox =
        conditions.into_iter().any(|it| it.type_ == "PodReadyToStartContainers" && it.status == "True");
    let mut containers = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    let is_created = |it: &ContainerStatus| it.state.as_ref().is_none_or(|state| state.waiting.is_none());
    Observed {
        may_be_pulling: has_sandbox && !containers.all(is_created),
        is_pulling: matches!(waiting, Some("ErrImagePull" | "ImagePullBackOff")),
        is_build_up: build.is_some_and(|state| state.running.is_some()),
        is_helper_up: helper.is_some_and(|state| state.running.is_some()),
        are_services_up: services::have_started(pod),
        is_on_host: container(pod, BUILD).is_some_and(|it| it.image_id == engine::HOST_IMAGE_ID),
        ended: build.and_then(|state| state.terminated.clone()),
    }
}

/// What has happened to a pod from outside of its containers, or to its helper.
pub fn trouble(pod: &Pod, build: &Build) -> Option<Failure> {
    let status = pod.status.as_ref()?;
    let reason = status.reason.as_deref().unwrap_or_default();
    let said = status.message.as_deref().unwrap_or("no reason was given");
    if reason == "DeadlineExceeded" {
        return Some(timed_out(build));
    }
    if reason == "Evicted" {
        return Some(system(
            format!("the node evicted the pod: {said}"),
            Some("give the node more memory or disk, run fewer jobs at once (`--jobs`), or set requests"),
        ));
    }
    let mut conditions = status.conditions.iter().flatten();
    let disrupted = conditions.find(|it| it.type_ == "DisruptionTarget" && it.status == "True");
    if let Some(condition) = disrupted {
        let reason = condition.reason.as_deref().unwrap_or("unknown");
        let said = condition.message.as_deref().unwrap_or_default();
        return Some(system(format!("the pod is disrupted: reason `{reason}`, {said}"), None));
    }
    if reason == "SandboxFailed" {
        return Some(system(format!("the pod could not run: {said}"), None));
    }
    let helper = container(pod, HELPER)?.state.as_ref()?.terminated.as_ref();
    if let Some(ended) = helper.filter(|_| pod.metadata.deletion_timestamp.is_none()) {
        let reason = ended.reason.as_deref().unwrap_or("Error");
        return Some(system(
            format!("the helper container ended: exit code {}, reason `{reason}`", ended.exit_code),
            (reason == "OOMKilled").then_some("raise `KUBERNETES_HELPER_MEMORY_LIMIT`"),
        ));
    }
    if pod.metadata.deletion_timestamp.is_some() {
        return Some(deleted());
    }
    None
}

/// The pod is gone, and podline did not delete it.
pub fn deleted() -> Failure {
    system("the pod was deleted while the job ran".to_owned(), None)
}

/// Nothing is heard of the pod any more.
pub fn silent() -> Failure {
    system(
        "the build container's output ended before the job did, and its status does not say why".to_owned(),
        Some("the connection to the cluster was perhaps lost"),
    )
}

/// The build container ended and its supervisor did not say how.
pub fn ended_without_mark(pod: &Pod, build: &Build, ended: &ContainerStateTerminated) -> Failure {
    let reason = ended.reason.as_deref().unwrap_or("Error");
    if reason == "OOMKilled" {
        return oom_killed(pod);
    }
    let code = ended.exit_code;
    let said = ended.message.as_deref().map(|message| format!(": {}", message.trim())).unwrap_or_default();
    if code == 126 || code == 127 || matches!(reason, "ContainerCannotRun" | "StartError") {
        return Failure {
            reason: FailureReason::RunnerConfigurationError,
            message: format!("image `{}` cannot run a job{said}", build.image.requested),
            help: Some("a job's image needs `sh` and `sleep`: use one that has them".to_owned()),
        };
    }
    system(
        format!("the build container ended before the job did: exit code {code}, reason `{reason}`{said}"),
        Some("something killed the container's main process, perhaps the script itself"),
    )
}

/// The job's time was up.
pub fn timed_out(build: &Build) -> Failure {
    if let Some(limit) = script::script_limit(build).filter(|limit| *limit < build.timeout) {
        let limit = jiff::SignedDuration::try_from(limit).unwrap_or_default();
        return Failure {
            reason: FailureReason::JobExecutionTimeout,
            message: format!("script took longer than {limit:#}, its `RUNNER_SCRIPT_TIMEOUT`"),
            help: None,
        };
    }
    let limit = jiff::SignedDuration::try_from(build.timeout).unwrap_or_default();
    Failure {
        reason: FailureReason::JobExecutionTimeout,
        message: format!("execution took longer than {limit:#}"),
        help: Some("raise the job's `timeout`".to_owned()),
    }
}

/// `hooks:pre_get_sources_script` failed: the sources never came.
pub fn hook_failed(code: i32) -> Failure {
    let message = format!("pre_get_sources_script ended with exit code {code}");
    Failure { reason: FailureReason::ScriptFailure, message, help: None }
}

/// `after_script` failed where that counts (`AFTER_SCRIPT_IGNORE_ERRORS: "false"`).
pub fn after_script_failed(mark: &EndMark) -> Failure {
    let how = match mark.after {
        Some(code) => format!("with exit code {code}"),
        None => "because its time was up".to_owned(),
    };
    Failure { reason: FailureReason::ScriptFailure, message: format!("after_script ended {how}"), help: None }
}

/// What an engine's error means for a job.
pub fn engine_failed(doing: &str, error: &engine::Error) -> Failure {
    let (reason, help) = match error {
        engine::Error::Unusable { help, .. } => (FailureReason::RunnerSystemFailure, Some(help.clone())),
        engine::Error::Forbidden { rule, .. } => (
            FailureReason::RunnerConfigurationError,
            Some(format!("add this rule to the runner's Role:\n{rule}")),
        ),
        engine::Error::Rejected { help, .. } => (FailureReason::RunnerConfigurationError, help.clone()),
        engine::Error::Full { .. } | engine::Error::Disconnected { .. } | engine::Error::Failed { .. } => {
            (FailureReason::RunnerSystemFailure, None)
        }
    };
    Failure { reason, message: format!("{doing}: {error}"), help }
}

fn system(message: String, help: Option<&str>) -> Failure {
    Failure { reason: FailureReason::RunnerSystemFailure, message, help: help.map(str::to_owned) }
}

fn container<'a>(pod: &'a Pod, name: &str) -> Option<&'a ContainerStatus> {
    pod.status.as_ref()?.container_statuses.iter().flatten().find(|status| status.name == name)
}
