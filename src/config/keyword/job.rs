//! A job and its keywords as written.

use super::{
    Inherit, NaturalDuration, Variables,
    rules::{Policy, Rule, When},
};
use crate::config::source::{Span, Spanned};

/// A job as the configuration says it, with `default` and `extends` applied.
#[derive(Debug, Clone)]
pub struct Job {
    /// The key.
    pub name: Spanned<String>,
    /// `stage`; `test` where the job names none.
    pub stage: Spanned<String>,
    /// `before_script`, flattened.
    pub before_script: Vec<Spanned<String>>,
    /// `script`, flattened; empty for a trigger job.
    pub script: Vec<Spanned<String>>,
    /// `after_script`, flattened.
    pub after_script: Vec<Spanned<String>>,
    /// `hooks:pre_get_sources_script`, flattened.
    pub pre_get_sources_script: Vec<Spanned<String>>,
    /// `image`.
    pub image: Option<Image>,
    /// `services`.
    pub services: Vec<Service>,
    /// `variables` of the job itself.
    pub variables: Variables,
    /// `inherit:variables`.
    pub inherit_variables: Inherit,
    /// `rules`.
    pub rules: Option<Vec<Rule>>,
    /// `only`.
    pub only: Option<Policy>,
    /// `except`.
    pub except: Option<Policy>,
    /// `when`.
    pub when: Option<Spanned<When>>,
    /// `start_in`.
    pub start_in: Option<NaturalDuration>,
    /// `allow_failure`.
    pub allow_failure: Option<AllowFailure>,
    /// `needs`; an empty list starts the job at once.
    pub needs: Option<Vec<Need>>,
    /// `dependencies`; an empty list takes no artifacts.
    pub dependencies: Option<Vec<Spanned<String>>>,
    /// `parallel`.
    pub parallel: Option<Parallel>,
    /// `artifacts`.
    pub artifacts: Option<Artifacts>,
    /// `cache`, up to four.
    pub cache: Vec<Cache>,
    /// `retry`.
    pub retry: Retry,
    /// `timeout`.
    pub timeout: Option<NaturalDuration>,
    /// `interruptible`.
    pub interruptible: bool,
    /// `tags`, not expanded.
    pub tags: Vec<Spanned<String>>,
    /// `resource_group`, not expanded.
    pub resource_group: Option<Spanned<String>>,
    /// `environment`.
    pub environment: Option<Environment>,
    /// Where `release` was written.
    pub release: Option<Span>,
    /// `trigger`.
    pub trigger: Option<Trigger>,
    /// `coverage`: the regular expression with its slashes.
    pub coverage: Option<Spanned<String>>,
    /// Names of the variables that `id_tokens` and `secrets` would set.
    pub token_variables: Vec<Spanned<String>>,
}

impl Job {
    /// A job that says nothing but its name and stage.
    pub fn new(name: Spanned<String>, stage: Spanned<String>) -> Self {
        Self {
            name,
            stage,
            before_script: Vec::new(),
            script: Vec::new(),
            after_script: Vec::new(),
            pre_get_sources_script: Vec::new(),
            image: None,
            services: Vec::new(),
            variables: Variables::new(),
            inherit_variables: Inherit::default(),
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
}

/// `image`, or the image of a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Image {
    /// The name, not expanded.
    pub name: Spanned<String>,
    /// `entrypoint`.
    pub entrypoint: Option<Vec<String>>,
    /// `pull_policy`, in the order to try.
    pub pull_policy: Vec<PullPolicy>,
    /// `kubernetes:user`: `uid` or `uid:gid`.
    pub kubernetes_user: Option<Spanned<String>>,
    /// `docker:platform`.
    pub platform: Option<Spanned<String>>,
}

/// When an image is fetched although it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PullPolicy {
    /// Each time.
    Always,
    /// Only when it is missing.
    IfNotPresent,
    /// Never.
    Never,
}

/// One of `services`.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// The image, with `entrypoint`.
    pub image: Image,
    /// `alias`, split at commas and blanks.
    pub aliases: Vec<String>,
    /// `command`.
    pub command: Option<Vec<String>>,
    /// `variables` of the service, over those of the job.
    pub variables: Variables,
}

/// `allow_failure`.
#[derive(Debug, Clone, PartialEq)]
pub enum AllowFailure {
    /// For every failure, or none.
    Always(bool),
    /// Only for these exit codes.
    ExitCodes(Vec<i32>),
}

/// One of `needs`.
#[derive(Debug, Clone, PartialEq)]
pub struct Need {
    /// Where it was written.
    pub span: Span,
    /// What is needed.
    pub target: NeedTarget,
    /// `artifacts`; true unless set.
    pub artifacts: bool,
    /// `optional`: a job that is not in the pipeline is no mistake.
    pub optional: bool,
}

/// What a need points at.
#[derive(Debug, Clone, PartialEq)]
pub enum NeedTarget {
    /// A job of this pipeline.
    Job {
        /// Its name: of the keyword's job, or of one instance (`job: [a, b]`).
        name: String,
        /// `parallel:matrix`: the instances, each a list of identifiers and values. Values may hold
        /// `$[[ matrix.NAME ]]`.
        matrix: Option<Matrix>,
    },
    /// Artifacts of a job in another project; gives no order.
    Project {
        /// Full path of the project.
        project: String,
        /// The job.
        job: String,
        /// The ref.
        reference: String,
    },
    /// The status of another pipeline, or a job of the parent pipeline.
    Pipeline {
        /// The pipeline: a project or an id.
        pipeline: String,
        /// The job in it.
        job: Option<String>,
    },
}

/// `parallel`.
#[derive(Debug, Clone, PartialEq)]
pub enum Parallel {
    /// This many equal instances.
    Count(u32),
    /// `parallel:matrix`: each entry gives the product of its lists.
    Matrix(Matrix),
}

/// Entries of `parallel:matrix`, each a list of identifiers with their values, in order.
pub type Matrix = Vec<Vec<(String, Vec<String>)>>;

/// `retry`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Retry {
    /// How often, at most 2.
    pub max: u32,
    /// Failure reasons, in GitLab's words; empty means `always` unless exit codes are named.
    pub when: Vec<String>,
    /// Exit codes that are retried whatever the reasons.
    pub exit_codes: Vec<i32>,
}

/// `artifacts`.
#[derive(Debug, Clone, PartialEq)]
pub struct Artifacts {
    /// Where the keyword was written.
    pub span: Span,
    /// `paths`, not expanded.
    pub paths: Vec<Spanned<String>>,
    /// `exclude`, not expanded.
    pub exclude: Vec<Spanned<String>>,
    /// `untracked`.
    pub untracked: bool,
    /// `when`.
    pub when: UploadWhen,
    /// `name`, not expanded.
    pub name: Option<Spanned<String>>,
    /// `expire_in`, as written.
    pub expire_in: Option<Spanned<String>>,
    /// `reports`: kind (`junit`, `dotenv`, ...) and its paths.
    pub reports: indexmap::IndexMap<String, Vec<Spanned<String>>>,
}

/// After which result artifacts or a cache are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UploadWhen {
    /// Success only.
    #[default]
    OnSuccess,
    /// Failure only.
    OnFailure,
    /// Both.
    Always,
}

/// One of `cache`.
#[derive(Debug, Clone, PartialEq)]
pub struct Cache {
    /// `key`.
    pub key: CacheKey,
    /// `fallback_keys`, in order, not expanded.
    pub fallback_keys: Vec<String>,
    /// `paths`, not expanded.
    pub paths: Vec<Spanned<String>>,
    /// `untracked`.
    pub untracked: bool,
    /// `policy`, not expanded: `pull-push`, `pull`, `push`.
    pub policy: String,
    /// `when`.
    pub when: UploadWhen,
}

/// `cache:key`.
#[derive(Debug, Clone, PartialEq)]
pub enum CacheKey {
    /// A text, not expanded; `default` where none is set.
    Text(String),
    /// `files` or `files_commits`: the key is a hash of them.
    Files {
        /// Paths from the project's root.
        files: Vec<String>,
        /// `prefix`, not expanded.
        prefix: Option<String>,
        /// Whether the last commit that changed them counts, rather than their content.
        commits: bool,
    },
}

/// `environment`.
#[derive(Debug, Clone, PartialEq)]
pub struct Environment {
    /// `name`, not expanded.
    pub name: Spanned<String>,
    /// `url`, not expanded.
    pub url: Option<Spanned<String>>,
    /// `action`.
    pub action: EnvironmentAction,
    /// `deployment_tier`.
    pub tier: Option<String>,
    /// `on_stop`.
    pub on_stop: Option<Spanned<String>>,
}

/// `environment:action`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvironmentAction {
    /// Deploys.
    #[default]
    Start,
    /// Prepares, deploys nothing.
    Prepare,
    /// Stops the environment.
    Stop,
    /// Checks, deploys nothing.
    Verify,
    /// Reads, deploys nothing.
    Access,
}

/// `trigger`.
#[derive(Debug, Clone, PartialEq)]
pub struct Trigger {
    /// Where the keyword was written.
    pub span: Span,
    /// What it starts.
    pub target: TriggerTarget,
    /// `strategy: depend` or `mirror`.
    pub strategy: Option<Spanned<String>>,
    /// `forward:yaml_variables`.
    pub forward_yaml_variables: bool,
    /// `forward:pipeline_variables`.
    pub forward_pipeline_variables: bool,
}

/// What a trigger job starts.
#[derive(Debug, Clone, PartialEq)]
pub enum TriggerTarget {
    /// A pipeline of another project.
    Project {
        /// Full path, not expanded.
        project: Spanned<String>,
        /// `branch`.
        branch: Option<String>,
    },
    /// A child pipeline, from `trigger:include` as written.
    Child(Box<crate::config::Node>),
}
