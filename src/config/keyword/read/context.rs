//! What reading collects besides the values: mistakes, and keywords that are not acted on.

use std::collections::HashSet;

use crate::config::{
    diagnostic::{Diagnostic, Diagnostics},
    keyword::support::{self, Stance},
    source::{Span, Spanned},
};

/// What reading collects besides the values.
pub(super) struct Context<'d> {
    diagnostics: &'d mut Diagnostics,
    not_simulated: indexmap::IndexMap<&'static str, Span>,
    /// Whether an include could not be had, so that what is missing may be defined there.
    pub(super) incomplete: bool,
    /// Whether `stages` could not be read, so that no stage can be called unknown.
    pub(super) stages_unknown: bool,
    /// Texts that are known to be expressions: jobs that extend one base have the same rules.
    expressions: HashSet<String>,
}

impl<'d> Context<'d> {
    pub(super) fn new(diagnostics: &'d mut Diagnostics, incomplete: bool) -> Self {
        Self {
            diagnostics,
            not_simulated: indexmap::IndexMap::new(),
            incomplete,
            stages_unknown: false,
            expressions: HashSet::new(),
        }
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Whether a text was read as an expression before.
    pub(super) fn is_expression(&self, text: &str) -> bool {
        self.expressions.contains(text)
    }

    /// Remembers that a text is an expression.
    pub(super) fn note_expression(&mut self, text: &str) {
        self.expressions.insert(text.to_owned());
    }

    /// The candidate nearest to a mistyped word.
    pub(super) fn nearest<'c>(&mut self, word: &str, candidates: &[&'c str]) -> Option<&'c str> {
        self.diagnostics.nearest(word, candidates.iter().copied())
    }

    /// Names a keyword that was written where the table of support says that it is not acted on.
    pub(super) fn note(&mut self, path: &str, span: Span) {
        if let Some(entry) = support::find(path)
            && entry.stance == Stance::NotSimulated
        {
            self.not_simulated.entry(entry.keyword).or_insert(span);
        }
    }

    /// The keywords that were written and are not acted on, each with its first place.
    pub(super) fn not_simulated(self) -> Vec<Spanned<String>> {
        let named = self.not_simulated.into_iter();
        named.map(|(keyword, span)| Spanned::new(keyword.to_owned(), span)).collect()
    }
}
