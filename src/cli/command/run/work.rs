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
        engine::{Asked, Chosen, Request, choose},
        planned::{Planned, Runner},
        project::Project,
        runs::Run,
        settings::Environment,
        view,
    },
    engine::{self, Fits, Place},
    event::{Event, Failure, Outline, OutlineJob, Status},
    pipeline::Pipeline,
    report::{
        self, Model, Printer,
        plan::Slots,
        printer::View,
        record::{self, Recorder},
        spinner::Spinner,
    },
    runner::{
        Attempt, Build, Control, DispatchOptions, Summary,
        attempt::{FailedPulls, JobExecutor, Prepare},
        dispatch,
        files::{artifacts::ArtifactStore, cache::CacheFolder, sources::SourceStore},
        pod::Overwrites,
    },
};

/// Events that may wait for the terminal.
const EVENTS: usize = 4096;

/// How long an interrupted run still tries to remove what it made.
const PATIENCE: Duration = Duration::from_secs(4);

/// A run with all that it needs to know.
pub(super) struct Work<'w> {
    /// The project's folder as the user names it.
    pub(super) folder: &'w Path,
    pub(super) project: &'w Project,
    pub(super) planned: &'w Planned,
    pub(super) runner: &'w Runner,
    pub(super) arguments: &'w RunArguments,
    pub(super) environment: &'w Environment,
    pub(super) asked: &'w Asked,
    pub(super) run: Run,
    pub(super) choice: Choice,
}

/// How far a run came.
enum End {
    Finished(Box<Summary>),
    Interrupted,
}

impl Work<'_> {
    /// Does the work and shows it.
    pub(super) async fn run(self, recorder: Recorder, printer: &Printer) -> Result<ExitCode, Failed> {
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
        let chosen = tokio::select! {
            chosen = self.engine(&builds) => chosen?,
            _ = interrupts.recv() => return Ok(ExitCode::Interrupted),
        };
        // what runs that were killed have left is removed beside this one, without a word
        let provisioner = Arc::clone(&chosen.provisioner);
        let pruned = tokio::spawn(async move { provisioner.prune().await });
        let (sender, events) = mpsc::channel(EVENTS);
        let shown = report::follow(printer, record::recorded(recorder, events));
        let (model, end) = tokio::join!(shown, self.jobs(&chosen, builds, sender, &mut interrupts));
        let code = self.close(printer, &model, end, &pipeline, chosen.stays.as_deref());
        take_down(printer, &chosen, &mut interrupts, pruned).await;
        code
    }

    async fn engine(&self, builds: &Builds) -> Result<Chosen, Failed> {
        let request = Request {
            arguments: self.arguments,
            project: self.project,
            environment: self.environment,
            run: &self.run.id,
            runner: self.runner,
            pipeline: &self.choice.pipeline,
            images: builds.all_images(),
        };
        choose(self.asked, request).await
    }

    /// Makes everything ready and runs the jobs.
    async fn jobs(
        &self,
        chosen: &Chosen,
        builds: Builds,
        events: mpsc::Sender<Event>,
        interrupts: &mut mpsc::Receiver<Interrupt>,
    ) -> Result<End, Failed> {
        let started = Instant::now();
        // a view that is gone is no reason to stop: the exit code still tells
        drop(events.send(Event::PipelineStarted(self.outline(chosen, &builds.pipeline))).await);
        for message in &self.project.notes {
            drop(events.send(Event::Notice { message: message.clone() }).await);
        }
        let ready = tokio::select! {
            ready = self.ready(chosen, &builds, &events) => match ready {
                Ok(ready) => ready,
                Err(failed) => {
                    drop(events.send(unbegun(&builds.pipeline, Status::Failed, started.elapsed())).await);
                    return Err(failed);
                }
            },
            _ = interrupts.recv() => {
                drop(events.send(unbegun(&builds.pipeline, Status::Canceled, started.elapsed())).await);
                return Ok(End::Interrupted);
            }
        };
        let (place, sources) = ready;
        let pipeline = Arc::clone(&builds.pipeline);
        let fits =
            builds.all_pods().iter().filter_map(|pod| place.free.fits(pod)).min_by_key(|fits| fits.pods);
        let slots = self.slots(fits);
        let executor = Arc::new(self.executor(builds, &place, sources));
        let (control, controls) = mpsc::channel(4);
        if slots.pods != self.slots(chosen.likely.clone()).pods {
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
        chosen: &Chosen,
        builds: &Builds,
        events: &mpsc::Sender<Event>,
    ) -> Result<(Place, Arc<SourceStore>), Failed> {
        let setup = Setup::new(events.clone());
        setup.begin(&chosen.step);
        let progress = |step| setup.take(step);
        let up = async {
            let place = chosen.provisioner.up(&chosen.namespace, &progress).await?;
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

    fn slots(&self, fits: Option<Fits>) -> Slots {
        let jobs = self.arguments.runner.jobs.or(self.project.file.run.jobs).map(std::num::NonZeroUsize::get);
        view::slots(&self.runner.settings, fits, jobs)
    }

    fn outline(&self, chosen: &Chosen, pipeline: &Pipeline) -> Outline {
        let names = |needs: &Vec<crate::pipeline::job::Need>| {
            needs.iter().map(|need| pipeline.job(need.job).name.clone()).collect()
        };
        Outline {
            name: pipeline.name.clone(),
            title: view::title(&self.planned.context),
            engine: chosen.name.to_owned(),
            slots: self.slots(chosen.likely.clone()).pods,
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
fn unbegun(pipeline: &Pipeline, status: Status, took: Duration) -> Event {
    let jobs = pipeline.jobs.iter().map(|job| (job.name.clone(), Status::Canceled));
    Event::PipelineFinished { status, jobs: jobs.collect(), took }
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
}

/// Takes away what the run made. A further interrupt gives it a little time, and leaves the rest to the next
/// run.
async fn take_down(
    printer: &Printer,
    chosen: &Chosen,
    interrupts: &mut mpsc::Receiver<Interrupt>,
    pruned: JoinHandle<Result<Vec<String>, engine::Error>>,
) {
    let told = chosen.removal.clone().filter(|_| printer.view() != View::Json);
    let spinner = told.map(|removal| Spinner::start(printer, removal));
    let mut down = pin!(async {
        let result = chosen.provisioner.down().await;
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
