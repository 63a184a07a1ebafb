//! Where pods run. Engines take a Kubernetes [`Pod`] and know nothing of GitLab.
//!
//! A [`Provisioner`] makes a place for pods ready and takes it away; [`Pods`] is the slice of the pod API
//! that podline needs, and every engine implements it from the same [`Pod`] object.

pub mod docker;
#[cfg(target_os = "linux")]
pub mod embedded;
pub mod existing;
pub mod kind;
pub mod kube;
mod means;
mod provision;
mod quantity;
mod room;
mod run_mark;
mod terminal;

pub use means::Means;
pub use provision::{Namespace, Owner, Place, Progress, Provisioner, ServiceAccount, Step};
pub use room::{Defaults, Fits, Free, Quota, Room};
pub use terminal::Terminal;

#[cfg(test)]
pub(crate) mod scripted;

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use futures::stream::BoxStream;
use k8s_openapi::api::core::v1::{Pod, Secret};
use tokio::io::AsyncRead;

/// The pods of one namespace.
#[async_trait]
pub trait Pods: Send + Sync {
    /// Whether [`lay`](Self::lay) may be of use.
    fn may_lay(&self) -> bool {
        false
    }

    /// Has a pod that is about to be created begin with the files of archives on this machine, all of them in one
    /// folder of a container, as if they had been copied in one after the other. They have no ends, and never
    /// change: an engine may unpack them once for many pods. `own` is one more, of this pod alone, which may have
    /// files in other folders, too. Whether it does; where not, copy them in.
    async fn lay(
        &self,
        pod: &Pod,
        container: &str,
        folder: &str,
        archives: &[PathBuf],
        own: Vec<u8>,
    ) -> bool {
        let _ = (pod, container, folder, archives, own);
        false
    }

    /// Creates a pod. A pod of this name that is there already is taken to be ours. `login` is the secret that the
    /// pod names for the pulls of its images; it goes with the pod. Engines that pull by themselves need none.
    async fn create(&self, pod: &Pod, login: Option<&Secret>) -> Result<(), Error>;

    /// The states of a pod, from now until it is gone: the stream ends then. A state may come twice, and
    /// some may be missed: each is a state, not a transition.
    fn watch(&self, pod: &str) -> BoxStream<'static, Result<Pod, Error>>;

    /// The output of a container from its first byte to its last, across broken connections: no line
    /// twice, none lost, mostly several lines at once. Ends when the container has ended or the pod is gone.
    /// It may be called as soon as the pod is created, and then begins as soon as the container does.
    fn log(&self, pod: &str, container: &str) -> BoxStream<'static, Result<Vec<u8>, Error>>;

    /// Unpacks a tar archive at the root of a running container, which needs `tar`. The archive's last
    /// entry is in place when this returns, and not before the others.
    async fn copy_in(&self, pod: &str, container: &str, archive: Archive) -> Result<(), Error>;

    /// What is below a folder of a running container, which needs `sh` and `find`.
    async fn list(&self, pod: &str, container: &str, folder: &str) -> Result<Vec<File>, Error>;

    /// A tar archive of files, their paths relative to a folder of a running container, which needs `sh`,
    /// `xargs` and `tar`. Links are kept as links; a folder is only itself, without what is in it. With many
    /// files it is several archives one after the other: read it with zeros ignored. Reading fails when a
    /// file is not there.
    async fn copy_out(
        &self,
        pod: &str,
        container: &str,
        folder: &str,
        paths: &[String],
    ) -> Result<Archive, Error>;

    /// Runs a command in a running container on a terminal of its own, for somebody who types.
    async fn terminal(&self, pod: &str, container: &str, command: &[String]) -> Result<Terminal, Error>;

    /// What a running container uses; none where that cannot be told, for instance for lack of a right.
    async fn usage(&self, pod: &str, container: &str) -> Option<Usage>;

    /// Deletes a pod: SIGTERM now, SIGKILL after `grace`. Returns once the engine has taken the request;
    /// a pod that is not there is no error.
    async fn delete(&self, pod: &str, grace: Duration) -> Result<(), Error>;

    /// Whether the engine still answers: what it says when it does not is why jobs have failed.
    async fn answers(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// The annotation that names a container which has work of its own, where the engine may take it for one that
/// only carries files.
pub const WORKS: &str = "podline.dev/works";

/// The image id of a container that runs on the host's own file system, because its image could not be had.
pub const HOST_IMAGE_ID: &str = "host:/";

/// What a container uses at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Thousandths of a CPU, over the last seconds.
    pub cpu_millis: Option<u64>,
    /// Bytes of memory that cannot be had back at once: the kubelet's working set.
    pub memory_bytes: Option<u64>,
}

/// Bytes of a tar archive.
pub type Archive = Box<dyn AsyncRead + Send + Sync + Unpin>;

/// A file, link or folder in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path, relative to the folder that was listed, without a leading `./`.
    pub path: String,
    /// What it is.
    pub kind: FileKind,
}

/// What a [`File`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    Regular,
    /// A folder.
    Directory,
    /// A symbolic link.
    Link,
    /// A socket, device or pipe.
    Other,
}

/// What went wrong while an engine worked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The engine cannot work on this machine, or something that it needs is missing.
    #[error("{message}")]
    Unusable {
        /// What is missing.
        message: String,
        /// What to do now.
        help: String,
    },
    /// Kubernetes refused because the service account lacks a permission.
    #[error("{message}")]
    Forbidden {
        /// What was refused.
        message: String,
        /// The rule that would allow it, as YAML for a Role.
        rule: String,
    },
    /// The pod was refused as it is.
    #[error("Kubernetes refused the pod: {message}")]
    Rejected {
        /// The words of the API.
        message: String,
        /// What to do now, where that is known.
        help: Option<String>,
    },
    /// There is no room for the pod, and there will be when others have ended.
    #[error("{message}")]
    Full {
        /// Where there is no room.
        message: String,
    },
    /// The connection broke before the work was done; it may be tried again.
    #[error("lost the connection while {doing}: {cause}")]
    Disconnected {
        /// What was being done.
        doing: String,
        /// What is known of the cause.
        cause: String,
    },
    /// A command failed.
    #[error("{doing} failed: {cause}")]
    Failed {
        /// What was being done.
        doing: String,
        /// What it said.
        cause: String,
    },
}

/// What an error and its causes say, each once: the words of a client library are mostly "error in the
/// client".
fn chain(error: &dyn std::error::Error) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let words = error.to_string();
        if !said.last().is_some_and(|last| last.contains(&words)) {
            said.push(words);
        }
        next = error.source();
    }
    said.join(": ")
}
