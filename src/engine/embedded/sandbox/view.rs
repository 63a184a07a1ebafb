//! What a sandbox sees of this machine: all but its cgroups. libcontainer would look through every hierarchy, for
//! every container, and stop at the first that it may not write: with none in sight, it does without.

use std::{fs, path::Path};

use rustix::{
    io::Errno,
    mount::{MountFlags, UnmountFlags, mount, mount_bind_recursive, unmount},
    process::{chdir, pivot_root},
};

use super::{
    plan::{Network, Plan, Rights},
    root::{create, entries},
    trouble::{Doing as _, Result},
};
use crate::engine::embedded::cgroup::ROOT as CGROUPS;

/// Takes all cgroups out of sight.
pub(super) fn hide_cgroups(plan: &Plan) -> Result<()> {
    match plan.rights {
        Rights::Root => {
            match unmount(CGROUPS, UnmountFlags::DETACH) {
                // there are none
                Ok(()) | Err(Errno::INVAL | Errno::NOENT) => {}
                Err(error) => return Err(error).doing(format_args!("taking `{CGROUPS}` out of sight")),
            }
            empty(Path::new(CGROUPS))
        }
        // in a user namespace, nothing can be unmounted of what was mounted outside
        Rights::User(_) => move_in(plan),
    }
}

/// A folder with nothing in it, of the kind that says that there is no cgroup v2.
fn empty(at: &Path) -> Result<()> {
    mount("none", at, "tmpfs", MountFlags::empty(), c"mode=755")
        .doing(format_args!("mounting an empty folder at `{}`", at.display()))
}

/// Moves into a root of the sandbox's own, in which everything is in its place but for cgroups.
fn move_in(plan: &Plan) -> Result<()> {
    let root = plan.inside().join("view");
    create(&root)?;
    empty(&root)?;
    let mut top = entries(Path::new("/"));
    // first the one that the new root is in: else all that is in that already would be seen in itself
    top.sort_by_key(|(path, _)| !plan.folder.starts_with(path));
    for (path, name) in top {
        let at = root.join(name);
        match path.to_str() {
            // mounted while the old one can be seen: without it the kernel gives no new one
            Some("/proc") => proc(&at)?,
            Some("/sys") => sys(plan, &at)?,
            // what cannot be shown, cannot be used either: whoever needs it says so
            _ => drop(show(&path, &at)),
        }
    }
    chdir(&root).doing("entering the sandbox's view")?;
    pivot_root(".", ".").doing("changing the root")?;
    unmount(".", UnmountFlags::DETACH).doing("leaving the old root")?;
    chdir("/").doing("entering the root")
}

fn show(path: &Path, at: &Path) -> Result<()> {
    if let Ok(to) = fs::read_link(path) {
        return std::os::unix::fs::symlink(to, at).doing(format_args!("linking `{}`", at.display()));
    }
    if !path.is_dir() {
        return Ok(());
    }
    create(at)?;
    mount_bind_recursive(path, at).doing(format_args!("showing `{}`", path.display()))
}

fn proc(at: &Path) -> Result<()> {
    create(at)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("proc", at, "proc", flags, None).doing("mounting `/proc`")
}

/// A `/sys` is about a network, and only who owns that may mount one.
fn sys(plan: &Plan, at: &Path) -> Result<()> {
    create(at)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    if plan.network != Network::Host && mount("sysfs", at, "sysfs", flags, None).is_ok() {
        return empty(&at.join("fs/cgroup"));
    }
    for (path, name) in entries(Path::new("/sys")) {
        if name != "fs" {
            drop(show(&path, &at.join(name)));
        }
    }
    create(&at.join("fs/cgroup"))
}
