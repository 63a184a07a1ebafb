//! A project as the rooms see it: files, an event, and what comes of them.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Path, PathBuf},
};

use indexmap::IndexMap;
use podline::{
    config::{
        self, Config, Diagnostic, Diagnostics, Severity, Sources, Surroundings, Tree,
        loader::{External, Found, LoadError, Loader, ProjectRef},
    },
    pipeline::{
        self, Context, Event, Pipeline, Plan, Repository,
        context::{Commit, MergeRequest, Project as ProjectFacts},
    },
};

/// Files of a project.
pub(super) struct Project {
    /// `group/project`.
    pub(super) path: String,
    /// Files in memory.
    pub(super) files: BTreeMap<String, String>,
    /// A folder with more of them.
    pub(super) folder: Option<PathBuf>,
    /// What is in every file that is asked for and not there, here or elsewhere.
    pub(super) others: Option<String>,
    /// The default branch.
    pub(super) default_branch: &'static str,
    tree: Vec<String>,
}

impl Project {
    /// A project with one file, `.gitlab-ci.yml`.
    pub(super) fn of_text(text: &str) -> Self {
        Self::of_files([(".gitlab-ci.yml", text.to_owned())])
    }

    /// A project of these files.
    pub(super) fn of_files<'f>(files: impl IntoIterator<Item = (&'f str, String)>) -> Self {
        let files: BTreeMap<String, String> =
            files.into_iter().map(|(path, text)| (path.to_owned(), text)).collect();
        let tree = files.keys().cloned().collect();
        Self { files, folder: None, tree, ..Self::empty() }
    }

    /// A project in a folder.
    pub(super) fn of_folder(folder: &Path, path: String) -> Self {
        let tree = super::tally::files(folder);
        Self { path, folder: Some(folder.to_owned()), tree, ..Self::empty() }
    }

    fn empty() -> Self {
        Self {
            path: "group/project".to_owned(),
            files: BTreeMap::new(),
            folder: None,
            others: None,
            default_branch: "main",
            tree: Vec::new(),
        }
    }

    /// Reads a configuration and makes its pipeline.
    pub(super) fn plan(&self, file: &str, event: &Event) -> Planned {
        let context = self.context(file, event);
        let variables = pipeline::before_pipeline(&context);
        let (mut sources, mut diagnostics) = (Sources::default(), Diagnostics::default());
        let surroundings = Surroundings {
            loader: self,
            variables: &variables,
            masked: &HashSet::new(),
            inputs: &IndexMap::new(),
            changes: &|compare_to| self.changed_paths(compare_to),
        };
        let config = config::read(file, &surroundings, &mut sources, &mut diagnostics);
        let pipeline =
            config.as_ref().map(|config| pipeline::create(config, &context, self, &mut diagnostics));
        Planned { sources, diagnostics, config, pipeline, context }
    }

    fn context(&self, file: &str, event: &Event) -> Context {
        Context {
            event: event.clone(),
            commit: Commit {
                sha: "5".repeat(40),
                message: "Change something\n\nFor a reason.\n".to_owned(),
                author: "A. U. Thor <author@example.com>".to_owned(),
                timestamp: "2026-01-02T03:04:05Z".to_owned(),
            },
            project: ProjectFacts {
                path: self.path.clone(),
                host: "gitlab.com".to_owned(),
                default_branch: self.default_branch.to_owned(),
                config_path: file.to_owned(),
                user: ("A. U. Thor".to_owned(), "author@example.com".to_owned()),
            },
            parent: None,
            pipeline_variables: IndexMap::new(),
            settings: Vec::new(),
            created_at: "2026-01-02T03:04:05Z".to_owned(),
            pipeline_id: 1,
        }
    }
}

/// What came of a configuration.
pub(super) struct Planned {
    /// The texts.
    pub(super) sources: Sources,
    /// What was found.
    pub(super) diagnostics: Diagnostics,
    /// The configuration.
    pub(super) config: Option<Config>,
    /// The pipeline.
    pub(super) pipeline: Option<Pipeline>,
    /// What it was made for.
    context: Context,
}

impl Planned {
    /// What GitLab would refuse.
    pub(super) fn errors(&self) -> impl Iterator<Item = &Diagnostic> {
        self.diagnostics.iter().filter(|found| found.severity == Severity::Error)
    }

    /// How many jobs there are.
    pub(super) fn jobs(&self) -> usize {
        self.pipeline.as_ref().map_or(0, |pipeline| pipeline.jobs.len())
    }

    /// A diagnostic with its place.
    pub(super) fn show(&self, found: &Diagnostic) -> String {
        let place = found.span.map(|span| self.sources.locate(span).to_string()).unwrap_or_default();
        format!("{place} {}: {}", found.code, found.message)
    }

    /// The plan, without what was found on the way.
    pub(super) fn plan(&self) -> Option<Plan> {
        self.pipeline.as_ref().map(Plan::new)
    }

    /// The plan of what `podline config` writes, with the same includes missing.
    ///
    /// # Errors
    /// Where the text is read as another tree than it was written from.
    pub(super) fn plan_again(&self, project: &Project) -> Result<Option<Plan>, String> {
        let Some(config) = &self.config else { return Ok(None) };
        let text = config::emit(&config.tree);
        let (mut sources, mut diagnostics) = (Sources::default(), Diagnostics::default());
        let source = sources.add("effective.yml", &text);
        let tree = config::yaml::parse(source, &text, &mut diagnostics).ok_or("it cannot be read")?.content;
        if config::emit(&tree) != text {
            return Err("it is written in another way once it is read".to_owned());
        }
        let tree = Tree {
            root: tree,
            is_complete: config.unavailable.is_empty(),
            unavailable: config.unavailable.clone(),
            unresolved: config.unresolved.clone(),
        };
        let again = Config::read(tree, &mut diagnostics);
        let pipeline = pipeline::create(&again, &self.context, project, &mut diagnostics);
        let codes = |list: &mut dyn Iterator<Item = &Diagnostic>| {
            let errors = list.filter(|found| found.severity == Severity::Error);
            errors.map(|found| (found.code, found.message.clone())).collect::<Vec<_>>()
        };
        let new = codes(&mut diagnostics.iter());
        let old = codes(&mut self.diagnostics.iter());
        match new.iter().find(|found| !old.contains(found)) {
            Some(found) => Err(format!("it has a mistake of its own: {found:?}")),
            None => Ok(Some(Plan::new(&pipeline))),
        }
    }
}

impl Loader for Project {
    fn local(&self, path: &str) -> Result<String, LoadError> {
        let in_memory = || self.files.get(path).cloned();
        let in_folder = || std::fs::read_to_string(self.folder.as_ref()?.join(path)).ok();
        // a file without its project cannot include from there
        let gone = || if self.folder.is_some() { LoadError::NotFound } else { elsewhere() };
        in_memory().or_else(in_folder).or_else(|| self.others.clone()).ok_or_else(gone)
    }

    fn local_files(&self) -> Vec<String> {
        self.tree.clone()
    }

    fn external(&self, include: &External) -> Result<Found, LoadError> {
        let text = self.others.clone().ok_or_else(elsewhere)?;
        Ok(Found { text, name: include.to_string(), home: None, component: None, note: None })
    }

    fn files_of(&self, _: &ProjectRef) -> Result<Vec<String>, LoadError> {
        Err(elsewhere())
    }
}

fn elsewhere() -> LoadError {
    LoadError::Unavailable {
        reason: "it lives elsewhere".to_owned(),
        help: "map a checkout of it".to_owned(),
    }
}

impl Repository for Project {
    fn changed_paths(&self, _: Option<&str>) -> Option<Vec<String>> {
        Some(self.tree.clone())
    }

    fn tree(&self) -> &[String] {
        &self.tree
    }
}

/// The events that a project is planned for.
pub(super) fn events(default_branch: &str) -> Vec<(&'static str, Event)> {
    let branch = |name: &str| Event::Push { branch: name.to_owned(), before: Some("4".repeat(40)) };
    vec![
        ("push of the default branch", branch(default_branch)),
        ("push of a branch", branch("feature/one")),
        (
            "merge request",
            Event::MergeRequest(MergeRequest {
                iid: 7,
                source_branch: "feature/one".to_owned(),
                target_branch: default_branch.to_owned(),
                diff_base: Some("4".repeat(40)),
                title: "Change something".to_owned(),
                labels: Vec::new(),
                draft: false,
                description: String::new(),
                assignees: Vec::new(),
                milestone: None,
                approved: false,
                squash: false,
            }),
        ),
        ("tag", Event::Tag { tag: "v1.2.3".to_owned(), message: String::new() }),
        ("schedule", Event::Schedule { branch: default_branch.to_owned(), description: String::new() }),
    ]
}

/// A push of `main`.
pub(super) fn push() -> Event {
    Event::Push { branch: "main".to_owned(), before: Some("4".repeat(40)) }
}
