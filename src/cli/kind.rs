//! The kind engine as the command line asks for it.

use std::path::{Path, PathBuf};

use super::{Failed, args::KindArguments, project_file::ProjectFile, settings::Environment};
use crate::{
    engine::{
        docker,
        kind::{Config, Kind, Lifetime, Options},
    },
    report::Problem,
};

/// Before the names that users give their clusters.
const PREFIX: &str = "podline-";

/// Connects to Docker.
///
/// # Errors
/// When it does not answer.
pub(super) async fn connect(environment: &Environment) -> Result<Kind, Failed> {
    let connection = docker::connect(&environment.docker).await?;
    Ok(Kind::new(connection, environment.state.join("clusters")))
}

/// The full name of a cluster, from the one that users say.
pub(super) fn full_name(name: &str) -> String {
    if name.starts_with(PREFIX) { name.to_owned() } else { format!("{PREFIX}{name}") }
}

/// The name that users say.
pub(super) fn short_name(name: &str) -> &str {
    name.strip_prefix(PREFIX).unwrap_or(name)
}

/// A cluster to make. The node image is the user's, else the newest that is here, else kind's own choice.
///
/// # Errors
/// When the configuration cannot be read, or Docker does not answer.
pub(super) async fn options(
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
        Failed { code: super::ExitCode::Usage, ..failed }
    })?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    Ok((config, folder.unwrap_or(Path::new(".")).to_owned()))
}
