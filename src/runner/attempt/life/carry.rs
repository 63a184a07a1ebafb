//! Carries sources, caches, artifacts and scripts into a pod that has come up.

use std::{sync::Arc, time::Duration};

use futures::FutureExt as _;

use super::{End, Life, SLACK, Stage};
use crate::{
    event::{Failure, FailureReason, Phase},
    runner::{archive, attempt::record::Record, failure::HELPER},
};

impl Life<'_> {
    /// Starts to carry everything in that the job needs: its supervisor waits for that.
    pub(super) async fn carry_in(&mut self, record: &mut Record) -> Option<End> {
        record.phase(Phase::Sources).await;
        record.note(&format!("Running on {} via {}...", self.name, self.attempt.slot.runner)).await;
        if !self.build.pre_get_sources_script.is_empty() {
            record.warn("hooks:pre_get_sources_script does not run: podline checks out on the host").await;
        }
        let restored = self.executor.caches.restore(self.build);
        for line in &restored.lines {
            record.say(line).await;
        }
        let left = self.build.timeout.saturating_sub(self.started.elapsed()).max(Duration::from_secs(1));
        self.enter(Stage::Running, left + SLACK);
        let scripts = match archive::scripts(self.build, self.nonce, left, self.executor.time) {
            Ok(scripts) => scripts,
            Err(error) => {
                return Some(End::Failed(Failure {
                    reason: FailureReason::RunnerConfigurationError,
                    message: format!("the job's scripts could not be written: {error}"),
                    help: None,
                }));
            }
        };
        let sources = archive::wants_sources(self.build).then(|| self.executor.sources.tar.clone());
        let earlier = self.executor.artifacts.archives(&self.build.artifacts_from);
        let layers = sources.into_iter().chain(restored.archives).chain(earlier);
        let archive = archive::join(layers, scripts);
        let (pods, name) = (Arc::clone(&self.executor.pods), self.name.clone());
        self.copy = Some(async move { pods.copy_in(&name, HELPER, archive).await }.boxed());
        None
    }
}
