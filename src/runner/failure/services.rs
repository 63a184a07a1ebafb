//! What is wrong with a job's services.

use k8s_openapi::api::core::v1::{ContainerStateTerminated, ContainerStatus, Pod};

use super::{BUILD, HELPER, system};
use crate::{
    event::Failure,
    runner::{Build, pod::services},
};

/// Whether every service of a pod runs, or has run.
pub(super) fn have_started(pod: &Pod) -> bool {
    statuses(pod).all(|it| {
        it.state.as_ref().is_some_and(|state| state.running.is_some() || state.terminated.is_some())
    })
}

/// The services of a pod that have ended, by the names of their containers.
pub fn ended_services(pod: &Pod) -> Vec<(String, ContainerStateTerminated)> {
    let ended =
        statuses(pod).filter_map(|it| Some((it.name.clone(), it.state.as_ref()?.terminated.clone()?)));
    ended.collect()
}

/// A service has ended while the job still wants it: Kubernetes does not start it again.
pub fn service_ended(build: &Build, pod: &Pod, name: &str, ended: &ContainerStateTerminated) -> String {
    let all = services::named(build);
    let image = all.iter().find(|it| it.name() == name).map_or("", |it| it.service.image.requested.as_str());
    let text = format!("service `{name}` (`{image}`) has ended with exit code {}", ended.exit_code);
    if ended.reason.as_deref() == Some("OOMKilled") {
        return format!(
            "{text}: it reached its memory limit{}, which `KUBERNETES_SERVICE_MEMORY_LIMIT` raises",
            memory_limit(pod, name)
        );
    }
    match all.len() {
        1 => text,
        _ => format!("{text}; services share the pod's network, so no two of them can listen on one port"),
    }
}

/// A service has not answered in time.
pub fn unhealthy(build: &Build, port: u16) -> Failure {
    let services = services::named(build);
    let found = services.iter().find(|it| services::health_port(it.service) == Some(port));
    let (name, image) =
        found.map_or((String::new(), ""), |it| (it.name(), it.service.image.requested.as_str()));
    system(
        format!("service `{name}` (`{image}`) does not listen on port {port}, its `HEALTHCHECK_TCP_PORT`"),
        Some(
            "`CI_DEBUG_SERVICES: \"true\"` shows its log; `KUBERNETES_POLL_TIMEOUT` says how long it may take",
        ),
    )
}

fn statuses(pod: &Pod) -> impl Iterator<Item = &ContainerStatus> {
    let all = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
    all.filter(|it| ![BUILD, HELPER].contains(&it.name.as_str()))
}

fn memory_limit(pod: &Pod, container: &str) -> String {
    let mut containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let found = containers.find(|it| it.name == container).and_then(|it| it.resources.as_ref());
    let limit = found.and_then(|it| it.limits.as_ref()?.get("memory"));
    limit.map(|limit| format!(" of {}", limit.0)).unwrap_or_default()
}
