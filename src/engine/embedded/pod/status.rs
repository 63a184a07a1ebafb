//! The status of a pod, as a kubelet would write it, from the news of its sandbox.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::{
        ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
        ContainerStatus, Pod, PodStatus,
    },
    apimachinery::pkg::apis::meta::v1::Time,
};

use crate::engine::{HOST_IMAGE_ID, embedded::sandbox::plan::News};

/// The exit code of a process that SIGKILL ended.
const KILLED: i32 = 137;

/// The exit code of a container that could not be started, as containerd has it.
const NOT_STARTED: i32 = 128;

/// What is known of a pod.
#[derive(Debug, Clone, Default)]
pub(in crate::engine::embedded) struct Known {
    containers: BTreeMap<String, State>,
    /// Containers without a process of their own, which run for as long as the pod does.
    carrier: Option<String>,
    /// Containers that run on the host's own file system.
    on_host: BTreeSet<String>,
    deadline_exceeded: bool,
    /// Why the sandbox ended by itself.
    failed: Option<String>,
    started: Option<Timestamp>,
}

#[derive(Debug, Clone)]
enum State {
    Waiting { reason: String, message: Option<String> },
    Running { since: Timestamp },
    Ended { since: Option<Timestamp>, at: Timestamp, code: i32, reason: String, message: Option<String> },
}

impl Known {
    /// A pod whose `carrier` has no process of its own.
    pub(in crate::engine::embedded) fn new(carrier: Option<String>) -> Self {
        Self { carrier, ..Self::default() }
    }

    /// The image of a container could not be had.
    pub(in crate::engine::embedded) fn waits(
        &mut self,
        container: &str,
        reason: &str,
        message: Option<String>,
    ) {
        self.containers.insert(container.to_owned(), State::Waiting { reason: reason.to_owned(), message });
    }

    /// A container runs on the host's own file system.
    pub(in crate::engine::embedded) fn is_on_host(&mut self, container: &str) {
        self.on_host.insert(container.to_owned());
    }

    /// Takes what a sandbox says.
    pub(in crate::engine::embedded) fn learn(&mut self, news: &News, now: Timestamp) {
        match news {
            News::Made { .. } => {}
            News::Started { container } => {
                self.started.get_or_insert(now);
                self.containers.insert(container.clone(), State::Running { since: now });
            }
            News::Refused { container, cause } => {
                let ended = State::Ended {
                    since: None,
                    at: now,
                    code: NOT_STARTED,
                    reason: "StartError".to_owned(),
                    message: Some(cause.clone()),
                };
                self.containers.insert(container.clone(), ended);
            }
            News::Ended { container, code, oom_kills, message } => {
                let since = match self.containers.get(container) {
                    Some(State::Running { since }) => Some(*since),
                    _ => None,
                };
                let reason = match (code, oom_kills) {
                    (0, _) => "Completed",
                    (&KILLED, 1..) => "OOMKilled",
                    _ => "Error",
                };
                let ended = State::Ended {
                    since,
                    at: now,
                    code: *code,
                    reason: reason.to_owned(),
                    message: message.clone(),
                };
                self.containers.insert(container.clone(), ended);
            }
            News::TerminalClosed { .. } => {}
            News::DeadlineExceeded => self.deadline_exceeded = true,
            News::Failed(cause) => self.failed = Some(cause.clone()),
        }
    }

    /// The pod with its status.
    pub(in crate::engine::embedded) fn pod(&self, pod: &Pod) -> Pod {
        let spec = pod.spec.as_ref();
        let statuses = |containers: Option<&Vec<k8s_openapi::api::core::v1::Container>>| {
            let all = containers.into_iter().flatten();
            all.map(|it| self.container(&it.name, it.image.as_deref().unwrap_or_default()))
                .collect::<Vec<_>>()
        };
        let init = spec.and_then(|spec| spec.init_containers.as_ref());
        let (reason, message) = match (&self.failed, self.deadline_exceeded) {
            (_, true) => {
                let said = "Pod was active on the node longer than the specified deadline";
                (Some("DeadlineExceeded"), Some(said.to_owned()))
            }
            (Some(cause), false) => (Some("SandboxFailed"), Some(cause.clone())),
            (None, false) => (None, None),
        };
        Pod {
            status: Some(PodStatus {
                phase: Some(self.phase(pod).to_owned()),
                reason: reason.map(str::to_owned),
                message,
                init_container_statuses: init.map(|_| statuses(init)),
                container_statuses: Some(statuses(spec.map(|spec| &spec.containers))),
                start_time: self.started.map(Time),
                ..PodStatus::default()
            }),
            ..pod.clone()
        }
    }

    fn phase(&self, pod: &Pod) -> &'static str {
        if self.deadline_exceeded || self.failed.is_some() {
            return "Failed";
        }
        let spec = pod.spec.as_ref();
        let inits = spec.and_then(|spec| spec.init_containers.as_ref()).into_iter().flatten();
        let mut codes = inits.filter_map(|it| self.code(&it.name));
        if codes.any(|code| code != 0) {
            return "Failed";
        }
        let names = || {
            let all = spec.into_iter().flat_map(|spec| &spec.containers).map(|it| &it.name);
            all.filter(|name| Some(*name) != self.carrier.as_ref())
        };
        let known = |name: &String| self.containers.get(name);
        if names().all(|name| matches!(known(name), Some(State::Ended { .. }))) {
            return if names().all(|name| self.code(name) == Some(0)) { "Succeeded" } else { "Failed" };
        }
        let has_begun =
            |name: &String| matches!(known(name), Some(State::Running { .. } | State::Ended { .. }));
        if names().all(has_begun) { "Running" } else { "Pending" }
    }

    fn code(&self, container: &str) -> Option<i32> {
        match self.containers.get(container)? {
            State::Ended { code, .. } => Some(*code),
            _ => None,
        }
    }

    fn container(&self, name: &str, image: &str) -> ContainerStatus {
        let carries = self.carrier.as_deref() == Some(name);
        let carrying = self.started.filter(|_| carries).map(|since| State::Running { since });
        let state = carrying.as_ref().or_else(|| self.containers.get(name));
        let state = match state {
            None | Some(State::Waiting { .. } | State::Running { .. }) if self.failed.is_some() => {
                self.lost()
            }
            None => waiting("ContainerCreating", None),
            Some(State::Waiting { reason, message }) => waiting(reason, message.clone()),
            Some(State::Running { since }) => ContainerState {
                running: Some(ContainerStateRunning { started_at: Some(Time(*since)) }),
                ..ContainerState::default()
            },
            Some(State::Ended { since, at, code, reason, message }) => ContainerState {
                terminated: Some(ContainerStateTerminated {
                    exit_code: *code,
                    reason: Some(reason.clone()),
                    message: message.clone(),
                    started_at: since.map(Time),
                    finished_at: Some(Time(*at)),
                    ..ContainerStateTerminated::default()
                }),
                ..ContainerState::default()
            },
        };
        let runs = state.running.is_some();
        ContainerStatus {
            name: name.to_owned(),
            image: image.to_owned(),
            image_id: if self.on_host.contains(name) { HOST_IMAGE_ID.to_owned() } else { String::new() },
            ready: runs,
            started: Some(runs),
            state: Some(state),
            ..ContainerStatus::default()
        }
    }

    /// A container whose sandbox is gone: the kubelet says so of one that it cannot find any more.
    fn lost(&self) -> ContainerState {
        ContainerState {
            terminated: Some(ContainerStateTerminated {
                exit_code: KILLED,
                reason: Some("ContainerStatusUnknown".to_owned()),
                message: self.failed.clone(),
                ..ContainerStateTerminated::default()
            }),
            ..ContainerState::default()
        }
    }
}

fn waiting(reason: &str, message: Option<String>) -> ContainerState {
    ContainerState {
        waiting: Some(ContainerStateWaiting { reason: Some(reason.to_owned()), message }),
        ..ContainerState::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod() -> Pod {
        serde_json::from_value(json!({
            "metadata": { "name": "demo" },
            "spec": {
                "initContainers": [{ "name": "first" }],
                "containers": [{ "name": "build" }, { "name": "helper" }, { "name": "db" }],
            },
        }))
        .expect("a pod")
    }

    fn started(container: &str) -> News {
        News::Started { container: container.to_owned() }
    }

    fn ended(container: &str, code: i32, oom_kills: u64) -> News {
        News::Ended { container: container.to_owned(), code, oom_kills, message: None }
    }

    /// The phase, and each container as `name: reason`.
    fn seen(news: &[News]) -> String {
        let mut known = Known::new(Some("helper".to_owned()));
        for one in news {
            known.learn(one, Timestamp::UNIX_EPOCH);
        }
        let status = known.pod(&pod()).status.expect("a status");
        let reason = |it: &ContainerStatus| {
            let state = it.state.clone().unwrap_or_default();
            let waiting = state.waiting.and_then(|it| it.reason);
            let ended =
                state.terminated.map(|it| format!("{} {}", it.reason.unwrap_or_default(), it.exit_code));
            format!("{}: {}", it.name, waiting.or(ended).unwrap_or("running".to_owned()))
        };
        let all = status.container_statuses.unwrap_or_default();
        let mut words = vec![status.phase.unwrap_or_default()];
        words.extend(status.reason);
        words.extend(all.iter().map(reason));
        words.join(", ")
    }

    #[test]
    fn a_pod_goes_through_the_phases_that_a_kubelet_names() {
        let up = [ended("first", 0, 0), started("build"), started("db")];
        let with = |more: &[News]| [&up[..], more].concat();
        let table = [
            (vec![], "Pending, build: ContainerCreating, helper: ContainerCreating, db: ContainerCreating"),
            (up.to_vec(), "Running, build: running, helper: running, db: running"),
            (with(&[ended("build", 0, 0)]), "Running, build: Completed 0, helper: running, db: running"),
            (
                with(&[ended("build", 137, 1), ended("db", 0, 0)]),
                "Failed, build: OOMKilled 137, helper: running, db: Completed 0",
            ),
            (
                with(&[ended("build", 137, 0), ended("db", 1, 0)]),
                "Failed, build: Error 137, helper: running, db: Error 1",
            ),
            (
                with(&[ended("build", 0, 0), ended("db", 0, 0)]),
                "Succeeded, build: Completed 0, helper: running, db: Completed 0",
            ),
            (
                with(&[News::DeadlineExceeded]),
                "Failed, DeadlineExceeded, build: running, helper: running, db: running",
            ),
            (
                with(&[ended("build", 0, 0), News::Failed("killed".to_owned())]),
                "Failed, SandboxFailed, build: Completed 0, helper: ContainerStatusUnknown 137, \
                 db: ContainerStatusUnknown 137",
            ),
            (
                vec![ended("first", 1, 0)],
                "Failed, build: ContainerCreating, helper: ContainerCreating, db: ContainerCreating",
            ),
            (
                vec![
                    started("db"),
                    News::Refused { container: "build".to_owned(), cause: "no sh".to_owned() },
                ],
                "Running, build: StartError 128, helper: running, db: running",
            ),
        ];
        for (news, expected) in table {
            assert_eq!(seen(&news), expected, "{news:?}");
        }
    }
}
