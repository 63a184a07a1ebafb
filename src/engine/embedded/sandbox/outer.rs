//! The process between podline and a pod: it makes the namespaces that only a child can be in, and removes
//! what the pod leaves when it has ended.

use std::{
    fs,
    path::Path,
    process::{Command, ExitCode},
};

use nix::sched::{CloneFlags, unshare};
use rustix::event::{PollFd, PollFlags, poll};

use crate::engine::embedded::cgroup;

use super::{
    COMMAND, INNER,
    plan::{IdMaps, News, Plan, Rights},
    tell,
    trouble::{Doing as _, Result},
};

pub(super) fn run(folder: &Path) -> ExitCode {
    let plan = match super::read_plan(folder) {
        Ok(plan) => plan,
        Err(trouble) => return failed(&trouble),
    };
    let ran = sandbox(&plan);
    cgroup::remove(&plan);
    remove(&plan);
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => failed(&trouble),
    }
}

fn failed(trouble: &super::trouble::Trouble) -> ExitCode {
    tell(&News::Failed(trouble.to_string()));
    ExitCode::FAILURE
}

fn sandbox(plan: &Plan) -> Result<()> {
    let own = std::env::current_exe().doing("finding podline's own program")?;
    if let Rights::User(maps) = &plan.rights {
        become_root(maps)?;
    }
    unshare(CloneFlags::CLONE_NEWPID).doing("making a pid namespace")?;
    let mut inner =
        Command::new(own).args([COMMAND, INNER]).arg(&plan.folder).spawn().doing("starting the sandbox")?;
    inner.wait().doing("waiting for the sandbox")?;
    Ok(())
}

/// Makes a user namespace in which the user is root.
fn become_root(maps: &IdMaps) -> Result<()> {
    unshare(CloneFlags::CLONE_NEWUSER).doing("making a user namespace")?;
    let subordinate = maps.subordinate_uids.zip(maps.subordinate_gids);
    if let Some((uids, gids)) = subordinate {
        let pid = std::process::id();
        map_ids("newuidmap", pid, maps.uid, uids)?;
        return map_ids("newgidmap", pid, maps.gid, gids);
    }
    let write = |file: &str, text: String| fs::write(file, text).doing(format_args!("writing `{file}`"));
    // who may leave groups could reach what only they were kept from
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/uid_map", format!("0 {} 1", maps.uid))?;
    write("/proc/self/gid_map", format!("0 {} 1", maps.gid))
}

/// Maps the user's own id and subordinate ones, which only setuid programs can.
fn map_ids(program: &str, pid: u32, own: u32, (first, count): (u32, u32)) -> Result<()> {
    let numbers = [pid, 0, own, 1, 1, first, count].map(|number| number.to_string());
    let status = Command::new(program).args(numbers).status().doing(format_args!("starting `{program}`"))?;
    if status.success() {
        return Ok(());
    }
    Err(super::trouble::Trouble::new(format!(
        "`{program}` failed ({status}): see `/etc/subuid` and `/etc/subgid`"
    )))
}

/// Removes what the containers have left, some of it under ids that are not the user's own outside of this
/// namespace, and the logs, too, where nobody is left to read them.
fn remove(plan: &Plan) {
    for part in ["containers", "volumes", "state", "shm"] {
        let _ = fs::remove_dir_all(plan.folder.join(part));
    }
    if podline_is_gone() {
        let _ = fs::remove_dir_all(&plan.folder);
    }
}

/// Podline holds the other end of our input for as long as it lives.
fn podline_is_gone() -> bool {
    let stdin = rustix::stdio::stdin();
    let mut polled = [PollFd::new(&stdin, PollFlags::empty())];
    let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut polled, Some(&now)).is_ok() && polled[0].revents().contains(PollFlags::HUP)
}
