//! The vocabulary that keywords are read with: a value that knows its name, and the fields of a hash
//! that know which of them were asked for.

use std::{cell::RefCell, ops::Range, rc::Rc};

use crate::config::{
    diagnostic::{Diagnostic, Diagnostics, nearest},
    keyword::support::{self, Stance},
    node::{Kind, Mapping, Node, Value as Scalar},
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
}

impl<'d> Context<'d> {
    pub(super) fn new(diagnostics: &'d mut Diagnostics, incomplete: bool) -> Self {
        Self { diagnostics, not_simulated: indexmap::IndexMap::new(), incomplete, stages_unknown: false }
    }

    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Names a keyword that was written where the table of support says that it is not acted on.
    fn note(&mut self, path: &str, span: Span) {
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

    /// Like [`Value::error`], for what GitLab takes.
    pub(super) fn warning(&self, code: &'static str, rest: impl std::fmt::Display) -> Diagnostic {
        Diagnostic::warning(code, format!("`{}`{} {rest}", self.path, self.owner), self.node.span)
    }

    /// Reports that something else is expected here.
    pub(super) fn expected<T>(&self, what: &str, cx: &mut Context<'_>) -> Option<T> {
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
        if let Some(word) = nearest(text, words.iter().map(|(word, _)| *word)) {
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
        Fields {
            mapping,
            span: self.node.span,
            path: self.path.clone(),
            owner: Rc::clone(&self.owner),
            asked: RefCell::default(),
        }
    }

    /// Any scalar as the text that GitLab makes of it.
    pub(super) fn text(&self) -> Option<String> {
        self.node.as_scalar().map(ToString::to_string)
    }

    /// Where a part of the scalar's text stands in the source; the whole of it where the text is not
    /// written in one piece (block scalars, escapes).
    pub(super) fn place(&self, part: Range<usize>) -> Span {
        let (span, length) = (self.node.span, self.node.as_str().map_or(0, str::len));
        let written = (span.end - span.start) as usize;
        let quote = match written.checked_sub(length) {
            Some(0) => 0,
            Some(2) => 1,
            _ => return span,
        };
        let start = span.start as usize + quote;
        Span::new(span.source, start + part.start.min(length)..start + part.end.min(length))
    }
}

/// The fields of a hash; what is not asked for is unknown.
pub(super) struct Fields<'n> {
    mapping: &'n Mapping,
    pub(super) span: Span,
    path: String,
    pub(super) owner: Rc<str>,
    asked: RefCell<Vec<&'static str>>,
}

impl<'n> Fields<'n> {
    /// The fields of a mapping that is no value itself: a job, `default`, the top level.
    pub(super) fn of(mapping: &'n Mapping, span: Span, owner: &Rc<str>) -> Self {
        Self { mapping, span, path: String::new(), owner: Rc::clone(owner), asked: RefCell::default() }
    }

    /// A value that is set. `null` counts as not set, as in GitLab's `Entry::Unspecified`.
    pub(super) fn get(&self, key: &'static str) -> Option<Value<'n>> {
        self.written(key).filter(|value| !value.node.is_null())
    }

    /// A value that is written, be it `null`.
    pub(super) fn written(&self, key: &'static str) -> Option<Value<'n>> {
        self.asked.borrow_mut().push(key);
        let node = self.mapping.get(key)?;
        let unresolved = matches!(node.kind, Kind::Reference(_));
        (!unresolved).then(|| Value::new(node, self.path_of(key), &self.owner))
    }

    /// A value that has to be there.
    pub(super) fn required(&self, key: &'static str, cx: &mut Context<'_>) -> Option<Value<'n>> {
        let value = self.get(key);
        if value.is_none()
            && !matches!(self.mapping.get(key).map(|node| &node.kind), Some(Kind::Reference(_)))
        {
            let message = format!("`{}`{} is missing", self.path_of(key), self.owner);
            cx.report(Diagnostic::error("missing-keyword", message, self.span));
        }
        value
    }

    /// Where a key was written.
    pub(super) fn key(&self, key: &str) -> Option<Span> {
        self.mapping.entry(key).map(|entry| entry.key)
    }

    /// Takes fields for known that are not read.
    pub(super) fn ignore(&self, keys: &[&'static str]) {
        self.asked.borrow_mut().extend(keys);
    }

    /// Reports each field that nothing asked for, and notes those that are not acted on.
    pub(super) fn finish(&self, cx: &mut Context<'_>) {
        let asked = self.asked.borrow();
        for (key, entry) in self.mapping.iter() {
            if asked.contains(&key) {
                if !entry.value.is_null() {
                    cx.note(&self.path_of(key), entry.key);
                }
                continue;
            }
            let of = if self.path.is_empty() { String::new() } else { format!(" in `{}`", self.path) };
            let message = format!("unknown keyword `{key}`{of}{}", self.owner);
            let mut diagnostic = Diagnostic::error("unknown-keyword", message, entry.key);
            if let Some(word) = nearest(key, asked.iter().copied()) {
                diagnostic = diagnostic.help(format!("did you mean `{word}`?"));
            }
            cx.report(diagnostic);
        }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}:{key}", self.path) }
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
