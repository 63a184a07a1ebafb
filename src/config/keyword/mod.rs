//! The keywords of `.gitlab-ci.yml` as types: what a configuration may say, checked.
//!
//! `default` and `extends` are already applied; variables are not expanded and rules not evaluated.

pub mod duration;
pub mod job;
mod read;
pub mod rules;
pub mod support;

use std::time::Duration;

use super::{
    node::Mapping,
    source::{Span, Spanned},
};
pub use job::Job;
pub use rules::{Policy, Rule, When};

/// A whole effective configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The stages in order, with `.pre` first and `.post` last.
    pub stages: Vec<Spanned<String>>,
    /// `workflow`.
    pub workflow: Workflow,
    /// Top-level `variables`.
    pub variables: Variables,
    /// The jobs that are not hidden, in the order GitLab keeps.
    pub jobs: Vec<Job>,
    /// Includes that could not be had, as the user would name them. What only they may define is then
    /// unresolved rather than wrong.
    pub unavailable: Vec<Spanned<String>>,
    /// Jobs that cannot be built because something they extend or refer to lives in an include
    /// that could not be had. They are listed as unresolved, never dropped.
    pub unresolved: Vec<Unresolved>,
    /// Keywords that podline accepts and does not act on, each named once.
    pub not_simulated: Vec<Spanned<String>>,
    /// The tree that all this was read from, after includes, `extends` and `!reference`, for
    /// `podline config`.
    pub tree: Mapping,
}

/// A job that an include which could not be had keeps from being built.
#[derive(Debug, Clone)]
pub struct Unresolved {
    /// The job.
    pub name: Spanned<String>,
    /// What is missing, for instance ``extends `.base`, which no file that could be read defines``.
    pub reason: String,
}

/// `workflow`.
#[derive(Debug, Clone, Default)]
pub struct Workflow {
    /// `workflow:name`, not expanded.
    pub name: Option<Spanned<String>>,
    /// `workflow:rules`; absent means that a pipeline is always created.
    pub rules: Option<Vec<Rule>>,
    /// `workflow:auto_cancel:on_job_failure: all`.
    pub cancel_on_job_failure: bool,
}

/// A `variables` block, in order.
pub type Variables = indexmap::IndexMap<String, Variable>;

/// One variable as the file says it.
#[derive(Debug, Clone, PartialEq)]
pub struct Variable {
    /// The value, not expanded.
    pub value: String,
    /// `expand`; false keeps the value as it is written.
    pub expand: bool,
    /// `description`, which offers the variable when a pipeline is started by hand.
    pub description: Option<String>,
    /// Where the value was written.
    pub span: Span,
}

/// Which of the defaults or global variables a job takes: `inherit`.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Inherit {
    /// All of them.
    #[default]
    All,
    /// None.
    None,
    /// Those named.
    Only(Vec<String>),
}

impl Inherit {
    /// Whether a default or variable of this name is taken.
    pub fn takes(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Only(names) => names.iter().any(|only| only == name),
        }
    }
}

/// A time limit or delay in GitLab's natural language, read.
pub type NaturalDuration = Spanned<Duration>;
