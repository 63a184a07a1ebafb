//! A job that ran out of memory. On cgroup v1 mostly one process is killed, and the script goes on with
//! its exit code 137; on v2 the kubelet has the whole container killed. Users meet both.

use k8s_openapi::api::core::v1::Pod;

use super::{BUILD, system};
use crate::{
    event::{Failure, FailureReason},
    runner::trace::EndMark,
};

/// The exit code of a process that SIGKILL ended.
const KILLED: i32 = 137;

/// The build container was killed as a whole.
pub fn oom_killed(pod: &Pod) -> Failure {
    system(
        format!("the build container was killed as a whole (OOMKilled): {}", limit_words(pod)),
        Some(RAISE),
    )
}

/// The script ended with a code other than 0.
pub fn script_failed(pod: &Pod, mark: &EndMark) -> Failure {
    let code = mark.code;
    let (message, help) = match (mark.oom_kills, code) {
        (0, KILLED) => (
            format!("script ended with exit code {code}"),
            Some(
                "137 means that a process was killed (SIGKILL), and it was not for lack of memory".to_owned(),
            ),
        ),
        (0, _) => (format!("script ended with exit code {code}"), None),
        (kills, _) => {
            let processes = if kills == 1 { "a process".to_owned() } else { format!("{kills} processes") };
            let were = if kills == 1 { "was" } else { "were" };
            (
                format!(
                    "script ended with exit code {code}: {processes} of it {were} killed for lack of memory, {}",
                    limit_words(pod)
                ),
                Some(RAISE.to_owned()),
            )
        }
    };
    Failure { reason: FailureReason::ScriptFailure, message, help }
}

const RAISE: &str = "raise `KUBERNETES_MEMORY_LIMIT` in the runner's settings, or let the job use less; a \
     job's own variable `KUBERNETES_MEMORY_LIMIT` counts only up to the settings' \
     `KUBERNETES_MEMORY_LIMIT_OVERWRITE_MAX_ALLOWED`";

fn limit_words(pod: &Pod) -> String {
    let mut containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let build = containers.find(|container| container.name == BUILD);
    let limits = build.and_then(|build| build.resources.as_ref()?.limits.as_ref());
    match limits.and_then(|limits| limits.get("memory")) {
        Some(limit) => format!("the memory limit of {} was reached", limit.0),
        None => "the node had no more memory".to_owned(),
    }
}
