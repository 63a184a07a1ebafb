//! The objects around the job pods: namespace, service account, permissions, ConfigMap and Secret. The
//! runner's own StatefulSet is not among them: podline is the runner.

use serde_json::{Map, Value, json};

use super::{Manifests, Settings};

/// Kinds that are created, in the order they need each other.
const KINDS: [&str; 8] = [
    "Namespace",
    "ServiceAccount",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
];

/// The objects to create, in order: those of the manifests, or the built-in ones.
pub fn objects(settings: &Settings, manifests: Option<&Manifests>) -> Vec<Value> {
    let own: Vec<Value> = match manifests {
        Some(manifests) => {
            KINDS.iter().flat_map(|kind| manifests.of_kind(kind)).map(|d| d.value.clone()).collect()
        }
        None => built_in(settings),
    };
    let mut placed: Vec<Value> = own.into_iter().map(|object| in_namespace(object, settings)).collect();
    for namespace in missing_namespaces(&placed, settings).into_iter().rev() {
        placed.insert(0, json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}));
    }
    if let Some(account) = missing_account(&placed, settings) {
        placed.push(account);
    }
    placed
}

/// An object that names no namespace belongs to that of the runners.
fn in_namespace(mut object: Value, settings: &Settings) -> Value {
    let cluster_wide = matches!(kind(&object), "Namespace" | "ClusterRole" | "ClusterRoleBinding");
    if !cluster_wide && let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.entry("namespace").or_insert_with(|| json!(settings.runner_namespace));
    }
    object
}

fn missing_namespaces(objects: &[Value], settings: &Settings) -> Vec<String> {
    let there =
        |name: &str| objects.iter().any(|o| kind(o) == "Namespace" && text(o, "/metadata/name") == name);
    let used = objects.iter().map(|object| text(object, "/metadata/namespace"));
    let used = [settings.namespace.as_str(), settings.runner_namespace.as_str()].into_iter().chain(used);
    let mut missing: Vec<String> = Vec::new();
    for name in used.filter(|name| !name.is_empty()) {
        // Kubernetes brings these itself.
        let given = matches!(name, "default" | "kube-system" | "kube-public" | "kube-node-lease");
        if !given && !there(name) && !missing.iter().any(|known| known == name) {
            missing.push(name.to_owned());
        }
    }
    missing
}

/// The service account that the runners use, where no manifest makes it.
fn missing_account(objects: &[Value], settings: &Settings) -> Option<Value> {
    let name = settings.service_account.as_deref().filter(|name| *name != "default")?;
    let there = |object: &Value| kind(object) == "ServiceAccount" && text(object, "/metadata/name") == name;
    (!objects.iter().any(there)).then(|| object("v1", "ServiceAccount", name, settings, Map::new()))
}

/// The equivalents of `fixtures/runner/`.
fn built_in(settings: &Settings) -> Vec<Value> {
    let account = settings.service_account.as_deref().unwrap_or("gitlab-ci");
    let rbac = "rbac.authorization.k8s.io";
    let role = json!({ "rules": rules() });
    let binding = json!({
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": settings.runner_namespace}],
        "roleRef": {"apiGroup": rbac, "kind": "Role", "name": account},
    });
    let map = json!({ "data": environment(settings) });
    let secret = json!({ "type": "Opaque", "stringData": {"GITLAB_CI_TOKEN": "not-a-token"} });
    let rbac = format!("{rbac}/v1");
    let part = |api, kind, name, rest: Value| {
        let rest = rest.as_object().cloned().unwrap_or_default();
        object(api, kind, name, settings, rest)
    };
    vec![
        part("v1", "ServiceAccount", account, json!({})),
        part(&rbac, "Role", account, role),
        part(&rbac, "RoleBinding", account, binding),
        part("v1", "ConfigMap", "gitlab-ci-runner-cm", map),
        part("v1", "Secret", "gitlab-ci-token", secret),
    ]
}

/// What GitLab Runner needs in its namespace (its documentation's table), and no more.
fn rules() -> Value {
    json!([
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["create", "delete", "get", "list", "watch"]},
        {"apiGroups": [""], "resources": ["pods/attach", "pods/exec"],
         "verbs": ["create", "delete", "get", "patch"]},
        {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get", "list"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["create", "delete", "get", "update"]},
        {"apiGroups": [""], "resources": ["configmaps", "serviceaccounts"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["services"], "verbs": ["create", "get"]},
        {"apiGroups": [""], "resources": ["events"], "verbs": ["list", "watch"]},
    ])
}

/// The settings as a runner's environment would name them.
fn environment(settings: &Settings) -> Map<String, Value> {
    let mut data = Map::new();
    let mut set = |name: &str, value: String| data.insert(name.to_owned(), json!(value));
    set("RUNNER_EXECUTOR", "kubernetes".to_owned());
    set("RUNNER_REQUEST_CONCURRENCY", settings.concurrent.to_string());
    set("KUBERNETES_NAMESPACE", settings.namespace.clone());
    for name in super::ResourceName::all() {
        if let Some(quantity) = name.of(settings) {
            set(&name.to_string(), quantity.0.clone());
        }
    }
    set("KUBERNETES_POLL_INTERVAL", settings.poll_interval.as_secs().to_string());
    set("KUBERNETES_POLL_TIMEOUT", settings.poll_timeout.as_secs().to_string());
    data
}

fn object(api: &str, kind: &str, name: &str, settings: &Settings, rest: Map<String, Value>) -> Value {
    let mut object = json!({
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": name, "namespace": settings.runner_namespace},
    });
    if let Some(fields) = object.as_object_mut() {
        fields.extend(rest);
    }
    object
}

fn kind(object: &Value) -> &str {
    text(object, "/kind")
}

fn text<'o>(object: &'o Value, pointer: &str) -> &'o str {
    object.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}
