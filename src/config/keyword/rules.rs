//! `rules`, `workflow:rules` and `only`/`except` as written.

use super::{NaturalDuration, Variables, job::AllowFailure, job::Need};
use crate::config::source::{Span, Spanned};

/// `when`: what makes a job run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// All that comes before has succeeded.
    #[default]
    OnSuccess,
    /// Something that comes before has failed.
    OnFailure,
    /// In any case.
    Always,
    /// Somebody starts it.
    Manual,
    /// After a delay.
    Delayed,
    /// Not at all; only in `rules`.
    Never,
}

/// One entry of `rules`.
#[derive(Debug, Clone, Default)]
pub struct Rule {
    /// Where the rule was written.
    pub span: Option<Span>,
    /// `if`.
    pub condition: Option<Spanned<String>>,
    /// `changes`.
    pub changes: Option<Changes>,
    /// `exists`.
    pub exists: Option<Exists>,
    /// `when`.
    pub when: Option<When>,
    /// `allow_failure`.
    pub allow_failure: Option<AllowFailure>,
    /// `variables`.
    pub variables: Variables,
    /// `needs`, which replaces the job's.
    pub needs: Option<Vec<Need>>,
    /// `interruptible`.
    pub interruptible: Option<bool>,
    /// `start_in`.
    pub start_in: Option<NaturalDuration>,
    /// `auto_cancel:on_job_failure: all`, in `workflow:rules`.
    pub cancel_on_job_failure: Option<bool>,
}

/// What `changes` and `exists` match paths with; any match counts.
#[derive(Debug, Clone, PartialEq)]
pub enum Paths {
    /// `paths`: globs after Ruby's `File.fnmatch`.
    Globs(Vec<Spanned<String>>),
    /// `regexp`: a regular expression of Ruby's (GitLab 19.2).
    Regexp(Spanned<String>),
}

impl Paths {
    /// The patterns as written.
    pub fn patterns(&self) -> &[Spanned<String>] {
        match self {
            Self::Globs(globs) => globs,
            Self::Regexp(regexp) => std::slice::from_ref(regexp),
        }
    }
}

/// `rules:changes` and `only:changes`.
#[derive(Debug, Clone, PartialEq)]
pub struct Changes {
    /// What the paths are matched with.
    pub paths: Paths,
    /// The ref to compare with instead of the one that the event implies.
    pub compare_to: Option<Spanned<String>>,
}

/// `rules:exists`.
#[derive(Debug, Clone, PartialEq)]
pub struct Exists {
    /// What the paths are matched with.
    pub paths: Paths,
    /// The project to look in instead of this one.
    pub project: Option<Spanned<String>>,
    /// The ref of that project.
    pub reference: Option<Spanned<String>>,
}

/// `only` or `except`. The keys that are there must all hold (`only`), or any of them (`except`).
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// Where the keyword was written.
    pub span: Option<Span>,
    /// `refs`: names, `/regex/`, or keywords such as `tags`, each optionally `@group/project`.
    pub refs: Option<Vec<Spanned<String>>>,
    /// `variables`: expressions, of which one must hold.
    pub variables: Option<Vec<Spanned<String>>>,
    /// `changes`.
    pub changes: Option<Vec<Spanned<String>>>,
    /// `kubernetes: active`.
    pub kubernetes: bool,
}
