//! What the host of pods does as root: it translates the addresses of their networks.

use std::{
    fmt::Write as _,
    fs::{self, File},
    process::Stdio,
    sync::atomic::{AtomicU16, Ordering},
};

use tokio::{io::AsyncWriteExt as _, process::Command};

use crate::engine::embedded::sandbox::NET;

/// Says whose rules they are.
const COMMENT: &str = "podline";

/// The file that says whether the host forwards at all. Runs lock it: the rules are those of all runs in a network.
const FORWARD: &str = "/proc/sys/net/ipv4/ip_forward";

/// The rules of the host for pods, and their numbers.
#[derive(Debug)]
pub(in crate::engine::embedded) struct Nat {
    next: AtomicU16,
    /// Shared by all runs that use the rules; alone with who makes or removes them.
    lock: File,
}

impl Nat {
    /// Makes the rules by which pods reach the outside.
    ///
    /// # Errors
    /// Why they cannot be made, in a few words.
    pub(super) async fn open() -> Result<Self, String> {
        let lock =
            File::options().write(true).open(FORWARD).map_err(|error| format!("`{FORWARD}`: {error}"))?;
        if lock.try_lock().is_ok() {
            let saved = run("iptables-save", &[], "").await?;
            if let Some(changes) = changes(&saved) {
                change(&changes).await?;
            }
            fs::write(FORWARD, "1").map_err(|error| format!("`{FORWARD}`: {error}"))?;
        }
        // another run makes them just now, or has made them
        lock.lock_shared().map_err(|error| error.to_string())?;
        // runs side by side seldom ask for a number that another has
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
        // what cannot be removed is found by the next run
        let _ = change(&rules().map(|(table, rule)| (table, format!("-D {rule}")))).await;
        let _ = self.lock.unlock();
    }
}

/// The rules, each with its table. Docker drops what is forwarded and not its own.
fn rules() -> [(&'static str, String); 3] {
    let says = format!("-m comment --comment {COMMENT}");
    [
        ("nat", format!("POSTROUTING -s {NET} ! -d {NET} {says} -j MASQUERADE")),
        ("filter", format!("FORWARD -s {NET} {says} -j ACCEPT")),
        ("filter", format!("FORWARD -d {NET} -m conntrack --ctstate RELATED,ESTABLISHED {says} -j ACCEPT")),
    ]
}

/// What makes the rules out of what `iptables-save` says; none where they are all there. What a killed run has left
/// of them, and what lies behind rules that others have made since, goes first.
fn changes(saved: &str) -> Option<Vec<(&'static str, String)>> {
    let mut table = "";
    let mut left = Vec::new();
    for line in saved.lines() {
        match line.strip_prefix('*') {
            Some("nat") => table = "nat",
            Some("filter") => table = "filter",
            Some(_) => table = "",
            None => {}
        }
        let is_ours = line.split("--comment ").nth(1).is_some_and(|rest| {
            rest.split(' ').next().is_some_and(|comment| comment.trim_matches('"') == COMMENT)
        });
        if let Some(rule) = line.strip_prefix("-A ").filter(|_| is_ours && !table.is_empty()) {
            left.push((table, format!("-D {rule}")));
        }
    }
    if left.len() == rules().len() {
        return None;
    }
    left.extend(rules().map(|(table, rule)| (table, format!("-I {rule}"))));
    Some(left)
}

/// Changes rules, all of them or none.
async fn change(changes: &[(&str, String)]) -> Result<(), String> {
    let mut text = String::new();
    for table in ["nat", "filter"] {
        let _ = writeln!(text, "*{table}");
        for (_, change) in changes.iter().filter(|(of, _)| *of == table) {
            let _ = writeln!(text, "{change}");
        }
        text.push_str("COMMIT\n");
    }
    run("iptables-restore", &["--noflush", "--wait"], &text).await.map(drop)
}

async fn run(program: &str, arguments: &[&str], input: &str) -> Result<String, String> {
    let failed = |error: std::io::Error| format!("`{program}`: {error}");
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes()).await.map_err(failed)?;
    }
    let output = child.wait_with_output().await.map_err(failed)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{program}`: {}", said.lines().next().unwrap_or("failed")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAVED: &str = "*nat\n:POSTROUTING ACCEPT [0:0]\n\
         -A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE\n\
         -A POSTROUTING -s 10.214.0.0/16 ! -d 10.214.0.0/16 -m comment --comment podline -j MASQUERADE\nCOMMIT\n\
         *filter\n:FORWARD DROP [0:0]\n\
         -A FORWARD -d 10.214.0.0/16 -m conntrack --ctstate RELATED,ESTABLISHED -m comment --comment podline -j ACCEPT\n";

    #[test]
    fn rules_that_are_all_there_stay() {
        let all = format!(
            "{SAVED}-A FORWARD -s 10.214.0.0/16 -m comment --comment \"podline\" -j ACCEPT\nCOMMIT\n"
        );
        assert_eq!(changes(&all), None);
    }

    #[test]
    fn what_is_left_of_rules_goes_and_those_of_others_stay() {
        let said: Vec<_> = changes(SAVED).expect("one is missing").into_iter().map(|it| it.1).collect();
        assert_eq!(
            said,
            [
                "-D POSTROUTING -s 10.214.0.0/16 ! -d 10.214.0.0/16 -m comment --comment podline -j MASQUERADE",
                "-D FORWARD -d 10.214.0.0/16 -m conntrack --ctstate RELATED,ESTABLISHED -m comment --comment podline -j ACCEPT",
                "-I POSTROUTING -s 10.214.0.0/16 ! -d 10.214.0.0/16 -m comment --comment podline -j MASQUERADE",
                "-I FORWARD -s 10.214.0.0/16 -m comment --comment podline -j ACCEPT",
                "-I FORWARD -d 10.214.0.0/16 -m conntrack --ctstate RELATED,ESTABLISHED -m comment --comment podline -j ACCEPT",
            ]
        );
        assert_eq!(changes("").map(|all| all.len()), Some(3));
    }
}
