//! `environment` (`Entry::Environment`).

use super::{context::Context, duration, fields::Fields, value::Value};
use crate::config::{
    keyword::job::{Environment, EnvironmentAction},
    source::Spanned,
};

/// The words of `environment:action`.
const ACTIONS: [(&str, EnvironmentAction); 5] = [
    ("start", EnvironmentAction::Start),
    ("prepare", EnvironmentAction::Prepare),
    ("stop", EnvironmentAction::Stop),
    ("verify", EnvironmentAction::Verify),
    ("access", EnvironmentAction::Access),
];

/// The words of `environment:deployment_tier`.
const TIERS: [(&str, &str); 5] = [
    ("production", "production"),
    ("staging", "staging"),
    ("testing", "testing"),
    ("development", "development"),
    ("other", "other"),
];

/// The longest `environment:url`.
const LONGEST_URL: usize = 255;

/// A name, or a hash with `name`.
pub(super) fn read(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Environment> {
    if value.node.as_str().is_some() {
        return Some(named(name(value, cx)?));
    }
    if value.node.as_mapping().is_none() {
        return value.expected("a string or a hash", cx);
    }
    let fields = value.fields(cx)?;
    let name = fields.required("name", cx).and_then(|value| name(&value, cx));
    let url = fields.get("url").and_then(|value| url(&value, cx));
    let action = fields.get("action").and_then(|action| action.choice(&ACTIONS, cx));
    let tier = fields.get("deployment_tier").and_then(|value| tier(&value, cx));
    let on_stop = fields.get("on_stop").and_then(|job| job.string(cx));
    fields.get("auto_stop_in").and_then(|value| duration::check_expanded(&value, cx));
    fields.get("kubernetes").and_then(|kubernetes| check_kubernetes(&kubernetes, cx));
    fields.finish(cx);
    Some(Environment { url, action: action.unwrap_or_default(), tier, on_stop, ..named(name?) })
}

/// An address, or a variable that holds one.
fn url(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Spanned<String>> {
    let url = value.string(cx)?;
    if url.chars().count() > LONGEST_URL {
        cx.report(value.error("too-long", format_args!("has more than {LONGEST_URL} characters")));
    }
    let is_address = ["http://", "https://"]
        .iter()
        .any(|scheme| url.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
    if !is_address && !url.starts_with('$') {
        let rest = "should begin with `http://`, `https://` or a variable";
        cx.report(value.error("bad-url", rest));
    }
    Some(url)
}

/// What a connected agent would be told (`Entry::Kubernetes`).
fn check_kubernetes(value: &Value<'_>, cx: &mut Context<'_>) -> Option<()> {
    let fields = value.fields(cx)?;
    fields.get("agent").and_then(|agent| agent.string(cx));
    check_place(&fields, cx);
    if let Some(resources) = fields.get("managed_resources").and_then(|resources| resources.fields(cx)) {
        resources.get("enabled").and_then(|enabled| enabled.boolean(cx));
        resources.finish(cx);
    }
    if let Some(dashboard) = fields.get("dashboard").and_then(|dashboard| dashboard.fields(cx)) {
        check_place(&dashboard, cx);
        dashboard.finish(cx);
    }
    fields.finish(cx);
    Some(())
}

fn check_place(fields: &Fields<'_>, cx: &mut Context<'_>) {
    fields.get("namespace").and_then(|namespace| namespace.name(cx));
    fields.get("flux_resource_path").and_then(|path| path.string(cx));
}

fn named(name: Spanned<String>) -> Environment {
    Environment { name, url: None, action: EnvironmentAction::default(), tier: None, on_stop: None }
}

/// `Gitlab::Regex.environment_name_regex`.
fn name(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Spanned<String>> {
    let name = value.name(cx)?;
    let fits = |char: char| char.is_ascii_alphanumeric() || "_/${}. -".contains(char);
    if !name.chars().all(fits) || name.starts_with('/') || name.ends_with('/') {
        let rest = "can contain only letters, digits, `-`, `_`, `/`, `$`, `{`, `}`, `.` and spaces, \
                    and cannot start or end with `/`";
        cx.report(value.error("bad-name", rest));
        return None;
    }
    Some(name)
}

fn tier(value: &Value<'_>, cx: &mut Context<'_>) -> Option<String> {
    match value.node.as_str() {
        Some(text) if text.contains('$') => Some(text.to_owned()),
        _ => value.choice(&TIERS, cx).map(str::to_owned),
    }
}
