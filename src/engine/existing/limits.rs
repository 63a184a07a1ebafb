//! What a namespace and the nodes leave for pods, as far as the account may look.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{LimitRange, ResourceQuota};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::api::ListParams;
use kube::{Api, Client};

use crate::engine::kube::{failed, node};
use crate::engine::{Defaults, Error, Free, Progress, Quota, Step, quantity};

/// Looks at nodes, quotas and limit ranges. What the account may not see is no limit: the API says so when a
/// pod finds no room.
///
/// # Errors
///
/// What the API answers, but for what is forbidden.
pub(super) async fn look(client: &Client, namespace: &str, progress: &Progress<'_>) -> Result<Free, Error> {
    let everything = ListParams::default();
    let quotas = Api::<ResourceQuota>::namespaced(client.clone(), namespace);
    let ranges = Api::<LimitRange>::namespaced(client.clone(), namespace);
    let (nodes, quotas, ranges) =
        tokio::join!(node::look(client), quotas.list(&everything), ranges.list(&everything));
    let nodes = match nodes {
        // the cluster may make a node when there is a pod for it
        Err(Error::Unusable { message, .. }) => {
            progress(Step::Warning(format!("{message}: pods wait for one")));
            Vec::new()
        }
        nodes => seen(nodes)?,
    };
    let quotas = seen(quotas.map_err(|error| failed("listing the quotas", error)).map(|list| list.items))?;
    let ranges =
        seen(ranges.map_err(|error| failed("listing the limit ranges", error)).map(|list| list.items))?;
    Ok(Free {
        nodes,
        quotas: quotas.iter().filter(|quota| counts(quota)).map(left).collect(),
        defaults: defaults(&ranges),
    })
}

fn seen<T>(listed: Result<Vec<T>, Error>) -> Result<Vec<T>, Error> {
    match listed {
        Err(Error::Forbidden { .. }) => Ok(Vec::new()),
        listed => listed,
    }
}

/// Whether a quota counts pods that have requests and a deadline.
fn counts(quota: &ResourceQuota) -> bool {
    let spec = quota.spec.clone().unwrap_or_default();
    let counted = |scope: &str| matches!(scope, "Terminating" | "NotBestEffort");
    let scopes = spec.scopes.unwrap_or_default().iter().all(|scope| counted(scope));
    let selector = spec.scope_selector.and_then(|selector| selector.match_expressions).unwrap_or_default();
    scopes && selector.iter().all(|one| one.operator == "Exists" && counted(&one.scope_name))
}

fn left(quota: &ResourceQuota) -> Quota {
    let status = quota.status.clone().unwrap_or_default();
    // the status is empty until the controller has counted
    let hard = status.hard.or_else(|| quota.spec.clone()?.hard);
    let (hard, used) = (amounts(hard.as_ref()), amounts(status.used.as_ref()));
    let left = hard
        .iter()
        .map(|(name, hard)| (name.clone(), hard.saturating_sub(used.get(name).copied().unwrap_or(0))))
        .collect();
    Quota { name: quota.metadata.name.clone().unwrap_or_default(), left, hard }
}

/// The defaults of all ranges together; where two differ the API takes either.
fn defaults(ranges: &[LimitRange]) -> Defaults {
    let mut defaults = Defaults::default();
    let items = ranges.iter().filter_map(|range| range.spec.as_ref()).flat_map(|spec| &spec.limits);
    for item in items.filter(|item| item.type_ == "Container") {
        defaults.limits.extend(amounts(item.default.as_ref()));
        defaults.requests.extend(amounts(item.default_request.as_ref()));
    }
    defaults
}

fn amounts(resources: Option<&BTreeMap<String, Quantity>>) -> BTreeMap<String, u128> {
    let all = resources.into_iter().flatten();
    all.map(|(name, amount)| (name.clone(), quantity::of(Some(amount)))).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn quota(spec: serde_json::Value, status: serde_json::Value) -> ResourceQuota {
        let quota = json!({"metadata": {"name": "small"}, "spec": spec, "status": status});
        serde_json::from_value(quota).expect("a quota")
    }

    #[test]
    fn a_quota_leaves_what_is_not_used_of_it() {
        let hard = json!({"hard": {"pods": "4", "limits.cpu": "2"}});
        let used =
            json!({"hard": {"pods": "4", "limits.cpu": "2"}, "used": {"pods": "1", "limits.cpu": "1500m"}});
        let of = |status| left(&quota(hard.clone(), status)).left;
        let left = |pods, cpu| BTreeMap::from([("pods".to_owned(), pods), ("limits.cpu".to_owned(), cpu)]);
        assert_eq!(of(used), left(3000, 500));
        assert_eq!(of(json!({})), left(4000, 2000), "nothing was counted yet");
    }

    #[test]
    fn a_quota_for_other_pods_is_no_limit() {
        let selector = |scope: &str, operator: &str| json!({"scopeSelector": {"matchExpressions": [{"scopeName": scope, "operator": operator}]}});
        let rows = [
            (json!({}), true),
            (json!({"scopes": ["Terminating", "NotBestEffort"]}), true),
            (json!({"scopes": ["NotTerminating"]}), false),
            (json!({"scopes": ["BestEffort"]}), false),
            (selector("Terminating", "Exists"), true),
            (selector("PriorityClass", "In"), false),
        ];
        for (spec, expected) in rows {
            assert_eq!(counts(&quota(spec.clone(), json!({}))), expected, "{spec}");
        }
    }

    #[test]
    fn only_the_defaults_for_containers_are_added_to_containers() {
        let range: LimitRange = serde_json::from_value(json!({"spec": {"limits": [
            {"type": "Container", "default": {"cpu": "500m"}, "defaultRequest": {"cpu": "100m"}},
            {"type": "Pod", "max": {"cpu": "4"}}
        ]}}))
        .expect("a range");
        let amounts = |cpu| BTreeMap::from([("cpu".to_owned(), cpu)]);
        assert_eq!(defaults(&[range]), Defaults { limits: amounts(500), requests: amounts(100) });
    }
}
