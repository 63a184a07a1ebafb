//! A runner's environment (`KUBERNETES_CPU_LIMIT` and its kin) as [`Settings`].

use std::{collections::BTreeMap, str::FromStr, time::Duration};

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{
    Settings,
    manifests::Entry,
    names::{self, Known},
    quantity::Amount,
    resources::{Bound, ContainerKind, Resource, ResourceName},
};
use crate::config::{Diagnostic, Diagnostics, diagnostic::nearest, keyword::job::PullPolicy};

/// Sets what the environment of a runner says; what it does not name stays as it is.
pub(super) fn apply(environment: &[Entry], settings: &mut Settings) -> Diagnostics {
    let mut reader = Reader { settings, diagnostics: Diagnostics::default() };
    // GitLab Runner takes an empty value as none.
    for entry in environment.iter().filter(|entry| !entry.value.is_empty()) {
        match ResourceName::parse(&entry.name) {
            Some(name) => reader.resource(name, entry),
            None => reader.setting(entry),
        }
    }
    let mut diagnostics = reader.diagnostics;
    requests_within_limits(environment, settings, &mut diagnostics);
    diagnostics
}

struct Reader<'s> {
    settings: &'s mut Settings,
    diagnostics: Diagnostics,
}

impl Reader<'_> {
    fn resource(&mut self, name: ResourceName, entry: &Entry) {
        match Amount::parse(&entry.value) {
            Ok(amount) if !amount.is_negative() => {
                let quantity = Quantity(entry.value.clone());
                let resources = if name.overwrite_max {
                    self.settings.overwrite_max_mut(name.container)
                } else {
                    self.settings.resources_mut(name.container)
                };
                resources.set(name.resource, name.bound, quantity);
            }
            _ => self.not_a_quantity(name, entry),
        }
    }

    fn not_a_quantity(&mut self, name: ResourceName, entry: &Entry) {
        let help = match name.resource {
            Resource::Cpu => "CPU is written like `2`, `0.5` or `500m`",
            Resource::Memory | Resource::EphemeralStorage => "bytes are written like `512Mi`, `1Gi` or `1G`",
        };
        self.diagnostics.push(
            Diagnostic::error(
                "not-a-quantity",
                format!("`{}` of `{name}` is not a Kubernetes quantity", entry.value),
                entry.place,
            )
            .help(help),
        );
    }

    fn setting(&mut self, entry: &Entry) {
        match entry.name.as_str() {
            "KUBERNETES_IMAGE" => self.settings.image = Some(entry.value.clone()),
            "KUBERNETES_HELPER_IMAGE" => self.settings.helper_image.clone_from(&entry.value),
            "KUBERNETES_NAMESPACE" => self.namespace(entry),
            "KUBERNETES_SERVICE_ACCOUNT" => self.settings.pod_service_account = Some(entry.value.clone()),
            "KUBERNETES_PRIVILEGED" => self.settings.privileged = self.truth(entry),
            "KUBERNETES_ALLOW_PRIVILEGE_ESCALATION" => {
                self.settings.allow_privilege_escalation = self.truth(entry);
            }
            "KUBERNETES_CAP_ADD" => self.settings.cap_add = list(&entry.value),
            "KUBERNETES_CAP_DROP" => self.settings.cap_drop = list(&entry.value),
            "KUBERNETES_PULL_POLICY" => self.settings.pull_policy = self.pull_policies(entry),
            "KUBERNETES_ALLOWED_PULL_POLICIES" => {
                self.settings.allowed_pull_policies = self.pull_policies(entry);
            }
            "KUBERNETES_ALLOWED_IMAGES" => self.settings.allowed_images = list(&entry.value),
            "KUBERNETES_ALLOWED_SERVICES" => self.settings.allowed_services = list(&entry.value),
            "KUBERNETES_IMAGE_PULL_SECRETS" => self.settings.image_pull_secrets = list(&entry.value),
            "KUBERNETES_NODE_SELECTOR" => self.settings.node_selector = map(&entry.value),
            "KUBERNETES_NODE_TOLERATIONS" => self.settings.node_tolerations = map(&entry.value),
            "KUBERNETES_NAMESPACE_OVERWRITE_ALLOWED" => self.settings.allowed.namespace = self.regex(entry),
            "KUBERNETES_SERVICE_ACCOUNT_OVERWRITE_ALLOWED" => {
                self.settings.allowed.service_account = self.regex(entry);
            }
            "KUBERNETES_NODE_SELECTOR_OVERWRITE_ALLOWED" => {
                self.settings.allowed.node_selector = self.regex(entry);
            }
            "KUBERNETES_NODE_TOLERATIONS_OVERWRITE_ALLOWED" => {
                self.settings.allowed.node_tolerations = self.regex(entry);
            }
            "KUBERNETES_POD_LABELS_OVERWRITE_ALLOWED" => self.settings.allowed.pod_labels = self.regex(entry),
            "KUBERNETES_POD_ANNOTATIONS_OVERWRITE_ALLOWED" => {
                self.settings.allowed.pod_annotations = self.regex(entry);
            }
            "RUNNER_TAG_LIST" => self.settings.tags = Some(list(&entry.value)),
            "REGISTER_RUN_UNTAGGED" => {
                self.settings.run_untagged = self.truth(entry).unwrap_or(self.settings.run_untagged);
            }
            "RUNNER_PRE_GET_SOURCES_SCRIPT" => {
                self.settings.scripts.pre_get_sources = Some(entry.value.clone());
            }
            "RUNNER_POST_GET_SOURCES_SCRIPT" => {
                self.settings.scripts.post_get_sources = Some(entry.value.clone());
            }
            "RUNNER_PRE_BUILD_SCRIPT" => self.settings.scripts.pre_build = Some(entry.value.clone()),
            "RUNNER_POST_BUILD_SCRIPT" => self.settings.scripts.post_build = Some(entry.value.clone()),
            "RUNNER_OUTPUT_LIMIT" => {
                let limit = self.number(entry, "is not a number of KiB").filter(|limit| *limit > 0);
                self.settings.output_limit = limit.unwrap_or(self.settings.output_limit);
            }
            "KUBERNETES_POLL_INTERVAL" => {
                self.settings.poll_interval = self.seconds(entry).unwrap_or(self.settings.poll_interval);
            }
            "KUBERNETES_POLL_TIMEOUT" => {
                self.settings.poll_timeout = self.seconds(entry).unwrap_or(self.settings.poll_timeout);
            }
            "KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS" => {
                self.settings.termination_grace = self.seconds(entry).or(self.settings.termination_grace);
            }
            "KUBERNETES_TERMINATIONGRACEPERIODSECONDS" => self.old_termination_grace(entry),
            "RUNNER_LIMIT" => self.limit(entry),
            "RUNNER_ENV" => self.settings.environment = pairs(&entry.value),
            "RUNNER_EXECUTOR" => self.executor(entry),
            "METRICS_SERVER" => self.ignored(
                entry,
                "since 12.0",
                "the name is `LISTEN_ADDRESS` now; podline serves no metrics and needs no port",
            ),
            "REGISTRATION_TOKEN" => self.registration_token(entry),
            other => self.unused(other, entry),
        }
    }

    fn namespace(&mut self, entry: &Entry) {
        if is_label(&entry.value) {
            self.settings.namespace.clone_from(&entry.value);
        } else {
            self.diagnostics.push(
                Diagnostic::error(
                    "not-a-namespace",
                    format!("`{}` cannot be the name of a namespace", entry.value),
                    entry.place,
                )
                .help("a namespace has lower-case letters, digits and `-`, at most 63"),
            );
        }
    }

    /// The truth values that Go's `strconv.ParseBool` takes.
    fn truth(&mut self, entry: &Entry) -> Option<bool> {
        match entry.value.as_str() {
            "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
            "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
            _ => self.wrong(entry, "is neither true nor false", "write `true` or `false`"),
        }
    }

    fn seconds(&mut self, entry: &Entry) -> Option<Duration> {
        self.number(entry, "is not a number of seconds").map(Duration::from_secs)
    }

    fn number<T: FromStr>(&mut self, entry: &Entry, problem: &str) -> Option<T> {
        match entry.value.parse() {
            Ok(number) => Some(number),
            Err(_) => self.wrong(entry, problem, "write a whole number without a unit"),
        }
    }

    fn wrong<T>(&mut self, entry: &Entry, problem: &str, help: &str) -> Option<T> {
        let message = format!("`{}` of `{}` {problem}", entry.value, entry.name);
        self.diagnostics.push(Diagnostic::error("setting-invalid", message, entry.place).help(help));
        None
    }

    /// A regular expression, in Go's notation, which is Rust's.
    fn regex(&mut self, entry: &Entry) -> Option<String> {
        match regex::Regex::new(&entry.value) {
            Ok(_) => Some(entry.value.clone()),
            Err(error) => {
                let said = error.to_string();
                let last = said.lines().last().unwrap_or_default().trim_start_matches("error: ");
                self.wrong(
                    entry,
                    &format!("is not a regular expression: {last}"),
                    "without slashes, as Go takes it",
                )
            }
        }
    }

    fn pull_policies(&mut self, entry: &Entry) -> Vec<PullPolicy> {
        let words = ["always", "if-not-present", "never"];
        let mut policies = Vec::new();
        for word in list(&entry.value) {
            match word.as_str() {
                "always" => policies.push(PullPolicy::Always),
                "if-not-present" => policies.push(PullPolicy::IfNotPresent),
                "never" => policies.push(PullPolicy::Never),
                other => {
                    let folded = other.to_lowercase().replace('_', "-");
                    let kubernetes = (folded == "ifnotpresent").then_some("if-not-present");
                    let help = match kubernetes.or_else(|| nearest(&folded, words)) {
                        Some(word) => format!("did you mean `{word}`?"),
                        None => format!("it is one of `{}`", words.join("`, `")),
                    };
                    self.wrong::<()>(entry, "is not a pull policy of GitLab Runner", &help);
                }
            }
        }
        policies
    }

    fn old_termination_grace(&mut self, entry: &Entry) {
        let seconds = self.seconds(entry);
        self.settings.termination_grace = self.settings.termination_grace.or(seconds);
        self.ignored(
            entry,
            "since 17.0",
            "the name is `KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS` now; podline still obeys the old one",
        );
    }

    /// `limit` of a runner: no more jobs than that, 0 is no limit.
    fn limit(&mut self, entry: &Entry) {
        match self.number(entry, "is not a number of jobs") {
            Some(0) | None => {}
            Some(limit) => self.settings.concurrent = self.settings.concurrent.min(limit),
        }
    }

    fn executor(&mut self, entry: &Entry) {
        if entry.value != "kubernetes" {
            self.diagnostics.push(Diagnostic::warning(
                "setting-not-simulated",
                format!("podline runs jobs as the `kubernetes` executor does, not as `{}` does", entry.value),
                entry.place,
            ));
        }
    }

    fn registration_token(&mut self, entry: &Entry) {
        self.diagnostics.push(
            Diagnostic::warning(
                "setting-deprecated",
                "`REGISTRATION_TOKEN` is deprecated since GitLab 15.6",
                entry.place,
            )
            .help("create the runner in GitLab and set `CI_SERVER_TOKEN` to its `glrt-` token"),
        );
    }

    fn ignored(&mut self, entry: &Entry, since: &str, help: &str) {
        let message = format!("GitLab Runner ignores `{}` {since}", entry.name);
        self.diagnostics.push(Diagnostic::warning("setting-ignored", message, entry.place).help(help));
    }

    /// A name that podline does not act on.
    fn unused(&mut self, name: &str, entry: &Entry) {
        let of_runner = name.starts_with("KUBERNETES_") || name.starts_with("RUNNER_");
        if !of_runner || names::OBEYED.contains(&name) {
            return;
        }
        match names::known(name) {
            Some(Known::Meaningless) => {}
            Some(Known::NotSimulated) => self.diagnostics.push(Diagnostic::warning(
                "setting-not-simulated",
                format!("podline does not act on `{name}`"),
                entry.place,
            )),
            None => self.unknown(name, entry),
        }
    }

    /// Names that start with `RUNNER_` may be a start script's own; `KUBERNETES_` names are not.
    fn unknown(&mut self, name: &str, entry: &Entry) {
        if !name.starts_with("KUBERNETES_") {
            return;
        }
        let resources: Vec<String> = ResourceName::all().map(|name| name.to_string()).collect();
        let settings: Vec<&str> = names::candidates().collect();
        let meant = nearest(name, settings.into_iter().chain(resources.iter().map(String::as_str)));
        let message = format!("GitLab Runner knows no `{name}`");
        let mut diagnostic = Diagnostic::warning("setting-unknown", message, entry.place);
        if let Some(meant) = meant {
            diagnostic = diagnostic.help(format!("did you mean `{meant}`?"));
        }
        self.diagnostics.push(diagnostic);
    }
}

/// Kubernetes refuses a pod that asks for more than it may have.
fn requests_within_limits(environment: &[Entry], settings: &Settings, diagnostics: &mut Diagnostics) {
    for container in ContainerKind::ALL {
        for resource in Resource::ALL {
            let name = |bound| ResourceName { container, resource, bound, overwrite_max: false };
            let value = |bound| name(bound).of(settings).and_then(Amount::of);
            let (Some(limit), Some(request)) = (value(Bound::Limit), value(Bound::Request)) else { continue };
            if request <= limit {
                continue;
            }
            let (limit, request) = (name(Bound::Limit), name(Bound::Request));
            let place = |name: ResourceName| {
                let entry = environment.iter().find(|entry| entry.name == name.to_string());
                entry.and_then(|entry| entry.place)
            };
            let message = format!("`{request}` is above `{limit}`: Kubernetes refuses such a pod");
            let mut diagnostic = Diagnostic::error("request-above-limit", message, place(request));
            if let Some(place) = place(limit) {
                diagnostic = diagnostic.related(place, "the limit");
            }
            diagnostics.push(diagnostic.help("raise the limit or lower the request"));
        }
    }
}

/// A list as GitLab Runner takes it from the environment: with commas.
fn list(value: &str) -> Vec<String> {
    value.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// `key:value` pairs with commas between.
fn map(value: &str) -> BTreeMap<String, String> {
    let pair = |item: String| {
        let (key, value) = item.split_once(':').unwrap_or((&item, ""));
        (key.to_owned(), value.to_owned())
    };
    list(value).into_iter().map(pair).collect()
}

/// `NAME=VALUE` pairs with commas between.
fn pairs(value: &str) -> Vec<(String, String)> {
    let pair = |item: String| item.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
    list(value).into_iter().filter_map(pair).collect()
}

/// Whether a text is an RFC 1123 label, as names of namespaces are.
fn is_label(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty()
        && text.len() <= 63
        && text.chars().all(inside)
        && !text.starts_with('-')
        && !text.ends_with('-')
}
