//! What a job's variables change of the runner's settings for its pod, as far as the runner lets them
//! (`executors/kubernetes/overwrites.go`).

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use regex::Regex;

use crate::{
    event::{Failure, FailureReason},
    runner::{
        Build, Settings,
        build::BuildVariable,
        settings::{Amount, Bound, ContainerKind, Resource, ResourceName, Resources, quantity::PATTERN},
    },
};

/// What holds for one pod.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Overwrites {
    /// Service account of the pod.
    pub service_account: Option<String>,
    /// Labels besides the runner's own.
    pub labels: BTreeMap<String, String>,
    /// Annotations that may stand in for the runner's own.
    pub annotations: BTreeMap<String, String>,
    /// Labels that the node must have.
    pub node_selector: BTreeMap<String, String>,
    /// Taints that the pod bears: `key` or `key=value`, and the effect.
    pub node_tolerations: BTreeMap<String, String>,
    /// Limits and requests of the build container.
    pub build: Resources,
    /// Those of the helper container.
    pub helper: Resources,
    /// Those of each service, in the order of [`Build::services`].
    pub services: Vec<Resources>,
    /// What the runner says of it, a line each.
    pub said: Vec<String>,
    /// What variables ask for in vain, a sentence each. The runner says nothing of these.
    pub in_vain: Vec<String>,
}

impl Overwrites {
    /// What holds for the pod of a build.
    ///
    /// # Errors
    /// When a variable asks for more than the settings allow, or for what they do not.
    pub fn of(build: &Build, settings: &Settings) -> Result<Self, Failure> {
        let variables = that_ask(&build.variables);
        let mut reader = Reader { variables: &variables, settings, found: Self::default() };
        let allowed = &settings.allowed;
        let namespace =
            reader.one("Namespace", "KUBERNETES_NAMESPACE_OVERWRITE", allowed.namespace.as_ref())?;
        if let Some(namespace) = namespace.filter(|namespace| *namespace != settings.namespace) {
            let here = &settings.namespace;
            reader
                .found
                .in_vain
                .push(format!("podline makes all pods in `{here}`, and none in `{namespace}`"));
        }
        let account = "KUBERNETES_SERVICE_ACCOUNT_OVERWRITE";
        let account = reader.one("ServiceAccount", account, allowed.service_account.as_ref())?;
        reader.found.service_account = account.or_else(|| settings.pod_service_account.clone());
        let labels = reader.map(
            "PodLabels",
            "KUBERNETES_POD_LABELS_",
            &settings.pod_labels,
            &allowed.pod_labels,
            key_value,
        )?;
        // the runner's own names stay its own
        reader.found.labels = labels.into_iter().filter(|(key, _)| !is_of_runner(key)).collect();
        reader.found.annotations = reader.map(
            "PodAnnotations",
            "KUBERNETES_POD_ANNOTATIONS_",
            &settings.pod_annotations,
            &allowed.pod_annotations,
            key_value,
        )?;
        reader.found.node_selector = reader.map(
            "NodeSelector",
            "KUBERNETES_NODE_SELECTOR_",
            &settings.node_selector,
            &allowed.node_selector,
            key_value,
        )?;
        reader.found.node_tolerations = reader.map(
            "NodeTolerations",
            "KUBERNETES_NODE_TOLERATIONS_",
            &settings.node_tolerations,
            &allowed.node_tolerations,
            toleration,
        )?;
        reader.found.build = reader.resources(ContainerKind::Build, &settings.build)?;
        let service = reader.resources(ContainerKind::Service, &settings.service)?;
        reader.found.helper = reader.resources(ContainerKind::Helper, &settings.helper)?;
        let mut found = reader.found;
        for of_service in &build.services {
            // what a service has of the job is known by now
            let mut own = that_ask(&of_service.variables);
            own.retain(|it| !variables.contains(it));
            let mut reader = Reader { variables: &own, settings, found: Self::default() };
            let resources = reader.resources(ContainerKind::Service, &service)?;
            found.services.push(resources);
            found.said.append(&mut reader.found.said);
            found.in_vain.append(&mut reader.found.in_vain);
        }
        Ok(found)
    }
}

/// The few variables that ask for something.
fn that_ask(variables: &[BuildVariable]) -> Vec<&BuildVariable> {
    variables.iter().filter(|variable| variable.key.starts_with("KUBERNETES_")).collect()
}

/// Reads what variables ask for, in the runner's order.
struct Reader<'r> {
    variables: &'r [&'r BuildVariable],
    settings: &'r Settings,
    found: Overwrites,
}

impl Reader<'_> {
    fn variable(&self, key: &str) -> Option<&str> {
        let found = self.variables.iter().rev().find(|variable| variable.key == key);
        found.map(|variable| variable.value.as_str()).filter(|value| !value.is_empty())
    }

    /// A text that one variable sets, where the settings allow texts like it.
    fn one(&mut self, field: &str, key: &str, allowed: Option<&String>) -> Result<Option<String>, Failure> {
        let Some(value) = self.variable(key).map(str::to_owned) else { return Ok(None) };
        let Some(allowed) = allowed else {
            self.in_vain(key, &format!("{key}_ALLOWED"));
            return Ok(None);
        };
        matches(allowed, &value)?;
        self.found.said.push(format!("{field:?} overwritten with {value:?}"));
        Ok(Some(value))
    }

    /// Pairs that all variables of a prefix set, over those of the settings.
    fn map(
        &mut self,
        field: &str,
        prefix: &str,
        configured: &BTreeMap<String, String>,
        allowed: &Option<String>,
        split: fn(&str) -> Result<(String, String), Failure>,
    ) -> Result<BTreeMap<String, String>, Failure> {
        let mut map = configured.clone();
        for variable in self.variables.iter().filter(|variable| variable.key.starts_with(prefix)) {
            // the runner's own setting, as its environment has it
            if variable.key.ends_with("_OVERWRITE_ALLOWED") {
                continue;
            }
            let Some(allowed) = allowed else {
                self.in_vain(&variable.key, &format!("{prefix}OVERWRITE_ALLOWED"));
                continue;
            };
            matches(allowed, &variable.value)?;
            let (key, value) = split(&variable.value)?;
            self.found.said.push(format!("{field:?} {key:?} overwritten with {value:?}"));
            map.insert(key, value);
        }
        Ok(map)
    }

    /// Limits and requests of a kind of container.
    fn resources(&mut self, container: ContainerKind, configured: &Resources) -> Result<Resources, Failure> {
        let mut resources = configured.clone();
        for bound in [Bound::Request, Bound::Limit] {
            for resource in Resource::ALL {
                let name = ResourceName { container, resource, bound, overwrite_max: false };
                if let Some(quantity) = self.quantity(name)? {
                    resources.set(resource, bound, quantity);
                }
            }
        }
        Ok(resources)
    }

    fn quantity(&mut self, name: ResourceName) -> Result<Option<Quantity>, Failure> {
        let key = name.to_string();
        let Some(wanted) = self.variable(&key).map(str::to_owned) else { return Ok(None) };
        let max_name = ResourceName { overwrite_max: true, ..name };
        let Some(max) = max_name.of(self.settings) else {
            self.in_vain(&key, &max_name.to_string());
            return Ok(None);
        };
        let bound = match name.bound {
            Bound::Limit => "limits",
            Bound::Request => "requests",
        };
        let invalid = |what: &str, help: String| {
            refused(&format!("invalid {} {bound} specified: {what}", name.container.name()), Some(help))
        };
        let Ok(amount) = Amount::parse(&wanted) else {
            let what = format!("parsing resource limit: {PATTERN:?}");
            return Err(invalid(&what, format!("write `{key}` like `500m` or `1Gi`")));
        };
        let field = name.field();
        if Some(amount) > Amount::of(max) {
            let max = &max.0;
            return Err(invalid(
                &format!("the resource {field:?} requested {wanted:?} is higher than limit allowed {max:?}"),
                format!("lower the variable `{key}`, or raise `{max_name}` of the runner"),
            ));
        }
        self.found.said.push(format!("{field:?} overwritten with {wanted:?}"));
        Ok(Some(Quantity(wanted)))
    }

    fn in_vain(&mut self, key: &str, setting: &str) {
        self.found.in_vain.push(format!("the runner ignores `{key}`: its settings have no `{setting}`"));
    }
}

/// Whether the settings allow a text.
fn matches(allowed: &str, value: &str) -> Result<(), Failure> {
    let pattern = Regex::new(allowed).map_err(|error| refused(&error.to_string(), None))?;
    match pattern.is_match(value) {
        true => Ok(()),
        false => Err(refused(&format!("provided value {value:?} does not match {allowed:?}"), None)),
    }
}

fn key_value(text: &str) -> Result<(String, String), Failure> {
    let split = text.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    split.ok_or_else(|| refused(&format!("provided value {text:?} does not match \"k=v\""), None))
}

/// `key[=value][:effect]`.
#[expect(clippy::unnecessary_wraps, reason = "one of several ways to split a value")]
fn toleration(text: &str) -> Result<(String, String), Failure> {
    let (key, effect) = text.split_once(':').unwrap_or((text, ""));
    Ok((key.to_owned(), effect.to_owned()))
}

/// Whether a label's key is in the runner's own namespace.
fn is_of_runner(key: &str) -> bool {
    let namespace = key.split_once('/').map_or("", |(namespace, _)| namespace);
    namespace == "runner.gitlab.com" || namespace.ends_with(".runner.gitlab.com")
}

fn refused(what: &str, help: Option<String>) -> Failure {
    Failure {
        reason: FailureReason::RunnerConfigurationError,
        message: format!("couldn't prepare overwrites: {what}"),
        help,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::{
        build::{BuildImage, BuildService},
        fixture::a_build,
    };

    fn variables(pairs: &[(&str, &str)]) -> Vec<BuildVariable> {
        let variable = |(key, value): &(&str, &str)| BuildVariable {
            key: (*key).to_owned(),
            value: (*value).to_owned(),
            masked: false,
            file: false,
        };
        pairs.iter().map(variable).collect()
    }

    fn quantity(text: &str) -> Option<Quantity> {
        Some(Quantity(text.to_owned()))
    }

    /// A runner that lets a job have up to 3 CPUs and 4Gi, services up to 2Gi, and some of everything else.
    fn settings() -> Settings {
        let mut settings = Settings::default();
        settings.overwrite.build.cpu_limit = quantity("3");
        settings.overwrite.build.memory_limit = quantity("4Gi");
        settings.overwrite.build.memory_request = quantity("1Gi");
        settings.overwrite.service.memory_limit = quantity("2Gi");
        settings.allowed.node_selector = Some("^pool=".to_owned());
        settings.allowed.node_tolerations = Some(".*".to_owned());
        settings.allowed.pod_labels = Some(".*".to_owned());
        settings.allowed.service_account = Some("^ci-".to_owned());
        settings.node_selector = [("disk".to_owned(), "ssd".to_owned())].into();
        settings
    }

    fn of(pairs: &[(&str, &str)]) -> Result<Overwrites, Failure> {
        let mut build = a_build(&["true"]);
        build.variables = variables(pairs);
        Overwrites::of(&build, &settings())
    }

    #[test]
    fn variables_overwrite_what_the_runner_lets_them_and_it_says_so() {
        let found = of(&[
            ("KUBERNETES_CPU_LIMIT", "2"),
            ("KUBERNETES_MEMORY_REQUEST", "64Mi"),
            ("KUBERNETES_SERVICE_ACCOUNT_OVERWRITE", "ci-build"),
            ("KUBERNETES_NODE_SELECTOR_POOL", "pool=big"),
            ("KUBERNETES_NODE_TOLERATIONS_1", "dedicated=ci:NoSchedule"),
            ("KUBERNETES_POD_LABELS_1", "team=core"),
            ("KUBERNETES_POD_LABELS_2", "job.runner.gitlab.com/pod=mine"),
        ])
        .expect("all is allowed");
        insta::assert_snapshot!(found.said.join("\n"), @r#"
        "ServiceAccount" overwritten with "ci-build"
        "PodLabels" "team" overwritten with "core"
        "PodLabels" "job.runner.gitlab.com/pod" overwritten with "mine"
        "NodeSelector" "pool" overwritten with "big"
        "NodeTolerations" "dedicated=ci" overwritten with "NoSchedule"
        "MemoryRequest" overwritten with "64Mi"
        "CPULimit" overwritten with "2"
        "#);
        assert_eq!(found.build.cpu_limit, quantity("2"));
        assert_eq!(found.build.memory_limit, quantity("1Gi"), "that of the settings");
        assert_eq!(found.labels, BTreeMap::from([("team".to_owned(), "core".to_owned())]));
        assert_eq!(found.node_selector.len(), 2);
        assert_eq!(found.in_vain, [""; 0]);
    }

    #[test]
    fn what_is_not_allowed_fails_in_the_runner_s_words() {
        let table = [
            (
                ("KUBERNETES_CPU_LIMIT", "4"),
                "invalid build limits specified: the resource \"CPULimit\" requested \"4\" is higher than limit \
                 allowed \"3\"",
            ),
            (
                ("KUBERNETES_MEMORY_REQUEST", "lots"),
                "invalid build requests specified: parsing resource limit: \"quantities must match the regular \
                 expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'\"",
            ),
            (
                ("KUBERNETES_SERVICE_MEMORY_LIMIT", "3Gi"),
                "invalid service limits specified: the resource \"ServiceMemoryLimit\" requested \"3Gi\" is higher \
                 than limit allowed \"2Gi\"",
            ),
            (
                ("KUBERNETES_NODE_SELECTOR_DISK", "disk=none"),
                "provided value \"disk=none\" does not match \"^pool=\"",
            ),
            (("KUBERNETES_POD_LABELS_A", "team"), "provided value \"team\" does not match \"k=v\""),
        ];
        for (pair, message) in table {
            let failure = of(&[pair]).expect_err("not allowed");
            assert_eq!(failure.message, format!("couldn't prepare overwrites: {message}"));
            assert_eq!(failure.reason, FailureReason::RunnerConfigurationError);
        }
    }

    #[test]
    fn what_the_settings_do_not_mention_is_ignored_and_named() {
        let found = of(&[("KUBERNETES_HELPER_CPU_LIMIT", "2"), ("KUBERNETES_POD_ANNOTATIONS_A", "a=b")]);
        let found = found.expect("ignored");
        assert_eq!((found.said.len(), found.helper, found.annotations.len()), (0, settings().helper, 0));
        assert_eq!(
            found.in_vain,
            [
                "the runner ignores `KUBERNETES_POD_ANNOTATIONS_A`: its settings have no \
                 `KUBERNETES_POD_ANNOTATIONS_OVERWRITE_ALLOWED`",
                "the runner ignores `KUBERNETES_HELPER_CPU_LIMIT`: its settings have no \
                 `KUBERNETES_HELPER_CPU_LIMIT_OVERWRITE_MAX_ALLOWED`",
            ]
        );
    }

    #[test]
    fn a_service_has_its_own_variables_over_those_of_the_job() {
        let mut build = a_build(&["true"]);
        build.variables = variables(&[("KUBERNETES_SERVICE_MEMORY_LIMIT", "512Mi")]);
        let image = |name: &str| BuildImage {
            name: name.to_owned(),
            requested: name.to_owned(),
            pull_policy: Vec::new(),
            user: None,
        };
        let service = |name: &str, variables: Vec<BuildVariable>| BuildService {
            image: image(name),
            aliases: vec![name.to_owned()],
            entrypoint: None,
            command: None,
            variables,
        };
        build.services = vec![
            service("db", variables(&[("KUBERNETES_SERVICE_MEMORY_LIMIT", "2Gi")])),
            service("cache", build.variables.clone()),
        ];
        let found = Overwrites::of(&build, &settings()).expect("allowed");
        let limits: Vec<_> = found.services.iter().map(|it| it.memory_limit.clone()).collect();
        assert_eq!(limits, [quantity("2Gi"), quantity("512Mi")]);
        assert_eq!(
            found.said,
            [
                "\"ServiceMemoryLimit\" overwritten with \"512Mi\"",
                "\"ServiceMemoryLimit\" overwritten with \"2Gi\""
            ]
        );
    }
}
