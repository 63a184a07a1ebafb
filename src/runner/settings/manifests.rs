//! The manifests of a runner's deployment: which runners there are and what their environment says.

use k8s_openapi::api::core::v1::{ConfigMap, Container, EnvFromSource, EnvVar, EnvVarSource, Secret};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{
    document::{Document, pointer_step},
    start_script,
};
use crate::config::{Diagnostic, Diagnostics, Span};

/// The objects of a runner's deployment, in the order they were read.
#[derive(Debug, Clone, Default)]
pub struct Manifests {
    /// The objects, brought to today's API versions.
    pub documents: Vec<Document>,
}

/// A variable of the runner's environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
    /// Where the value was written.
    pub place: Option<Span>,
}

/// What a deployment says of its runners besides their environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Name of the StatefulSet or Deployment.
    pub name: String,
    /// How many runners there are.
    pub replicas: usize,
    /// Service account of the runners.
    pub service_account: Option<String>,
    /// `metadata.namespace`.
    pub namespace: Option<String>,
}

/// More runners than any laptop has room for: a slip of the finger must not fill the memory with names.
const MAX_REPLICAS: usize = 1000;

impl Manifests {
    /// The StatefulSet or Deployment that runs the runners.
    pub fn workload(&self) -> Option<&Document> {
        let workloads = || self.documents.iter().filter(|d| matches!(d.kind(), "StatefulSet" | "Deployment"));
        let runs_runner = |document: &&Document| runner_container(document).is_some_and(|(_, named)| named);
        workloads().find(runs_runner).or_else(|| workloads().next())
    }

    /// What the deployment says of its runners.
    pub fn deployment(&self, diagnostics: &mut Diagnostics) -> Option<Deployment> {
        let workload = self.workload()?;
        let replicas = workload.value.pointer("/spec/replicas").map_or(Some(1), Value::as_u64);
        if replicas.is_none_or(|replicas| replicas == 0) {
            diagnostics.push(
                Diagnostic::warning(
                    "no-replicas",
                    format!("`{}` has no replicas, so no runner would run", workload.name()),
                    workload.place("/spec/replicas"),
                )
                .help("podline takes one"),
            );
        }
        let pod = "/spec/template/spec";
        let account = ["serviceAccountName", "serviceAccount"]
            .iter()
            .find_map(|name| workload.text(&format!("{pod}/{name}")));
        Some(Deployment {
            name: workload.name().to_owned(),
            replicas: usize::try_from(replicas.unwrap_or(1)).unwrap_or(MAX_REPLICAS).clamp(1, MAX_REPLICAS),
            service_account: account.map(str::to_owned),
            namespace: workload.text("/metadata/namespace").map(str::to_owned),
        })
    }

    /// The environment of the runner's container; without a workload, what the ConfigMaps say.
    pub fn environment(&self, diagnostics: &mut Diagnostics) -> Vec<Entry> {
        let mut entries = match self.workload() {
            Some(workload) => Reader { manifests: self, workload, diagnostics }.environment(),
            None => self.of_kind("ConfigMap").flat_map(entries_of).collect(),
        };
        // As in a container's environment, the last one of a name counts.
        let mut seen = std::collections::HashSet::new();
        entries.reverse();
        entries.retain(|entry| seen.insert(entry.name.clone()));
        entries.reverse();
        entries
    }

    /// `concurrent`, as a start script or a `config.toml` in one of the ConfigMaps sets it.
    pub fn concurrent(&self, environment: &[Entry]) -> Option<start_script::Concurrent> {
        let texts = self.of_kind("ConfigMap").flat_map(entries_of);
        let found = texts.filter_map(|entry| start_script::concurrent(&entry, environment));
        found.last()
    }

    /// The `config.toml`s, or templates of it, that ConfigMaps hold.
    pub fn config_files(&self) -> impl Iterator<Item = Entry> {
        self.of_kind("ConfigMap").flat_map(entries_of).filter(|entry| entry.name.ends_with(".toml"))
    }

    /// The objects of a kind.
    pub fn of_kind(&self, kind: &'static str) -> impl Iterator<Item = &Document> {
        self.documents.iter().filter(move |document| document.kind() == kind)
    }

    fn find(&self, kind: &'static str, name: &str) -> Option<&Document> {
        self.of_kind(kind).find(|document| document.name() == name)
    }
}

/// The index of the container that is the runner, and whether its image says so.
fn runner_container(workload: &Document) -> Option<(usize, bool)> {
    let containers = workload.value.pointer("/spec/template/spec/containers")?.as_array()?;
    let is_runner = |container: &Value| {
        let image = container.get("image").and_then(Value::as_str).unwrap_or_default();
        image.contains("gitlab-runner") || image.contains("gitlab-ci-multi-runner")
    };
    match containers.iter().position(is_runner) {
        Some(at) => Some((at, true)),
        None => (!containers.is_empty()).then_some((0, false)),
    }
}

/// The entries of a ConfigMap or Secret with their places.
fn entries_of(document: &Document) -> Vec<Entry> {
    match document.kind() {
        "Secret" => secret_entries(document),
        _ => {
            let data = document.value.get("data").and_then(Value::as_object);
            let entry = |(name, value): (&String, &Value)| Entry {
                name: name.clone(),
                // A value without its quotes has a diagnostic of its own, see `unquoted`.
                value: value.as_str().map_or_else(|| value.to_string(), str::to_owned),
                place: document.place(&format!("/data{}", pointer_step(name))),
            };
            data.into_iter().flatten().map(entry).collect()
        }
    }
}

fn secret_entries(document: &Document) -> Vec<Entry> {
    let Ok(secret) = serde_json::from_value::<Secret>(document.value.clone()) else { return Vec::new() };
    let data = secret.data.unwrap_or_default().into_iter();
    let data = data.map(|(name, bytes)| (name, String::from_utf8_lossy(&bytes.0).into_owned(), "/data"));
    let plain = secret.string_data.unwrap_or_default().into_iter();
    let plain = plain.map(|(name, value)| (name, value, "/stringData"));
    data.chain(plain)
        .map(|(name, value, under)| Entry {
            place: document.place(&format!("{under}{}", pointer_step(&name))),
            name,
            value,
        })
        .collect()
}

/// Reads the environment of the runner's container.
struct Reader<'a> {
    manifests: &'a Manifests,
    workload: &'a Document,
    diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn environment(&mut self) -> Vec<Entry> {
        let Some((at, _)) = runner_container(self.workload) else { return Vec::new() };
        let pointer = format!("/spec/template/spec/containers/{at}");
        let Some(container) = self.typed::<Container>(&pointer) else { return Vec::new() };
        let mut entries = Vec::new();
        for (at, source) in container.env_from.iter().flatten().enumerate() {
            entries.extend(self.whole(source, &format!("{pointer}/envFrom/{at}")));
        }
        for (at, variable) in container.env.iter().flatten().enumerate() {
            entries.extend(self.single(variable, &format!("{pointer}/env/{at}")));
        }
        entries
    }

    /// A part of the workload as Kubernetes' type.
    fn typed<T: DeserializeOwned>(&mut self, pointer: &str) -> Option<T> {
        let value = self.workload.value.pointer(pointer)?.clone();
        match serde_json::from_value(value) {
            Ok(typed) => Some(typed),
            Err(error) => {
                self.diagnostics.push(Diagnostic::error(
                    "manifest-invalid",
                    format!("Kubernetes would refuse this: {error}"),
                    self.workload.place(pointer),
                ));
                None
            }
        }
    }

    /// The entries that one of `envFrom` brings.
    fn whole(&mut self, source: &EnvFromSource, pointer: &str) -> Vec<Entry> {
        let prefix = source.prefix.clone().unwrap_or_default();
        let map = source.config_map_ref.as_ref();
        let secret = source.secret_ref.as_ref();
        let (kind, name, optional) = match (map, secret) {
            (Some(map), _) => ("ConfigMap", &map.name, map.optional),
            (None, Some(secret)) => ("Secret", &secret.name, secret.optional),
            (None, None) => return Vec::new(),
        };
        let mut entries = self.entries(kind, name, optional, pointer);
        for entry in &mut entries {
            entry.name.insert_str(0, &prefix);
        }
        entries
    }

    /// The entry that one of `env` brings.
    fn single(&mut self, variable: &EnvVar, pointer: &str) -> Option<Entry> {
        let name = variable.name.clone();
        if let Some(value) = &variable.value {
            let place = self.workload.place(&format!("{pointer}/value"));
            return Some(Entry { name, value: value.clone(), place });
        }
        let EnvVarSource { config_map_key_ref, secret_key_ref, field_ref, .. } =
            variable.value_from.as_ref()?;
        if let Some(field) = field_ref {
            return Some(Entry { name, value: self.field(&field.field_path)?, place: None });
        }
        let (kind, object, key, optional) = match (config_map_key_ref, secret_key_ref) {
            (Some(map), _) => ("ConfigMap", &map.name, &map.key, map.optional),
            (None, Some(secret)) => ("Secret", &secret.name, &secret.key, secret.optional),
            (None, None) => return None,
        };
        let entries = self.entries(kind, object, optional, pointer);
        let entry = entries.into_iter().find(|entry| entry.name == *key)?;
        Some(Entry { name, ..entry })
    }

    fn entries(
        &mut self,
        kind: &'static str,
        name: &str,
        optional: Option<bool>,
        pointer: &str,
    ) -> Vec<Entry> {
        match self.manifests.find(kind, name) {
            Some(document) => entries_of(document),
            None => {
                if optional != Some(true) {
                    self.diagnostics.push(
                        Diagnostic::warning(
                            "manifest-missing",
                            format!("the manifests have no {kind} `{name}`, so its settings are not known"),
                            self.workload.place(pointer),
                        )
                        .help("put its manifest beside the others"),
                    );
                }
                Vec::new()
            }
        }
    }

    /// What the downward API gives the first replica.
    fn field(&self, path: &str) -> Option<String> {
        match path {
            "metadata.name" => Some(format!("{}-0", self.workload.name())),
            "metadata.namespace" => self.workload.text("/metadata/namespace").map(str::to_owned),
            "spec.serviceAccountName" => {
                self.workload.text("/spec/template/spec/serviceAccountName").map(str::to_owned)
            }
            _ => None,
        }
    }
}

/// What Kubernetes itself would refuse in the manifests that podline reads.
pub fn check(manifests: &Manifests) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    for document in &manifests.documents {
        let problem = match document.kind() {
            "ConfigMap" => unquoted(document, &mut diagnostics),
            "Secret" => refused::<Secret>(document),
            _ => None,
        };
        if let Some(problem) = problem {
            let message =
                format!("Kubernetes would refuse {} `{}`: {problem}", document.kind(), document.name());
            diagnostics.push(Diagnostic::error("manifest-invalid", message, document.place("/metadata")));
        }
    }
    diagnostics
}

/// Numbers and truth values in a ConfigMap, each with its place, which its type allows only as text.
fn unquoted(document: &Document, diagnostics: &mut Diagnostics) -> Option<String> {
    let data = document.value.get("data").and_then(Value::as_object);
    let mut found = false;
    for (key, value) in data.into_iter().flatten().filter(|(_, value)| !value.is_string()) {
        found = true;
        diagnostics.push(
            Diagnostic::error(
                "manifest-not-a-string",
                format!("`{key}` is not a string, and Kubernetes takes nothing else in a ConfigMap"),
                document.place(&format!("/data{}", pointer_step(key))),
            )
            .help(format!("put it in quotes: `{key}: \"{value}\"`")),
        );
    }
    if found { None } else { refused::<ConfigMap>(document) }
}

fn refused<T: DeserializeOwned>(document: &Document) -> Option<String> {
    serde_json::from_value::<T>(document.value.clone()).err().map(|error| error.to_string())
}
