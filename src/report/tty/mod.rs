//! The user's own terminal: how it reads keys, and how it is given to something that runs elsewhere.

#[cfg(not(unix))]
mod elsewhere;
#[cfg(unix)]
mod unix;

use std::{
    io,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::mpsc,
};

use super::printer::Printer;
#[cfg(not(unix))]
pub(super) use elsewhere::{Resizes, Stops, Tty};
#[cfg(unix)]
pub(super) use unix::{Resizes, Stops, Tty};

/// How long a read of keys waits before it looks whether anybody still wants them.
const PATIENCE: Duration = Duration::from_millis(50);

/// How many pieces of what is typed may wait.
const TYPED: usize = 16;

/// What becomes of the keys that end or stop a program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signals {
    /// They do what they do elsewhere: Ctrl-C interrupts podline.
    Kept,
    /// They are keys like any other.
    Passed,
}

/// Something elsewhere that has a terminal of its own.
pub struct Session {
    /// What is typed.
    pub input: Box<dyn AsyncWrite + Send + Unpin>,
    /// What is shown.
    pub output: Box<dyn AsyncRead + Send + Unpin>,
    /// Takes every new size: columns and lines.
    pub sizes: mpsc::Sender<(u16, u16)>,
    /// Comes to its end with the session.
    pub ended: BoxFuture<'static, ()>,
}

/// Interrupts this process as Ctrl-C does.
pub(super) fn interrupt() {
    #[cfg(unix)]
    unix::interrupt();
}

/// Stops this process, as Ctrl-Z does, until it is continued.
pub(super) fn stop() {
    #[cfg(unix)]
    unix::stop();
}

/// Whether somebody sits at this process's terminal.
pub fn is_there() -> bool {
    Tty::take(Signals::Kept).is_some() && console::Term::stderr().is_term()
}

/// Gives the terminal to a session until that has ended.
///
/// # Errors
/// When there is no terminal.
pub async fn hand_over(printer: &Printer, session: Session) -> io::Result<()> {
    let Session { mut input, mut output, sizes, ended } = session;
    let tty = Tty::take(Signals::Passed).ok_or(io::ErrorKind::NotConnected)?;
    let (typing, mut typed) = mpsc::channel(TYPED);
    let is_over = Arc::new(AtomicBool::new(false));
    let reader = tokio::task::spawn_blocking({
        let is_over = Arc::clone(&is_over);
        move || read(tty, &typing, &is_over)
    });
    let mut resizes = Resizes::new()?;
    let mut ended = pin!(ended);
    let mut buffer = vec![0; 8192];
    let _ = sizes.send(size()).await;
    loop {
        tokio::select! {
            biased;
            count = output.read(&mut buffer) => match count {
                Ok(count) if count > 0 => printer.draw_bytes(&buffer[..count]),
                _ => break,
            },
            keys = typed.recv() => match keys {
                Some(keys) if input.write_all(&keys).await.is_ok() && input.flush().await.is_ok() => {}
                _ => break,
            },
            () = resizes.next() => {
                let _ = sizes.send(size()).await;
            }
            () = &mut ended => break,
        }
    }
    is_over.store(true, Ordering::Relaxed);
    drop(typed);
    // the terminal is as it was before anything else is drawn
    drop(reader.await);
    printer.draw("\r\n");
    Ok(())
}

/// Hands on what is typed until nobody wants it any more.
fn read(tty: Tty, typing: &mpsc::Sender<Vec<u8>>, is_over: &AtomicBool) {
    while !is_over.load(Ordering::Relaxed) {
        let Some(keys) = tty.read(PATIENCE) else { return };
        if !keys.is_empty() && typing.blocking_send(keys).is_err() {
            return;
        }
    }
}

/// Columns and lines.
fn size() -> (u16, u16) {
    let (lines, columns) = console::Term::stderr().size();
    (columns, lines)
}
