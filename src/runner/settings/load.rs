//! From a folder or file of manifests, or a `config.toml`, to [`Settings`] and the objects to create.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    Settings, config_toml, document, environment, legacy,
    manifests::{self, Manifests},
};
use crate::config::{Diagnostic, Diagnostics, SourceId, Sources};

/// What `--runner-config` named, read.
#[derive(Debug, Clone)]
pub struct RunnerConfig {
    /// The settings.
    pub settings: Settings,
    /// The manifests, brought to today's API versions.
    pub manifests: Manifests,
    /// What had to be changed in old manifests, a sentence each.
    pub changes: Vec<String>,
    /// What is wrong with the manifests, or not simulated.
    pub diagnostics: Diagnostics,
}

/// Manifests could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file system said no.
    #[error("the runner's settings `{path}` cannot be read: {cause}")]
    Unreadable {
        /// What was to be read.
        path: PathBuf,
        /// What the file system said.
        cause: std::io::Error,
    },
    /// There is nothing to read.
    #[error("`{0}` has no settings of a runner: no file that ends in `.yaml`, `.yml`, `.json` or `.toml`")]
    Empty(PathBuf),
}

/// Reads a manifest, a `config.toml`, or all of a folder in the order of their names, as `kubectl apply -f` does.
///
/// # Errors
/// When they cannot be read; what is wrong in them is a diagnostic.
pub fn load(path: &Path, sources: &mut Sources) -> Result<RunnerConfig, LoadError> {
    let unreadable = |path: &Path| {
        let path = path.to_owned();
        move |cause| LoadError::Unreadable { path, cause }
    };
    let files = if path.is_dir() { files_in(path).map_err(unreadable(path))? } else { vec![path.to_owned()] };
    if files.is_empty() {
        return Err(LoadError::Empty(path.to_owned()));
    }
    let (mut manifests, mut configs) = (Vec::new(), Vec::new());
    for file in files {
        let text = fs::read_to_string(&file).map_err(unreadable(&file))?;
        let id = sources.add(file.display().to_string(), &text);
        let is_toml = file.extension().is_some_and(|extension| extension == "toml");
        if is_toml { configs.push(id) } else { manifests.push(id) }
    }
    let mut config = match manifests.as_slice() {
        [] => RunnerConfig::empty(),
        manifests => read(manifests, sources),
    };
    for id in configs {
        let diagnostics = config_toml::apply(id, sources, &mut config.settings);
        config.diagnostics.append(diagnostics);
        if config.manifests.documents.is_empty() {
            config.settings.runner_namespace.clone_from(&config.settings.namespace);
        }
    }
    Ok(config)
}

impl RunnerConfig {
    /// What is known of a runner of which nothing is said.
    fn empty() -> Self {
        Self {
            settings: Settings::unset(),
            manifests: Manifests::default(),
            changes: Vec::new(),
            diagnostics: Diagnostics::default(),
        }
    }
}

fn files_in(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if path.is_file() && matches!(extension, Some("yaml" | "yml" | "json" | "toml")) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Reads manifests that are already texts of `sources`.
pub fn read(ids: &[SourceId], sources: &Sources) -> RunnerConfig {
    let mut diagnostics = Diagnostics::default();
    let mut documents = Vec::new();
    for id in ids {
        match document::read(*id, sources) {
            Ok(found) => documents.extend(found),
            Err(diagnostic) => diagnostics.push(*diagnostic),
        }
    }
    let changes = legacy::modernise(&mut documents);
    let manifests = Manifests { documents };
    diagnostics.append(manifests::check(&manifests));
    let settings = settings(&manifests, &mut diagnostics);
    RunnerConfig { settings, manifests, changes, diagnostics }
}

fn settings(manifests: &Manifests, diagnostics: &mut Diagnostics) -> Settings {
    let mut settings = Settings::unset();
    let deployment = manifests.deployment(diagnostics);
    let environment = manifests.environment(diagnostics);
    if let Some(deployment) = deployment {
        let name = |replica| format!("{}-{replica}", deployment.name);
        settings.runners = (0..deployment.replicas).map(name).collect();
        settings.service_account = deployment.service_account;
        settings.runner_namespace = deployment.namespace.unwrap_or(settings.runner_namespace);
        settings.namespace.clone_from(&settings.runner_namespace);
    } else if !diagnostics.has_errors() {
        diagnostics.push(
            Diagnostic::warning(
                "no-runner",
                "the manifests have no StatefulSet or Deployment: one runner is taken",
                None,
            )
            .help("put the manifest that deploys GitLab Runner beside the others"),
        );
    }
    for file in manifests.config_files() {
        let message = format!("of `{}` podline reads only `concurrent`", file.name);
        let help =
            "give the other settings as variables of the runner's container, such as `KUBERNETES_CPU_LIMIT`";
        diagnostics.push(Diagnostic::warning("setting-not-simulated", message, file.place).help(help));
    }
    concurrent(manifests, &environment, &mut settings, diagnostics);
    diagnostics.append(environment::apply(&environment, &mut settings));
    settings
}

fn concurrent(
    manifests: &Manifests,
    environment: &[manifests::Entry],
    settings: &mut Settings,
    diagnostics: &mut Diagnostics,
) {
    let Some(found) = manifests.concurrent(environment) else { return };
    if let Some(value) = found.value {
        settings.concurrent = value;
        return;
    }
    let variable = found.variable.unwrap_or_default();
    diagnostics.push(
        Diagnostic::warning(
            "concurrent-unknown",
            format!("`concurrent` is set from `{variable}`, which is no number of jobs here: one at a time is taken"),
            found.place,
        )
        .help(format!("set `{variable}` in the runner's ConfigMap")),
    );
}
