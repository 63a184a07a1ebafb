//! A container as the OCI runtime specification has it: what libcontainer is told.

use std::path::Path;

use serde_json::{Value, json};

use crate::engine::embedded::cgroup::{self, Hierarchy};

use super::{
    plan::{Container, Limits, Mount, Network, Plan, Rights},
    users::User,
};

/// What containers must not see of the kernel, as Docker and containerd have it.
const MASKED: [&str; 10] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/proc/scsi",
    "/sys/firmware",
];

/// What they may see and not change.
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Microseconds over which a CPU limit is counted.
const PERIOD: u64 = 100_000;

/// The cgroup of a container below the root of every hierarchy.
pub(super) fn group(plan: &Plan, container: &Container) -> Option<String> {
    plan.cgroup.as_ref().map(|group| format!("{group}/{}", container.name))
}

/// The configuration of a container (`config.json`).
pub(super) fn config(
    plan: &Plan,
    container: &Container,
    root: &Path,
    user: &User,
    hierarchies: &[Hierarchy],
) -> Value {
    let capabilities = &container.capabilities;
    let mut linux = json!({
        "namespaces": [{ "type": "pid" }, { "type": "mount" }],
        "maskedPaths": MASKED,
        "readonlyPaths": READ_ONLY,
    });
    if let Some(group) = group(plan, container) {
        // absolute: else it would be systemd's
        linux["cgroupsPath"] = json!(format!("/{group}"));
        linux["resources"] = resources(&container.limits);
    }
    json!({
        "ociVersion": "1.0.2",
        "root": { "path": root },
        "process": {
            "args": container.args,
            "env": container.env,
            "cwd": container.working_dir,
            "user": { "uid": user.uid, "gid": user.gid, "additionalGids": user.groups },
            "noNewPrivileges": !container.allow_privilege_escalation,
            "capabilities": {
                "bounding": capabilities,
                "effective": capabilities,
                "permitted": capabilities,
            },
        },
        "mounts": mounts(plan, container, hierarchies),
        "linux": linux,
    })
}

fn resources(limits: &Limits) -> Value {
    let mut resources = json!({});
    if limits.cpu_millis.is_some() || limits.cpu_request_millis.is_some() {
        let mut cpu = json!({});
        if let Some(millis) = limits.cpu_millis {
            cpu["quota"] = json!((millis * PERIOD / 1000).max(1000));
            cpu["period"] = json!(PERIOD);
        }
        if let Some(millis) = limits.cpu_request_millis {
            // as the kubelet does
            cpu["shares"] = json!((millis * 1024 / 1000).clamp(2, 262_144));
        }
        resources["cpu"] = cpu;
    }
    if let Some(bytes) = limits.memory_bytes {
        resources["memory"] = json!({ "limit": bytes });
    }
    if let Some(pids) = limits.pids {
        resources["pids"] = json!({ "limit": pids });
    }
    resources
}

fn mounts(plan: &Plan, container: &Container, hierarchies: &[Hierarchy]) -> Vec<Value> {
    let special = |target: &str, kind: &str, options: &[&str]| json!({ "destination": target, "type": kind, "source": kind, "options": options });
    let mut mounts = vec![
        special("/proc", "proc", &["nosuid", "noexec", "nodev"]),
        special("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        special("/dev/pts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
        special("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
    ];
    let whose = (&plan.rights, &plan.network);
    if let (Rights::User(_), Network::Host) = whose {
        // a sysfs is about a network, and only who owns that may mount one
        mounts.push(
            json!({ "destination": "/sys", "type": "none", "source": "/sys", "options": ["rbind", "ro"] }),
        );
    } else {
        mounts.push(special("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]));
        mounts.extend(cgroups(plan, container, hierarchies));
    }
    mounts.extend(container.mounts.iter().map(bind));
    mounts
}

/// A container sees its own cgroups only, under the paths at which a node shows them.
fn cgroups(plan: &Plan, container: &Container, hierarchies: &[Hierarchy]) -> Vec<Value> {
    let Some(group) = group(plan, container) else { return Vec::new() };
    let own = |hierarchy: &Hierarchy| Mount {
        source: hierarchy.path.join(&group),
        target: hierarchy.path.display().to_string(),
        read_only: true,
    };
    let mut mounts = Vec::new();
    if hierarchies.iter().any(|hierarchy| hierarchy.controllers.is_some()) {
        mounts.push(json!({
            "destination": cgroup::ROOT, "type": "tmpfs", "source": "tmpfs",
            "options": ["nosuid", "noexec", "nodev", "mode=755"],
        }));
    }
    mounts.extend(hierarchies.iter().map(|hierarchy| bind(&own(hierarchy))));
    mounts
}

fn bind(mount: &Mount) -> Value {
    let access = if mount.read_only { "ro" } else { "rw" };
    json!({
        "destination": mount.target, "type": "bind", "source": mount.source,
        "options": ["rbind", "nodev", "nosuid", access],
    })
}
