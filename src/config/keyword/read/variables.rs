//! `variables` at every level (`Entry::Variables`).

use super::{context::Context, value::Value};
pub(super) use crate::config::keyword::Variables;
use crate::config::{keyword::Variable, node::Kind};

/// Where variables are written, which decides what their hash form may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The top level: also `description` and `options`.
    Global,
    /// A job or a service: `value` and `expand`.
    Job,
    /// A rule: no hash form.
    Rule,
}

/// A hash of names and values.
pub(super) fn read(value: &Value<'_>, scope: Scope, cx: &mut Context<'_>) -> Option<Variables> {
    let Kind::Mapping(mapping) = &value.node.kind else { return value.expected("a hash", cx) };
    let mut variables = Variables::new();
    for (name, entry) in mapping.iter() {
        if matches!(entry.value.kind, Kind::Reference(_)) {
            continue;
        }
        let value = value.below(name, &entry.value);
        if let Some(variable) = variable(&value, scope, cx) {
            variables.insert(name.to_owned(), variable);
        }
    }
    Some(variables)
}

fn variable(value: &Value<'_>, scope: Scope, cx: &mut Context<'_>) -> Option<Variable> {
    if let Some(text) = value.text() {
        return Some(Variable { value: text, expand: true, description: None, span: value.span() });
    }
    if scope == Scope::Rule || value.node.as_mapping().is_none() {
        let forms = if scope == Scope::Rule { "a string" } else { "a string or a hash" };
        return value.expected(forms, cx);
    }
    let fields = value.fields(cx)?;
    let content = fields.get("value");
    let text = content.as_ref().and_then(|content| scalar(content, cx));
    let expand = fields.get("expand").and_then(|expand| expand.boolean(cx));
    let mut description = None;
    if scope == Scope::Global {
        description = fields.get("description").and_then(|description| scalar(&description, cx));
        if let Some(options) = fields.get("options") {
            check_options(&options, text.as_deref(), cx);
        }
    }
    fields.finish(cx);
    Some(Variable {
        value: text.unwrap_or_default(),
        expand: expand.unwrap_or(true),
        description,
        span: content.map_or(value.span(), |content| content.span()),
    })
}

fn scalar(value: &Value<'_>, cx: &mut Context<'_>) -> Option<String> {
    value.text().or_else(|| value.expected("a string", cx))
}

fn check_options(options: &Value<'_>, value: Option<&str>, cx: &mut Context<'_>) {
    let Some(list) = options.strings(cx) else { return };
    if !list.iter().any(|option| Some(option.as_str()) == value) {
        let help = "GitLab offers the options when a pipeline is started by hand, `value` first";
        cx.report(options.error("value-not-in-options", "should hold the variable's `value`").help(help));
    }
}
