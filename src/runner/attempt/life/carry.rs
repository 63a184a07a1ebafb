//! Carries sources, caches, artifacts and scripts into a pod that has come up.

use std::{io, sync::Arc, time::Duration};

use futures::FutureExt as _;
use tokio::time::Instant;

use super::{End, Laid, Life, SLACK, Stage};
use crate::{
    event::{Failure, FailureReason, Phase},
    runner::{
        attempt::record::Record,
        failure::HELPER,
        files::{
            archive,
            sources::{Sources, Variant},
        },
        trace::Section,
    },
};

impl Life<'_> {
    /// The pod is up: the job begins, with its hook where it has one.
    pub(super) async fn begin(&mut self, record: &mut Record) -> Option<End> {
        record.phase(Phase::Sources).await;
        record.note(&format!("Running on {} via {}...", self.name, self.attempt.slot.runner)).await;
        record.section(Section::GetSources).await;
        match archive::hook(self.build, self.nonce, self.executor.time) {
            Ok(None) => self.carry_in(record).await,
            Ok(Some(hook)) => self.begin_hook(hook),
            Err(error) => Some(unwritten(&error)),
        }
    }

    /// What is left of the job's time.
    pub(super) fn left(&self) -> Duration {
        let began = self.began.unwrap_or_else(Instant::now).saturating_duration_since(self.started);
        self.build.timeout.saturating_sub(began)
    }

    /// Starts to carry everything in that the job needs: its supervisor waits for that.
    pub(super) async fn carry_in(&mut self, record: &mut Record) -> Option<End> {
        let sources = match self.sources().await {
            Ok(sources) => sources,
            Err(failure) => return Some(End::Failed(failure)),
        };
        self.say_sources(sources.as_deref(), record).await;
        let restored = self.executor.caches.restore(self.build);
        if !restored.lines.is_empty() {
            record.section(Section::RestoreCache).await;
        }
        for line in &restored.lines {
            record.say(line).await;
        }
        let from = self.executor.artifacts.names_for(self.build);
        if !from.is_empty() {
            record.section(Section::DownloadArtifacts).await;
        }
        for (name, id) in from {
            record.say_green(&format!("Downloading artifacts for {name} ({id})...")).await;
        }
        self.enter(Stage::Running, self.left() + SLACK);
        if self.laid.scripts {
            return None;
        }
        let scripts = match self.scripts() {
            Ok(scripts) => scripts,
            Err(error) => return Some(unwritten(&error)),
        };
        let sources = sources.map(|sources| sources.tar.clone()).filter(|_| !self.laid.sources);
        let earlier = match self.laid.artifacts {
            true => Vec::new(),
            false => self.executor.artifacts.archives_for(self.build),
        };
        let layers = sources.into_iter().chain(restored.archives).chain(earlier);
        let archive = archive::join(layers, scripts);
        let (pods, name) = (Arc::clone(&self.executor.pods), self.name.clone());
        self.copy = Some(async move { pods.copy_in(&name, HELPER, archive).await }.boxed());
        None
    }

    fn scripts(&self) -> io::Result<Vec<u8>> {
        let patience = self.executor.poll_timeout;
        archive::scripts(self.build, self.nonce, self.left(), patience, self.executor.time)
    }

    /// Has the pod, which is not created yet, begin with what never changes, as far as that comes first.
    pub(super) async fn lay(&mut self) {
        self.laid = Laid::default();
        // a hook works before there are any sources
        if !self.executor.pods.may_lay() || !self.build.hook().is_empty() {
            return;
        }
        // why there are none is said once the pod is up
        let Ok(sources) = self.sources().await else { return };
        let mut archives: Vec<_> = sources.iter().map(|sources| sources.tar.clone()).collect();
        let has_sources = !archives.is_empty();
        // caches come between them, and change
        let has_artifacts = self.build.caches.is_empty();
        if has_artifacts {
            archives.extend(self.executor.artifacts.archives_for(self.build));
        }
        // a script starts when all containers of its pod have
        let may_start = has_artifacts && self.build.services.is_empty();
        let own = if may_start { self.scripts().unwrap_or_default() } else { Vec::new() };
        let laid = Laid { sources: has_sources, artifacts: has_artifacts, scripts: !own.is_empty() };
        let folder = &self.build.project_dir;
        if !archives.is_empty() && self.executor.pods.lay(&self.pod, HELPER, folder, &archives, own).await {
            self.laid = laid;
        }
    }

    /// The sources as the job wants them, where it does. Mostly they are packed already.
    async fn sources(&mut self) -> Result<Option<Arc<Sources>>, Failure> {
        let Some(variant) = Variant::of(self.build) else { return Ok(None) };
        let store = Arc::clone(&self.executor.sources);
        let packed = tokio::task::spawn_blocking(move || store.get(&variant)).await;
        let packed = packed.map_err(|panic| panic.to_string());
        let packed = packed.and_then(|packed| packed.map_err(|error| error.to_string()));
        packed.map(Some).map_err(|message| Failure {
            reason: FailureReason::RunnerSystemFailure,
            message,
            help: None,
        })
    }

    async fn say_sources(&mut self, sources: Option<&Sources>, record: &mut Record) {
        let Some((sources, variant)) = sources.zip(Variant::of(self.build)) else {
            record.note_green("Skipping Git repository setup").await;
            record.note_green("Skipping Git checkout").await;
            record.note_green("Skipping Git submodules setup").await;
            return;
        };
        match variant.depth {
            Some(depth) => {
                record.note_green(&format!("Fetching changes with git depth set to {depth}...")).await;
            }
            None => record.note_green("Fetching changes...").await,
        }
        let commit = self.build.variable("CI_COMMIT_SHORT_SHA").unwrap_or_default();
        let name = self.build.variable("CI_COMMIT_REF_NAME").unwrap_or_default();
        if variant.has_files {
            record.note_green(&format!("Checking out {commit} as detached HEAD (ref is {name})...")).await;
        } else {
            record.note_green("Skipping Git checkout").await;
        }
        say_submodules(sources, &variant, record).await;
    }
}

fn unwritten(error: &io::Error) -> End {
    End::Failed(Failure {
        reason: FailureReason::RunnerConfigurationError,
        message: format!("the job's scripts could not be written: {error}"),
        help: None,
    })
}

async fn say_submodules(sources: &Sources, variant: &Variant, record: &mut Record) {
    let empty = sources.empty.iter().map(|path| format!("`{path}`")).collect::<Vec<_>>().join(", ");
    let Some(wanted) = &variant.submodules else {
        if !empty.is_empty() {
            record.warn(&format!("submodules are not fetched: {empty} is there, and empty")).await;
        }
        record.note_green("Skipping Git submodules setup").await;
        return;
    };
    let how = if wanted.recursive { " recursively" } else { "" };
    let depth = wanted.depth.map_or_else(String::new, |depth| format!(" with git depth set to {depth}"));
    record.note_green(&format!("Updating/initializing submodules{how}{depth}...")).await;
    for path in &sources.submodules {
        record.note(&format!("Entering '{path}'")).await;
    }
    if !empty.is_empty() {
        let text = format!(
            "{empty}: not checked out, and podline fetches no submodules: `git submodule update --init` here brings them"
        );
        record.remark(&text).await;
    }
}
