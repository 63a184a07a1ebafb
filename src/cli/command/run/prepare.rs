//! What can be made ready while the cluster starts: sources on this machine, builds of the jobs.

use std::{
    collections::HashSet,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use crate::{
    cli::{Failed, args::SourceKind, planned::Planned, project::Project, runs::Run},
    git::Git,
    pipeline::Event,
    report::Problem,
    runner::files::sources::{Checkout, DEPTH, SourceChoice, SourceStore, Variant},
};

/// Packs the sources of a run in a thread that may block, in every way that a job wants them.
pub(super) async fn sources(
    store: Arc<SourceStore>,
    variants: HashSet<Variant>,
) -> Result<Arc<SourceStore>, Failed> {
    let pack = move || variants.iter().try_for_each(|variant| store.get(variant).map(drop)).map(|()| store);
    let packed = tokio::task::spawn_blocking(pack).await;
    packed
        .map_err(|panic| Failed::from(std::io::Error::other(panic)))?
        .map_err(|error| Failed::usage(Problem::from_error(&error)))
}

/// Where the sources of a run are packed.
pub(super) fn source_store(git: Git, choice: SourceKind, checkout: Checkout, run: &Run) -> Arc<SourceStore> {
    let choice = match choice {
        SourceKind::Worktree => SourceChoice::WorkingTree,
        SourceKind::Head => SourceChoice::Head,
    };
    Arc::new(SourceStore::new(git, choice, checkout, run.folder.clone()))
}

/// What the jobs find checked out.
pub(super) fn checkout(project: &Project, planned: &Planned) -> Checkout {
    let context = &planned.context;
    let path = &context.project.path;
    let reference = match &context.event {
        Event::Tag { tag, .. } => format!("refs/tags/{tag}"),
        event => format!("refs/remotes/origin/{}", event.ref_name()),
    };
    Checkout {
        submodules: None,
        commit: project.head.sha.clone(),
        reference,
        remote_url: format!("https://{}/{path}.git", context.project.host),
        depth: Some(DEPTH),
        has_files: true,
        project_dir: format!("/builds/{path}"),
        time: now(),
    }
}

/// Now, in seconds since 1970.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
