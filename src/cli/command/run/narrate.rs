//! `--narrate`: says what is asked of the pods' cluster, with the `kubectl` command that shows the same.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures::stream::BoxStream;
use k8s_openapi::api::core::v1::{Pod, Secret};
use tokio::sync::mpsc;

use super::quoted;
use crate::{
    engine::{Archive, Error, File, Place, Pods, Terminal, Usage},
    event::Event,
    report::text,
};

/// The annotation of a pod that has the name of its job.
const JOB: &str = "job.runner.gitlab.com/name";

/// Pods that say what is asked of them.
pub(super) struct Narrated {
    pods: Arc<dyn Pods>,
    kubectl: Option<String>,
    events: mpsc::Sender<Event>,
    /// The jobs of the pods.
    jobs: Mutex<HashMap<String, String>>,
}

impl Narrated {
    /// The pods of a place; says first what the place is.
    pub(super) fn of(place: &Place, namespace: &str, events: mpsc::Sender<Event>) -> Arc<dyn Pods> {
        let words = |all: &Vec<String>| all.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        let kubectl = place.kubectl.as_ref().map(|all| format!("kubectl {}", words(all)));
        let narrated =
            Self { pods: Arc::clone(&place.pods), kubectl, events, jobs: Mutex::new(HashMap::new()) };
        match narrated.kubectl {
            Some(_) => {
                let message = format!("the pods of this run go to the namespace `{namespace}`");
                narrated.say(message, &format!("get namespace {}", quoted(namespace)));
            }
            None => {
                let message = "this engine has no API server: it is asked for the same, without `kubectl`";
                narrated.say(message.to_owned(), "");
            }
        }
        Arc::new(narrated)
    }

    /// Says what is asked. Who does not listen fast enough misses it, and the run goes on.
    fn say(&self, message: String, command: &str) {
        let command = self.kubectl.as_ref().map(|kubectl| format!("{kubectl} {command}"));
        drop(self.events.try_send(Event::Request { message, command }));
    }

    fn job(&self, pod: &str) -> String {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.get(pod).cloned().unwrap_or_else(|| pod.to_owned())
    }
}

#[async_trait]
impl Pods for Narrated {
    async fn create(&self, pod: &Pod, login: Option<&Secret>) -> Result<(), Error> {
        let name = pod.metadata.name.clone().unwrap_or_default();
        let job = pod.metadata.annotations.as_ref().and_then(|all| all.get(JOB)).cloned();
        let job = job.unwrap_or_else(|| name.clone());
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), job.clone());
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers).map(|it| it.name.as_str());
        let containers = containers.collect::<Vec<_>>().join("`, `");
        let result = self.pods.create(pod, login).await;
        let message = match &result {
            Ok(()) => format!("created the pod of `{job}`, with the containers `{containers}`"),
            Err(_) => format!("asked for the pod of `{job}`, and was refused"),
        };
        self.say(message, &format!("get pod {name} --output yaml"));
        result
    }

    fn watch(&self, pod: &str) -> BoxStream<'static, Result<Pod, Error>> {
        let message =
            format!("watches the pod of `{}`: scheduled, image pulled, containers started", self.job(pod));
        self.say(message, &format!("get pod {pod} --watch"));
        self.pods.watch(pod)
    }

    fn log(&self, pod: &str, container: &str) -> BoxStream<'static, Result<Vec<u8>, Error>> {
        let message = format!("follows the log of `{container}` in the pod of `{}`", self.job(pod));
        self.say(message, &format!("logs {pod} --container {container} --follow"));
        self.pods.log(pod, container)
    }

    async fn copy_in(&self, pod: &str, container: &str, archive: Archive) -> Result<(), Error> {
        let job = self.job(pod);
        let result = self.pods.copy_in(pod, container, archive).await;
        let message =
            format!("unpacked files for `{job}` by `tar` in `{container}`: sources, caches, artifacts");
        self.say(message, &format!("exec {pod} --container {container} -- ls /builds"));
        result
    }

    async fn list(&self, pod: &str, container: &str, folder: &str) -> Result<Vec<File>, Error> {
        let message = format!("lists what `{}` has left, by `find` in `{container}`", self.job(pod));
        self.say(message, &format!("exec {pod} --container {container} -- find {}", quoted(folder)));
        self.pods.list(pod, container, folder).await
    }

    async fn copy_out(
        &self,
        pod: &str,
        container: &str,
        folder: &str,
        paths: &[String],
    ) -> Result<Archive, Error> {
        let message = format!(
            "takes {} of `{}` out by `tar` in `{container}`",
            text::count(paths.len(), "path"),
            self.job(pod)
        );
        self.say(message, &format!("exec {pod} --container {container} -- ls -l {}", quoted(folder)));
        self.pods.copy_out(pod, container, folder, paths).await
    }

    async fn terminal(&self, pod: &str, container: &str, command: &[String]) -> Result<Terminal, Error> {
        let words = command.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
        let message = format!("opens a shell in `{container}` in the pod of `{}`", self.job(pod));
        self.say(message, &format!("exec --stdin --tty {pod} --container {container} -- {words}"));
        self.pods.terminal(pod, container, command).await
    }

    // asked every other second: what it says is shown, and that it is asked is no news
    async fn usage(&self, pod: &str, container: &str) -> Option<Usage> {
        self.pods.usage(pod, container).await
    }

    async fn delete(&self, pod: &str, grace: Duration) -> Result<(), Error> {
        let message = format!("deletes the pod of `{}`", self.job(pod));
        self.say(message, "get pods");
        self.pods.delete(pod, grace).await
    }

    async fn answers(&self) -> Result<(), Error> {
        self.pods.answers().await
    }
}
