//! A run from the first step to the last: cluster and sources, jobs, what is left behind.

use std::{path::Path, pin::pin, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Pod;
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};
use tokio_util::task::TaskTracker;

use super::{
    again::Again,
    choice::Choice,
    closing,
    interrupt::{self, Interrupt},
    prepare,
    setup::Setup,
};
use crate::{
    cli::{
        ExitCode, Failed,
        args::RunArguments,
        builds::Builds,
        kind,
        planned::{Planned, Runner},
        project::Project,
        runs::Run,
        settings::Environment,
        view,
    },
    engine::{
        self, Namespace, Owner, Place, Provisioner, ServiceAccount,
        kind::{Kind, KindEngine, Lifetime},
    },
    event::{Event, Failure, Outline, OutlineJob, Status},
    pipeline::Pipeline,
    report::{self, Model, Printer, plan::Slots, printer::View, spinner::Spinner},
    runner::{
        Attempt, Build, Capacity, Control, DispatchOptions, Summary,
        attempt::{FailedPulls, JobExecutor, Prepare},
        dispatch,
        files::{artifacts::ArtifactStore, cache::CacheFolder, sources::SourceStore},
        pod::labels,
        settings::{Amount, namespace},
    },
};

/// Events that may wait for the terminal.
const EVENTS: usize = 4096;

/// How long an interrupted run still tries to remove what it made.
const PATIENCE: Duration = Duration::from_secs(4);

/// The cluster that `--keep` leaves.
const KEPT: &str = "dev";

/// A run with all that it needs to know.
pub(super) struct Work<'w> {
    /// The project's folder as the user names it.
    pub(super) folder: &'w Path,
    pub(super) project: &'w Project,
    pub(super) planned: &'w Planned,
    pub(super) runner: &'w Runner,
    pub(super) arguments: &'w RunArguments,
    pub(super) environment: &'w Environment,
    pub(super) run: Run,
    pub(super) choice: Choice,
}

/// The cluster of a run.
struct Target {
    engine: KindEngine,
    /// What is done first, for people.
    step: String,
    name: String,
    /// The name that users say, if the cluster stays after the run.
    stays: Option<String>,
}

/// How far a run came.
enum End {
    Finished(Box<Summary>),
    Interrupted,
}

impl Work<'_> {
    /// Does the work and shows it.
    pub(super) async fn run(self, printer: &Printer) -> Result<ExitCode, Failed> {
        let mut interrupts = interrupt::listen()?;
        let pipeline = Arc::new(self.choice.pipeline.clone());
        let builds = Builds::new(
            self.project,
            self.planned,
            Arc::clone(&pipeline),
            self.runner.settings.clone(),
            &self.run.id,
            self.run.number,
        );
        let (kind, target) = tokio::select! {
            opened = self.open(&builds) => opened?,
            _ = interrupts.recv() => return Ok(ExitCode::Interrupted),
        };
        // what runs that were killed have left is removed beside this one, without a word
        let pruned = tokio::spawn(async move { kind.prune().await });
        let (sender, events) = mpsc::channel(EVENTS);
        let shown = report::follow(printer, events);
        let (model, end) = tokio::join!(shown, self.jobs(&target, builds, sender, &mut interrupts));
        let code = self.close(printer, &model, end, &pipeline, target.stays.as_deref());
        take_down(printer, &target, &mut interrupts, pruned).await;
        code
    }

    async fn open(&self, builds: &Builds) -> Result<(Kind, Target), Failed> {
        let kind = kind::connect(self.environment).await?;
        let target = self.target(&kind, builds).await?;
        Ok((kind, target))
    }

    /// The cluster to run in: the one that is named, the one that is kept, or one for this run alone.
    async fn target(&self, kind: &Kind, builds: &Builds) -> Result<Target, Failed> {
        let named = self.arguments.cluster.clone().or_else(|| self.project.file.run.cluster.clone());
        let stays = named.clone().or_else(|| self.arguments.keep.then(|| KEPT.to_owned()));
        let name = kind::full_name(stays.as_ref().unwrap_or(&self.run.id));
        let is_up = kind.list().await?.iter().any(|known| known.name == name && known.running);
        let lifetime = if stays.is_some() { Lifetime::Kept } else { Lifetime::Run };
        let project = Some((self.project.folder.as_path(), &self.project.file));
        let images = builds.all_images();
        let options =
            kind::options(kind, name.clone(), lifetime, images, &self.arguments.kind, project).await?;
        let owner = Owner { label: labels::RUN, run: self.run.id.clone() };
        Ok(if named.is_some() || (stays.is_some() && is_up) {
            let engine = KindEngine::in_existing(kind.clone(), options, owner);
            Target { engine, step: format!("opening the cluster `{name}`"), name, stays }
        } else {
            let engine = KindEngine::in_new(kind.clone(), options, owner);
            Target { engine, step: format!("creating the cluster `{name}`"), name, stays }
        })
    }

    /// Makes everything ready and runs the jobs.
    async fn jobs(
        &self,
        target: &Target,
        builds: Builds,
        events: mpsc::Sender<Event>,
        interrupts: &mut mpsc::Receiver<Interrupt>,
    ) -> Result<End, Failed> {
        let started = Instant::now();
        // a view that is gone is no reason to stop: the exit code still tells
        drop(events.send(Event::PipelineStarted(self.outline(&builds.pipeline))).await);
        for message in &self.project.notes {
            drop(events.send(Event::Notice { message: message.clone() }).await);
        }
        let ready = tokio::select! {
            ready = self.ready(target, &builds, &events) => ready?,
            _ = interrupts.recv() => {
                drop(events.send(canceled(&builds.pipeline, started.elapsed())).await);
                return Ok(End::Interrupted);
            }
        };
        let (place, sources) = ready;
        let pipeline = Arc::clone(&builds.pipeline);
        let executor = Arc::new(self.executor(builds, &place, sources));
        let (control, controls) = mpsc::channel(4);
        let slots = self.slots(Some(free(&place)));
        if slots.pods != self.slots(view::estimated_room()).pods {
            drop(events.send(Event::Notice { message: slots.sentence() }).await);
        }
        let options = self.options(slots, started);
        let mut run = pin!(dispatch(pipeline, options, executor.clone(), controls, events));
        let summary = loop {
            tokio::select! {
                summary = &mut run => break summary,
                Some(interrupt) = interrupts.recv() => {
                    let wanted = match interrupt {
                        Interrupt::Cancel => Control::Cancel,
                        Interrupt::Kill => Control::Kill,
                    };
                    let _ = control.try_send(wanted);
                }
            }
        };
        tokio::select! {
            () = executor.settle() => {}
            _ = interrupts.recv() => {}
        }
        Ok(End::Finished(Box::new(summary)))
    }

    /// Brings the cluster up and packs the sources at the same time.
    async fn ready(
        &self,
        target: &Target,
        builds: &Builds,
        events: &mpsc::Sender<Event>,
    ) -> Result<(Place, Arc<SourceStore>), Failed> {
        let settings = &self.runner.settings;
        let wanted = Namespace {
            name: settings.namespace.clone(),
            objects: namespace::objects(
                settings,
                self.runner.config.as_ref().map(|config| &config.manifests),
            ),
            service_account: settings
                .service_account
                .clone()
                .map(|name| ServiceAccount { namespace: settings.runner_namespace.clone(), name }),
        };
        let setup = Setup::new(events.clone());
        setup.begin(&target.step);
        let progress = |step| setup.take(step);
        let up = async {
            let place = target.engine.up(&wanted, &progress).await?;
            setup.finish();
            Ok::<Place, Failed>(place)
        };
        let checkout = prepare::checkout(self.project, self.planned);
        let store =
            prepare::source_store(self.project.git.clone(), self.arguments.source, checkout, &self.run);
        let packed = prepare::sources(store, builds.source_variants());
        tokio::try_join!(up, packed)
    }

    fn executor(&self, builds: Builds, place: &Place, sources: Arc<SourceStore>) -> JobExecutor {
        let artifacts = ArtifactStore::new(&self.run.folder);
        JobExecutor {
            pods: Arc::clone(&place.pods),
            prepare: Arc::new(Preparation { builds, artifacts: artifacts.clone() }),
            sources,
            artifacts,
            caches: CacheFolder::new(self.project.own_folder().join("cache")),
            folder: self.run.folder.clone(),
            poll_timeout: self.runner.settings.poll_timeout,
            time: prepare::now(),
            deletions: TaskTracker::new(),
        }
    }

    fn options(&self, slots: Slots, started: Instant) -> DispatchOptions {
        DispatchOptions {
            runners: self.runner.settings.runners.clone(),
            concurrent: self.runner.settings.concurrent,
            limit: Some(slots.pods),
            manual: self.choice.manual.clone(),
            deploy: self.choice.deploy.clone(),
            delays: self.choice.delays,
            started,
        }
    }

    fn slots(&self, free: Option<Capacity>) -> Slots {
        let jobs = self.arguments.runner.jobs.or(self.project.file.run.jobs).map(std::num::NonZeroUsize::get);
        view::slots(&self.runner.settings, &self.choice.pipeline, free, jobs)
    }

    fn outline(&self, pipeline: &Pipeline) -> Outline {
        let names = |needs: &Vec<crate::pipeline::job::Need>| {
            needs.iter().map(|need| pipeline.job(need.job).name.clone()).collect()
        };
        Outline {
            name: pipeline.name.clone(),
            title: view::title(&self.planned.context),
            engine: "kind".to_owned(),
            slots: self.slots(view::estimated_room()).pods,
            stages: pipeline.stages.clone(),
            jobs: pipeline
                .jobs
                .iter()
                .map(|job| OutlineJob {
                    name: job.name.clone(),
                    stage: job.stage.clone(),
                    needs: job.needs.as_ref().map(names),
                })
                .collect(),
        }
    }

    fn close(
        &self,
        printer: &Printer,
        model: &Model,
        end: Result<End, Failed>,
        pipeline: &Pipeline,
        cluster: Option<&str>,
    ) -> Result<ExitCode, Failed> {
        match end? {
            End::Interrupted => {
                if printer.view() != View::Json {
                    printer.say("canceled before a job has started\n");
                }
                Ok(ExitCode::Interrupted)
            }
            End::Finished(summary) => {
                if printer.view() != View::Json {
                    let again = Again::of(self.folder, self.arguments, cluster);
                    closing::show(printer, model, &summary, pipeline, &self.run, &again);
                }
                Ok(summary.status.into())
            }
        }
    }
}

/// The end of a run that no job has begun.
fn canceled(pipeline: &Pipeline, took: Duration) -> Event {
    let jobs = pipeline.jobs.iter().map(|job| (job.name.clone(), Status::Canceled));
    Event::PipelineFinished { status: Status::Canceled, jobs: jobs.collect(), took }
}

/// What the node of a place has left for pods.
fn free(place: &Place) -> Capacity {
    Capacity {
        cpu: Amount::thousandths(place.node.free.cpu_millis),
        memory: Amount::units(place.node.free.memory_bytes),
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
        self.builds.build(attempt.job, attempt.number, &attempt.slot, self.artifacts.dotenv(from))
    }

    fn pod(&self, build: &Build, attempt: &Attempt, failed_pulls: &FailedPulls) -> Result<Pod, Failure> {
        self.builds.pod(build, attempt.number, &attempt.slot, failed_pulls)
    }
}

/// Takes away what the run made. A further interrupt gives it a little time, and leaves the rest to the next
/// run.
async fn take_down(
    printer: &Printer,
    target: &Target,
    interrupts: &mut mpsc::Receiver<Interrupt>,
    pruned: JoinHandle<Result<Vec<String>, engine::Error>>,
) {
    let told = target.stays.is_none() && printer.view() != View::Json;
    let spinner = told.then(|| Spinner::start(printer, format!("removing the cluster `{}`", target.name)));
    let mut down = pin!(async {
        let result = target.engine.down().await;
        // the next run does what this one could not
        drop(tokio::time::timeout(PATIENCE, pruned).await);
        result
    });
    let result = tokio::select! {
        result = &mut down => Some(result),
        _ = interrupts.recv() => tokio::time::timeout(PATIENCE, down).await.ok(),
    };
    drop(spinner);
    let result = match result {
        Some(result) => result.map_err(|error| error.to_string()),
        None => Err("interrupted".to_owned()),
    };
    if let Err(cause) = result {
        printer.say(&format!(
            "warning: not everything was removed ({cause}): the next run or `podline cluster prune` does it\n"
        ));
    }
}
