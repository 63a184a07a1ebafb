//! What the host of pods does as root: it translates the addresses of their networks.

use std::{
    fs::{self, File},
    path::Path,
    process::Stdio,
    sync::atomic::{AtomicU16, Ordering},
};

use tokio::process::Command;

use crate::engine::embedded::sandbox::NET;

/// Says whose rules they are.
const COMMENT: &str = "podline";

/// The rules of the host for pods, and their numbers.
#[derive(Debug)]
pub(in crate::engine::embedded) struct Nat {
    next: AtomicU16,
    /// Shared by all runs that use the rules; alone with who removes them.
    lock: File,
}

impl Nat {
    /// Makes the rules by which pods reach the outside.
    ///
    /// # Errors
    /// Why they cannot be made, in a few words.
    pub(super) async fn open(state: &Path) -> Result<Self, String> {
        let lock = File::create(state.join("network.lock")).map_err(|error| error.to_string())?;
        lock.lock_shared().map_err(|error| error.to_string())?;
        for rule in rules() {
            let there = command("iptables", &arguments(&rule, "-C")).await;
            if there.is_err() {
                command("iptables", &arguments(&rule, "-I")).await?;
            }
        }
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").map_err(|error| error.to_string())?;
        // runs side by side seldom ask for one that another has
        let first = std::process::id() as u16;
        Ok(Self { next: AtomicU16::new(first), lock })
    }

    /// The number of the next pod.
    pub(super) fn number(&self) -> u16 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// Removes the rules, unless another run uses them.
    pub(super) async fn close(&self) {
        if self.lock.unlock().is_err() || self.lock.try_lock().is_err() {
            return;
        }
        for rule in rules() {
            // one that somebody has removed need not be
            let _ = command("iptables", &arguments(&rule, "-D")).await;
        }
    }
}

/// Rules of iptables: table, chain, and what they say. Docker drops what is forwarded and not its own.
fn rules() -> [(&'static str, &'static str, Vec<&'static str>); 3] {
    let answers = ["-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"];
    [
        ("nat", "POSTROUTING", vec!["-s", NET, "!", "-d", NET, "-j", "MASQUERADE"]),
        ("filter", "FORWARD", vec!["-s", NET, "-j", "ACCEPT"]),
        ("filter", "FORWARD", [&["-d", NET], &answers[..], &["-j", "ACCEPT"]].concat()),
    ]
}

fn arguments<'a>(rule: &(&'a str, &'a str, Vec<&'a str>), action: &'a str) -> Vec<&'a str> {
    let (table, chain, says) = rule;
    let mut arguments = vec!["-w", "-t", table, action, chain, "-m", "comment", "--comment", COMMENT];
    arguments.extend(says);
    arguments
}

async fn command(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().await;
    let output = output.map_err(|error| format!("`{program}`: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(first_line(program, &output.stderr)) }
}

fn first_line(program: &str, stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    format!("`{program}`: {}", text.lines().next().unwrap_or("failed"))
}
