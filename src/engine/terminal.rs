//! A command in a container with a terminal of its own, for somebody who types.

use futures::future::BoxFuture;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
};

/// A command that runs on a terminal. Dropping it ends the connection.
pub struct Terminal {
    /// What is typed.
    pub input: Box<dyn AsyncWrite + Send + Unpin>,
    /// What is shown.
    pub output: Box<dyn AsyncRead + Send + Unpin>,
    /// Takes every new size: columns and lines.
    pub sizes: mpsc::Sender<(u16, u16)>,
    /// Comes to its end with the command.
    pub ended: BoxFuture<'static, ()>,
}
