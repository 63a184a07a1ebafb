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
    /// Where blanks were added, by the bytes of the user's text.
    blanks: Vec<usize>,
}

impl Given {
    pub(super) fn of(text: &str) -> Self {
        let mut may_be_tags: Vec<usize> = commas_behind_tags(text).collect();
        may_be_tags.dedup();
        if may_be_tags.is_empty() {
            return Self::with(text, may_be_tags);
        }
        // A blank in a text or a comment does not change what begins where, so the parser tells them apart.
        let tried = Self::with(text, may_be_tags);
        let scalars = tried.scalars();
        let is_inside = |at: &usize| scalars.iter().any(|scalar| scalar.contains(at));
        let tags = tried.blanks.into_iter().filter(|at| !is_inside(at)).collect();
        Self::with(text, tags)
    }

    fn with(written: &str, blanks: Vec<usize>) -> Self {
        let mut text = String::with_capacity(written.len() + blanks.len() + 1);
        let mut from = 0;
        for &at in &blanks {
            text.push_str(&written[from..at]);
            text.push(' ');
            from = at;
        }
        text.push_str(&written[from..]);
        if !text.ends_with(['\n', '\r']) {
            text.push('\n');
        }
        Self { text, written: written.len(), blanks }
    }

    /// The byte of the user's text that a mark points at; its end for what lies behind.
    pub(super) fn byte(&self, mark: Mark) -> usize {
        self.written_at(index(mark))
    }

    fn written_at(&self, at: usize) -> usize {
        // the n-th blank stands n bytes further on than where it was added
        let before = self.blanks.iter().enumerate().take_while(|(n, blank)| **blank + n < at).count();
        at.saturating_sub(before).min(self.written)
    }

    /// Whether a mark lies behind the user's text.
    pub(super) fn is_behind(&self, mark: Mark) -> bool {
        index(mark) > self.written + self.blanks.len()
    }

    /// Where scalars stand, without tags and anchors, in bytes of the user's text.
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
                    let start = self.behind_properties(index(event.start_mark));
                    scalars.push(self.written_at(start)..self.byte(event.end_mark));
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

/// The commas of a text that follow what may be a tag. It may begin anywhere: behind a quote, too.
fn commas_behind_tags(text: &str) -> impl Iterator<Item = usize> {
    let ends_word = |character: char| character.is_whitespace() || ",[]{}".contains(character);
    text.match_indices('!').filter_map(move |(start, _)| {
        let rest = &text[start..];
        let end = match rest.starts_with("!<") {
            true => rest.find('>')? + 1,
            false => rest.find(ends_word)?,
        };
        rest[end..].starts_with(',').then_some(start + end)
    })
}
