//! Takes caches and artifacts out of a pod whose scripts have ended.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;

use super::{JobExecutor, record::Record};
use crate::{
    event::{FailingTest, Failure, FailureReason, Phase, Tests},
    runner::{
        Attempt, Build,
        failure::{HELPER, engine_failed},
        files::{
            artifacts::{ArtifactsError, Source, Taken},
            sources::Variant,
        },
        trace::Section,
    },
};

/// What is to be taken, and from where.
pub(super) struct Upload<'a> {
    pub(super) executor: &'a JobExecutor,
    pub(super) build: &'a Build,
    pub(super) pod: &'a Pod,
    pub(super) attempt: &'a Attempt,
}

impl Upload<'_> {
    /// Takes everything, caches first as GitLab Runner does. Cancelling ends it.
    pub(super) async fn run(&self, has_succeeded: bool, record: &mut Record) -> Result<Taken, Failure> {
        let wants_artifacts = self.build.artifacts.is_some();
        if !wants_artifacts && self.build.caches.is_empty() {
            return Ok(Taken::default());
        }
        record.phase(Phase::Uploading).await;
        tokio::select! {
            biased;
            () = self.attempt.kill.cancelled() => Ok(Taken::default()),
            () = self.attempt.cancel.cancelled() => Ok(Taken::default()),
            taken = self.take(has_succeeded, record) => taken,
        }
    }

    pub(super) fn is_canceled(&self) -> bool {
        self.attempt.cancel.is_cancelled() || self.attempt.kill.is_cancelled()
    }

    async fn take(&self, has_succeeded: bool, record: &mut Record) -> Result<Taken, Failure> {
        let pods = self.executor.pods.as_ref();
        let name = self.pod.metadata.name.as_deref().unwrap_or_default();
        let listed = pods.list(name, HELPER, &self.build.project_dir).await;
        let listed = listed.map_err(|error| engine_failed("the project could not be listed", &error))?;
        // They are packed by now: the job has had them.
        let sources = Variant::of(self.build).and_then(|variant| self.executor.sources.get(&variant).ok());
        let none = BTreeSet::new();
        let tracked = sources.as_ref().map_or(&none, |sources| &sources.files);
        let source = Source { pods, pod: name, container: HELPER, listed: &listed, tracked };
        let lines = self.executor.caches.save(self.build, has_succeeded, source).await;
        if !lines.is_empty() {
            record.section(Section::ArchiveCache { has_succeeded }).await;
        }
        for line in lines {
            record.say(&line).await;
        }
        match self.executor.artifacts.take(self.build, has_succeeded, source).await {
            Ok(mut taken) => {
                if !taken.lines.is_empty() {
                    record.section(Section::UploadArtifacts { has_succeeded }).await;
                }
                for line in &taken.lines {
                    record.say(line).await;
                }
                for remark in &taken.remarks {
                    record.remark(remark).await;
                }
                taken.tests = taken.tests.map(|tests| masked(tests, record));
                Ok(taken)
            }
            Err(ArtifactsError::Engine(error)) => Err(engine_failed("artifacts were not taken", &error)),
            Err(error) => {
                Err(Failure { reason: FailureReason::ScriptFailure, message: error.to_string(), help: None })
            }
        }
    }
}

/// Names and messages of tests are output of the job.
fn masked(tests: Tests, record: &Record) -> Tests {
    let failing = tests.failing.iter().map(|test| FailingTest {
        class: test.class.as_deref().map(|class| record.masked(class)),
        name: record.masked(&test.name),
        message: test.message.as_deref().map(|message| record.masked(message)),
    });
    Tests { failing: failing.collect(), ..tests }
}
