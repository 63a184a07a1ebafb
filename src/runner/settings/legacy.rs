//! Old manifests, as tutorials still have them, brought to what Kubernetes and GitLab Runner take today.

use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

use super::document::Document;

/// API versions that Kubernetes has removed, and what serves their kinds now.
const MOVED: [(&str, &str); 5] = [
    ("apps/v1beta1", "apps/v1"),
    ("apps/v1beta2", "apps/v1"),
    ("extensions/v1beta1", "apps/v1"),
    ("rbac.authorization.k8s.io/v1alpha1", "rbac.authorization.k8s.io/v1"),
    ("rbac.authorization.k8s.io/v1beta1", "rbac.authorization.k8s.io/v1"),
];

/// The runner's binary until 10.0.
const OLD_BINARY: &str = "gitlab-ci-multi-runner";

/// Changes manifests to what works today and says each change in a sentence.
pub(super) fn modernise(documents: &mut [Document]) -> Vec<String> {
    documents.iter_mut().flat_map(changes).collect()
}

fn changes(document: &mut Document) -> Vec<String> {
    let subject = format!("{} `{}`", document.kind(), document.name());
    let version = api_version(&mut document.value);
    let selector = selector(&mut document.value);
    let binary = rename_binary(&mut document.value)
        .then(|| format!("calls `{OLD_BINARY}`, gone since GitLab Runner 10.0: `gitlab-runner` is meant"));
    let newlines = if document.kind() == "Secret" { cut_newlines(&mut document.value) } else { Vec::new() };
    let changes = [version, selector, binary].into_iter().flatten().chain(newlines);
    changes.map(|change| format!("{subject} {change}")).collect()
}

fn api_version(object: &mut Value) -> Option<String> {
    let version = object.get("apiVersion")?.as_str()?.to_owned();
    let (_, now) = MOVED.iter().find(|(old, _)| *old == version)?;
    object["apiVersion"] = json!(now);
    Some(format!("has API version `{version}`, which Kubernetes no longer serves: `{now}` taken"))
}

/// `apps/v1` no longer takes the selector from the template's labels.
fn selector(object: &mut Value) -> Option<String> {
    let kind = object.get("kind")?.as_str()?;
    if !matches!(kind, "StatefulSet" | "Deployment" | "DaemonSet" | "ReplicaSet") {
        return None;
    }
    let labels = object.pointer("/spec/template/metadata/labels").cloned();
    let spec = object.get_mut("spec")?.as_object_mut()?;
    if spec.contains_key("selector") {
        return None;
    }
    let labels = labels.unwrap_or_else(|| json!({}));
    spec.insert("selector".to_owned(), json!({ "matchLabels": labels }));
    Some("has no `selector`, which `apps/v1` demands: the labels of its template taken".to_owned())
}

/// Whether the old binary was called anywhere in the object's texts.
fn rename_binary(value: &mut Value) -> bool {
    match value {
        Value::String(text) if text.contains(OLD_BINARY) => {
            *text = text.replace(OLD_BINARY, "gitlab-runner");
            true
        }
        Value::Array(items) => items.iter_mut().fold(false, |any, item| rename_binary(item) | any),
        Value::Object(map) => map.values_mut().fold(false, |any, item| rename_binary(item) | any),
        _ => false,
    }
}

/// Made with `echo | base64`, a token ends in a newline that nobody means.
fn cut_newlines(object: &mut Value) -> Vec<String> {
    let Ok(mut secret) = serde_json::from_value::<Secret>(object.clone()) else { return Vec::new() };
    let mut cut = Vec::new();
    for (key, bytes) in secret.data.iter_mut().flatten() {
        if bytes.0.ends_with(b"\n") {
            bytes.0.truncate(bytes.0.trim_ascii_end().len());
            cut.push(key.clone());
        }
    }
    for (key, text) in secret.string_data.iter_mut().flatten() {
        if text.ends_with('\n') {
            text.truncate(text.trim_end().len());
            cut.push(key.clone());
        }
    }
    if !cut.is_empty() {
        *object = serde_json::to_value(secret).expect("a Secret is JSON");
    }
    cut.into_iter().map(|key| format!("has a newline at the end of `{key}`: cut off")).collect()
}
