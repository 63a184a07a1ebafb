//! The way of a pod to the outside without root: `pasta` takes what the pod sends from an interface, and sends it on
//! by sockets of its own, as any program of the user. It is in the pod's pid namespace and goes with that.

use std::{
    io::Write as _,
    path::Path,
    process::{Child, Command, Stdio},
};

use super::trouble::{Doing as _, Result, Trouble};

/// Waits until the pod's network is there, as a file: `pasta` has to be started outside of it. The pod's ports are its own, and
/// the host's loopback is not in its reach.
const RUN: &str =
    r#"read -r _ && exec "$0" --quiet --config-net --no-map-gw -t none -u none -T none -U none --netns "$1""#;

/// `pasta`, started and not yet at work.
pub(super) struct Pasta(Child);

impl Pasta {
    /// Starts it in the host's network. `network` will be that of the pod.
    pub(super) fn start(program: &Path, network: &Path) -> Result<Self> {
        let spawned = Command::new("/bin/sh")
            .args(["-c", RUN])
            .args([program, network])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn();
        spawned.map(Self).doing("starting `sh`")
    }

    /// Has it tie the pod's network, and waits until it has: from then on it is in the background.
    pub(super) fn tie(mut self) -> Result<()> {
        if let Some(mut stdin) = self.0.stdin.take() {
            stdin.write_all(b"\n").doing("telling `pasta`")?;
        }
        if self.0.wait().doing("waiting for `pasta`")?.success() {
            return Ok(());
        }
        Err(Trouble::new("`pasta` could not tie the pod's network to this machine's"))
    }
}
