//! What only a kind cluster has: slots, limits, what is left of it. Tests share one; without Docker or kind they
//! say so and end. What jobs do there is in `suite`.

use std::process::Command;

use crate::support::{Project, Run, Seen, cluster};

/// Runs a project in the shared cluster with JSON events; `None` where there is no cluster.
pub(crate) fn run(project: &Project, arguments: &[&str]) -> Option<Run> {
    if !cluster::is_up() {
        return None;
    }
    let cluster = cluster::name();
    let mut all = vec!["run", "--engine", "kind", "--cluster", &cluster, "--output", "json"];
    all.extend(arguments);
    Some(Run::new(project.podline(&all).run()))
}

/// In a cluster of its own, as other runs would take room on the node; and so the whole way is gone once,
/// from nothing to nothing.
#[test]
fn eight_slots_run_eight_pods_and_never_more_and_nothing_is_left() {
    if !cluster::is_up() {
        return;
    }
    let seen = Project::fixture("slots").podline(&["run", "--engine", "kind", "--output", "json"]).run();
    let run = Run::new(seen);
    run.code(0);
    let (mut running, mut most) = (0, 0);
    for event in run.events() {
        match event["event"].as_str() {
            Some("job_started") => running += 1,
            Some("job_finished") => running -= 1,
            _ => {}
        }
        most = most.max(running);
    }
    assert_eq!(most, 8, "{}", run.seen);
    let name = run.cluster();
    for (what, list) in [
        ("container", &["ps", "--all", "--format", "{{.Names}}"][..]),
        ("network", &["network", "ls", "--format", "{{.Name}}"]),
        ("volume", &["volume", "ls", "--format", "{{.Name}} {{.Labels}}"]),
    ] {
        let output = Command::new("docker").args(list).output().expect("docker can be started");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!text.contains(name), "a {what} of `{name}` is left:\n{text}");
    }
}

#[test]
fn the_limits_of_the_runner_are_on_every_container_in_the_cluster() {
    if !cluster::is_up() {
        return;
    }
    let project = Project::with("image: busybox:1.36\nlook: { script: [sleep 4] }\n");
    let child = project
        .podline(&["run", "--engine", "kind", "--cluster", &cluster::name(), "--output", "json"])
        .start();
    let limits = wait_for_pod_limits();
    let seen = Seen::of(&child.wait_with_output().expect("podline ends"));
    assert_eq!(seen.code, Some(0), "{seen}");
    assert_eq!(limits, "build=1/1Gi helper=500m/100Mi");
}

/// What kubectl shows of the first running pod in `kube-ops` whose build container was not seen before.
fn wait_for_pod_limits() -> String {
    let template = "jsonpath={range .items[?(@.status.phase==\"Running\")]}{range .spec.containers[*]}{.name}={.resources.limits.cpu}/{.resources.limits.memory} {end}|{end}";
    loop {
        let output = kubectl(&["get", "pods", "--namespace", "kube-ops", "--output", template]);
        if let Some(pod) = output.split('|').find(|pod| pod.starts_with("build=")) {
            return pod.trim().to_owned();
        }
    }
}

/// What `kubectl` prints of the cluster that all tests share.
pub(crate) fn kubectl(arguments: &[&str]) -> String {
    let name = format!("podline-{}", cluster::name());
    let kubeconfig = Command::new("kind")
        .args(["get", "kubeconfig", "--name", &name])
        .output()
        .expect("kind can be started");
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), kubeconfig.stdout).expect("a file can be written");
    let output = Command::new("kubectl")
        .arg("--kubeconfig")
        .arg(file.path())
        .args(arguments)
        .output()
        .expect("kubectl can be started");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn what_variables_choose_is_on_the_pod_in_the_cluster() {
    if !cluster::is_up() {
        return;
    }
    let project = Project::with(
        "image: busybox:1.36\nlook:\n  script: [sleep 5]\n  variables:\n\
         \x20   KUBERNETES_POD_LABELS_TEAM: team=shop\n    KUBERNETES_POD_ANNOTATIONS_OWNER: owner=ada\n\
         \x20   KUBERNETES_NODE_SELECTOR_POOL: pool=ci\n    KUBERNETES_NODE_TOLERATIONS_SPOT: spot=yes:NoSchedule\n",
    );
    let allowed = ["pod_labels", "pod_annotations", "node_selector", "node_tolerations"];
    let allowed: String = allowed.iter().map(|name| format!("{name}_overwrite_allowed = '.*'\n")).collect();
    let config = format!("[[runners]]\nname = 'r'\nexecutor = 'kubernetes'\n[runners.kubernetes]\n{allowed}");
    project.write("config.toml", &format!("{config}namespace = 'kube-ops'\n"));
    let cluster = cluster::name();
    let arguments = [
        "run",
        "--engine",
        "kind",
        "--cluster",
        &cluster,
        "--runner-config",
        "config.toml",
        "--output",
        "json",
    ];
    let child = project.podline(&arguments).start();
    let pod = loop {
        let listed = kubectl(&[
            "get",
            "pods",
            "--namespace",
            "kube-ops",
            "--selector",
            "team=shop",
            "--output",
            "json",
        ]);
        let listed: serde_json::Value = serde_json::from_str(&listed).expect("JSON");
        let pod = listed["items"][0].clone();
        if pod["status"]["phase"] == "Running" {
            break pod;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    let seen = Seen::of(&child.wait_with_output().expect("podline ends"));
    assert_eq!(seen.code, Some(0), "{seen}");
    assert_eq!(pod["metadata"]["annotations"]["owner"], "ada");
    assert_eq!(pod["spec"]["nodeSelector"], serde_json::json!({"pool": "ci"}));
    let spot =
        serde_json::json!({"key": "spot", "operator": "Equal", "value": "yes", "effect": "NoSchedule"});
    assert!(pod["spec"]["tolerations"].as_array().is_some_and(|all| all.contains(&spot)), "{pod:#}");
}

#[test]
fn events_end_with_the_pipeline_s_status_when_the_engine_fails() {
    if !cluster::is_up() {
        return;
    }
    let project = Project::fixture("hello");
    let run = Run::new(
        project.podline(&["run", "--engine", "kind", "--cluster", "no-such", "--output", "json"]).run(),
    );
    run.code(3);
    assert!(run.statuses().values().all(|status| *status == "canceled"));
    assert_eq!(run.events().last().expect("events")["status"], "failed");
    assert!(run.seen.stderr.contains("there is no cluster `podline-no-such`"), "{}", run.seen);
}
