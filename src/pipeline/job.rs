//! A job of a pipeline.

use std::{ops::Deref, sync::Arc, time::Duration};

use super::{setting::Setting, variables::Collection};
use crate::config::keyword::job::{
    AllowFailure, Artifacts, Cache, EnvironmentAction, Image, Retry, Service, Trigger,
};
use crate::config::keyword::rules::When;
use crate::config::{Span, Spanned};

/// Index of a job in [`Pipeline::jobs`](super::Pipeline::jobs).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct JobId(pub usize);

/// A job that the pipeline has: one instance, rules decided, nothing expanded by the runner yet.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its name, with `1/3` or `: [a, b]` for an instance of `parallel`.
    pub name: String,
    /// The key in the configuration.
    pub key: Spanned<String>,
    /// Which instance of `parallel` it is, from 1, and how many there are.
    pub instance: Option<(u32, u32)>,
    /// Its stage.
    pub stage: String,
    /// What makes it run; never [`When::Never`].
    pub when: When,
    /// With [`When::Delayed`], how long to wait.
    pub start_in: Option<Duration>,
    /// Which failures do not count.
    pub allow_failure: AllowFailure,
    /// The jobs it needs; `None` means all jobs of earlier stages.
    pub needs: Option<Vec<Need>>,
    /// Jobs whose artifacts it takes, as the pipeline resolves `needs` and `dependencies`, in order.
    pub artifacts_from: Givers,
    /// Jobs of other pipelines of the tree whose artifacts it takes (`needs:pipeline:job`), not expanded.
    pub artifacts_from_pipelines: Vec<PipelineNeed>,
    /// Index of the rule that matched.
    pub matched_rule: Option<usize>,
    /// Why it is in, for people: `rule 2: if $CI_COMMIT_BRANCH == "main"`, `only: branches`.
    pub reason: String,
    /// Its variables by precedence, lowest first, nothing expanded: a later one of the same key wins.
    pub variables: Collection,
    /// `before_script` and `script` in one list, as GitLab sends them to the runner.
    pub script: Vec<Spanned<String>>,
    /// `after_script`.
    pub after_script: Vec<Spanned<String>>,
    /// `hooks:pre_get_sources_script`.
    pub pre_get_sources_script: Vec<Spanned<String>>,
    /// `image`, its name not expanded: the runner does that.
    pub image: Option<Image>,
    /// `services`.
    pub services: Vec<Service>,
    /// `artifacts`.
    pub artifacts: Option<Artifacts>,
    /// `cache`.
    pub cache: Vec<Cache>,
    /// `retry`.
    pub retry: Retry,
    /// `timeout`.
    pub timeout: Option<Duration>,
    /// `interruptible`.
    pub interruptible: bool,
    /// `tags`, expanded.
    pub tags: Vec<String>,
    /// `resource_group`, expanded.
    pub resource_group: Option<String>,
    /// `environment`, expanded.
    pub environment: Option<Environment>,
    /// `trigger`.
    pub trigger: Option<Trigger>,
    /// `coverage`.
    pub coverage: Option<String>,
    /// Why podline does not start it by itself (it would deploy or release), for people.
    pub held: Option<String>,
    /// Where the job was written.
    pub span: Span,
}

/// The jobs whose artifacts a job takes, in order. In most pipelines a job takes those of all jobs before it: the
/// lists of all jobs are then beginnings of one, as many long lists would outgrow any memory.
#[derive(Debug, Clone, Default)]
pub struct Givers {
    list: Arc<[JobId]>,
    count: usize,
}

impl Givers {
    /// The first jobs of a list.
    pub(super) fn first(list: &Arc<[JobId]>, count: usize) -> Self {
        Self { list: list.clone(), count }
    }
}

impl Deref for Givers {
    type Target = [JobId];

    fn deref(&self) -> &[JobId] {
        &self.list[..self.count]
    }
}

impl FromIterator<JobId> for Givers {
    fn from_iter<I: IntoIterator<Item = JobId>>(jobs: I) -> Self {
        let list: Arc<[JobId]> = jobs.into_iter().collect();
        Self { count: list.len(), list }
    }
}

/// A need, resolved to a job of the pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The needed job.
    pub job: JobId,
    /// Whether its artifacts are taken.
    pub artifacts: bool,
}

/// A job of the parent pipeline, or of another of the same tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineNeed {
    /// Id of the pipeline.
    pub pipeline: String,
    /// The job.
    pub job: String,
}

/// `environment`, expanded.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Environment {
    /// The name.
    pub name: String,
    /// The URL.
    pub url: Option<String>,
    /// What the job does to it.
    pub action: EnvironmentAction,
}

/// A variable of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// The key.
    pub key: String,
    /// The value, not expanded.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether references in the value are left alone (`expand: false`).
    pub raw: bool,
    /// Whether the value is hidden in traces.
    pub masked: bool,
    /// Whether the job sees the path of a file that holds the value.
    pub file: bool,
    /// What the project's settings say of it, where it comes from there.
    pub setting: Option<Arc<Setting>>,
}

impl Variable {
    /// A variable with nothing special about it.
    pub fn new(key: impl Into<String>, value: impl Into<String>, origin: Origin) -> Self {
        let (key, value) = (key.into(), value.into());
        Self { key, value, origin, raw: false, masked: false, file: false, setting: None }
    }
}

/// Where a variable comes from, by precedence: lowest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// GitLab sets it.
    Predefined,
    /// `variables` at the top of the file, or a workflow rule's.
    Global,
    /// `variables` of the job.
    Job,
    /// The identifiers of `parallel:matrix`, which GitLab merges into the job's own variables.
    Matrix,
    /// `variables` of the rule that matched.
    Rule,
    /// An earlier job's dotenv report.
    Dotenv,
    /// The project's settings.
    Project,
    /// The parent pipeline forwards it.
    Forwarded,
    /// The command line.
    CommandLine,
}
