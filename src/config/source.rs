//! The texts a configuration was read from, and places in them.

use std::{ops::Range, sync::Arc};

/// Names one text of [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceId(u32);

/// A range of bytes in one text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The text.
    pub source: SourceId,
    /// First byte, counted from 0.
    pub start: u32,
    /// The byte after the last one.
    pub end: u32,
}

/// A value and where it was written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Spanned<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Joins a value with its place.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

impl<T> std::ops::Deref for Spanned<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// One text that a configuration was read from.
#[derive(Debug, Clone)]
pub struct Source {
    /// How the user knows it: a path relative to the project, a URL, `group/project:file`.
    pub name: String,
    /// The text, without a byte order mark.
    pub text: Arc<str>,
    /// Where lines begin, in bytes.
    lines: Arc<[usize]>,
}

/// A place as people and editors count it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The name of the source.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl std::fmt::Display for Location {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// All texts of one configuration.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    sources: Vec<Source>,
}

impl Sources {
    /// Adds a text; a byte order mark is dropped, as libyaml's marks do not count it.
    pub fn add(&mut self, name: impl Into<String>, text: &str) -> SourceId {
        let id = SourceId(u32::try_from(self.sources.len()).expect("fewer than 2^32 sources"));
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        self.sources.push(Source { name: name.into(), text: text.into(), lines });
        id
    }

    /// The text behind an id that [`Sources::add`] gave.
    pub fn get(&self, id: SourceId) -> &Source {
        &self.sources[id.0 as usize]
    }

    /// Line and column of the start of a span.
    pub fn locate(&self, span: Span) -> Location {
        let source = self.get(span.source);
        let at = (span.start as usize).min(source.text.len());
        let line = source.lines.partition_point(|start| *start <= at);
        Location {
            file: source.name.clone(),
            line,
            column: source.text[source.lines[line - 1]..at].chars().count() + 1,
        }
    }
}

impl Span {
    /// A span of `source` over a range of bytes.
    pub fn new(source: SourceId, range: Range<usize>) -> Self {
        let byte = |at: usize| u32::try_from(at).expect("a source is smaller than 4 GiB");
        Self { source, start: byte(range.start), end: byte(range.end) }
    }
}
