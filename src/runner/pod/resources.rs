//! Limits and requests of a container: the runner's settings, what the job's variables overwrite, and
//! requests small enough for a laptop.

use std::collections::BTreeMap;

use k8s_openapi::{api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource::Quantity};

use crate::{
    event::{Failure, FailureReason},
    runner::{
        build::BuildVariable,
        settings::{
            Amount, Bound, ContainerKind, Resource, ResourceName, Settings, concurrency::small_request,
        },
    },
};

/// Limits and requests of a container of a job with these variables.
///
/// A limit without a request would make Kubernetes set the whole limit aside, so a small request takes its
/// place. A request is never above the limit.
///
/// # Errors
/// When a variable asks for more than the settings allow, or for what is no quantity.
pub fn requirements(
    kind: ContainerKind,
    settings: &Settings,
    variables: &[BuildVariable],
) -> Result<ResourceRequirements, Failure> {
    let (mut limits, mut requests) = (BTreeMap::new(), BTreeMap::new());
    for resource in Resource::ALL {
        let limit = effective(kind, resource, Bound::Limit, settings, variables)?;
        let named = effective(kind, resource, Bound::Request, settings, variables)?;
        let key = resource.kubernetes().to_owned();
        if let Some(request) = request(resource, named, limit.as_ref()) {
            requests.insert(key.clone(), request);
        }
        limits.extend(limit.map(|limit| (key, limit)));
    }
    let some = |map: BTreeMap<_, _>| (!map.is_empty()).then_some(map);
    Ok(ResourceRequirements {
        limits: some(limits),
        requests: some(requests),
        ..ResourceRequirements::default()
    })
}

fn request(resource: Resource, named: Option<Quantity>, limit: Option<&Quantity>) -> Option<Quantity> {
    // Without a limit, storage has no request either way.
    if named.is_none() && limit.is_none() && resource == Resource::EphemeralStorage {
        return None;
    }
    let small = small_request(resource);
    let written = || match resource {
        Resource::Cpu => small.cpu(),
        Resource::Memory | Resource::EphemeralStorage => small.memory(),
    };
    let request = named.unwrap_or_else(|| Quantity(written()));
    match limit {
        Some(limit) if Amount::of(limit) < Amount::of(&request) => Some(limit.clone()),
        _ => Some(request),
    }
}

/// What holds: the variable where the settings let it, or the settings.
fn effective(
    container: ContainerKind,
    resource: Resource,
    bound: Bound,
    settings: &Settings,
    variables: &[BuildVariable],
) -> Result<Option<Quantity>, Failure> {
    let name = ResourceName { container, resource, bound, overwrite_max: false };
    let configured = name.of(settings).cloned();
    let max = ResourceName { overwrite_max: true, ..name }.of(settings);
    let key = name.to_string();
    let wanted = variables.iter().rev().find(|variable| variable.key == key && !variable.value.is_empty());
    let (Some(max), Some(wanted)) = (max, wanted) else { return Ok(configured) };
    match Amount::parse(&wanted.value) {
        Ok(amount) if Some(amount) <= Amount::of(max) => Ok(Some(Quantity(wanted.value.clone()))),
        Ok(_) => Err(refused(
            format!("`{name}` asks for {}, and the runner allows no more than {}", wanted.value, max.0),
            "lower the variable, or raise the setting of the runner that ends in `_OVERWRITE_MAX_ALLOWED`",
        )),
        Err(_) => Err(refused(
            format!("`{}` of `{name}` is not a Kubernetes quantity", wanted.value),
            "write it like `500m` or `1Gi`",
        )),
    }
}

fn refused(message: String, help: &str) -> Failure {
    Failure { reason: FailureReason::RunnerConfigurationError, message, help: Some(help.to_owned()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn variable(key: &str, value: &str) -> BuildVariable {
        BuildVariable { key: key.into(), value: value.into(), masked: false, file: false }
    }

    fn written(requirements: &ResourceRequirements) -> String {
        let list = |map: &Option<BTreeMap<String, Quantity>>| {
            let pair = |(key, value): (&String, &Quantity)| format!("{key}={}", value.0);
            map.iter().flatten().map(pair).collect::<Vec<_>>().join(",")
        };
        format!("{} of {}", list(&requirements.requests), list(&requirements.limits))
    }

    #[test]
    fn a_container_has_the_limits_of_its_kind_and_asks_for_little() {
        let table = [
            (ContainerKind::Build, "cpu=50m,memory=32Mi of cpu=1,memory=1Gi"),
            (ContainerKind::Helper, "cpu=50m,memory=32Mi of cpu=500m,memory=100Mi"),
            (ContainerKind::Service, "cpu=50m,memory=32Mi of cpu=1,memory=1Gi"),
        ];
        for (kind, expected) in table {
            let found = requirements(kind, &Settings::default(), &[]).expect("nothing is overwritten");
            assert_eq!(written(&found), expected);
        }
    }

    #[test]
    fn a_variable_overwrites_only_up_to_what_the_runner_allows() {
        let quantity = |text: &str| Some(Quantity(text.to_owned()));
        let mut settings = Settings::default();
        settings.overwrite.build.memory_limit = quantity("4Gi");
        let memory = |value| {
            requirements(ContainerKind::Build, &settings, &[variable("KUBERNETES_MEMORY_LIMIT", value)])
        };
        assert_eq!(written(&memory("2Gi").expect("allowed")), "cpu=50m,memory=32Mi of cpu=1,memory=2Gi");
        assert_eq!(
            memory("5Gi").expect_err("too much").message,
            "`KUBERNETES_MEMORY_LIMIT` asks for 5Gi, and the runner allows no more than 4Gi"
        );
        assert!(memory("lots").is_err());

        let ignored = [variable("KUBERNETES_CPU_LIMIT", "8")];
        let found = requirements(ContainerKind::Build, &settings, &ignored).expect("ignored");
        assert_eq!(written(&found), "cpu=50m,memory=32Mi of cpu=1,memory=1Gi");
    }

    #[test]
    fn storage_is_set_aside_only_where_a_request_says_so() {
        let mut settings = Settings::unset();
        settings.build.ephemeral_storage_limit = Some(Quantity("10Gi".into()));
        let found = requirements(ContainerKind::Build, &settings, &[]).expect("nothing is overwritten");
        assert_eq!(written(&found), "cpu=50m,ephemeral-storage=0,memory=32Mi of ephemeral-storage=10Gi");
    }

    fn quantities() -> impl Strategy<Value = Option<Quantity>> {
        proptest::option::of("[1-9][0-9]{0,3}(m|k|Ki|Mi|Gi|e2)?".prop_map(Quantity))
    }

    proptest! {
        #[test]
        fn a_request_is_never_above_its_limit(
            limit in quantities(), request in quantities(), wanted in quantities(), most in quantities(),
        ) {
            let mut settings = Settings::unset();
            for resource in Resource::ALL {
                let set = |resources: &mut crate::runner::settings::Resources, bound, value: &Option<Quantity>| {
                    if let Some(value) = value {
                        resources.set(resource, bound, value.clone());
                    }
                };
                set(&mut settings.build, Bound::Limit, &limit);
                set(&mut settings.build, Bound::Request, &request);
                set(&mut settings.overwrite.build, Bound::Limit, &most);
            }
            let variables: Vec<_> =
                wanted.iter().map(|wanted| variable("KUBERNETES_MEMORY_LIMIT", &wanted.0)).collect();
            if let Ok(found) = requirements(ContainerKind::Build, &settings, &variables) {
                for (key, limit) in found.limits.iter().flatten() {
                    let request = &found.requests.as_ref().expect("requests are always there")[key];
                    prop_assert!(Amount::of(request) <= Amount::of(limit), "{request:?} of {limit:?}");
                }
            }
        }
    }
}
