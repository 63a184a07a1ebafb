//! A runner's `config.toml`: its keys are the variables that `gitlab-runner register` reads, in lower case.

use std::{collections::BTreeMap, ops::Range};

use toml::de::{DeTable, DeValue};

use super::{Settings, environment, manifests::Entry};
use crate::config::{Diagnostic, Diagnostics, SourceId, Sources, Span};

/// Tables of `[runners.kubernetes]` that are no settings with a name of their own in the environment.
const MAPS: [&str; 4] = ["node_selector", "node_tolerations", "pod_labels", "pod_annotations"];

/// Keys of a runner that say nothing of how its jobs run: how it reaches GitLab, and when it asks for work.
const OF_CONNECTION: [&str; 12] = [
    "id",
    "url",
    "clone_url",
    "token",
    "token_obtained_at",
    "token_expires_at",
    "tls-ca-file",
    "tls-cert-file",
    "tls-key-file",
    "request_concurrency",
    "unhealthy_requests_limit",
    "unhealthy_interval",
];

/// Keys of `[runners.kubernetes]` whose variable has another name.
const RENAMED: [(&str, &str); 3] = [
    ("context", "KUBERNETES_HOST"),
    ("retry_limit", "KUBERNETES_REQUEST_RETRY_LIMIT"),
    ("retry_backoff_max", "KUBERNETES_REQUEST_RETRY_BACKOFF_MAX"),
];

/// Keys of `[runners.docker]` that mean the same for pods.
const OF_DOCKER: [&str; 8] = [
    "image",
    "helper_image",
    "privileged",
    "pull_policy",
    "allowed_pull_policies",
    "allowed_images",
    "allowed_services",
    "cap_add",
];

type Table<'t> = DeTable<'t>;

/// Sets what a file says; what it does not name stays as it is.
pub(super) fn apply(source: SourceId, sources: &Sources, settings: &mut Settings) -> Diagnostics {
    let mut file = File { source, settings, entries: Vec::new(), diagnostics: Diagnostics::default() };
    match DeTable::parse(&sources.get(source).text) {
        Ok(table) => file.read(table.get_ref()),
        Err(error) => {
            let place = error.span().map(|range| file.place(range));
            let message = format!("this is not TOML: {}", error.message());
            file.diagnostics.push(Diagnostic::error("config-not-toml", message, place));
        }
    }
    let File { entries, mut diagnostics, .. } = file;
    let plain: Vec<Entry> = entries.iter().map(|entry| entry.entry.clone()).collect();
    for mut diagnostic in environment::apply(&plain, settings).iter().cloned() {
        in_words_of_the_file(&mut diagnostic, &entries);
        diagnostics.push(diagnostic);
    }
    diagnostics
}

/// A setting under the name that the environment has for it, and the key that the file has.
struct Keyed {
    entry: Entry,
    key: String,
}

struct File<'f> {
    source: SourceId,
    settings: &'f mut Settings,
    entries: Vec<Keyed>,
    diagnostics: Diagnostics,
}

impl File<'_> {
    fn read(&mut self, file: &Table<'_>) {
        if let Some(concurrent) = file.get("concurrent") {
            match text(concurrent.get_ref()).and_then(|text| text.parse().ok()).filter(|jobs| *jobs > 0) {
                Some(jobs) => self.settings.concurrent = jobs,
                None => {
                    let place = self.place(concurrent.span());
                    let message = "`concurrent` is not a number of jobs";
                    self.diagnostics.push(
                        Diagnostic::error("setting-invalid", message, place)
                            .help("write a whole number from 1"),
                    );
                }
            }
        }
        let runners = file.get("runners").and_then(|runners| runners.get_ref().as_array());
        let tables: Vec<_> = runners
            .into_iter()
            .flat_map(|runners| runners.iter())
            .filter_map(|runner| Some((runner.get_ref().as_table()?, runner.span())))
            .collect();
        let is_kubernetes = |table: &Table<'_>| table.contains_key("kubernetes");
        let chosen = tables.iter().position(|(table, _)| is_kubernetes(table)).unwrap_or(0);
        for (at, (table, span)) in tables.iter().enumerate() {
            if at == chosen {
                self.runner(table);
            } else {
                let name = table.get("name").and_then(|name| name.get_ref().as_str()).unwrap_or("unnamed");
                let message =
                    format!("podline simulates one runner of a `config.toml`: `{name}` is left out");
                self.not_simulated(message, span.clone());
            }
        }
        if tables.is_empty() {
            let message = "the file has no `[[runners]]`: one with GitLab Runner's own defaults is taken";
            self.diagnostics.push(Diagnostic::warning("no-runner", message, None));
        }
    }

    fn runner(&mut self, runner: &Table<'_>) {
        if let Some(name) = runner.get("name").and_then(|name| name.get_ref().as_str()) {
            self.settings.runners = vec![name.to_owned()];
        }
        for (key, value) in runner {
            let (name, value, span) = (key.get_ref().as_ref(), value.get_ref(), value.span());
            match (name, value) {
                ("name", _) => {}
                (name, _) if OF_CONNECTION.contains(&name) => {}
                ("kubernetes", DeValue::Table(table)) => self.kubernetes(table),
                ("docker", DeValue::Table(table)) if !runner.contains_key("kubernetes") => self.docker(table),
                ("environment", DeValue::Array(list)) => {
                    let words = list.iter().filter_map(|word| word.get_ref().as_str());
                    let pairs = words.filter_map(|word| word.split_once('='));
                    let pairs = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
                    self.settings.environment.extend(pairs);
                }
                ("feature_flags", DeValue::Table(flags)) => {
                    let pairs = flags.iter().filter_map(|(flag, on)| {
                        Some((flag.get_ref().as_ref().to_owned(), text(on.get_ref())?))
                    });
                    self.settings.environment.extend(pairs);
                }
                (_, DeValue::Table(table)) if is_empty(table) => {}
                (_, DeValue::Table(_)) => {
                    self.not_simulated(format!("podline does not act on `[runners.{name}]`"), key.span());
                }
                _ => self.entry(&format!("RUNNER_{}", name.to_uppercase()), name, value, span),
            }
        }
    }

    fn kubernetes(&mut self, table: &Table<'_>) {
        for (key, value) in table {
            let (name, value, span) = (key.get_ref().as_ref(), value.get_ref(), value.span());
            match value {
                DeValue::Table(pairs) if MAPS.contains(&name) => {
                    let pairs = pairs.iter();
                    let pairs: BTreeMap<String, String> = pairs
                        .filter_map(|(key, value)| {
                            Some((key.get_ref().as_ref().to_owned(), text(value.get_ref())?))
                        })
                        .collect();
                    match name {
                        "node_selector" => self.settings.node_selector = pairs,
                        "node_tolerations" => self.settings.node_tolerations = pairs,
                        "pod_labels" => self.settings.pod_labels = pairs,
                        _ => self.settings.pod_annotations = pairs,
                    }
                }
                DeValue::Table(table) if is_empty(table) => {}
                DeValue::Table(_) => self.not_simulated(
                    format!("podline does not act on `[runners.kubernetes.{name}]`"),
                    key.span(),
                ),
                DeValue::Array(list) if list.iter().any(|item| item.get_ref().is_table()) => self
                    .not_simulated(
                        format!("podline does not act on `[[runners.kubernetes.{name}]]`"),
                        key.span(),
                    ),
                _ => {
                    let renamed =
                        RENAMED.iter().find(|(key, _)| *key == name).map(|(_, name)| (*name).to_owned());
                    let variable = renamed.unwrap_or_else(|| format!("KUBERNETES_{}", name.to_uppercase()));
                    self.entry(&variable, name, value, span);
                }
            }
        }
    }

    /// What a runner that starts containers says of them holds for pods, too.
    fn docker(&mut self, table: &Table<'_>) {
        for (key, value) in table {
            let (name, value, span) = (key.get_ref().as_ref(), value.get_ref(), value.span());
            match name {
                "cpus" => self.entry("KUBERNETES_CPU_LIMIT", name, value, span),
                // Docker's `m` are mebibytes, Kubernetes' are thousandths
                "memory" => {
                    let memory = value.as_str().unwrap_or_default();
                    let memory = match memory.strip_suffix(['b', 'k', 'm', 'g']) {
                        Some(number) if memory.ends_with('b') => number.to_owned(),
                        Some(number) => format!("{number}{}i", memory[number.len()..].to_uppercase()),
                        None => memory.to_owned(),
                    };
                    self.push("KUBERNETES_MEMORY_LIMIT", name, memory, span);
                }
                name if OF_DOCKER.contains(&name) => {
                    self.entry(&format!("KUBERNETES_{}", name.to_uppercase()), name, value, span);
                }
                _ if means_nothing(value) => {}
                _ => self.not_simulated(
                    format!("podline does not act on `{name}` of `[runners.docker]`"),
                    key.span(),
                ),
            }
        }
    }

    fn entry(&mut self, variable: &str, key: &str, value: &DeValue<'_>, span: Range<usize>) {
        let value = match value {
            DeValue::Array(list) => {
                list.iter().filter_map(|item| text(item.get_ref())).collect::<Vec<_>>().join(",")
            }
            // `false` and 0 are what Go has where nothing is set
            value if means_nothing(value) && !variable.starts_with("KUBERNETES_PRIVILEGED") => return,
            value => text(value).unwrap_or_default(),
        };
        self.push(variable, key, value, span);
    }

    fn push(&mut self, variable: &str, key: &str, value: String, span: Range<usize>) {
        let entry = Entry { name: variable.to_owned(), value, place: Some(self.place(span)) };
        self.entries.push(Keyed { entry, key: key.to_owned() });
    }

    fn not_simulated(&mut self, message: String, span: Range<usize>) {
        let place = self.place(span);
        self.diagnostics.push(Diagnostic::warning("setting-not-simulated", message, place));
    }

    fn place(&self, range: Range<usize>) -> Span {
        Span::new(self.source, range)
    }
}

/// The environment's names are not what the user has written.
fn in_words_of_the_file(diagnostic: &mut Diagnostic, entries: &[Keyed]) {
    for Keyed { entry, key } in entries {
        diagnostic.message = diagnostic.message.replace(&format!("`{}`", entry.name), &format!("`{key}`"));
    }
    if let Some(name) =
        diagnostic.help.as_deref().and_then(|help| help.strip_prefix("did you mean `KUBERNETES_"))
    {
        diagnostic.help = Some(format!("did you mean `{}", name.to_lowercase()));
    }
}

/// A scalar as the environment would have it.
fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.as_str().to_owned()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Datetime(time) => Some(time.to_string()),
        DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// Whether a value is what Go has where nothing is set; `register` writes those, too.
fn means_nothing(value: &DeValue<'_>) -> bool {
    match value {
        DeValue::Table(table) => is_empty(table),
        DeValue::Array(list) => list.is_empty(),
        value => text(value).is_none_or(|text| matches!(text.as_str(), "" | "0" | "false")),
    }
}

fn is_empty(table: &Table<'_>) -> bool {
    table.values().all(|value| means_nothing(value.get_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keyword::job::PullPolicy;

    /// The settings of a file, and what is said of it.
    fn read(text: &str) -> (Settings, String) {
        let mut sources = Sources::default();
        let id = sources.add("config.toml", text);
        let mut settings = Settings::unset();
        let found = apply(id, &sources, &mut settings);
        let line = |diagnostic: &&Diagnostic| {
            let place = diagnostic.span.map(|span| sources.locate(span).to_string()).unwrap_or_default();
            let help = diagnostic.help.as_ref().map(|help| format!(" (help: {help})")).unwrap_or_default();
            format!("{place}: {}: {}{help}", diagnostic.code, diagnostic.message)
        };
        let lines: Vec<String> = found.sorted().iter().map(line).collect();
        (settings, lines.join("\n"))
    }

    fn quantity(quantity: Option<&k8s_openapi::apimachinery::pkg::api::resource::Quantity>) -> &str {
        quantity.map_or("", |quantity| quantity.0.as_str())
    }

    #[test]
    fn what_register_writes_is_read_without_a_word() {
        let (settings, said) = read(
            r#"
concurrent = 4
check_interval = 0
shutdown_timeout = 0
[session_server]
  session_timeout = 1800
[[runners]]
  name = "gitlab-ci-runner-0"
  request_concurrency = 4
  limit = 3
  url = "https://gitlab.example.com/"
  id = 7
  token = "abcdefghij0123456789"
  token_obtained_at = 2026-11-22T16:06:36Z
  executor = "kubernetes"
  environment = ["PROXY=http://proxy:3128,x", "LANG=C.UTF-8"]
  pre_build_script = "umask 022"
  [runners.cache]
    MaxUploadedArchiveSize = 0
    [runners.cache.s3]
      AssumeRoleMaxConcurrency = 0
  [runners.kubernetes]
    host = ""
    bearer_token_overwrite_allowed = false
    image = "debian:bookworm"
    namespace = "ci"
    namespace_overwrite_allowed = ""
    privileged = true
    cpu_limit = "1"
    memory_limit = "1Gi"
    memory_limit_overwrite_max_allowed = "4Gi"
    helper_cpu_limit = "500m"
    service_memory_request = "64Mi"
    pull_policy = ["always", "if-not-present"]
    allowed_images = ["debian:*", "busybox:*"]
    poll_interval = 5
    poll_timeout = 360
    node_selector_overwrite_allowed = "^pool="
    [runners.kubernetes.node_selector]
      "kubernetes.io/arch" = "amd64"
    [runners.kubernetes.pod_annotations]
      "example.com/note" = "a, b"
    [runners.kubernetes.pod_security_context]
      [runners.kubernetes.pod_security_context.seccomp_profile]
    [runners.kubernetes.volumes]
"#,
        );
        assert_eq!(said, "");
        assert_eq!((settings.runners.join(","), settings.concurrent), ("gitlab-ci-runner-0".to_owned(), 3));
        assert_eq!((settings.namespace.as_str(), settings.image.as_deref()), ("ci", Some("debian:bookworm")));
        assert_eq!(settings.privileged, Some(true));
        assert_eq!(quantity(settings.build.cpu_limit.as_ref()), "1");
        assert_eq!(quantity(settings.overwrite.build.memory_limit.as_ref()), "4Gi");
        assert_eq!(quantity(settings.helper.cpu_limit.as_ref()), "500m");
        assert_eq!(quantity(settings.service.memory_request.as_ref()), "64Mi");
        assert_eq!(settings.pull_policy, [PullPolicy::Always, PullPolicy::IfNotPresent]);
        assert_eq!(settings.allowed_images, ["debian:*", "busybox:*"]);
        assert_eq!(settings.poll_timeout.as_secs(), 360);
        assert_eq!(settings.allowed.node_selector.as_deref(), Some("^pool="));
        assert_eq!(settings.node_selector["kubernetes.io/arch"], "amd64");
        assert_eq!(settings.pod_annotations["example.com/note"], "a, b");
        assert_eq!(settings.scripts.pre_build.as_deref(), Some("umask 022"));
        assert_eq!(settings.environment[0], ("PROXY".to_owned(), "http://proxy:3128,x".to_owned()));
    }

    #[test]
    fn all_mistakes_are_said_at_their_places_in_the_words_of_the_file() {
        let (_, said) = read(
            r#"
concurrent = "many"
[[runners]]
  executor = "kubernetes"
  builds_dir = "/data"
  [runners.kubernetes]
    cpu_limit = "1cpu"
    memory_limits = "1Gi"
    pull_policy = "IfNotPresent"
    node_selector_overwrite_allowed = "(["
    [[runners.kubernetes.volumes.host_path]]
      name = "docker"
[[runners]]
  name = "second"
  [runners.kubernetes]
"#,
        );
        insta::assert_snapshot!(said, @r"
        config.toml:2:14: setting-invalid: `concurrent` is not a number of jobs (help: write a whole number from 1)
        config.toml:5:16: setting-not-simulated: podline does not act on `builds_dir`
        config.toml:7:17: not-a-quantity: `1cpu` of `cpu_limit` is not a Kubernetes quantity (help: CPU is written like `2`, `0.5` or `500m`)
        config.toml:8:21: setting-unknown: GitLab Runner knows no `memory_limits` (help: did you mean `memory_limit`?)
        config.toml:9:19: setting-invalid: `IfNotPresent` of `pull_policy` is not a pull policy of GitLab Runner (help: did you mean `if-not-present`?)
        config.toml:10:39: setting-invalid: `([` of `node_selector_overwrite_allowed` is not a regular expression: unclosed character class (help: without slashes, as Go takes it)
        config.toml:11:26: setting-not-simulated: podline does not act on `[runners.kubernetes.volumes]`
        config.toml:13:1: setting-not-simulated: podline simulates one runner of a `config.toml`: `second` is left out
        ");
        let (_, said) = read("concurrent = [");
        assert!(said.contains("config-not-toml"), "{said}");
    }

    #[test]
    fn of_a_runner_that_starts_containers_what_applies_is_taken() {
        let (settings, said) = read(
            r#"
concurrent = 2
[[runners]]
  name = "laptop"
  executor = "docker"
  [runners.docker]
    image = "ruby:3.3"
    privileged = false
    memory = "512m"
    cpus = "2"
    disable_cache = false
    volumes = ["/cache"]
"#,
        );
        assert_eq!(settings.image.as_deref(), Some("ruby:3.3"));
        assert_eq!(quantity(settings.build.memory_limit.as_ref()), "512Mi");
        assert_eq!(quantity(settings.build.cpu_limit.as_ref()), "2");
        insta::assert_snapshot!(said, @r"
        config.toml:5:14: setting-not-simulated: podline runs jobs as the `kubernetes` executor does, not as `docker` does
        config.toml:12:5: setting-not-simulated: podline does not act on `volumes` of `[runners.docker]`
        ");
    }
}
