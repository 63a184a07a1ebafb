//! The way of pods to the outside.

mod nat;

use std::path::{Path, PathBuf};

use super::{
    owner,
    sandbox::plan::{self, Rights},
};
use nat::Nat;

/// How pods reach the outside.
#[derive(Debug)]
pub(super) enum Network {
    /// From networks of their own, by the host's rules.
    Nat(Nat),
    /// From networks of their own, by `pasta`, which is here and needs no rights.
    Pasta(PathBuf),
    /// In the host's network, as nothing else can be had, in a few words why.
    Host(String),
}

impl Network {
    /// The best network that this user can give to pods.
    pub(super) async fn open(rights: &Rights) -> Self {
        if *rights == Rights::Root {
            return Nat::open().await.map_or_else(Self::Host, Self::Nat);
        }
        match owner::program("pasta") {
            Some(pasta) if Path::new("/dev/net/tun").exists() => Self::Pasta(pasta),
            Some(_) => Self::Host("there is no `/dev/net/tun` for `pasta`".to_owned()),
            None => Self::Host("without root, networks of their own need `pasta`".to_owned()),
        }
    }

    /// The network of the next pod.
    pub(super) fn of_next(&self) -> plan::Network {
        match self {
            Self::Nat(nat) => plan::Network::Pair { number: nat.number() },
            Self::Pasta(program) => plan::Network::Pasta { program: program.clone() },
            Self::Host(_) => plan::Network::Host,
        }
    }

    /// What the user should know of it.
    pub(super) fn warning(&self) -> Option<String> {
        let Self::Host(cause) = self else { return None };
        Some(format!(
            "pods share this machine's network ({cause}): two that listen on one port get in each other's way"
        ))
    }

    /// What pods find in `/etc/resolv.conf`, by the host's own and the one that systemd has behind it.
    pub(super) fn resolv(&self, own: String, systemd: Option<String>) -> String {
        match self {
            Self::Host(_) => own,
            Self::Nat(_) | Self::Pasta(_) => name_servers(&own, systemd),
        }
    }

    /// Takes back what was made for all pods.
    pub(super) async fn close(&self) {
        if let Self::Nat(nat) = self {
            nat.close().await;
        }
    }
}

/// The name servers of pods: one that listens on the host's loopback only is not found from a pod's network.
fn name_servers(own: &str, systemd: Option<String>) -> String {
    let is_local = own.lines().any(|line| {
        line.strip_prefix("nameserver").is_some_and(|address| address.trim().starts_with("127."))
    });
    if is_local && let Some(upstream) = systemd { upstream } else { own.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_server_on_the_loopback_gives_way_to_the_one_behind_it() {
        let upstream = Some("nameserver 192.0.2.1\n".to_owned());
        assert_eq!(name_servers("nameserver 127.0.0.53\n", upstream.clone()), "nameserver 192.0.2.1\n");
        assert_eq!(name_servers("nameserver 192.0.2.7\n", upstream), "nameserver 192.0.2.7\n");
        assert_eq!(name_servers("nameserver 127.0.0.1\n", None), "nameserver 127.0.0.1\n");
    }
}
