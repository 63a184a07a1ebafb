use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use futures::io::Cursor;
use futures::{AsyncRead, TryStreamExt};

use super::*;

/// A log file and what becomes of each stream of it.
struct Script {
    /// The lines in the order of the file, with their timestamps.
    file: Vec<&'static str>,
    streams: VecDeque<Stream>,
    opened: Arc<Mutex<Vec<Request>>>,
}

/// The second that a stream was to begin with, and whether it was to be followed.
type Request = (Option<i64>, bool);

/// One stream that is opened.
enum Stream {
    /// So many bytes from where it begins, then its end; the container does this meanwhile.
    Serves(usize, Phase),
    /// So many bytes, then the connection breaks.
    Breaks(usize),
    /// It cannot be opened.
    Refused,
    /// The container waits to start.
    NotYet,
}

impl Script {
    fn new(file: &[&'static str], streams: impl IntoIterator<Item = Stream>) -> Self {
        Self { file: file.to_vec(), streams: streams.into_iter().collect(), opened: Arc::default() }
    }

    /// What the API serves: the lines that are not older than a time.
    fn content(&self, since: Option<Timestamp>) -> Vec<u8> {
        let young = |line: &&&str| {
            let stamp: Option<Timestamp> = line.split(' ').next().and_then(|stamp| stamp.parse().ok());
            stamp.is_none_or(|stamp| since.is_none_or(|since| stamp >= since))
        };
        self.file.iter().filter(young).flat_map(|line| line.bytes()).collect()
    }
}

#[async_trait]
impl Source for Script {
    async fn phase(&mut self) -> Result<Phase, Error> {
        Ok(match self.streams.front() {
            Some(Stream::Serves(_, phase)) => *phase,
            Some(Stream::NotYet) => Phase::Starting,
            Some(_) => Phase::Running,
            None => Phase::Ended,
        })
    }

    async fn open(&mut self, since: Option<Timestamp>, follow: bool) -> Result<Opened, Error> {
        self.opened.lock().expect("one thread").push((since.map(Timestamp::as_second), follow));
        let content = self.content(since);
        let (length, breaks) = match self.streams.pop_front() {
            Some(Stream::Serves(length, _)) => (length, false),
            Some(Stream::Breaks(length)) => (length, true),
            Some(Stream::NotYet) => return Ok(Opened::NotYet),
            Some(Stream::Refused) => {
                return Err(Error::Disconnected { doing: "opening".to_owned(), cause: "refused".to_owned() });
            }
            None => (content.len(), false),
        };
        let content = content[..length.min(content.len())].to_vec();
        let reader: Box<dyn AsyncRead + Send + Unpin> =
            if breaks { Box::new(Broken(Cursor::new(content))) } else { Box::new(Cursor::new(content)) };
        Ok(Opened::Reader(Box::new(futures::io::BufReader::with_capacity(7, reader))))
    }

    async fn pause(&mut self, _: Duration) {}
}

/// A connection that breaks after its last byte.
struct Broken(Cursor<Vec<u8>>);

impl AsyncRead for Broken {
    fn poll_read(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
        buffer: &mut [u8],
    ) -> std::task::Poll<std::io::Result<usize>> {
        match std::task::ready!(std::pin::Pin::new(&mut self.0).poll_read(context, buffer)) {
            Ok(0) => std::task::Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into())),
            read => std::task::Poll::Ready(read),
        }
    }
}

async fn output(script: Script) -> Result<String, Error> {
    let all: Vec<Vec<u8>> = follow(script).try_collect().await?;
    Ok(String::from_utf8(all.concat()).expect("the scripts are text"))
}

const FILE: [&str; 6] = [
    "2026-01-01T00:00:01.1Z one\n",
    "2026-01-01T00:00:01.1Z two\n",
    "2026-01-01T00:00:02.5Z three\n",
    "2026-01-01T00:00:01.9Z late, from stderr\n",
    "2026-01-01T00:00:02.7Z\u{20}\n",
    "2026-01-01T00:00:03.0Z last",
];

const TEXT: &str = "one\ntwo\nthree\nlate, from stderr\n\nlast";

fn length() -> usize {
    FILE.concat().len()
}

#[tokio::test]
async fn a_log_comes_without_timestamps_and_with_a_last_line_that_has_no_end() {
    assert_eq!(output(Script::new(&FILE, [])).await.expect("a log"), TEXT);
}

#[tokio::test]
async fn wherever_a_stream_ends_no_line_comes_twice_and_none_is_lost() {
    for first in 0..=length() {
        for second in [0, 1, 30, 60] {
            let streams = [
                Stream::Breaks(first),
                Stream::Refused,
                Stream::Serves(second, Phase::Running),
                Stream::Breaks(second),
            ];
            let all = output(Script::new(&FILE, streams)).await.expect("a log");
            assert_eq!(all, TEXT, "after {first} and {second} bytes");
        }
    }
}

#[tokio::test]
async fn the_end_of_a_stream_means_nothing_while_the_container_runs() {
    let script = Script::new(&FILE, [Stream::Serves(60, Phase::Running), Stream::Serves(0, Phase::Running)]);
    let opened = Arc::clone(&script.opened);
    assert_eq!(output(script).await.expect("a log"), TEXT);
    let opened = opened.lock().expect("one thread").clone();
    // a second before the line that came last
    let second = Some(1_767_225_600);
    // the last look is for what came after the stream that was followed
    assert_eq!(opened, [(None, true), (second, true), (second, false)]);
}

#[tokio::test]
async fn a_container_that_has_ended_is_read_once() {
    let script = Script::new(&FILE, [Stream::Serves(usize::MAX, Phase::Ended)]);
    let opened = Arc::clone(&script.opened);
    assert_eq!(output(script).await.expect("a log"), TEXT);
    assert_eq!(*opened.lock().expect("one thread"), [(None, false)]);
}

#[tokio::test]
async fn a_log_may_be_asked_for_before_the_container_starts() {
    let streams = std::iter::repeat_with(|| Stream::NotYet).take(100);
    assert_eq!(output(Script::new(&FILE, streams)).await.expect("a log"), TEXT);
}

#[tokio::test]
async fn a_cluster_that_does_not_come_back_is_an_error() {
    let streams = std::iter::repeat_with(|| Stream::Refused).take(100);
    assert!(matches!(output(Script::new(&FILE, streams)).await, Err(Error::Disconnected { .. })));
}

#[tokio::test]
async fn a_line_too_long_to_keep_back_comes_once() {
    let long = format!("2026-01-01T00:00:02.0Z {}\n", "x".repeat(200_000));
    let file = [FILE[0], &*long.leak(), FILE[5]];
    for first in [100, 70_000, 140_000, 200_030] {
        let all = output(Script::new(&file, [Stream::Breaks(first)])).await.expect("a log");
        assert_eq!(all.len(), "one\n".len() + 200_001 + "last".len(), "after {first} bytes");
        assert!(all.starts_with("one\nxxx") && all.ends_with("xxx\nlast"));
    }
}
