//! The nodes that pods run on, the room they have, and the labels that pods select.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::{Node as ApiNode, Pod};
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::Mutex;

use super::errors::failed;
use crate::engine::{Error, Room};

/// Taints with these effects keep pods off that do not tolerate them.
const CLOSING: [&str; 2] = ["NoSchedule", "NoExecute"];

/// What each node has left that takes pods.
///
/// # Errors
///
/// [`Error::Unusable`] when no node takes pods; what the API answers otherwise.
pub async fn look(client: &Client) -> Result<Vec<Room>, Error> {
    let everything = ListParams::default();
    let (nodes, pods) = (Api::<ApiNode>::all(client.clone()), Api::<Pod>::all(client.clone()));
    let nodes = nodes.list(&everything).await.map_err(|error| failed("listing the nodes", error))?;
    let pods = pods.list(&everything).await.map_err(|error| failed("listing the pods", error))?;
    let open = nodes.items.iter().filter(|node| is_ready(node) && !is_tainted(node));
    let free: Vec<Room> = open.map(|node| free(node, &pods.items)).collect();
    if free.is_empty() {
        return Err(Error::Unusable {
            message: "no node of the cluster takes pods".to_owned(),
            help: "`kubectl describe nodes` says why".to_owned(),
        });
    }
    Ok(free)
}

/// The annotation of a node that names the labels which podline has given it, with commas between them.
const GIVEN: &str = "podline.dev/labels";

/// Labels of nodes that are podline's own: those that pods select, as somewhere there are nodes that have them.
pub struct Labels {
    nodes: Api<ApiNode>,
    /// One pod after the other: each finds its labels when it is scheduled, and they mean nothing to it later.
    turn: Mutex<()>,
}

impl Labels {
    /// Labels of all nodes of a cluster.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { nodes: Api::all(client), turn: Mutex::default() }
    }

    /// Gives the nodes what a pod selects and none of them has.
    ///
    /// # Errors
    ///
    /// What the API answers.
    pub async fn give(&self, selector: &BTreeMap<String, String>) -> Result<(), Error> {
        let _turn = self.turn.lock().await;
        let doing = "giving the nodes the labels that a pod selects";
        let nodes = self.nodes.list(&ListParams::default()).await.map_err(|error| failed(doing, error))?;
        for (name, labels, given) in missing(&nodes.items, selector) {
            let patch = json!({"metadata": {"labels": labels, "annotations": {GIVEN: given}}});
            let patched =
                self.nodes.patch_metadata(&name, &PatchParams::default(), &Patch::Merge(patch)).await;
            patched.map_err(|error| failed(doing, error))?;
        }
        Ok(())
    }
}

/// The nodes that lack a label which no node has, with these labels and the names of all that are given. What a node
/// is, as `kubernetes.io/arch` says it, and what its owner has said of it stays; what was given for other pods does not.
fn missing(
    nodes: &[ApiNode],
    selector: &BTreeMap<String, String>,
) -> Vec<(String, BTreeMap<String, String>, String)> {
    let label =
        |node: &ApiNode, key: &str| node.metadata.labels.as_ref().and_then(|all| all.get(key)).cloned();
    let is_there = |(key, value): &(&String, &String)| {
        nodes.iter().any(|node| label(node, key).as_ref() == Some(*value))
    };
    let wanted: Vec<(&String, &String)> = selector.iter().filter(|it| !is_there(it)).collect();
    let of_node = |node: &ApiNode| {
        let given =
            node.metadata.annotations.as_ref().and_then(|all| all.get(GIVEN)).cloned().unwrap_or_default();
        let mut given: BTreeSet<String> =
            given.split(',').filter(|key| !key.is_empty()).map(str::to_owned).collect();
        let may = wanted.iter().filter(|(key, _)| label(node, key).is_none() || given.contains(*key));
        let labels: BTreeMap<String, String> =
            may.map(|(key, value)| ((*key).clone(), (*value).clone())).collect();
        given.extend(labels.keys().cloned());
        let given = given.into_iter().collect::<Vec<_>>().join(",");
        let name = node.metadata.name.clone().filter(|_| !labels.is_empty())?;
        Some((name, labels, given))
    };
    nodes.iter().filter_map(of_node).collect()
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

/// Whether pods that tolerate nothing are kept off, as from the control plane of a larger cluster.
fn is_tainted(node: &ApiNode) -> bool {
    let taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    taints.into_iter().any(|taint| CLOSING.contains(&taint.effect.as_str()))
}

fn free(node: &ApiNode, pods: &[Pod]) -> Room {
    let name = node.metadata.name.as_deref().unwrap_or_default();
    let allocatable = node.status.as_ref().and_then(|status| status.allocatable.as_ref());
    pods.iter()
        .filter(|pod| occupies(pod, name))
        .fold(allocatable.map(Room::of).unwrap_or_default(), |free, pod| free.less(Room::requested(pod)))
}

/// The scheduler counts a pod until it has ended.
fn occupies(pod: &Pod, node: &str) -> bool {
    let here = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()) == Some(node);
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    here && !matches!(phase, Some("Succeeded" | "Failed"))
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

    /// A node with these labels, of which those were given by podline.
    fn labelled(name: &str, labels: serde_json::Value, given: &str) -> ApiNode {
        let metadata = json!({"name": name, "labels": labels, "annotations": {GIVEN: given}});
        let metadata = serde_json::from_value(metadata).expect("metadata");
        ApiNode { metadata, ..node(false, "True") }
    }

    #[test]
    fn nodes_get_the_labels_that_a_pod_selects_and_no_node_has() {
        let plain = || labelled("plain", json!({"kubernetes.io/arch": "amd64"}), "");
        let owned = || labelled("owned", json!({"pool": "large"}), "");
        let given = || labelled("given", json!({"pool": "ci"}), "pool");
        let rows = [
            (vec![plain()], "pool=ci", "plain pool=ci, given pool"),
            (vec![given()], "pool=ci", ""),
            (vec![given()], "pool=large", "given pool=large, given pool"),
            (vec![given()], "zone=a", "given zone=a, given pool,zone"),
            // somebody has said which node is meant
            (vec![owned(), plain()], "pool=large", ""),
            // what a node is it stays
            (vec![plain()], "kubernetes.io/arch=s390x", ""),
        ];
        for (nodes, selected, expected) in rows {
            let (key, value) = selected.split_once('=').expect("a label");
            let selector = BTreeMap::from([(key.to_owned(), value.to_owned())]);
            let told = |(name, labels, given): (String, BTreeMap<String, String>, String)| {
                format!("{name} {key}={}, given {given}", labels[key])
            };
            let told: Vec<String> = missing(&nodes, &selector).into_iter().map(told).collect();
            assert_eq!(told.join("; "), expected, "{selected}");
        }
    }

    #[test]
    fn the_room_of_a_node_is_what_no_running_pod_asked_for() {
        let pods = [pod("n", "Running"), pod("n", "Succeeded"), pod("other", "Running"), pod("n", "Pending")];
        let free = free(&node(false, "True"), &pods);
        assert_eq!(free, Room { cpu_millis: 1500, memory_bytes: 2 << 30, pods: 108 });
    }

    #[test]
    fn a_node_with_a_taint_takes_no_pods_that_do_not_tolerate_it() {
        for (effect, closed) in [("NoSchedule", true), ("NoExecute", true), ("PreferNoSchedule", false)] {
            let mut node = node(false, "True");
            let taint = json!({"key": "node-role.kubernetes.io/control-plane", "effect": effect});
            node.spec = serde_json::from_value(json!({"taints": [taint]})).expect("a spec");
            assert_eq!(is_tainted(&node), closed, "{effect}");
        }
    }

    #[test]
    fn a_node_that_is_cordoned_or_not_ready_takes_no_pods() {
        assert!(is_ready(&node(false, "True")));
        assert!(!is_ready(&node(true, "True")));
        assert!(!is_ready(&node(false, "False")));
        assert!(!is_ready(&node(false, "Unknown")));
    }
}
