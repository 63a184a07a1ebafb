//! What jobs say about stages and other jobs (`Gitlab::Ci::YamlProcessor#run_logical_validations!`).
//!
//! Which jobs are in a pipeline depends on rules and is not known here: only names that no job of
//! the configuration has are mistakes.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    fmt::Write as _,
};

use indexmap::IndexMap;

use super::{context::Context, trigger};
use crate::config::{
    diagnostic::{Diagnostic, some_of},
    keyword::{
        Config, Job,
        job::{EnvironmentAction, Need, NeedTarget, Parallel, TriggerTarget},
    },
    source::{Span, Spanned},
};

/// How many stages a message lists.
const LISTED: usize = 20;

/// Checks them all; a stage that only a missing include can define is added before `.post`.
pub(super) fn check(config: &mut Config, cx: &mut Context<'_>) {
    check_stages(config, cx);
    let known = Known::new(config);
    for job in &config.jobs {
        for dependency in job.dependencies.iter().flatten() {
            known.check("dependency", job, dependency, dependency.span, cx);
        }
        check_dependencies_are_needed(job, cx);
        check_needs(&known, job, job.needs.as_deref(), cx);
        for rule in job.rules.iter().flatten() {
            check_needs(&known, job, rule.needs.as_deref(), cx);
        }
        if let Some(TriggerTarget::Child(include)) = job.trigger.as_ref().map(|trigger| &trigger.target) {
            for artifact in trigger::artifact_jobs(include) {
                known.check("dependency", job, &artifact, artifact.span, cx);
            }
        }
        check_on_stop(&known, job, cx);
    }
    check_circles(&known, &config.jobs, cx);
    warn_of_elsewhere(known.elsewhere.into_inner(), cx);
}

/// Names each job once that only an include which could not be read may define.
fn warn_of_elsewhere(elsewhere: Elsewhere, cx: &mut Context<'_>) {
    for ((word, on), (span, jobs)) in elsewhere {
        let message = format!("`{on}`, a {word} of {}, is in no file that could be read", some_of(&jobs));
        let help = "an include that could not be read may define it; it is left out here";
        cx.report(Diagnostic::warning("unknown-job", message, span).help(help));
    }
}

fn check_stages(config: &mut Config, cx: &mut Context<'_>) {
    let mut stages = config.stages.clone();
    let mut known: HashSet<String> = stages.iter().map(|stage| stage.value.clone()).collect();
    for job in &config.jobs {
        if cx.stages_unknown || known.contains(&job.stage.value) {
            continue;
        }
        let available: Vec<_> = stages.iter().map(|stage| stage.as_str()).collect();
        let message = format!("stage `{}` of job `{}` does not exist", job.stage.value, job.name.value);
        let mut help =
            format!("available stages are {}", available[..available.len().min(LISTED)].join(", "));
        if available.len() > LISTED {
            let _ = write!(help, " and {} more", available.len() - LISTED);
        }
        if let Some(stage) = cx.nearest(&job.stage, &available) {
            help = format!("did you mean `{stage}`? {help}");
        }
        if !cx.incomplete {
            cx.report(Diagnostic::error("unknown-stage", message, job.stage.span).help(help));
            continue;
        }
        let help = "an include that could not be read may define it; it is taken for the last one";
        cx.report(Diagnostic::warning("unknown-stage", message, job.stage.span).help(help));
        known.insert(job.stage.value.clone());
        stages.insert(stages.len().saturating_sub(1), job.stage.clone());
    }
    config.stages = stages;
}

/// The jobs that can be referred to: by name, or by the name of a parallel instance.
struct Known<'c> {
    stages: HashMap<String, Option<usize>>,
    names: Vec<&'c str>,
    jobs: HashMap<&'c str, &'c Job>,
    unresolved: HashSet<&'c str>,
    elsewhere: RefCell<Elsewhere>,
}

/// By the word and the name of what is missing: where it is first asked for, and the jobs that do.
type Elsewhere = IndexMap<(&'static str, String), (Span, Vec<String>)>;

impl<'c> Known<'c> {
    fn new(config: &'c Config) -> Self {
        // The first of a name counts.
        let stages = config.stages.iter().enumerate().rev();
        let indices: HashMap<&str, usize> = stages.map(|(at, stage)| (stage.as_str(), at)).collect();
        let mut stages = HashMap::new();
        for job in &config.jobs {
            let stage = indices.get(job.stage.as_str()).copied();
            stages.extend(instances(job).into_iter().map(|name| (name, stage)));
            stages.insert(job.name.value.clone(), stage);
        }
        Self {
            stages,
            names: config.jobs.iter().map(|job| job.name.as_str()).collect(),
            jobs: config.jobs.iter().map(|job| (job.name.as_str(), job)).collect(),
            unresolved: config.unresolved.iter().map(|job| job.name.as_str()).collect(),
            elsewhere: RefCell::default(),
        }
    }

    /// Reports a `word` (dependency or need) of `job` on a job that is not there, or that comes later.
    fn check(&self, word: &'static str, job: &Job, on: &str, span: Span, cx: &mut Context<'_>) {
        if self.unresolved.contains(on) || bases(on).any(|name| self.unresolved.contains(name)) {
            return;
        }
        let Some(stage) = self.stages.get(on) else {
            if cx.incomplete {
                let mut elsewhere = self.elsewhere.borrow_mut();
                let (_, jobs) = elsewhere.entry((word, on.to_owned())).or_insert((span, Vec::new()));
                jobs.push(job.name.value.clone());
                return;
            }
            let message = format!("job `{}` has an undefined {word}: `{on}`", job.name.value);
            let mut diagnostic = Diagnostic::error("unknown-job", message, span);
            if let Some(name) = cx.nearest(on, &self.names) {
                diagnostic = diagnostic.help(format!("did you mean `{name}`?"));
            }
            cx.report(diagnostic);
            return;
        };
        let (Some(theirs), Some(Some(own))) = (stage, self.stages.get(&job.name.value)) else { return };
        if theirs > own && !cx.incomplete {
            let message =
                format!("{word} `{on}` of job `{}` is not in its stage or an earlier one", job.name.value);
            let help = "a job can only wait for jobs of its own stage and of those before";
            cx.report(Diagnostic::error("later-stage", message, span).help(help));
        }
    }
}

/// The jobs that a name can be a parallel instance of.
fn bases(name: &str) -> impl Iterator<Item = &str> {
    let matrix = name.match_indices(": [").map(|(at, _)| &name[..at]);
    matrix.chain(name.rsplit_once(' ').map(|(base, _)| base))
}

/// The names of a job's parallel instances (`Gitlab::Ci::Config::Normalizer`).
fn instances(job: &Job) -> Vec<String> {
    let name = &job.name.value;
    match &job.parallel {
        None => Vec::new(),
        Some(Parallel::Count(total)) => (1..=*total).map(|at| format!("{name} {at}/{total}")).collect(),
        Some(Parallel::Matrix(matrix)) => matrix
            .iter()
            .flat_map(|entry| {
                entry.iter().fold(vec![String::new()], |tuples, (_, values)| {
                    let longer = |tuple: &String| {
                        let comma = if tuple.is_empty() { "" } else { ", " };
                        values.iter().map(|value| format!("{tuple}{comma}{value}")).collect::<Vec<_>>()
                    };
                    tuples.iter().flat_map(longer).collect()
                })
            })
            .map(|tuple| format!("{name}: [{tuple}]"))
            .collect(),
    }
}

fn check_needs(known: &Known<'_>, job: &Job, needs: Option<&[Need]>, cx: &mut Context<'_>) {
    let mut seen: HashMap<&str, Span> = HashMap::new();
    for need in needs.unwrap_or_default() {
        let NeedTarget::Job { name, matrix } = &need.target else { continue };
        if name == &job.name.value {
            let message = format!("job `{name}` needs itself");
            cx.report(Diagnostic::error("needs-itself", message, need.span));
            continue;
        }
        let exists = known.stages.contains_key(name.as_str());
        if exists || !need.optional {
            known.check("need", job, name, need.span, cx);
        }
        if matrix.is_none()
            && let Some(first) = seen.insert(name, need.span)
        {
            let message = format!("job `{}` needs `{name}` twice", job.name.value);
            let diagnostic = Diagnostic::error("duplicate-need", message, need.span);
            cx.report(diagnostic.related(first, "the first time"));
        }
    }
}

fn check_dependencies_are_needed(job: &Job, cx: &mut Context<'_>) {
    let (Some(dependencies), Some(needs)) = (&job.dependencies, &job.needs) else { return };
    let needed: HashSet<&str> = needs
        .iter()
        .filter_map(|need| match &need.target {
            NeedTarget::Job { name, .. } => Some(name.as_str()),
            _ => None,
        })
        .collect();
    if needs.is_empty() {
        return;
    }
    for dependency in dependencies.iter().filter(|dependency| !needed.contains(dependency.as_str())) {
        let message = format!(
            "dependency `{}` of job `{}` should be part of `needs`",
            dependency.value, job.name.value
        );
        let help = "with `needs`, artifacts come from needed jobs only: add it there, or drop `dependencies`";
        cx.report(Diagnostic::error("dependency-not-needed", message, dependency.span).help(help));
    }
}

/// `environment:on_stop` names a job that stops the same environment.
fn check_on_stop(known: &Known<'_>, job: &Job, cx: &mut Context<'_>) {
    let Some(environment) = &job.environment else { return };
    let Some(on_stop) = &environment.on_stop else { return };
    let Some(stop) = known.jobs.get(on_stop.as_str()) else {
        if !cx.incomplete {
            report_on_stop(job, on_stop, "is not defined", cx);
        }
        return;
    };
    match &stop.environment {
        None => report_on_stop(job, on_stop, "has no `environment`", cx),
        Some(other) if other.name.value != environment.name.value => {
            report_on_stop(job, on_stop, "has an environment of another name", cx);
        }
        Some(other) if other.action != EnvironmentAction::Stop => {
            report_on_stop(job, on_stop, "needs `environment:action: stop`", cx);
        }
        Some(_) => {}
    }
}

fn report_on_stop(job: &Job, on_stop: &Spanned<String>, what: &str, cx: &mut Context<'_>) {
    let message = format!("the `on_stop` job `{}` of job `{}` {what}", on_stop.value, job.name.value);
    cx.report(Diagnostic::error("bad-on-stop", message, on_stop.span));
}

/// Reports needs that lead back to where they started (`Gitlab::Ci::YamlProcessor::Dag`).
///
/// A walk in depth without recursion: a file may hold a chain of any length.
fn check_circles(known: &Known<'_>, jobs: &[Job], cx: &mut Context<'_>) {
    let mut done: HashSet<&str> = HashSet::new();
    for job in jobs {
        let mut path = vec![(job.name.as_str(), 0)];
        let mut on_path: HashSet<&str> = [job.name.as_str()].into();
        while let Some((name, at)) = path.last_mut() {
            let name = *name;
            let needs = known.jobs.get(name).and_then(|job| job.needs.as_deref()).unwrap_or_default();
            let next = needs.get(*at).filter(|_| !done.contains(name));
            *at += 1;
            let Some(need) = next else {
                path.pop();
                on_path.remove(name);
                done.insert(name);
                continue;
            };
            let NeedTarget::Job { name: needed, .. } = &need.target else { continue };
            if needed != name && on_path.contains(needed.as_str()) {
                report_circle(&path, needed, need.span, cx);
            } else if needed != name && on_path.insert(needed) {
                path.push((needed, 0));
            }
        }
    }
}

fn report_circle(path: &[(&str, usize)], needed: &str, span: Span, cx: &mut Context<'_>) {
    let start = path.iter().position(|(name, _)| *name == needed).unwrap_or(0);
    let names = path[start..].iter().map(|(name, _)| *name).chain([needed]);
    let circle: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    let message = format!("the needs of jobs form a circle: {}", circle.join(" needs "));
    cx.report(Diagnostic::error("circular-needs", message, span));
}
