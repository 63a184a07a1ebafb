//! The kind engine: clusters of podline on one Docker engine, and a place for pods in one of them.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client};
use tokio::sync::Mutex;

use super::cluster::{self, Cluster, Lifetime, Options};
use super::images::{self, Imported};
use super::node_image;
use super::state::{self, Hold, Known, Use};
use crate::engine::docker::Connection;
use crate::engine::kube::client::{Identity, Target, connect};
use crate::engine::kube::{KubePods, namespace, node};
use crate::engine::{Error, Namespace, Place, Progress, Provisioner, Step};

/// The clusters of podline on one Docker engine.
#[derive(Debug, Clone)]
pub struct Kind {
    connection: Connection,
    state: PathBuf,
}

impl Kind {
    /// `state` is the folder, of one user and for all projects, that has a folder for each cluster.
    #[must_use]
    pub fn new(connection: Connection, state: PathBuf) -> Self {
        Self { connection, state }
    }

    /// Makes a cluster that takes pods. What was made is removed when that fails; when the future is
    /// dropped, kind is stopped, and [`Kind::delete`] removes the rest.
    ///
    /// # Errors
    ///
    /// [`Error::Unusable`] without `kind` or with a name that is taken, [`Error::Failed`] with kind's words.
    pub async fn create(&self, options: &Options, progress: &Progress<'_>) -> Result<Cluster, Error> {
        cluster::create(&self.connection, &self.state, options, progress).await
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
        Ok(Cluster { name: name.to_owned(), kubeconfig, _hold: Hold::shared(&known.folder)? })
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
        let known = self.list().await?.into_iter().find(|known| known.name == name);
        let folder = known.map_or_else(|| self.state.join(name), |known| known.folder);
        cluster::delete(&self.connection.docker, name, &folder).await
    }

    /// Deletes what runs that were killed have left behind. Returns the names.
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
    selector: String,
    used: Mutex<Option<(Cluster, Api<Pod>)>>,
}

/// Whether a cluster is made or taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Choice {
    Make,
    Take,
}

impl KindEngine {
    /// Pods in a cluster of their own. The label selector takes exactly the pods of this run.
    #[must_use]
    pub fn in_new(kind: Kind, options: Options, selector: String) -> Self {
        Self { kind, options, choice: Choice::Make, selector, used: Mutex::default() }
    }

    /// Pods in a cluster that was made before: name and images of the options count.
    #[must_use]
    pub fn in_existing(kind: Kind, options: Options, selector: String) -> Self {
        Self { kind, options, choice: Choice::Take, selector, used: Mutex::default() }
    }

    /// The kubeconfig of the cluster once it is up, for `kubectl`.
    pub async fn kubeconfig(&self) -> Option<PathBuf> {
        self.used.lock().await.as_ref().map(|(cluster, _)| cluster.kubeconfig.clone())
    }

    async fn cluster(&self, progress: &Progress<'_>) -> Result<Cluster, Error> {
        if self.choice == Choice::Make {
            return self.kind.create(&self.options, progress).await;
        }
        let cluster = self.kind.open(&self.options.name).await?;
        if let Err(error) = self.kind.import(&cluster.name, &self.options.images, progress).await {
            progress(Step::Warning(format!("images are left to the node to pull: {error}")));
        }
        Ok(cluster)
    }
}

#[async_trait]
impl Provisioner for KindEngine {
    async fn up(&self, namespace: &Namespace, progress: &Progress<'_>) -> Result<Place, Error> {
        let cluster = self.cluster(progress).await?;
        let target = Target { kubeconfig: &cluster.kubeconfig, context: None };
        let own = connect(target, &Identity::Own).await?;
        let acting = acting(target, &own, namespace).await?;
        let pods = Api::namespaced(own.clone(), &namespace.name);
        *self.used.lock().await = Some((cluster, pods));
        namespace::apply(&own, namespace).await?;
        namespace::settle(&acting, &namespace.name).await?;
        let node = node::look(&own).await?;
        let pods = KubePods::new(own, acting, &namespace.name, &self.selector);
        Ok(Place { pods: Arc::new(pods), node })
    }

    async fn down(&self) -> Result<(), Error> {
        let used = self.used.lock().await.take();
        if self.choice == Choice::Make && self.options.lifetime == Lifetime::Run {
            return self.kind.delete(&self.options.name).await;
        }
        if let Some((_, pods)) = used {
            let now = DeleteParams { grace_period_seconds: Some(0), ..DeleteParams::background() };
            let ours = ListParams::default().labels(&self.selector);
            // the cluster may be gone already; its pods have a deadline of their own
            let _ = pods.delete_collection(&now, &ours).await;
        }
        Ok(())
    }
}

/// The client that creates pods.
async fn acting(target: Target<'_>, own: &Client, namespace: &Namespace) -> Result<Client, Error> {
    let Some(account) = &namespace.service_account else {
        return Ok(own.clone());
    };
    connect(target, &Identity::Impersonated(account.clone())).await
}
