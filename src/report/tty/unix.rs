//! A terminal of Unix.

use std::io::{self, IsTerminal as _};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Signal as Number, getpgrp, getpid, kill_process},
    termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr},
};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Signals;

/// Standard input while it gives every key at once and shows none. When this is dropped, at the end as well as
/// in a panic, the terminal is as it was.
#[derive(Debug)]
pub(in crate::report) struct Tty {
    before: Termios,
}

impl Tty {
    /// Takes the terminal; `None` where there is none, or another program has it.
    pub(in crate::report) fn take(signals: Signals) -> Option<Self> {
        let stdin = io::stdin();
        // a program in the background would be stopped
        let is_ours = stdin.is_terminal() && tcgetpgrp(&stdin).is_ok_and(|group| group == getpgrp());
        let before = is_ours.then(|| tcgetattr(&stdin).ok()).flatten()?;
        let mut keys = before.clone();
        match signals {
            Signals::Kept => keys.local_modes -= LocalModes::ICANON | LocalModes::ECHO,
            Signals::Passed => keys.make_raw(),
        }
        keys.special_codes[SpecialCodeIndex::VMIN] = 0;
        keys.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(&stdin, OptionalActions::Now, &keys).ok()?;
        Some(Self { before })
    }

    /// What was typed since the last call, after waiting for it so long; `None` once nobody can type any more.
    pub(in crate::report) fn read(&self, wait: std::time::Duration) -> Option<Vec<u8>> {
        let stdin = io::stdin();
        let mut fds = [PollFd::new(&stdin, PollFlags::IN)];
        let wait = Timespec::try_from(wait).ok();
        if poll(&mut fds, wait.as_ref()).unwrap_or(0) == 0 {
            return Some(Vec::new());
        }
        let mut buffer = [0; 1024];
        match rustix::io::read(&stdin, &mut buffer) {
            Ok(0) => None,
            Ok(length) => Some(buffer[..length].to_vec()),
            Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Some(Vec::new()),
            Err(_) => None,
        }
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        // there is nobody to tell
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
    }
}

/// Tells that the terminal has another size.
pub(in crate::report) struct Resizes(Signal);

impl Resizes {
    pub(in crate::report) fn new() -> io::Result<Self> {
        Ok(Self(signal(SignalKind::window_change())?))
    }

    pub(in crate::report) async fn next(&mut self) {
        self.0.recv().await;
    }
}

/// Tells that somebody wants their shell back for a while: Ctrl-Z.
pub(in crate::report) struct Stops(Signal);

impl Stops {
    pub(in crate::report) fn new() -> io::Result<Self> {
        // what Linux and macOS call it; tokio has no name for it
        Ok(Self(signal(SignalKind::from_raw(Number::TSTP.as_raw()))?))
    }

    pub(in crate::report) async fn next(&mut self) {
        self.0.recv().await;
    }
}

/// Stops this process until it is continued.
pub(super) fn stop() {
    // nobody may forbid that to a process
    let _ = kill_process(getpid(), Number::STOP);
}

/// Interrupts this process as Ctrl-C does.
pub(super) fn interrupt() {
    // nobody may forbid that to a process
    let _ = kill_process(getpid(), Number::INT);
}
