//! The namespaces that the containers of a pod share, and what is mounted for all of them.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use libcontainer::network::{link::LinkClient, wrapper::create_network_client};
use nix::sched::{CloneFlags, unshare};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};

use super::{
    plan::{Plan, Uplink},
    trouble::{Doing as _, Result, Trouble},
};

/// Index of the interface `lo` in every network namespace.
const LOOPBACK: u32 = 1;

/// Enters new namespaces. Mounts made from here on are seen by this process and its children only, and go
/// with the last of them.
pub(super) fn enter(plan: &Plan) -> Result<()> {
    let shared = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWIPC | CloneFlags::CLONE_NEWUTS;
    unshare(shared).doing("making namespaces")?;
    mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)
        .doing("making mounts private")?;
    proc()?;
    rustix::system::sethostname(plan.hostname.as_bytes()).doing("setting the host name")
}

/// Enters a network of its own, in which nothing but the loopback interface is there yet.
pub(super) fn enter_network() -> Result<()> {
    unshare(CloneFlags::CLONE_NEWNET).doing("making a network namespace")?;
    loopback_up()
}

/// Sets up the pod's end of its way to the outside.
pub(super) fn use_uplink(uplink: &Uplink) -> Result<()> {
    let commands = format!(
        "addr add {} dev eth0\nlink set eth0 up\nroute add default via {}\n",
        uplink.address, uplink.gateway
    );
    let spawned =
        Command::new("ip").args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
    let mut ip = spawned.doing("starting `ip`")?;
    if let Some(mut stdin) = ip.stdin.take() {
        stdin.write_all(commands.as_bytes()).doing("telling `ip`")?;
    }
    let status = ip.wait().doing("waiting for `ip`")?;
    if status.success() { Ok(()) } else { Err(Trouble::new("the pod's network could not be set up")) }
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
