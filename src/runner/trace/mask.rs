//! Hides the values of masked variables, across chunks and lines.

/// GitLab masks nothing shorter.
const SHORTEST: usize = 8;

const MASKED: &[u8] = b"[MASKED]";

/// Replaces values in a stream of bytes.
#[derive(Debug)]
pub(super) struct Mask {
    /// Longest first, so that no value leaves the end of a longer one behind.
    values: Vec<Vec<u8>>,
    /// Whether some value begins with this byte.
    begins: [bool; 256],
    /// What may be the beginning of a value.
    held: Vec<u8>,
}

impl Mask {
    pub(super) fn new(values: impl IntoIterator<Item = String>) -> Self {
        let mut values: Vec<Vec<u8>> = values
            .into_iter()
            // A program may print one line of a key without the others.
            .flat_map(|value| {
                let lines: Vec<_> = value.lines().map(|line| line.trim_end().to_owned()).collect();
                lines.into_iter().chain([value])
            })
            .filter(|value| value.len() >= SHORTEST)
            .map(String::into_bytes)
            .collect();
        values.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        values.dedup();
        let mut begins = [false; 256];
        for value in &values {
            begins[usize::from(value[0])] = true;
        }
        Self { values, begins, held: Vec::new() }
    }

    /// What can be shown once this chunk has come.
    pub(super) fn push(&mut self, chunk: &[u8]) -> Vec<u8> {
        if self.values.is_empty() {
            return chunk.to_vec();
        }
        self.held.extend_from_slice(chunk);
        let (shown, used) = self.replace(&self.held, false);
        self.held.drain(..used);
        shown
    }

    /// What is left when nothing more will come.
    pub(super) fn finish(&mut self) -> Vec<u8> {
        let held = std::mem::take(&mut self.held);
        self.whole(&held)
    }

    /// A text that is complete.
    pub(super) fn whole(&self, text: &[u8]) -> Vec<u8> {
        self.replace(text, true).0
    }

    /// What to show for a text, and how much of it that covers.
    fn replace(&self, text: &[u8], is_end: bool) -> (Vec<u8>, usize) {
        let mut shown = Vec::with_capacity(text.len());
        let mut at = 0;
        while let Some(first) = text.get(at) {
            let rest = &text[at..];
            let mut found = None;
            if self.begins[usize::from(*first)] {
                // A longer value that is not complete yet counts before a shorter one that is.
                found = self
                    .values
                    .iter()
                    .find(|value| rest.starts_with(value) || (!is_end && value.starts_with(rest)));
            }
            match found {
                Some(value) if rest.len() < value.len() => break,
                Some(value) => {
                    shown.extend_from_slice(MASKED);
                    at += value.len();
                }
                None => {
                    shown.push(*first);
                    at += 1;
                }
            }
        }
        (shown, at)
    }
}
