//! How many pods run at once, what bounds them, and what such a pod asks of a real cluster.

use super::{Amount, Bound, ContainerKind, Resource, ResourceName, Settings};

/// CPU that a container requests unless the settings name more: enough to be scheduled fairly.
pub const SMALL_CPU_REQUEST: &str = "50m";

/// Memory that a container requests unless the settings name more.
pub const SMALL_MEMORY_REQUEST: &str = "32Mi";

/// CPU and memory together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Capacity {
    /// CPU.
    pub cpu: Amount,
    /// Memory.
    pub memory: Amount,
}

/// How many pods run at once, and the limits that this is the least of; each is at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Concurrency {
    /// How many run at once.
    pub pods: usize,
    /// How many there is room for, where that is known.
    pub fits: Option<usize>,
    /// What the user asked for.
    pub jobs: Option<usize>,
}

impl Concurrency {
    /// The number of pods that run at once. `fits` is how many there is room for, where it is known; `jobs`
    /// is what the user asked for.
    pub fn of(settings: &Settings, fits: Option<usize>, jobs: Option<usize>) -> Self {
        let fits = fits.map(|fits| fits.max(1));
        let jobs = jobs.map(|jobs| jobs.max(1));
        let slots = settings.slots().max(1);
        let pods = [fits, jobs].into_iter().flatten().fold(slots, usize::min);
        Self { pods, fits, jobs }
    }
}

impl Capacity {
    /// How many of these fit.
    pub fn fits(self, free: Self) -> usize {
        let times = |whole: u64, part: u64| whole.checked_div(part).unwrap_or(u64::MAX);
        let cpu = times(free.cpu.as_thousandths(), self.cpu.as_thousandths());
        let memory = times(free.memory.as_units(), self.memory.as_units());
        usize::try_from(cpu.min(memory)).unwrap_or(usize::MAX)
    }
}

impl std::fmt::Display for Capacity {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} CPU and {} memory", self.cpu.cpu(), self.memory.rounded_memory())
    }
}

/// What a pod requests here: what the settings name, or little.
pub fn requested(settings: &Settings, services: usize) -> Capacity {
    sum(services, |container, resource| {
        let name = |bound| ResourceName { container, resource, bound, overwrite_max: false };
        let value = |bound| name(bound).of(settings).and_then(Amount::of);
        let request = value(Bound::Request).unwrap_or_else(|| small_request(resource));
        value(Bound::Limit).map_or(request, |limit| request.min(limit))
    })
}

/// What the same pod asks of a real cluster, where a limit without a request is taken for the request.
pub fn requested_of_a_real_cluster(settings: &Settings, services: usize) -> Capacity {
    sum(services, |container, resource| {
        let name = |bound| ResourceName { container, resource, bound, overwrite_max: false };
        let value = |bound| name(bound).of(settings).and_then(Amount::of);
        value(Bound::Request).or_else(|| value(Bound::Limit)).unwrap_or_default()
    })
}

/// The request of a container that names none.
pub fn small_request(resource: Resource) -> Amount {
    let text = match resource {
        Resource::Cpu => SMALL_CPU_REQUEST,
        Resource::Memory => SMALL_MEMORY_REQUEST,
        Resource::EphemeralStorage => "0",
    };
    Amount::parse(text).expect("a quantity")
}

fn sum(services: usize, amount: impl Fn(ContainerKind, Resource) -> Amount) -> Capacity {
    let all = |resource| {
        amount(ContainerKind::Build, resource)
            + amount(ContainerKind::Helper, resource)
            + amount(ContainerKind::Service, resource) * services
    };
    Capacity { cpu: all(Resource::Cpu), memory: all(Resource::Memory) }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

    use super::{Capacity, Concurrency, Settings, requested, requested_of_a_real_cluster};
    use crate::runner::settings::Amount;

    fn capacity(cpu: &str, memory: &str) -> Capacity {
        let amount = |text| Amount::parse(text).expect("a quantity");
        Capacity { cpu: amount(cpu), memory: amount(memory) }
    }

    #[test]
    fn the_least_of_slots_room_and_jobs_binds() {
        let fits = |free: Capacity| Some(requested(&Settings::default(), 0).fits(free));
        let laptop = fits(capacity("1050m", "3500Mi"));
        let small = fits(capacity("350m", "1Gi"));
        let table = [
            (None, None, 8),
            (laptop, None, 8),
            (laptop, Some(20), 8),
            (laptop, Some(3), 3),
            (laptop, Some(0), 1),
            (small, None, 3),
            (small, Some(2), 2),
            (fits(capacity("50m", "1Gi")), None, 1),
        ];
        for (fits, jobs, pods) in table {
            assert_eq!(Concurrency::of(&Settings::default(), fits, jobs).pods, pods, "{fits:?} {jobs:?}");
        }
    }

    #[test]
    fn limits_without_requests_are_what_a_real_cluster_sets_aside() {
        let settings = Settings::default();
        assert_eq!(requested(&settings, 1), capacity("150m", "96Mi"));
        assert_eq!(requested_of_a_real_cluster(&settings, 0), capacity("1500m", "1124Mi"));
        assert_eq!(requested_of_a_real_cluster(&settings, 2), capacity("3500m", "3172Mi"));
        assert_eq!(requested_of_a_real_cluster(&settings, 0).to_string(), "1500m CPU and 1124Mi memory");
    }

    #[test]
    fn a_request_of_the_settings_is_kept() {
        let mut settings = Settings::default();
        settings.build.cpu_request = Some(Quantity("600m".into()));
        assert_eq!(requested(&settings, 0), capacity("650m", "64Mi"));
        assert_eq!(requested_of_a_real_cluster(&settings, 0), capacity("1100m", "1124Mi"));
    }

    #[test]
    fn a_limit_below_the_small_request_is_the_request() {
        let mut settings = Settings::default();
        settings.helper.cpu_limit = Some(Quantity("10m".into()));
        assert_eq!(requested(&settings, 0), capacity("60m", "64Mi"));
    }
}
