//! A command in a container on a terminal, through the API server.

use futures::SinkExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{AttachParams, TerminalSize},
};
use tokio::sync::mpsc;

use super::errors::failed;
use crate::engine::{Error, Terminal};

/// Sizes that may wait: each makes the one before it void.
const SIZES: usize = 4;

/// Begins a command.
pub(super) async fn open(
    pods: &Api<Pod>,
    pod: &str,
    container: &str,
    command: &[String],
) -> Result<Terminal, Error> {
    let params = AttachParams::interactive_tty().container(container);
    let doing = format!("opening a shell in the pod `{pod}`");
    let mut process = pods.exec(pod, command, &params).await.map_err(|error| failed(&doing, error))?;
    let input = process.stdin().expect("stdin was asked for");
    let output = process.stdout().expect("stdout was asked for");
    let mut resize = process.terminal_size().expect("a terminal was asked for");
    let (sizes, mut changes) = mpsc::channel(SIZES);
    tokio::spawn(async move {
        while let Some((width, height)) = changes.recv().await {
            if resize.send(TerminalSize { height, width }).await.is_err() {
                return;
            }
        }
    });
    let ended = async move {
        // with the process the connection ends
        drop(process.join().await);
    };
    Ok(Terminal { input: Box::new(input), output: Box::new(output), sizes, ended: Box::pin(ended) })
}
