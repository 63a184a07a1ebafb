//! What containers use, as the kubelet of their node says: its summary, through the API server.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use kube::{
    Client,
    core::{Request, params::GetParams},
};
use serde::Deserialize;
use tokio::{
    sync::Mutex,
    time::{Instant, timeout},
};

use crate::engine::Usage;

/// How old an answer may be: the kubelet itself looks every ten seconds or so.
const FRESH: Duration = Duration::from_millis(1900);

/// How long a kubelet may take to answer: it is asked again anyway.
const ANSWER: Duration = Duration::from_secs(5);

/// A container: its namespace, its pod, its name.
type Key = (String, String, String);

/// What the containers of a node use.
type Used = HashMap<Key, Usage>;

/// What a kubelet has said, and when.
type Answer = (Instant, Arc<Used>);

/// Asks kubelets, each at most every two seconds, however many pods are asked for.
#[derive(Clone)]
pub(super) struct Kubelets {
    client: Client,
    nodes: Arc<Mutex<HashMap<String, Answer>>>,
    /// Who may not ask is not going to be allowed while the run goes on.
    is_refused: Arc<AtomicBool>,
}

impl Kubelets {
    pub(super) fn new(client: Client) -> Self {
        Self { client, nodes: Arc::default(), is_refused: Arc::default() }
    }

    /// What a container uses; none where that cannot be told.
    pub(super) async fn usage(&self, node: &str, container: &Key) -> Option<Usage> {
        if self.is_refused.load(Ordering::Relaxed) {
            return None;
        }
        let used = self.of(node).await;
        used.get(container).copied()
    }

    async fn of(&self, node: &str) -> Arc<Used> {
        // held while the kubelet is asked: who comes meanwhile takes the same answer
        let mut nodes = self.nodes.lock().await;
        if let Some((at, used)) = nodes.get(node)
            && at.elapsed() < FRESH
        {
            return Arc::clone(used);
        }
        let used = Arc::new(timeout(ANSWER, self.ask(node)).await.ok().flatten().unwrap_or_default());
        nodes.insert(node.to_owned(), (Instant::now(), Arc::clone(&used)));
        used
    }

    async fn ask(&self, node: &str) -> Option<Used> {
        let stats = Request::new(format!("/api/v1/nodes/{node}/proxy/stats"));
        let request = stats.get("summary", &GetParams::default()).ok()?;
        match self.client.request::<Summary>(request).await {
            Ok(summary) => Some(summary.used()),
            Err(kube::Error::Api(status)) => {
                self.is_refused.fetch_or(matches!(status.code, 401 | 403 | 404), Ordering::Relaxed);
                None
            }
            Err(_) => None,
        }
    }
}

/// What is read of `/stats/summary`.
#[derive(Deserialize)]
struct Summary {
    pods: Vec<PodStats>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PodStats {
    pod_ref: PodRef,
    #[serde(default)]
    containers: Vec<ContainerStats>,
}

#[derive(Deserialize)]
struct PodRef {
    name: String,
    namespace: String,
}

#[derive(Deserialize)]
struct ContainerStats {
    name: String,
    #[serde(default)]
    cpu: Cpu,
    #[serde(default)]
    memory: Memory,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Cpu {
    usage_nano_cores: Option<u64>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Memory {
    working_set_bytes: Option<u64>,
}

impl Summary {
    fn used(self) -> Used {
        let of_pod = |PodStats { pod_ref, containers }: PodStats| {
            containers.into_iter().map(move |it| {
                let usage = Usage {
                    cpu_millis: it.cpu.usage_nano_cores.map(|nanos| nanos / 1_000_000),
                    memory_bytes: it.memory.working_set_bytes,
                };
                ((pod_ref.namespace.clone(), pod_ref.name.clone(), it.name), usage)
            })
        };
        self.pods.into_iter().flat_map(of_pod).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubelets_summary_says_what_each_container_uses() {
        // a container that has just begun has no rate yet
        let text = r#"{"node": {"nodeName": "n"}, "pods": [
            {"podRef": {"name": "p", "namespace": "ci", "uid": "1"}, "containers": [
                {"name": "build", "cpu": {"time": "t", "usageNanoCores": 250700000},
                 "memory": {"usageBytes": 9, "workingSetBytes": 4096}},
                {"name": "helper", "cpu": {"time": "t", "usageNanoCores": null}}]},
            {"podRef": {"name": "q", "namespace": "ci", "uid": "2"}}]}"#;
        let used = serde_json::from_str::<Summary>(text).expect("a summary").used();
        let of = |name: &str| used.get(&("ci".to_owned(), "p".to_owned(), name.to_owned())).copied();
        assert_eq!(of("build"), Some(Usage { cpu_millis: Some(250), memory_bytes: Some(4096) }));
        assert_eq!(of("helper"), Some(Usage::default()));
        assert_eq!(of("other"), None);
    }
}
