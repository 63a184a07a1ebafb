//! podline on a pseudo-terminal: what somebody sees there, and what they type.

use std::{
    io::{Read as _, Write as _},
    num::NonZeroU16,
    path::Path,
    process::Child,
    time::{Duration, Instant},
};

use pty_process::{
    Size,
    blocking::{Command, Pty, open},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, Signal, WaitOptions, kill_process, waitpid},
    termios::{LocalModes, tcgetattr},
};

use super::Project;

/// What somebody waits for in vain ends the test, and not the patience of who runs it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Lines that can be scrolled back to.
const SCROLLBACK: usize = 10_000;

/// A command about to be started on a terminal.
pub(crate) struct OnTerminal {
    command: Command,
    size: (u16, u16),
}

impl OnTerminal {
    /// podline in a project, in a terminal of 80 columns and 24 lines.
    pub(crate) fn podline<'a>(project: &Project, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        Self::program(Path::new(env!("CARGO_BIN_EXE_podline")), arguments).folder(&project.path())
    }

    /// Any program.
    pub(crate) fn program<'a>(program: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        let command = Command::new(program)
            .args(arguments)
            .env("TERM", "xterm-256color")
            .env("PAGER", "cat")
            .env("LC_ALL", "C.UTF-8")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env_remove("CI")
            .env_remove("NO_COLOR");
        Self { command, size: (80, 24) }
    }

    /// Sets the folder that it starts in.
    pub(crate) fn folder(self, folder: &Path) -> Self {
        Self { command: self.command.current_dir(folder), ..self }
    }

    /// Sets a variable of its environment.
    pub(crate) fn env(self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        Self { command: self.command.env(name, value), ..self }
    }

    /// Columns and lines of the terminal.
    pub(crate) fn size(self, columns: u16, lines: u16) -> Self {
        Self { size: (columns, lines), ..self }
    }

    /// Starts it.
    pub(crate) fn start(self) -> Terminal {
        let (columns, lines) = self.size;
        let (pty, pts) = open().expect("a terminal can be made");
        pty.resize(Size::new(lines, columns)).expect("a terminal has a size");
        let child = self.command.spawn(pts).expect("it can be started");
        let parser = vt100::Parser::new(count(lines), count(columns), SCROLLBACK);
        Terminal { child, pty, parser, raw: String::new() }
    }
}

fn count(number: u16) -> NonZeroU16 {
    NonZeroU16::new(number).expect("a terminal is not empty")
}

/// A terminal with somebody at it.
pub(crate) struct Terminal {
    child: Child,
    pty: Pty,
    parser: vt100::Parser,
    raw: String,
}

impl Terminal {
    /// Waits until the screen is as somebody expects it.
    pub(crate) fn until(&mut self, what: &str, seen: impl Fn(&vt100::Screen) -> bool) -> &mut Self {
        let end = Instant::now() + PATIENCE;
        while !seen(self.parser.screen()) {
            let is_open = self.take(end.saturating_duration_since(Instant::now()));
            assert!(
                is_open || seen(self.parser.screen()),
                "{what} was never seen; the screen:\n{}",
                self.screen()
            );
        }
        self
    }

    /// Waits until a text is on the screen.
    pub(crate) fn until_text(&mut self, text: &str) -> &mut Self {
        self.until(&format!("`{text}`"), |screen| screen.contents().contains(text))
    }

    /// Waits until a text was shown more often than so many times; false where the program has ended before.
    pub(crate) fn until_more_of(&mut self, text: &str, times: usize) -> bool {
        let end = Instant::now() + PATIENCE;
        while self.raw.matches(text).count() <= times {
            if !self.take(end.saturating_duration_since(Instant::now())) {
                return false;
            }
        }
        true
    }

    /// Takes what is shown next; whether there was something before the time was up.
    fn take(&mut self, wait: Duration) -> bool {
        let wait = Timespec::try_from(wait).expect("a time");
        let mut fds = [PollFd::new(&self.pty, PollFlags::IN)];
        if poll(&mut fds, Some(&wait)).unwrap_or(0) == 0 {
            return false;
        }
        let mut bytes = [0; 4096];
        // nobody has the terminal open any more: Linux calls that an error
        let Ok(length @ 1..) = self.pty.read(&mut bytes) else { return false };
        self.parser.process(&bytes[..length]);
        self.raw.push_str(&String::from_utf8_lossy(&bytes[..length]));
        true
    }

    /// Types.
    pub(crate) fn press(&mut self, keys: &str) -> &mut Self {
        self.pty.write_all(keys.as_bytes()).expect("a terminal takes keys");
        self
    }

    /// Gives the terminal another size.
    pub(crate) fn resize(&mut self, columns: u16, lines: u16) -> &mut Self {
        // the screen first: what podline draws for the new size is to be read with that
        self.parser.screen_mut().set_size(count(lines), count(columns));
        self.pty.resize(Size::new(lines, columns)).expect("a terminal has a size");
        self
    }

    /// Sends the program a signal.
    pub(crate) fn signal(&mut self, signal: Signal) -> &mut Self {
        kill_process(self.pid(), signal).expect("a process takes signals");
        self
    }

    /// What is on the screen, without the empty lines below.
    pub(crate) fn screen(&self) -> String {
        let screen = self.parser.screen();
        let width = screen.size().1.get();
        let lines: Vec<_> = screen.rows(0, width).map(|row| row.trim_end().to_owned()).collect();
        lines.join("\n").trim_end().to_owned()
    }

    /// Everything that the program wrote, as it wrote it.
    pub(crate) fn raw(&self) -> &str {
        &self.raw
    }

    /// Whether there is a cursor to be seen.
    pub(crate) fn has_cursor(&self) -> bool {
        !self.parser.screen().hide_cursor()
    }

    /// Whether the terminal edits lines and shows what is typed, as a shell leaves it to programs.
    pub(crate) fn is_cooked(&self) -> bool {
        let modes = tcgetattr(&self.pty).expect("a terminal has modes").local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    }

    /// Waits until the program is stopped, as by Ctrl-Z.
    pub(crate) fn until_stopped(&mut self) -> &mut Self {
        let status = waitpid(Some(self.pid()), WaitOptions::UNTRACED).expect("a process can be waited for");
        assert!(status.is_some_and(|(_, status)| status.stopped()), "it has ended: {}", self.screen());
        // what it has written before
        while self.take(Duration::ZERO) {}
        self
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed()).expect("a process has a number")
    }

    /// Waits for the end.
    pub(crate) fn end(&mut self) -> Ended {
        let end = Instant::now() + PATIENCE;
        while self.take(end.saturating_duration_since(Instant::now())) {}
        if Instant::now() >= end {
            let _ = self.child.kill();
        }
        let code = self.child.wait().expect("it ends").code();
        Ended { code, everything: self.everything() }
    }

    /// What can be seen by scrolling back.
    fn everything(&mut self) -> String {
        let screen = self.parser.screen_mut();
        let (height, width) = screen.size();
        screen.set_scrollback(usize::MAX);
        let mut lines: Vec<String> = Vec::new();
        let mut left = screen.scrollback();
        while left > 0 {
            screen.set_scrollback(left);
            let above = left.min(height.get().into());
            lines.extend(screen.rows(0, width.get()).take(above));
            left -= above;
        }
        screen.set_scrollback(0);
        lines.extend(screen.rows(0, width.get()));
        let lines: Vec<_> = lines.iter().map(|line| line.trim_end()).collect();
        lines.join("\n").trim_end().to_owned()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // a test that has failed leaves nothing behind
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is left of a program.
pub(crate) struct Ended {
    /// Its exit code.
    pub(crate) code: Option<i32>,
    /// All that can be seen by scrolling back.
    pub(crate) everything: String,
}

impl Ended {
    /// Fails with everything that was seen unless the exit code is this one.
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.everything);
        self
    }
}
