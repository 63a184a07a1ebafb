//! From the name of an image to what a container is made of, by Kubernetes' pull policies.

use std::{path::PathBuf, sync::Arc};

use super::store::Store;
use crate::engine::embedded::pod::plan::Base;

/// What is done for an image that cannot be had.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Fallback {
    /// The job fails.
    #[default]
    None,
    /// The job runs on the host's own file system, behind a layer that takes what it writes.
    Host(HostView),
}

/// What a job sees of the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostView {
    /// Folders that look empty: the homes of users.
    pub hidden: Vec<PathBuf>,
    /// Folders below hidden ones that are there: caches of toolchains.
    pub shown: Vec<PathBuf>,
    /// The environment that programs of the host are found by, `NAME=VALUE`.
    pub env: Vec<String>,
}

/// Where images may come from.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What is done for an image that cannot be had.
    pub fallback: Fallback,
}

/// An image that is not here, in the words of a kubelet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::embedded) struct Missing {
    pub(in crate::engine::embedded) reason: &'static str,
    pub(in crate::engine::embedded) message: String,
}

/// Supplies images.
pub(in crate::engine::embedded) struct Supply {
    store: Arc<Store>,
    options: Options,
}

impl Supply {
    pub(in crate::engine::embedded) fn new(store: Arc<Store>, options: Options) -> Self {
        Self { store, options }
    }

    /// Gets an image under a pull policy.
    pub(in crate::engine::embedded) async fn get(&self, image: &str, policy: &str) -> Result<Base, Missing> {
        if policy != "Always"
            && let Some(found) = self.store.find(image)
        {
            return Ok(Base::Image(found));
        }
        let missing = match policy {
            "Never" => Missing {
                reason: "ErrImageNeverPull",
                message: format!("Container image \"{image}\" is not present with pull policy of Never"),
            },
            _ => Missing { reason: "ErrImagePull", message: "no registry can be reached".to_owned() },
        };
        match &self.options.fallback {
            Fallback::None => Err(missing),
            Fallback::Host(view) => Ok(Base::Host {
                hidden: view.hidden.clone(),
                shown: view.shown.clone(),
                env: view.env.clone(),
            }),
        }
    }
}
