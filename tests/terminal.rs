//! `podline run` in a real pseudo-terminal, made by util-linux' `script`.

#![expect(clippy::print_stderr, reason = "a test that cannot run says why")]

use std::process::{Command, Stdio};

use crate::support::{Project, Seen, cluster};

const HIDE_CURSOR: &str = "\u{1b}[?25l";
const SHOW_CURSOR: &str = "\u{1b}[?25h";
/// What the view is taken away with.
const CLEAR_BELOW: &str = "\u{1b}[J";

/// Runs podline in a terminal of 80 columns and 24 lines; `None` where there is no cluster or no terminal.
fn in_a_terminal(project: &Project, arguments: &str) -> Option<Seen> {
    let version = Command::new("script").arg("--version").output();
    if !version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("util-linux")) {
        eprintln!("skipped: util-linux' `script` is not installed");
        return None;
    }
    if !cluster::is_up() {
        return None;
    }
    let podline = env!("CARGO_BIN_EXE_podline");
    let command = format!("stty columns 80 rows 24; exec '{podline}' {arguments}");
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .current_dir(project.path())
        .env("TERM", "xterm-256color")
        .env("LC_ALL", "C.UTF-8")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env_remove("CI")
        .env_remove("NO_COLOR")
        .stdin(Stdio::null())
        .output()
        .expect("script can be started");
    Some(Seen::of(&output))
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
