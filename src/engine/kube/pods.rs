//! The pods of one namespace of a Kubernetes cluster.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use futures::stream::{self, BoxStream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::api::{DeleteParams, ListParams, LogParams, PostParams};
use kube::{Api, Client};
use tokio::sync::watch::Receiver;

use super::errors::failed;
use super::files;
use super::log::{self, Opened, Phase, Source};
use super::login::Logins;
use super::node::Labels;
use super::terminal;
use super::usage::Kubelets;
use super::watch::{State, Watch};
use crate::engine::{Archive, Error, File, Pods, Terminal, Usage};

/// How long the API may take to answer whether it is there.
const ANSWER: Duration = Duration::from_secs(10);

/// Pods through the Kubernetes API.
#[derive(Clone)]
pub struct KubePods {
    /// Creates and deletes, as the account that would do so in the real cluster.
    acting: Api<Pod>,
    /// Looks and carries files, as podline itself.
    own: Api<Pod>,
    watch: Watch,
    /// What their images are pulled with.
    logins: Logins,
    kubelets: Kubelets,
    /// The object that the pods go with.
    owner: Option<OwnerReference>,
    /// The labels of the nodes, where those are podline's own.
    labels: Option<Arc<Labels>>,
}

impl KubePods {
    /// The pods of a namespace, of which those are watched that the label selector takes. Must be called in
    /// a tokio runtime; the watch ends with the last clone and its last stream.
    ///
    /// `acting` creates and deletes pods, `own` does everything else.
    #[must_use]
    pub fn new(own: Client, acting: Client, namespace: &str, selector: &str) -> Self {
        let kubelets = Kubelets::new(own.clone());
        let logins = Logins::new(own.clone(), namespace);
        let own = Api::namespaced(own, namespace);
        let watch = Watch::start(own.clone(), selector);
        Self {
            acting: Api::namespaced(acting, namespace),
            own,
            watch,
            kubelets,
            logins,
            owner: None,
            labels: None,
        }
    }

    /// Pods that Kubernetes deletes with an object of their namespace.
    #[must_use]
    pub fn belonging_to(self, owner: Option<OwnerReference>) -> Self {
        Self { owner, ..self }
    }

    /// Pods that find the nodes they select, as these get their labels.
    #[must_use]
    pub fn on(self, labels: Labels) -> Self {
        Self { labels: Some(Arc::new(labels)), ..self }
    }

    /// Creates a pod; none where it was there.
    async fn create_pod(&self, pod: &Pod) -> Result<Option<Pod>, Error> {
        match self.acting.create(&PostParams::default(), pod).await {
            Ok(created) => {
                self.watch.learn(created.clone());
                Ok(Some(created))
            }
            // the client tries again by itself when the API is busy: then it is the first try's pod
            Err(kube::Error::Api(status)) if status.is_already_exists() => Ok(None),
            Err(error) => {
                let name = pod.metadata.name.as_deref().unwrap_or_default();
                Err(failed(&format!("creating the pod `{name}`"), error))
            }
        }
    }

    fn owned(&self, pod: &Pod) -> Pod {
        let mut pod = pod.clone();
        if let Some(owner) = &self.owner {
            pod.metadata.owner_references.get_or_insert_default().push(owner.clone());
        }
        pod
    }
}

#[async_trait]
impl Pods for KubePods {
    async fn create(&self, pod: &Pod, login: Option<&Secret>) -> Result<(), Error> {
        let selector = pod.spec.as_ref().and_then(|spec| spec.node_selector.as_ref());
        if let Some((labels, selector)) = self.labels.as_ref().zip(selector) {
            labels.give(selector).await?;
        }
        let pod = self.owned(pod);
        let Some(login) = login else { return self.create_pod(&pod).await.map(drop) };
        self.logins.create(login, self.owner.as_ref()).await?;
        let created = self.create_pod(&pod).await;
        match &created {
            Ok(Some(pod)) => self.logins.belongs_to(login, pod).await?,
            Ok(None) => {}
            Err(_) => self.logins.delete(login).await,
        }
        created.map(drop)
    }

    fn watch(&self, pod: &str) -> BoxStream<'static, Result<Pod, Error>> {
        self.watch.states(pod)
    }

    fn log(&self, pod: &str, container: &str) -> BoxStream<'static, Result<Vec<u8>, Error>> {
        let (pods, pod, container) = (self.clone(), pod.to_owned(), container.to_owned());
        let followed = async move {
            let state = pods.watch.subscribe(&pod).await;
            log::follow(ContainerLog { pods, state, pod, container })
        };
        stream::once(followed).flatten().boxed()
    }

    async fn copy_in(&self, pod: &str, container: &str, archive: Archive) -> Result<(), Error> {
        files::copy_in(&self.own, pod, container, archive).await
    }

    async fn list(&self, pod: &str, container: &str, folder: &str) -> Result<Vec<File>, Error> {
        files::list(&self.own, pod, container, folder).await
    }

    async fn copy_out(
        &self,
        pod: &str,
        container: &str,
        folder: &str,
        paths: &[String],
    ) -> Result<Archive, Error> {
        files::copy_out(&self.own, pod, container, folder, paths).await
    }

    async fn terminal(&self, pod: &str, container: &str, command: &[String]) -> Result<Terminal, Error> {
        terminal::open(&self.own, pod, container, command).await
    }

    async fn usage(&self, pod: &str, container: &str) -> Option<Usage> {
        let state = self.watch.subscribe(pod).await;
        let State::Present(known) = state.borrow().clone() else { return None };
        let (namespace, node) = (known.metadata.namespace.clone()?, known.spec.as_ref()?.node_name.clone()?);
        self.kubelets.usage(&node, &(namespace, pod.to_owned(), container.to_owned())).await
    }

    async fn delete(&self, pod: &str, grace: Duration) -> Result<(), Error> {
        let seconds = u32::try_from(grace.as_secs()).unwrap_or(u32::MAX);
        let params = DeleteParams::background().grace_period(seconds);
        match self.acting.delete(pod, &params).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
            Err(error) => Err(failed(&format!("deleting the pod `{pod}`"), error)),
        }
    }

    async fn answers(&self) -> Result<(), Error> {
        let doing = "asking whether the cluster still answers";
        let one = ListParams::default().limit(1);
        match tokio::time::timeout(ANSWER, self.own.list_metadata(&one)).await {
            Ok(answer) => answer.map(drop).map_err(|error| failed(doing, error)),
            Err(_) => Err(Error::Disconnected {
                doing: doing.to_owned(),
                cause: format!("no answer in {} s", ANSWER.as_secs()),
            }),
        }
    }
}

/// The log of one container.
struct ContainerLog {
    pods: KubePods,
    state: Receiver<State>,
    pod: String,
    container: String,
}

#[async_trait]
impl Source for ContainerLog {
    async fn phase(&mut self) -> Result<Phase, Error> {
        match &*self.state.borrow_and_update() {
            State::Unknown => Ok(Phase::Pending),
            State::Present(pod) => Ok(phase(pod, &self.container)),
            State::Gone => Ok(Phase::Gone),
            State::Lost(error) => Err(error.clone()),
        }
    }

    async fn open(&mut self, since: Option<Timestamp>, follow: bool) -> Result<Opened, Error> {
        let params = LogParams {
            container: Some(self.container.clone()),
            follow,
            since_time: since,
            timestamps: true,
            ..LogParams::default()
        };
        match self.pods.own.log_stream(&self.pod, &params).await {
            Ok(reader) => Ok(Opened::Reader(Box::new(reader))),
            Err(kube::Error::Api(status)) if status.is_not_found() => Ok(Opened::Gone),
            // the container "is waiting to start"
            Err(kube::Error::Api(status)) if status.code == 400 => Ok(Opened::NotYet),
            Err(error) => Err(failed("opening the log", error)),
        }
    }

    async fn pause(&mut self, time: Duration) {
        let changed = async {
            // a state that can change no more is no reason to hurry
            if self.state.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        let _ = tokio::time::timeout(time, changed).await;
    }
}

/// What a container of a pod does.
fn phase(pod: &Pod, container: &str) -> Phase {
    if pod.spec.as_ref().is_none_or(|spec| spec.node_name.is_none()) {
        return Phase::Pending;
    }
    let state = container_status(pod, container).and_then(|status| status.state.as_ref());
    let ended = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    match state {
        Some(state) if state.terminated.is_some() => Phase::Ended,
        Some(state) if state.running.is_some() => Phase::Running,
        // evicted, or ended before the container began
        _ if matches!(ended, Some("Failed" | "Succeeded")) => Phase::Ended,
        _ => Phase::Starting,
    }
}

fn container_status<'a>(pod: &'a Pod, container: &str) -> Option<&'a ContainerStatus> {
    let status = pod.status.as_ref()?;
    let containers = status.container_statuses.iter().flatten();
    let mut all = containers.chain(status.init_container_statuses.iter().flatten());
    all.find(|status| status.name == container)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_a_container_does_is_read_from_its_own_state() {
        let running = json!({"running": {}});
        let waiting = json!({"waiting": {"reason": "ContainerCreating"}});
        let ended = json!({"terminated": {"exitCode": 0}});
        let rows = [
            (json!({}), "Pending", None, Phase::Pending),
            (json!({"nodeName": "n"}), "Pending", None, Phase::Starting),
            (json!({"nodeName": "n"}), "Pending", Some(&waiting), Phase::Starting),
            (json!({"nodeName": "n"}), "Running", Some(&running), Phase::Running),
            (json!({"nodeName": "n"}), "Running", Some(&ended), Phase::Ended),
            (json!({"nodeName": "n"}), "Failed", Some(&waiting), Phase::Ended),
            (json!({"nodeName": "n"}), "Failed", None, Phase::Ended),
        ];
        for (mut spec, pod_phase, state, expected) in rows {
            spec["containers"] = json!([{"name": "build"}]);
            let statuses: Vec<Value> = state
                .into_iter()
                .map(|state| {
                    json!({"name": "build", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state})
                })
                .collect();
            let pod: Pod = serde_json::from_value(
                json!({"spec": spec, "status": {"phase": pod_phase, "containerStatuses": statuses}}),
            )
            .expect("a pod");
            assert_eq!(phase(&pod, "build"), expected, "{pod_phase} {state:?}");
        }
    }
}
