//! Files in and out of a container, by its own `tar` and `find`.
//!
//! The commands are written for busybox, whose `find` has no `-printf`.

use std::io::Cursor;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::Stream;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;
use tokio_util::task::AbortOnDropHandle;

use super::exec::{Command, Exec};
use crate::engine::{Archive, Error, File, FileKind};

/// How many pieces of output wait for their reader.
const QUEUE: usize = 16;

/// Lists a folder, one pass for each kind of file: its letter, then its files, each ended by a zero byte.
const LIST: &str = r#"cd "$0" || exit
for kind in f d l; do printf '%s\0' $kind; find . -type $kind -print0 || exit; done
printf 'o\0'; exec find . ! -type f ! -type d ! -type l -print0"#;

/// Packs the files that its input names, each ended by a zero byte. Not every busybox has `tar -T`, and with
/// many names `xargs` starts `tar` more than once.
const PACK: &str = r#"cd "$0" && exec xargs -0 -r -s 120000 tar -c -f - --no-recursion"#;

/// Unpacks an archive at the root of a container.
pub(super) async fn copy_in(
    pods: &Api<Pod>,
    pod: &str,
    container: &str,
    archive: Archive,
) -> Result<(), Error> {
    let command = Command {
        pod: pod.to_owned(),
        container: container.to_owned(),
        argv: argv(&["tar", "-x", "-p", "-f", "-", "-C", "/"]),
        doing: format!("copying files into the pod `{pod}`"),
    };
    let (output, mut said) = mpsc::channel(QUEUE);
    let exec = Exec::start(pods, command).await?;
    let (result, ()) =
        tokio::join!(exec.run(Some(archive), output), async { while said.recv().await.is_some() {} });
    result
}

/// The files below a folder of a container.
pub(super) async fn list(
    pods: &Api<Pod>,
    pod: &str,
    container: &str,
    folder: &str,
) -> Result<Vec<File>, Error> {
    let command = Command {
        pod: pod.to_owned(),
        container: container.to_owned(),
        argv: argv(&["sh", "-c", LIST, folder]),
        doing: format!("listing `{folder}` in the pod `{pod}`"),
    };
    let (output, mut pieces) = mpsc::channel(QUEUE);
    let exec = Exec::start(pods, command).await?;
    let mut listing = Vec::new();
    let (result, ()) = tokio::join!(exec.run(None, output), async {
        while let Some(piece) = pieces.recv().await {
            listing.extend(piece);
        }
    });
    result.map(|()| parse(&listing))
}

fn parse(listing: &[u8]) -> Vec<File> {
    let mut kind = FileKind::Other;
    let mut files = Vec::new();
    for entry in listing.split(|byte| *byte == 0) {
        match entry {
            b"f" => kind = FileKind::Regular,
            b"d" => kind = FileKind::Directory,
            b"l" => kind = FileKind::Link,
            b"o" => kind = FileKind::Other,
            // the rest is the folder itself
            entry => files.extend(entry.strip_prefix(b"./").map(|path| file(path, kind))),
        }
    }
    files
}

fn file(path: &[u8], kind: FileKind) -> File {
    File { path: String::from_utf8_lossy(path).into_owned(), kind }
}

/// An archive of files in a folder of a container. Fails while it is read when the container's `tar` fails.
pub(super) async fn copy_out(
    pods: &Api<Pod>,
    pod: &str,
    container: &str,
    folder: &str,
    paths: &[String],
) -> Result<Archive, Error> {
    // the leading `./` keeps a name from being taken for an option
    let names: String = paths.iter().map(|path| format!("./{path}\0")).collect();
    let command = Command {
        pod: pod.to_owned(),
        container: container.to_owned(),
        argv: argv(&["sh", "-c", PACK, folder]),
        doing: format!("copying files out of the pod `{pod}`"),
    };
    let exec = Exec::start(pods, command).await?;
    let (output, pieces) = mpsc::channel(QUEUE);
    let task = tokio::spawn(exec.run(Some(Box::new(Cursor::new(names))), output));
    Ok(Box::new(StreamReader::new(Output { pieces, task: Some(AbortOnDropHandle::new(task)) })))
}

/// What a command prints, followed by the error that it ended with.
struct Output {
    pieces: mpsc::Receiver<Vec<u8>>,
    task: Option<AbortOnDropHandle<Result<(), Error>>>,
}

impl Stream for Output {
    type Item = std::io::Result<Cursor<Vec<u8>>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(piece) = std::task::ready!(self.pieces.poll_recv(context)) {
            return Poll::Ready(Some(Ok(Cursor::new(piece))));
        }
        let Some(task) = &mut self.task else {
            return Poll::Ready(None);
        };
        let ended = std::task::ready!(Pin::new(task).poll(context));
        self.task = None;
        Poll::Ready(match ended {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Err(std::io::Error::other(error))),
            Err(error) => Some(Err(std::io::Error::other(error))),
        })
    }
}

fn argv(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_tells_kinds_apart_and_leaves_the_folder_itself_out() {
        let files = parse(b"f\0./a b\0./with\nbreak\0./f\0d\0.\0./dir\0l\0./dir/link\0o\0./pipe\0");
        let found: Vec<_> = files.iter().map(|file| (file.path.as_str(), file.kind)).collect();
        assert_eq!(
            found,
            [
                ("a b", FileKind::Regular),
                ("with\nbreak", FileKind::Regular),
                ("f", FileKind::Regular),
                ("dir", FileKind::Directory),
                ("dir/link", FileKind::Link),
                ("pipe", FileKind::Other),
            ]
        );
    }
}
