//! `secrets` (`Entry::Secret` and what its providers hold): checked, and given dummy values.

use super::{accepted, context::Context, fields::Fields, value::Value};
use crate::config::{
    diagnostic::Diagnostic,
    node::{Kind, Value as Scalar},
    source::Spanned,
};

/// Who may hold a secret.
const PROVIDERS: [&str; 6] = [
    "vault",
    "azure_key_vault",
    "gcp_secret_manager",
    "aws_secrets_manager",
    "gitlab_secrets_manager",
    "akeyless",
];

/// What `aws_secrets_manager` takes beside `secret_id`.
const AWS: [&str; 6] = ["version_id", "version_stage", "region", "role_arn", "role_session_name", "field"];

/// A hash of secrets; the variables that they would set.
pub(super) fn read(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Vec<Spanned<String>>> {
    accepted::each(value, cx, check)
}

fn check(secret: &Fields<'_>, cx: &mut Context<'_>) {
    secret.get("file").and_then(|file| file.boolean(cx));
    secret.get("token").and_then(|token| token.string(cx));
    let named: Vec<_> = PROVIDERS.iter().filter_map(|name| Some((*name, secret.get(name)?))).collect();
    let Some((provider, value)) = named.first() else {
        let message = format!("a secret{} names no provider", secret.owner);
        let help = format!("providers are {}", PROVIDERS.map(|name| format!("`{name}`")).join(", "));
        cx.report(Diagnostic::error("missing-keyword", message, secret.span).help(help));
        return;
    };
    if let Some((_, value)) = named.get(1) {
        let rest = format_args!("stands beside `{provider}`: a secret has one provider");
        cx.report(value.error("conflicting-keywords", rest));
    }
    check_provider(provider, value, cx);
    if *provider == "gcp_secret_manager" {
        secret.required("token", cx);
    }
}

fn check_provider(provider: &str, value: &Value<'_>, cx: &mut Context<'_>) -> Option<()> {
    if value.node.as_str().is_some() && matches!(provider, "vault" | "aws_secrets_manager") {
        return value.name(cx).map(drop);
    }
    let fields = value.fields(cx)?;
    match provider {
        "vault" => check_vault(&fields, cx),
        "aws_secrets_manager" => {
            text(&fields, &["secret_id"], &AWS, cx);
        }
        "gitlab_secrets_manager" => text(&fields, &["name"], &["source"], cx),
        // Its keys are many, and in no schema of GitLab's.
        "akeyless" => return Some(()),
        _ => {
            text(&fields, &["name"], &[], cx);
            check_version(&fields, provider == "gcp_secret_manager", cx);
        }
    }
    fields.finish(cx);
    Some(())
}

fn text(
    fields: &Fields<'_>,
    required: &'static [&'static str],
    optional: &'static [&'static str],
    cx: &mut Context<'_>,
) {
    for key in required {
        fields.required(key, cx).and_then(|value| value.name(cx));
    }
    for key in optional {
        fields.get(key).and_then(|value| value.string(cx));
    }
}

fn check_vault(fields: &Fields<'_>, cx: &mut Context<'_>) {
    text(fields, &["path", "field"], &[], cx);
    if let Some(engine) = fields.required("engine", cx).and_then(|engine| engine.fields(cx)) {
        text(&engine, &["name", "path"], &[], cx);
        engine.finish(cx);
    }
}

/// `version`: a string; Google's may be an integer.
fn check_version(fields: &Fields<'_>, or_integer: bool, cx: &mut Context<'_>) -> Option<()> {
    let version = fields.get("version")?;
    match version.node.kind {
        Kind::Scalar(ref scalar) if or_integer && matches!(scalar.value, Scalar::Int(_)) => Some(()),
        _ => version.string(cx).map(drop),
    }
}
