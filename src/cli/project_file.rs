//! `podline.toml`: what a project settles once instead of on every command line.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use indexmap::IndexMap;
use serde::Deserialize;

use super::{
    args::{EngineKind, ImageFallback, OutputKind, Speed},
    variables::Written,
};
use crate::config::keyword::duration;

/// Name of the file, beside `.gitlab-ci.yml`.
pub const NAME: &str = "podline.toml";

/// The file's content; all of it is optional.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ProjectFile {
    /// `[run]`: flags of `podline run` under their own names.
    pub run: Run,
    /// `[images]`: the image to use instead of one that is named exactly or by a glob.
    pub images: IndexMap<String, String>,
    /// `[includes]`: where a project of `include: project` is checked out.
    pub includes: IndexMap<String, PathBuf>,
    /// `[variables]`: what the project has in GitLab's settings.
    pub variables: IndexMap<String, Written>,
    /// `[hook]`: what a push runs.
    pub hook: Hook,
}

/// `[hook]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Hook {
    /// Only these jobs and what they need, as far as the pipeline has them.
    pub jobs: Vec<String>,
    /// How long a push may wait for its pipeline.
    #[serde(deserialize_with = "duration")]
    pub budget: Option<Duration>,
    /// What becomes of a push whose pipeline could not be run to its end.
    pub on_error: OnError,
    /// Whether a cluster is made where none is up.
    pub create_cluster: bool,
}

/// `[hook] on-error`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnError {
    /// It goes on, and that is said.
    #[default]
    Allow,
    /// It is stopped.
    Stop,
}

fn duration<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    duration::parse(&text).map(Some).map_err(serde::de::Error::custom)
}

/// `[run]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Run {
    /// `--engine`.
    pub engine: Option<EngineKind>,
    /// `--image-fallback`.
    pub image_fallback: Option<ImageFallback>,
    /// Folders in the home directory, `~/...`, that jobs see with `image-fallback = "host"`: caches of
    /// toolchains.
    pub host_caches: Vec<PathBuf>,
    /// `--default-image`.
    pub default_image: Option<String>,
    /// `--runner-config`, relative to the project.
    pub runner_config: Option<PathBuf>,
    /// `--runner-tags`.
    pub runner_tags: Option<Vec<String>>,
    /// `--jobs`.
    pub jobs: Option<std::num::NonZeroUsize>,
    /// `--kind-config`, relative to the project.
    pub kind_config: Option<PathBuf>,
    /// `--node-image`.
    pub node_image: Option<String>,
    /// `--cluster`.
    pub cluster: Option<String>,
    /// `--context`; taken only where the command line asks for an existing cluster.
    pub context: Option<String>,
    /// `--namespace`; likewise.
    pub namespace: Option<String>,
    /// `--junit`, relative to the project.
    pub junit: Option<PathBuf>,
    /// `--no-delay`.
    pub no_delay: bool,
    /// `--manual`.
    pub manual: Vec<String>,
    /// `--var-file`, relative to the project.
    pub var_file: Vec<PathBuf>,
    /// `--output`.
    pub output: Option<OutputKind>,
    /// `--step`.
    pub step: bool,
    /// `--narrate`.
    pub narrate: bool,
    /// `--speed`.
    pub speed: Option<Speed>,
}

/// Why a `podline.toml` cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProjectFileError {
    /// It cannot be read.
    #[error("`{path}` cannot be read: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// It is not what podline understands; the message shows the place.
    #[error("`{path}` is wrong\n{cause}")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// The place, the line and what was expected.
        cause: String,
    },
}

impl ProjectFile {
    /// The same with paths that do not depend on where the project is.
    #[must_use]
    pub fn seen_from_anywhere(mut self, project: &Path) -> Self {
        let run = &mut self.run;
        for path in [&mut run.runner_config, &mut run.kind_config, &mut run.junit].into_iter().flatten() {
            *path = project.join(&path);
        }
        for path in self.includes.values_mut().chain(&mut run.var_file) {
            *path = project.join(&path);
        }
        self
    }

    /// Reads the file of a project; a project without one has an empty one.
    ///
    /// # Errors
    /// When it is there and cannot be read or understood.
    pub fn read(project: &Path) -> Result<Self, ProjectFileError> {
        let path = project.join(NAME);
        match std::fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map_err(|error| {
                let cause = said(&error, &text);
                ProjectFileError::Wrong { path, cause }
            }),
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(cause) => Err(ProjectFileError::Unreadable { path, cause }),
        }
    }
}

/// What is wrong, with the line; but a line of `[variables]` may have a secret in it.
fn said(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let table = before.lines().rev().find(|line| line.starts_with('[')).unwrap_or_default();
    if !table.starts_with("[variables") {
        return error.to_string();
    }
    let line = before.matches('\n').count() + 1;
    format!("TOML parse error at line {line}, in `[variables]`\n{}", error.message())
}

#[cfg(test)]
mod tests {
    use super::ProjectFile;

    #[test]
    fn a_project_without_a_file_settles_nothing() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert_eq!(ProjectFile::read(folder.path()).expect("no file is no error"), ProjectFile::default());
    }

    #[test]
    fn an_unknown_key_is_refused_with_its_place() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(
            folder.path().join("podline.toml"),
            "[images]\n\"rust:*\" = \"rust:1\"\n\n[runn]\njobs = 2\n",
        )
        .expect("the file can be written");
        let error = ProjectFile::read(folder.path()).expect_err("`runn` is no table of it");
        let message = error.to_string();
        assert!(message.contains("line 4, column 2") && message.contains("expected one of"), "{message}");
    }
}
