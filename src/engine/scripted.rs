//! An engine for tests: pods do what a script says, and remember what was asked of them.

use std::{
    collections::{BTreeMap, VecDeque},
    io::{self, Read as _},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use k8s_openapi::api::core::v1::{Pod, Secret};
use tokio::{io::AsyncReadExt as _, sync::watch};

use super::{Archive, Error, File, Pods, Terminal, Usage};

/// The files that were carried into a pod, by path.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// Makes output from the files that were carried in.
pub(crate) type Output = Box<dyn FnOnce(&Files) -> Vec<u8> + Send>;

/// What happens next, in the states of a pod or in its log.
pub(crate) enum Step<T> {
    /// Nothing for a while.
    Sleep(Duration),
    /// Nothing until all was carried in that a job needs.
    UntilCopied,
    /// Nothing until a job's hook was carried in.
    UntilHook,
    /// Nothing until the pod is deleted.
    UntilDeleted,
    /// This.
    Give(T),
    /// The connection breaks.
    Break,
    /// Nothing any more.
    Forever,
}

/// Something that was asked of the engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call {
    Create(String),
    CopyIn,
    CopyOut(Vec<String>),
    Delete(Duration),
}

/// Pods that follow a script: one for each of the two streams.
pub(crate) struct ScriptedPods {
    states: Mutex<VecDeque<Step<Pod>>>,
    later_states: Mutex<VecDeque<VecDeque<Step<Pod>>>>,
    log: Mutex<VecDeque<Step<Output>>>,
    /// The log of the helper container.
    pub(crate) helper_log: Mutex<VecDeque<Step<Output>>>,
    /// What [`Pods::list`] gives.
    pub(crate) listed: Vec<File>,
    /// The content of every file that is carried out.
    pub(crate) content: Vec<u8>,
    /// What [`Pods::usage`] gives.
    pub(crate) usage: Option<Usage>,
    /// How many archives break off before one arrives whole.
    pub(crate) breaks: Mutex<u32>,
    /// What [`Pods::create`] refuses with, one time after the other.
    pub(crate) refusals: Mutex<VecDeque<Error>>,
    calls: Mutex<Vec<Call>>,
    copied: watch::Sender<Option<Files>>,
    deleted: watch::Sender<bool>,
}

impl ScriptedPods {
    pub(crate) fn new(
        states: impl IntoIterator<Item = Step<Pod>>,
        log: impl IntoIterator<Item = Step<Output>>,
    ) -> Self {
        Self {
            states: Mutex::new(states.into_iter().collect()),
            later_states: Mutex::default(),
            log: Mutex::new(log.into_iter().collect()),
            helper_log: Mutex::default(),
            listed: Vec::new(),
            content: Vec::new(),
            usage: None,
            breaks: Mutex::default(),
            refusals: Mutex::default(),
            calls: Mutex::default(),
            copied: watch::Sender::new(None),
            deleted: watch::Sender::new(false),
        }
    }

    /// What the pod after the last one does.
    pub(crate) fn next_states(&mut self, states: Vec<Step<Pod>>) {
        lock(&self.later_states).push_back(states.into());
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        lock(&self.calls).clone()
    }

    /// The files that were carried in.
    pub(crate) fn files(&self) -> Files {
        self.copied.borrow().clone().unwrap_or_default()
    }

    fn call(&self, call: Call) {
        lock(&self.calls).push(call);
    }

    fn play<T: Send + 'static>(
        &self,
        steps: VecDeque<Step<T>>,
    ) -> BoxStream<'static, Result<(T, Files), Error>> {
        let (copied, deleted) = (self.copied.subscribe(), self.deleted.subscribe());
        stream::unfold((steps, copied, deleted), |(mut steps, mut copied, mut deleted)| async move {
            loop {
                let given = match steps.pop_front()? {
                    Step::Sleep(time) => {
                        tokio::time::sleep(time).await;
                        continue;
                    }
                    Step::UntilCopied => {
                        copied.wait_for(|files| has(files, "/ready")).await.ok()?;
                        continue;
                    }
                    Step::UntilHook => {
                        copied.wait_for(|files| has(files, "/hook")).await.ok()?;
                        continue;
                    }
                    Step::UntilDeleted => {
                        deleted.wait_for(|deleted| *deleted).await.ok()?;
                        continue;
                    }
                    Step::Forever => std::future::pending().await,
                    Step::Break => Err(Error::Disconnected {
                        doing: "reading".to_owned(),
                        cause: "connection reset".to_owned(),
                    }),
                    Step::Give(given) => Ok((given, copied.borrow().clone().unwrap_or_default())),
                };
                return Some((given, (steps, copied, deleted)));
            }
        })
        .boxed()
    }
}

#[async_trait]
impl Pods for ScriptedPods {
    async fn create(&self, pod: &Pod, _login: Option<&Secret>) -> Result<(), Error> {
        self.call(Call::Create(pod.metadata.name.clone().unwrap_or_default()));
        lock(&self.refusals).pop_front().map_or(Ok(()), Err)
    }

    fn watch(&self, _pod: &str) -> BoxStream<'static, Result<Pod, Error>> {
        let next = lock(&self.later_states).pop_front().unwrap_or_default();
        let steps = std::mem::replace(&mut *lock(&self.states), next);
        self.play(steps).map(|given| given.map(|(pod, _)| pod)).boxed()
    }

    fn log(&self, _pod: &str, container: &str) -> BoxStream<'static, Result<Vec<u8>, Error>> {
        let log = if container == "helper" { &self.helper_log } else { &self.log };
        let steps = std::mem::take(&mut *lock(log));
        self.play(steps).map(|given| given.map(|(output, files)| output(&files))).boxed()
    }

    async fn copy_in(&self, _pod: &str, _container: &str, mut archive: Archive) -> Result<(), Error> {
        self.call(Call::CopyIn);
        let mut bytes = Vec::new();
        let read = archive.read_to_end(&mut bytes).await;
        let files = read
            .and_then(|_| unpack(&bytes))
            .map_err(|error| Error::Failed { doing: "tar".to_owned(), cause: error.to_string() })?;
        self.copied.send_modify(|copied| copied.get_or_insert_default().extend(files));
        Ok(())
    }

    async fn list(&self, _pod: &str, _container: &str, _folder: &str) -> Result<Vec<File>, Error> {
        Ok(self.listed.clone())
    }

    async fn copy_out(
        &self,
        _pod: &str,
        _container: &str,
        _folder: &str,
        paths: &[String],
    ) -> Result<Archive, Error> {
        self.call(Call::CopyOut(paths.to_vec()));
        let mut builder = tar::Builder::new(Vec::new());
        for path in paths {
            let mut header = tar::Header::new_gnu();
            header.set_size(self.content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, path, self.content.as_slice()).expect("a path");
        }
        let mut bytes = builder.into_inner().expect("bytes");
        let mut breaks = lock(&self.breaks);
        if *breaks > 0 {
            *breaks -= 1;
            bytes.truncate(bytes.len() / 3);
            let cut = [Ok(io::Cursor::new(bytes)), Err(io::Error::other("the end is missing"))];
            return Ok(Box::new(tokio_util::io::StreamReader::new(stream::iter(cut))));
        }
        Ok(Box::new(io::Cursor::new(bytes)))
    }

    async fn terminal(&self, _: &str, _: &str, _: &[String]) -> Result<Terminal, Error> {
        Err(Error::Failed { doing: "opening a shell".to_owned(), cause: "a script types nothing".to_owned() })
    }

    async fn usage(&self, _: &str, _: &str) -> Option<Usage> {
        self.usage
    }

    async fn delete(&self, _pod: &str, grace: Duration) -> Result<(), Error> {
        self.call(Call::Delete(grace));
        self.deleted.send_replace(true);
        Ok(())
    }
}

fn has(files: &Option<Files>, name: &str) -> bool {
    files.as_ref().is_some_and(|files| files.keys().any(|path| path.ends_with(name)))
}

fn unpack(bytes: &[u8]) -> io::Result<Files> {
    let mut files = Files::new();
    for entry in tar::Archive::new(bytes).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.display().to_string();
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        files.insert(path, content);
    }
    Ok(files)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
