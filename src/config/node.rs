//! A YAML value as GitLab sees it, with the place each part was written.

use super::source::{Span, Spanned};

/// A YAML value with its place.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub kind: Kind,
    /// Where it was written; for what was merged in from elsewhere, there.
    pub span: Span,
}

/// The value of a [`Node`].
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A scalar.
    Scalar(Scalar),
    /// A sequence.
    Sequence(Vec<Node>),
    /// A mapping, in the order of its first appearance.
    Mapping(Mapping),
    /// `!reference [job, key, ...]`: an opaque leaf until references are resolved.
    Reference(Vec<Spanned<String>>),
}

/// A scalar: its value after Psych's rules, and the text it was written as.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    /// The value after Psych's rules (YAML 1.1).
    pub value: Value,
    /// The text as written, without quotes: what a variable of this value holds.
    pub text: String,
}

/// What Psych makes of a scalar.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true`, `yes`, `on` and their opposites.
    Bool(bool),
    /// An integer, in any base that YAML 1.1 knows.
    Int(i128),
    /// A floating-point number.
    Float(f64),
    /// Everything else, and whatever is quoted.
    String,
    /// A date, time or symbol, which GitLab's `safe_load` refuses; holds its Ruby class.
    Refused(&'static str),
}

/// A mapping that keeps the order and the place of its keys.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Mapping {
    entries: indexmap::IndexMap<String, Entry>,
}

/// A value of a [`Mapping`], with the place of its key.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where the key was written.
    pub key: Span,
    /// The value.
    pub value: Node,
}

impl Mapping {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// The value of a key, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.entries.get_mut(key).map(|entry| &mut entry.value)
    }

    /// The value of a key with the place of the key.
    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// Sets a value; a key that was there keeps its position and gets the new place. Returns the
    /// entry that was there.
    pub fn insert(&mut self, key: impl Into<String>, place: Span, value: Node) -> Option<Entry> {
        self.entries.insert(key.into(), Entry { key: place, value })
    }

    /// Removes a key and keeps the order of the others.
    pub fn remove(&mut self, key: &str) -> Option<Entry> {
        self.entries.shift_remove(key)
    }

    /// Keys and values in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&str, &Entry)> {
        self.entries.iter().map(|(key, entry)| (key.as_str(), entry))
    }

    /// Keys and values in order, to change the values.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Entry)> {
        self.entries.iter_mut().map(|(key, entry)| (key.as_str(), entry))
    }

    /// The keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl IntoIterator for Mapping {
    type Item = (String, Entry);
    type IntoIter = indexmap::map::IntoIter<String, Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl Node {
    /// A string that was written at `span`.
    pub fn string(text: impl Into<String>, span: Span) -> Self {
        Self { kind: Kind::Scalar(Scalar { value: Value::String, text: text.into() }), span }
    }

    /// `null`, at a place.
    pub fn null(span: Span) -> Self {
        Self { kind: Kind::Scalar(Scalar { value: Value::Null, text: String::new() }), span }
    }

    /// The text, if it is a string after Psych's rules.
    pub fn as_str(&self) -> Option<&str> {
        match &self.kind {
            Kind::Scalar(Scalar { value: Value::String, text }) => Some(text),
            _ => None,
        }
    }

    /// The scalar, if it is one.
    pub fn as_scalar(&self) -> Option<&Scalar> {
        match &self.kind {
            Kind::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match &self.kind {
            Kind::Scalar(Scalar { value: Value::Bool(value), .. }) => Some(*value),
            _ => None,
        }
    }

    /// The items, if it is a sequence.
    pub fn as_sequence(&self) -> Option<&[Node]> {
        match &self.kind {
            Kind::Sequence(items) => Some(items),
            _ => None,
        }
    }

    /// The mapping, if it is one.
    pub fn as_mapping(&self) -> Option<&Mapping> {
        match &self.kind {
            Kind::Mapping(mapping) => Some(mapping),
            _ => None,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(Scalar { value: Value::Null, .. }))
    }
}
