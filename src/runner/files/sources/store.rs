//! The sources of a run for jobs that want them differently: each way is packed once.

use std::{
    collections::HashMap,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Checkout, DEPTH, SourceChoice, Sources, SourcesError, Submodules, pack};
use crate::{git::Git, runner::Build};

/// The way in which a job wants its sources.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Variant {
    /// `GIT_DEPTH`; `None` is all commits.
    pub depth: Option<u32>,
    /// `GIT_CHECKOUT`: whether files are checked out, or there is only a `.git`.
    pub has_files: bool,
    /// `CI_PROJECT_DIR`, which `GIT_CLONE_PATH` sets.
    pub project_dir: String,
    /// `GIT_SUBMODULE_STRATEGY` and its sisters.
    pub submodules: Option<Submodules>,
}

impl Variant {
    /// What a build wants; `None` where `GIT_STRATEGY` says `none` or `empty`.
    pub fn of(build: &Build) -> Option<Self> {
        if matches!(build.variable("GIT_STRATEGY"), Some("none" | "empty")) {
            return None;
        }
        let depth = build.variable("GIT_DEPTH").and_then(|depth| depth.trim().parse().ok());
        let depth = Some(depth.unwrap_or(DEPTH)).filter(|depth| *depth > 0);
        Some(Self {
            depth,
            submodules: Submodules::of(build, depth),
            has_files: !matches!(build.variable("GIT_CHECKOUT"), Some("false" | "0")),
            project_dir: build.project_dir.clone(),
        })
    }
}

/// Packs the sources of a run.
#[derive(Debug)]
pub struct SourceStore {
    git: Git,
    choice: SourceChoice,
    checkout: Checkout,
    folder: PathBuf,
    packed: Mutex<HashMap<Variant, Arc<Sources>>>,
}

impl SourceStore {
    /// A store whose archives are kept in a folder. Of `checkout`, jobs decide what a [`Variant`] says.
    pub fn new(git: Git, choice: SourceChoice, checkout: Checkout, folder: PathBuf) -> Self {
        Self { git, choice, checkout, folder, packed: Mutex::default() }
    }

    /// A store that has packed one variant.
    #[cfg(test)]
    pub(crate) fn with(variant: Variant, sources: Sources) -> Self {
        let checkout = Checkout {
            commit: String::new(),
            reference: String::new(),
            remote_url: String::new(),
            depth: None,
            has_files: true,
            submodules: None,
            project_dir: String::new(),
            time: 0,
        };
        let store = Self::new(Git::at("/"), SourceChoice::Head, checkout, PathBuf::new());
        store.packed.lock().expect("nobody else").insert(variant, Arc::new(sources));
        store
    }

    /// The sources in this way. Blocks while they are packed, the first time.
    ///
    /// # Errors
    /// When git fails or a file cannot be read or written.
    pub fn get(&self, variant: &Variant) -> Result<Arc<Sources>, SourcesError> {
        let mut packed = self.packed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sources) = packed.get(variant) {
            return Ok(Arc::clone(sources));
        }
        let name = match packed.len() {
            0 => "sources.tar".to_owned(),
            number => format!("sources-{number}.tar"),
        };
        let checkout = Checkout {
            depth: variant.depth,
            has_files: variant.has_files,
            submodules: variant.submodules.clone(),
            project_dir: variant.project_dir.clone(),
            ..self.checkout.clone()
        };
        let sources = pack(&self.git, self.choice, &checkout, &self.folder.join(name))?;
        Ok(Arc::clone(packed.entry(variant.clone()).or_insert(Arc::new(sources))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::{build::BuildVariable, fixture::a_build};

    #[test]
    fn variables_say_how_a_job_wants_its_sources() {
        let default = || Variant {
            depth: Some(20),
            has_files: true,
            project_dir: "/builds/group/project".to_owned(),
            submodules: None,
        };
        let with = |recursive| {
            let submodules = Submodules { depth: Some(20), recursive, paths: Vec::new() };
            Some(Variant { submodules: Some(submodules), ..default() })
        };
        for (key, value, expected) in [
            ("GIT_STRATEGY", "fetch", Some(default())),
            ("GIT_STRATEGY", "clone", Some(default())),
            ("GIT_STRATEGY", "none", None),
            ("GIT_STRATEGY", "empty", None),
            ("GIT_DEPTH", "3", Some(Variant { depth: Some(3), ..default() })),
            ("GIT_DEPTH", "0", Some(Variant { depth: None, ..default() })),
            ("GIT_DEPTH", "many", Some(default())),
            ("GIT_CHECKOUT", "false", Some(Variant { has_files: false, ..default() })),
            ("GIT_CHECKOUT", "true", Some(default())),
            ("GIT_SUBMODULE_STRATEGY", "none", Some(default())),
            ("GIT_SUBMODULE_STRATEGY", "normal", with(false)),
            ("GIT_SUBMODULE_STRATEGY", "recursive", with(true)),
        ] {
            let mut build = a_build(&[]);
            let (key, value) = (key.to_owned(), value.to_owned());
            let variable = BuildVariable { key, value, masked: false, file: false };
            build.variables = vec![variable.clone()];
            assert_eq!(Variant::of(&build), expected, "{variable:?}");
        }
    }
}
