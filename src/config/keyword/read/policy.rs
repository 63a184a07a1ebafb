//! `only` and `except` (`Entry::Policy`).

use super::{context::Context, expression, value::Value};
use crate::config::{keyword::Policy, node::Kind, source::Spanned};

/// A list of refs, or a hash of conditions.
pub(super) fn read(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Policy> {
    let policy = Policy { span: Some(value.span()), ..Policy::default() };
    match &value.node.kind {
        Kind::Sequence(_) => return Some(Policy { refs: Some(refs(value, cx)?), ..policy }),
        Kind::Mapping(mapping) if mapping.is_empty() => {
            cx.report(value.error("empty-value", "can't be blank"));
            return None;
        }
        Kind::Mapping(_) => {}
        _ => return value.expected("an array of refs or a hash", cx),
    }
    let fields = value.fields(cx)?;
    let refs = fields.get("refs").and_then(|value| refs(&value, cx));
    let kubernetes = fields.get("kubernetes").and_then(|value| value.choice(&[("active", ())], cx));
    let variables = fields.get("variables").and_then(|value| expressions(&value, cx));
    let changes = fields.get("changes").and_then(|value| value.strings(cx));
    fields.finish(cx);
    Some(Policy { refs, variables, changes, kubernetes: kubernetes.is_some(), ..policy })
}

fn expressions(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Vec<Spanned<String>>> {
    let Some(items) = value.items() else { return value.expected("an array of strings", cx) };
    Some(items.filter_map(|item| expression::read(&item, cx)).collect())
}

fn refs(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Vec<Spanned<String>>> {
    let Some(items) = value.items() else { return value.expected("an array of strings", cx) };
    Some(items.filter_map(|item| reference(&item, cx)).collect())
}

fn reference(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Spanned<String>> {
    let text = value.string(cx)?;
    if expression::is_pattern(&text) {
        expression::check_pattern(value, cx)?;
    }
    Some(text)
}
