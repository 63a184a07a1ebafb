//! The namespaces that the containers of a pod share, and what is mounted for all of them.

use std::path::Path;

use libcontainer::network::{link::LinkClient, wrapper::create_network_client};
use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};

use super::{
    plan::{Network, Plan},
    trouble::{Doing as _, Result},
};

/// Index of the interface `lo` in every network namespace.
const LOOPBACK: u32 = 1;

/// Enters new namespaces. Mounts made from here on are seen by this process and its children only, and go
/// with the last of them.
pub(super) fn enter(plan: &Plan) -> Result<()> {
    let shared = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
    let network = match plan.network {
        Network::Own => CloneFlags::CLONE_NEWNET,
        Network::Host => CloneFlags::empty(),
    };
    unshare(shared | network).doing("making namespaces")?;
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
        .doing("making mounts private")?;
    proc()?;
    rustix::system::sethostname(plan.hostname.as_bytes()).doing("setting the host name")?;
    match plan.network {
        Network::Own => loopback_up(),
        Network::Host => Ok(()),
    }
}

/// libcontainer finds itself by `/proc/self`, which is nobody in a `/proc` of another pid namespace.
fn proc() -> Result<()> {
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", Path::new("/proc"), "proc", flags, None).doing("mounting `/proc`")
}

fn loopback_up() -> Result<()> {
    let mut link = LinkClient::new(create_network_client()).doing("opening netlink")?;
    link.set_up(LOOPBACK).doing("bringing the loopback interface up")
}
