//! Expressions of `rules:if` and `only:variables`, and patterns between slashes: they must parse.

use super::{context::Context, value::Value};
use crate::config::{
    expression::{Expression, Pattern},
    regexp::Regexp,
    source::Spanned,
};

/// An expression as written.
pub(super) fn read(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Spanned<String>> {
    let text = value.string(cx)?;
    if cx.is_expression(&text) {
        return Some(text);
    }
    let error = match Expression::parse(&text) {
        Ok(_) => {
            cx.note_expression(&text);
            return Some(text);
        }
        Err(error) => error,
    };
    let mut diagnostic =
        value.error("bad-expression", format_args!("has invalid expression syntax: {}", error.message));
    diagnostic.span = Some(value.place(error.range));
    diagnostic.help = error.hint;
    cx.report(diagnostic);
    None
}

/// Whether a text is meant as a pattern: `/pattern/`, perhaps with flags.
pub(super) fn is_pattern(text: &str) -> bool {
    let parts = text.strip_prefix('/').and_then(|rest| rest.rsplit_once('/'));
    parts.is_some_and(|(pattern, flags)| {
        !pattern.is_empty() && flags.chars().all(|flag| "ismU".contains(flag))
    })
}

/// Reports a pattern that is none of Ruby's. One with variables is complete only once they are known.
pub(super) fn check_regexp(value: &Value<'_>, cx: &mut Context<'_>) -> Option<()> {
    let text = value.node.as_str()?;
    let names = |rest: &str| rest.starts_with(|next: char| next.is_ascii_alphabetic() || "_{".contains(next));
    let has_variables = text.split('$').skip(1).any(names);
    match Regexp::new(text) {
        Err(why) if !has_variables => {
            cx.report(
                value.error("bad-regex", format_args!("must be a regular expression of Ruby's: {why}")),
            );
            None
        }
        _ => Some(()),
    }
}

/// Reports a pattern that RE2 would refuse.
pub(super) fn check_pattern(value: &Value<'_>, cx: &mut Context<'_>) -> Option<()> {
    match Pattern::literal(value.node.as_str()?) {
        Ok(_) => Some(()),
        Err(why) => {
            cx.report(value.error("bad-regex", format_args!("must be a regular expression of RE2: {why}")));
            None
        }
    }
}
