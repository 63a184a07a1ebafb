//! A text as the parser can take it: libyaml-safer 0.3 panics where a block scalar ends without a line break,
//! and where a comma follows a tag at once, as in `[!reference, a]`.

use std::ops::Range;

use libyaml_safer::{EventData, Mark, Parser};

/// A text that is given to the parser instead of the one that the user wrote.
#[derive(Debug, Default)]
pub(super) struct Given {
    /// The text, with a line break at its end.
    pub(super) text: String,
    /// How long the user's text is.
    written: usize,
    /// The blanks that were added, by their bytes in `text`.
    blanks: Vec<usize>,
}

impl Given {
    pub(super) fn of(text: &str) -> Self {
        let may_be_tags = commas_behind_tags(text);
        if may_be_tags.is_empty() {
            return Self::with(text, may_be_tags);
        }
        // A blank in a text or a comment does not change what begins where, so the parser tells them apart.
        let scalars = Self::with(text, may_be_tags.clone()).scalars();
        let is_inside = |at: usize| {
            let begun = scalars.partition_point(|scalar| scalar.start <= at);
            scalars[..begun].last().is_some_and(|scalar| scalar.contains(&at))
        };
        Self::with(text, may_be_tags.into_iter().filter(|at| !is_inside(*at)).collect())
    }

    /// With a blank before each of some bytes.
    fn with(written: &str, mut bytes: Vec<usize>) -> Self {
        let mut text = String::with_capacity(written.len() + bytes.len() + 1);
        let mut from = 0;
        for at in &mut bytes {
            text.push_str(&written[from..*at]);
            from = *at;
            *at = text.len();
            text.push(' ');
        }
        text.push_str(&written[from..]);
        if !text.ends_with(['\n', '\r']) {
            text.push('\n');
        }
        Self { text, written: written.len(), blanks: bytes }
    }

    /// The byte of the user's text that a mark points at; its end for what lies behind.
    pub(super) fn byte(&self, mark: Mark) -> usize {
        self.written_at(index(mark))
    }

    fn written_at(&self, at: usize) -> usize {
        let before = self.blanks.partition_point(|blank| *blank < at);
        at.saturating_sub(before).min(self.written)
    }

    /// Whether a mark lies behind the user's text.
    pub(super) fn is_behind(&self, mark: Mark) -> bool {
        index(mark) > self.written + self.blanks.len()
    }

    /// Where scalars stand, without tags and anchors, in bytes of the user's text, one after the other.
    fn scalars(&self) -> Vec<Range<usize>> {
        let mut bytes = self.text.as_bytes();
        let mut parser = Parser::new();
        parser.set_encoding(libyaml_safer::Encoding::Utf8);
        parser.set_input_string(&mut bytes);
        let mut scalars = Vec::new();
        while let Ok(event) = parser.parse() {
            match event.data {
                EventData::StreamEnd => break,
                EventData::Scalar { .. } => {
                    let end = self.byte(event.end_mark);
                    let start = self.written_at(self.behind_properties(index(event.start_mark)));
                    // what follows an empty one is none of it
                    scalars.push(start.min(end)..end);
                }
                _ => {}
            }
        }
        scalars
    }

    /// Where a scalar's own text begins, which may have an anchor and a tag before it.
    fn behind_properties(&self, start: usize) -> usize {
        let mut rest = self.text.get(start..).unwrap_or_default();
        while rest.starts_with(['&', '!']) {
            let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
            rest = rest[word..].trim_start();
        }
        self.text.len() - rest.len()
    }
}

fn index(mark: Mark) -> usize {
    usize::try_from(mark.index).expect("a text in memory has an index in usize")
}

/// The commas of a text that follow what may be a tag, in their order. It may begin anywhere: behind a quote, too.
fn commas_behind_tags(text: &str) -> Vec<usize> {
    // Backwards, so that where each of many ends is known without a search.
    let (mut word_end, mut bracket_end) = (None, None);
    let mut commas = Vec::new();
    for (at, character) in text.char_indices().rev() {
        match character {
            '!' => {
                let end = if text[at..].starts_with("!<") { bracket_end } else { word_end };
                commas.extend(end.filter(|end| text[*end..].starts_with(',')));
            }
            '>' => bracket_end = Some(at + 1),
            ',' | '[' | ']' | '{' | '}' => word_end = Some(at),
            _ if character.is_whitespace() => word_end = Some(at),
            _ => {}
        }
    }
    commas.sort_unstable();
    commas.dedup();
    commas
}
