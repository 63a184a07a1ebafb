//! The value of each condition, for `podline explain`.

use super::{
    Repository,
    context::Context,
    create::Creation,
    matrix, predefined,
    rules::{self, Conditions},
    variables::{self, Scope},
    workflow,
};
use crate::config::{
    Config,
    expression::{Expression, Name, Trace, Value},
    keyword::{Rule, When},
};

/// What became of one rule.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedRule {
    /// The rule in a few words: `rule 2: if $CI_COMMIT_BRANCH == "main"`.
    pub rule: String,
    /// `if`, with the value of each operand.
    pub condition: Option<Trace>,
    /// Whether `changes` holds.
    pub changes: Option<bool>,
    /// Whether `exists` holds.
    pub exists: Option<bool>,
    /// Whether all of them hold.
    pub matches: bool,
    /// Whether an earlier rule has matched, so that this one does not count.
    pub is_too_late: bool,
}

/// The rules of a job, named by its key or as an instance; `None` where there is no such job, or it has
/// no rules.
pub fn explain_rules(
    config: &Config,
    context: &Context,
    repository: &dyn Repository,
    name: &str,
) -> Option<Vec<ExplainedRule>> {
    let find = |job| {
        let instances = matrix::instances(job);
        let is_key = job.name.value == name;
        let instance = instances.into_iter().find(|instance| is_key || instance.name == name)?;
        Some((job, instance))
    };
    let (job, instance) = config.jobs.iter().find_map(find)?;
    let rules = job.rules.as_ref()?;
    let conditions = Conditions::new(repository, &context.project.path);
    let workflow = workflow::decide(config, context, &conditions).ok()?;
    let creation = Creation::new(config, context, &conditions, &workflow);
    let is_manual = job.when.as_deref() == Some(&When::Manual);
    let (list, _) = creation.variables(job, &instance, None, is_manual);
    Some(explained(rules, &conditions, &Scope::new(&list)))
}

/// The rules of `workflow`; `None` where it has none.
pub fn explain_workflow(
    config: &Config,
    context: &Context,
    repository: &dyn Repository,
) -> Option<Vec<ExplainedRule>> {
    let rules = config.workflow.rules.as_ref()?;
    let conditions = Conditions::new(repository, &context.project.path);
    let predefined = predefined::of_pipeline(context, None);
    let list = variables::of_workflow(context, &predefined, &config.variables);
    Some(explained(rules, &conditions, &Scope::new(&list)))
}

fn explained(rules: &[Rule], conditions: &Conditions<'_>, scope: &Scope<'_>) -> Vec<ExplainedRule> {
    let mut has_matched = false;
    let mut list = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let matches = conditions.rule_matches(rule, scope);
        list.push(ExplainedRule {
            rule: rules::describe(index, rule),
            condition: rule.condition.as_ref().and_then(|condition| traced(condition, scope)),
            changes: rule.changes.as_ref().map(|changes| conditions.has_changes(changes, scope)),
            exists: rule.exists.as_ref().map(|exists| conditions.has_files(exists, scope)),
            matches,
            is_too_late: has_matched,
        });
        has_matched |= matches;
    }
    list
}

fn traced(condition: &str, scope: &Scope<'_>) -> Option<Trace> {
    let expression = Expression::parse(condition).ok()?;
    Some(expression.explain(|name| match name {
        Name::Variable(name) => scope.get(name).map(Value::from),
        Name::Input(_) => None,
    }))
}
