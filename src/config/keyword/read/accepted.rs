//! Keywords that are checked and not acted on: they need a GitLab server, or hold secrets.

use super::{context::Context, duration, expression, fields::Fields, value::Value};
use crate::config::{
    node::{Kind, Value as Scalar},
    source::Spanned,
};

/// `id_tokens`; the variables that they would set.
pub(super) fn id_tokens(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Vec<Spanned<String>>> {
    each(value, cx, |token, cx| {
        let Some(audience) = token.required("aud", cx) else { return };
        if audience.one_or_more(cx).is_some_and(|names| names.is_empty()) {
            cx.report(audience.error("empty-value", "can't be blank"));
        }
    })
}

/// A hash of hashes; its keys with their places.
pub(super) fn each(
    value: &Value<'_>,
    cx: &mut Context<'_>,
    check: impl Fn(&Fields<'_>, &mut Context<'_>),
) -> Option<Vec<Spanned<String>>> {
    let Kind::Mapping(mapping) = &value.node.kind else { return value.expected("a hash", cx) };
    for (name, entry) in mapping.iter() {
        let entry = value.below(name, &entry.value);
        if let Some(fields) = entry.fields(cx) {
            check(&fields, cx);
            fields.finish(cx);
        }
    }
    Some(mapping.iter().map(|(name, entry)| Spanned::new(name.to_owned(), entry.key)).collect())
}

/// `identity`.
pub(super) fn identity(value: &Value<'_>, cx: &mut Context<'_>) -> Option<()> {
    value.choice(&[("google_cloud", ())], cx)
}

/// `dast_configuration`.
pub(super) fn dast_configuration(value: &Value<'_>, cx: &mut Context<'_>) -> Option<()> {
    let fields = value.fields(cx)?;
    for key in ["site_profile", "scanner_profile"] {
        fields.get(key).and_then(|profile| profile.string(cx));
    }
    fields.finish(cx);
    Some(())
}

/// `coverage`: a regular expression between slashes.
pub(super) fn coverage(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Spanned<String>> {
    let text = value.string(cx)?;
    if !expression::is_pattern(&text) {
        let rest = "must be a regular expression between slashes";
        cx.report(value.error("bad-regex", rest).help("it looks like `/Coverage: \\d+%/`"));
        return None;
    }
    expression::check_pattern(value, cx)?;
    Some(text)
}

/// The directory that is published where none is named (`Entry::Job::PUBLIC_DIR`).
pub(super) const PUBLIC: &str = "public";

/// `pages`; the directory that it publishes, where it publishes one.
pub(super) fn pages(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Spanned<String>> {
    let published = |publish: Option<Spanned<String>>| {
        publish.unwrap_or_else(|| Spanned::new(PUBLIC.to_owned(), value.span()))
    };
    if let Some(pages) = value.node.as_bool() {
        return pages.then(|| published(None));
    }
    if value.node.as_mapping().is_none() {
        return value.expected("a boolean or a hash", cx);
    }
    let fields = value.fields(cx)?;
    let publish = fields.get("publish").and_then(|publish| publish.name(cx));
    fields.get("path_prefix").and_then(|value| value.string(cx));
    fields.get("expire_in").and_then(|value| duration::check_expanded(&value, cx));
    fields.finish(cx);
    Some(published(publish))
}

/// `inputs` of a job, each with a default of its type.
pub(super) fn inputs(value: &Value<'_>, cx: &mut Context<'_>) -> Option<()> {
    let types = [("string", "string"), ("number", "number"), ("boolean", "boolean"), ("array", "array")];
    each(value, cx, |input, cx| {
        input.ignore(&["description", "options", "regex"]);
        let of = match input.get("type") {
            Some(written) => written.choice(&types, cx),
            None => Some("string"),
        };
        let (Some(default), Some(of)) = (input.required("default", cx), of) else { return };
        let fits = match (&default.node.kind, of) {
            (Kind::Sequence(_), "array") => true,
            (Kind::Scalar(scalar), of) => match scalar.value {
                Scalar::String => of == "string",
                Scalar::Int(_) | Scalar::Float(_) => of == "number",
                Scalar::Bool(_) => of == "boolean",
                Scalar::Null | Scalar::Refused(_) => false,
            },
            _ => false,
        };
        if !fits {
            let article = if of == "array" { "an" } else { "a" };
            default.expected::<()>(&format!("{article} {of}, after its `type`"), cx);
        }
    })
    .map(|_| ())
}
