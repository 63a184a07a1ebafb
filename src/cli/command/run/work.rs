//! A run from the first step to the last: cluster and sources, jobs, what is left behind.

use std::{
    path::Path,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{sync::mpsc, task::JoinHandle, time::Instant};
use tokio_util::task::TaskTracker;

use super::{
    again::Again,
    choice::Choice,
    closing,
    interrupt::{self, Interrupt},
    narrate::Narrated,
    outline::outline,
    pace, prepare,
    setup::Setup,
    site::{Level, Site},
    visit::{self, Open, Visits},
    watch::Changes,
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
        usual, view,
    },
    engine::{self, Fits, Place},
    event::{Event, Status, Wish},
    pipeline::Pipeline,
    report::{
        self, Hands, Model, Printer,
        curtain::curtain,
        plan::Slots,
        printer::View,
        record::{self, Recorder},
        spinner::Spinner,
        tty,
    },
    runner::{
        Control, DispatchOptions, Member, Summary,
        attempt::Visit,
        build::Look,
        dispatch,
        files::{artifacts::ArtifactStore, sources::SourceStore},
        run_folder,
    },
};

/// Events that may wait for the terminal.
const EVENTS: usize = 4096;

/// What somebody wants may wait a moment.
const WISHES: usize = 16;

/// How long an interrupted run still tries to remove what it made.
const PATIENCE: Duration = Duration::from_secs(4);

/// A run with all that it needs to know.
pub(super) struct Work<'w> {
    /// The project's folder as the user names it.
    pub(super) folder: &'w Path,
    pub(super) project: &'w Arc<Project>,
    pub(super) planned: &'w Arc<Planned>,
    pub(super) runner: &'w Runner,
    pub(super) arguments: &'w RunArguments,
    pub(super) environment: &'w Environment,
    pub(super) asked: &'w Asked,
    pub(super) run: Run,
    pub(super) choice: Choice,
}

/// How far a run came.
enum End {
    /// The jobs have come to rest; the error is why the engine answers no more, where it does not.
    Finished(Box<Summary>, Option<engine::Error>),
    Interrupted,
}

impl Work<'_> {
    /// Does the work and shows it.
    pub(super) async fn run(
        self,
        recorder: Recorder,
        printer: &Printer,
        changes: Option<Changes>,
    ) -> Result<ExitCode, Failed> {
        let mut interrupts = interrupt::listen(self.arguments.time_limit, changes)?;
        let pipeline = Arc::new(self.choice.pipeline.clone());
        let mut builds = Builds::new(
            self.project,
            self.planned,
            Arc::clone(&pipeline),
            self.runner.settings.clone(),
            &self.run.id,
            self.run.number,
        );
        builds.look = self.look();
        let chosen = tokio::select! {
            chosen = self.engine(&builds) => chosen?,
            _ = interrupts.recv() => return Ok(ExitCode::Interrupted),
        };
        // what runs that were killed have left is removed beside this one, without a word
        let provisioner = Arc::clone(&chosen.provisioner);
        let pruned = tokio::spawn(async move { provisioner.prune().await });
        let (sender, events) = mpsc::channel(EVENTS);
        let (curtain, asks) = curtain();
        let (opened, visits) = mpsc::channel(1);
        let (wishes, wished) = mpsc::channel(WISHES);
        let folder = self.run.folder.clone();
        let traces = move |job: &str| Some(run_folder::find(&folder, job)?.trace);
        let is_paging = Arc::new(AtomicBool::new(false));
        let hands = Hands {
            asks,
            wishes,
            traces: Box::new(traces),
            usual: usual::jobs(&self.project.own_folder()),
            pager: self.environment.pager.clone(),
            is_paging: Arc::clone(&is_paging),
        };
        let asker = Asker { interrupts: &mut interrupts, wishes: wished, is_paging };
        let attended = printer.view() == View::Live && tty::is_there();
        let shown = report::follow(printer, record::recorded(recorder, events), hands);
        let (model, end, ()) = tokio::join!(
            shown,
            self.jobs(&chosen, builds, (sender, opened), asker, attended),
            visit::receive(printer, curtain, visits),
        );
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
            images: builds.job_images(),
            pulled: builds.pulled_images(),
            logins: builds.logins(),
        };
        choose(self.asked, request).await
    }

    /// Makes everything ready and runs the jobs.
    async fn jobs(
        &self,
        chosen: &Chosen,
        builds: Builds,
        (events, opened): (mpsc::Sender<Event>, mpsc::Sender<Open>),
        mut asker: Asker<'_>,
        attended: bool,
    ) -> Result<End, Failed> {
        let started = Instant::now();
        // a view that is gone is no reason to stop: the exit code still tells
        let title = view::title(&self.planned.context);
        let outline = outline(&builds.pipeline, title, chosen.name, self.slots(chosen.likely.clone()).pods);
        drop(events.send(Event::PipelineStarted(outline)).await);
        for message in self.planned.notes(self.project) {
            drop(events.send(Event::Notice { message }).await);
        }
        let ready = tokio::select! {
            ready = self.ready(chosen, &builds, &events) => match ready {
                Ok(ready) => ready,
                Err(failed) => {
                    drop(events.send(unbegun(&builds.pipeline, Status::Failed, started.elapsed())).await);
                    return Err(failed);
                }
            },
            _ = asker.interrupts.recv() => {
                drop(events.send(unbegun(&builds.pipeline, Status::Canceled, started.elapsed())).await);
                return Ok(End::Interrupted);
            }
        };
        let (mut place, sources) = ready;
        if self.arguments.demo.narrate || self.project.file.run.narrate {
            place.pods = Narrated::of(&place, &chosen.namespace.name, events.clone());
        }
        let fits =
            builds.all_pods().iter().filter_map(|pod| place.free.fits(pod)).min_by_key(|fits| fits.pods);
        let slots = self.slots(fits);
        let pace = pace::chosen(self.arguments, &self.project.file.run);
        if pace.is_unheard {
            drop(events.send(Event::Notice { message: pace::NO_TERMINAL.to_owned() }).await);
        }
        let (control, controls) = mpsc::channel(4);
        if slots.pods != self.slots(chosen.likely.clone()).pods {
            drop(events.send(Event::Notice { message: slots.sentence() }).await);
        }
        let visits = Visits { pods: Arc::clone(&place.pods), opened };
        let site = Site {
            visit: (self.look() != Look::Never).then(|| Arc::new(visits) as Arc<dyn Visit>),
            ..self.site(chosen, &builds, (&place, sources), slots.pods, events.clone())
        };
        let options = DispatchOptions { attended, pace: pace.pace, ..self.options(slots, started) };
        let deletions = site.deletions.clone();
        let mut run = pin!(dispatch(self.root(site, builds), options, controls, events));
        let summary = loop {
            tokio::select! {
                summary = &mut run => break summary,
                wanted = asker.next() => drop(control.try_send(wanted)),
            }
        };
        deletions.close();
        tokio::select! {
            () = deletions.wait() => {}
            _ = asker.interrupts.recv() => {}
        }
        let lost = match summary.status {
            Status::Failed => place.pods.answers().await.err(),
            _ => None,
        };
        Ok(End::Finished(Box::new(summary), lost))
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

    /// What the pipelines of the run have in common.
    fn site(
        &self,
        chosen: &Chosen,
        builds: &Builds,
        (place, sources): (&Place, Arc<SourceStore>),
        slots: usize,
        events: mpsc::Sender<Event>,
    ) -> Site {
        Site {
            project: Arc::clone(self.project),
            source: self.arguments.source,
            settings: self.runner.settings.clone(),
            run: self.run.clone(),
            engine: chosen.name,
            provisioner: Arc::clone(&chosen.provisioner),
            pods: Arc::clone(&place.pods),
            free: place.free.clone(),
            sources,
            deletions: TaskTracker::new(),
            slots,
            events,
            children: AtomicU64::new(0),
            visit: None,
            images: Mutex::new(builds.job_images().into_iter().collect()),
        }
    }

    /// The pipeline with those who do its work.
    fn root(&self, site: Site, builds: Builds) -> Member {
        let artifacts = ArtifactStore::new(&self.run.folder).of_pipeline(self.run.number);
        self.choice.reuse.stock(&artifacts, &builds.pipeline);
        let level = Level {
            site: Arc::new(site),
            planned: Arc::clone(self.planned),
            builds,
            artifacts,
            folder: self.run.folder.clone(),
            depth: 0,
        };
        level.member()
    }

    /// When somebody looks into the pods.
    fn look(&self) -> Look {
        match (self.arguments.shell, self.arguments.shell_on_failure) {
            (true, _) => Look::First,
            (false, true) => Look::Failure,
            (false, false) => Look::Never,
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
            reused: self.choice.reuse.told(),
            attended: false,
            pace: None,
            started,
        }
    }

    fn slots(&self, fits: Option<Fits>) -> Slots {
        let jobs = self.arguments.runner.jobs.or(self.project.file.run.jobs).map(std::num::NonZeroUsize::get);
        view::slots(&self.runner.settings, fits, jobs)
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
            // whether there was a shell has been said; how it ended says nothing
            End::Finished(summary, None) if self.arguments.shell && summary.status == Status::Canceled => {
                Ok(ExitCode::Success)
            }
            End::Finished(summary, lost) => {
                if printer.view() != View::Json {
                    let again = Again::of(self.folder, self.arguments, cluster);
                    closing::show(printer, model, &summary, pipeline, &self.run, &again);
                }
                lost.map_or(Ok(summary.status.into()), |lost| Err(lost.into()))
            }
        }
    }
}

/// Where a run hears of what is wanted of it.
struct Asker<'a> {
    interrupts: &'a mut mpsc::Receiver<Interrupt>,
    wishes: mpsc::Receiver<Wish>,
    /// Whether an interrupt is meant for the program that shows a log.
    is_paging: Arc<AtomicBool>,
}

impl Asker<'_> {
    async fn next(&mut self) -> Control {
        loop {
            tokio::select! {
                Some(wish) = self.wishes.recv() => return Control::Wish(wish),
                Some(interrupt) = self.interrupts.recv() => match interrupt {
                    Interrupt::Cancel if self.is_paging.load(Ordering::Relaxed) => {}
                    Interrupt::Cancel => return Control::Cancel,
                    Interrupt::Kill => return Control::Kill,
                },
                else => std::future::pending().await,
            }
        }
    }
}

/// The end of a run that no job has begun.
fn unbegun(pipeline: &Pipeline, status: Status, took: Duration) -> Event {
    let jobs = pipeline.jobs.iter().map(|job| (job.name.clone(), Status::Canceled));
    Event::PipelineFinished { status, jobs: jobs.collect(), took }
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
