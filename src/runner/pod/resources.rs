//! Limits and requests of a container, the requests small enough for a laptop.

use std::collections::BTreeMap;

use k8s_openapi::{api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource::Quantity};

use crate::runner::settings::{Amount, Bound, Resource, Resources, concurrency::small_request};

/// Limits and requests of a container that is to have these.
///
/// A limit without a request would make Kubernetes set the whole limit aside, so a small request takes its
/// place. A request is never above the limit.
pub fn requirements(wanted: &Resources) -> ResourceRequirements {
    let (mut limits, mut requests) = (BTreeMap::new(), BTreeMap::new());
    for resource in Resource::ALL {
        let limit = wanted.get(resource, Bound::Limit).cloned();
        let named = wanted.get(resource, Bound::Request).cloned();
        let key = resource.kubernetes().to_owned();
        if let Some(request) = request(resource, named, limit.as_ref()) {
            requests.insert(key.clone(), request);
        }
        limits.extend(limit.map(|limit| (key, limit)));
    }
    let some = |map: BTreeMap<_, _>| (!map.is_empty()).then_some(map);
    ResourceRequirements { limits: some(limits), requests: some(requests), ..ResourceRequirements::default() }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::runner::settings::{ContainerKind, Settings};

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
            assert_eq!(written(&requirements(Settings::default().resources(kind))), expected);
        }
    }

    #[test]
    fn storage_is_set_aside_only_where_a_request_says_so() {
        let wanted =
            Resources { ephemeral_storage_limit: Some(Quantity("10Gi".into())), ..Resources::default() };
        assert_eq!(
            written(&requirements(&wanted)),
            "cpu=50m,ephemeral-storage=0,memory=32Mi of ephemeral-storage=10Gi"
        );
    }

    fn quantities() -> impl Strategy<Value = Option<Quantity>> {
        proptest::option::of("[1-9][0-9]{0,3}(m|k|Ki|Mi|Gi|e2)?".prop_map(Quantity))
    }

    proptest! {
        #[test]
        fn a_request_is_never_above_its_limit(limit in quantities(), request in quantities()) {
            let mut wanted = Resources::default();
            for resource in Resource::ALL {
                for (bound, value) in [(Bound::Limit, &limit), (Bound::Request, &request)] {
                    if let Some(value) = value {
                        wanted.set(resource, bound, value.clone());
                    }
                }
            }
            let found = requirements(&wanted);
            for (key, limit) in found.limits.iter().flatten() {
                let request = &found.requests.as_ref().expect("requests are always there")[key];
                prop_assert!(Amount::of(request) <= Amount::of(limit), "{request:?} of {limit:?}");
            }
        }
    }
}
