//! Which clusters there are, and which of them somebody uses.
//!
//! Whoever uses a cluster holds a shared lock on a file in its folder. The kernel takes the lock away when
//! the process ends in whatever way, so that a lock tells more than a process id would: it needs no look at
//! other processes, and a new process of the same id cannot be mistaken for the old one.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerSummary, ContainerSummaryStateEnum, Network};
use bollard::query_parameters::{ListContainersOptionsBuilder, ListNetworksOptionsBuilder};
use jiff::Timestamp;
use tokio::time::{Instant, sleep};

use crate::engine::{Error, docker};

/// What every name of podline's clusters begins with.
pub(super) const PREFIX: &str = "podline-";

/// The network's label with the cluster's name.
pub(super) const CLUSTER_LABEL: &str = "podline.cluster";
/// The network's label with the cluster's folder.
pub(super) const FOLDER_LABEL: &str = "podline.folder";
/// The network's label of a cluster that outlives its run.
pub(super) const KEEP_LABEL: &str = "podline.keep";
/// The file in a cluster's folder that its users hold a lock on.
const LOCK: &str = "lock";
/// How long another process may hold the lock for a look.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the lock is tried.
const POLL: Duration = Duration::from_millis(20);
/// kind's label on its node containers.
const KIND_LABEL: &str = "io.x-k8s.kind.cluster";

/// A cluster of podline, or what is left of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// The image of its nodes.
    pub node_image: Option<String>,
    /// Whether its nodes run.
    pub running: bool,
    /// Who uses it.
    pub used: Use,
    /// Where its kubeconfig is.
    pub folder: PathBuf,
}

/// Who uses a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// A process uses it now.
    Held,
    /// Nobody, but it was made to be kept.
    Kept,
    /// Nobody, and nobody will: its run is gone.
    Abandoned,
}

/// A lock on a cluster: as long as it lives, the cluster is in use.
#[derive(Debug)]
pub(super) struct Hold {
    _file: File,
}

impl Hold {
    /// Takes a cluster into use.
    pub(super) async fn shared(folder: &Path) -> Result<Self, Error> {
        let since = Instant::now();
        loop {
            let cause = match Self::try_shared(folder) {
                Ok(Some(hold)) => return Ok(hold),
                // whoever lists clusters looks at the lock, and takes it for a moment
                Ok(None) if since.elapsed() < PATIENCE => {
                    sleep(POLL).await;
                    continue;
                }
                Ok(None) => "the cluster is being removed".to_owned(),
                Err(error) => error.to_string(),
            };
            return Err(unusable(folder, &cause));
        }
    }

    fn try_shared(folder: &Path) -> std::io::Result<Option<Self>> {
        std::fs::create_dir_all(folder)?;
        let path = folder.join(LOCK);
        let file = File::create(&path)?;
        match file.try_lock_shared() {
            // a file that was removed in between keeps nobody off
            Ok(()) => Ok(path.exists().then_some(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Takes a cluster to remove it. None while somebody uses it.
    pub(super) fn exclusive(folder: &Path) -> Option<Option<Self>> {
        // without a folder nobody can be using it; without a file somebody may be about to
        let Ok(file) = File::options().append(true).create(true).open(folder.join(LOCK)) else {
            return Some(None);
        };
        file.try_lock().is_ok().then_some(Some(Self { _file: file }))
    }
}

fn unusable(folder: &Path, cause: &str) -> Error {
    Error::Unusable {
        message: format!("cannot use the folder `{}`: {cause}", folder.display()),
        help: "podline keeps the kubeconfig of its cluster there: make it writable".to_owned(),
    }
}

/// The node containers of a cluster, whatever their state. A cluster of the same name in another network was
/// made by somebody else.
pub(super) async fn nodes(docker: &Docker, cluster: &str) -> Result<Vec<ContainerSummary>, Error> {
    let all = containers(docker, &format!("{KIND_LABEL}={cluster}")).await?;
    Ok(all.into_iter().filter(is_ours).collect())
}

fn is_ours(container: &ContainerSummary) -> bool {
    let network = container.host_config.as_ref().and_then(|config| config.network_mode.as_deref());
    cluster_of(container).is_some_and(|name| name.starts_with(PREFIX) && network == Some(name))
}

fn cluster_of(container: &ContainerSummary) -> Option<&str> {
    container.labels.as_ref()?.get(KIND_LABEL).map(String::as_str)
}

async fn containers(docker: &Docker, label: &str) -> Result<Vec<ContainerSummary>, Error> {
    let filters = HashMap::from([("label", vec![label])]);
    let options = ListContainersOptionsBuilder::new().all(true).filters(&filters).build();
    let listed = docker.list_containers(Some(options)).await;
    listed.map_err(|error| docker::failed("listing the node containers", &error))
}

/// The networks that podline made, of one cluster or of all.
pub(super) async fn networks(docker: &Docker, cluster: Option<&str>) -> Result<Vec<Network>, Error> {
    let label = cluster.map_or(CLUSTER_LABEL.to_owned(), |name| format!("{CLUSTER_LABEL}={name}"));
    let filters = HashMap::from([("label", vec![label])]);
    let options = ListNetworksOptionsBuilder::new().filters(&filters).build();
    let listed = docker.list_networks(Some(options)).await;
    listed.map_err(|error| docker::failed("listing the networks", &error))
}

/// All clusters of podline on this engine, and the folders of those that are gone, sorted by name.
pub(super) async fn list(docker: &Docker, state: &Path) -> Result<Vec<Known>, Error> {
    let (networks, containers) = tokio::try_join!(networks(docker, None), containers(docker, KIND_LABEL))?;
    let folders = folders(state);
    Ok(merge(&networks, &containers, &folders, state))
}

fn folders(state: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(state).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with(PREFIX)).collect()
}

fn merge(
    networks: &[Network],
    containers: &[ContainerSummary],
    folders: &[String],
    state: &Path,
) -> Vec<Known> {
    let mut known: BTreeMap<&str, Known> = BTreeMap::new();
    let unknown = |name: &str| Known {
        name: name.to_owned(),
        created: None,
        node_image: None,
        running: false,
        used: Use::Abandoned,
        folder: state.join(name),
    };
    for name in folders {
        known.entry(name).or_insert_with(|| unknown(name));
    }
    for network in networks {
        let Some(labels) = &network.labels else { continue };
        let Some(name) = labels.get(CLUSTER_LABEL).filter(|name| name.starts_with(PREFIX)) else { continue };
        let cluster = known.entry(name).or_insert_with(|| unknown(name));
        cluster.created = network.created.as_ref().and_then(|time| time.to_string().parse().ok());
        if let Some(folder) = labels.get(FOLDER_LABEL) {
            cluster.folder = PathBuf::from(folder);
        }
        if labels.get(KEEP_LABEL).is_some_and(|keep| keep == "true") {
            cluster.used = Use::Kept;
        }
    }
    for container in containers.iter().filter(|container| is_ours(container)) {
        let Some(name) = cluster_of(container) else { continue };
        let cluster = known.entry(name).or_insert_with(|| unknown(name));
        cluster.node_image.clone_from(&container.image);
        cluster.running = container.state == Some(ContainerSummaryStateEnum::RUNNING);
        cluster.created =
            container.created.and_then(|seconds| Timestamp::from_second(seconds).ok()).or(cluster.created);
    }
    let mut known: Vec<Known> = known.into_values().collect();
    for cluster in &mut known {
        if Hold::exclusive(&cluster.folder).is_none() {
            cluster.used = Use::Held;
        }
    }
    known
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn network(name: &str, folder: &Path, keep: bool) -> Network {
        serde_json::from_value(json!({
            "Name": name,
            "Labels": {CLUSTER_LABEL: name, FOLDER_LABEL: folder, KEEP_LABEL: keep.to_string()}
        }))
        .expect("a network")
    }

    fn container(cluster: &str, network: &str) -> ContainerSummary {
        serde_json::from_value(json!({
            "Image": "kindest/node:v1.34.4", "State": "running", "Created": 1_700_000_000,
            "Labels": {KIND_LABEL: cluster}, "HostConfig": {"NetworkMode": network}
        }))
        .expect("a container")
    }

    #[tokio::test]
    async fn a_cluster_is_in_use_as_long_as_somebody_holds_it() {
        let state = tempfile::tempdir().expect("a temporary folder");
        let folder = state.path().join("podline-a");
        assert!(Hold::exclusive(&folder).is_some(), "there is no such cluster");
        let first = Hold::shared(&folder).await.expect("free");
        let second = Hold::shared(&folder).await.expect("shared");
        drop(first);
        assert!(Hold::exclusive(&folder).is_none(), "the second user is left");
        drop(second);
        let removal = Hold::exclusive(&folder).expect("nobody is left");
        assert!(Hold::shared(&folder).await.is_err(), "it is being removed");
        drop(removal);
    }

    #[tokio::test]
    async fn what_is_left_of_a_cluster_is_known_by_any_of_its_parts() {
        let state = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| state.path().join(name);
        let _used = Hold::shared(&at("podline-held")).await.expect("free");
        let networks = [
            network("podline-held", &at("podline-held"), false),
            network("podline-kept", &at("podline-kept"), true),
            network("podline-network", &at("podline-network"), false),
        ];
        let containers = [
            container("podline-held", "podline-held"),
            container("podline-node", "podline-node"),
            container("podline-foreign", "kind"),
            container("mine", "mine"),
        ];
        let known = merge(&networks, &containers, &["podline-folder".to_owned()], state.path());
        let seen: Vec<_> =
            known.iter().map(|known| (known.name.as_str(), known.used, known.running)).collect();
        assert_eq!(
            seen,
            [
                ("podline-folder", Use::Abandoned, false),
                ("podline-held", Use::Held, true),
                ("podline-kept", Use::Kept, false),
                ("podline-network", Use::Abandoned, false),
                ("podline-node", Use::Abandoned, true),
            ]
        );
    }
}
