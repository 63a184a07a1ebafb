//! From the configuration to the jobs that exist.

use std::collections::{HashMap, HashSet};

use indexmap::IndexMap;

use super::{
    LeftOut, Pipeline, Repository,
    context::Context,
    job::{Environment, Job, Origin, Variable},
    matrix::{self, Instance},
    needs::{self, Names, Present},
    policy, predefined,
    predefined::JobFacts,
    rules::{self, Conditions},
    variables::{Collection, OfJob, Parts, Scope, Shared},
    workflow::{self, Decided},
};
use crate::config::{
    Config, Diagnostic, Diagnostics,
    expand::ExpandError,
    keyword::{
        self, Rule, When,
        job::{AllowFailure, EnvironmentAction, TriggerTarget},
    },
};

/// The pipeline that GitLab would create. What makes it refuse is added to `diagnostics`; the jobs that
/// could be made out are there nevertheless.
pub fn create(
    config: &Config,
    context: &Context,
    repository: &dyn Repository,
    diagnostics: &mut Diagnostics,
) -> Pipeline {
    let conditions = Conditions::new(repository, &context.project.path);
    let workflow = match workflow::decide(config, context, &conditions) {
        Ok(workflow) => workflow,
        Err(reason) => return not_created(config, reason),
    };
    let creation = Creation::new(config, context, &conditions, &workflow);
    let (seeds, absent) = creation.seeds(diagnostics);
    if let Some(reason) = nothing_to_run(&seeds) {
        let left_out = left_out(absent, &seeds);
        let in_vain = seeds.iter().map(|seed| LeftOut::new(&seed.instance.name, &reason));
        let left_out = in_vain.chain(left_out).collect();
        return Pipeline { left_out, ..not_created(config, reason) };
    }
    creation.pipeline(seeds, absent, diagnostics)
}

/// Why there is no pipeline although `workflow` allows one.
fn nothing_to_run(seeds: &[Seed<'_>]) -> Option<String> {
    if seeds.is_empty() {
        return Some("no job is in the pipeline for this event".to_owned());
    }
    let is_edge = |seed: &Seed<'_>| matches!(seed.job.stage.as_str(), ".pre" | ".post");
    seeds.iter().all(is_edge).then(|| "only `.pre` and `.post` have jobs".to_owned())
}

fn not_created(config: &Config, reason: String) -> Pipeline {
    let jobs = config.jobs.iter().map(|job| &job.name);
    Pipeline {
        name: None,
        stages: Vec::new(),
        jobs: Vec::new(),
        left_out: jobs.map(|name| LeftOut::new(name, &reason)).collect(),
        unresolved: unresolved(config),
        cancel_on_job_failure: false,
        not_simulated: config.not_simulated.clone(),
        filtered: Some(reason),
    }
}

/// What all jobs are created from.
pub(super) struct Creation<'c, 'r> {
    config: &'c Config,
    context: &'c Context,
    conditions: &'c Conditions<'r>,
    workflow: &'c Decided,
    variables: Shared,
    /// Indices of the stages.
    stages: HashMap<&'c str, usize>,
}

/// A job that is in the pipeline, before names in it are resolved.
struct Seed<'c> {
    job: &'c keyword::Job,
    instance: Instance,
    stage: usize,
    rule: Option<usize>,
    reason: String,
    tags: Vec<String>,
    /// Its variables and environment, as far as rules see them.
    variables: Collection,
    environment: Option<Environment>,
}

/// Instances that are not in the pipeline: the job's key, the instance, the reason.
type Absent = Vec<(String, String, String)>;

impl<'c, 'r> Creation<'c, 'r> {
    pub(super) fn new(
        config: &'c Config,
        context: &'c Context,
        conditions: &'c Conditions<'r>,
        workflow: &'c Decided,
    ) -> Self {
        let predefined = predefined::of_pipeline(context, workflow.name.as_deref());
        let variables = Shared::new(context, predefined, &workflow.global);
        // The first of a name counts.
        let stages = config.stages.iter().enumerate().rev().map(|(at, stage)| (stage.as_str(), at)).collect();
        Self { config, context, conditions, workflow, variables, stages }
    }

    /// The jobs that are in, by stage and position, and those that are not.
    fn seeds(&self, diagnostics: &mut Diagnostics) -> (Vec<Seed<'c>>, Absent) {
        // Of two instances with one name, the later replaces the earlier.
        let mut all: IndexMap<String, (&'c keyword::Job, Instance)> = IndexMap::new();
        for job in &self.config.jobs {
            for instance in matrix::instances(job) {
                all.insert(instance.name.clone(), (job, instance));
            }
        }
        let (mut seeds, mut absent) = (Vec::new(), Vec::new());
        for (name, (job, instance)) in all {
            match self.seed(job, instance, diagnostics) {
                Ok(seed) => seeds.push(seed),
                Err(reason) => absent.push((job.name.value.clone(), name, reason)),
            }
        }
        seeds.sort_by_key(|seed| seed.stage);
        (seeds, absent)
    }

    /// Decides over one instance.
    fn seed(
        &self,
        job: &'c keyword::Job,
        instance: Instance,
        diagnostics: &mut Diagnostics,
    ) -> Result<Seed<'c>, String> {
        let is_manual = is_manual_itself(job);
        let (variables, environment) = self.variables(job, &instance, None, is_manual);
        let scope = Scope::new(&variables);
        let (rule, reason) = match &job.rules {
            Some(rules) => {
                let (index, reason) = self.rule(rules, &scope)?;
                (Some(index), reason)
            }
            None => {
                let has_workflow_rules = self.config.workflow.rules.is_some();
                let reason = policy::decide(job, has_workflow_rules, self.context, self.conditions, &scope)?;
                (None, reason)
            }
        };
        if let Some(error) = scope.expansion_error() {
            let code =
                if matches!(error, ExpandError::Cycle(_)) { "variable-cycle" } else { "variable-too-big" };
            let message = format!("`{}`: {error}", job.name.value);
            diagnostics.push(Diagnostic::error(code, message, job.name.span));
        }
        Ok(Seed {
            stage: self.stages.get(job.stage.as_str()).copied().unwrap_or(self.config.stages.len()),
            rule,
            reason,
            // As upstream, variables of the matched rule are not there yet.
            tags: job.tags.iter().map(|tag| scope.expand_once(tag)).collect(),
            job,
            instance,
            variables,
            environment,
        })
    }

    fn rule(&self, rules: &[Rule], scope: &Scope<'_>) -> Result<(usize, String), String> {
        let index = self.conditions.first_match(rules, scope).ok_or("no rule matched")?;
        match &rules[index] {
            Rule { when: Some(When::Never), .. } => {
                Err(format!("`rules: when: never` matched (rule {})", index + 1))
            }
            rule => Ok((index, rules::describe(index, rule))),
        }
    }

    /// The variables of an instance, and its environment, whose name and URL are made from them and
    /// become variables in turn.
    pub(super) fn variables(
        &self,
        job: &keyword::Job,
        instance: &Instance,
        rule: Option<&Rule>,
        is_manual: bool,
    ) -> (Collection, Option<Environment>) {
        let parts = Parts {
            inherit: &job.inherit_variables,
            own: &job.variables,
            matrix: &instance.variables,
            rule: rule.map(|rule| &rule.variables),
            environment: None,
        };
        let with = |variables: &OfJob, environment: Option<&Environment>| {
            variables.over(predefined::of_job(&JobFacts {
                name: &instance.name,
                group: &job.name,
                stage: &job.stage,
                image: job.image.as_ref().map(|image| image.name.as_str()),
                is_manual,
                instance: instance.position,
                environment,
                tier: job.environment.as_ref().and_then(|environment| environment.tier.as_deref()),
            }))
        };
        let unscoped = self.variables.of_job(parts);
        let list = with(&unscoped, None);
        let Some(written) = &job.environment else { return (list, None) };
        let name = Scope::new(&list).expand(&written.name);
        let variables = match self.variables.has_scopes() {
            true => self.variables.of_job(Parts { environment: Some(&name), ..parts }),
            false => unscoped,
        };
        let mut environment = Environment { name: name.clone(), url: None, action: written.action };
        let list = with(&variables, Some(&environment));
        let Some(url) = &written.url else { return (list, Some(environment)) };
        // A dotenv report may still bring what is unknown now.
        environment.url = Some(Scope::new(&list).expand_existing(url));
        (with(&variables, Some(&environment)), Some(environment))
    }

    /// The same once rules are decided: most often what they have seen.
    fn final_variables(
        &self,
        seed: &Seed<'c>,
        rule: Option<&Rule>,
        when: When,
    ) -> (Collection, Option<Environment>) {
        let rule = rule.filter(|rule| !rule.variables.is_empty());
        let is_manual = when == When::Manual;
        if rule.is_none() && is_manual == is_manual_itself(seed.job) {
            return (seed.variables.clone(), seed.environment.clone());
        }
        self.variables(seed.job, &seed.instance, rule, is_manual)
    }

    fn pipeline(&self, seeds: Vec<Seed<'c>>, absent: Absent, diagnostics: &mut Diagnostics) -> Pipeline {
        let reasons: HashMap<String, String> =
            absent.iter().map(|(_, name, reason)| (name.clone(), reason.clone())).collect();
        let present = seeds.iter().map(|seed| Present {
            name: seed.instance.name.clone(),
            stage: seed.stage,
            has_artifacts: seed.job.artifacts.is_some(),
        });
        let mut names = Names::new(self.config, present, reasons, diagnostics);
        let jobs: Vec<Job> = seeds.iter().map(|seed| self.job(seed, &mut names, diagnostics)).collect();
        names.warn_of_unresolved(diagnostics);
        report_cycle(&jobs, diagnostics);
        let mut stages: Vec<String> = Vec::new();
        for job in &jobs {
            if stages.last() != Some(&job.stage) {
                stages.push(job.stage.clone());
            }
        }
        Pipeline {
            name: self.workflow.name.clone(),
            stages,
            jobs,
            left_out: left_out(absent, &seeds),
            unresolved: unresolved(self.config),
            cancel_on_job_failure: self.workflow.cancel_on_job_failure,
            not_simulated: self.config.not_simulated.clone(),
            filtered: None,
        }
    }

    fn job(&self, seed: &Seed<'c>, names: &mut Names<'c>, diagnostics: &mut Diagnostics) -> Job {
        let Seed { job, instance, .. } = seed;
        let rule = seed.rule.and_then(|index| job.rules.as_ref()?.get(index));
        let when = rule.and_then(|rule| rule.when).or(job.when.as_deref().copied()).unwrap_or_default();
        let written = needs_of(job, rule);
        // GitLab looks for the jobs that a job names itself, whatever a rule then names, and for no others
        let mut found = |written, must_be_there| {
            names.needs(job, instance, seed.stage, (written, must_be_there), diagnostics)
        };
        let own = job.needs.as_deref().map(|own| found(own, true));
        let needs = needs_of_rule(rule).map(|of_rule| found(of_rule, false)).or(own);
        let artifacts_from = names.artifacts_from(job, seed.stage, needs.as_deref(), diagnostics);
        let (mut variables, environment) = self.final_variables(seed, rule, when);
        if !job.token_variables.is_empty() {
            variables.prepend(job.token_variables.iter().map(|name| dummy(name)));
        }
        let scope = Scope::new(&variables);
        let resource_group = job.resource_group.as_ref().map(|group| scope.expand(group));
        Job {
            name: instance.name.clone(),
            key: job.name.clone(),
            instance: instance.position,
            stage: job.stage.value.clone(),
            when,
            start_in: rule
                .and_then(|rule| rule.start_in.as_ref())
                .or(job.start_in.as_ref())
                .map(|delay| delay.value),
            allow_failure: allow_failure(job, rule),
            needs,
            artifacts_from,
            artifacts_from_pipelines: needs::of_pipelines(written.unwrap_or_default()),
            matched_rule: seed.rule,
            reason: seed.reason.clone(),
            held: held(job, environment.as_ref()),
            script: job.before_script.iter().chain(&job.script).cloned().collect(),
            after_script: job.after_script.clone(),
            pre_get_sources_script: job.pre_get_sources_script.clone(),
            image: job.image.clone(),
            services: job.services.clone(),
            artifacts: job.artifacts.clone(),
            cache: job.cache.clone(),
            retry: job.retry.clone(),
            timeout: job.timeout.as_ref().map(|timeout| timeout.value),
            interruptible: rule.and_then(|rule| rule.interruptible).unwrap_or(job.interruptible),
            tags: seed.tags.clone(),
            resource_group: resource_group.filter(|group| !group.is_empty()),
            environment,
            trigger: job.trigger.clone(),
            coverage: job.coverage.as_ref().map(|pattern| pattern.value.clone()),
            span: job.name.span,
            variables,
        }
    }
}

/// The absent instances; those of one job that share a reason go by the job's name.
fn left_out(absent: Absent, seeds: &[Seed<'_>]) -> Vec<LeftOut> {
    let mut list: Vec<LeftOut> = Vec::new();
    let present: HashSet<&str> = seeds.iter().map(|seed| seed.job.name.as_str()).collect();
    for (key, name, reason) in absent {
        let name = if present.contains(key.as_str()) { name } else { key };
        let left_out = LeftOut { name, reason };
        if list.last() != Some(&left_out) {
            list.push(left_out);
        }
    }
    list
}

fn unresolved(config: &Config) -> Vec<LeftOut> {
    config.unresolved.iter().map(|job| LeftOut::new(&job.name, &job.reason)).collect()
}

/// `needs` of the matched rule, or the job's.
pub(super) fn needs_of<'c>(
    job: &'c keyword::Job,
    rule: Option<&'c Rule>,
) -> Option<&'c [keyword::job::Need]> {
    needs_of_rule(rule).or(job.needs.as_deref())
}

/// `needs` of a rule; an empty list changes nothing (`Rules::Result#build_attributes`).
fn needs_of_rule(rule: Option<&Rule>) -> Option<&[keyword::job::Need]> {
    rule.and_then(|rule| rule.needs.as_deref()).filter(|needs| !needs.is_empty())
}

/// Whether a job is manual whatever its rules say.
pub(super) fn is_manual_itself(job: &keyword::Job) -> bool {
    job.when.as_deref() == Some(&When::Manual)
}

/// A job that is manual by itself may fail; one that a rule makes manual blocks.
fn allow_failure(job: &keyword::Job, rule: Option<&Rule>) -> AllowFailure {
    let by_rule = rule.and_then(|rule| rule.allow_failure.clone());
    by_rule.or_else(|| job.allow_failure.clone()).unwrap_or(AllowFailure::Always(is_manual_itself(job)))
}

/// Why podline does not start a job by itself.
fn held(job: &keyword::Job, environment: Option<&Environment>) -> Option<String> {
    let deploys = environment.and_then(|environment| match environment.action {
        EnvironmentAction::Start => Some(format!("would deploy to `{}`", environment.name)),
        EnvironmentAction::Stop => Some(format!("would stop `{}`", environment.name)),
        EnvironmentAction::Prepare | EnvironmentAction::Verify | EnvironmentAction::Access => None,
    });
    let triggers = job.trigger.as_ref().and_then(|trigger| match &trigger.target {
        TriggerTarget::Project { project, .. } => {
            Some(format!("would start a pipeline of `{}`", project.value))
        }
        TriggerTarget::Child(_) => None,
    });
    triggers.or(deploys).or_else(|| job.release.map(|_| "would create a release".to_owned()))
}

/// A stand-in for a token that only a server can sign.
fn dummy(name: &str) -> Variable {
    Variable { raw: true, ..Variable::new(name, "podline-dummy-token", Origin::Predefined) }
}

fn report_cycle(jobs: &[Job], diagnostics: &mut Diagnostics) {
    let needs: Vec<_> = jobs.iter().map(|job| job.needs.clone()).collect();
    // `needs` of jobs are checked where they are read; only those of rules are left.
    let is_known = |known: &Diagnostic| matches!(known.code, "circular-needs" | "needs-itself");
    let Some(cycle) = needs::cycle(&needs).filter(|_| !diagnostics.iter().any(is_known)) else { return };
    let names: Vec<String> = cycle.iter().map(|id| format!("`{}`", jobs[id.0].name)).collect();
    let first = &jobs[cycle[0].0];
    let message = format!("jobs need each other: {} and again {}", names.join(", "), names[0]);
    diagnostics
        .push(Diagnostic::error("circular-needs", message, first.span).help("remove one of these needs"));
}
