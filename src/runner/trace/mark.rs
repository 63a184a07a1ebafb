//! The supervisor's marks in the output of a build container.

/// What comes before the nonce of a mark.
const START: &[u8] = b"\x1epodline:";

/// No mark is longer.
const MARK_LIMIT: usize = 512;

/// Where the supervisor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// The helper container has run the hook before the sources; its exit code.
    Hook(i32),
    /// `script` begins.
    Script,
    /// `after_script` begins.
    AfterScript,
    /// A service did not answer on this port in time; the scripts do not run.
    Unhealthy(u16),
    /// Somebody may look into the pod: the exit code of the script, 0 where none has run.
    Look(i32),
    /// All is done.
    End(EndMark),
}

/// How a job's scripts ended, as the supervisor saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndMark {
    /// What ended the script.
    pub ending: Ending,
    /// Exit code of the script.
    pub code: i32,
    /// Exit code of `after_script`, 0 where there is none; absent when it ran out of time.
    pub after: Option<i32>,
    /// How many processes of the container were killed for lack of memory.
    pub oom_kills: u64,
    /// The most memory that the container held, in bytes; 0 where that is not known.
    pub peak: u64,
}

/// What ended a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// It ended by itself.
    Exited,
    /// Its time was up.
    Timeout,
    /// The container was told to end.
    Canceled,
}

impl EndMark {
    /// Reads the words after the nonce, or a container's termination message.
    pub fn parse(text: &str) -> Option<Self> {
        let words = text.trim_end().strip_prefix("end ")?;
        let field = |name: &str| words.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        Some(Self {
            ending: match field("status")? {
                "success" | "failed" => Ending::Exited,
                "timeout" => Ending::Timeout,
                "canceled" => Ending::Canceled,
                _ => return None,
            },
            code: field("code")?.parse().ok()?,
            after: field("after")?.parse().ok(),
            oom_kills: field("oom")?.parse().unwrap_or(0),
            peak: field("peak")?.parse().unwrap_or(0),
        })
    }
}

impl Mark {
    fn parse(text: &str) -> Option<Self> {
        match text.split(' ').next()? {
            "hook" => text.split_once("code=")?.1.trim_end().parse().ok().map(Self::Hook),
            "script" => Some(Self::Script),
            "after_script" => Some(Self::AfterScript),
            "unhealthy" => text.split_once("port=")?.1.trim_end().parse().ok().map(Self::Unhealthy),
            "look" => text.split_once("code=")?.1.trim_end().parse().ok().map(Self::Look),
            "end" => EndMark::parse(text).map(Self::End),
            _ => None,
        }
    }
}

/// Output, or a mark in it.
#[derive(Debug)]
pub(super) enum Piece {
    Output(Vec<u8>),
    Mark(Mark),
}

/// Finds marks in chunks of output.
#[derive(Debug)]
pub(super) struct Marks {
    start: Vec<u8>,
    held: Vec<u8>,
}

impl Marks {
    pub(super) fn new(nonce: &str) -> Self {
        Self { start: [START, nonce.as_bytes(), b" "].concat(), held: Vec::new() }
    }

    pub(super) fn push(&mut self, chunk: &[u8]) -> Vec<Piece> {
        self.held.extend_from_slice(chunk);
        let mut pieces = Vec::new();
        loop {
            let Some(at) = self.candidate() else {
                pieces.push(Piece::Output(std::mem::take(&mut self.held)));
                return pieces;
            };
            let rest = self.held.split_off(at);
            pieces.push(Piece::Output(std::mem::replace(&mut self.held, rest)));
            let Some(end) = self.held.iter().position(|byte| *byte == b'\n') else {
                if self.held.len() > MARK_LIMIT {
                    pieces.push(self.not_a_mark());
                    continue;
                }
                return pieces;
            };
            let text = self.held.get(self.start.len()..end).unwrap_or_default();
            match Mark::parse(&String::from_utf8_lossy(text)) {
                Some(mark) => {
                    self.held.drain(..=end);
                    pieces.push(Piece::Mark(mark));
                }
                None => pieces.push(self.not_a_mark()),
            }
        }
    }

    pub(super) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }

    /// Where the first thing that is, or may become, a mark begins.
    fn candidate(&self) -> Option<usize> {
        let mut from = 0;
        while let Some(found) = self.held[from..].iter().position(|byte| *byte == START[0]) {
            let at = from + found;
            let length = (self.held.len() - at).min(self.start.len());
            if self.held[at..at + length] == self.start[..length] {
                return Some(at);
            }
            from = at + 1;
        }
        None
    }

    fn not_a_mark(&mut self) -> Piece {
        let rest = self.held.split_off(1);
        Piece::Output(std::mem::replace(&mut self.held, rest))
    }
}
