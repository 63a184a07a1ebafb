//! A view makes room for somebody else who wants the terminal.

use futures::{FutureExt as _, future::BoxFuture};
use tokio::sync::{mpsc, oneshot};

/// In the hand of those who want the terminal.
#[derive(Debug, Clone)]
pub struct Curtain(mpsc::Sender<Ask>);

/// Where a view hears of them.
#[derive(Debug)]
pub struct Asks(mpsc::Receiver<Ask>);

/// Somebody wants the terminal.
#[derive(Debug)]
pub(super) struct Ask {
    granted: oneshot::Sender<()>,
    released: oneshot::Receiver<()>,
}

/// The terminal is free of the view as long as this lives.
#[derive(Debug)]
pub struct Granted(#[expect(dead_code, reason = "its end is what is heard")] oneshot::Sender<()>);

/// A curtain, and where the view hears of it.
pub fn curtain() -> (Curtain, Asks) {
    let (sender, receiver) = mpsc::channel(1);
    (Curtain(sender), Asks(receiver))
}

impl Curtain {
    /// Waits until the view has left the terminal; `None` when there is no view any more.
    pub async fn fall(&self) -> Option<Granted> {
        let (granted, is_granted) = oneshot::channel();
        let (release, released) = oneshot::channel();
        self.0.send(Ask { granted, released }).await.ok()?;
        is_granted.await.ok()?;
        Some(Granted(release))
    }
}

impl Asks {
    /// The next one who wants the terminal; never, when nobody can any more.
    pub(super) async fn next(&mut self) -> Ask {
        match self.0.recv().await {
            Some(ask) => ask,
            None => std::future::pending().await,
        }
    }
}

impl Ask {
    /// Leaves the terminal to who asked. What is given ends when they do not need it any more.
    pub(super) fn grant(self) -> BoxFuture<'static, ()> {
        // who asked may be gone: then the rest ends at once
        let _ = self.granted.send(());
        let released = self.released;
        // its end is what says it
        async move { drop(released.await) }.boxed()
    }
}
