//! What there is room for: on the nodes of a cluster, and in the quotas of a namespace.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::quantity;

/// Room for pods on a node, or what pods ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// Thousandths of a CPU.
    pub cpu_millis: u64,
    /// Bytes of memory.
    pub memory_bytes: u64,
    /// Number of pods.
    pub pods: u64,
}

impl Room {
    /// The amounts of `cpu`, `memory` and `pods` in a list of resources.
    #[must_use]
    pub fn of(resources: &BTreeMap<String, Quantity>) -> Self {
        let of = |name: &str| quantity::of(resources.get(name));
        Self {
            cpu_millis: saturate(of("cpu")),
            memory_bytes: saturate(of("memory") / 1000),
            pods: saturate(of("pods") / 1000),
        }
    }

    /// What the scheduler sets aside for a pod: the sum of its containers, or its largest init container.
    #[must_use]
    pub fn requested(pod: &Pod) -> Self {
        let Some(spec) = &pod.spec else {
            return Self::default();
        };
        let running =
            spec.containers.iter().chain(sidecars(spec)).map(request).fold(Self::default(), Self::plus);
        let initial = spec.init_containers.iter().flatten().map(request).fold(Self::default(), Self::max);
        let overhead = spec.overhead.as_ref().map(Self::of).unwrap_or_default();
        Self { pods: 1, ..running.max(initial).plus(overhead) }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        self.zip(other, u64::saturating_add)
    }

    /// What is left after taking something away; nothing where it was not enough.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        self.zip(other, u64::saturating_sub)
    }

    /// The larger of each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        self.zip(other, u64::max)
    }

    /// How many pods fit that each ask for this.
    #[must_use]
    pub fn fits(self, each: Self) -> u64 {
        let cpu = self.cpu_millis.checked_div(each.cpu_millis);
        let memory = self.memory_bytes.checked_div(each.memory_bytes);
        [cpu, memory, Some(self.pods)].into_iter().flatten().min().unwrap_or(0)
    }

    fn zip(self, other: Self, with: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            cpu_millis: with(self.cpu_millis, other.cpu_millis),
            memory_bytes: with(self.memory_bytes, other.memory_bytes),
            pods: with(self.pods, other.pods),
        }
    }
}

fn saturate(amount: u128) -> u64 {
    u64::try_from(amount).unwrap_or(u64::MAX)
}

/// Init containers that keep running.
fn sidecars(spec: &PodSpec) -> impl Iterator<Item = &Container> {
    let all = spec.init_containers.iter().flatten();
    all.filter(|container| container.restart_policy.as_deref() == Some("Always"))
}

fn request(container: &Container) -> Room {
    let requests = container.resources.as_ref().and_then(|resources| resources.requests.as_ref());
    requests.map(Room::of).unwrap_or_default()
}

/// What a place has left for pods.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Free {
    /// What each node that takes pods has left; nothing is known of the nodes where it is empty.
    pub nodes: Vec<Room>,
    /// What the quotas of the namespace leave.
    pub quotas: Vec<Quota>,
    /// What the namespace adds to containers that say nothing.
    pub defaults: Defaults,
}

/// What a ResourceQuota leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Quota {
    /// Its name.
    pub name: String,
    /// What is left, in thousandths, by the quota's names: `pods`, `requests.cpu`, `limits.memory`.
    pub left: BTreeMap<String, u128>,
    /// What there is in all.
    pub hard: BTreeMap<String, u128>,
}

/// What the LimitRanges of a namespace add to containers that say nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Defaults {
    /// Limits, in thousandths.
    pub limits: BTreeMap<String, u128>,
    /// Requests, in thousandths.
    pub requests: BTreeMap<String, u128>,
}

/// How many pods fit, and where that is the limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fits {
    /// So many pods.
    pub pods: u64,
    /// What leaves no more room, for people: ``the quota `small` (limits.cpu)``.
    pub place: String,
}

impl Free {
    /// How many pods like this one fit; none where nothing is known of the place.
    #[must_use]
    pub fn fits(&self, pod: &Pod) -> Option<Fits> {
        let each = Room::requested(pod);
        let nodes = (!self.nodes.is_empty()).then(|| Fits {
            pods: self.nodes.iter().map(|node| node.fits(each)).sum(),
            place: if self.nodes.len() == 1 { "the node" } else { "the nodes" }.to_owned(),
        });
        let asked = asked(pod, &self.defaults);
        let quotas = self.quotas.iter().filter_map(|quota| quota.fits(&asked));
        quotas.chain(nodes).min_by_key(|fits| fits.pods)
    }
}

impl Quota {
    fn fits(&self, asked: &BTreeMap<String, u128>) -> Option<Fits> {
        let counted = self.left.iter().filter_map(|(resource, left)| {
            let pods = left.checked_div(*asked.get(resource)?)?;
            Some((saturate(pods), resource))
        });
        let (pods, resource) = counted.min()?;
        Some(Fits { pods, place: format!("the quota `{}` ({resource})", self.name) })
    }
}

/// What a pod takes of a quota, under all the names that quotas have for it.
fn asked(pod: &Pod, defaults: &Defaults) -> BTreeMap<String, u128> {
    let mut asked = BTreeMap::from([("pods".to_owned(), 1000), ("count/pods".to_owned(), 1000)]);
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    for container in containers {
        let resources = container.resources.clone().unwrap_or_default();
        let of = |list: &Option<BTreeMap<String, Quantity>>, resource: &str| {
            list.as_ref()?.get(resource).map(|quantity| quantity::of(Some(quantity)))
        };
        for resource in ["cpu", "memory", "ephemeral-storage"] {
            let own = of(&resources.limits, resource);
            let limit = own.or_else(|| defaults.limits.get(resource).copied());
            // a limit of the container's own is its request where it names none, before any default
            let request = of(&resources.requests, resource)
                .or(own)
                .or_else(|| defaults.requests.get(resource).copied())
                .or(limit);
            let mut add = |name: String, amount: Option<u128>| {
                *asked.entry(name).or_default() += amount.unwrap_or(0);
            };
            add(resource.to_owned(), request);
            add(format!("requests.{resource}"), request);
            add(format!("limits.{resource}"), limit);
        }
    }
    asked
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn amounts(pairs: &[(&str, u128)]) -> BTreeMap<String, u128> {
        pairs.iter().map(|(name, amount)| ((*name).to_owned(), *amount)).collect()
    }

    /// A pod of a build container with these resources, and a helper that has only requests.
    fn pod(resources: serde_json::Value) -> Pod {
        let helper = json!({"requests": {"cpu": "50m", "memory": "32Mi"}});
        serde_json::from_value(json!({
            "metadata": {"name": "p"},
            "spec": {"containers": [{"name": "build", "resources": resources}, {"name": "helper", "resources": helper}]}
        }))
        .expect("a pod")
    }

    #[test]
    fn as_many_pods_fit_as_the_scarcest_resource_allows() {
        let room = |cpu_millis, memory_bytes, pods| Room { cpu_millis, memory_bytes, pods };
        let rows = [
            (room(1000, 1000, 110), room(100, 10, 1), 10),
            (room(1000, 1000, 110), room(100, 300, 1), 3),
            (room(1000, 1000, 2), room(1, 1, 1), 2),
            (room(1000, 1000, 110), room(0, 0, 1), 110),
            (room(50, 1000, 110), room(100, 10, 1), 0),
        ];
        for (free, each, expected) in rows {
            assert_eq!(free.fits(each), expected, "{each:?} in {free:?}");
        }
    }

    #[test]
    fn a_pod_fits_on_one_node_and_never_on_halves_of_two() {
        let node = |cpu_millis| Room { cpu_millis, memory_bytes: 8 << 30, pods: 110 };
        let pod = pod(json!({"requests": {"cpu": "950m", "memory": "1Gi"}}));
        let fits = |nodes: &[Room]| Free { nodes: nodes.into(), ..Free::default() }.fits(&pod);
        let told = |pods, place: &str| Some(Fits { pods, place: place.to_owned() });
        assert_eq!(fits(&[node(2500)]), told(2, "the node"));
        assert_eq!(fits(&[node(1500), node(2500)]), told(3, "the nodes"));
        assert_eq!(fits(&[]), None, "nothing is known of the nodes");
    }

    #[test]
    fn the_quota_that_leaves_the_least_room_is_named() {
        let limited = pod(json!({"limits": {"cpu": "1"}, "requests": {"cpu": "100m"}}));
        let unlimited = pod(json!({"requests": {"cpu": "100m"}}));
        let rows = [
            (&limited, amounts(&[("pods", 3000)]), Some((3, "pods"))),
            (&limited, amounts(&[("count/pods", 2000), ("limits.cpu", 9000)]), Some((2, "count/pods"))),
            (&limited, amounts(&[("requests.cpu", 600)]), Some((4, "requests.cpu"))),
            (&limited, amounts(&[("cpu", 149)]), Some((0, "cpu"))),
            // the helper has no limit, so that of the LimitRange counts: 1 + 0.5
            (&limited, amounts(&[("limits.cpu", 3100)]), Some((2, "limits.cpu"))),
            (&unlimited, amounts(&[("limits.cpu", 3100)]), Some((3, "limits.cpu"))),
            // what pods do not take is no limit
            (&limited, amounts(&[("secrets", 0)]), None),
        ];
        for (pod, left, expected) in rows {
            let quota = Quota { name: "small".to_owned(), left, ..Quota::default() };
            let defaults = Defaults { limits: amounts(&[("cpu", 500)]), ..Defaults::default() };
            let free = Free { quotas: vec![quota.clone()], defaults, ..Free::default() };
            let expected = expected
                .map(|(pods, resource)| Fits { pods, place: format!("the quota `small` ({resource})") });
            assert_eq!(free.fits(pod), expected, "{quota:?}");
        }
    }
}
