//! From the name of an image to what a container is made of, by Kubernetes' pull policies.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{
    name::full_name,
    registry::{Logins, PullError, Registry},
    store::{Image, Store},
};
use crate::engine::{Progress, embedded::pod::plan::Base};

/// How long a registry that could not be reached is not asked again.
const REST: Duration = Duration::from_secs(60);

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
    /// The credentials of registries.
    pub logins: Logins,
    /// Whether registries are left alone.
    pub is_offline: bool,
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
    /// An image is pulled once, however many jobs wait for it.
    turns: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// Registries that could not be reached, since when and why.
    silent: Mutex<HashMap<String, (Instant, PullError)>>,
}

impl Supply {
    pub(in crate::engine::embedded) fn new(store: Arc<Store>, options: Options) -> Self {
        Self { store, options, turns: Mutex::default(), silent: Mutex::default() }
    }

    /// Gets an image under a pull policy; without one, under the one that Kubernetes gives it.
    pub(in crate::engine::embedded) async fn get(
        &self,
        image: &str,
        policy: Option<&str>,
    ) -> Result<Base, Missing> {
        let policy = policy.unwrap_or_else(|| default_policy(image));
        let found = match policy {
            "Never" => self.store.find(image).ok_or_else(|| Missing {
                reason: "ErrImageNeverPull",
                message: format!("Container image \"{image}\" is not present with pull policy of Never"),
            }),
            _ => {
                let pulled = self.pull(image, policy == "Always", &|_| ()).await;
                pulled.map_err(|error| Missing { reason: "ErrImagePull", message: error.to_string() })
            }
        };
        match (found, &self.options.fallback) {
            (Ok(image), _) => Ok(Base::Image(image)),
            (Err(missing), Fallback::None) => Err(missing),
            (Err(_), Fallback::Host(view)) => Ok(Base::Host {
                hidden: view.hidden.clone(),
                shown: view.shown.clone(),
                env: view.env.clone(),
            }),
        }
    }

    /// Makes those of the images ready that are not here. Gives those that could not be pulled, with the reason.
    pub(in crate::engine::embedded) async fn pull_missing(
        &self,
        images: &[String],
        progress: &Progress<'_>,
    ) -> Vec<(String, String)> {
        let mut failed = Vec::new();
        for image in images {
            if let Err(error) = self.pull(image, false, progress).await {
                failed.push((image.clone(), error.to_string()));
            }
        }
        failed
    }

    /// An image from here or from its registry; with `always`, as the registry has it now.
    async fn pull(&self, image: &str, always: bool, progress: &Progress<'_>) -> Result<Image, PullError> {
        let turn = Arc::clone(lock(&self.turns).entry(full_name(image)).or_default());
        let _turn = turn.lock().await;
        let known = self.store.find(image);
        if let Some(known) = known.clone().filter(|_| !always) {
            return Ok(known);
        }
        if self.options.is_offline {
            return Err(PullError::refused("`--offline` asks no registry"));
        }
        let registry = Registry::of(image, &self.options.logins).await?;
        if let Some((since, error)) = lock(&self.silent).get(registry.name())
            && since.elapsed() < REST
        {
            return Err(error.clone());
        }
        let pulled = self.ask(&registry, image, known, progress).await;
        if let Err(error) = &pulled
            && error.is_unreachable
        {
            lock(&self.silent).insert(registry.name().to_owned(), (Instant::now(), error.clone()));
        }
        pulled
    }

    async fn ask(
        &self,
        registry: &Registry,
        image: &str,
        known: Option<Image>,
        progress: &Progress<'_>,
    ) -> Result<Image, PullError> {
        if let (Some(known), Some(digest)) = (known, self.store.digest(image))
            && registry.digest().await? == digest
        {
            return Ok(known);
        }
        registry.pull(&self.store, image, progress).await
    }
}

/// The policy of a container that names none: a tag that moves is asked for each time.
fn default_policy(image: &str) -> &'static str {
    if full_name(image).ends_with(":latest") { "Always" } else { "IfNotPresent" }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_that_moves_is_asked_for_each_time() {
        let rows = [
            ("busybox", "Always"),
            ("busybox:latest", "Always"),
            ("busybox:1.36", "IfNotPresent"),
            ("localhost:5000/busybox", "Always"),
            ("busybox@sha256:0000", "IfNotPresent"),
        ];
        for (image, policy) in rows {
            assert_eq!(default_policy(image), policy, "{image}");
        }
    }
}
