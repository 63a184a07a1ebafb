//! `run`: steps, which GitLab calls an experiment (`json_schemas/run_steps.json`).

use super::{context::Context, fields::Fields, value::Value};
use crate::config::node::Kind;

/// A list of steps, each a script or a function.
pub(super) fn check(value: &Value<'_>, cx: &mut Context<'_>) -> Option<()> {
    let Some(steps) = value.items() else { return value.expected("an array of hashes", cx) };
    for step in steps {
        check_step(&step, cx);
    }
    Some(())
}

fn check_step(step: &Value<'_>, cx: &mut Context<'_>) -> Option<()> {
    let fields = step.fields(cx)?;
    if let Some(name) = fields.required("name", cx)
        && let Some(text) = name.name(cx)
        && !is_identifier(&text)
    {
        let rest = "should be letters, digits and `_`, not beginning with a digit";
        cx.report(name.error("bad-name", rest));
    }
    if let Some(env) = fields.get("env") {
        check_env(&env, cx);
    }
    if let Some(script) = fields.get("script") {
        script.name(cx);
    } else {
        check_function(&fields, step, cx);
    }
    fields.finish(cx);
    Some(())
}

fn check_env(env: &Value<'_>, cx: &mut Context<'_>) -> Option<()> {
    let Kind::Mapping(mapping) = &env.node.kind else { return env.expected("a hash", cx) };
    for (name, entry) in mapping.iter() {
        env.below(name, &entry.value).string(cx);
    }
    Some(())
}

fn check_function(fields: &Fields<'_>, step: &Value<'_>, cx: &mut Context<'_>) {
    fields.get("inputs").and_then(|inputs| inputs.fields(cx));
    match (fields.get("step"), fields.get("func")) {
        (Some(function), None) | (None, Some(function)) => drop(check_reference(&function, cx)),
        _ => cx.report(step.error("missing-keyword", "should have one of `script`, `step` and `func`")),
    }
}

fn check_reference(function: &Value<'_>, cx: &mut Context<'_>) -> Option<()> {
    if function.node.as_str().is_some() {
        return Some(());
    }
    if function.node.as_mapping().is_none() {
        return function.expected("a string or a hash", cx);
    }
    let fields = function.fields(cx)?;
    let (source, keys) = match (fields.get("git"), fields.get("oci")) {
        (Some(git), _) => (git, &["url", "rev"][..]),
        (None, Some(oci)) => (oci, &["registry", "repository", "tag"][..]),
        (None, None) => {
            cx.report(function.error("missing-keyword", "should have `git` or `oci`"));
            return None;
        }
    };
    fields.finish(cx);
    let source = source.fields(cx)?;
    for key in keys {
        source.required(key, cx).and_then(|value| value.string(cx));
    }
    source.ignore(&["dir", "file"]);
    source.finish(cx);
    Some(())
}

fn is_identifier(text: &str) -> bool {
    let word = |char: char| char.is_ascii_alphanumeric() || char == '_';
    text.chars().all(word) && !text.starts_with(|first: char| first.is_ascii_digit())
}
