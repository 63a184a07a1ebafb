//! The namespaces that the containers of a pod share, and what is mounted for all of them.

use std::path::Path;

use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change};

use super::{
    plan::{self, Plan},
    root::create,
    trouble::{Doing as _, Result},
    uplink::Netlink,
};

/// Enters new namespaces. Mounts made from here on are seen by this process and its children only, and go
/// with the last of them.
pub(super) fn enter(plan: &Plan) -> Result<()> {
    let shared = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
    unshare(shared).doing("making namespaces")?;
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
        .doing("making mounts private")?;
    proc()?;
    let inside = plan.inside();
    std::fs::create_dir_all(&inside).doing(format_args!("making `{}`", inside.display()))?;
    mount("none", &inside, "tmpfs", MountFlags::empty(), c"mode=755")
        .doing("mounting the sandbox's folder")?;
    furnish(plan)?;
    rustix::system::sethostname(plan.hostname.as_bytes()).doing("setting the host name")
}

/// Makes what all containers of the pod find in their places.
fn furnish(plan: &Plan) -> Result<()> {
    let files = plan::files(&plan.folder);
    for folder in [&files, &plan::message(&plan.folder, "").to_owned()] {
        create(folder)?;
    }
    for (name, text) in &plan.files {
        let path = files.join(name);
        std::fs::write(&path, text).doing(format_args!("writing `{}`", path.display()))?;
    }
    let memory = plan::shared_memory(&plan.folder);
    create(&memory)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("shm", &memory, "tmpfs", flags, c"mode=1777,size=64m").doing("mounting the pod's shared memory")
}

/// Enters a network of its own, in which nothing but the loopback interface is there yet.
pub(super) fn enter_network() -> Result<Netlink> {
    unshare(CloneFlags::CLONE_NEWNET).doing("making a network namespace")?;
    let network = Netlink::open()?;
    network.loopback_up()?;
    Ok(network)
}

/// Shows the network that this process is in as a file, for a program that may not look at this process.
pub(super) fn show_network(file: &Path) -> Result<()> {
    std::fs::File::create(file).doing("making a file for the network")?;
    mount_bind("/proc/self/ns/net", file).doing("showing the network")
}

/// libcontainer finds itself by `/proc/self`, which is nobody in a `/proc` of another pid namespace.
fn proc() -> Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", Path::new("/proc"), "proc", flags, None).doing("mounting `/proc`")
}
