//! Lines of a log with timestamps, without those that an earlier stream brought already.

use jiff::Timestamp;

/// How much of a line is kept back until it is complete.
const LONGEST: usize = 64 * 1024;

/// Takes the bytes of one log stream after the other and gives each line once, without its timestamp.
///
/// A log file is only appended to, and the API serves the lines of it that are not older than a time, in
/// their order. So the lines to leave out of a new stream are exactly the first ones, as many as were given
/// since the time that it begins with. That is a second before the latest line: a line of the other output
/// may be written a moment later with an earlier timestamp.
#[derive(Debug, Default)]
pub(super) struct Resume {
    /// The latest second that a line was written in.
    second: Option<i64>,
    /// How many complete lines of that second were given.
    lines: u64,
    /// How many complete lines of the second before were given.
    earlier: u64,
    /// How many bytes were given of a line that is not complete.
    part: usize,
    /// The stream that is read.
    stream: Stream,
}

#[derive(Debug, Default)]
struct Stream {
    /// How many lines are still to be left out.
    skip: u64,
    /// Whether the next line is the first of a stream that begins somewhere in the log.
    resumed: bool,
    /// What came of the line that is not complete.
    pending: Vec<u8>,
    line: Option<Line>,
}

/// A line whose beginning was seen.
#[derive(Debug, Clone, Copy)]
enum Line {
    /// It was given before.
    Known,
    /// It is given; its second, where it has one, and how many of its next bytes were given before.
    New { second: Option<i64>, given: usize },
}

impl Resume {
    /// The time that the next stream has to begin with.
    pub(super) fn since(&self) -> Option<Timestamp> {
        self.second.and_then(|second| Timestamp::from_second(second - 1).ok())
    }

    /// A new stream begins, at [`Resume::since`].
    pub(super) fn restart(&mut self) {
        let skip = self.lines + self.earlier;
        self.stream = Stream { skip, resumed: self.second.is_some(), pending: Vec::new(), line: None };
    }

    /// The next bytes of the stream; gives what is new in them.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bytes.len());
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.stream.pending.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.give(&mut out);
                self.complete();
            } else if self.stream.pending.len() > LONGEST {
                self.give(&mut out);
            }
        }
        out
    }

    /// The log has ended; gives a last line that has no end.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if !self.stream.pending.is_empty() {
            self.give(&mut out);
        }
        out
    }

    /// Gives what is pending of a line.
    fn give(&mut self, out: &mut Vec<u8>) {
        let pending = std::mem::take(&mut self.stream.pending);
        let (line, text) = match self.stream.line {
            Some(line) => (line, pending.as_slice()),
            None => self.begin(&pending),
        };
        self.stream.line = Some(match line {
            Line::Known => Line::Known,
            Line::New { second, given } => {
                let known = given.min(text.len());
                out.extend_from_slice(&text[known..]);
                self.part += text.len() - known;
                Line::New { second, given: given - known }
            }
        });
    }

    fn begin<'a>(&mut self, pending: &'a [u8]) -> (Line, &'a [u8]) {
        let resumed = std::mem::take(&mut self.stream.resumed);
        let Some((second, text)) = stamp(pending) else {
            // the rest of a long line that began before the time we asked for, or the kubelet's own words
            let line = if resumed { Line::Known } else { Line::New { second: None, given: 0 } };
            return (line, pending);
        };
        if self.stream.skip > 0 {
            self.stream.skip -= 1;
            return (Line::Known, text);
        }
        let given = self.part;
        if self.second.is_none_or(|latest| second > latest) {
            self.earlier = if self.second == Some(second - 1) { self.lines } else { 0 };
            self.lines = 0;
            self.second = Some(second);
        }
        (Line::New { second: Some(second), given }, text)
    }

    fn complete(&mut self) {
        if let Some(Line::New { second, .. }) = self.stream.line.take() {
            self.part = 0;
            if let (Some(second), Some(latest)) = (second, self.second) {
                self.lines += u64::from(second == latest);
                self.earlier += u64::from(second == latest - 1);
            }
        }
    }
}

/// A line's timestamp in whole seconds, and its text.
fn stamp(line: &[u8]) -> Option<(i64, &[u8])> {
    // RFC 3339 with nanoseconds and an offset
    let space = line.iter().take(40).position(|byte| *byte == b' ')?;
    let stamp: Timestamp = std::str::from_utf8(&line[..space]).ok()?.parse().ok()?;
    Some((stamp.as_nanosecond().div_euclid(1_000_000_000).try_into().ok()?, &line[space + 1..]))
}
