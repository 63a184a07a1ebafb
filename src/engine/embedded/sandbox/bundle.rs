//! A container as the OCI runtime specification has it: what libcontainer is told.

use std::path::Path;

use serde_json::{Value, json};

use crate::engine::embedded::cgroup;

use super::{
    groups::Groups,
    plan::{Container, Mount, Plan, Rights},
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

/// The configuration of a container (`config.json`).
pub(super) fn config(plan: &Plan, container: &Container, root: &Path, user: &User, groups: &Groups) -> Value {
    let capabilities = &container.capabilities;
    let linux = json!({
        "namespaces": [{ "type": "pid" }, { "type": "mount" }],
        "maskedPaths": MASKED,
        "readonlyPaths": READ_ONLY,
    });
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
        "mounts": mounts(plan, container, groups),
        "linux": linux,
    })
}

fn mounts(plan: &Plan, container: &Container, groups: &Groups) -> Vec<Value> {
    let special = |target: &str, kind: &str, options: &[&str]| json!({ "destination": target, "type": kind, "source": kind, "options": options });
    let mut mounts = vec![
        special("/proc", "proc", &["nosuid", "noexec", "nodev"]),
        special("/dev", "tmpfs", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        special("/dev/pts", "devpts", &["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
        special("/dev/mqueue", "mqueue", &["nosuid", "noexec", "nodev"]),
    ];
    mounts.push(match plan.rights {
        Rights::Root => special("/sys", "sysfs", &["nosuid", "noexec", "nodev", "ro"]),
        // the one of the sandbox's view: another cannot be had in a user namespace
        Rights::User(_) => {
            json!({ "destination": "/sys", "type": "none", "source": "/sys", "options": ["rbind", "ro"] })
        }
    });
    mounts.extend(cgroups(container, groups));
    mounts.extend(container.mounts.iter().map(bind));
    mounts
}

/// A container sees its own cgroups only, under the paths at which a node shows them.
fn cgroups(container: &Container, groups: &Groups) -> Vec<Value> {
    let mut mounts = Vec::new();
    if groups.are_many() {
        mounts.push(json!({
            "destination": cgroup::ROOT, "type": "tmpfs", "source": "tmpfs",
            "options": ["nosuid", "noexec", "nodev", "mode=755"],
        }));
    }
    mounts.extend(groups.mounts(&container.name).map(|mount| bind(&mount)));
    mounts
}

fn bind(mount: &Mount) -> Value {
    let access = if mount.read_only { "ro" } else { "rw" };
    json!({
        "destination": mount.target, "type": "bind", "source": mount.source,
        "options": ["rbind", "nodev", "nosuid", access],
    })
}
