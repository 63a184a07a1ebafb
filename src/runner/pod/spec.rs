//! The pod's spec: its containers and what holds for all of them.

use k8s_openapi::api::core::v1::{Capabilities, Container, EnvVar, PodSpec, SecurityContext};

use super::{
    PodParts, resources,
    services::{self, Named},
    volumes,
};
use crate::{
    config::keyword::job::PullPolicy,
    event::Failure,
    runner::{
        Build, Settings,
        build::{BuildImage, BuildVariable},
        settings::ContainerKind,
    },
};

/// Makes the containers of one pod.
struct Containers<'a> {
    build: &'a Build,
    settings: &'a Settings,
    parts: &'a PodParts<'a>,
}

pub(super) fn spec(build: &Build, settings: &Settings, parts: &PodParts<'_>) -> Result<PodSpec, Failure> {
    let services = services::named(build);
    let make = Containers { build, settings, parts };
    let mut containers = vec![make.build()?, make.helper()?];
    for service in &services {
        containers.push(make.service(service)?);
    }
    let seconds = |duration: std::time::Duration| i64::try_from(duration.as_secs()).unwrap_or(i64::MAX - 1);
    let token = settings.pod_service_account.is_some();
    Ok(PodSpec {
        containers,
        restart_policy: Some("Never".to_owned()),
        // One second more than the job may take: the pod ends even if podline is gone by then.
        active_deadline_seconds: Some(seconds(build.timeout) + 1),
        termination_grace_period_seconds: settings.termination_grace.map(seconds),
        service_account_name: settings.pod_service_account.clone(),
        automount_service_account_token: (!token).then_some(false),
        dns_policy: Some("ClusterFirst".to_owned()),
        host_aliases: services::host_aliases(&services)?,
        volumes: Some(volumes::volumes()),
        ..PodSpec::default()
    })
}

impl Containers<'_> {
    fn build(&self) -> Result<Container, Failure> {
        let image = &self.build.image;
        Ok(Container {
            command: Some(self.parts.build_command.clone()),
            env: Some(environment(self.build, &self.build.variables)),
            security_context: Some(self.security(image.user)),
            ..self.container("build", ContainerKind::Build, image, &self.build.variables)?
        })
    }

    fn helper(&self) -> Result<Container, Failure> {
        let image = BuildImage {
            name: self.settings.helper_image.clone(),
            requested: self.settings.helper_image.clone(),
            pull_policy: self.settings.pull_policy.clone(),
            user: None,
        };
        Ok(Container {
            command: Some(self.parts.helper_command.clone()),
            ..self.container("helper", ContainerKind::Helper, &image, &self.build.variables)?
        })
    }

    fn service(&self, named: &Named<'_>) -> Result<Container, Failure> {
        let service = named.service;
        Ok(Container {
            command: service.entrypoint.clone(),
            args: service.command.clone(),
            env: Some(environment(self.build, &service.variables)),
            security_context: Some(self.security(service.image.user)),
            // An image whose command is a shell lives as long as its input is open.
            stdin: Some(true),
            ..self.container(&named.name(), ContainerKind::Service, &service.image, &service.variables)?
        })
    }

    fn container(
        &self,
        name: &str,
        kind: ContainerKind,
        image: &BuildImage,
        variables: &[BuildVariable],
    ) -> Result<Container, Failure> {
        let failed = self.parts.failed_pulls.get(name).copied().unwrap_or(0);
        let policy = image.pull_policy.get(failed).or(image.pull_policy.last());
        Ok(Container {
            name: name.to_owned(),
            image: Some(image.name.clone()),
            image_pull_policy: policy.copied().map(policy_name).map(str::to_owned),
            resources: Some(resources::requirements(kind, self.settings, variables)?),
            volume_mounts: Some(volumes::mounts(self.build)),
            security_context: Some(self.security(None)),
            ..Container::default()
        })
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
