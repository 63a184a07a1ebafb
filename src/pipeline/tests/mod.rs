//! Tables over whole pipelines, and the small builders that they are written with.

mod child;
mod needs;
mod parallel;
mod plan;
mod policy;
mod predefined;
mod rules;
mod variables;

use std::sync::Arc;

use indexmap::IndexMap;

use super::{
    Context, Event, Pipeline, Repository, Setting,
    context::{Commit, MergeRequest, Project},
    create,
};
use crate::config::{
    Config, Diagnostics, SourceId, Sources, Span, Spanned,
    keyword::{
        Inherit, Job, Policy, Rule, Variable, Variables, When, Workflow,
        job::{Environment, EnvironmentAction, Need, NeedTarget, Retry},
        rules::{Changes, Exists, Paths},
    },
    node::Mapping,
};

fn source() -> SourceId {
    Sources::default().add(".gitlab-ci.yml", "")
}

fn span() -> Span {
    Span::new(source(), 0..0)
}

fn at<T>(value: T) -> Spanned<T> {
    Spanned::new(value, span())
}

fn text(value: &str) -> Spanned<String> {
    at(value.to_owned())
}

fn texts(values: &[&str]) -> Vec<Spanned<String>> {
    values.iter().map(|value| text(value)).collect()
}

fn block(variables: &[(&str, &str)]) -> Variables {
    let variable =
        |value: &str| Variable { value: value.to_owned(), expand: true, description: None, span: span() };
    variables.iter().map(|(key, value)| ((*key).to_owned(), variable(value))).collect()
}

fn job(name: &str) -> Job {
    Job {
        name: text(name),
        stage: text("test"),
        before_script: Vec::new(),
        script: texts(&["true"]),
        after_script: Vec::new(),
        pre_get_sources_script: Vec::new(),
        image: None,
        services: Vec::new(),
        variables: Variables::new(),
        inherit_variables: Inherit::All,
        rules: None,
        only: None,
        except: None,
        when: None,
        start_in: None,
        allow_failure: None,
        needs: None,
        dependencies: None,
        parallel: None,
        artifacts: None,
        cache: Vec::new(),
        retry: Retry::default(),
        timeout: None,
        interruptible: false,
        tags: Vec::new(),
        resource_group: None,
        environment: None,
        release: None,
        trigger: None,
        coverage: None,
        token_variables: Vec::new(),
    }
}

fn in_stage(stage: &str, name: &str) -> Job {
    Job { stage: text(stage), ..job(name) }
}

fn environment(name: &str, action: EnvironmentAction) -> Environment {
    Environment { name: text(name), url: None, action, tier: None, on_stop: None }
}

fn need(name: &str) -> Need {
    let target = NeedTarget::Job { name: name.to_owned(), matrix: None };
    Need { span: span(), target, artifacts: true, optional: false }
}

fn when(condition: &str) -> Rule {
    Rule { condition: Some(text(condition)), ..Rule::default() }
}

fn changes(paths: &[&str]) -> Rule {
    Rule { changes: Some(Changes { paths: Paths::Globs(texts(paths)), compare_to: None }), ..Rule::default() }
}

fn exists(paths: &[&str]) -> Rule {
    let exists = Exists { paths: Paths::Globs(texts(paths)), project: None, reference: None };
    Rule { exists: Some(exists), ..Rule::default() }
}

fn refs(names: &[&str]) -> Policy {
    Policy { refs: Some(texts(names)), ..Policy::default() }
}

fn config(jobs: Vec<Job>) -> Config {
    Config {
        stages: texts(&[".pre", "build", "test", "deploy", ".post"]),
        workflow: Workflow::default(),
        variables: Variables::new(),
        jobs,
        unavailable: Vec::new(),
        unresolved: Vec::new(),
        not_simulated: Vec::new(),
        tree: Mapping::default(),
    }
}

fn push(branch: &str) -> Event {
    Event::Push { branch: branch.to_owned(), before: None }
}

fn tag(tag: &str) -> Event {
    Event::Tag { tag: tag.to_owned(), message: String::new() }
}

fn merge_request(source: &str) -> Event {
    Event::MergeRequest(MergeRequest {
        iid: 7,
        source_branch: source.to_owned(),
        target_branch: "main".to_owned(),
        diff_base: None,
        title: "Add x".to_owned(),
        labels: vec!["a".to_owned(), "b".to_owned()],
        draft: false,
        description: String::new(),
        assignees: Vec::new(),
        milestone: None,
        approved: false,
        squash: false,
    })
}

fn context(event: Event) -> Context {
    Context {
        event,
        commit: Commit {
            sha: "0123456789abcdef0123456789abcdef01234567".to_owned(),
            message: "Title\n\nBody\n".to_owned(),
            author: "Ada <ada@example.com>".to_owned(),
            timestamp: "2026-01-02T03:04:05+00:00".to_owned(),
        },
        project: Project {
            path: "group/sub/project".to_owned(),
            host: "gitlab.example.com".to_owned(),
            default_branch: "main".to_owned(),
            config_path: ".gitlab-ci.yml".to_owned(),
            user: ("Ada".to_owned(), "ada@example.com".to_owned()),
        },
        parent: None,
        pipeline_variables: IndexMap::new(),
        settings: Vec::new(),
        created_at: "2026-01-02T03:04:05Z".to_owned(),
        pipeline_id: 42,
    }
}

/// A variable of the project's settings.
fn setting(key: &str, value: &str) -> Arc<Setting> {
    Arc::new(Setting {
        key: key.to_owned(),
        value: value.to_owned(),
        file: false,
        masked: false,
        raw: false,
        protected: false,
        scope: "*".to_owned(),
        source: "podline.toml".to_owned(),
    })
}

/// A repository as a table.
#[derive(Default)]
struct Files {
    changed: Option<Vec<String>>,
    tree: Vec<String>,
}

impl Files {
    fn changed(paths: &[&str]) -> Self {
        Self { changed: Some(owned(paths)), tree: Vec::new() }
    }

    fn tree(paths: &[&str]) -> Self {
        Self { changed: None, tree: owned(paths) }
    }
}

fn owned(paths: &[&str]) -> Vec<String> {
    paths.iter().map(|path| (*path).to_owned()).collect()
}

impl Repository for Files {
    fn changed_paths(&self, compare_to: Option<&str>) -> Option<Vec<String>> {
        match compare_to {
            Some(base) => Some(vec![format!("since/{base}")]),
            None => self.changed.clone(),
        }
    }

    fn tree(&self) -> &[String] {
        &self.tree
    }

    fn tree_of(&self, project: &str, reference: Option<&str>) -> Result<Arc<[String]>, String> {
        match project {
            "group/other" => Ok(Arc::new([format!("at/{}", reference.unwrap_or("HEAD"))])),
            _ => Err("it is far away".to_owned()),
        }
    }
}

fn create_in(config: &Config, event: Event, files: &Files) -> (Pipeline, Vec<String>) {
    let mut diagnostics = Diagnostics::default();
    let pipeline = create(config, &context(event), files, &mut diagnostics);
    let lines = diagnostics
        .iter()
        .map(|one| {
            let help = one.help.as_ref().map(|help| format!(" ({help})")).unwrap_or_default();
            format!("{}: {}{help}", one.code, one.message)
        })
        .collect();
    (pipeline, lines)
}

fn created(jobs: Vec<Job>, event: Event) -> (Pipeline, Vec<String>) {
    create_in(&config(jobs), event, &Files::default())
}

fn names(pipeline: &Pipeline) -> Vec<&str> {
    pipeline.jobs.iter().map(|job| job.name.as_str()).collect()
}

fn never() -> Rule {
    Rule { when: Some(When::Never), ..Rule::default() }
}

/// The value that wins.
fn value<'p>(pipeline: &'p Pipeline, job: &str, key: &str) -> Option<&'p str> {
    let job = pipeline.job(pipeline.find(job)?);
    job.variables.get(key).map(|variable| variable.value.as_str())
}
