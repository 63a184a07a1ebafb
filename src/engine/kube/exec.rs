//! Runs a command in a container to carry files, and knows for certain how it ended.
//!
//! Never for a job's script: a connection that breaks looks like success, or hangs. What is done about it:
//! all handles are taken at once, both outputs are drained at any time, the input is shut down and not just
//! dropped, and only the status decides. Without a status the connection was lost.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::sleep;

use super::errors::failed;
use crate::engine::{Archive, Error};

/// kube's default is 1 KiB, with which archives crawl.
const BUFFER: usize = 256 * 1024;

/// How long nothing at all may move before the connection counts as lost.
const STALL: Duration = Duration::from_secs(120);

/// How much of a command's errors is kept.
const WORDS: usize = 4096;

/// How often a connection is tried to be made. Nothing has happened in the container before it is there.
const ATTEMPTS: u32 = 4;

/// A command in a container.
#[derive(Debug, Clone)]
pub(super) struct Command {
    /// The pod.
    pub(super) pod: String,
    /// The container.
    pub(super) container: String,
    /// The program and its arguments.
    pub(super) argv: Vec<String>,
    /// What is being done, for messages.
    pub(super) doing: String,
}

/// A command that has begun.
pub(super) struct Exec {
    process: AttachedProcess,
    doing: String,
}

impl Exec {
    /// Begins a command.
    pub(super) async fn start(pods: &Api<Pod>, command: Command) -> Result<Self, Error> {
        let params = AttachParams {
            container: Some(command.container),
            stdin: true,
            stdout: true,
            stderr: true,
            tty: false,
            max_stdin_buf_size: Some(BUFFER),
            max_stdout_buf_size: Some(BUFFER),
            max_stderr_buf_size: Some(BUFFER),
        };
        let mut attempt = 1;
        loop {
            match pods.exec(&command.pod, &command.argv, &params).await {
                Ok(process) => return Ok(Self { process, doing: command.doing }),
                Err(error) => match failed(&command.doing, error) {
                    Error::Disconnected { .. } if attempt < ATTEMPTS => {
                        sleep(Duration::from_millis(100) * attempt).await;
                        attempt += 1;
                    }
                    error => return Err(error),
                },
            }
        }
    }

    /// Feeds the command, hands on its output, and says how it ended. Dropping the future ends the
    /// connection, not the command.
    pub(super) async fn run(
        mut self,
        input: Option<Archive>,
        output: mpsc::Sender<Vec<u8>>,
    ) -> Result<(), Error> {
        let broken =
            || Error::Disconnected { doing: self.doing.clone(), cause: "no status arrived".to_owned() };
        let stdin = self.process.stdin().expect("stdin was asked for");
        let stdout = self.process.stdout().expect("stdout was asked for");
        let stderr = self.process.stderr().expect("stderr was asked for");
        let status = self.process.take_status().expect("the status was not taken before");

        let moved = AtomicU64::new(0);
        let drained = async { tokio::join!(hand_on(stdout, output, &moved), keep(stderr, &moved)).1 };
        let fed = feed(stdin, input, &moved);
        tokio::pin!(drained, fed, status);
        let (mut words, mut is_fed) = (None, false);
        let status = loop {
            tokio::select! {
                status = &mut status => break status.ok_or_else(broken)?,
                result = &mut fed, if !is_fed => {
                    is_fed = true;
                    result.map_err(|error| Error::Failed { doing: self.doing.clone(), cause: error.to_string() })?;
                }
                all = &mut drained, if words.is_none() => words = Some(all),
                () = stall(&moved) => return Err(broken()),
            }
        };
        let words = match words {
            Some(words) => words,
            None => drained.await,
        };
        outcome(&self.doing, &status, &words)
    }
}

/// Writes the input. An error is one of reading it: that the command reads no more is for its status to say.
async fn feed(
    mut stdin: impl AsyncWrite + Unpin,
    input: Option<Archive>,
    moved: &AtomicU64,
) -> std::io::Result<()> {
    if let Some(mut input) = input {
        let mut buffer = vec![0; BUFFER / 4];
        loop {
            let length = input.read(&mut buffer).await?;
            if length == 0 || stdin.write_all(&buffer[..length]).await.is_err() {
                break;
            }
            moved.fetch_add(1, Ordering::Relaxed);
        }
    }
    // dropping it sends no end of file in newer versions of kube
    let _ = stdin.shutdown().await;
    Ok(())
}

/// Hands on output, and goes on reading when nobody wants it any more.
async fn hand_on(mut stdout: impl AsyncRead + Unpin, output: mpsc::Sender<Vec<u8>>, moved: &AtomicU64) {
    let mut buffer = vec![0; BUFFER / 4];
    while let Ok(length @ 1..) = stdout.read(&mut buffer).await {
        moved.fetch_add(1, Ordering::Relaxed);
        let _ = output.send(buffer[..length].to_vec()).await;
    }
}

/// Keeps the first of what a command complains about.
async fn keep(mut stderr: impl AsyncRead + Unpin, moved: &AtomicU64) -> Vec<u8> {
    let mut words = Vec::new();
    let mut buffer = vec![0; WORDS];
    while let Ok(length @ 1..) = stderr.read(&mut buffer).await {
        moved.fetch_add(1, Ordering::Relaxed);
        let room = WORDS.saturating_sub(words.len());
        words.extend_from_slice(&buffer[..length.min(room)]);
    }
    words
}

/// Ends when nothing has moved for a while.
async fn stall(moved: &AtomicU64) {
    loop {
        let before = moved.load(Ordering::Relaxed);
        sleep(STALL).await;
        if moved.load(Ordering::Relaxed) == before {
            return;
        }
    }
}

fn outcome(doing: &str, status: &Status, words: &[u8]) -> Result<(), Error> {
    if status.status.as_deref() == Some("Success") {
        return Ok(());
    }
    let words = String::from_utf8_lossy(words);
    let cause = match words.trim() {
        "" => status.message.clone().unwrap_or_else(|| "it gave no reason".to_owned()),
        words => words.to_owned(),
    };
    Err(Error::Failed { doing: doing.to_owned(), cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_failed_is_reported_in_its_own_words() {
        let status: Status = serde_json::from_value(serde_json::json!({
            "status": "Failure", "reason": "NonZeroExitCode",
            "message": "command terminated with non-zero exit code: exit status 1",
            "details": {"causes": [{"reason": "ExitCode", "message": "1"}]}
        }))
        .expect("a status");
        let error = outcome("copying files out", &status, b"tar: a: No such file or directory\n");
        assert_eq!(
            error.expect_err("failed").to_string(),
            "copying files out failed: tar: a: No such file or directory"
        );
        let silent = outcome("copying files out", &status, b"").expect_err("failed");
        assert!(silent.to_string().ends_with("exit status 1"), "{silent}");
    }

    #[tokio::test]
    async fn an_archive_that_cannot_be_read_is_no_success() {
        let input: Archive = Box::new(tokio_util::io::StreamReader::new(Broken));
        let (stdin, _container) = tokio::io::duplex(1024);
        assert!(feed(stdin, Some(input), &AtomicU64::new(0)).await.is_err());
    }

    /// A stream that fails at once.
    struct Broken;

    impl futures::Stream for Broken {
        type Item = std::io::Result<std::io::Cursor<Vec<u8>>>;

        fn poll_next(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            std::task::Poll::Ready(Some(Err(std::io::Error::other("the disk is gone"))))
        }
    }
}
