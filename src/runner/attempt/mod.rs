//! One attempt of a job, from its pod's creation to its result.
//!
//! ```text
//! prepare ─► life (create, watch, carry in, read the log) ─► End ─► upload ─► Outcome
//! ```

mod life;
mod record;
mod upload;

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher, RandomState},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use k8s_openapi::api::core::v1::Pod;
use tokio::{sync::mpsc, time::Instant};
use tokio_util::task::TaskTracker;

use super::{
    Attempt, AttemptResult, Build, Execute, Outcome, failure,
    files::artifacts::{ArtifactStore, Taken},
    files::cache::CacheFolder,
    files::sources::SourceStore,
    pod::{Overwrites, login::Login},
    run_folder, trace,
    trace::EndMark,
    trace::Ending,
};
use crate::{
    engine::Pods,
    event::{Event, Failure, FailureReason},
};
use life::{End, Life};
use record::Record;
use upload::Upload;

/// How long a pod may take to end once the result of its job is known: it would hold its requests, and
/// nothing in it is of use any more.
const GRACE: Duration = Duration::from_secs(1);

/// How many pull policies have failed, by container.
pub type FailedPulls = HashMap<String, usize>;

/// Makes the builds and pods of attempts.
pub trait Prepare: Send + Sync {
    /// Expands a job, at the moment it starts.
    ///
    /// # Errors
    /// When there is no image, or the job asks for what the runner does not allow.
    fn build(&self, attempt: &Attempt) -> Result<Build, Failure>;

    /// What the variables of a build change of the runner's settings.
    ///
    /// # Errors
    /// When the job asks for what the runner does not allow.
    fn overwrites(&self, build: &Build) -> Result<Overwrites, Failure>;

    /// Makes the pod of a build, with the next pull policy for every container whose image was not pulled.
    ///
    /// # Errors
    /// When the job has an alias that is no host name.
    fn pod(
        &self,
        build: &Build,
        overwrites: &Overwrites,
        attempt: &Attempt,
        failed_pulls: &FailedPulls,
    ) -> Result<Pod, Failure>;

    /// What the images of a pod of that build are pulled with.
    fn login(&self, build: &Build, pod: &Pod) -> Login;
}

/// Lets somebody look into the pod of a job.
#[async_trait]
pub trait Visit: Send + Sync {
    /// Opens a shell in the build container, by this command, and waits until they leave. `code` is the exit
    /// code of the script, 0 where none has run.
    async fn visit(&self, job: &str, pod: &str, command: Vec<String>, code: i32);
}

/// Runs jobs as pods.
pub struct JobExecutor {
    /// Where the pods run.
    pub pods: Arc<dyn Pods>,
    /// Makes a job's build and pod, at the moment it starts.
    pub prepare: Arc<dyn Prepare>,
    /// The sources of the run.
    pub sources: Arc<SourceStore>,
    /// The artifacts of the run.
    pub artifacts: ArtifactStore,
    /// The caches of the project.
    pub caches: CacheFolder,
    /// The folder of the pipeline, `.podline/runs/<run>` or that of a child in it.
    pub folder: PathBuf,
    /// How long a pod may take to run.
    pub poll_timeout: Duration,
    /// When the sources were packed, in seconds since 1970.
    pub time: u64,
    /// Deletions that nobody waits for.
    pub deletions: TaskTracker,
    /// Who looks into pods, where somebody does.
    pub visit: Option<Arc<dyn Visit>>,
}

#[async_trait]
impl Execute for JobExecutor {
    async fn execute(&self, attempt: Attempt, events: mpsc::Sender<Event>) -> Outcome {
        let started = Instant::now();
        let build = match self.prepare.build(&attempt) {
            Ok(build) => build,
            Err(failure) => return unprepared(failure),
        };
        let nonce = nonce();
        let trace = run_folder::trace(&self.folder, &build.name, build.id);
        let mut record = match Record::create(&build, &nonce, &trace, events) {
            Ok(record) => record,
            Err(error) => {
                let message = format!("the trace `{}` could not be written: {error}", trace.display());
                return unprepared(system(message));
            }
        };
        life::introduce(&build, &attempt, &mut record).await;
        let made = self.prepare.overwrites(&build).and_then(|overwrites| {
            let pod = self.prepare.pod(&build, &overwrites, &attempt, &FailedPulls::new())?;
            Ok((overwrites, pod))
        });
        let (overwrites, pod) = match made {
            Ok(made) => made,
            Err(failure) => {
                let result = masked(failed(failure, None), &record);
                record.close(&result).await;
                return Outcome { tail: record.tail(), trace, ..Outcome::bare(result) };
            }
        };
        keep(&pod, &trace, &record);
        let mut life = Life::new(self, &build, overwrites, pod, &attempt, &nonce, started);
        let end = life.run(&mut record).await;
        let memory = match &end {
            End::Script(mark) => Some(mark.peak).filter(|peak| *peak > 0),
            _ => None,
        };
        let pod = life.last_pod();
        let upload = Upload { executor: self, build: &build, pod, attempt: &attempt };
        let (result, taken) = conclude(end, &upload, &mut record).await;
        let result = masked(result, &record);
        let grace = if attempt.kill.is_cancelled() { Duration::ZERO } else { GRACE };
        self.delete(pod.metadata.name.clone().unwrap_or_default(), grace);
        record.close(&result).await;
        let coverage = build.coverage.as_ref().and_then(|pattern| covered(pattern, &trace));
        Outcome {
            result,
            tail: record.tail(),
            trace,
            artifacts: taken.files,
            artifact_bytes: taken.bytes,
            memory,
            coverage,
            tests: taken.tests,
        }
    }
}

impl JobExecutor {
    /// Deletes a pod, and lets nobody wait for it.
    fn delete(&self, pod: String, grace: Duration) {
        let pods = Arc::clone(&self.pods);
        // A pod that cannot be deleted is found by the run's end.
        self.deletions.spawn(async move { drop(pods.delete(&pod, grace).await) });
    }

    /// Waits until every deletion has been asked for. No job may start after this.
    pub async fn settle(&self) {
        self.deletions.close();
        self.deletions.wait().await;
    }
}

/// Keeps a pod's manifest beside the trace, for who looks at the run later: the job does not need it.
fn keep(pod: &Pod, trace: &Path, record: &Record) {
    if let Ok(manifest) = serde_yaml::to_string(pod) {
        drop(std::fs::write(trace.with_extension("yaml"), record.masked(&manifest)));
    }
}

/// What an attempt's end means, with what is kept of it.
async fn conclude(end: End, upload: &Upload<'_>, record: &mut Record) -> (AttemptResult, Taken) {
    let nothing = Taken::default();
    let mark = match end {
        End::Canceled => return (AttemptResult::Canceled, nothing),
        End::Hook(code) => return (failed(failure::hook_failed(code), Some(code)), nothing),
        End::Failed(failure) => return (failed(failure, None), nothing),
        End::OutOfMemory(failure) => {
            let taken = upload.run(false, record).await.unwrap_or_default();
            return (failed(failure, None), taken);
        }
        End::Script(mark) => mark,
    };
    if mark.ending == Ending::Timeout {
        return (failed(failure::timed_out(upload.build), None), nothing);
    }
    let verdict = verdict(&mark, upload, record).await;
    // of what has failed, the script or else what came after it
    let code = [Some(mark.code), mark.after].into_iter().flatten().find(|code| *code != 0);
    match upload.run(verdict.is_none(), record).await {
        // A script's own failure counts before that of its artifacts.
        Err(failure) => (failed(verdict.unwrap_or(failure), code), nothing),
        Ok(_) if upload.is_canceled() => (AttemptResult::Canceled, nothing),
        Ok(taken) => match verdict {
            None => (AttemptResult::Success, taken),
            Some(failure) => (failed(failure, code), taken),
        },
    }
}

/// What scripts that ran to their end failed of.
async fn verdict(mark: &EndMark, upload: &Upload<'_>, record: &mut Record) -> Option<Failure> {
    if mark.after != Some(0) {
        let failure = failure::after_script_failed(mark);
        let ignores = upload.build.variables.iter().rev().find(|it| it.key == "AFTER_SCRIPT_IGNORE_ERRORS");
        if ignores.is_some_and(|it| it.value == "false") && mark.code == 0 {
            return Some(failure);
        }
        let text = format!("after_script failed, but job will continue unaffected: {}", failure.message);
        record.warn(&text).await;
    }
    if mark.code != 0 {
        return Some(failure::script_failed(upload.pod, mark));
    }
    if mark.oom_kills > 0 {
        record.warn("a process of the job was killed for lack of memory, and the script went on").await;
    }
    None
}

/// What an attempt ended with goes to tables and reports: masked values do not.
fn masked(result: AttemptResult, record: &Record) -> AttemptResult {
    let AttemptResult::Failed { failure, exit_code } = result else { return result };
    let failure = Failure {
        reason: failure.reason,
        message: record.masked(&failure.message),
        help: failure.help.map(|help| record.masked(&help)),
    };
    AttemptResult::Failed { failure, exit_code }
}

fn failed(failure: Failure, exit_code: Option<i32>) -> AttemptResult {
    AttemptResult::Failed { failure, exit_code }
}

/// What a trace says of `coverage`. One that cannot be read says nothing.
fn covered(pattern: &str, trace: &Path) -> Option<f64> {
    let bytes = std::fs::read(trace).ok()?;
    trace::coverage(pattern, &String::from_utf8_lossy(&bytes))
}

fn unprepared(failure: Failure) -> Outcome {
    Outcome::bare(failed(failure, None))
}

fn system(message: String) -> Failure {
    Failure { reason: FailureReason::RunnerSystemFailure, message, help: None }
}

/// Tells marks from what a job prints: no job can know it beforehand.
fn nonce() -> String {
    let random = || RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}", random(), random())
}
