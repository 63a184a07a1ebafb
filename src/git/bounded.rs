//! Git commands that may talk to a server, which may be slow, silent or hostile.

use std::{
    io::Read,
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use super::{Git, GitError};

/// What a git command may take.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// How long it may run.
    pub time: Duration,
    /// How much it may print, in bytes.
    pub output: u64,
    /// How big a file may be that it writes, in bytes.
    pub file: u64,
}

/// Most of what it says of an error that is read, in bytes.
const MESSAGE: u64 = 64 << 10;

impl Git {
    /// What a git command prints that stays within bounds. It asks nobody for a password: the user's own
    /// credential helpers and keys answer, or it fails. `settings` are git's configuration for this command
    /// alone; they stand neither in its arguments nor on disk.
    ///
    /// # Errors
    /// When git is missing, fails, or passes a bound.
    pub fn within(
        &self,
        bounds: Bounds,
        settings: &[(&str, &str)],
        arguments: &[&str],
    ) -> Result<Vec<u8>, GitError> {
        let mut command = self.limited(bounds, settings, arguments);
        let mut child = command.spawn().map_err(GitError::Missing)?;
        let ended = read(&mut child, bounds);
        if ended.is_err() {
            stop(&child);
        }
        let status = child.wait().map_err(GitError::Missing)?;
        let words = || arguments.join(" ");
        let (output, message) = ended.map_err(|passed| match passed {
            Passed::Time => GitError::TimedOut { command: words(), time: bounds.time },
            Passed::Output => GitError::TooMuch { command: words(), bytes: bounds.output },
        })?;
        if status.success() {
            return Ok(output);
        }
        let message = String::from_utf8_lossy(&message).trim().to_owned();
        Err(GitError::Failed { command: words(), message })
    }

    /// The command in a process group of its own, so that what git starts (`git-remote-https`, `ssh`) can be
    /// stopped with it: it outlives git otherwise. A shell sets the bound on files.
    fn limited(&self, bounds: Bounds, settings: &[(&str, &str)], arguments: &[&str]) -> Command {
        const BLOCK: u64 = 512;
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -f \"$0\" 2>/dev/null; exec git \"$@\""]);
        command.arg((bounds.file / BLOCK).to_string()).args(arguments);
        self.surround(&mut command);
        command.env("GIT_TERMINAL_PROMPT", "0").env("GCM_INTERACTIVE", "never");
        command.env("GIT_HTTP_LOW_SPEED_LIMIT", "1");
        command.env("GIT_HTTP_LOW_SPEED_TIME", bounds.time.as_secs().max(1).to_string());
        if !self.has_own_ssh() {
            command.env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes");
        }
        command.env("GIT_CONFIG_COUNT", settings.len().to_string());
        for (at, (key, value)) in settings.iter().enumerate() {
            command.env(format!("GIT_CONFIG_KEY_{at}"), key).env(format!("GIT_CONFIG_VALUE_{at}"), value);
        }
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        command
    }

    /// Whether the user says how ssh is started; else it must be told to ask nothing.
    fn has_own_ssh(&self) -> bool {
        ["GIT_SSH_COMMAND", "GIT_SSH"].iter().any(|name| std::env::var_os(name).is_some())
            || self.run(&["config", "--get", "core.sshCommand"]).is_ok()
    }
}

enum Passed {
    Time,
    Output,
}

/// Reads what a command prints until it ends: its output and its messages.
fn read(child: &mut Child, bounds: Bounds) -> Result<(Vec<u8>, Vec<u8>), Passed> {
    let end = Instant::now() + bounds.time;
    let (sender, receiver) = mpsc::channel();
    collect(child.stdout.take(), bounds.output + 1, true, sender.clone());
    collect(child.stderr.take(), MESSAGE, false, sender);
    let (mut output, mut message) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let left = end.saturating_duration_since(Instant::now());
        match receiver.recv_timeout(left) {
            Ok((true, bytes)) if bytes.len() as u64 > bounds.output => return Err(Passed::Output),
            Ok((true, bytes)) => output = bytes,
            Ok((false, bytes)) => message = bytes,
            Err(_) => return Err(Passed::Time),
        }
    }
    Ok((output, message))
}

/// Reads a pipe to its end on a thread, up to so many bytes.
fn collect<P: Read + Send + 'static>(
    pipe: Option<P>,
    most: u64,
    is_output: bool,
    sender: mpsc::Sender<(bool, Vec<u8>)>,
) {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            // what came before an error is all there is; the exit code tells the rest
            drop(pipe.take(most).read_to_end(&mut bytes));
        }
        drop(sender.send((is_output, bytes)));
    });
}

fn stop(child: &Child) {
    let group = rustix::process::Pid::from_child(child);
    // it may have ended just now, and then there is nothing to stop
    let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::git::tests::repository;

    const BOUNDS: Bounds = Bounds { time: Duration::from_secs(60), output: 1 << 20, file: 1 << 20 };

    #[test]
    fn a_command_prints_and_takes_settings_for_itself() {
        let (_folder, git) = repository();
        let printed = git.within(BOUNDS, &[("podline.test", "one two")], &["config", "podline.test"]);
        assert_eq!(printed.expect("it prints"), b"one two\n");
        let failed = git.within(BOUNDS, &[], &["rev-parse", "--verify", "gone"]).expect_err("there is none");
        assert!(failed.to_string().contains("Needed a single revision"), "{failed}");
    }

    #[test]
    fn a_server_that_never_answers_is_left_after_the_time() {
        let (_folder, git) = repository();
        let server = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}/p.git", server.local_addr().expect("it listens"));
        let bounds = Bounds { time: Duration::from_secs(1), ..BOUNDS };
        let error = git.within(bounds, &[("remote.origin.url", &address)], &["ls-remote", "origin"]);
        assert!(matches!(error, Err(GitError::TimedOut { .. })), "{error:?}");
        // it was stopped with everything that it started: the connection, if it came to one, has ended
        server.set_nonblocking(true).expect("a port that does not wait");
        if let Ok((mut connection, _)) = server.accept() {
            connection.read_to_end(&mut Vec::new()).expect("the other side is gone");
        }
    }

    #[test]
    fn a_command_that_prints_without_end_is_stopped() {
        let (_folder, git) = repository();
        let bounds = Bounds { output: 1000, ..BOUNDS };
        let error = git.within(bounds, &[], &["-c", "alias.on=!yes", "on"]);
        assert!(matches!(error, Err(GitError::TooMuch { bytes: 1000, .. })), "{error:?}");
    }
}
