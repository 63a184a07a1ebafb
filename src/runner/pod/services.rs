//! Services of a job: containers beside the build's, found under host names that all mean 127.0.0.1.

use k8s_openapi::api::core::v1::HostAlias;

use super::names;
use crate::{
    event::{Failure, FailureReason},
    runner::{Build, build::BuildService},
};

/// A service with the name of its container.
#[derive(Debug, Clone, Copy)]
pub struct Named<'b> {
    /// The service.
    pub service: &'b BuildService,
    name: Name<'b>,
}

#[derive(Debug, Clone, Copy)]
enum Name<'b> {
    Alias(&'b str),
    /// Position among the services without such an alias.
    Index(usize),
}

impl Named<'_> {
    /// The name of the container.
    pub fn name(&self) -> String {
        match self.name {
            Name::Alias(alias) => alias.to_owned(),
            Name::Index(index) => format!("svc-{index}"),
        }
    }
}

/// The services in the order of their containers' names. A name is the first alias that is a label and not
/// taken, or `svc-<index>`.
pub fn named(build: &Build) -> Vec<Named<'_>> {
    let mut taken = vec!["build", "helper", "init-permissions"];
    let mut services: Vec<Named<'_>> = Vec::new();
    let mut nameless = 0..;
    for service in &build.services {
        let free = |alias: &&str| names::is_label(alias) && !taken.contains(alias);
        let alias = given_aliases(service).map(String::as_str).find(free);
        taken.extend(alias);
        let name = alias.map(Name::Alias).or_else(|| nameless.next().map(Name::Index));
        services.extend(name.map(|name| Named { service, name }));
    }
    services.sort_by_key(Named::name);
    services
}

/// The host names of all services.
///
/// # Errors
/// When an alias that the job gives is no host name.
pub fn host_aliases(services: &[Named<'_>]) -> Result<Option<Vec<HostAlias>>, Failure> {
    let mut hosts: Vec<String> = Vec::new();
    for named in services {
        for alias in &named.service.aliases {
            if names::is_host_name(alias) {
                if !hosts.contains(alias) {
                    hosts.push(alias.clone());
                }
            } else if given_aliases(named.service).any(|given| given == alias) {
                return Err(no_host_name(alias, named.service));
            }
        }
    }
    if hosts.is_empty() {
        return Ok(None);
    }
    Ok(Some(vec![HostAlias { ip: "127.0.0.1".to_owned(), hostnames: Some(hosts) }]))
}

fn no_host_name(alias: &str, service: &BuildService) -> Failure {
    Failure {
        reason: FailureReason::RunnerSystemFailure,
        message: format!("alias `{alias}` of service `{}` is no host name", service.image.requested),
        help: Some("a host name has lower-case letters, digits, `-` and `.`".to_owned()),
    }
}

/// The host names that a service has by its image: registry and path without port and tag, with `__` or `-`
/// for each `/`.
pub fn image_aliases(image: &str) -> Vec<String> {
    let (image, _) = image.split_once('@').unwrap_or((image, ""));
    let last = image.rfind('/').map_or(0, |at| at + 1);
    let image = image[last..].find(':').map_or(image, |at| &image[..last + at]);
    let (registry, path) = image.split_once('/').unwrap_or((image, ""));
    let registry = registry.split(':').next().unwrap_or(registry);
    let whole = if path.is_empty() { registry.to_owned() } else { format!("{registry}/{path}") };
    let mut aliases = vec![whole.replace('/', "__"), whole.replace('/', "-")];
    aliases.dedup();
    aliases
}

/// The port that a service is waited for at: `HEALTHCHECK_TCP_PORT` among its variables.
pub fn health_port(service: &BuildService) -> Option<u16> {
    let set = service.variables.iter().rev().find(|variable| variable.key == "HEALTHCHECK_TCP_PORT")?;
    set.value.trim().parse().ok().filter(|port| *port > 0)
}

/// The aliases that the job gives; those of the image come before them.
fn given_aliases(service: &BuildService) -> impl Iterator<Item = &String> {
    let of_image = image_aliases(&service.image.requested);
    let count = service.aliases.iter().zip(&of_image).take_while(|(alias, image)| alias == image).count();
    service.aliases.iter().skip(count)
}

#[cfg(test)]
mod tests {
    use super::image_aliases;

    #[test]
    fn a_service_is_found_under_the_name_of_its_image() {
        let table: [(&str, &[&str]); 6] = [
            ("postgres", &["postgres"]),
            ("postgres:16", &["postgres"]),
            ("bitnami/redis:7@sha256:abc", &["bitnami__redis", "bitnami-redis"]),
            (
                "registry.example.com/team/redis:7",
                &["registry.example.com__team__redis", "registry.example.com-team-redis"],
            ),
            ("localhost:5000/db", &["localhost__db", "localhost-db"]),
            ("localhost:5000/db:1", &["localhost__db", "localhost-db"]),
        ];
        for (image, expected) in table {
            assert_eq!(image_aliases(image), expected, "{image}");
        }
    }
}
