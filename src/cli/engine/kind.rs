//! The kind engine as the command line asks for it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Chosen, Request};
use crate::{
    cli::{
        ExitCode, Failed, args::KindArguments, planned::Runner, project_file::ProjectFile,
        settings::Environment, view,
    },
    engine::{
        Namespace, Owner, ServiceAccount, docker,
        kind::{Config, Kind, KindEngine, Lifetime, Options},
    },
    report::Problem,
    runner::{pod::labels, settings::namespace},
};

/// Before the names that users give their clusters.
const PREFIX: &str = "podline-";

/// The cluster that `--keep` leaves.
const KEPT: &str = "dev";

/// The cluster of a run: the one that is named, the one that is kept, or one for this run alone.
///
/// # Errors
/// When Docker does not answer, or the cluster's configuration is wrong.
pub(super) async fn chosen(request: Request<'_>) -> Result<Chosen, Failed> {
    let Request { arguments, project, environment, run, runner, pipeline, images, .. } = request;
    let kind = connect(environment).await?;
    let named = arguments.cluster.clone().or_else(|| project.file.run.cluster.clone());
    let stays = named.clone().or_else(|| arguments.keep.then(|| KEPT.to_owned()));
    let name = full_name(stays.as_deref().unwrap_or(run));
    let is_up = kind.list().await?.iter().any(|known| known.name == name && known.running);
    let lifetime = if stays.is_some() { Lifetime::Kept } else { Lifetime::Run };
    let from = Some((project.folder.as_path(), &project.file));
    let images = with_helper(images, &runner.settings.helper_image);
    let options = options(&kind, name.clone(), lifetime, images, &arguments.kind, from).await?;
    let owner = Owner { label: labels::RUN, run: run.to_owned() };
    let (engine, doing) = if named.is_some() || (stays.is_some() && is_up) {
        (KindEngine::in_existing(kind, options, owner), "opening")
    } else {
        (KindEngine::in_new(kind, options, owner), "creating")
    };
    Ok(Chosen {
        name: "kind",
        provisioner: Arc::new(engine),
        step: format!("{doing} the cluster `{name}`"),
        removal: stays.is_none().then(|| format!("removing the cluster `{name}`")),
        stays,
        likely: view::estimated_fits(&runner.settings, pipeline),
        namespace: the_runners(runner),
    })
}

/// The images that the pods of a cluster need: also that of the container that carries files.
fn with_helper(jobs: Vec<String>, helper: &str) -> Vec<String> {
    let others = jobs.into_iter().filter(|image| image != helper);
    std::iter::once(helper.to_owned()).filter(|image| !image.is_empty()).chain(others).collect()
}

/// The namespace of a runner deployment, as it is in the cluster that the runner runs in.
fn the_runners(runner: &Runner) -> Namespace {
    let Runner { settings, config } = runner;
    let account = |name| ServiceAccount { namespace: settings.runner_namespace.clone(), name };
    Namespace {
        name: settings.namespace.clone(),
        objects: namespace::objects(settings, config.as_ref().map(|config| &config.manifests)),
        service_account: settings.service_account.clone().map(account),
    }
}

/// Whether Docker answers and `kind` is installed.
pub(in crate::cli) async fn is_here(environment: &Environment) -> bool {
    let kind = tokio::process::Command::new("kind").arg("version").output();
    let (docker, kind) = tokio::join!(connect(environment), kind);
    docker.is_ok() && kind.is_ok_and(|output| output.status.success())
}

/// Connects to Docker.
///
/// # Errors
/// When it does not answer.
pub(in crate::cli) async fn connect(environment: &Environment) -> Result<Kind, Failed> {
    let connection = docker::connect(&environment.docker).await?;
    Ok(Kind::new(connection, environment.state.join("clusters")))
}

/// The full name of a cluster, from the one that users say.
pub(in crate::cli) fn full_name(name: &str) -> String {
    if name.starts_with(PREFIX) { name.to_owned() } else { format!("{PREFIX}{name}") }
}

/// The name that users say.
pub(in crate::cli) fn short_name(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

/// A cluster to make. The node image is the user's, else the newest that is here, else kind's own choice.
///
/// # Errors
/// When the configuration cannot be read, or Docker does not answer.
pub(in crate::cli) async fn options(
    kind: &Kind,
    name: String,
    lifetime: Lifetime,
    images: Vec<String>,
    arguments: &KindArguments,
    project: Option<(&Path, &ProjectFile)>,
) -> Result<Options, Failed> {
    let from_file = |(folder, file): (&Path, &ProjectFile)| Some(folder.join(file.run.kind_config.as_ref()?));
    let path = arguments.kind_config.clone().or_else(|| project.and_then(from_file));
    let (config, folder) = match path {
        Some(path) => read(&path)?,
        None => (Config::default(), PathBuf::from(".")),
    };
    let named = arguments.node_image.clone().or_else(|| project?.1.run.node_image.clone());
    let node_image = match named {
        Some(image) => Some(image),
        None => kind.newest_node_image().await?,
    };
    Ok(Options { name, config, folder, node_image, lifetime, images })
}

fn read(path: &Path) -> Result<(Config, PathBuf), Failed> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        let problem = Problem::new(format!("`{}` cannot be read: {error}", path.display()));
        Failed::usage(
            problem.help("`--kind-config` names a file in the format of `kind create cluster --config`"),
        )
    })?;
    let config = Config::parse(&text, &path.display().to_string()).map_err(|error| {
        let failed = Failed::from(error);
        Failed { code: ExitCode::Usage, ..failed }
    })?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    Ok((config, folder.unwrap_or(Path::new(".")).to_owned()))
}
