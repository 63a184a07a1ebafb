//! The output of a container, across broken connections.
//!
//! `follow` ends when the container ends, and as well when the API server or the kubelet restarts: the end of
//! the stream means nothing, the container's state decides. A new stream begins at the whole second of the
//! last line, since the API takes no finer time, so [`Resume`] counts what to leave out of it.

use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{AsyncBufRead, AsyncBufReadExt, StreamExt};
use jiff::Timestamp;

use super::resume::Resume;
use crate::engine::Error;

/// The first pause before a log is opened again.
const SHORT: Duration = Duration::from_millis(50);

/// The longest pause.
const LONG: Duration = Duration::from_secs(1);

/// How often in a row opening may fail before the log counts as lost: half a minute.
const FAILURES: u32 = 35;

/// What a container does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Its pod is on no node yet.
    Pending,
    /// The node prepares it.
    Starting,
    /// It runs, as far as is known.
    Running,
    /// It has ended.
    Ended,
    /// Its pod is gone.
    Gone,
}

/// A log that was opened.
pub(super) type Reader = Box<dyn AsyncBufRead + Send + Unpin>;

/// What opening a log gave.
pub(super) enum Opened {
    /// The log.
    Reader(Reader),
    /// The container waits to start.
    NotYet,
    /// There is no such pod any more.
    Gone,
}

/// Where a log comes from.
#[async_trait]
pub(super) trait Source: Send + 'static {
    /// What the container does now.
    async fn phase(&mut self) -> Result<Phase, Error>;

    /// Opens the log with timestamps, from a time on.
    async fn open(&mut self, since: Option<Timestamp>, follow: bool) -> Result<Opened, Error>;

    /// Waits for a time, or shorter when the container's state changes.
    async fn pause(&mut self, time: Duration);
}

/// The output of a container from its first byte to its last.
pub(super) fn follow(source: impl Source) -> BoxStream<'static, Result<Vec<u8>, Error>> {
    let follower =
        Follower { source, resume: Resume::default(), reader: None, last: false, pause: SHORT, failures: 0 };
    stream::try_unfold(follower, |mut follower| async move {
        let bytes = follower.next().await?;
        Ok(bytes.map(|bytes| (bytes, follower)))
    })
    .boxed()
}

struct Follower<S> {
    source: S,
    resume: Resume,
    reader: Option<Reader>,
    /// Whether the open stream has all there will ever be.
    last: bool,
    pause: Duration,
    failures: u32,
}

impl<S: Source> Follower<S> {
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Error> {
        loop {
            let Some(reader) = &mut self.reader else {
                if self.open().await? {
                    continue;
                }
                return Ok(None);
            };
            match reader.fill_buf().await {
                Ok([]) if self.last => {
                    self.reader = None;
                    let rest = self.resume.finish();
                    return Ok((!rest.is_empty()).then_some(rest));
                }
                Ok([]) => self.interrupted().await,
                Ok(bytes) => {
                    let (length, lines) = (bytes.len(), self.resume.take(bytes));
                    reader.consume_unpin(length);
                    self.failures = 0;
                    if !lines.is_empty() {
                        self.pause = SHORT;
                        return Ok(Some(lines));
                    }
                }
                Err(error) => {
                    self.failed(Error::Disconnected {
                        doing: "reading the log".to_owned(),
                        cause: error.to_string(),
                    })?;
                    self.interrupted().await;
                }
            }
        }
    }

    async fn interrupted(&mut self) {
        self.reader = None;
        if self.source.phase().await.is_ok_and(|phase| phase == Phase::Running) {
            self.wait().await;
        }
    }

    /// Opens the next stream. False when there is nothing more to read.
    async fn open(&mut self) -> Result<bool, Error> {
        let phase = self.source.phase().await?;
        if phase == Phase::Gone || self.last && self.failures == 0 {
            return Ok(false);
        }
        if phase == Phase::Pending {
            self.source.pause(LONG).await;
            return Ok(true);
        }
        let ended = phase == Phase::Ended;
        match self.source.open(self.resume.since(), !ended).await {
            Ok(Opened::Reader(reader)) => {
                self.resume.restart();
                self.reader = Some(reader);
                self.last = ended;
            }
            Ok(Opened::Gone) => return Ok(false),
            Ok(Opened::NotYet) if ended => return Ok(false),
            Ok(Opened::NotYet) => self.wait().await,
            Err(error @ Error::Disconnected { .. }) => {
                self.failed(error)?;
                self.wait().await;
            }
            Err(error) => return Err(error),
        }
        Ok(true)
    }

    fn failed(&mut self, error: Error) -> Result<(), Error> {
        self.failures += 1;
        if self.failures > FAILURES { Err(error) } else { Ok(()) }
    }

    async fn wait(&mut self) {
        self.source.pause(self.pause).await;
        self.pause = (self.pause * 5 / 4).min(LONG);
    }
}

#[cfg(test)]
mod tests;
