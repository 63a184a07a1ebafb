//! A value that knows the name which messages call it by, and what it can be read as.

use std::{ops::Range, rc::Rc};

use super::{context::Context, fields::Fields};
use crate::config::{
    diagnostic::Diagnostic,
    node::{Kind, Mapping, Node, Value as Scalar},
    source::{Span, Spanned},
};

/// From how many words on a message does not list them all.
const MANY: usize = 8;

/// A value with the name that messages call it by.
#[derive(Clone)]
pub(super) struct Value<'n> {
    pub(super) node: &'n Node,
    path: String,
    owner: Rc<str>,
}

impl<'n> Value<'n> {
    /// The value of `path` in `owner`: a phrase such as " of job `build`", empty at the top level.
    pub(super) fn new(node: &'n Node, path: impl Into<String>, owner: &Rc<str>) -> Self {
        Self { node, path: path.into(), owner: Rc::clone(owner) }
    }

    pub(super) fn span(&self) -> Span {
        self.node.span
    }

    /// A value below this one, under a name that the user chose.
    pub(super) fn below(&self, name: &str, node: &'n Node) -> Self {
        Self::new(node, format!("{}:{name}", self.path), &self.owner)
    }

    /// A mistake here: the keyword's name, then `rest`.
    pub(super) fn error(&self, code: &'static str, rest: impl std::fmt::Display) -> Diagnostic {
        Diagnostic::error(code, format!("`{}`{} {rest}", self.path, self.owner), self.node.span)
    }

    /// Reports that something else is expected here.
    pub(super) fn expected<T>(&self, what: &str, cx: &mut Context<'_>) -> Option<T> {
        if matches!(self.node.as_scalar().map(|scalar| &scalar.value), Some(Scalar::Refused(_))) {
            // The YAML reader has said what is wrong with it.
            return None;
        }
        let mut diagnostic =
            self.error("wrong-type", format_args!("should be {what}, not {}", describe(self.node)));
        if what.starts_with("a string")
            && let Kind::Scalar(scalar) = &self.node.kind
            && !matches!(scalar.value, Scalar::Null | Scalar::String)
        {
            diagnostic = diagnostic.help(format!("quote it: \"{}\"", scalar.text));
        }
        cx.report(diagnostic);
        None
    }

    pub(super) fn string(&self, cx: &mut Context<'_>) -> Option<Spanned<String>> {
        match self.node.as_str() {
            Some(text) => Some(Spanned::new(text.to_owned(), self.node.span)),
            None => self.expected("a string", cx),
        }
    }

    /// A string that is not blank.
    pub(super) fn name(&self, cx: &mut Context<'_>) -> Option<Spanned<String>> {
        let text = self.string(cx)?;
        if text.trim().is_empty() {
            cx.report(self.error("empty-value", "can't be blank"));
            return None;
        }
        Some(text)
    }

    pub(super) fn boolean(&self, cx: &mut Context<'_>) -> Option<bool> {
        self.node.as_bool().or_else(|| self.expected("a boolean", cx))
    }

    pub(super) fn integer(&self, cx: &mut Context<'_>) -> Option<i128> {
        match self.node.as_scalar().map(|scalar| &scalar.value) {
            Some(Scalar::Int(number)) => Some(*number),
            _ => self.expected("an integer", cx),
        }
    }

    /// One of the words that a keyword knows.
    pub(super) fn choice<T: Copy>(&self, words: &[(&str, T)], cx: &mut Context<'_>) -> Option<T> {
        let list = words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
        let Some(text) = self.node.as_str() else {
            return self.expected(&format!("one of the strings {list}"), cx);
        };
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let many = words.len() > MANY;
        let known = if many { "a value that it knows" } else { &format!("one of {list}") };
        let mut diagnostic = self.error("unknown-value", format_args!("should be {known}, not `{text}`"));
        if let Some(word) = cx.nearest(text, &words.iter().map(|(word, _)| *word).collect::<Vec<_>>()) {
            diagnostic = diagnostic.help(format!("did you mean `{word}`?"));
        } else if many {
            diagnostic = diagnostic.help(format!("it knows {list}"));
        }
        cx.report(diagnostic);
        None
    }

    /// The items, each under the name of the whole. A reference that could not be resolved, which is
    /// reported elsewhere, is left out.
    pub(super) fn items(&self) -> Option<impl Iterator<Item = Value<'n>> + use<'n>> {
        let (path, owner) = (self.path.clone(), Rc::clone(&self.owner));
        let resolved = |node: &&Node| !matches!(node.kind, Kind::Reference(_));
        let items = self.node.as_sequence()?.iter().filter(resolved);
        Some(items.map(move |node| Value::new(node, path.clone(), &owner)))
    }

    /// The items of lists within lists, as GitLab splices them, down to `levels` levels.
    pub(super) fn flattened(&self, levels: usize, cx: &mut Context<'_>) -> Option<Vec<Value<'n>>> {
        let mut flat = Vec::new();
        if !self.splice(levels, &mut flat) {
            let rest = format_args!("is nested too deep: at most {levels} levels of arrays");
            cx.report(self.error("nested-too-deep", rest));
            return None;
        }
        Some(flat)
    }

    fn splice(&self, levels: usize, flat: &mut Vec<Value<'n>>) -> bool {
        let Some(mut items) = self.items() else {
            flat.push(self.clone());
            return true;
        };
        levels > 0 && items.all(|item| item.splice(levels - 1, flat))
    }

    /// An array of strings.
    pub(super) fn strings(&self, cx: &mut Context<'_>) -> Option<Vec<Spanned<String>>> {
        let Some(items) = self.items() else { return self.expected("an array of strings", cx) };
        Some(items.filter_map(|item| item.string(cx)).collect())
    }

    /// A string, or an array of strings.
    pub(super) fn one_or_more(&self, cx: &mut Context<'_>) -> Option<Vec<Spanned<String>>> {
        match &self.node.kind {
            Kind::Sequence(_) => self.strings(cx),
            _ if self.node.as_str().is_some() => Some(vec![self.string(cx)?]),
            _ => self.expected("a string or an array of strings", cx),
        }
    }

    /// Exit codes: an integer, or an array of them.
    pub(super) fn exit_codes(&self, cx: &mut Context<'_>) -> Option<Vec<i32>> {
        let codes: Vec<i128> = match self.items() {
            Some(_) if self.node.as_sequence().is_some_and(<[_]>::is_empty) => {
                cx.report(self.error("empty-value", "should name an exit code"));
                return None;
            }
            Some(items) => items.filter_map(|item| item.integer(cx)).collect(),
            None => vec![self.integer(cx)?],
        };
        Some(codes.into_iter().filter_map(|code| i32::try_from(code).ok()).collect())
    }

    /// A hash, to be asked for its fields.
    pub(super) fn fields(&self, cx: &mut Context<'_>) -> Option<Fields<'n>> {
        match self.node.as_mapping() {
            Some(mapping) => Some(self.fields_of(mapping)),
            None => self.expected("a hash", cx),
        }
    }

    /// The fields of a mapping that is known to be this value.
    pub(super) fn fields_of(&self, mapping: &'n Mapping) -> Fields<'n> {
        Fields::below(mapping, self.node.span, &self.path, &self.owner)
    }

    /// Any scalar as the text that GitLab makes of it.
    pub(super) fn text(&self) -> Option<String> {
        self.node.as_scalar().map(ToString::to_string)
    }

    /// Where a part of the scalar's text stands in the source; the whole of it where the text is not
    /// written in one piece (block scalars, escapes).
    pub(super) fn place(&self, part: Range<usize>) -> Span {
        let (span, length) = (self.node.span, self.node.as_str().map_or(0, str::len));
        let written = span.end.saturating_sub(span.start) as usize;
        let quote = match written.checked_sub(length) {
            Some(0) => 0,
            Some(2) => 1,
            _ => return span,
        };
        let start = span.start as usize + quote;
        Span::new(span.source, start + part.start.min(length)..start + part.end.min(length))
    }
}

/// What a node is, in GitLab's words.
pub(super) fn describe(node: &Node) -> &'static str {
    match &node.kind {
        Kind::Sequence(_) => "an array",
        Kind::Mapping(_) => "a hash",
        Kind::Reference(_) => "a reference",
        Kind::Scalar(scalar) => match scalar.value {
            Scalar::Null => "null",
            Scalar::Bool(_) => "a boolean",
            Scalar::Int(_) => "an integer",
            Scalar::Float(_) => "a number",
            Scalar::String => "a string",
            Scalar::Refused(class) => class,
        },
    }
}
