//! This machine as a node.

use std::fs;

use crate::engine::{Free, Room};

/// The most pods, as on a node of Kubernetes.
const PODS: u64 = 110;

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
    #[test]
    fn memory_is_what_is_available() {
        let text = "MemTotal:  100 kB\nMemAvailable:   2048 kB\n";
        assert_eq!(super::memory(text), Some(2 << 20));
        assert_eq!(super::memory(""), None);
    }
}
