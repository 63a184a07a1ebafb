//! The life of a job's pod: created, watched, filled, read, until it is known how the job ended.

mod carry;
mod hook;
mod services;
mod start;
mod usage;
mod visit;

pub(super) use start::introduce;

use std::{collections::BTreeSet, time::Duration};

use futures::{StreamExt as _, future::BoxFuture, stream::BoxStream};
use k8s_openapi::api::core::v1::Pod;
use tokio::time::Instant;

use usage::Measuring;

use super::{FailedPulls, JobExecutor, record::Record};
use crate::{
    engine,
    event::{Failure, Phase},
    runner::{
        Attempt, Build, failure,
        failure::{BUILD, Observed},
        pod::{Overwrites, login::Login},
        trace::{EndMark, Ending, Mark},
    },
};

/// A container whose image is there starts within this time.
const START: Duration = Duration::from_secs(2);

/// Within this time a canceled job's `after_script` ends, or is killed.
const CANCEL_GRACE: Duration = Duration::from_secs(30);

/// How much later than its log a container's status may say why it ended.
const STATUS_DELAY: Duration = Duration::from_secs(10);

/// How long the rest of a log may take once its container has ended.
const LOG_DELAY: Duration = Duration::from_secs(3);

/// The supervisor holds the time limits: this much later podline does.
const SLACK: Duration = Duration::from_secs(60);

/// How the life of a pod ended.
#[derive(Debug)]
pub(super) enum End {
    /// What runs before the sources come has failed with this exit code.
    Hook(i32),
    /// The scripts have run, or their time was up: the supervisor said so.
    Script(EndMark),
    /// The build container was killed for lack of memory; the helper lives.
    OutOfMemory(Failure),
    /// Something else went wrong.
    Failed(Failure),
    /// The attempt was canceled.
    Canceled,
}

/// Which archives a pod has begun with, so that they need not be carried in.
#[derive(Debug, Clone, Copy, Default)]
struct Laid {
    sources: bool,
    artifacts: bool,
    /// The scripts, and with them the mark that nothing is waited for.
    scripts: bool,
}

/// What is being waited for, and what happens when it takes too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// The containers start.
    Starting,
    /// The scripts run.
    Running,
    /// Podline has asked for the end.
    Canceling,
    /// Something has ended or broken, and the rest of the news is on its way.
    Ending,
}

/// What happens next.
enum Next {
    Kill,
    Cancel,
    State(Option<Result<Box<Pod>, engine::Error>>),
    Hook(Option<Result<Vec<u8>, engine::Error>>),
    Output(Option<Result<Vec<u8>, engine::Error>>),
    Service(Option<(String, Result<Vec<u8>, engine::Error>)>),
    Copied(Result<(), engine::Error>),
    Visited,
    Measured(Option<engine::Usage>),
    Pulling,
    Late,
}

type States = BoxStream<'static, Result<Pod, engine::Error>>;
type Log = BoxStream<'static, Result<Vec<u8>, engine::Error>>;

/// Output of services, each chunk with the name of its container.
type ServiceLogs = BoxStream<'static, (String, Result<Vec<u8>, engine::Error>)>;

/// A pod and everything that is known of it.
pub(super) struct Life<'a> {
    executor: &'a JobExecutor,
    build: &'a Build,
    overwrites: Overwrites,
    pod: Pod,
    /// What its images are pulled with.
    login: Login,
    name: String,
    failed_pulls: FailedPulls,
    attempt: &'a Attempt,
    nonce: &'a str,
    /// When the job started: its time runs from here.
    started: Instant,
    /// When the build container was first seen to run: the supervisor counts from there.
    began: Option<Instant>,
    stage: Stage,
    late: Instant,
    states: Option<States>,
    log: Option<Log>,
    /// The log of the helper container, while it runs the hook.
    hook_log: Option<Log>,
    /// The logs of services, with the names of their containers (`CI_DEBUG_SERVICES`).
    service_logs: Option<ServiceLogs>,
    /// The services that are known to have ended.
    ended_services: BTreeSet<String>,
    /// What the pod has begun with.
    laid: Laid,
    copy: Option<BoxFuture<'static, Result<(), engine::Error>>>,
    /// Somebody looks into the pod.
    visit: Option<BoxFuture<'static, ()>>,
    measuring: Option<Measuring>,
    last: Option<Pod>,
    observed: Observed,
    /// When a container that is not there yet waits for its image rather than for its start.
    pulling: Option<Instant>,
    /// It was said that the pod waits.
    is_pending: bool,
    /// Why no node took the pod, as it was said last.
    unscheduled: Option<String>,
    has_log: bool,
    /// The hook runs, or is about to.
    is_hooking: bool,
    has_script: bool,
    has_end: bool,
    /// What went wrong, while the log may still have something to say.
    trouble: Option<Failure>,
    /// The last connection that broke.
    lost: Option<Failure>,
}

impl<'a> Life<'a> {
    pub(super) fn new(
        executor: &'a JobExecutor,
        build: &'a Build,
        overwrites: Overwrites,
        pod: Pod,
        attempt: &'a Attempt,
        nonce: &'a str,
        started: Instant,
    ) -> Self {
        Self {
            executor,
            build,
            overwrites,
            name: pod.metadata.name.clone().unwrap_or_default(),
            login: executor.prepare.login(build, &pod),
            pod,
            failed_pulls: FailedPulls::new(),
            attempt,
            nonce,
            started,
            began: None,
            stage: Stage::Starting,
            late: started + executor.poll_timeout,
            states: None,
            log: None,
            hook_log: None,
            service_logs: None,
            ended_services: BTreeSet::new(),
            laid: Laid::default(),
            copy: None,
            visit: None,
            measuring: None,
            last: None,
            observed: Observed::default(),
            pulling: None,
            is_pending: false,
            unscheduled: None,
            has_log: false,
            is_hooking: false,
            has_script: false,
            has_end: false,
            trouble: None,
            lost: None,
        }
    }

    /// The pod as it was last seen.
    pub(super) fn last_pod(&self) -> &Pod {
        self.last.as_ref().unwrap_or(&self.pod)
    }

    /// Creates the pod and follows it until its job has ended.
    pub(super) async fn run(&mut self, record: &mut Record) -> End {
        self.describe(record).await;
        if let Some(end) = self.create(record).await {
            return end;
        }
        loop {
            let next = self.next().await;
            if let Some(end) = self.handle(next, record).await {
                record.finish().await;
                if matches!(end, End::Script(_)) && !self.has_end {
                    record.warn("the last lines of the log were lost on the way").await;
                }
                return end;
            }
        }
    }

    async fn next(&mut self) -> Next {
        let is_canceling = self.stage == Stage::Canceling;
        tokio::select! {
            biased;
            () = self.attempt.kill.cancelled() => Next::Kill,
            () = self.attempt.cancel.cancelled(), if !is_canceling => Next::Cancel,
            chunk = next_of(&mut self.log) => Next::Output(chunk),
            chunk = next_of(&mut self.hook_log) => Next::Hook(chunk),
            chunk = next_of(&mut self.service_logs) => Next::Service(chunk),
            state = next_of(&mut self.states) => Next::State(state.map(|state| state.map(Box::new))),
            copied = end_of(&mut self.copy) => Next::Copied(copied),
            () = end_of(&mut self.visit) => Next::Visited,
            usage = end_of(&mut self.measuring) => Next::Measured(usage),
            () = pulling(self.pulling), if self.stage == Stage::Starting => Next::Pulling,
            () = tokio::time::sleep_until(self.late) => Next::Late,
        }
    }

    async fn handle(&mut self, next: Next, record: &mut Record) -> Option<End> {
        match next {
            Next::Kill => Some(End::Canceled),
            Next::Cancel => self.cancel(record).await,
            Next::State(Some(Ok(pod))) => self.state(*pod, record).await,
            Next::State(Some(Err(error))) => {
                self.lost(&error);
                None
            }
            Next::State(None) => self.gone(),
            Next::Hook(chunk) => self.hook_output(chunk, record).await,
            Next::Output(Some(Ok(chunk))) => self.output(&chunk, record).await,
            Next::Output(Some(Err(error))) => {
                self.lost(&error);
                self.log_ended()
            }
            Next::Output(None) => self.log_ended(),
            Next::Service(Some((name, Ok(chunk)))) => {
                record.service_output(&name, &chunk).await;
                None
            }
            // What a service says is worth nothing more than a look.
            Next::Service(Some((_, Err(_)))) => None,
            Next::Service(None) => {
                self.service_logs = None;
                None
            }
            Next::Copied(Ok(())) => {
                self.copy = None;
                self.open_hook_log();
                None
            }
            Next::Copied(Err(error)) => self.not_copied(&error),
            Next::Visited => self.visited(),
            Next::Measured(usage) => {
                if let Some(usage) = self.measured(usage) {
                    record.usage(usage).await;
                }
                None
            }
            Next::Pulling => {
                // once is enough: the kubelet says no more until it has the image
                self.pulling = Some(self.late);
                record.phase(Phase::Pulling).await;
                None
            }
            Next::Late => Some(self.too_late()),
        }
    }

    /// GitLab's cancel: the script ends, `after_script` has some time. Before the script there is nothing
    /// to wait for.
    async fn cancel(&mut self, record: &mut Record) -> Option<End> {
        if !self.has_script {
            return Some(End::Canceled);
        }
        record.warn("script canceled").await;
        self.enter(Stage::Canceling, CANCEL_GRACE + Duration::from_secs(2));
        match self.executor.pods.delete(&self.name, CANCEL_GRACE).await {
            Ok(()) => None,
            Err(_) => Some(End::Canceled),
        }
    }

    async fn state(&mut self, pod: Pod, record: &mut Record) -> Option<End> {
        let observed = failure::observe(&pod);
        let trouble = failure::trouble(&pod, self.build);
        if self.stage == Stage::Starting {
            if let (None, Some(failed)) = (&trouble, failure::failed_pull(&pod)) {
                match self.pull_again(&failed, record).await {
                    Ok(true) => return self.create(record).await,
                    Ok(false) => {}
                    Err(failure) => return Some(End::Failed(failure)),
                }
            }
            if let Some(failure) = trouble.or_else(|| failure::start_trouble(&pod, self.build)) {
                self.last = Some(pod);
                return Some(End::Failed(failure));
            }
            self.say_pending(&pod, record).await;
            if observed.is_pulling {
                record.phase(Phase::Pulling).await;
            }
            if observed.may_be_pulling {
                self.pulling.get_or_insert_with(|| Instant::now() + START);
            }
        } else if let (None, Some(failure)) = (&self.trouble, trouble) {
            self.trouble = Some(failure);
            self.end_within(STATUS_DELAY);
        }
        if observed.is_build_up {
            self.began.get_or_insert_with(Instant::now);
        }
        let is_up = observed.is_build_up || observed.ended.is_some();
        if is_up && !self.has_log {
            self.has_log = true;
            self.log = Some(self.executor.pods.log(&self.name, BUILD));
            self.open_service_logs();
        }
        if observed.is_on_host && !self.observed.is_on_host {
            let image = &self.build.image.name;
            record.remark(&format!("runs on this machine's own file system, not in `{image}`")).await;
        }
        let all_up = observed.is_build_up && observed.is_helper_up && observed.are_services_up;
        // with its scripts in place from the start, a job may be over when its pod is looked at
        let is_over = self.laid.scripts && observed.ended.is_some();
        let may_start = (all_up || is_over) && self.stage == Stage::Starting;
        let has_ended = observed.ended.is_some() && self.observed.ended.is_none();
        self.observed = observed;
        self.say_ended_services(&pod, record).await;
        self.last = Some(pod);
        if may_start && let Some(end) = self.begin(record).await {
            return Some(end);
        }
        if has_ended {
            // Without a log there is nothing more to come.
            let delay = if self.log.is_some() { LOG_DELAY } else { Duration::ZERO };
            self.end_within(delay);
        }
        None
    }

    async fn output(&mut self, chunk: &[u8], record: &mut Record) -> Option<End> {
        // The log of a container that has ended is finite: it may take the time that it takes.
        if self.stage == Stage::Ending && self.observed.ended.is_some() {
            self.late = Instant::now() + LOG_DELAY;
        }
        for mark in record.output(chunk).await {
            match mark {
                // It comes from the helper container alone.
                Mark::Hook(_) => {}
                Mark::Script => {
                    self.has_script = true;
                    self.begin_to_measure();
                }
                Mark::AfterScript => {}
                Mark::Unhealthy(port) => {
                    return Some(End::Failed(failure::unhealthy(self.build, port)));
                }
                Mark::Look(code) => self.open_to_visit(code),
                Mark::End(mark) => return self.marked(mark),
            }
        }
        None
    }

    /// The supervisor has said how it ended: nothing is waited for, unless somebody else ended the pod.
    fn marked(&mut self, mark: EndMark) -> Option<End> {
        self.has_end = true;
        if self.stage == Stage::Canceling {
            return Some(End::Canceled);
        }
        if mark.ending != Ending::Canceled {
            return Some(End::Script(mark));
        }
        if let Some(failure) = self.trouble.take() {
            return Some(End::Failed(failure));
        }
        self.end_within(LOG_DELAY);
        None
    }

    fn log_ended(&mut self) -> Option<End> {
        self.log = None;
        if self.stage == Stage::Canceling {
            return Some(End::Canceled);
        }
        if self.observed.ended.is_some() {
            return Some(self.judge());
        }
        self.end_within(STATUS_DELAY);
        None
    }

    fn gone(&mut self) -> Option<End> {
        self.states = None;
        if self.stage == Stage::Canceling && self.log.is_none() {
            return Some(End::Canceled);
        }
        if self.lost.is_none() {
            self.trouble.get_or_insert_with(failure::deleted);
        }
        self.end_within(if self.log.is_some() { LOG_DELAY } else { Duration::ZERO });
        None
    }

    fn lost(&mut self, error: &engine::Error) {
        self.lost = Some(failure::engine_failed("the pod could not be followed", error));
    }

    fn not_copied(&mut self, error: &engine::Error) -> Option<End> {
        self.copy = None;
        // A script that runs has found everything in place.
        if self.has_script {
            return None;
        }
        let failure = failure::engine_failed("the sources could not be carried into the pod", error);
        // The pod may have ended under it; its status says so better.
        self.trouble.get_or_insert(failure);
        self.end_within(LOG_DELAY);
        None
    }

    fn too_late(&mut self) -> End {
        match self.stage {
            Stage::Canceling => End::Canceled,
            Stage::Starting => {
                let waited = self.executor.poll_timeout;
                End::Failed(failure::not_started(self.last.as_ref(), waited))
            }
            Stage::Running => End::Failed(failure::timed_out(self.build)),
            Stage::Ending => self.judge(),
        }
    }

    /// What ended a job whose end mark never came through the log.
    fn judge(&mut self) -> End {
        if let (Some(ended), Some(pod)) = (&self.observed.ended, &self.last) {
            let message = ended.message.as_deref().and_then(EndMark::parse);
            if let Some(mark) = message.filter(|mark| mark.ending != Ending::Canceled) {
                return End::Script(mark);
            }
            if ended.reason.as_deref() == Some("OOMKilled") {
                return End::OutOfMemory(failure::oom_killed(pod));
            }
            if self.trouble.is_none() {
                return End::Failed(failure::ended_without_mark(pod, self.build, ended));
            }
        }
        End::Failed(self.trouble.take().or(self.lost.take()).unwrap_or_else(failure::silent))
    }

    fn enter(&mut self, stage: Stage, time: Duration) {
        self.stage = stage;
        self.late = Instant::now() + time;
    }

    /// The end is near: what else there is to know has so long to come. A later word never puts it off.
    fn end_within(&mut self, time: Duration) {
        if self.stage == Stage::Canceling {
            return;
        }
        let late = Instant::now() + time;
        if self.stage != Stage::Ending || late < self.late {
            self.stage = Stage::Ending;
            self.late = late;
        }
    }
}

async fn pulling(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn next_of<T>(stream: &mut Option<BoxStream<'static, T>>) -> Option<T> {
    match stream {
        Some(stream) => stream.next().await,
        None => std::future::pending().await,
    }
}

async fn end_of<T>(future: &mut Option<BoxFuture<'static, T>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}
