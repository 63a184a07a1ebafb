//! The output of a container: drained into a file as it comes, read from there by as many as want to.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read as _, Seek as _, SeekFrom},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use futures::stream::{self, BoxStream, StreamExt as _};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::unix::pipe,
    sync::watch,
};

use crate::engine::{Error, embedded::sandbox::plan};

/// Bytes that are taken at once.
const CHUNK: usize = 64 << 10;

/// How much of a log there is.
#[derive(Debug, Clone, Copy, Default)]
struct Length {
    bytes: u64,
    is_whole: bool,
}

/// The log of a container.
#[derive(Debug)]
pub(in crate::engine::embedded) struct Log {
    path: PathBuf,
    length: watch::Sender<Length>,
    /// Keeps the pipe alive until the container has it.
    keeper: std::sync::Mutex<Option<File>>,
}

impl Log {
    /// Makes the pipe that a container's output goes to, and starts to drain it.
    pub(in crate::engine::embedded) fn start(
        folder: &Path,
        container: &str,
    ) -> io::Result<std::sync::Arc<Self>> {
        let pipe = plan::output(folder, container);
        // a job that is no root may open its standard output again
        mknodat(CWD, &pipe, FileType::Fifo, Mode::from_raw_mode(0o666), 0)?;
        rustix::fs::chmod(&pipe, Mode::from_raw_mode(0o666))?;
        let keeper = OpenOptions::new().read(true).write(true).open(&pipe)?;
        let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
        let reader = OpenOptions::new().read(true).custom_flags(nonblocking).open(&pipe)?;
        let log = std::sync::Arc::new(Self {
            path: pipe.with_extension("log"),
            length: watch::Sender::new(Length::default()),
            keeper: std::sync::Mutex::new(Some(keeper)),
        });
        let file = File::create(&log.path)?;
        tokio::spawn(drain(pipe::Receiver::from_file(reader)?, file.into(), std::sync::Arc::clone(&log)));
        Ok(log)
    }

    /// The container has its end of the pipe, or will never have it: the log ends with the container.
    pub(in crate::engine::embedded) fn release(&self) {
        self.keeper.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    }

    /// The log from its first byte to its last.
    pub(in crate::engine::embedded) fn follow(&self) -> BoxStream<'static, Result<Vec<u8>, Error>> {
        let opened = File::open(&self.path).map(|file| (file, 0, self.length.subscribe()));
        let broken = |cause: io::Error| Error::Failed {
            doing: "reading the log".to_owned(),
            cause: cause.to_string(),
        };
        match opened {
            Err(error) => stream::once(async move { Err(broken(error)) }).boxed(),
            Ok(state) => stream::try_unfold(state, move |(mut file, read, mut length)| async move {
                let Ok(there) =
                    length.wait_for(|length| length.bytes > read || length.is_whole).await.map(|it| *it)
                else {
                    return Ok(None);
                };
                if there.bytes <= read {
                    return Ok(None);
                }
                let count = usize::try_from(there.bytes - read).unwrap_or(CHUNK).min(CHUNK);
                let mut chunk = vec![0; count];
                file.seek(SeekFrom::Start(read)).and_then(|_| file.read_exact(&mut chunk)).map_err(broken)?;
                Ok(Some((chunk, (file, read + count as u64, length))))
            })
            .boxed(),
        }
    }
}

async fn drain(mut pipe: pipe::Receiver, mut file: tokio::fs::File, log: std::sync::Arc<Log>) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
        // a full disk loses output, and must not stop the job
        if file.write_all(&chunk[..count]).await.is_err() || file.flush().await.is_err() {
            continue;
        }
        log.length.send_modify(|length| length.bytes += count as u64);
    }
    log.length.send_modify(|length| length.is_whole = true);
}
