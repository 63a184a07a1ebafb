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

/// What Ruby's `to_s` makes of it, and so what GitLab uses where it wants text: a variable of
/// `0755` is `493`, one of `1.10` is `1.1`, one of `yes` is `true`.
impl std::fmt::Display for Scalar {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.value {
            Value::Null => Ok(()),
            Value::Bool(value) => write!(formatter, "{value}"),
            Value::Int(value) => write!(formatter, "{value}"),
            Value::Float(value) => write_float(formatter, value),
            Value::String | Value::Refused(_) => formatter.write_str(&self.text),
        }
    }
}

/// Writes a number as `Float#to_s`: an exponent below 0.0001 and from 10^16.
fn write_float(formatter: &mut std::fmt::Formatter<'_>, value: f64) -> std::fmt::Result {
    if value.is_nan() {
        return formatter.write_str("NaN");
    }
    if value.is_infinite() {
        return formatter.write_str(if value > 0.0 { "Infinity" } else { "-Infinity" });
    }
    if value == 0.0 || (1e-4..1e16).contains(&value.abs()) {
        return write!(formatter, "{value:?}");
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits = if digits.contains('.') { digits.to_owned() } else { format!("{digits}.0") };
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    write!(formatter, "{digits}e{sign}{exponent:0>2}")
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
    /// A date or time, which GitLab's `safe_load` refuses; holds its Ruby class. The reader has
    /// already said so.
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

    /// Gives a key and its value other places.
    pub(super) fn move_to(&mut self, key: &str, place: Span, value: Span) {
        if let Some(entry) = self.entries.get_mut(key) {
            entry.key = place;
            entry.value.span = value;
        }
    }

    /// Removes a key and keeps the order of the others.
    pub fn remove(&mut self, key: &str) -> Option<Entry> {
        self.entries.shift_remove(key)
    }

    /// Keeps the keys that a question answers with yes.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.entries.retain(|key, _| keep(key));
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

    /// A mapping, at a place.
    pub fn mapping(mapping: Mapping, span: Span) -> Self {
        Self { kind: Kind::Mapping(mapping), span }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, Kind::Scalar(Scalar { value: Value::Null, .. }))
    }
}

#[cfg(test)]
mod tests {
    use super::{Scalar, Value};

    #[test]
    fn scalars_are_shown_as_ruby_shows_them() {
        let table = [
            (Value::Null, ""),
            (Value::Bool(true), "true"),
            (Value::Int(493), "493"),
            (Value::Float(1.1), "1.1"),
            (Value::Float(-2.0), "-2.0"),
            (Value::Float(1e15), "1000000000000000.0"),
            (Value::Float(1e16), "1.0e+16"),
            (Value::Float(1.5e20), "1.5e+20"),
            (Value::Float(0.0001), "0.0001"),
            (Value::Float(0.000_012), "1.2e-05"),
            (Value::Float(f64::INFINITY), "Infinity"),
            (Value::String, "as written"),
        ];
        for (value, shown) in table {
            assert_eq!(Scalar { value, text: "as written".to_owned() }.to_string(), shown);
        }
    }
}
