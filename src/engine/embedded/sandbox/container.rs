//! One container in a sandbox: made by libcontainer, started, waited for, taken away.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    io::{PipeWriter, Read as _},
    os::{fd::OwnedFd, unix::fs::PermissionsExt as _},
    path::{Path, PathBuf},
};

use libcontainer::{container::builder::ContainerBuilder, syscall::syscall::SyscallType};
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, waitpid};

use super::{
    bundle,
    groups::Groups,
    plan::{self, News, Plan},
    root,
    trouble::{Doing as _, Result, Trouble},
    users,
};

/// The most that is taken of a termination message, as the kubelet does.
const MESSAGE: u64 = 4096;

/// A container that runs.
pub(super) struct Running {
    pub(super) name: String,
    /// Readable once the container's main process has ended.
    pub(super) ended: OwnedFd,
    pid: Pid,
    message: PathBuf,
    /// Never written to: it ends with the container.
    _stdin: Option<PipeWriter>,
}

/// Makes a container and starts it.
pub(super) fn start(plan: &Plan, container: &plan::Container, groups: &Groups) -> Result<Running> {
    let folder = plan.inside().join("containers").join(&container.name);
    let message = message_file(plan, container)?;
    let rootfs = root::make(plan, container, &folder)?;
    let (passwd, group) = (users::read(&rootfs, "/etc/passwd"), users::read(&rootfs, "/etc/group"));
    let user = users::find(&container.user, &passwd, &group)?;
    let config = bundle::config(plan, container, &rootfs, &user, groups);
    let text = serde_json::to_vec(&config).doing("writing the container's configuration")?;
    fs::write(folder.join("config.json"), text).doing("writing the container's configuration")?;

    let (stdin, kept) = input(container.stdin)?;
    let log = output(&plan::output(&plan.folder, &container.name))?;
    let again = log.try_clone().doing("opening the log")?;
    let builder = ContainerBuilder::new(container.name.clone(), SyscallType::default())
        .with_root_path(plan.inside().join("state"))
        .doing("preparing the container")?
        .with_stdin(stdin)
        .with_stdout(OwnedFd::from(log))
        .with_stderr(OwnedFd::from(again))
        .as_init(&folder)
        .with_systemd(false);
    let made = groups.around(&container.name, || builder.build())?;
    let mut made = made.map_err(|error| Trouble::new(said(&error)))?;
    let pid = made.pid().and_then(|pid| Pid::from_raw(pid.as_raw()));
    let pid = pid.ok_or_else(|| Trouble::new("the container has no process"))?;
    let ended = pidfd_open(pid, PidfdFlags::empty()).doing("opening the container's process")?;
    let started = groups.hold(container, pid).and_then(|()| made.start().doing("starting the container"));
    if let Err(trouble) = started {
        // it waits for its start
        let _ = rustix::process::kill_process(pid, Signal::KILL);
        let _ = waitpid(Some(pid), WaitOptions::empty());
        return Err(trouble);
    }
    Ok(Running { name: container.name.clone(), ended, pid, message, _stdin: kept })
}

/// What libcontainer says of a container that cannot be made: the last cause is about the container.
pub(super) fn said(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

/// Standard input: one that stays open and silent, or none.
fn input(open: bool) -> Result<(OwnedFd, Option<PipeWriter>)> {
    if open {
        let (reader, writer) = std::io::pipe().doing("making a pipe")?;
        return Ok((OwnedFd::from(reader), Some(writer)));
    }
    Ok((OwnedFd::from(File::open("/dev/null").doing("opening `/dev/null`")?), None))
}

/// The named pipe that podline reads a container's output from. Opened for both ways, nobody who writes to it
/// is killed by SIGPIPE when podline is.
fn output(path: &Path) -> Result<File> {
    OpenOptions::new().read(true).write(true).open(path).doing("opening the log")
}

impl Running {
    pub(super) fn signal(&self, signal: Signal) {
        // one that has ended needs none
        let _ = rustix::process::kill_process(self.pid, signal);
    }

    /// Takes the container away once its main process has ended.
    pub(super) fn finish(mut self, groups: &Groups) -> News {
        let status = waitpid(Some(self.pid), WaitOptions::empty());
        let code = match status {
            Ok(Some((_, status))) => {
                status.exit_status().or_else(|| status.terminating_signal().map(|signal| 128 + signal))
            }
            _ => None,
        };
        // what it leaves goes with the pod
        let oom_kills = groups.oom_kills(&self.name);
        News::Ended {
            container: std::mem::take(&mut self.name),
            code: code.unwrap_or(255),
            oom_kills,
            message: message(&self.message),
        }
    }
}

/// Makes the file of a container's termination message, which any of its users may write.
fn message_file(plan: &Plan, container: &plan::Container) -> Result<PathBuf> {
    let path = plan::message(&plan.folder, &container.name);
    let made = fs::write(&path, "").and_then(|()| fs::set_permissions(&path, Permissions::from_mode(0o666)));
    made.doing(format_args!("making `{}`", path.display()))?;
    Ok(path)
}

fn message(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MESSAGE).read_to_end(&mut bytes).ok()?;
    (!bytes.is_empty()).then(|| String::from_utf8_lossy(&bytes).into_owned())
}
