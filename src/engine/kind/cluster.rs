//! Makes a cluster and takes it away.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::models::{ContainerSummary, Network, NetworkCreateRequest};
use bollard::query_parameters::{InspectNetworkOptions, RemoveContainerOptionsBuilder};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::config::Config;
use super::state::{CLUSTER_LABEL, FOLDER_LABEL, Hold, KEEP_LABEL, PREFIX, networks, nodes};
use super::{command, images, ready};
use crate::engine::docker::{self, Connection, is_status};
use crate::engine::{Error, Progress, Step};

/// How long a node may take to be ready after kind is done.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long Docker may refuse to remove a container: it does while it still creates it, which takes ten
/// seconds and more where the node image has to come from a slow disk.
const REMOVAL: Duration = Duration::from_secs(60);

/// How often the removal is tried.
const POLL: Duration = Duration::from_millis(100);

/// A cluster to make.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its name, `podline-` and at most 40 characters more: node names become host names.
    pub name: String,
    /// Its configuration.
    pub config: Config,
    /// The folder that relative paths in the configuration begin at.
    pub folder: PathBuf,
    /// The image of its nodes; kind's own choice without one.
    pub node_image: Option<String>,
    /// How long it lives.
    pub lifetime: Lifetime,
    /// Images to take from the local Docker. What is not there is pulled by the node when a pod needs it.
    pub images: Vec<String>,
}

/// How long a cluster lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// As long as the run that made it.
    Run,
    /// Until it is deleted by name.
    Kept,
}

/// A cluster that takes pods. Nobody removes it while this lives.
#[derive(Debug)]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// A kubeconfig with nothing but this cluster.
    pub kubeconfig: PathBuf,
    pub(super) _hold: Hold,
}

impl Cluster {
    /// The folder of what podline knows of it.
    pub(super) fn folder(&self) -> &Path {
        self.kubeconfig.parent().unwrap_or(Path::new("."))
    }
}

/// Makes a cluster; takes away what is there of it when that fails.
pub(super) async fn create(
    connection: &Connection,
    state: &Path,
    networking: &Arc<Mutex<()>>,
    options: &Options,
    progress: &Progress<'_>,
) -> Result<Cluster, Error> {
    let (docker, name) = (&connection.docker, options.name.as_str());
    check_name(name)?;
    if !networks(docker, Some(name)).await?.is_empty() || !nodes(docker, name).await?.is_empty() {
        return Err(Error::Unusable {
            message: format!("there is a cluster `{name}` already"),
            help: format!("use it with `--cluster {name}`, or remove it with `podline cluster down {name}`"),
        });
    }
    let folder = state.join(name);
    let cluster = Cluster {
        name: name.to_owned(),
        kubeconfig: folder.join("kubeconfig"),
        _hold: Hold::shared(&folder).await?,
    };
    let made = async {
        create_network(docker, &folder, options, Arc::clone(networking)).await?;
        make(connection, &cluster, options, progress).await
    };
    let made = made.await;
    if let Err(error) = made {
        delete(docker, name, &folder).await?;
        return Err(error);
    }
    Ok(cluster)
}

fn check_name(name: &str) -> Result<(), Error> {
    let rest = name.strip_prefix(PREFIX).unwrap_or_default();
    let plain = rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if (1..=40).contains(&rest.len()) && plain {
        return Ok(());
    }
    Err(Error::Unusable {
        message: format!("`{name}` is no name for a cluster"),
        help: format!("a name is `{PREFIX}` and up to 40 lower-case letters, digits and dashes"),
    })
}

async fn make(
    connection: &Connection,
    cluster: &Cluster,
    options: &Options,
    progress: &Progress<'_>,
) -> Result<(), Error> {
    let creation = command::Create {
        name: &options.name,
        config: options.config.text(),
        image: options.node_image.as_deref(),
        kubeconfig: &cluster.kubeconfig,
        folder: &options.folder,
        network: &options.name,
        host: &connection.host,
    };
    let created = async {
        command::create(&creation, progress).await?;
        ready::wait(&cluster.kubeconfig, options.config.nodes(), PATIENCE, progress).await
    };
    // containerd is there long before the control plane, which mostly waits while it starts
    let imported = async {
        let nodes = options.config.nodes();
        if let Err(error) =
            images::import_early(&connection.docker, &options.name, nodes, &options.images, progress).await
        {
            progress(Step::Warning(format!("images are left to the node to pull: {error}")));
        }
        Ok(())
    };
    tokio::try_join!(created, imported).map(|_| ())
}

/// Makes the cluster's network as kind would make it, but with labels, and without the IPv6 that its nodes
/// have no use for.
///
/// The request goes to its end even if nobody waits for it any more, since Docker does what was asked in any
/// case; `networking` is locked until then.
async fn create_network(
    docker: &Docker,
    folder: &Path,
    options: &Options,
    networking: Arc<Mutex<()>>,
) -> Result<(), Error> {
    const MTU: &str = "com.docker.network.driver.mtu";
    let bridge = docker.inspect_network("bridge", None::<InspectNetworkOptions>).await.ok();
    let mtu = bridge.and_then(|bridge| bridge.options).and_then(|mut options| options.remove(MTU));
    let mut driver =
        HashMap::from([("com.docker.network.bridge.enable_ip_masquerade".to_owned(), "true".to_owned())]);
    driver.extend(mtu.map(|mtu| (MTU.to_owned(), mtu)));
    let labels = HashMap::from([
        (CLUSTER_LABEL.to_owned(), options.name.clone()),
        (FOLDER_LABEL.to_owned(), folder.display().to_string()),
        (KEEP_LABEL.to_owned(), (options.lifetime == Lifetime::Kept).to_string()),
    ]);
    let request = NetworkCreateRequest {
        name: options.name.clone(),
        driver: Some("bridge".to_owned()),
        options: Some(driver),
        labels: Some(labels),
        ..NetworkCreateRequest::default()
    };
    let (docker, networking) = (docker.clone(), networking.lock_owned().await);
    let created = tokio::spawn(async move {
        let created = docker.create_network(request).await;
        drop(networking);
        created
    });
    let created = created.await.map_err(|error| Error::Failed {
        doing: "creating the cluster's network".to_owned(),
        cause: error.to_string(),
    })?;
    created.map(drop).map_err(|error| docker::failed("creating the cluster's network", &error))
}

/// Removes a cluster or what is there of it: node containers with their volumes, the network, the folder.
/// It is what `kind delete cluster` does, and works as well when kind was stopped half way.
pub(super) async fn delete(docker: &Docker, name: &str, folder: &Path) -> Result<(), Error> {
    check_name(name)?;
    let since = Instant::now();
    let mut looked_twice = false;
    loop {
        let nodes = nodes(docker, name).await?;
        let networks = networks(docker, Some(name)).await?;
        if nodes.is_empty() && networks.is_empty() {
            // what cannot be removed now is found by the next prune
            let _ = std::fs::remove_dir_all(folder);
            return Ok(());
        }
        // a `docker run` that was stopped may still bring its container: its network is there until then
        if nodes.is_empty() && !looked_twice {
            looked_twice = true;
            sleep(POLL * 5).await;
            continue;
        }
        let removed = remove(docker, &nodes, &networks).await;
        if since.elapsed() > REMOVAL {
            return removed.and(Err(Error::Failed {
                doing: format!("removing the cluster `{name}`"),
                cause: "its container or network is still there".to_owned(),
            }));
        }
        if removed.is_err() {
            sleep(POLL).await;
        }
    }
}

async fn remove(docker: &Docker, nodes: &[ContainerSummary], networks: &[Network]) -> Result<(), Error> {
    let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
    for node in nodes.iter().filter_map(|node| node.id.as_deref()) {
        gone(docker.remove_container(node, Some(options.clone())).await, "removing a node container")?;
    }
    for network in networks.iter().filter_map(|network| network.id.as_deref()) {
        gone(docker.remove_network(network).await, "removing the cluster's network")?;
    }
    Ok(())
}

/// What somebody else has removed is removed.
fn gone(result: Result<(), bollard::errors::Error>, doing: &str) -> Result<(), Error> {
    match result {
        Err(error) if !is_status(&error, 404) => Err(docker::failed(doing, &error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_podlines_own_and_fits_a_host_name() {
        for name in ["podline-1", "podline-ab-12"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        let long = format!("podline-{}", "x".repeat(41));
        for name in ["kind", "podline-", "podline-A", "podline-a/b", "podline-../x", long.as_str()] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
