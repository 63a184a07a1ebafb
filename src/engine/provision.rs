//! A place for pods: what an engine makes ready before the first pod and takes away after the last.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::{Error, Pods};

/// Makes a place for pods ready, and takes it away.
#[async_trait]
pub trait Provisioner: Send + Sync {
    /// Makes the place ready. Dropping the future stops the work; [`Provisioner::down`] then removes what
    /// was already there.
    async fn up(&self, namespace: &Namespace, progress: &Progress<'_>) -> Result<Place, Error>;

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
    /// The node that they run on.
    pub node: Node,
}

/// A node that pods run on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its operating system in Go's words: `linux`.
    pub os: String,
    /// Its architecture in Go's words: `amd64`, `arm64`.
    pub architecture: String,
    /// What pods may ask for in all.
    pub allocatable: Room,
    /// What no pod has asked for yet.
    pub free: Room,
}

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

/// Takes the steps of the work as they happen. Called from many places, so it must be quick.
pub type Progress<'a> = dyn Fn(Step) + Send + Sync + 'a;

/// A step on the way to a place for pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Something that takes a while has begun, in a few words.
    Begun(String),
    /// Images of the local Docker are on their way into the node.
    ImagesStarted {
        /// Their names.
        images: Vec<String>,
        /// Their size, unpacked.
        bytes: u64,
    },
    /// So many bytes of the images have been sent.
    ImagesSent {
        /// Bytes since the start.
        bytes: u64,
    },
    /// The images are in the node, but for those that were said to be skipped.
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
