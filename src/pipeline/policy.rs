//! `only` and `except` (`Gitlab::Ci::Build::Policy`).

use super::{
    context::{Context, Event},
    rules::Conditions,
    variables::Scope,
};
use crate::config::{
    Spanned,
    expression::Pattern,
    keyword::{Job, Policy},
};

/// What decides where neither `rules` nor `only:refs` are written.
pub(super) const DEFAULT_REFS: [&str; 2] = ["branches", "tags"];

/// Why a job is in, or why it is not.
pub(super) type Decision = Result<String, String>;

/// Decides over a job without `rules`. Where `workflow:rules` are written, there is no default.
pub(super) fn decide(
    job: &Job,
    has_workflow_rules: bool,
    context: &Context,
    conditions: &Conditions<'_>,
    scope: &Scope<'_>,
) -> Decision {
    let asked = Asked { context, conditions, scope };
    let default = Policy::default();
    let included = match &job.only {
        None if has_workflow_rules => Ok("no rules".to_owned()),
        only => asked.all_of(only.as_ref().unwrap_or(&default)),
    }?;
    match &job.except {
        Some(except) => asked.none_of(except).map(|()| included),
        None => Ok(included),
    }
}

struct Asked<'a, 'r> {
    context: &'a Context,
    conditions: &'a Conditions<'r>,
    scope: &'a Scope<'a>,
}

impl Asked<'_, '_> {
    /// `only`: each key that is there must hold; `refs` is always there.
    fn all_of(&self, only: &Policy) -> Decision {
        let refs: Vec<&str> = match &only.refs {
            Some(refs) => refs.iter().map(|name| name.as_str()).collect(),
            None => DEFAULT_REFS.to_vec(),
        };
        let matched = refs.iter().find(|name| matches_ref(name, self.context));
        let Some(matched) = matched else { return Err(format!("only: {}", refs.join(", "))) };
        if let Some(variables) = &only.variables
            && !self.any_variable(variables)
        {
            return Err("only: variables".to_owned());
        }
        if let Some(changes) = &only.changes
            && !self.conditions.find_plain_change(changes).holds()
        {
            return Err("only: changes".to_owned());
        }
        if only.kubernetes {
            return Err("only: kubernetes: active".to_owned());
        }
        Ok(format!("only: {matched}"))
    }

    /// `except`: no key may hold.
    fn none_of(&self, except: &Policy) -> Result<(), String> {
        let refs = except.refs.iter().flatten();
        if let Some(matched) = refs.into_iter().find(|name| matches_ref(name, self.context)) {
            return Err(format!("except: {}", matched.value));
        }
        if except.variables.as_ref().is_some_and(|variables| self.any_variable(variables)) {
            return Err("except: variables".to_owned());
        }
        if except.changes.as_ref().is_some_and(|paths| self.conditions.find_plain_change(paths).holds()) {
            return Err("except: changes".to_owned());
        }
        Ok(())
    }

    fn any_variable(&self, expressions: &[Spanned<String>]) -> bool {
        expressions.iter().any(|expression| self.conditions.holds(expression, self.scope))
    }
}

/// Whether a name, keyword or `/regex/`, each optionally `@group/project`, fits the pipeline
/// (`Policy::Refs#satisfied_by?`).
pub(super) fn matches_ref(name: &str, context: &Context) -> bool {
    let (pattern, project) = match name.split_once('@') {
        Some((pattern, project)) => (pattern, Some(project)),
        None => (name, None),
    };
    if project.is_some_and(|project| project != context.project.path) {
        return false;
    }
    let event = &context.event;
    let is_tag = matches!(event, Event::Tag { .. });
    let is_branch = !is_tag && !matches!(event, Event::MergeRequest(_));
    let source = context.source().trim_end_matches("_event");
    if (is_tag && pattern == "tags") || (is_branch && pattern == "branches") {
        return true;
    }
    if pattern == source || pattern == plural(source) {
        return true;
    }
    // A merge request pipeline runs for no branch, so names and patterns never fit it.
    (is_tag || is_branch)
        && match Pattern::literal(pattern) {
            Ok(regex) => regex.is_match(event.ref_name()),
            Err(_) => pattern == event.ref_name(),
        }
}

/// Rails' `pluralize`, for the names of sources.
fn plural(source: &str) -> String {
    if source.ends_with("sh") { format!("{source}es") } else { format!("{source}s") }
}
