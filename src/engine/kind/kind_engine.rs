//! The kind engine: clusters of podline on one Docker engine, and a place for pods in one of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client};
use tokio::sync::Mutex;

use super::cluster::{self, Cluster, Lifetime, Options};
use super::images::{self, Imported};
use super::state::{self, Hold, Known, Use};
use super::{node_image, remains};
use crate::engine::docker::Connection;
use crate::engine::kube::client::{Identity, Target, connect};
use crate::engine::kube::{KubePods, namespace, node};
use crate::engine::run_mark::RunMark;
use crate::engine::{Error, Free, Namespace, Owner, Place, Progress, Provisioner, Step};

/// How long a cluster may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// The clusters of podline on one Docker engine.
#[derive(Debug, Clone)]
pub struct Kind {
    connection: Connection,
    state: PathBuf,
    /// Held while Docker makes a network.
    networking: Arc<Mutex<()>>,
}

impl Kind {
    /// `state` is the folder, of one user and for all projects, that has a folder for each cluster.
    #[must_use]
    pub fn new(connection: Connection, state: PathBuf) -> Self {
        Self { connection, state, networking: Arc::default() }
    }

    /// Makes a cluster that takes pods. What was made is removed when that fails; when the future is
    /// dropped, kind is stopped, and [`Kind::delete`] removes the rest.
    ///
    /// # Errors
    ///
    /// [`Error::Unusable`] without `kind` or with a name that is taken, [`Error::Failed`] with kind's words.
    pub async fn create(&self, options: &Options, progress: &Progress<'_>) -> Result<Cluster, Error> {
        cluster::create(&self.connection, &self.state, &self.networking, options, progress).await
    }

    /// The newest node image that the local Docker has: one that need not be fetched before a cluster starts.
    ///
    /// # Errors
    ///
    /// What Docker answers.
    pub async fn newest_node_image(&self) -> Result<Option<String>, Error> {
        node_image::newest(&self.connection.docker).await
    }

    /// Takes a cluster into use that was made before.
    ///
    /// # Errors
    ///
    /// [`Error::Unusable`] when there is no such cluster, or it does not run.
    pub async fn open(&self, name: &str) -> Result<Cluster, Error> {
        let unusable = |message: String| Error::Unusable {
            message,
            help: "`podline cluster list` shows what there is, `podline cluster up` makes a cluster"
                .to_owned(),
        };
        let all = self.list().await?;
        let known = all.into_iter().find(|known| known.name == name && known.node_image.is_some());
        let known = known.ok_or_else(|| unusable(format!("there is no cluster `{name}`")))?;
        if !known.running {
            return Err(unusable(format!("the cluster `{name}` does not run")));
        }
        let kubeconfig = known.folder.join("kubeconfig");
        if !kubeconfig.exists() {
            return Err(unusable(format!(
                "the cluster `{name}` has no kubeconfig at `{}`",
                kubeconfig.display()
            )));
        }
        Ok(Cluster { name: name.to_owned(), kubeconfig, _hold: Hold::shared(&known.folder).await? })
    }

    /// All clusters of podline, and what is left of others, sorted by name.
    ///
    /// # Errors
    ///
    /// What Docker answers.
    pub async fn list(&self) -> Result<Vec<Known>, Error> {
        state::list(&self.connection.docker, &self.state).await
    }

    /// Deletes a cluster with its network and folder, or what is there of it.
    ///
    /// # Errors
    ///
    /// What Docker answers.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        // a creation that was stopped may have asked for a network
        let _asked = self.networking.lock().await;
        let known = self.list().await?.into_iter().find(|known| known.name == name);
        let folder = known.map_or_else(|| self.state.join(name), |known| known.folder);
        cluster::delete(&self.connection.docker, name, &folder).await
    }

    /// Deletes the clusters that runs that were killed have left behind. Returns the names.
    ///
    /// # Errors
    ///
    /// What Docker answers.
    pub async fn prune(&self) -> Result<Vec<String>, Error> {
        let mut removed = Vec::new();
        for known in self.list().await? {
            if known.used != Use::Abandoned {
                continue;
            }
            // held while it is removed, so that nobody begins to use it
            let Some(_removal) = Hold::exclusive(&known.folder) else {
                continue;
            };
            cluster::delete(&self.connection.docker, &known.name, &known.folder).await?;
            removed.push(known.name);
        }
        Ok(removed)
    }

    /// Deletes the pods that runs that were killed have left in clusters that stay, by the label that has a
    /// run's id. Returns the ids of the runs. A cluster that does not answer is passed over: its pods have a
    /// deadline of their own.
    ///
    /// # Errors
    ///
    /// What Docker answers.
    pub async fn prune_pods(&self, label: &str) -> Result<Vec<String>, Error> {
        let mut runs = Vec::new();
        for known in self.list().await? {
            if known.used == Use::Abandoned || !known.running {
                continue;
            }
            let kubeconfig = known.folder.join("kubeconfig");
            let pruned = async {
                let own = connect(
                    Target { kubeconfig: std::slice::from_ref(&kubeconfig), context: None },
                    &Identity::Own,
                )
                .await?;
                remains::prune(&own, &known.folder, label).await
            };
            if let Ok(Ok(pruned)) = tokio::time::timeout(PATIENCE, pruned).await {
                runs.extend(pruned);
            }
        }
        Ok(runs)
    }

    /// Takes images of the local Docker into the nodes of a cluster.
    ///
    /// # Errors
    ///
    /// What Docker or the node's containerd answers.
    pub async fn import(
        &self,
        cluster: &str,
        images: &[String],
        progress: &Progress<'_>,
    ) -> Result<Imported, Error> {
        images::import(&self.connection.docker, cluster, images, progress).await
    }
}

/// A place for pods in a kind cluster.
pub struct KindEngine {
    kind: Kind,
    options: Options,
    choice: Choice,
    owner: Owner,
    /// Whether a cluster is half made.
    making: AtomicBool,
    used: Mutex<Option<Used>>,
}

/// A cluster in use.
struct Used {
    cluster: Cluster,
    pods: Api<Pod>,
    mark: RunMark,
}

/// Whether a cluster is made or taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Make,
    Take,
}

impl KindEngine {
    /// Pods in a cluster of their own.
    #[must_use]
    pub fn in_new(kind: Kind, options: Options, owner: Owner) -> Self {
        Self {
            kind,
            options,
            choice: Choice::Make,
            owner,
            making: AtomicBool::new(false),
            used: Mutex::default(),
        }
    }

    /// Pods in a cluster that was made before: name and images of the options count.
    #[must_use]
    pub fn in_existing(kind: Kind, options: Options, owner: Owner) -> Self {
        Self {
            kind,
            options,
            choice: Choice::Take,
            owner,
            making: AtomicBool::new(false),
            used: Mutex::default(),
        }
    }

    /// The kubeconfig of the cluster once it is up, for `kubectl`.
    pub async fn kubeconfig(&self) -> Option<PathBuf> {
        self.used.lock().await.as_ref().map(|used| used.cluster.kubeconfig.clone())
    }

    async fn cluster(&self, progress: &Progress<'_>) -> Result<Cluster, Error> {
        if self.choice == Choice::Make {
            self.making.store(true, Ordering::Relaxed);
            let created = self.kind.create(&self.options, progress).await;
            self.making.store(false, Ordering::Relaxed);
            return created;
        }
        let cluster = self.kind.open(&self.options.name).await?;
        self.import(&self.options.images, progress).await;
        Ok(cluster)
    }

    async fn import(&self, images: &[String], progress: &Progress<'_>) {
        if let Err(error) = self.kind.import(&self.options.name, images, progress).await {
            progress(Step::Warning(format!("images are left to the node to pull: {error}")));
        }
    }
}

#[async_trait]
impl Provisioner for KindEngine {
    async fn up(&self, namespace: &Namespace, progress: &Progress<'_>) -> Result<Place, Error> {
        let cluster = self.cluster(progress).await?;
        let kubeconfig = [cluster.kubeconfig.clone()];
        let target = Target { kubeconfig: &kubeconfig, context: None };
        let own = connect(target, &Identity::Own).await?;
        let acting = acting(target, &own, namespace).await?;
        let pods = Api::namespaced(own.clone(), &namespace.name);
        let folder = cluster.folder().to_owned();
        let kubectl = ["--kubeconfig".to_owned(), cluster.kubeconfig.display().to_string()];
        let kubectl = kubectl.into_iter().chain(["--namespace".to_owned(), namespace.name.clone()]);
        let mark = RunMark::set(&folder.join(remains::RUNS), &self.owner.run)?;
        *self.used.lock().await = Some(Used { cluster, pods, mark });
        namespace::apply(&own, namespace).await?;
        if let Err(error) = remains::prune(&own, &folder, self.owner.label).await {
            progress(Step::Warning(format!("pods of a run that was killed may still be there: {error}")));
        }
        namespace::settle(&acting, &namespace.name).await?;
        let free = Free { nodes: node::look(&own).await?, ..Free::default() };
        let labels = node::Labels::new(own.clone());
        let pods = KubePods::new(own, acting, &namespace.name, &self.owner.selector()).on(labels);
        Ok(Place { pods: Arc::new(pods), free, kubectl: Some(kubectl.collect()) })
    }

    async fn provide(&self, images: &[String], progress: &Progress<'_>) {
        self.import(images, progress).await;
    }

    async fn down(&self) -> Result<(), Error> {
        let used = self.used.lock().await.take();
        let is_ours = self.choice == Choice::Make && self.options.lifetime == Lifetime::Run;
        if is_ours || self.making.load(Ordering::Relaxed) {
            return self.kind.delete(&self.options.name).await;
        }
        if let Some(used) = used {
            let ours = ListParams::default().labels(&self.owner.selector());
            // the cluster may be gone already, and else the next run finds the pods by the mark
            if used.pods.delete_collection(&remains::now(), &ours).await.is_ok() {
                used.mark.clear();
            }
        }
        Ok(())
    }

    async fn prune(&self) -> Result<Vec<String>, Error> {
        self.kind.prune().await
    }
}

/// The client that creates pods.
async fn acting(target: Target<'_>, own: &Client, namespace: &Namespace) -> Result<Client, Error> {
    let Some(account) = &namespace.service_account else {
        return Ok(own.clone());
    };
    connect(target, &Identity::Impersonated(account.clone())).await
}
