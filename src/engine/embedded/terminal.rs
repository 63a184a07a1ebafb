//! Terminals in sandboxes, for those who type.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, IoSliceMut},
    mem::MaybeUninit,
    os::fd::{AsRawFd as _, OwnedFd},
    path::Path,
    sync::{Mutex, PoisonError},
};

use rustix::{
    net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg},
    termios::{Winsize, tcsetwinsize},
};
use tokio::{
    io::Interest,
    net::{UnixListener, UnixStream, unix::pipe},
    sync::{mpsc, oneshot},
};

use super::sandbox::plan::{Order, TerminalOrder};
use crate::engine::Terminal;

/// Where sockets lie on which terminals come, in a pod's folder.
const FOLDER: &str = "terminals";

/// Sizes that may wait: each makes the one before it void.
const SIZES: usize = 4;

/// The terminals of a pod.
#[derive(Debug, Default)]
pub(super) struct Terminals {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    last: u32,
    /// Who hears that a command has ended, or why it has not begun.
    closed: HashMap<u32, oneshot::Sender<Option<String>>>,
}

impl Terminals {
    /// Has the sandbox of a pod, whose folder this is, run a command on a terminal.
    ///
    /// # Errors
    /// What the sandbox says of a command that cannot be started.
    pub(super) async fn open(
        &self,
        folder: &Path,
        container: &str,
        command: &[String],
        orders: &mpsc::UnboundedSender<Order>,
    ) -> io::Result<Terminal> {
        let (number, closed) = self.next();
        let socket = folder.join(FOLDER).join(number.to_string());
        let listener = listen(&socket)?;
        let (container, command) = (container.to_owned(), command.to_vec());
        let order = TerminalOrder { number, container, command, socket };
        let gone = || io::Error::other("the pod is gone");
        orders.send(Order::Terminal(order)).map_err(|_| gone())?;
        let mut closed = closed;
        let stream = tokio::select! {
            stream = listener.accept() => stream?.0,
            cause = &mut closed => {
                let cause = cause.ok().flatten();
                return Err(cause.map_or_else(gone, io::Error::other));
            }
        };
        let ended = async move { drop(closed.await) };
        terminal(receive(&stream).await?, ended)
    }

    fn next(&self) -> (u32, oneshot::Receiver<Option<String>>) {
        let (sender, receiver) = oneshot::channel();
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.last += 1;
        let number = open.last;
        open.closed.insert(number, sender);
        (number, receiver)
    }

    /// A command has ended, or could not be started, for this cause.
    pub(super) fn closed(&self, number: u32, cause: Option<String>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(closed) = open.closed.remove(&number) {
            // they may have left before
            let _ = closed.send(cause);
        }
    }
}

/// The path of a socket may have some hundred bytes only: this one is named by the folder that it is in.
fn listen(socket: &Path) -> io::Result<UnixListener> {
    let folder = socket.parent().unwrap_or(socket);
    fs::create_dir_all(folder)?;
    let folder = File::open(folder)?;
    let name = socket.file_name().unwrap_or_default();
    UnixListener::bind(Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name))
}

/// Takes a terminal from a socket.
async fn receive(stream: &UnixStream) -> io::Result<OwnedFd> {
    let take = || {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut name = [0; 64];
        recvmsg(stream, &mut [IoSliceMut::new(&mut name)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
        let sent = ancillary.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut sent) => sent.next(),
            _ => None,
        });
        sent.ok_or_else(|| io::Error::other("the sandbox has sent no terminal"))
    };
    stream.async_io(Interest::READABLE, take).await
}

/// The other side of a terminal. It is read and written as pipes are; reading it fails when nobody has the near
/// side open any more.
fn terminal(master: OwnedFd, ended: impl Future<Output = ()> + Send + 'static) -> io::Result<Terminal> {
    rustix::io::ioctl_fionbio(&master, true)?;
    let input = pipe::Sender::from_owned_fd_unchecked(master.try_clone()?)?;
    let output = pipe::Receiver::from_owned_fd_unchecked(master.try_clone()?)?;
    let (sizes, mut changes) = mpsc::channel(SIZES);
    tokio::spawn(async move {
        while let Some((columns, lines)) = changes.recv().await {
            let size = Winsize { ws_col: columns, ws_row: lines, ws_xpixel: 0, ws_ypixel: 0 };
            if tcsetwinsize(&master, size).is_err() {
                return;
            }
        }
    });
    Ok(Terminal { input: Box::new(input), output: Box::new(output), sizes, ended: Box::pin(ended) })
}
