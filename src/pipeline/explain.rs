//! Why a job is in a pipeline or is not, with the value of each condition, for `podline explain`.

mod clause;
mod need;
mod variable;

pub use clause::{Clause, ExplainedRule};
pub use need::{ExplainedNeed, NeedState};
pub use variable::{ExplainedVariable, Withheld, of_workflow};

use super::{
    Pipeline, Repository,
    context::Context,
    create::{Creation, is_manual_itself, needs_of},
    matrix::{self, Instance},
    predefined,
    rules::Conditions,
    variables::{Scope, Shared},
    workflow,
};
use crate::config::{Config, keyword::Job};

/// Why a job is in a pipeline or is not.
#[derive(Debug, Clone)]
pub struct Explanation<'c> {
    /// The job as the configuration says it.
    pub job: &'c Job,
    /// The instance that is explained: the job's key where it has no `parallel`.
    pub name: String,
    /// The other instances of the job.
    pub others: Vec<String>,
    /// Its rules, or what `only` and `except` ask.
    pub rules: Vec<ExplainedRule>,
    /// What it needs; `None` means all jobs of earlier stages.
    pub needs: Option<Vec<ExplainedNeed>>,
    /// Its variables in the order of their names, as far as rules see them where it is left out.
    pub variables: Vec<ExplainedVariable>,
    /// Variables of the project's settings that it does not have.
    pub withheld: Vec<Withheld>,
}

/// Explains a job, named by its key (its first instance is then explained) or as an instance; `None` where
/// there is no such job, or `workflow` leaves no pipeline for it to be in.
pub fn explain<'c>(
    config: &'c Config,
    context: &Context,
    repository: &dyn Repository,
    pipeline: &Pipeline,
    name: &str,
) -> Option<Explanation<'c>> {
    let (job, instance, others) = find(config, name)?;
    let conditions = Conditions::new(repository, &context.project.path);
    let workflow = workflow::decide(config, context, &conditions).ok()?;
    let creation = Creation::new(config, context, &conditions, &workflow);
    let (before, environment) = creation.variables(job, &instance, None, is_manual_itself(job));
    let scope = Scope::new(&before);
    let rules = match &job.rules {
        Some(rules) => clause::of_rules(rules, &conditions, &scope),
        None => clause::of_policy(job, config.workflow.rules.is_some(), context, &conditions, &scope),
    };
    let present = pipeline.find(&instance.name).map(|id| pipeline.job(id));
    let matched = job.rules.as_ref().and_then(|list| {
        let at = rules.iter().position(|rule| rule.decides)?;
        list.get(at)
    });
    let list = present.map_or(&before, |job| &job.variables);
    let environment = environment.as_ref().map(|environment| environment.name.as_str());
    let withheld = variable::withheld(context, list, environment);
    let variables = variable::explained(
        list,
        &variable::Blocks {
            global: &workflow.global,
            job: &job.variables,
            rule: matched.map(|rule| &rule.variables),
        },
    );
    let needs =
        needs_of(job, matched).map(|written| need::explained(config, pipeline, job, &instance, written));
    Some(Explanation { job, name: instance.name, others, rules, needs, variables, withheld })
}

/// The job, the instance that is meant, and the names of the others.
fn find<'c>(config: &'c Config, name: &str) -> Option<(&'c Job, Instance, Vec<String>)> {
    config.jobs.iter().find_map(|job| {
        let mut instances = matrix::instances(job);
        let is_key = job.name.value == name;
        let at = instances.iter().position(|instance| is_key || instance.name == name)?;
        let instance = instances.remove(at);
        Some((job, instance, instances.into_iter().map(|instance| instance.name).collect()))
    })
}

/// The rules of `workflow`; empty where it has none.
pub fn explain_workflow(
    config: &Config,
    context: &Context,
    repository: &dyn Repository,
) -> Vec<ExplainedRule> {
    let Some(rules) = &config.workflow.rules else { return Vec::new() };
    let conditions = Conditions::new(repository, &context.project.path);
    let shared = Shared::new(context, predefined::of_pipeline(context, None), &config.variables);
    let list = shared.of_workflow();
    clause::of_rules(rules, &conditions, &Scope::new(&list))
}
