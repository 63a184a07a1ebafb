//! Limits and requests by the names that GitLab Runner has for them.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

use super::{Resources, Settings};

/// What a name such as `KUBERNETES_HELPER_CPU_LIMIT` sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceName {
    /// Whose.
    pub container: ContainerKind,
    /// What.
    pub resource: Resource,
    /// The limit or the request.
    pub bound: Bound,
    /// Whether it is the most that a job's own variable may ask for (`..._OVERWRITE_MAX_ALLOWED`).
    pub overwrite_max: bool,
}

/// The kinds of containers that have settings of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ContainerKind {
    /// The one that runs the script.
    Build,
    /// The one for sources, caches and artifacts.
    Helper,
    /// A service.
    Service,
}

/// The resources that have settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// `CPU`.
    Cpu,
    /// `MEMORY`.
    Memory,
    /// `EPHEMERAL_STORAGE`.
    EphemeralStorage,
}

/// A limit or a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// What a container may not exceed.
    Limit,
    /// What the scheduler sets aside.
    Request,
}

impl ContainerKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Build, Self::Helper, Self::Service];

    /// What the names of its settings start with, after `KUBERNETES_`.
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Build => "",
            Self::Helper => "HELPER_",
            Self::Service => "SERVICE_",
        }
    }

    /// The word for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Helper => "helper",
            Self::Service => "service",
        }
    }
}

impl Resource {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Cpu, Self::Memory, Self::EphemeralStorage];

    /// Its part of a setting's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Memory => "MEMORY",
            Self::EphemeralStorage => "EPHEMERAL_STORAGE",
        }
    }

    /// Kubernetes' name for it.
    pub fn kubernetes(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::EphemeralStorage => "ephemeral-storage",
        }
    }
}

impl Bound {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Limit, Self::Request];

    /// Its part of a setting's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Limit => "LIMIT",
            Self::Request => "REQUEST",
        }
    }
}

impl ResourceName {
    /// All names that there are.
    pub fn all() -> impl Iterator<Item = Self> {
        ContainerKind::ALL.into_iter().flat_map(|container| {
            Resource::ALL.into_iter().flat_map(move |resource| {
                Bound::ALL.into_iter().flat_map(move |bound| {
                    [false, true].map(|overwrite_max| Self { container, resource, bound, overwrite_max })
                })
            })
        })
    }

    /// What GitLab Runner calls it in a job's log: `CPULimit`, `HelperMemoryRequest`.
    pub fn field(self) -> String {
        let container = match self.container {
            ContainerKind::Build => "",
            ContainerKind::Helper => "Helper",
            ContainerKind::Service => "Service",
        };
        let resource = match self.resource {
            Resource::Cpu => "CPU",
            Resource::Memory => "Memory",
            Resource::EphemeralStorage => "EphemeralStorage",
        };
        let bound = match self.bound {
            Bound::Limit => "Limit",
            Bound::Request => "Request",
        };
        format!("{container}{resource}{bound}")
    }

    /// What a name sets, if it is the name of a limit or request.
    pub fn parse(name: &str) -> Option<Self> {
        Self::all().find(|resource| resource.to_string() == name)
    }

    /// The value that settings have for it.
    pub fn of(self, settings: &Settings) -> Option<&Quantity> {
        let resources = if self.overwrite_max {
            settings.overwrite_max(self.container)
        } else {
            settings.resources(self.container)
        };
        resources.get(self.resource, self.bound)
    }
}

impl std::fmt::Display for ResourceName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (prefix, resource, bound) = (self.container.prefix(), self.resource.name(), self.bound.name());
        let suffix = if self.overwrite_max { "_OVERWRITE_MAX_ALLOWED" } else { "" };
        write!(formatter, "KUBERNETES_{prefix}{resource}_{bound}{suffix}")
    }
}

impl Resources {
    /// One of its values.
    pub fn get(&self, resource: Resource, bound: Bound) -> Option<&Quantity> {
        match (resource, bound) {
            (Resource::Cpu, Bound::Limit) => self.cpu_limit.as_ref(),
            (Resource::Cpu, Bound::Request) => self.cpu_request.as_ref(),
            (Resource::Memory, Bound::Limit) => self.memory_limit.as_ref(),
            (Resource::Memory, Bound::Request) => self.memory_request.as_ref(),
            (Resource::EphemeralStorage, Bound::Limit) => self.ephemeral_storage_limit.as_ref(),
            (Resource::EphemeralStorage, Bound::Request) => self.ephemeral_storage_request.as_ref(),
        }
    }

    /// Sets one of its values.
    pub fn set(&mut self, resource: Resource, bound: Bound, value: Quantity) {
        let place = match (resource, bound) {
            (Resource::Cpu, Bound::Limit) => &mut self.cpu_limit,
            (Resource::Cpu, Bound::Request) => &mut self.cpu_request,
            (Resource::Memory, Bound::Limit) => &mut self.memory_limit,
            (Resource::Memory, Bound::Request) => &mut self.memory_request,
            (Resource::EphemeralStorage, Bound::Limit) => &mut self.ephemeral_storage_limit,
            (Resource::EphemeralStorage, Bound::Request) => &mut self.ephemeral_storage_request,
        };
        *place = Some(value);
    }
}
