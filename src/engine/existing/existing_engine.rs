//! A place for pods in a cluster that is there.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::{access, lease, limits, remains};
use crate::engine::kube::client::{Identity, Target, connect};
use crate::engine::kube::{KubePods, failed, namespace};
use crate::engine::run_mark::RunMark;
use crate::engine::{Error, Namespace, Owner, Place, Progress, Provisioner};

/// A cluster that somebody else made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Existing {
    /// The kubeconfig files; the first that sets a value wins.
    pub kubeconfig: Vec<PathBuf>,
    /// The context in them. There is no default: podline never takes the current one.
    pub context: String,
    /// The namespace in it.
    pub space: Space,
}

/// Where in a cluster pods go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Space {
    /// To a namespace that is made for the run and goes with it.
    Own,
    /// To this one, which is there and stays.
    Named(String),
}

impl Existing {
    /// Where to connect.
    pub(super) fn target(&self) -> Target<'_> {
        Target { kubeconfig: &self.kubeconfig, context: Some(&self.context) }
    }

    /// The arguments with which `kubectl` finds a namespace. It takes one file; of several it reads the same
    /// list that podline has read, from `KUBECONFIG`.
    fn kubectl(&self, namespace: &str) -> Vec<String> {
        let file = match self.kubeconfig.as_slice() {
            [file] => vec!["--kubeconfig".to_owned(), file.display().to_string()],
            _ => Vec::new(),
        };
        let rest = ["--context", &self.context, "--namespace", namespace].map(str::to_owned);
        file.into_iter().chain(rest).collect()
    }
}

/// A place for pods in a cluster that somebody else made.
pub struct ExistingEngine {
    existing: Existing,
    owner: Owner,
    /// The folder of the marks of this machine's runs.
    state: PathBuf,
    used: Mutex<Option<Used>>,
}

/// What a run has made, as far as it came.
struct Used {
    client: Client,
    namespace: String,
    mark: RunMark,
    lease: Option<lease::Held>,
}

impl ExistingEngine {
    /// `state` is the folder, of one user and for all projects, where runs leave their marks.
    #[must_use]
    pub fn new(existing: Existing, owner: Owner, state: PathBuf) -> Self {
        Self { existing, owner, state, used: Mutex::default() }
    }

    /// Whether there is such a cluster, and the account may do in it what a run does.
    async fn may_run(&self, client: &Client, namespace: &str) -> Result<(), Error> {
        let context = &self.existing.context;
        // the first answer tells whether the account is known: what the client says of it is of no help
        client.apiserver_version().await.map_err(|error| unreachable(context, error))?;
        if self.existing.space == Space::Own {
            let missing = access::missing(client, None, access::OF_NAMESPACES).await?;
            let place = format!(
                "with a namespace for each run in `{context}` (`--namespace NAME` takes one that is there)"
            );
            access::refused(&missing, &place).map_or(Ok(()), Err)?;
        }
        let missing = access::missing(client, Some(namespace), access::IN_NAMESPACE).await?;
        access::refused(&missing, &format!("in the namespace `{namespace}` of `{context}`"))
            .map_or(Ok(()), Err)
    }

    /// Makes what belongs to the run, and remembers it before it is there.
    async fn make(&self, client: &Client, namespace: &Namespace) -> Result<(), Error> {
        let mark = RunMark::set(&self.state, &self.owner.run)?;
        let used = Used { client: client.clone(), namespace: namespace.name.clone(), mark, lease: None };
        let mut held = self.used.lock().await;
        let used = held.insert(used);
        if self.existing.space == Space::Own {
            let mut wanted = namespace.clone();
            wanted.objects.insert(0, self.space_of_the_run(&namespace.name));
            namespace::apply(client, &wanted).await?;
        }
        let leases = Api::<Lease>::namespaced(client.clone(), &namespace.name);
        used.lease = Some(lease::take(&leases, &self.owner).await?);
        Ok(())
    }

    fn space_of_the_run(&self, name: &str) -> Value {
        let labels = json!({(self.owner.label): self.owner.run, "app.kubernetes.io/managed-by": "podline"});
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}})
    }
}

#[async_trait]
impl Provisioner for ExistingEngine {
    async fn up(&self, namespace: &Namespace, progress: &Progress<'_>) -> Result<Place, Error> {
        let client = connect(self.existing.target(), &Identity::Own).await?;
        self.may_run(&client, &namespace.name).await?;
        self.make(&client, namespace).await?;
        let free = limits::look(&client, &namespace.name, progress).await?;
        let belongs =
            self.used.lock().await.as_ref().and_then(|used| Some(used.lease.as_ref()?.owner.clone()));
        let pods = KubePods::new(client.clone(), client, &namespace.name, &self.owner.selector());
        let kubectl = Some(self.existing.kubectl(&namespace.name));
        Ok(Place { pods: Arc::new(pods.belonging_to(belongs)), free, kubectl })
    }

    async fn down(&self) -> Result<(), Error> {
        let Some(Used { client, namespace, mark, lease }) = self.used.lock().await.take() else {
            return Ok(());
        };
        remains::clear(&client, &namespace, &self.owner).await?;
        // renewed no longer, and gone at once
        drop(lease);
        match self.existing.space {
            Space::Own => namespace::delete(&client, &namespace).await?,
            Space::Named(_) => {
                let leases = Api::<Lease>::namespaced(client, &namespace);
                remains::release(&leases, &self.owner.run).await?;
            }
        }
        mark.clear();
        Ok(())
    }

    async fn prune(&self) -> Result<Vec<String>, Error> {
        remains::prune(&self.existing, &self.state, self.owner.label).await
    }
}

/// Why a cluster does not answer, as far as that is known.
fn unreachable(context: &str, error: kube::Error) -> Error {
    let status = match &error {
        kube::Error::Api(status) => status.code,
        _ => 0,
    };
    match (status, failed("asking for its version", error)) {
        (401, _) => Error::Unusable {
            message: format!("the cluster of the context `{context}` does not know the account"),
            help: format!("log in again: `kubectl --context {context} auth whoami` shows who you are"),
        },
        (_, Error::Disconnected { cause, .. } | Error::Failed { cause, .. }) => Error::Unusable {
            message: format!("the cluster of the context `{context}` does not answer: {cause}"),
            help: format!("`kubectl --context {context} version` should work in this terminal"),
        },
        (_, error) => error,
    }
}
