//! What the user's interrupts ask for.

use std::{pin::pin, time::Duration};

use tokio::sync::mpsc;

use super::watch::Changes;

/// An interrupt, in the order they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli::command) enum Interrupt {
    /// End as GitLab's cancel would; a second one, end now.
    Cancel,
    /// End now.
    Kill,
}

/// Listens to Ctrl-C, SIGTERM, SIGHUP and SIGQUIT (Ctrl-\) from now on; the last ends a run at once. A closed
/// terminal counts as an interrupt too, and so does the end of a time limit. What has changed among the watched files makes the run worthless at once.
pub(in crate::cli::command) fn listen(
    limit: Option<Duration>,
    mut changes: Option<Changes>,
) -> std::io::Result<mpsc::Receiver<Interrupt>> {
    let (sender, receiver) = mpsc::channel(4);
    let mut signals = Signals::new()?;
    tokio::spawn(async move {
        let mut next = Interrupt::Cancel;
        let mut late = pin!(elapsed(limit));
        let mut is_late = false;
        loop {
            tokio::select! {
                interrupt = signals.next() => if interrupt == Interrupt::Kill {
                    next = interrupt;
                },
                () = &mut late, if !is_late => is_late = true,
                () = changed(&mut changes), if next == Interrupt::Cancel => next = Interrupt::Kill,
            }
            if sender.send(next).await.is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}

/// Comes to its end with the first change; where nothing is watched, never.
async fn changed(changes: &mut Option<Changes>) {
    if let Some(changes) = changes
        && changes.changed().await.is_ok()
    {
        return;
    }
    std::future::pending().await
}

/// Comes to its end with the limit; without one, never.
async fn elapsed(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
}

#[cfg(unix)]
struct Signals([tokio::signal::unix::Signal; 4]);

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
            signal(SignalKind::quit())?,
        ]))
    }

    async fn next(&mut self) -> Interrupt {
        let [interrupt, terminate, hangup, quit] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => Interrupt::Cancel,
            _ = terminate.recv() => Interrupt::Cancel,
            _ = hangup.recv() => Interrupt::Cancel,
            _ = quit.recv() => Interrupt::Kill,
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) -> Interrupt {
        // without a handler there is nothing to wait for
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Interrupt::Cancel
    }
}
