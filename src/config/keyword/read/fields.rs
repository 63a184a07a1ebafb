//! The fields of a hash, which know which of them were asked for.

use std::{cell::RefCell, rc::Rc};

use super::{context::Context, value::Value};
use crate::config::{
    diagnostic::Diagnostic,
    node::{Kind, Mapping},
    source::Span,
};

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

    /// The fields of a value that is a mapping.
    pub(super) fn below(mapping: &'n Mapping, span: Span, path: &str, owner: &Rc<str>) -> Self {
        Self { path: path.to_owned(), ..Self::of(mapping, span, owner) }
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
            if let Some(word) = cx.nearest(key, &asked) {
                diagnostic = diagnostic.help(format!("did you mean `{word}`?"));
            }
            cx.report(diagnostic);
        }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}:{key}", self.path) }
    }
}
