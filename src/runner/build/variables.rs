//! All variables of a build: GitLab's, the runner's own, and what references make of them.

use std::{borrow::Cow, sync::LazyLock};

use foldhash::{HashMap, fast::RandomState};
use indexmap::IndexMap;

use super::{BuildVariable, feature_flags, make::Inputs};
use crate::{
    config::expand::{self, Definition},
    pipeline::{
        Job,
        job::{Origin, Variable},
    },
    runner::{pod::names, pod::volumes::BUILDS},
};

/// The release whose behaviour podline follows: `CI_RUNNER_VERSION`.
pub const RUNNER_VERSION: &str = "19.4.0";

/// What stands for every secret that GitLab would hand out. It opens nothing.
const DUMMY_SECRET: &str = "podline-dummy-token";

/// The variables whose values podline makes up although they are secrets elsewhere.
pub const DUMMY_VARIABLES: [&str; 3] = ["CI_JOB_TOKEN", "CI_REGISTRY_PASSWORD", "CI_REPOSITORY_URL"];

/// The variables of a build, expanded, with the folder of the project.
#[derive(Debug)]
pub(super) struct Variables<'v> {
    list: Vec<Known<'v>>,
    pub(super) project_dir: String,
    pub(super) project_id: u64,
}

/// A variable as the runner has it. Most are the same for all jobs: those are not copied.
#[derive(Debug)]
struct Known<'v> {
    variable: Cow<'v, Variable>,
    /// The value with references replaced, where that makes a difference.
    expanded: Option<String>,
}

impl Known<'_> {
    fn value(&self) -> &str {
        self.expanded.as_deref().unwrap_or(&self.variable.value)
    }

    fn build_variable(&self) -> BuildVariable {
        let Variable { key, masked, file, .. } = &*self.variable;
        BuildVariable { key: key.clone(), value: self.value().to_owned(), masked: *masked, file: *file }
    }
}

impl<'v> Variables<'v> {
    /// The variables that an attempt of a job starts with. `image` is the name in the user's file.
    pub(super) fn of(job: &'v Job, inputs: &Inputs<'v>, image: &str, timeout: u64) -> Self {
        let from_gitlab = from_gitlab(job, inputs);
        let known = |key: &str| {
            let found = from_gitlab.iter().rev().find(|variable| variable.key == key);
            found.map(|variable| variable.value.as_str()).filter(|value| !value.is_empty())
        };
        let project_id = known("CI_PROJECT_ID").and_then(|id| id.parse().ok()).unwrap_or(1);
        let folder = known("CI_PROJECT_PATH").map_or_else(|| format!("project-{project_id}"), str::to_owned);
        let builds = |key: &str| match key {
            "CI_BUILDS_DIR" => Some(BUILDS.to_owned()),
            "CI_CONCURRENT_ID" => Some(inputs.identity.slot.index.to_string()),
            key => known(key).map(str::to_owned),
        };
        let project_dir = match known("GIT_CLONE_PATH") {
            Some(path) => expand_with(path, builds).trim_end_matches('/').to_owned(),
            None => format!("{BUILDS}/{folder}"),
        };
        let (before, after) = from_runner(inputs, image, &project_dir, timeout);
        let list = merged(before.chain(from_gitlab).chain(after).map(Some).collect());
        let values = expanded_by_runner(&list, &project_dir);
        let known = list.into_iter().zip(values).map(|(variable, expanded)| Known { variable, expanded });
        Self { list: known.collect(), project_dir, project_id }
    }

    /// Replaces references as the runner does.
    pub(super) fn expand(&self, text: &str) -> String {
        expand_with(text, |key| self.seen(key))
    }

    /// All of them, for the job.
    pub(super) fn for_job(&self) -> Vec<BuildVariable> {
        self.list.iter().map(Known::build_variable).collect()
    }

    /// Those that a service gets: none of the project's settings, the command line or dotenv reports;
    /// its own over the others.
    pub(super) fn for_service(&self, own: &crate::config::keyword::Variables) -> Vec<BuildVariable> {
        let outside = [Origin::Dotenv, Origin::Project, Origin::Forwarded, Origin::CommandLine];
        let taken = self.list.iter().filter(|known| !outside.contains(&known.variable.origin));
        let mut variables: IndexMap<String, BuildVariable> =
            taken.map(|known| (known.variable.key.clone(), known.build_variable())).collect();
        for (key, variable) in own {
            let value = if variable.expand { self.expand(&variable.value) } else { variable.value.clone() };
            let own = BuildVariable { key: key.clone(), value, masked: false, file: false };
            variables.insert(key.clone(), own);
        }
        variables.into_values().collect()
    }

    /// What the job sees of a variable.
    fn seen(&self, key: &str) -> Option<String> {
        let known = self.list.iter().find(|known| known.variable.key == key)?;
        Some(if known.variable.file { file_path(&self.project_dir, key) } else { known.value().to_owned() })
    }
}

fn file_path(project_dir: &str, key: &str) -> String {
    format!("{project_dir}.tmp/{key}")
}

/// What GitLab sends: its own by precedence, references to each other replaced, the rest left to the runner.
fn from_gitlab<'v>(job: &'v Job, inputs: &Inputs<'v>) -> Vec<Cow<'v, Variable>> {
    let mut list: Vec<_> = only_for_jobs(job, inputs).into_iter().map(Cow::Owned).collect();
    list.extend(job.variables.iter().chain(inputs.dotenv).map(Cow::Borrowed));
    list.sort_by_key(|variable| variable.origin);
    let definitions: Vec<Definition<'_>> = list
        .iter()
        .map(|variable| Definition {
            key: &variable.key,
            value: &variable.value,
            raw: variable.raw,
            file: variable.file,
            masked: variable.masked,
        })
        .collect();
    // Of variables that refer to each other in a circle, GitLab sends the values as they are written.
    let values = expand::expand_all(&definitions, expand::Options::FOR_RUNNER).unwrap_or_default();
    let expanded = values.into_iter().enumerate().filter_map(|(at, value)| match value {
        Cow::Owned(value) => Some((at, value)),
        Cow::Borrowed(_) => None,
    });
    for (at, value) in expanded.collect::<Vec<_>>() {
        list[at].to_mut().value = value;
    }
    list
}

/// Predefined variables that exist only once a job runs (`Ci::Build#persisted_variables` and its kin).
fn only_for_jobs(job: &Job, inputs: &Inputs<'_>) -> Vec<Variable> {
    let identity = &inputs.identity;
    let of_project = |key: &str| {
        let found = job.variables.get(key);
        found.map(|variable| variable.value.clone()).unwrap_or_default()
    };
    let url = of_project("CI_PROJECT_URL");
    let repository = url.replacen("://", &format!("://gitlab-ci-token:{DUMMY_SECRET}@"), 1);
    let tags: Vec<String> = job.tags.iter().map(|tag| format!("{tag:?}")).collect();
    let plain = [
        ("CI_PIPELINE_ID", identity.pipeline_id.to_string()),
        ("CI_PIPELINE_URL", format!("{url}/-/pipelines/{}", identity.pipeline_id)),
        ("CI_JOB_ID", identity.job_id.to_string()),
        ("CI_JOB_URL", format!("{url}/-/jobs/{}", identity.job_id)),
        ("CI_JOB_STARTED_AT", identity.started_at.clone()),
        ("CI_REGISTRY_USER", "gitlab-ci-token".to_owned()),
        ("CI_RUNNER_ID", identity.runner_id(inputs.settings).to_string()),
        ("CI_RUNNER_DESCRIPTION", identity.slot.runner.clone()),
        ("CI_RUNNER_TAGS", format!("[{}]", tags.join(", "))),
    ];
    let values = [DUMMY_SECRET.to_owned(), DUMMY_SECRET.to_owned(), format!("{repository}.git")];
    let plain = plain.into_iter().map(|(key, value)| predefined(key, value));
    let secret = DUMMY_VARIABLES
        .into_iter()
        .zip(values)
        .map(|(key, value)| Variable { masked: true, ..predefined(key, value) });
    plain.chain(secret).collect()
}

/// What the runner adds, before and after GitLab's (`Build.GetAllVariables`).
fn from_runner<'v>(
    inputs: &Inputs<'_>,
    image: &str,
    project_dir: &str,
    timeout: u64,
) -> (impl Iterator<Item = Cow<'v, Variable>>, impl Iterator<Item = Cow<'v, Variable>>) {
    static FLAGS: LazyLock<Vec<Variable>> = LazyLock::new(|| {
        feature_flags::defaults().map(|(key, value)| predefined(&key, value.to_owned())).collect()
    });
    let slot = &inputs.identity.slot;
    let settings = inputs.settings.environment.iter();
    let settings = settings.map(|(key, value)| predefined(key, value.clone()));
    let head = [
        ("CI_JOB_IMAGE", image.to_owned()),
        ("CI_RUNNER_SHORT_TOKEN", names::short_token(&inputs.identity.run)),
    ];
    let tail = [
        ("CI_BUILDS_DIR", BUILDS.to_owned()),
        ("CI_PROJECT_DIR", project_dir.to_owned()),
        ("CI_CONCURRENT_ID", slot.index.to_string()),
        ("CI_CONCURRENT_PROJECT_ID", slot.index.to_string()),
        ("CI_SERVER", "yes".to_owned()),
        ("CI_JOB_STATUS", "running".to_owned()),
        ("CI_JOB_TIMEOUT", timeout.to_string()),
    ];
    let after = [
        ("CI_DISPOSABLE_ENVIRONMENT", "true".to_owned()),
        ("CI_RUNNER_VERSION", RUNNER_VERSION.to_owned()),
        ("CI_RUNNER_REVISION", "podline".to_owned()),
        ("CI_RUNNER_EXECUTABLE_ARCH", executable_arch()),
        ("RUNNER_TEMP_PROJECT_DIR", format!("{project_dir}.tmp")),
    ];
    let named = |(key, value)| predefined(key, value);
    let own = head.into_iter().map(named).chain(settings).chain(tail.into_iter().map(named));
    let before: Vec<_> = FLAGS.iter().map(Cow::Borrowed).chain(own.map(Cow::Owned)).collect();
    (before.into_iter(), after.into_iter().map(named).map(Cow::Owned))
}

/// The platform in Go's words.
fn executable_arch() -> String {
    let arch = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    format!("linux/{arch}")
}

fn predefined(key: &str, value: String) -> Variable {
    Variable::new(key, value, Origin::Predefined)
}

/// One variable per key: the last one, at the place of the first.
fn merged<'v>(mut list: Vec<Option<Cow<'v, Variable>>>) -> Vec<Cow<'v, Variable>> {
    let keys = list.iter().enumerate().filter_map(|(at, variable)| Some((&*variable.as_ref()?.key, at)));
    let places: Vec<usize> = keys.collect::<IndexMap<&str, usize, RandomState>>().into_values().collect();
    places.into_iter().filter_map(|at| list[at].take()).collect()
}

/// The runner replaces references once, by values as they came. `None` where there are none.
fn expanded_by_runner(list: &[Cow<'_, Variable>], project_dir: &str) -> Vec<Option<String>> {
    let refers = |variable: &Variable| !variable.raw && variable.value.contains('$');
    if !list.iter().any(|variable| refers(variable)) {
        return vec![None; list.len()];
    }
    let values: HashMap<&str, Cow<'_, str>> = list
        .iter()
        .map(|variable| {
            let path = || file_path(project_dir, &variable.key);
            let value = if variable.file { path().into() } else { variable.value.as_str().into() };
            (variable.key.as_str(), value)
        })
        .collect();
    let expand = |variable: &Cow<'_, Variable>| {
        let expanded =
            || expand::expand_as_runner(&variable.value, |key| values.get(key).map(|value| &**value));
        refers(variable).then(expanded)
    };
    list.iter().map(expand).collect()
}

/// Replaces references by values that are made on the way.
fn expand_with(text: &str, lookup: impl Fn(&str) -> Option<String>) -> String {
    let found = std::cell::RefCell::new(Vec::new());
    // The names first: the expander wants values that outlive its call.
    let _ = expand::expand_as_runner(text, |key| {
        found.borrow_mut().push(key.to_owned());
        None
    });
    let values: HashMap<String, String> =
        found.into_inner().into_iter().filter_map(|key| lookup(&key).map(|value| (key, value))).collect();
    expand::expand_as_runner(text, |key| values.get(key).map(String::as_str))
}
