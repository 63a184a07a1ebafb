//! A [`Build`] as a Pod: what GitLab Runner's Kubernetes executor would create.
//!
//! Three things differ, each on purpose: there is no init container (nothing here needs the permissions
//! that it sets), requests are small (see [`resources`]), and a pod without a service account of its own
//! gets no token: a job's script has no business with the cluster.

pub mod labels;
pub mod login;
pub mod names;
pub mod overwrites;
pub mod resources;
pub mod services;
mod spec;
#[cfg(test)]
mod tests;
pub mod volumes;

use std::collections::HashMap;

use k8s_openapi::{
    api::core::v1::{LocalObjectReference, Pod},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

pub use overwrites::Overwrites;
pub use spec::{look_limit, policy_name};

use super::{Build, Settings, Slot};
use crate::event::Failure;

/// What a pod needs besides its build and the settings.
#[derive(Debug, Clone)]
pub struct PodParts<'p> {
    /// Id of the run.
    pub run: &'p str,
    /// The slot that took the job.
    pub slot: &'p Slot,
    /// The end of the pod's name, see [`names::suffix`].
    pub suffix: &'p str,
    /// Command of the build container.
    pub build_command: Vec<String>,
    /// Command of the helper container.
    pub helper_command: Vec<String>,
    /// How many pull policies have failed so far, by container.
    pub failed_pulls: HashMap<String, usize>,
}

/// The pod of a build.
///
/// # Errors
/// When a service has an alias that is no host name.
pub fn pod(
    build: &Build,
    settings: &Settings,
    overwrites: &Overwrites,
    parts: &PodParts<'_>,
) -> Result<Pod, Failure> {
    let base = names::base(parts.run, build, parts.slot);
    let mut pod = Pod {
        metadata: ObjectMeta {
            name: Some(names::full(&base, parts.suffix)),
            namespace: Some(settings.namespace.clone()),
            labels: Some(labels::labels(build, overwrites, parts)),
            annotations: Some(labels::annotations(build, overwrites)),
            ..ObjectMeta::default()
        },
        spec: Some(spec::spec(build, settings, overwrites, parts)?),
        status: None,
    };
    let secret = login::of(&pod, build, settings).secret;
    if let Some((secret, spec)) = secret.zip(pod.spec.as_mut()) {
        let name = secret.metadata.name.unwrap_or_default();
        spec.image_pull_secrets.get_or_insert_default().push(LocalObjectReference { name });
    }
    Ok(pod)
}
