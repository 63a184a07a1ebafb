//! One watch for all pods of a namespace, fanned out to a stream of states per pod.
//!
//! The watch API loses events when a connection breaks, and tells after a new list only what is there. So
//! events are taken as states, and a pod that is missing in a list is asked for before it counts as gone: it
//! may be younger than the list.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, ResourceExt};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use super::errors::failed;
use crate::engine::{Error, chain};

/// How long the watch may be broken before the cluster counts as lost.
const PATIENCE: Duration = Duration::from_secs(30);

/// After so long without news the API is asked whether it is there: of a connection that hangs nothing else tells.
const SILENCE: Duration = Duration::from_secs(30);

/// What is known of a pod.
#[derive(Debug, Clone)]
pub(super) enum State {
    /// Nothing was heard of it yet.
    Unknown,
    /// It was like this when last heard of.
    Present(Arc<Pod>),
    /// It is not there any more.
    Gone,
    /// Nothing more will be heard.
    Lost(Error),
}

/// The states of a namespace's pods.
#[derive(Clone)]
pub(super) struct Watch {
    known: Arc<Known>,
    _task: Arc<AbortOnDropHandle<()>>,
}

struct Known {
    api: Box<dyn Lookup>,
    pods: Mutex<HashMap<String, watch::Sender<State>>>,
}

/// Asks for one pod, or whether somebody answers at all.
#[async_trait]
trait Lookup: Send + Sync {
    async fn pod(&self, name: &str) -> kube::Result<Option<Pod>>;

    async fn answers(&self) -> kube::Result<()>;
}

#[async_trait]
impl Lookup for Api<Pod> {
    async fn pod(&self, name: &str) -> kube::Result<Option<Pod>> {
        self.get_opt(name).await
    }

    async fn answers(&self) -> kube::Result<()> {
        self.list_metadata(&ListParams::default().limit(1)).await.map(drop)
    }
}

impl Watch {
    /// Starts to watch the pods that a label selector takes.
    pub(super) fn start(api: Api<Pod>, selector: &str) -> Self {
        let config = watcher::Config::default().labels(selector);
        let events = watcher(api.clone(), config).default_backoff();
        Self::follow(Box::new(api), events.boxed())
    }

    fn follow(
        api: Box<dyn Lookup>,
        events: BoxStream<'static, watcher::Result<watcher::Event<Pod>>>,
    ) -> Self {
        let known = Arc::new(Known { api, pods: Mutex::default() });
        let task = tokio::spawn(follow(Arc::clone(&known), events));
        Self { known, _task: Arc::new(AbortOnDropHandle::new(task)) }
    }

    /// Takes a pod as the API just answered it, so that nobody waits for the watch.
    pub(super) fn learn(&self, pod: Pod) {
        self.known.present(pod, Origin::Answer);
    }

    /// The latest state of a pod, and those that follow.
    pub(super) async fn subscribe(&self, pod: &str) -> watch::Receiver<State> {
        let receiver = self.known.subscribe(pod);
        if matches!(*receiver.borrow(), State::Unknown) {
            self.known.ask(pod).await;
        }
        receiver
    }

    /// The states of a pod until it is gone.
    pub(super) fn states(&self, pod: &str) -> BoxStream<'static, Result<Pod, Error>> {
        let (watch, pod) = (self.clone(), pod.to_owned());
        stream::once(async move {
            let mut receiver = watch.subscribe(&pod).await;
            receiver.mark_changed();
            // the clone keeps the watch alive for as long as someone listens
            stream::try_unfold(Some((receiver, watch)), next_state)
        })
        .flatten()
        .boxed()
    }
}

type Listener = Option<(watch::Receiver<State>, Watch)>;

async fn next_state(listener: Listener) -> Result<Option<(Pod, Listener)>, Error> {
    let Some((mut receiver, watch)) = listener else {
        return Ok(None);
    };
    while receiver.changed().await.is_ok() {
        let state = receiver.borrow_and_update().clone();
        match state {
            State::Unknown => {}
            State::Present(pod) => return Ok(Some((Pod::clone(&pod), Some((receiver, watch))))),
            State::Gone => return Ok(None),
            State::Lost(error) => return Err(error),
        }
    }
    Ok(None)
}

async fn follow(
    known: Arc<Known>,
    mut events: impl Stream<Item = watcher::Result<watcher::Event<Pod>>> + Unpin + Send,
) {
    let mut listed = HashSet::new();
    let mut broken: Option<Instant> = None;
    loop {
        let event = match tokio::time::timeout(SILENCE, events.try_next()).await {
            Ok(event) => event,
            Err(_) => match known.api.answers().await {
                Ok(()) => continue,
                Err(error) => Err(watcher::Error::WatchFailed(error)),
            },
        };
        let event = match event {
            Ok(Some(event)) => event,
            Ok(None) => return,
            Err(error) => {
                let since = *broken.get_or_insert_with(Instant::now);
                if let Some(error) = verdict(error, since.elapsed()) {
                    known.lost(&error);
                }
                continue;
            }
        };
        broken = None;
        match event {
            watcher::Event::Init => listed.clear(),
            watcher::Event::InitApply(pod) => {
                listed.insert(pod.name_any());
                known.present(pod, Origin::Watch);
            }
            watcher::Event::InitDone => {
                for pod in known.names().into_iter().filter(|name| !listed.contains(name)) {
                    known.ask(&pod).await;
                }
            }
            watcher::Event::Apply(pod) => known.present(pod, Origin::Watch),
            watcher::Event::Delete(pod) => known.deleted(&pod),
        }
    }
}

/// Whether an error of the watch is final. It is tried again otherwise.
fn verdict(error: watcher::Error, broken_for: Duration) -> Option<Error> {
    let doing = "watching the pods";
    let error = match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => failed(doing, error),
        watcher::Error::WatchError(status) => failed(doing, kube::Error::Api(status)),
        other => Error::Disconnected { doing: doing.to_owned(), cause: chain(&other) },
    };
    let final_now = matches!(error, Error::Forbidden { .. });
    (final_now || broken_for > PATIENCE).then_some(error)
}

/// Where a state comes from. The watch is never behind an answer to us for long, but may well be ahead.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Origin {
    Watch,
    Answer,
}

impl Known {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<State>>> {
        self.pods.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn subscribe(&self, pod: &str) -> watch::Receiver<State> {
        let mut pods = self.lock();
        let sender = pods.entry(pod.to_owned()).or_insert_with(|| watch::Sender::new(State::Unknown));
        sender.subscribe()
    }

    fn names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    fn present(&self, pod: Pod, origin: Origin) {
        let mut pods = self.lock();
        let sender = pods.entry(pod.name_any()).or_insert_with(|| watch::Sender::new(State::Unknown));
        let older = matches!(&*sender.borrow(), State::Present(known) if known.uid() == pod.uid());
        if origin == Origin::Watch || !older {
            sender.send_replace(State::Present(Arc::new(pod)));
        }
    }

    /// A pod of the same name may have been made since: then the old one's end means nothing.
    fn deleted(&self, pod: &Pod) {
        let mut pods = self.lock();
        let name = pod.name_any();
        let newer = pods.get(&name).is_some_and(
            |sender| matches!(&*sender.borrow(), State::Present(known) if known.uid() != pod.uid()),
        );
        if !newer && let Some(sender) = pods.remove(&name) {
            sender.send_replace(State::Gone);
        }
    }

    /// Asks the API for a pod that nothing, or nothing new, is known of.
    async fn ask(&self, pod: &str) {
        match self.api.pod(pod).await {
            Ok(Some(found)) => self.present(found, Origin::Answer),
            Ok(None) => {
                if let Some(sender) = self.lock().remove(pod) {
                    sender.send_replace(State::Gone);
                }
            }
            // the watch goes on, and tells sooner or later
            Err(_) => {}
        }
    }

    fn lost(&self, error: &Error) {
        for (_, sender) in self.lock().drain() {
            sender.send_replace(State::Lost(error.clone()));
        }
    }
}

#[cfg(test)]
mod tests;
