//! The node that pods run on: its platform and the room it has.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, Node as ApiNode, Pod, PodSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::ListParams;
use kube::{Api, Client};

use super::errors::failed;
use super::quantity;
use crate::engine::{Error, Node, Room};

/// Looks at the cluster's nodes: the one with the most room of CPU that takes pods.
///
/// # Errors
///
/// [`Error::Unusable`] when no node is ready; what the API answers otherwise.
pub async fn look(client: &Client) -> Result<Node, Error> {
    let everything = ListParams::default();
    let (nodes, pods) = (Api::<ApiNode>::all(client.clone()), Api::<Pod>::all(client.clone()));
    let nodes = nodes.list(&everything).await.map_err(|error| failed("listing the nodes", error))?;
    let pods = pods.list(&everything).await.map_err(|error| failed("listing the pods", error))?;
    let facts = nodes.items.iter().filter(|node| is_ready(node)).map(|node| facts(node, &pods.items));
    facts.max_by_key(|node| node.free.cpu_millis).ok_or_else(|| Error::Unusable {
        message: "no node of the cluster takes pods".to_owned(),
        help: "`kubectl describe nodes` says why".to_owned(),
    })
}

/// Whether a node is ready and takes pods.
pub(crate) fn is_ready(node: &ApiNode) -> bool {
    let closed = node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false);
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    let ready = conditions.is_some_and(|all| {
        all.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
    });
    ready && !closed
}

fn facts(node: &ApiNode, pods: &[Pod]) -> Node {
    let name = node.metadata.name.clone().unwrap_or_default();
    let status = node.status.clone().unwrap_or_default();
    let info = status.node_info.unwrap_or_default();
    let allocatable = room(&status.allocatable.unwrap_or_default());
    let free = pods
        .iter()
        .filter(|pod| occupies(pod, &name))
        .fold(allocatable, |free, pod| free.less(requests(pod)));
    Node { name, os: info.operating_system, architecture: info.architecture, allocatable, free }
}

fn room(resources: &BTreeMap<String, Quantity>) -> Room {
    let of = |name: &str| quantity::of(resources.get(name));
    Room {
        cpu_millis: saturate(of("cpu")),
        memory_bytes: saturate(of("memory") / 1000),
        pods: saturate(of("pods") / 1000),
    }
}

fn saturate(amount: u128) -> u64 {
    u64::try_from(amount).unwrap_or(u64::MAX)
}

/// The scheduler counts a pod until it has ended.
fn occupies(pod: &Pod, node: &str) -> bool {
    let here = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) == Some(node);
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    here && !matches!(phase, Some("Succeeded" | "Failed"))
}

/// What the scheduler sets aside for a pod: the sum of its containers, or its largest init container.
fn requests(pod: &Pod) -> Room {
    let Some(spec) = &pod.spec else {
        return Room::default();
    };
    let running = spec.containers.iter().chain(sidecars(spec)).map(request).fold(Room::default(), Room::plus);
    let initial = spec.init_containers.iter().flatten().map(request).fold(Room::default(), Room::max);
    let overhead = spec.overhead.as_ref().map(room).unwrap_or_default();
    Room { pods: 1, ..running.max(initial).plus(overhead) }
}

/// Init containers that keep running.
fn sidecars(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    let all = spec.init_containers.iter().flatten();
    all.filter(|container| container.restart_policy.as_deref() == Some("Always"))
}

fn request(container: &Container) -> Room {
    let requests = container.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    requests.map(room).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(unschedulable: bool, ready: &str) -> ApiNode {
        serde_json::from_value(json!({
            "metadata": {"name": "n"},
            "spec": {"unschedulable": unschedulable},
            "status": {
                "allocatable": {"cpu": "2", "memory": "4Gi", "pods": "110"},
                "conditions": [{"type": "Ready", "status": ready}],
                "nodeInfo": {
                    "architecture": "arm64", "operatingSystem": "linux", "bootID": "", "containerRuntimeVersion": "",
                    "kernelVersion": "", "kubeProxyVersion": "", "kubeletVersion": "", "machineID": "",
                    "osImage": "", "systemUUID": ""
                }
            }
        }))
        .expect("a node")
    }

    fn pod(on: &str, phase: &str) -> Pod {
        let container = |cpu: &str, memory: &str| json!({"name": "c", "resources": {"requests": {"cpu": cpu, "memory": memory}}});
        serde_json::from_value(json!({
            "metadata": {"name": "p"},
            "spec": {
                "nodeName": on,
                "containers": [container("100m", "64Mi"), container("0.15", "64Mi"), {"name": "without"}],
                "initContainers": [container("200m", "1Gi")]
            },
            "status": {"phase": phase}
        }))
        .expect("a pod")
    }

    #[test]
    fn the_room_of_a_node_is_what_no_running_pod_asked_for() {
        let pods = [pod("n", "Running"), pod("n", "Succeeded"), pod("other", "Running"), pod("n", "Pending")];
        let facts = facts(&node(false, "True"), &pods);
        assert_eq!((facts.os.as_str(), facts.architecture.as_str()), ("linux", "arm64"));
        assert_eq!(facts.allocatable, Room { cpu_millis: 2000, memory_bytes: 4 << 30, pods: 110 });
        assert_eq!(facts.free, Room { cpu_millis: 1500, memory_bytes: 2 << 30, pods: 108 });
    }

    #[test]
    fn a_node_that_is_cordoned_or_not_ready_takes_no_pods() {
        assert!(is_ready(&node(false, "True")));
        assert!(!is_ready(&node(true, "True")));
        assert!(!is_ready(&node(false, "False")));
        assert!(!is_ready(&node(false, "Unknown")));
    }
}
