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

/// What a command prints last when it has succeeded. Its status does not say that all of its output has
/// arrived: under load, what the node still holds back when the command ends is dropped.
const END: &str = "\u{4}podline: whole\u{4}";

/// How often a listing is asked for whose end did not arrive.
const ATTEMPTS: u32 = 3;

/// Lists a folder, one pass for each kind of file: its letter, then its files, each ended by a zero byte.
/// `$1` is [`END`].
const LIST: &str = r#"cd "$0" || exit
for kind in f d l; do printf '%s\0' $kind; find . -type $kind -print0 || exit; done
printf 'o\0'; find . ! -type f ! -type d ! -type l -print0 && printf %s "$1""#;

/// Packs the files that its input names, each ended by a zero byte. Not every busybox has `tar -T`, and with
/// many names `xargs` starts `tar` more than once. `$1` is [`END`].
const PACK: &str = r#"cd "$0" && xargs -0 -r -s 120000 tar -c -f - --no-recursion && printf %s "$1""#;

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
        argv: argv(&["sh", "-c", LIST, folder, END]),
        doing: format!("listing `{folder}` in the pod `{pod}`"),
    };
    let mut attempt = 1;
    loop {
        let (output, mut pieces) = mpsc::channel(QUEUE);
        let exec = Exec::start(pods, command.clone()).await?;
        let mut listing = Vec::new();
        let (result, ()) = tokio::join!(exec.run(None, output), async {
            while let Some(piece) = pieces.recv().await {
                listing.extend(piece);
            }
        });
        match result.and_then(|()| whole(&listing, &command.doing).map(parse)) {
            Err(Error::Disconnected { .. }) if attempt < ATTEMPTS => attempt += 1,
            result => return result,
        }
    }
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
        argv: argv(&["sh", "-c", PACK, folder, END]),
        doing: format!("copying files out of the pod `{pod}`"),
    };
    let doing = command.doing.clone();
    let exec = Exec::start(pods, command).await?;
    let (output, pieces) = mpsc::channel(QUEUE);
    let task = tokio::spawn(exec.run(Some(Box::new(Cursor::new(names))), output));
    let task = Some(AbortOnDropHandle::new(task));
    Ok(Box::new(StreamReader::new(Output { pieces, task, tail: Vec::new(), doing })))
}

/// What a command prints up to its [`END`], or the error that it ended with.
struct Output {
    pieces: mpsc::Receiver<Vec<u8>>,
    task: Option<AbortOnDropHandle<Result<(), Error>>>,
    /// The last bytes so far, which may be [`END`].
    tail: Vec<u8>,
    doing: String,
}

impl Stream for Output {
    type Item = std::io::Result<Cursor<Vec<u8>>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        while let Some(piece) = std::task::ready!(self.pieces.poll_recv(context)) {
            self.tail.extend(piece);
            let certain = self.tail.len().saturating_sub(END.len());
            if certain > 0 {
                let tail = self.tail.split_off(certain);
                let certain = std::mem::replace(&mut self.tail, tail);
                return Poll::Ready(Some(Ok(Cursor::new(certain))));
            }
        }
        let Some(task) = &mut self.task else {
            return Poll::Ready(None);
        };
        let ended = std::task::ready!(Pin::new(task).poll(context));
        self.task = None;
        Poll::Ready(
            match ended.map(|result| result.and_then(|()| whole(&self.tail, &self.doing).map(drop))) {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(Err(std::io::Error::other(error))),
                Err(error) => Some(Err(std::io::Error::other(error))),
            },
        )
    }
}

/// Output without the [`END`] that says that nothing of it is missing.
fn whole<'o>(output: &'o [u8], doing: &str) -> Result<&'o [u8], Error> {
    output.strip_suffix(END.as_bytes()).ok_or_else(|| Error::Disconnected {
        doing: doing.to_owned(),
        cause: "the end of the output is missing".to_owned(),
    })
}

fn argv(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    /// What is read of a command that prints these pieces and succeeds.
    async fn read(pieces: &[&str]) -> std::io::Result<String> {
        let (sender, receiver) = mpsc::channel(QUEUE);
        for piece in pieces {
            sender.send(piece.as_bytes().to_vec()).await.expect("there is room");
        }
        drop(sender);
        let task = Some(AbortOnDropHandle::new(tokio::spawn(async { Ok(()) })));
        let output = Output { pieces: receiver, task, tail: Vec::new(), doing: "copying".to_owned() };
        let mut text = String::new();
        StreamReader::new(output).read_to_string(&mut text).await?;
        Ok(text)
    }

    #[tokio::test]
    async fn output_whose_end_is_missing_is_a_lost_connection_whatever_the_status_says() {
        let (left, right) = END.split_at(4);
        for pieces in [
            &["some", " output", END][..],
            &["some outp", "ut", left, right],
            &[&format!("some output{END}")],
        ] {
            assert_eq!(read(pieces).await.expect("it is whole"), "some output");
        }
        assert_eq!(read(&[END]).await.expect("it is whole"), "");
        for pieces in [&["some", " output"][..], &["some output", left], &[]] {
            let error = read(pieces).await.expect_err("the end is missing");
            assert_eq!(
                error.to_string(),
                "lost the connection while copying: the end of the output is missing"
            );
        }
    }

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
