//! The pod's spec: its containers and what holds for all of them.

use std::time::Duration;

use k8s_openapi::api::core::v1::{
    Capabilities, Container, EnvVar, LocalObjectReference, PodSpec, SecurityContext, Toleration,
};

use super::{
    Overwrites, PodParts, resources,
    services::{self, Named},
    volumes,
};
use crate::{
    config::keyword::job::PullPolicy,
    event::Failure,
    runner::{
        Build, Settings,
        build::{BuildImage, BuildVariable, Look},
        settings::Resources,
    },
};

/// A working day: a pod that was forgotten ends by itself.
const LOOK: Duration = Duration::from_secs(8 * 3600);

/// Makes the containers of one pod.
struct Containers<'a> {
    build: &'a Build,
    settings: &'a Settings,
    overwrites: &'a Overwrites,
    parts: &'a PodParts<'a>,
}

pub(super) fn spec(
    build: &Build,
    settings: &Settings,
    overwrites: &Overwrites,
    parts: &PodParts<'_>,
) -> Result<PodSpec, Failure> {
    let services = services::named(build);
    let make = Containers { build, settings, overwrites, parts };
    let mut containers = vec![make.build(), make.helper()];
    containers.extend(services.iter().map(|service| make.service(service)));
    let seconds = |duration: std::time::Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX - 1);
    let token = overwrites.service_account.is_some();
    let some = |list: Vec<_>| (!list.is_empty()).then_some(list);
    let selector = &overwrites.node_selector;
    Ok(PodSpec {
        containers,
        restart_policy: Some("Never".to_owned()),
        // One second more than the job may take: the pod ends even if podline is gone by then.
        active_deadline_seconds: Some(seconds(build.timeout + look_limit(build)) + 1),
        termination_grace_period_seconds: settings.termination_grace.map(seconds),
        service_account_name: overwrites.service_account.clone(),
        automount_service_account_token: (!token).then_some(false),
        dns_policy: Some("ClusterFirst".to_owned()),
        node_selector: (!selector.is_empty()).then(|| selector.clone()),
        tolerations: some(overwrites.node_tolerations.iter().map(toleration).collect()),
        image_pull_secrets: pull_secrets(settings),
        host_aliases: services::host_aliases(&services)?,
        volumes: Some(volumes::volumes()),
        ..PodSpec::default()
    })
}

impl Containers<'_> {
    fn build(&self) -> Container {
        let image = &self.build.image;
        Container {
            command: Some(self.parts.build_command.clone()),
            env: Some(environment(self.build, &self.build.variables)),
            security_context: Some(self.security(image.user)),
            ..self.container("build", image, &self.overwrites.build)
        }
    }

    fn helper(&self) -> Container {
        let image = BuildImage {
            name: self.settings.helper_image.clone(),
            requested: self.settings.helper_image.clone(),
            pull_policy: self.settings.pull_policy.clone(),
            user: None,
        };
        Container {
            command: Some(self.parts.helper_command.clone()),
            ..self.container("helper", &image, &self.overwrites.helper)
        }
    }

    fn service(&self, named: &Named<'_>) -> Container {
        let service = named.service;
        let position = self.build.services.iter().position(|it| std::ptr::eq(it, service));
        let own = position.and_then(|at| self.overwrites.services.get(at));
        Container {
            command: service.entrypoint.clone(),
            args: service.command.clone(),
            env: Some(environment(self.build, &service.variables)),
            security_context: Some(self.security(service.image.user)),
            // An image whose command is a shell lives as long as its input is open.
            stdin: Some(true),
            ..self.container(&named.name(), &service.image, own.unwrap_or(&self.settings.service))
        }
    }

    fn container(&self, name: &str, image: &BuildImage, resources: &Resources) -> Container {
        let failed = self.parts.failed_pulls.get(name).copied().unwrap_or(0);
        let policy = image.pull_policy.get(failed).or(image.pull_policy.last());
        Container {
            name: name.to_owned(),
            image: Some(image.name.clone()),
            image_pull_policy: policy.copied().map(policy_name).map(str::to_owned),
            resources: Some(resources::requirements(resources)),
            volume_mounts: Some(volumes::mounts(self.build)),
            security_context: Some(self.security(None)),
            ..Container::default()
        }
    }

    fn security(&self, user: Option<(i64, Option<i64>)>) -> SecurityContext {
        let settings = self.settings;
        let mut drop = settings.cap_drop.clone();
        if !drop.iter().chain(&settings.cap_add).any(|capability| capability == "NET_RAW") {
            drop.push("NET_RAW".to_owned());
        }
        let some = |list: Vec<String>| (!list.is_empty()).then_some(list);
        SecurityContext {
            capabilities: Some(Capabilities { add: some(settings.cap_add.clone()), drop: some(drop) }),
            privileged: settings.privileged,
            allow_privilege_escalation: settings.allow_privilege_escalation,
            run_as_user: user.map(|(user, _)| user),
            run_as_group: user.and_then(|(_, group)| group),
            ..SecurityContext::default()
        }
    }
}

/// How long somebody may look into a pod beside the time that its job has.
pub fn look_limit(build: &Build) -> Duration {
    if build.look == Look::Never { Duration::ZERO } else { LOOK }
}

/// `key` alone bears any value, `key=value` only that.
fn toleration((key, effect): (&String, &String)) -> Toleration {
    let (key, value) = match key.split_once('=') {
        Some((key, value)) => (key, Some(value.to_owned())),
        None => (key.as_str(), None),
    };
    let operator = if value.is_some() { "Equal" } else { "Exists" };
    Toleration {
        key: (!key.is_empty()).then(|| key.to_owned()),
        operator: Some(operator.to_owned()),
        value,
        effect: (!effect.is_empty()).then(|| effect.clone()),
        toleration_seconds: None,
    }
}

fn pull_secrets(settings: &Settings) -> Option<Vec<LocalObjectReference>> {
    let names = settings.image_pull_secrets.iter();
    let secrets: Vec<_> = names.map(|name| LocalObjectReference { name: name.clone() }).collect();
    (!secrets.is_empty()).then_some(secrets)
}

/// Kubernetes' name of a pull policy.
pub fn policy_name(policy: PullPolicy) -> &'static str {
    match policy {
        PullPolicy::Always => "Always",
        PullPolicy::IfNotPresent => "IfNotPresent",
        PullPolicy::Never => "Never",
    }
}

/// The variables that may be seen in the pod; masked ones reach the job inside its script only. Kubernetes
/// takes `$$` for a dollar sign and would replace `$(NAME)`.
fn environment(build: &Build, variables: &[BuildVariable]) -> Vec<EnvVar> {
    let entry = |variable: &BuildVariable| EnvVar {
        name: variable.key.clone(),
        value: Some(build.exported(variable).replace('$', "$$")),
        value_from: None,
    };
    variables.iter().filter(|variable| !variable.masked).map(entry).collect()
}
