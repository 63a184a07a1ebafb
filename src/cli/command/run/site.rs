//! What all pipelines of a run have in common, and how each of them gets its jobs done.

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use k8s_openapi::api::core::v1::Pod;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use super::{prepare, setup::Setup};
use crate::{
    cli::{args::SourceKind, builds::Builds, planned::Planned, project::Project, runs::Run},
    engine::{Fits, Free, Pods, Provisioner},
    event::{Event, Failure, FailureReason},
    runner::{
        Attempt, Build, Member, Settings,
        attempt::{FailedPulls, JobExecutor, Prepare, Visit},
        files::{artifacts::ArtifactStore, cache::CacheFolder, sources::SourceStore},
        pod::{
            Overwrites,
            login::{self, Login},
        },
    },
};

/// What all pipelines of a run have in common.
pub(super) struct Site {
    pub(super) project: Arc<Project>,
    pub(super) source: SourceKind,
    pub(super) settings: Settings,
    pub(super) run: Run,
    /// Name of the engine.
    pub(super) engine: &'static str,
    pub(super) provisioner: Arc<dyn Provisioner>,
    pub(super) pods: Arc<dyn Pods>,
    pub(super) sources: Arc<SourceStore>,
    /// Deletions of pods that nobody waits for.
    pub(super) deletions: TaskTracker,
    /// What there is room for.
    pub(super) free: Free,
    /// How many pods run at once.
    pub(super) slots: usize,
    pub(super) events: mpsc::Sender<Event>,
    /// How many child pipelines there are.
    pub(super) children: AtomicU64,
    /// Who looks into pods.
    pub(super) visit: Option<Arc<dyn Visit>>,
    /// Images that the engine has been told of.
    pub(super) images: Mutex<HashSet<String>>,
}

impl Site {
    /// The number of the next child pipeline: it tells of the run, and comes after all of the runs before.
    pub(super) fn next_number(&self) -> u64 {
        self.run.number * 1000 + self.children.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// How many pods there is room for, if that is fewer than run at once.
    pub(super) fn fewer(&self, pods: &[Pod]) -> Option<Fits> {
        let fits = pods.iter().filter_map(|pod| self.free.fits(pod)).min_by_key(|fits| fits.pods)?;
        // one may still find room when the others have ended
        let fits = Fits { pods: fits.pods.max(1), ..fits };
        (fits.pods < self.slots as u64).then_some(fits)
    }

    /// Makes those of a pipeline's images ready that are new.
    pub(super) async fn provide(&self, images: Vec<String>) {
        let new: Vec<String> = {
            let mut known = self.images.lock().unwrap_or_else(PoisonError::into_inner);
            images.into_iter().filter(|image| known.insert(image.clone())).collect()
        };
        if new.is_empty() {
            return;
        }
        let setup = Setup::new(self.events.clone());
        self.provisioner.provide(&new, &|step| setup.take(step)).await;
    }
}

/// One of the pipelines of a run.
pub(super) struct Level {
    pub(super) site: Arc<Site>,
    pub(super) planned: Arc<Planned>,
    pub(super) builds: Builds,
    pub(super) artifacts: ArtifactStore,
    /// Its folder: that of the run, or one in it.
    pub(super) folder: PathBuf,
    /// How many trigger jobs lead to it.
    pub(super) depth: usize,
}

impl Level {
    /// The pipeline with those who do its work.
    pub(super) fn member(self) -> Member {
        let level = Arc::new(self);
        Member {
            pipeline: Arc::clone(&level.builds.pipeline),
            execute: Arc::new(level.executor()),
            trigger: level,
        }
    }

    fn executor(&self) -> JobExecutor {
        let site = &self.site;
        let preparation = Preparation { builds: self.builds.clone(), artifacts: self.artifacts.clone() };
        JobExecutor {
            pods: Arc::clone(&site.pods),
            prepare: Arc::new(preparation),
            sources: Arc::clone(&site.sources),
            artifacts: self.artifacts.clone(),
            caches: CacheFolder::new(site.project.own_folder().join("cache")),
            folder: self.folder.clone(),
            poll_timeout: site.settings.poll_timeout,
            time: prepare::now(),
            deletions: site.deletions.clone(),
            visit: site.visit.clone(),
        }
    }
}

/// Makes builds and pods with what earlier jobs have left.
struct Preparation {
    builds: Builds,
    artifacts: ArtifactStore,
}

impl Prepare for Preparation {
    fn build(&self, attempt: &Attempt) -> Result<Build, Failure> {
        let from = &self.builds.pipeline.job(attempt.job).artifacts_from;
        let dotenv = self.artifacts.dotenv(from);
        let build = self.builds.build(attempt.job, attempt.number, &attempt.slot, dotenv)?;
        match self.artifacts.missing(&build) {
            None => Ok(build),
            Some(need) => Err(Failure {
                reason: FailureReason::MissingDependencyFailure,
                message: format!(
                    "`{}` of the pipeline {} has left no artifacts, or there is no such job",
                    need.job, need.pipeline
                ),
                help: Some(
                    "pass the id on by a variable of the trigger job: `PARENT_PIPELINE_ID: $CI_PIPELINE_ID`"
                        .to_owned(),
                ),
            }),
        }
    }

    fn overwrites(&self, build: &Build) -> Result<Overwrites, Failure> {
        self.builds.overwrites(build)
    }

    fn pod(
        &self,
        build: &Build,
        overwrites: &Overwrites,
        attempt: &Attempt,
        failed_pulls: &FailedPulls,
    ) -> Result<Pod, Failure> {
        self.builds.pod(build, overwrites, attempt.number, &attempt.slot, failed_pulls)
    }

    fn login(&self, build: &Build, pod: &Pod) -> Login {
        login::of(pod, build, &self.builds.settings)
    }
}
