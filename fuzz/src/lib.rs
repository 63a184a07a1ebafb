//! The project that texts are planned in: one file, one event, a small tree.

use std::collections::HashSet;

use indexmap::IndexMap;
use podline::{
    config::{
        self, Config, Diagnostics, Sources, Surroundings,
        loader::{External, Found, LoadError, Loader, ProjectRef},
    },
    pipeline::{
        self, Context, Event, Pipeline, Repository,
        context::{Commit, MergeRequest, Project},
    },
    report::{diagnostics, theme::Theme},
};

/// Name of the file.
pub const FILE: &str = ".gitlab-ci.yml";

/// A configuration that was read and planned.
pub struct Planned {
    /// The texts.
    pub sources: Sources,
    /// What was found.
    pub diagnostics: Diagnostics,
    /// The configuration, and the pipeline that comes of it.
    pub made: Option<(Config, Pipeline)>,
}

/// Reads a text as the project's file, makes the pipeline of an event, and shows what was found.
pub fn plan(text: &str, event: Event, inputs: &IndexMap<String, String>) -> Planned {
    let (context, repository) = (context(event), Files::of(text));
    let variables = pipeline::before_pipeline(&context);
    let (mut sources, mut diagnostics) = (Sources::default(), Diagnostics::default());
    let surroundings = Surroundings {
        loader: &repository,
        variables: &variables,
        masked: &HashSet::new(),
        inputs,
        changes: &|compare_to| repository.changed_paths(compare_to),
    };
    let made = config::read(FILE, &surroundings, &mut sources, &mut diagnostics).map(|config| {
        let pipeline = pipeline::create(&config, &context, &repository, &mut diagnostics);
        for job in config.jobs.iter().take(3) {
            pipeline::explain(&config, &context, &repository, &pipeline, &job.name.value);
        }
        (config, pipeline)
    });
    diagnostics::render(&diagnostics, &sources, &Theme::PLAIN, 80);
    diagnostics::records(&diagnostics, &sources);
    Planned { sources, diagnostics, made }
}

/// Events by a number: a push, a merge request, a tag, a schedule.
pub fn event(number: u8) -> Event {
    let branch = || "main".to_owned();
    match number % 4 {
        0 => Event::Push { branch: branch(), before: Some("4".repeat(40)) },
        1 => Event::MergeRequest(MergeRequest {
            iid: 7,
            source_branch: "feature/one".to_owned(),
            target_branch: branch(),
            diff_base: None,
            title: "Change something".to_owned(),
            labels: vec!["one".to_owned()],
            draft: true,
            description: String::new(),
            assignees: Vec::new(),
            milestone: None,
            approved: false,
            squash: false,
        }),
        2 => Event::Tag { tag: "v1.2.3".to_owned(), message: String::new() },
        _ => Event::Schedule { branch: branch(), description: String::new() },
    }
}

fn context(event: Event) -> Context {
    Context {
        event,
        commit: Commit {
            sha: "5".repeat(40),
            message: "Change something\n".to_owned(),
            author: "A. U. Thor <author@example.com>".to_owned(),
            timestamp: "2026-01-02T03:04:05Z".to_owned(),
        },
        project: Project {
            path: "group/project".to_owned(),
            host: "gitlab.com".to_owned(),
            default_branch: "main".to_owned(),
            config_path: FILE.to_owned(),
            user: ("A. U. Thor".to_owned(), "author@example.com".to_owned()),
        },
        pipeline_variables: IndexMap::new(),
        settings: Vec::new(),
        parent: None,
        created_at: "2026-01-02T03:04:05Z".to_owned(),
        pipeline_id: 1,
    }
}

/// The files of the project.
struct Files {
    text: String,
    tree: Vec<String>,
}

impl Files {
    fn of(text: &str) -> Self {
        let tree = [FILE, "Cargo.toml", "other.yml", "src/a.rs", "src/deep/b.rs"];
        Self { text: text.to_owned(), tree: tree.map(str::to_owned).to_vec() }
    }
}

impl Loader for Files {
    fn local(&self, path: &str) -> Result<String, LoadError> {
        match path {
            FILE => Ok(self.text.clone()),
            "other.yml" => Ok(".other: {script: other, variables: {A: other}}\n".to_owned()),
            _ => Err(LoadError::NotFound),
        }
    }

    fn local_files(&self) -> Vec<String> {
        self.tree.clone()
    }

    fn external(&self, _: &External) -> Result<Found, LoadError> {
        Err(elsewhere())
    }

    fn files_of(&self, _: &ProjectRef) -> Result<Vec<String>, LoadError> {
        Err(elsewhere())
    }
}

fn elsewhere() -> LoadError {
    LoadError::Unavailable { reason: "it lives elsewhere".to_owned(), help: "map a checkout of it".to_owned() }
}

impl Repository for Files {
    fn changed_paths(&self, compare_to: Option<&str>) -> Option<Vec<String>> {
        compare_to.is_none().then(|| self.tree.clone())
    }

    fn tree(&self) -> &[String] {
        &self.tree
    }
}
