//! What a trigger job gives to the child pipeline that it starts.

use std::collections::HashMap;

use super::{
    Context, Job,
    context::Parent,
    job::{Origin, Variable},
};
use crate::config::{
    Node, expand,
    keyword::job::{Trigger, TriggerTarget},
};

/// How deep child pipelines may lie below the first one (`MAX_NESTED_CHILDREN`).
pub const MAX_DEPTH: usize = 2;

/// What a trigger job of the parent comes with when it starts.
#[derive(Debug, Clone)]
pub struct Start {
    /// Variables that earlier jobs have left for it.
    pub dotenv: Vec<(String, String)>,
    /// Number of the child pipeline.
    pub pipeline_id: u64,
    /// When the child is created, RFC 3339.
    pub created_at: String,
}

/// How the status of a child pipeline becomes that of its trigger job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Not at all: the trigger job has succeeded when the child is there.
    None,
    /// `depend`: what does not succeed is a failure.
    Depend,
    /// `mirror`: it is the same.
    Mirror,
}

impl Strategy {
    /// That of a trigger job.
    pub fn of(trigger: &Trigger) -> Self {
        match trigger.strategy.as_ref().map(|strategy| strategy.value.as_str()) {
            Some("mirror") => Self::Mirror,
            Some(_) => Self::Depend,
            None => Self::None,
        }
    }
}

/// `trigger:include` of a job that starts a child pipeline.
pub fn include(job: &Job) -> Option<&Node> {
    match &job.trigger.as_ref()?.target {
        TriggerTarget::Child(include) => Some(include),
        TriggerTarget::Project { .. } => None,
    }
}

/// The job that makes the configuration of a child pipeline, if one does: it is known only then.
pub fn maker(include: &Node) -> Option<&str> {
    let items = include.as_sequence().unwrap_or(std::slice::from_ref(include));
    items.iter().filter_map(Node::as_mapping).find_map(|item| {
        item.get("artifact")?;
        item.get("job")?.as_str()
    })
}

/// What a child pipeline is created for: commit, ref and merge request of its parent, and the variables that
/// the trigger job forwards (`Ci::Bridge#child_params`).
pub fn context(parent: &Context, job: &Job, start: Start) -> Context {
    let forwarded = forwarded(parent, job, &start);
    Context {
        created_at: start.created_at,
        pipeline_id: start.pipeline_id,
        pipeline_variables: indexmap::IndexMap::new(),
        parent: Some(Parent { variables: forwarded }),
        ..parent.clone()
    }
}

/// The variables that a child gets (`Variables::Downstream::Generator`): references in them are replaced
/// once, as the trigger job sees them; a later one of the same key wins.
fn forwarded(parent: &Context, job: &Job, start: &Start) -> Vec<Variable> {
    let Some(trigger) = &job.trigger else { return Vec::new() };
    let all = variables(parent, job, start);
    let values: HashMap<&str, &str> =
        all.iter().map(|variable| (variable.key.as_str(), variable.value.as_str())).collect();
    let is_forwarded = |variable: &&Variable| match variable.origin {
        Origin::Global | Origin::Job | Origin::Matrix | Origin::Rule => trigger.forward_yaml_variables,
        Origin::Dotenv | Origin::Forwarded | Origin::CommandLine => trigger.forward_pipeline_variables,
        Origin::Predefined | Origin::Project => false,
    };
    let mut forwarded = indexmap::IndexMap::new();
    for variable in all.iter().filter(is_forwarded) {
        let value = match variable.raw {
            true => variable.value.clone(),
            false => expand::expand(&variable.value, |name| values.get(name).copied()),
        };
        // at the place of the later one, as GitLab's list has it
        forwarded.shift_remove(&variable.key);
        let variable = Variable { value, origin: Origin::Forwarded, ..variable.clone() };
        forwarded.insert(variable.key.clone(), variable);
    }
    forwarded.into_values().collect()
}

/// All variables of a trigger job, lowest first.
fn variables(parent: &Context, job: &Job, start: &Start) -> Vec<Variable> {
    let variable = |key: &str, value: &str, origin| Variable {
        raw: origin == Origin::Dotenv,
        ..Variable::new(key, value, origin)
    };
    let id = parent.pipeline_id.to_string();
    let project = job.variables.get("CI_PROJECT_URL");
    let url = project.map(|url| format!("{}/-/pipelines/{id}", url.value)).unwrap_or_default();
    let mut all: Vec<Variable> = job.variables.iter().cloned().collect();
    all.push(variable("CI_PIPELINE_ID", &id, Origin::Predefined));
    all.push(variable("CI_PIPELINE_URL", &url, Origin::Predefined));
    all.extend(start.dotenv.iter().map(|(key, value)| variable(key, value, Origin::Dotenv)));
    all.sort_by_key(|variable| variable.origin);
    all
}
