//! The process between podline and a pod: it makes the namespaces that only a child can be in, and removes
//! what the pod leaves when it has ended.

use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use nix::sched::{CloneFlags, unshare};
use rustix::event::{PollFd, PollFlags, poll};

use crate::engine::embedded::{cgroup, removal};

use super::{
    COMMAND, INNER, hold, namespaces,
    plan::{IdMaps, Network, News, Plan, Rights},
    root::entries,
    tell,
    trouble::{Doing as _, Result, Trouble},
    uplink::Netlink,
};

pub(super) fn run(folder: &Path) -> ExitCode {
    let plan = match super::read_plan(folder) {
        Ok(plan) => plan,
        Err(trouble) => return failed(&trouble),
    };
    let _held = match hold(folder) {
        Ok(held) => held,
        Err(trouble) => return failed(&trouble),
    };
    let ran = sandbox(&plan);
    if let Some(group) = &plan.cgroup {
        cgroup::remove(group);
    }
    remove(&plan);
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => failed(&trouble),
    }
}

fn failed(trouble: &Trouble) -> ExitCode {
    tell(&News::Failed(trouble.to_string()));
    ExitCode::FAILURE
}

fn sandbox(plan: &Plan) -> Result<()> {
    let own = std::env::current_exe().doing("finding podline's own program")?;
    if let Rights::User(maps) = &plan.rights {
        become_root(maps)?;
    }
    if let Network::Pair { number } = plan.network {
        let host = Netlink::open()?;
        let pod = namespaces::enter_network()?;
        host.tie(&pod, std::process::id(), number)?;
    }
    unshare(CloneFlags::CLONE_NEWPID).doing("making a pid namespace")?;
    let mut inner =
        Command::new(own).args([COMMAND, INNER]).arg(&plan.folder).spawn().doing("starting the sandbox")?;
    inner.wait().doing("waiting for the sandbox")?;
    Ok(())
}

/// Maps the user's own id to root's and subordinate ones to those above, once it is told that there is a user
/// namespace to map them in: `newuidmap` gets its rights from outside of that.
const MAP: &str =
    r#"read -r _ && newuidmap "$1" 0 "$2" 1 1 "$3" "$4" && newgidmap "$1" 0 "$5" 1 1 "$6" "$7""#;

/// Makes a user namespace in which the user is root.
fn become_root(maps: &IdMaps) -> Result<()> {
    let unshare = || unshare(CloneFlags::CLONE_NEWUSER).doing("making a user namespace");
    let Some((uids, gids)) = maps.subordinate_uids.zip(maps.subordinate_gids) else {
        unshare()?;
        return map_own_id(maps);
    };
    let numbers = [std::process::id(), maps.uid, uids.0, uids.1, maps.gid, gids.0, gids.1];
    let mut mapper = Command::new("sh")
        .args(["-c", MAP, "podline"])
        .args(numbers.map(|number| number.to_string()))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .doing("starting `sh`")?;
    unshare()?;
    if let Some(mut stdin) = mapper.stdin.take() {
        stdin.write_all(b"\n").doing("mapping ids")?;
    }
    if mapper.wait().doing("mapping ids")?.success() {
        return Ok(());
    }
    Err(Trouble::new("`newuidmap` or `newgidmap` failed: see `/etc/subuid` and `/etc/subgid`"))
}

/// Without subordinate ids there is nobody but root in the namespace.
fn map_own_id(maps: &IdMaps) -> Result<()> {
    let write = |file: &str, text: String| fs::write(file, text).doing(format_args!("writing `{file}`"));
    // who may leave groups could reach what only they were kept from
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("0 {} 1", maps.uid))?;
    write("/proc/self/gid_map", format!("0 {} 1", maps.gid))
}

/// Removes what podline cannot, or is not there to: in a user namespace, some files are of ids that are not the
/// user's own outside of it.
fn remove(plan: &Plan) {
    if podline_is_gone() {
        let _ = removal::remove(&plan.folder);
    } else if plan.rights != Rights::Root {
        for (path, _) in entries(&plan.folder).iter().filter(|(path, _)| path.is_dir()) {
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// Podline holds the other end of our input for as long as it lives.
fn podline_is_gone() -> bool {
    let stdin = rustix::stdio::stdin();
    let mut polled = [PollFd::new(&stdin, PollFlags::empty())];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut polled, Some(&now)).is_ok() && polled[0].revents().contains(PollFlags::HUP)
}
