//! The language of `rules:if`, `only:variables` and `spec:inputs:rules:if`.
//!
//! Values are Ruby's: only `null` and `false` stop `&&` and `||`, the empty string does not, and the
//! result of the whole expression counts as false when it is empty (`Statement#truthful?`).

mod evaluate;
mod lexer;
mod parser;
pub mod pattern;

use std::ops::Range;

pub use evaluate::{Step, Trace};
pub use pattern::Pattern;

/// An expression that GitLab would accept.
#[derive(Debug, Clone)]
pub struct Expression {
    text: String,
    root: Node,
}

/// A value of the language.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub enum Value {
    /// `null`, or a variable that is not there.
    Null,
    /// What comparisons give, or an input of type boolean.
    Bool(bool),
    /// A text.
    String(String),
}

/// What an expression asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Name<'n> {
    /// `$NAME`
    Variable(&'n str),
    /// `$[[ inputs.NAME ]]`
    Input(&'n str),
}

/// Why a text is not an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// What is wrong: a lower-case fragment.
    pub message: String,
    /// Where in the text, in bytes.
    pub range: Range<usize>,
    /// What to write instead.
    pub hint: Option<String>,
}

impl SyntaxError {
    fn new(message: impl Into<String>, range: Range<usize>) -> Self {
        Self { message: message.into(), range, hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

#[derive(Debug, Clone)]
struct Node {
    /// Bytes of the text that it was read from, with parentheses around it.
    range: Range<usize>,
    kind: NodeKind,
}

#[derive(Debug, Clone)]
enum NodeKind {
    Variable(String),
    Input(String),
    String(String),
    Null,
    Bool(bool),
    Pattern(Pattern),
    Operation { operator: Operator, left: Box<Node>, right: Box<Node> },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Equals,
    NotEquals,
    Matches,
    NotMatches,
    And,
    Or,
}

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    /// Where and why GitLab would refuse it, with a hint for what people commonly write instead.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let tokens = lexer::tokens(text)?;
        let root = parser::tree(&tokens, text.len())?;
        Ok(Self { text: text.to_owned(), root })
    }

    /// The text it was read from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value; `lookup` gives `None` for what is not there.
    pub fn evaluate(&self, lookup: impl Fn(Name<'_>) -> Option<Value>) -> Value {
        evaluate::evaluate(&self.root, &lookup, &mut |_, _| {})
    }

    /// Whether a rule with this condition matches, where `lookup` gives the values of variables.
    pub fn holds<'v>(&self, lookup: impl Fn(&str) -> Option<&'v str>) -> bool {
        self.evaluate(|name| match name {
            Name::Variable(name) => lookup(name).map(Value::from),
            Name::Input(_) => None,
        })
        .is_present()
    }

    /// The value with that of each operand on the way, for `podline explain` and `podline eval`.
    pub fn explain(&self, lookup: impl Fn(Name<'_>) -> Option<Value>) -> Trace {
        evaluate::explain(&self.text, &self.root, &lookup)
    }

    /// Names of the variables it asks for, in order of appearance.
    pub fn variables(&self) -> Vec<&str> {
        let variable = |name| if let Name::Variable(name) = name { Some(name) } else { None };
        self.names().into_iter().filter_map(variable).collect()
    }

    /// Names of the inputs it asks for, in order of appearance.
    pub fn inputs(&self) -> Vec<&str> {
        let input = |name| if let Name::Input(name) = name { Some(name) } else { None };
        self.names().into_iter().filter_map(input).collect()
    }

    fn names(&self) -> Vec<Name<'_>> {
        fn collect<'n>(node: &'n Node, names: &mut Vec<Name<'n>>) {
            match &node.kind {
                NodeKind::Variable(name) => names.push(Name::Variable(name)),
                NodeKind::Input(name) => names.push(Name::Input(name)),
                NodeKind::Operation { left, right, .. } => {
                    collect(left, names);
                    collect(right, names);
                }
                _ => {}
            }
        }
        let mut names = Vec::new();
        collect(&self.root, &mut names);
        names
    }
}

impl Value {
    /// Whether it counts as true where the whole expression is asked: not null, false or blank.
    pub fn is_present(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            // Rails' `present?`: a string of nothing but white space is blank.
            Self::String(text) => !text.chars().all(char::is_whitespace),
        }
    }

    /// Whether `&&` goes on after it: Ruby's truth, where an empty string is true.
    fn is_truthy(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(false))
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => formatter.write_str("null"),
            Self::Bool(value) => write!(formatter, "{value}"),
            Self::String(text) => write!(formatter, "\"{text}\""),
        }
    }
}

#[cfg(test)]
mod tests;
