//! `workflow`: whether there is a pipeline, its name, and what it adds to the top-level variables.

use super::{
    context::Context,
    predefined,
    rules::{self, Conditions},
    variables::{Scope, Shared},
};
use crate::config::{
    Config,
    keyword::{Rule, Variables, When},
};

/// What `workflow` says of a pipeline that is created.
pub(super) struct Decided {
    /// `workflow:name`, expanded.
    pub(super) name: Option<String>,
    /// Top-level variables with those of the matched rule over them.
    pub(super) global: Variables,
    pub(super) cancel_on_job_failure: bool,
}

/// Decides whether there is a pipeline.
///
/// # Errors
/// Why there is none.
pub(super) fn decide(
    config: &Config,
    context: &Context,
    conditions: &Conditions<'_>,
) -> Result<Decided, String> {
    let variables = |global: &Variables| {
        Shared::new(context, predefined::of_pipeline(context, None), global).of_workflow()
    };
    let before = variables(&config.variables);
    let rule = match &config.workflow.rules {
        Some(rules) => Some(matched(rules, conditions, &Scope::new(&before))?),
        None => None,
    };
    let mut global = config.variables.clone();
    global.extend(rule.into_iter().flat_map(|rule| rule.variables.clone()));
    let after = variables(&global);
    let name = config.workflow.name.as_ref().map(|name| Scope::new(&after).expand(name).trim().to_owned());
    let cancel = rule.and_then(|rule| rule.cancel_on_job_failure);
    Ok(Decided {
        name: name.filter(|name| !name.is_empty()),
        global,
        cancel_on_job_failure: cancel.unwrap_or(config.workflow.cancel_on_job_failure),
    })
}

fn matched<'c>(
    rules: &'c [Rule],
    conditions: &Conditions<'_>,
    scope: &Scope<'_>,
) -> Result<&'c Rule, String> {
    let Some(index) = conditions.first_match(rules, scope) else {
        return Err("no rule of `workflow` matched".to_owned());
    };
    match &rules[index] {
        rule @ Rule { when: Some(When::Never), .. } => {
            Err(format!("`workflow` has `when: never` in {}", rules::describe(index, rule)))
        }
        rule => Ok(rule),
    }
}
