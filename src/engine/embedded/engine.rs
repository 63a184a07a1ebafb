//! The engine of a run: makes a place for pods on this machine, and takes it away.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;

use super::{
    cgroup,
    image::{self, Fallback, Store, Supply},
    network::Network,
    node, owner,
    pod::plan::Surroundings,
    pods::EmbeddedPods,
    remains,
    sandbox::plan,
};
use crate::engine::{Error, Namespace, Place, Progress, Provisioner, Step, docker};

/// What a run on this machine needs.
#[derive(Debug, Clone)]
pub struct Options {
    /// podline's own program, which it starts again for every pod.
    pub program: PathBuf,
    /// Where runs keep their pods while they run.
    pub state: PathBuf,
    /// Where images are kept.
    pub cache: PathBuf,
    /// Id of the run.
    pub run: String,
    /// The images of its jobs, to be taken from the local Docker where there is one.
    pub images: Vec<String>,
    /// Those of them that may be pulled from their registries.
    pub pulled: Vec<String>,
    /// Where the local Docker is.
    pub docker: docker::Settings,
    /// The container of a pod that only carries files. It has no process here.
    pub carrier: Option<String>,
    /// Where images may come from.
    pub supply: image::Options,
}

/// Pods in namespaces and cgroups of this machine.
pub struct Embedded {
    options: Options,
    up: Mutex<Option<Up>>,
}

/// What is there once the place is.
struct Up {
    pods: EmbeddedPods,
    network: Arc<Network>,
    store: Arc<Store>,
    /// Locked for as long as the run lives: how the next one knows.
    _lock: File,
}

impl Embedded {
    /// An engine that has done nothing yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self { options, up: Mutex::default() }
    }

    fn folder(&self) -> PathBuf {
        remains::runs(&self.options.state).join(&self.options.run)
    }

    /// Pulls what Docker does not have. A run of which no job has its image would only fail job by job.
    async fn pull_images(
        &self,
        store: &Store,
        supply: &Supply,
        progress: &Progress<'_>,
    ) -> Result<(), Error> {
        let failed = supply.pull_missing(&self.options.pulled, progress).await;
        let images = &self.options.images;
        let is_missing = |image: &String| store.find(image).is_none();
        let why = failed.iter().map(|(image, why)| format!("`{image}`: {why}"));
        if self.options.supply.fallback != Fallback::None
            || images.is_empty()
            || !images.iter().all(is_missing)
        {
            why.for_each(|why| progress(Step::Warning(format!("not pulled: {why}"))));
            return Ok(());
        }
        let why: Vec<String> = why.collect();
        let images = if why.is_empty() { format!("`{}`", images.join("`, `")) } else { why.join("; ") };
        Err(Error::Unusable {
            message: format!("none of the images is here: {images}"),
            help: "`docker save` them where there is Docker, and `podline image import FILE` them here; or run the \
                   jobs on this machine's own files: `--image-fallback host`"
                .to_owned(),
        })
    }

    async fn take_images(&self, images: &[String], store: &Arc<Store>, progress: &Progress<'_>) {
        // a machine without Docker is what this engine is for
        let Ok(connection) = docker::connect(&self.options.docker).await else { return };
        let taken = image::from_docker(&connection.docker, store, images, progress).await;
        if let Err(error) = taken {
            progress(Step::Warning(error.to_string()));
        }
    }
}

#[async_trait]
impl Provisioner for Embedded {
    async fn up(&self, _: &Namespace, progress: &Progress<'_>) -> Result<Place, Error> {
        let folder = self.folder();
        let unusable = |doing: &str, path: &Path, cause: std::io::Error| Error::Unusable {
            message: format!("{doing} `{}`: {cause}", path.display()),
            help: "say where podline may write with `PODLINE_STATE` and `PODLINE_CACHE`".to_owned(),
        };
        let lock = remains::claim(&folder).map_err(|error| unusable("cannot make", &folder, error))?;
        let cache = &self.options.cache;
        let store =
            Store::open(cache).map_err(|error| unusable("cannot open the images in", cache, error))?;
        let store = Arc::new(store);
        let supply = Supply::new(Arc::clone(&store), self.options.supply.clone());
        self.take_images(&self.options.images, &store, progress).await;
        self.pull_images(&store, &supply, progress).await?;
        let rights = owner::rights();
        // noted before it is made, so that it is found again whenever the run ends
        if let Some(path) = cgroup::path_of_run(&rights, &self.options.run) {
            fs::write(folder.join(remains::CGROUP), path)
                .map_err(|error| unusable("cannot write to", &folder, error))?;
        }
        let group = cgroup::of_run(&rights, &self.options.run);
        if let Some(warning) = cgroup::warning(&group) {
            progress(Step::Warning(warning));
        }
        let network = Arc::new(Network::open(&rights).await);
        if let Some(warning) = network.warning() {
            progress(Step::Warning(warning));
        }
        let read = |path| fs::read_to_string(path).ok();
        let own = read("/etc/resolv.conf").unwrap_or_default();
        let surroundings = Surroundings {
            folder,
            layers: store.layers(),
            network: plan::Network::Host,
            rights,
            cgroup: group.path,
            resolv: network.resolv(own, read("/run/systemd/resolve/resolv.conf")),
            laid: None,
            carrier: self.options.carrier.clone(),
        };
        let program = self.options.program.clone();
        let pods = EmbeddedPods::new(program, surroundings, supply, Arc::clone(&network));
        let up = Up { pods: pods.clone(), network, store, _lock: lock };
        *self.up.lock().unwrap_or_else(PoisonError::into_inner) = Some(up);
        Ok(Place { pods: Arc::new(pods), free: node::free(), kubectl: None })
    }

    async fn provide(&self, images: &[String], progress: &Progress<'_>) {
        let store = {
            let up = self.up.lock().unwrap_or_else(PoisonError::into_inner);
            up.as_ref().map(|up| Arc::clone(&up.store))
        };
        if let Some(store) = store {
            self.take_images(images, &store, progress).await;
        }
    }

    async fn down(&self) -> Result<(), Error> {
        let up = self.up.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(up) = up {
            up.pods.end().await;
            up.network.close().await;
        }
        let folder = self.folder();
        let removed = tokio::task::spawn_blocking(move || remains::remove(&folder)).await;
        removed.map_err(std::io::Error::other).and_then(|removed| removed).map_err(|error| Error::Failed {
            doing: "removing the run's folder".to_owned(),
            cause: error.to_string(),
        })
    }

    async fn prune(&self) -> Result<Vec<String>, Error> {
        let (state, own) = (self.options.state.clone(), self.options.run.clone());
        let pruned = tokio::task::spawn_blocking(move || remains::prune(&state, &own)).await;
        Ok(pruned.unwrap_or_default())
    }
}
