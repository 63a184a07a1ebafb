//! All variables of a build: GitLab's, the runner's own, and what references make of them.

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
pub(super) struct Variables {
    list: Vec<(Variable, String)>,
    pub(super) project_dir: String,
    pub(super) project_id: u64,
}

impl Variables {
    /// The variables that an attempt of a job starts with. `image` is the name in the user's file.
    pub(super) fn of(job: &Job, inputs: &Inputs<'_>, image: &str, timeout: u64) -> Self {
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
        let list = merged(before.into_iter().chain(from_gitlab).chain(after));
        let values = expanded_by_runner(&list, &project_dir);
        Self { list: list.into_iter().zip(values).collect(), project_dir, project_id }
    }

    /// Replaces references as the runner does.
    pub(super) fn expand(&self, text: &str) -> String {
        expand_with(text, |key| self.seen(key))
    }

    /// All of them, for the job.
    pub(super) fn for_job(&self) -> Vec<BuildVariable> {
        self.list.iter().map(|(variable, value)| build_variable(variable, value.clone())).collect()
    }

    /// Those that a service gets: none of the project's settings, the command line or dotenv reports;
    /// its own over the others.
    pub(super) fn for_service(&self, own: &crate::config::keyword::Variables) -> Vec<BuildVariable> {
        let outside = [Origin::Dotenv, Origin::Project, Origin::Forwarded, Origin::CommandLine];
        let taken = self.list.iter().filter(|(variable, _)| !outside.contains(&variable.origin));
        let mut variables: IndexMap<String, BuildVariable> = taken
            .map(|(variable, value)| (variable.key.clone(), build_variable(variable, value.clone())))
            .collect();
        for (key, variable) in own {
            let value = if variable.expand { self.expand(&variable.value) } else { variable.value.clone() };
            let own = BuildVariable { key: key.clone(), value, masked: false, file: false };
            variables.insert(key.clone(), own);
        }
        variables.into_values().collect()
    }

    /// What the job sees of a variable.
    fn seen(&self, key: &str) -> Option<String> {
        let (variable, value) = self.list.iter().find(|(variable, _)| variable.key == key)?;
        Some(if variable.file { file_path(&self.project_dir, key) } else { value.clone() })
    }
}

fn file_path(project_dir: &str, key: &str) -> String {
    format!("{project_dir}.tmp/{key}")
}

fn build_variable(variable: &Variable, value: String) -> BuildVariable {
    BuildVariable { key: variable.key.clone(), value, masked: variable.masked, file: variable.file }
}

/// What GitLab sends: its own by precedence, references to each other replaced, the rest left to the runner.
fn from_gitlab(job: &Job, inputs: &Inputs<'_>) -> Vec<Variable> {
    let mut list = only_for_jobs(job, inputs);
    list.extend(job.variables.iter().cloned());
    list.extend(inputs.dotenv.iter().cloned());
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
    if let Ok(values) = expand::expand_all(&definitions, expand::Options::FOR_RUNNER) {
        for (variable, value) in list.iter_mut().zip(values) {
            variable.value = value;
        }
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
fn from_runner(
    inputs: &Inputs<'_>,
    image: &str,
    project_dir: &str,
    timeout: u64,
) -> (Vec<Variable>, Vec<Variable>) {
    let slot = &inputs.identity.slot;
    let flags = feature_flags::defaults().map(|(key, value)| predefined(&key, value.to_owned()));
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
    let before = flags.chain(head.into_iter().map(named)).chain(settings).chain(tail.into_iter().map(named));
    (before.collect(), after.into_iter().map(named).collect())
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
fn merged(list: impl Iterator<Item = Variable>) -> Vec<Variable> {
    let by_key: IndexMap<String, Variable> = list.map(|variable| (variable.key.clone(), variable)).collect();
    by_key.into_values().collect()
}

/// The runner replaces references once, by values as they came.
fn expanded_by_runner(list: &[Variable], project_dir: &str) -> Vec<String> {
    let values: std::collections::HashMap<&str, String> = list
        .iter()
        .map(|variable| {
            let path = || file_path(project_dir, &variable.key);
            (variable.key.as_str(), if variable.file { path() } else { variable.value.clone() })
        })
        .collect();
    let expand = |variable: &Variable| match variable.raw {
        true => variable.value.clone(),
        false => expand::expand_as_runner(&variable.value, |key| values.get(key).map(String::as_str)),
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
    let values: std::collections::HashMap<String, String> =
        found.into_inner().into_iter().filter_map(|key| lookup(&key).map(|value| (key, value))).collect();
    expand::expand_as_runner(text, |key| values.get(key).map(String::as_str))
}
