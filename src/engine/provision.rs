//! A place for pods: what an engine makes ready before the first pod and takes away after the last.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::{Error, Free, Pods};

/// Makes a place for pods ready, and takes it away.
#[async_trait]
pub trait Provisioner: Send + Sync {
    /// Makes the place ready. Dropping the future stops the work; [`Provisioner::down`] then removes what
    /// was already there.
    async fn up(&self, namespace: &Namespace, progress: &Progress<'_>) -> Result<Place, Error>;

    /// Makes more images ready once the place is up, those of pods that were not known before. What cannot be
    /// had here is left to the node to pull.
    async fn provide(&self, _images: &[String], _progress: &Progress<'_>) {}

    /// Removes everything that [`Provisioner::up`] made, also after it was stopped half way. What is not
    /// there is no error.
    async fn down(&self) -> Result<(), Error>;

    /// Removes what runs that were killed have left, beside this one. Returns what it was, for people.
    async fn prune(&self) -> Result<Vec<String>, Error>;
}

/// A namespace to make, with what belongs in it.
#[derive(Debug, Clone, Default)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// The objects to apply. One that names no namespace belongs in this one; a Namespace among them may add
    /// labels and annotations.
    pub objects: Vec<Value>,
    /// The ServiceAccount that pods are created as, by impersonation.
    pub service_account: Option<ServiceAccount>,
}

/// The full name of a ServiceAccount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// Whose pods they are: those with this label.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The label that has the id of the run that made a pod.
    pub label: &'static str,
    /// The id of this run.
    pub run: String,
}

impl Owner {
    /// The label selector that takes exactly the pods of this run.
    #[must_use]
    pub fn selector(&self) -> String {
        format!("{}={}", self.label, self.run)
    }
}

/// A place where pods run.
#[derive(Clone)]
pub struct Place {
    /// The pods of the namespace.
    pub pods: Arc<dyn Pods>,
    /// What there is room for.
    pub free: Free,
    /// The arguments with which `kubectl` finds the namespace; none where there is no API server.
    pub kubectl: Option<Vec<String>>,
}

/// Takes the steps of the work as they happen. Called from many places, so it must be quick.
pub type Progress<'a> = dyn Fn(Step) + Send + Sync + 'a;

/// A step on the way to a place for pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Something that takes a while has begun, in a few words.
    Begun(String),
    /// Images are on their way to where pods run.
    ImagesStarted {
        /// Their names.
        images: Vec<String>,
        /// Bytes to come: from Docker unpacked, from a registry compressed.
        bytes: u64,
        /// Where they come from: `Docker`, or the name of a registry.
        from: String,
    },
    /// So many bytes of the images have been sent.
    ImagesSent {
        /// Bytes since the start.
        bytes: u64,
    },
    /// The images are there, but for those that were said to be skipped.
    ImagesDone,
    /// An image stays where it is, and the node will pull it if a pod needs it.
    ImageSkipped {
        /// Its name.
        image: String,
        /// Why.
        reason: String,
    },
    /// Something went wrong that a run can live with.
    Warning(String),
}
