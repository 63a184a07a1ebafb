use serde_json::{Value, json};

use super::*;
use crate::runner::{build::BuildImage, fixture::a_build};

fn pod(status: Value) -> Pod {
    let manifest = json!({
        "metadata": {"name": "runner-1"},
        "spec": {"nodeName": "node", "containers": [
            {"name": "build", "image": "mirror/rust:1", "imagePullPolicy": "Never"},
            {"name": "helper", "image": "busybox:1.36"},
            {"name": "db", "image": "postgres:16", "imagePullPolicy": "Always"},
        ]},
        "status": status,
    });
    serde_json::from_value(manifest).expect("a pod")
}

fn with(container: &str, state: Value) -> Pod {
    let status = json!({"name": container, "state": state, "image": "", "imageID": "", "ready": false,
        "restartCount": 0});
    pod(json!({"phase": "Pending", "containerStatuses": [status]}))
}

fn build() -> Build {
    let mut build = a_build(&[]);
    build.image = BuildImage {
        name: "mirror/rust:1".to_owned(),
        requested: "rust:1".to_owned(),
        pull_policy: Vec::new(),
        user: None,
    };
    build
}

#[test]
fn a_container_that_cannot_start_is_explained() {
    for (container, reason, message) in [
        (
            "build",
            "ErrImageNeverPull",
            "image `rust:1` (`mirror/rust:1` by podline.toml) is not in the \
          cluster, and pull policy `never` forbids to pull it",
        ),
        (
            "db",
            "ImagePullBackOff",
            "image of service `db` `postgres:16` could not be pulled (pull policy \
          `always`): why",
        ),
        (
            "helper",
            "ErrImagePull",
            "helper image `busybox:1.36` could not be pulled (pull policy `unset`): why",
        ),
        (
            "build",
            "InvalidImageName",
            "image `rust:1` (`mirror/rust:1` by podline.toml) is no valid name of \
          an image: why",
        ),
        ("build", "CreateContainerConfigError", "container `build` could not be made: why"),
        ("db", "CrashLoopBackOff", "container `db` is in CrashLoopBackOff: why"),
    ] {
        let pod = with(container, json!({"waiting": {"reason": reason, "message": "why"}}));
        let failure = start_trouble(&pod, &build());
        assert_eq!(failure.map(|failure| failure.message).as_deref(), Some(message), "{reason}");
    }
    for reason in ["ContainerCreating", "PodInitializing"] {
        let pod = with("build", json!({"waiting": {"reason": reason}}));
        assert_eq!(start_trouble(&pod, &build()), None, "{reason}");
    }
}

#[test]
fn a_pod_that_is_taken_away_is_explained() {
    let disrupted = json!({"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
        "message": "Eviction API: evicting"});
    for (status, reason, message) in [
        (
            json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on memory."}),
            FailureReason::RunnerSystemFailure,
            "the node evicted the pod: The node was low on memory.",
        ),
        (
            json!({"phase": "Failed", "reason": "DeadlineExceeded"}),
            FailureReason::JobExecutionTimeout,
            "execution took longer than 1h",
        ),
        (
            json!({"phase": "Running", "conditions": [disrupted]}),
            FailureReason::RunnerSystemFailure,
            "the pod is disrupted: reason `EvictionByEvictionAPI`, Eviction API: evicting",
        ),
    ] {
        let failure = trouble(&pod(status), &build()).expect("trouble");
        assert_eq!((failure.reason, failure.message.as_str()), (reason, message));
    }
    assert_eq!(trouble(&pod(json!({"phase": "Running"})), &build()), None);
}

#[test]
fn a_helper_that_ends_ends_the_job() {
    let pod = with("helper", json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}));
    let failure = trouble(&pod, &build()).expect("trouble");
    assert_eq!(failure.message, "the helper container ended: exit code 137, reason `OOMKilled`");
    assert_eq!(failure.help.as_deref(), Some("raise `KUBERNETES_HELPER_MEMORY_LIMIT`"));
}

#[test]
fn an_image_without_a_shell_is_explained() {
    let ended = json!({"exitCode": 128, "reason": "StartError", "message": "exec: \"sh\": not found"});
    let ended = serde_json::from_value(ended).expect("a state");
    let failure = ended_without_mark(&pod(json!({})), &build(), &ended);
    assert_eq!(failure.reason, FailureReason::RunnerConfigurationError);
    assert_eq!(failure.message, "image `rust:1` cannot run a job: exec: \"sh\": not found");
}

#[test]
fn a_pod_that_is_still_pulling_at_its_time_limit_is_explained() {
    let pod = with("build", json!({"waiting": {"reason": "ContainerCreating"}}));
    let failure = not_started(Some(&pod), std::time::Duration::from_secs(180));
    assert_eq!(
        failure.message,
        "the pod did not start within 180 s (last phase: Pending, `build` ContainerCreating)"
    );
    assert_eq!(
        not_started(None, std::time::Duration::from_secs(1)).message,
        "the pod did not start within 1 s (last phase: unknown)"
    );
}

#[test]
fn what_a_role_lacks_is_the_help() {
    let error = engine::Error::Forbidden { message: "pods is forbidden".to_owned(), rule: "rule".to_owned() };
    let failure = engine_failed("the pod was not created", &error);
    assert_eq!(failure.message, "the pod was not created: pods is forbidden");
    assert_eq!(failure.help.as_deref(), Some("add this rule to the runner's Role:\nrule"));
}
