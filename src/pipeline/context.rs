//! What a pipeline is created for: the event, git facts and the user's variables.

use std::{
    collections::HashSet,
    sync::{Arc, LazyLock},
};

use indexmap::IndexMap;
use regex::Regex;

use super::{job::Variable, setting::Setting};

/// Everything about the world that decides which jobs exist.
#[derive(Debug, Clone, PartialEq)]
pub struct Context {
    /// What starts the pipeline.
    pub event: Event,
    /// What git says of the commit.
    pub commit: Commit,
    /// What GitLab would say of the project.
    pub project: Project,
    /// Variables from the command line: above everything else.
    pub pipeline_variables: IndexMap<String, String>,
    /// Variables that the project has in GitLab's settings; of two with one key and scope, the later counts.
    pub settings: Vec<Arc<Setting>>,
    /// When the pipeline is created, RFC 3339.
    pub created_at: String,
    /// Number of the pipeline: made up, the same in all its jobs.
    pub pipeline_id: u64,
    /// What started it, if it is a child pipeline. The event is then that of the parent.
    pub parent: Option<Parent>,
}

/// What starts a child pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Parent {
    /// The variables that it forwards: pipeline variables of the child.
    pub variables: Vec<Variable>,
}

impl Context {
    /// `CI_PIPELINE_SOURCE`.
    pub fn source(&self) -> &'static str {
        match self.parent {
            Some(_) => "parent_pipeline",
            None => self.event.source(),
        }
    }

    /// Whether the branch is protected: only the default branch is, as git does not know of others.
    pub fn is_protected(&self) -> bool {
        let is_branch = !matches!(self.event, Event::Tag { .. } | Event::MergeRequest(_));
        is_branch && self.event.ref_name() == self.project.default_branch
    }

    /// The settings that pipelines of this ref have.
    pub(super) fn settings_here(&self) -> Vec<Arc<Setting>> {
        let is_protected = self.is_protected();
        self.settings.iter().filter(|setting| is_protected || !setting.protected).cloned().collect()
    }

    /// Keys of variables whose values nobody may see.
    pub fn masked_keys(&self) -> HashSet<String> {
        let settings = self.settings.iter().filter(|it| it.masked).map(|it| it.key.clone());
        settings.collect()
    }

    /// The values that nobody may see: those of masked settings, and of masked variables of a parent.
    pub fn masked(&self) -> impl Iterator<Item = String> {
        let settings = self.settings.iter().filter(|it| it.masked).map(|it| it.value.clone());
        let forwarded = self.parent.iter().flat_map(|parent| &parent.variables);
        settings.chain(forwarded.filter(|it| it.masked).map(|it| it.value.clone()))
    }
}

/// What starts a pipeline: `CI_PIPELINE_SOURCE` and the kind of its ref.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A push of a branch.
    Push {
        /// The branch.
        branch: String,
        /// The commit that the branch had before, where it had one.
        before: Option<String>,
    },
    /// A pushed tag.
    Tag {
        /// The tag.
        tag: String,
        /// Its message; empty for a lightweight tag.
        message: String,
    },
    /// A merge request pipeline.
    MergeRequest(MergeRequest),
    /// A schedule on a branch.
    Schedule {
        /// The branch.
        branch: String,
        /// What the schedule is called.
        description: String,
    },
    /// Started by hand on a branch.
    Web {
        /// The branch.
        branch: String,
    },
    /// Started over the API on a branch.
    Api {
        /// The branch.
        branch: String,
    },
    /// Started with a trigger token on a branch.
    Trigger {
        /// The branch.
        branch: String,
    },
}

/// The merge request of [`Event::MergeRequest`].
#[derive(Debug, Clone, PartialEq)]
pub struct MergeRequest {
    /// Its number in the project.
    pub iid: u64,
    /// The branch to be merged.
    pub source_branch: String,
    /// The branch it goes into.
    pub target_branch: String,
    /// The merge base, for `rules:changes`.
    pub diff_base: Option<String>,
    /// The title.
    pub title: String,
    /// The description.
    pub description: String,
    /// The labels.
    pub labels: Vec<String>,
    /// The user names of the assignees.
    pub assignees: Vec<String>,
    /// The title of the milestone.
    pub milestone: Option<String>,
    /// Whether it is a draft.
    pub draft: bool,
    /// Whether it is approved.
    pub approved: bool,
    /// Whether its commits are squashed when it is merged.
    pub squash: bool,
}

/// What git says of the commit that the pipeline is for.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// 40 hexadecimal digits.
    pub sha: String,
    /// The whole message.
    pub message: String,
    /// `Name <email>`.
    pub author: String,
    /// RFC 3339.
    pub timestamp: String,
}

/// What GitLab would say of the project, from its remote or from its folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Project {
    /// `group/project`.
    pub path: String,
    /// Host name of the GitLab server.
    pub host: String,
    /// The default branch.
    pub default_branch: String,
    /// Path of the configuration file in the project.
    pub config_path: String,
    /// Name and mail address of the user, from git's configuration.
    pub user: (String, String),
}

/// What a commit's message says to have no pipeline (`Gitlab::Ci::Pipeline::Chain::Skip::SKIP_PATTERN`).
static SKIP: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i)\[(?:ci[ _-]skip|skip[ _-]ci)\]").expect("the pattern is a constant"));

impl Context {
    /// The words in the commit's message by which GitLab skips the pipeline, as `[skip ci]`. It does not look
    /// where somebody or a schedule asks for one.
    pub fn skip_words(&self) -> Option<&str> {
        match self.event {
            Event::Push { .. } | Event::Tag { .. } | Event::MergeRequest(_) => {
                SKIP.find(&self.commit.message).map(|found| found.as_str())
            }
            Event::Schedule { .. } | Event::Web { .. } | Event::Api { .. } | Event::Trigger { .. } => None,
        }
    }
}

impl Event {
    /// `CI_PIPELINE_SOURCE` of the pipeline that the event starts.
    pub fn source(&self) -> &'static str {
        match self {
            Self::Push { .. } | Self::Tag { .. } => "push",
            Self::MergeRequest(_) => "merge_request_event",
            Self::Schedule { .. } => "schedule",
            Self::Web { .. } => "web",
            Self::Api { .. } => "api",
            Self::Trigger { .. } => "trigger",
        }
    }

    /// `CI_COMMIT_REF_NAME`: the branch or tag; for a merge request its source branch.
    pub fn ref_name(&self) -> &str {
        match self {
            Self::Push { branch, .. }
            | Self::Schedule { branch, .. }
            | Self::Web { branch }
            | Self::Api { branch }
            | Self::Trigger { branch } => branch,
            Self::Tag { tag, .. } => tag,
            Self::MergeRequest(request) => &request.source_branch,
        }
    }
}

/// What rules may ask of the repository. Implemented over the git command; a table in tests.
pub trait Repository {
    /// Paths that differ for `rules:changes`: from the base that the event implies, or from `compare_to`.
    /// `None` where GitLab has no diff (a new branch, a tag, a schedule): the rule then counts as true.
    fn changed_paths(&self, compare_to: Option<&str>) -> Option<Vec<String>>;

    /// Paths of the tree that will be checked out, for `rules:exists`.
    fn tree(&self) -> &[String];

    /// Paths of another project at a ref (`rules:exists:project`), its default branch unless one is named.
    ///
    /// # Errors
    /// Why they are not known.
    fn tree_of(&self, _project: &str, _reference: Option<&str>) -> Result<Arc<[String]>, String> {
        Err("other projects are not looked into".to_owned())
    }
}
