//! `podline run` in a real pseudo-terminal, made by util-linux' `script`.

#![expect(clippy::print_stderr, reason = "a test that cannot run says why")]

use std::{
    io::{Read as _, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use crate::support::{Project, Seen, cluster};

const HIDE_CURSOR: &str = "\u{1b}[?25l";
const SHOW_CURSOR: &str = "\u{1b}[?25h";
/// What the view is taken away with.
const CLEAR_BELOW: &str = "\u{1b}[J";

/// podline in a terminal of 80 columns and 24 lines; `None` where there is no cluster or no terminal.
fn terminal(project: &Project, arguments: &str) -> Option<Command> {
    let version = Command::new("script").arg("--version").output();
    if !version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("util-linux")) {
        eprintln!("skipped: util-linux' `script` is not installed");
        return None;
    }
    if !cluster::is_up() {
        return None;
    }
    let podline = env!("CARGO_BIN_EXE_podline");
    // what somebody waits for in vain ends the test, and not the patience of who runs it
    let podline = format!("timeout --foreground 120 '{podline}' {arguments}");
    let inner = format!("stty columns 80 rows 24; {podline}; code=$?; stty -a; exit $code");
    let mut command = Command::new("script");
    command
        .args(["--quiet", "--return", "--command", &inner, "/dev/null"])
        .current_dir(project.path())
        .env("TERM", "xterm-256color")
        .env("PAGER", "cat")
        .env("LC_ALL", "C.UTF-8")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env_remove("CI")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null());
    Some(command)
}

/// What it shows when nobody types.
fn in_a_terminal(project: &Project, arguments: &str) -> Option<Seen> {
    Some(Seen::of(&terminal(project, arguments)?.output().expect("script can be started")))
}

#[test]
fn the_live_view_comes_and_goes_and_the_table_stays() {
    let arguments = format!("run --cluster {} --color never", cluster::name());
    let Some(seen) = in_a_terminal(&Project::fixture("hello"), &arguments) else { return };
    let seen = seen.expect(0);
    let (before, view) = seen.stdout.split_once(HIDE_CURSOR).expect("the cursor is hidden for the view");
    assert_eq!(before.trim(), "");
    let (view, after) = view.split_once(SHOW_CURSOR).expect("the cursor comes back");
    assert!(!after.contains(HIDE_CURSOR), "{after}");

    assert!(view.contains("of 5 done"), "{view}");
    assert!(view.contains("▶ build") && view.contains("build:words"), "{view}");
    let left = view.rsplit(CLEAR_BELOW).next().expect("a split has a last part");
    assert!(!left.contains(" done"), "the view is gone at the end: {left:?}");

    assert!(after.contains("✔ pipeline succeeded"), "{after}");
    for job in ["build:words", "build:page", "test:sorted", "test:page", "package"] {
        assert!(after.lines().any(|line| line.contains(job) && line.contains("✔ success")), "{after}");
    }
    assert!(!after.contains('\u{1b}'), "nothing moves after the view: {after:?}");
}

/// Somebody at a terminal of 80 columns and 24 lines.
struct Typing {
    child: Child,
    keys: ChildStdin,
    screen: ChildStdout,
    seen: String,
}

impl Typing {
    fn start(project: &Project, arguments: &str) -> Option<Self> {
        let mut command = terminal(project, arguments)?;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("script can be started");
        let keys = child.stdin.take().expect("stdin is piped");
        let screen = child.stdout.take().expect("stdout is piped");
        Some(Self { child, keys, screen, seen: String::new() })
    }

    /// Waits until something is shown that was not before.
    fn until(&mut self, text: &str) {
        let mut bytes = [0; 4096];
        while !self.seen.contains(text) {
            let count = self.screen.read(&mut bytes).expect("the screen can be read");
            assert!(count > 0, "`{text}` was never shown: {}", self.seen);
            self.seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        let after = self.seen.find(text).expect("it is there") + text.len();
        self.seen.drain(..after);
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).expect("somebody reads the keys");
    }

    /// Waits for the end; gives the exit code.
    fn end(mut self) -> Option<i32> {
        drop(self.keys);
        let mut rest = Vec::new();
        self.screen.read_to_end(&mut rest).expect("the screen can be read");
        self.child.wait().expect("it ends").code()
    }
}

#[test]
fn a_shell_has_what_the_job_has_and_the_size_of_the_terminal() {
    let arguments = format!("shell unit --cluster {} --color never", cluster::name());
    let project = Project::fixture("failing");
    let Some(mut shell) = Typing::start(&project, &arguments) else { return };
    shell.until("`exit` leaves it");
    shell.until("unit:");
    shell.press("echo \"[$CI_JOB_NAME $PWD]\"; stty size\n");
    shell.until("[unit /builds/local/project]");
    shell.until("24 80");
    shell.press("exit\n");
    assert_eq!(shell.end(), Some(0));
}

#[test]
fn a_shell_opens_where_a_job_has_failed_and_the_run_goes_on_after_it() {
    let arguments = format!("run unit --shell-on-failure --cluster {} --color never", cluster::name());
    let project = Project::with(
        "unit:\n  image: busybox:1.36\n  script: ['echo left > behind', 'exit 3']\n  after_script: ['cat behind']\n",
    );
    let Some(mut shell) = Typing::start(&project, &arguments) else { return };
    shell.until("`unit` failed with exit code 3: a shell in its pod");
    shell.until("unit:");
    shell.press("cat behind; echo changed > behind; exit\n");
    shell.until("left");
    shell.until("pipeline failed");
    assert_eq!(shell.end(), Some(1));
    let log = project.podline(&["log", "unit"]).run().expect(0);
    assert!(log.stdout.contains("changed"), "after_script runs when they have left: {log}");
}

#[test]
fn a_run_that_is_blocked_waits_for_a_key_and_the_terminal_is_as_it_was() {
    let project = Project::with(
        "stages: [build, gate]\ndefault: { image: 'busybox:1.36' }\n\
         compile: { stage: build, script: echo compiled }\n\
         deploy: { stage: gate, when: manual, allow_failure: false, script: echo deployed }\n",
    );
    let arguments = format!("run --cluster {} --color never", cluster::name());
    let Some(mut run) = Typing::start(&project, &arguments) else { return };
    run.until("waiting for you to start deploy: p starts it, q ends the run");
    run.press("?");
    run.until("choose a job");
    run.press("p");
    run.until("pipeline succeeded");
    // stty tells how the terminal is after podline
    run.until(" icanon ");
    run.until(" echo ");
    assert_eq!(run.end(), Some(0));

    let mut run = Typing::start(&project, &arguments).expect("there is a terminal");
    run.until("waiting for you to start deploy");
    run.press("q");
    run.until("pipeline waits for a manual job");
    assert_eq!(run.end(), Some(4));
}

#[test]
fn a_key_shows_the_log_of_a_job_while_it_runs_and_another_cancels_it() {
    let project = Project::with(
        "slow: { image: 'busybox:1.36', script: ['echo the first line && sleep 600'], after_script: ['true'] }\n",
    );
    let arguments = format!("run --cluster {} --color never", cluster::name());
    let Some(mut run) = Typing::start(&project, &arguments) else { return };
    run.until("the first line");
    run.until("? keys");
    run.press("l");
    // the pager of this test is `cat`: it shows the log and goes
    run.until("Running with podline");
    run.press("c");
    run.until("pipeline canceled");
    assert_eq!(run.end(), Some(130));
}
