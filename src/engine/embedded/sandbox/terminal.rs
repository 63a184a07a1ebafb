//! A command in a running container on a terminal of its own. libcontainer makes the terminal in the container and
//! sends it to podline, over the socket that the order names.

use std::{fs, os::fd::OwnedFd, path::Path};

use libcontainer::{container::builder::ContainerBuilder, syscall::syscall::SyscallType};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, kill_process, pidfd_open, waitpid};
use serde_json::{Value, json};

use super::{
    container::said,
    groups::Groups,
    plan::{News, Plan, TerminalOrder},
    trouble::{Doing as _, Result, Trouble},
};

/// A command that runs on a terminal.
pub(super) struct OnTerminal {
    /// Readable once the command has ended.
    pub(super) ended: OwnedFd,
    number: u32,
    pid: Pid,
}

/// Starts a command in a container, with all that the container's own process has: environment, user,
/// capabilities, limits.
pub(super) fn start(plan: &Plan, groups: &Groups, order: &TerminalOrder) -> Result<OnTerminal> {
    let folder = plan.inside().join("containers").join(&order.container);
    let process = folder.join(format!("terminal-{}.json", order.number));
    let text = process_of(&folder, order)?;
    fs::write(&process, text).doing("writing the command's configuration")?;
    let builder = ContainerBuilder::new(order.container.clone(), SyscallType::default())
        .with_root_path(plan.inside().join("state"))
        .doing("preparing the command")?
        .with_console_socket(Some(&order.socket))
        .as_tenant()
        .with_detach(true)
        .with_process(Some(process));
    let started = groups.around(&order.container, || builder.build())?;
    let pid = started.map_err(|error| Trouble::new(said(&error)))?;
    let pid = Pid::from_raw(pid.as_raw()).ok_or_else(|| Trouble::new("the command has no process"))?;
    groups.join(&order.container, pid)?;
    let ended = pidfd_open(pid, PidfdFlags::empty()).doing("opening the command's process")?;
    Ok(OnTerminal { ended, number: order.number, pid })
}

/// The container's own process, as its configuration has it, with another command.
fn process_of(folder: &Path, order: &TerminalOrder) -> Result<Vec<u8>> {
    let config = fs::read(folder.join("config.json")).doing("reading the container's configuration")?;
    let mut config: Value = serde_json::from_slice(&config).doing("reading the container's configuration")?;
    let mut process = config["process"].take();
    process["args"] = json!(order.command);
    process["terminal"] = json!(true);
    if let Some(variables) = process["env"].as_array_mut() {
        // as containerd does: the first one counts, so that of the image does
        variables.push(json!("TERM=xterm"));
    }
    serde_json::to_vec(&process).doing("writing the command's configuration")
}

impl OnTerminal {
    /// Takes the process away once it has ended, or ends it.
    pub(super) fn finish(self) -> News {
        let _ = kill_process(self.pid, Signal::KILL);
        let _ = waitpid(Some(self.pid), WaitOptions::empty());
        News::TerminalClosed { number: self.number, cause: None }
    }
}
