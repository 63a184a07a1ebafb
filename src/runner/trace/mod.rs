//! A job's trace: what its container prints, taken apart, masked, bounded and written down.
//!
//! ```text
//! chunks ─ marks ─► bytes ─ mask ─► bytes ─ limit ─► bytes ─ lines ─► TraceItem
//! ```

mod coverage;
pub mod mark;
pub mod section;
pub mod writer;

#[cfg(test)]
mod tests;

pub use mark::{EndMark, Ending, Mark};
pub use section::Section;
pub use writer::{TAIL, Trace};

use crate::mask::Mask;
pub use coverage::coverage;
use mark::Marks;

/// GitLab Runner's `output_limit`, unless set.
pub const OUTPUT_LIMIT: usize = 4 * 1024 * 1024;

/// A line without an end is handed on in pieces of this size: GitLab Runner's line buffer.
const LINE_LIMIT: usize = 16 * 1024;

/// A piece of a trace, in the order it was printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TraceItem {
    /// A line with its end; without, where a mark, the end of the output or a limit cuts it off.
    Line(Vec<u8>),
    /// The supervisor says where it is.
    Mark(Mark),
}

/// Takes the output of a build container apart, whatever the chunks it comes in.
#[derive(Debug)]
pub struct TraceParser {
    marks: Marks,
    mask: Mask,
    limit: usize,
    taken: usize,
    line: Vec<u8>,
}

impl TraceParser {
    /// A parser for marks with this nonce, which hides these values and takes so many bytes of output.
    pub fn new(nonce: &str, masked: impl IntoIterator<Item = String>, limit: usize) -> Self {
        Self { marks: Marks::new(nonce), mask: Mask::new(masked), limit, taken: 0, line: Vec::new() }
    }

    /// What is complete once this chunk has come.
    pub fn push(&mut self, chunk: &[u8]) -> Vec<TraceItem> {
        let mut items = Vec::new();
        for piece in self.marks.push(chunk) {
            match piece {
                mark::Piece::Output(bytes) => {
                    let bytes = self.mask.push(&bytes);
                    self.take(&bytes, &mut items);
                }
                mark::Piece::Mark(mark) => {
                    self.flush(&mut items);
                    items.push(TraceItem::Mark(mark));
                }
            }
        }
        items
    }

    /// A text with the values hidden, for what the runner itself has to say.
    pub fn masked(&self, text: &str) -> String {
        self.mask.text(text)
    }

    /// What is left when the output has ended.
    pub fn finish(&mut self) -> Vec<TraceItem> {
        let mut items = Vec::new();
        let rest = self.marks.finish();
        let bytes = self.mask.push(&rest);
        self.take(&bytes, &mut items);
        self.flush(&mut items);
        items
    }

    fn flush(&mut self, items: &mut Vec<TraceItem>) {
        let rest = self.mask.finish();
        self.take(&rest, items);
        if !self.line.is_empty() {
            items.push(TraceItem::Line(std::mem::take(&mut self.line)));
        }
    }

    fn take(&mut self, bytes: &[u8], items: &mut Vec<TraceItem>) {
        let room = self.limit - self.taken;
        let within = &bytes[..bytes.len().min(room)];
        self.taken += within.len();
        self.lines(within, items);
        if bytes.len() > room && room > 0 {
            let notice = format!(
                "\n\x1b[33;1mJob's log exceeded limit of {} bytes.\n\
                 Job execution will continue but no more output will be collected.\x1b[0;m\n",
                self.limit
            );
            self.lines(notice.as_bytes(), items);
        }
    }

    fn lines(&mut self, bytes: &[u8], items: &mut Vec<TraceItem>) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.line.len() >= LINE_LIMIT {
                items.push(TraceItem::Line(std::mem::take(&mut self.line)));
            }
        }
    }
}

/// A line as a terminal shows it in the end: valid text, without its end, of what carriage returns
/// overwrite only the last, without GitLab's section marks.
pub fn display(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let text = text.trim_end_matches(['\n', '\r']);
    let last = text.rsplit('\r').next().unwrap_or_default();
    last.trim_start_matches("\x1b[0K").to_owned()
}
