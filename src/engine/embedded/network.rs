//! The way of pods to the outside: each has a network of its own, tied to the host's by a pair of interfaces,
//! and the host translates addresses. Both interfaces go with the pod's network.

use std::{
    fs::{self, File},
    net::Ipv4Addr,
    path::Path,
    process::Stdio,
    sync::atomic::{AtomicU16, Ordering},
};

use tokio::{io::AsyncWriteExt as _, process::Command};

use super::sandbox::plan::{Rights, Uplink};

/// The addresses of pods: four for each, of which two are used.
const NET: Ipv4Addr = Ipv4Addr::new(10, 214, 0, 0);
const NET_TEXT: &str = "10.214.0.0/16";

/// How many pods there are addresses for.
const PODS: u16 = 1 << 14;

/// Says whose rules they are.
const COMMENT: &str = "podline";

/// Ties pods to the host's network.
#[derive(Debug)]
pub(super) struct Network {
    next: AtomicU16,
    /// Shared by all runs that use the rules; alone with who removes them.
    lock: File,
}

impl Network {
    /// Makes the rules by which pods reach the outside, where this user may.
    ///
    /// # Errors
    /// Why pods must share the host's network instead, in a few words.
    pub(super) async fn open(rights: &Rights, state: &Path) -> Result<Self, String> {
        if *rights != Rights::Root {
            return Err("only root can make interfaces".to_owned());
        }
        let lock = File::create(state.join("network.lock")).map_err(|error| error.to_string())?;
        lock.lock_shared().map_err(|error| error.to_string())?;
        command("ip", &["-V"]).await?;
        for rule in rules() {
            let there = command("iptables", &arguments(&rule, "-C")).await;
            if there.is_err() {
                command("iptables", &arguments(&rule, "-I")).await?;
            }
        }
        fs::write("/proc/sys/net/ipv4/ip_forward", "1").map_err(|error| error.to_string())?;
        Ok(Self { next: AtomicU16::new(0), lock })
    }

    /// Ties the network of a process to the host's.
    pub(super) async fn connect(&self, pid: u32) -> Result<Uplink, String> {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= PODS {
                return Err("there are no more addresses for pods".to_owned());
            }
            let (uplink, host) = addresses(number);
            let batch = format!(
                "link add podline{number} type veth peer name eth0 netns {pid}\n\
                 addr add {host}/30 dev podline{number}\nlink set podline{number} up\n"
            );
            match ip(&batch).await {
                // another run has this one
                Err(said) if said.contains("File exists") => {}
                Err(said) => return Err(said),
                Ok(()) => return Ok(uplink),
            }
        }
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

/// The addresses of a pod and of the host's end, by the pod's number.
fn addresses(number: u16) -> (Uplink, Ipv4Addr) {
    let base = u32::from(NET) + u32::from(number) * 4;
    let (host, pod) = (Ipv4Addr::from(base + 1), Ipv4Addr::from(base + 2));
    (Uplink { address: format!("{pod}/30"), gateway: host.to_string() }, host)
}

/// Rules of iptables: table, chain, and what they say. Docker drops what is forwarded and not its own.
fn rules() -> [(&'static str, &'static str, Vec<&'static str>); 3] {
    let answers = ["-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"];
    [
        ("nat", "POSTROUTING", vec!["-s", NET_TEXT, "!", "-d", NET_TEXT, "-j", "MASQUERADE"]),
        ("filter", "FORWARD", vec!["-s", NET_TEXT, "-j", "ACCEPT"]),
        ("filter", "FORWARD", [&["-d", NET_TEXT], &answers[..], &["-j", "ACCEPT"]].concat()),
    ]
}

fn arguments<'a>(rule: &(&'a str, &'a str, Vec<&'a str>), action: &'a str) -> Vec<&'a str> {
    let (table, chain, says) = rule;
    let mut arguments = vec!["-w", "-t", table, action, chain, "-m", "comment", "--comment", COMMENT];
    arguments.extend(says);
    arguments
}

async fn ip(batch: &str) -> Result<(), String> {
    let spawned = Command::new("ip")
        .args(["-batch", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = spawned.map_err(|error| format!("`ip`: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(batch.as_bytes()).await.map_err(|error| format!("`ip`: {error}"))?;
    }
    let output = child.wait_with_output().await.map_err(|error| format!("`ip`: {error}"))?;
    if output.status.success() { Ok(()) } else { Err(first_line("ip", &output.stderr)) }
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

/// The name servers of pods: one that listens on the host's loopback only is not found from a pod's network.
pub(super) fn name_servers(own: &str, systemd: Option<String>) -> String {
    let is_local = own.lines().any(|line| {
        line.strip_prefix("nameserver").is_some_and(|address| address.trim().starts_with("127."))
    });
    if is_local && let Some(upstream) = systemd { upstream } else { own.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pod_has_four_addresses_of_its_own() {
        let seen = |number| {
            let (uplink, host) = addresses(number);
            format!("{} by {host}", uplink.address)
        };
        assert_eq!(seen(0), "10.214.0.2/30 by 10.214.0.1");
        assert_eq!(seen(1), "10.214.0.6/30 by 10.214.0.5");
        assert_eq!(seen(64), "10.214.1.2/30 by 10.214.1.1");
        assert_eq!(seen(PODS - 1), "10.214.255.254/30 by 10.214.255.253");
    }

    #[test]
    fn a_name_server_on_the_loopback_gives_way_to_the_one_behind_it() {
        let upstream = Some("nameserver 192.0.2.1\n".to_owned());
        assert_eq!(name_servers("nameserver 127.0.0.53\n", upstream.clone()), "nameserver 192.0.2.1\n");
        assert_eq!(name_servers("nameserver 192.0.2.7\n", upstream), "nameserver 192.0.2.7\n");
        assert_eq!(name_servers("nameserver 127.0.0.1\n", None), "nameserver 127.0.0.1\n");
    }
}
