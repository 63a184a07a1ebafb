//! The pods of a run on this machine.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    io::{self, BufWriter, Cursor},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use futures::stream::{self, BoxStream, StreamExt as _};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, Pod, Secret};
use rustix::fs::{Mode, OFlags};
use tokio::sync::{mpsc, watch};
use tokio_util::io::{StreamReader, SyncIoBridge};

use super::{
    cgroup::Meter,
    image::{Missing, Supply},
    layers::Layers,
    network::Network,
    node,
    pod::{
        files::Volumes,
        log::Log,
        plan::{self, Base, Surroundings},
        process::Sandbox,
        status::Known,
    },
    removal,
    sandbox::{
        self,
        plan::{Laid, News, Order, Rights},
    },
    terminal::Terminals,
};
use crate::engine::{Archive, Error, File, Pods, Terminal, Usage, WORKS};

/// Bytes of an archive that are sent at once, and how many such pieces may wait.
const PIECE: usize = 64 << 10;
const QUEUE: usize = 8;

/// The state of a pod: none once it is gone.
type State = Option<Pod>;

/// Pods in sandboxes of this machine.
#[derive(Clone)]
pub(super) struct EmbeddedPods {
    shared: Arc<Shared>,
}

struct Shared {
    /// podline's own program.
    program: PathBuf,
    /// The folder of the run: each pod has one in it.
    folder: PathBuf,
    /// Of every pod, but for its folder.
    surroundings: Surroundings,
    supply: Supply,
    /// Ties pods to the outside.
    network: Arc<Network>,
    /// What pods begin with.
    layers: Layers,
    /// The volumes of pods that are about to be created, by the pod's name.
    laid: Mutex<HashMap<String, Begun>>,
    running: Mutex<HashMap<String, Arc<Running>>>,
}

/// What a pod begins with that is not created yet.
struct Begun {
    laid: Laid,
    /// An archive of files of its own.
    own: Vec<u8>,
    /// The container whose paths these have.
    container: String,
}

/// A pod that was created.
struct Running {
    pod: Pod,
    folder: PathBuf,
    state: watch::Sender<State>,
    logs: BTreeMap<String, Arc<Log>>,
    orders: mpsc::UnboundedSender<Order>,
    /// A volume that does not begin empty: its name, and its folder while there is a sandbox that shows it.
    laid: Option<(String, Mutex<Option<Arc<OwnedFd>>>)>,
    terminals: Terminals,
    /// The pod's cgroup below the root of every hierarchy, where limits can be had.
    cgroup: Option<PathBuf>,
    meter: Mutex<Meter>,
}

impl Running {
    /// There is a sandbox: opens the volume that only it has a path to.
    fn open_laid(&self, pid: u32) -> io::Result<()> {
        let Some((volume, opened)) = &self.laid else { return Ok(()) };
        let path = sandbox::plan::laid(&self.folder, volume);
        let path = Path::new("/proc")
            .join(pid.to_string())
            .join("root")
            .join(path.strip_prefix("/").unwrap_or(&path));
        let folder =
            rustix::fs::open(&path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        // a sandbox that has ended may have left its id to another process
        if rustix::fs::fstatfs(&folder)?.f_type != OVERLAY {
            return Err(io::ErrorKind::NotFound.into());
        }
        *lock(opened) = Some(Arc::new(folder));
        Ok(())
    }

    fn volumes(&self, container: &str) -> Volumes {
        let opened =
            self.laid.as_ref().and_then(|(volume, opened)| Some((volume.as_str(), lock(opened).clone()?)));
        Volumes::of(&self.pod, container, &self.folder, opened)
    }
}

/// What the kernel calls overlayfs (`OVERLAYFS_SUPER_MAGIC`).
const OVERLAY: rustix::fs::FsWord = 0x794c_7630;

impl EmbeddedPods {
    pub(super) fn new(
        program: PathBuf,
        surroundings: Surroundings,
        supply: Supply,
        network: Arc<Network>,
    ) -> Self {
        let shared = Shared {
            program,
            folder: surroundings.folder.clone(),
            supply,
            network,
            layers: Layers::new(&surroundings.folder),
            laid: Mutex::default(),
            surroundings,
            running: Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Ends all pods at once, and waits until they are gone.
    pub(super) async fn end(&self) {
        let all: Vec<_> = lock(&self.shared.running).values().cloned().collect();
        for pod in &all {
            // one that has ended takes no orders
            let _ = pod.orders.send(Order::Stop { grace: 0 });
        }
        for pod in all {
            let _ = pod.state.subscribe().wait_for(Option::is_none).await;
        }
    }

    fn find(&self, pod: &str) -> Result<Arc<Running>, Error> {
        lock(&self.shared.running).get(pod).cloned().ok_or_else(|| Error::Failed {
            doing: format!("looking for the pod `{pod}`"),
            cause: "it is gone".to_owned(),
        })
    }

    fn volumes(&self, pod: &str, container: &str) -> Result<Volumes, Error> {
        Ok(self.find(pod)?.volumes(container))
    }
}

#[async_trait]
impl Pods for EmbeddedPods {
    /// In a user namespace, folders of a layer could not be renamed.
    fn may_lay(&self) -> bool {
        self.shared.surroundings.rights == Rights::Root
    }

    async fn lay(
        &self,
        pod: &Pod,
        container: &str,
        folder: &str,
        archives: &[PathBuf],
        own: Vec<u8>,
    ) -> bool {
        let found = plan::sole_volume(pod, container, Path::new(folder)).filter(|_| self.may_lay());
        let Some((volume, at)) = found else { return false };
        let name = pod.metadata.name.clone().unwrap_or_default();
        let (shared, archives) = (Arc::clone(&self.shared), archives.to_vec());
        let unpack = move || shared.layers.get(&archives, &at);
        let Ok(Ok(layers)) = tokio::task::spawn_blocking(unpack).await else { return false };
        let writes = plan::own_volume(&volume, &self.shared.folder.join(&name));
        let begun = Begun { laid: Laid { volume, layers, writes }, own, container: container.to_owned() };
        lock(&self.shared.laid).insert(name, begun);
        true
    }

    async fn create(&self, pod: &Pod, _login: Option<&Secret>) -> Result<(), Error> {
        let name = pod.metadata.name.clone().unwrap_or_default();
        if lock(&self.shared.running).contains_key(&name) {
            return Ok(());
        }
        let begun = lock(&self.shared.laid).remove(&name);
        let surroundings = Surroundings {
            folder: self.shared.folder.join(&name),
            network: self.shared.network.of_next(),
            laid: begun.as_ref().map(|begun| begun.laid.clone()),
            carrier: self.shared.surroundings.carrier.clone().filter(|name| !works(pod, name)),
            ..self.shared.surroundings.clone()
        };
        node::takes(pod).map_err(|cause| Error::Failed {
            doing: format!("finding a node for the pod `{name}`"),
            cause,
        })?;
        // what is wrong with the pod is said before anything is pulled for it
        plan::plan(pod, &surroundings, &plan::any_images(pod))
            .map_err(|message| Error::Rejected { message, help: None })?;
        let running = prepare(pod, &surroundings)
            .map_err(|error| failed(format!("making the folder of the pod `{name}`"), &error))?;
        let (running, orders) = running;
        if let Some(Begun { own, container, .. }) = begun.filter(|begun| !begun.own.is_empty()) {
            // the layers are not there yet: this goes straight to where the pod's own writes do
            let copied = running.volumes(&container).unpack(&own[..]);
            copied.map_err(|error| failed(format!("copying files into the pod `{name}`"), &error))?;
        }
        lock(&self.shared.running).insert(name, Arc::clone(&running));
        tokio::spawn(live(Arc::clone(&self.shared), running, surroundings, orders));
        Ok(())
    }

    fn watch(&self, pod: &str) -> BoxStream<'static, Result<Pod, Error>> {
        let Ok(running) = self.find(pod) else { return stream::empty().boxed() };
        let mut states = running.state.subscribe();
        states.mark_changed();
        stream::unfold(states, |mut states| async move {
            states.changed().await.ok()?;
            let state = states.borrow_and_update().clone();
            state.map(|pod| (Ok(pod), states))
        })
        .boxed()
    }

    fn log(&self, pod: &str, container: &str) -> BoxStream<'static, Result<Vec<u8>, Error>> {
        let log = self.find(pod).ok().and_then(|running| running.logs.get(container).cloned());
        log.map_or_else(|| stream::empty().boxed(), |log| log.follow())
    }

    async fn copy_in(&self, pod: &str, container: &str, archive: Archive) -> Result<(), Error> {
        let volumes = self.volumes(pod, container)?;
        let archive = SyncIoBridge::new(archive);
        blocking("copying files into the pod", move || volumes.unpack(archive)).await
    }

    async fn list(&self, pod: &str, container: &str, folder: &str) -> Result<Vec<File>, Error> {
        let (volumes, folder) = (self.volumes(pod, container)?, folder.to_owned());
        blocking("listing files of the pod", move || volumes.list(&folder)).await
    }

    async fn copy_out(
        &self,
        pod: &str,
        container: &str,
        folder: &str,
        paths: &[String],
    ) -> Result<Archive, Error> {
        let volumes = self.volumes(pod, container)?;
        let (folder, paths) = (folder.to_owned(), paths.to_vec());
        let (pieces, mut received) = mpsc::channel(QUEUE);
        let packing = move || {
            let out = BufWriter::with_capacity(PIECE, Pieces(pieces.clone()));
            if let Err(error) = volumes.pack(&folder, &paths, out) {
                // who no longer listens needs no error
                let _ = pieces.blocking_send(Err(error));
            }
        };
        // it says itself how it ends
        drop(tokio::task::spawn_blocking(packing));
        Ok(Box::new(StreamReader::new(stream::poll_fn(move |context| received.poll_recv(context)))))
    }

    async fn terminal(&self, pod: &str, container: &str, command: &[String]) -> Result<Terminal, Error> {
        let running = self.find(pod)?;
        let opened = running.terminals.open(&running.folder, container, command, &running.orders).await;
        opened.map_err(|error| failed(format!("opening a shell in the pod `{pod}`"), &error))
    }

    async fn usage(&self, pod: &str, container: &str) -> Option<Usage> {
        let running = self.find(pod).ok()?;
        let group = running.cgroup.as_ref()?.join(container);
        lock(&running.meter).read(&group)
    }

    async fn delete(&self, pod: &str, grace: Duration) -> Result<(), Error> {
        if let Ok(running) = self.find(pod) {
            let grace = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
            let _ = running.orders.send(Order::Stop { grace });
        }
        Ok(())
    }
}

/// Whether a pod says of a container that it does more than carry files.
fn works(pod: &Pod, container: &str) -> bool {
    let annotations = pod.metadata.annotations.as_ref();
    annotations.and_then(|all| all.get(WORKS)).is_some_and(|name| name == container)
}

/// Makes the folder of a pod with all that its sandbox finds there.
fn prepare(
    pod: &Pod,
    surroundings: &Surroundings,
) -> io::Result<(Arc<Running>, mpsc::UnboundedReceiver<Order>)> {
    let folder = &surroundings.folder;
    fs::create_dir_all(folder)?;
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    for volume in volumes.filter(|volume| volume.empty_dir.is_some()) {
        open_to_all(&plan::own_volume(&volume.name, folder))?;
    }
    let mut logs = BTreeMap::new();
    for container in containers(pod).filter(|it| surroundings.carrier.as_ref() != Some(&it.name)) {
        logs.insert(container.name.clone(), Log::start(folder, &container.name)?);
    }
    let (orders, received) = mpsc::unbounded_channel();
    let state = Known::new(surroundings.carrier.clone()).pod(pod);
    let running = Running {
        pod: pod.clone(),
        folder: folder.clone(),
        state: watch::Sender::new(Some(state)),
        logs,
        orders,
        laid: surroundings.laid.as_ref().map(|laid| (laid.volume.clone(), Mutex::default())),
        terminals: Terminals::default(),
        cgroup: plan::cgroup(pod.metadata.name.as_deref().unwrap_or_default(), surroundings)
            .map(PathBuf::from),
        meter: Mutex::default(),
    };
    Ok((Arc::new(running), received))
}

/// Makes a folder that every user may write to, as Kubernetes makes an `emptyDir`.
fn open_to_all(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777))
}

/// The life of a pod: its images, its sandbox, its removal.
async fn live(
    shared: Arc<Shared>,
    running: Arc<Running>,
    surroundings: Surroundings,
    mut orders: mpsc::UnboundedReceiver<Order>,
) {
    let mut known = Known::new(surroundings.carrier.clone());
    let publish = |known: &Known| {
        running.state.send_replace(Some(known.pod(&running.pod)));
    };
    tokio::select! {
        images = shared.images(&running.pod, &surroundings) => match images {
            Ok(images) => {
                for container in containers(&running.pod) {
                    let image = container.image.as_deref().unwrap_or_default();
                    if matches!(images.get(image), Some(Base::Host { .. })) {
                        known.is_on_host(&container.name);
                    }
                }
                sandboxed(&shared, &running, &surroundings, &images, &mut known, &mut orders).await;
            }
            Err((container, missing)) => {
                known.waits(&container, missing.reason, Some(missing.message));
                publish(&known);
                // a pod whose image is missing waits until somebody deletes it
                orders.recv().await;
            }
        },
        _ = orders.recv() => {}
    }
    for log in running.logs.values() {
        log.release();
    }
    if let Some((_, opened)) = &running.laid {
        lock(opened).take();
    }
    let folder = running.folder.clone();
    // what stays is found by the next run
    drop(tokio::task::spawn_blocking(move || removal::remove(&folder)).await);
    lock(&shared.running).remove(running.pod.metadata.name.as_deref().unwrap_or_default());
    running.state.send_replace(None);
}

/// Runs a pod in its sandbox until it is deleted.
async fn sandboxed(
    shared: &Shared,
    running: &Running,
    surroundings: &Surroundings,
    images: &BTreeMap<String, Base>,
    known: &mut Known,
    orders: &mut mpsc::UnboundedReceiver<Order>,
) {
    let mut learn = |news: &News| {
        known.learn(news, Timestamp::now());
        running.state.send_replace(Some(known.pod(&running.pod)));
    };
    let started = plan::plan(&running.pod, surroundings, images)
        .and_then(|plan| Sandbox::start(&shared.program, &plan).map_err(|error| error.to_string()));
    let mut sandbox = match started {
        Ok(sandbox) => sandbox,
        Err(cause) => {
            learn(&News::Failed(cause));
            orders.recv().await;
            return;
        }
    };
    let mut is_stopped = false;
    loop {
        tokio::select! {
            news = sandbox.next() => match news {
                Some(News::Made { pid }) => {
                    if let Err(error) = running.open_laid(pid) {
                        learn(&News::Failed(format!("opening a volume of the pod: {error}")));
                    }
                }
                Some(news) => {
                    if let News::Started { container } | News::Refused { container, .. } = &news
                        && let Some(log) = running.logs.get(container)
                    {
                        log.release();
                    }
                    if let News::TerminalClosed { number, cause } = &news {
                        running.terminals.closed(*number, cause.clone());
                    }
                    learn(&news);
                }
                None => break,
            },
            order = orders.recv() => {
                is_stopped |= !matches!(order, Some(Order::Terminal(_)));
                if let Some(order) = order {
                    sandbox.tell(order).await;
                }
            }
        }
    }
    sandbox.gone().await;
    if !is_stopped {
        let said = fs::read_to_string(running.folder.join("stderr")).unwrap_or_default();
        let said = said.lines().last().unwrap_or("something killed it");
        learn(&News::Failed(format!("the pod's sandbox ended: {said}")));
        orders.recv().await;
    }
}

impl Shared {
    /// The images of a pod's containers, or the container whose image is missing.
    async fn images(
        &self,
        pod: &Pod,
        surroundings: &Surroundings,
    ) -> Result<BTreeMap<String, Base>, (String, Missing)> {
        let mut images = BTreeMap::new();
        for container in containers(pod).filter(|it| surroundings.carrier.as_ref() != Some(&it.name)) {
            let name = container.image.clone().unwrap_or_default();
            let base = self.supply.get(&name, container.image_pull_policy.as_deref()).await;
            images.insert(name, base.map_err(|missing| (container.name.clone(), missing))?);
        }
        Ok(images)
    }
}

fn containers(pod: &Pod) -> impl Iterator<Item = &Container> {
    let spec = pod.spec.as_ref();
    let init = spec.and_then(|spec| spec.init_containers.as_ref()).into_iter().flatten();
    init.chain(spec.into_iter().flat_map(|spec| &spec.containers))
}

/// Sends an archive in pieces.
struct Pieces(mpsc::Sender<io::Result<Cursor<Vec<u8>>>>);

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Cursor::new(bytes.to_vec())));
        sent.map(|()| bytes.len()).map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn blocking<T: Send + 'static>(
    doing: &str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Error> {
    let done = tokio::task::spawn_blocking(work).await.map_err(io::Error::other);
    done.and_then(|done| done).map_err(|error| failed(doing.to_owned(), &error))
}

fn failed(doing: String, cause: &io::Error) -> Error {
    Error::Failed { doing, cause: cause.to_string() }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
