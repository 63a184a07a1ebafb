//! This machine as a node.

use std::fs;

use k8s_openapi::api::core::v1::Pod;

use crate::engine::{Free, Room};

/// The most pods, as on a node of Kubernetes.
const PODS: u64 = 110;

/// Whether this machine is one that a pod selects. It has no labels but what the kubelet knows of it; others say which
/// nodes of a cluster are meant, and of those there is none here.
///
/// # Errors
/// The label of another system.
pub(super) fn takes(pod: &Pod) -> Result<(), String> {
    let own = [("kubernetes.io/os", "linux"), ("kubernetes.io/arch", architecture())];
    let selector = pod.spec.iter().filter_map(|spec| spec.node_selector.as_ref()).flatten();
    for (key, wanted) in selector {
        if let Some((_, is)) = own.iter().find(|(known, is)| known == key && is != wanted) {
            return Err(format!("it selects nodes with `{key}={wanted}`, and this machine has `{is}`"));
        }
    }
    Ok(())
}

/// This machine's architecture in Go's words.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// What this machine has for pods: all that nothing else needs.
pub(super) fn free() -> Free {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let room = Room {
        cpu_millis: cpus as u64 * 1000,
        memory_bytes: memory(&fs::read_to_string("/proc/meminfo").unwrap_or_default()).unwrap_or(1 << 30),
        pods: PODS,
    };
    Free { nodes: vec![room], ..Free::default() }
}

/// Bytes of memory that nobody needs, as the kernel says.
fn memory(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use k8s_openapi::api::core::v1::{Pod, PodSpec};

    #[test]
    fn a_pod_for_another_system_is_not_taken() {
        let takes = |key: &str, value: &str| {
            let node_selector = Some(BTreeMap::from([(key.to_owned(), value.to_owned())]));
            let spec = Some(PodSpec { node_selector, ..PodSpec::default() });
            super::takes(&Pod { spec, ..Pod::default() }).is_ok()
        };
        assert!(takes("kubernetes.io/os", "linux"));
        assert!(takes("kubernetes.io/arch", super::architecture()));
        assert!(takes("pool", "ci"), "a label that only a cluster gives");
        assert!(!takes("kubernetes.io/os", "windows"));
        assert!(!takes("kubernetes.io/arch", "s390x"));
    }

    #[test]
    fn memory_is_what_is_available() {
        let text = "MemTotal:  100 kB\nMemAvailable:   2048 kB\n";
        assert_eq!(super::memory(text), Some(2 << 20));
        assert_eq!(super::memory(""), None);
    }
}
