//! The top level (`Entry::Root`, `Entry::Stages`, `Entry::Workflow`).

use std::collections::HashSet;

use super::{
    context::Context,
    default::{self, OLD},
    fields::Fields,
    job::{self, LONGEST_NAME},
    relations,
    rules::{self, Of},
    value::Value,
    variables::{self, Scope},
};
use crate::config::{
    Tree,
    diagnostic::{Diagnostic, Diagnostics, some_of},
    keyword::{Config, Job, Unresolved, When, Workflow, support},
    node::{Entry, Mapping},
    source::{Span, Spanned},
};

/// Top-level keywords besides [`OLD`].
const KEYWORDS: [&str; 7] = ["default", "include", "spec", "stages", "variables", "workflow", "$schema"];

/// The stages of a configuration that names none.
const DEFAULT_STAGES: [&str; 3] = ["build", "test", "deploy"];

impl Config {
    /// Reads the keywords of an effective tree. What is wrong goes to `diagnostics`, all of it.
    ///
    /// With an include missing, what only it may define is a warning.
    pub fn read(tree: Tree, diagnostics: &mut Diagnostics) -> Self {
        let Tree { root: tree, is_complete, unavailable, mut unresolved } = tree;
        let incomplete = !is_complete;
        let mut cx = Context::new(diagnostics, incomplete);
        let anywhere = tree.iter().next().map(|(_, entry)| entry.key);
        let mut config = Self {
            stages: Vec::new(),
            workflow: Workflow::default(),
            variables: variables::Variables::new(),
            jobs: Vec::new(),
            unavailable,
            unresolved: Vec::new(),
            not_simulated: Vec::new(),
            tree,
        };
        if let Some(span) = anywhere {
            read_top(&mut config, span, &mut unresolved, &mut cx);
        }
        if config.tree.keys().all(|key| !is_job(key)) && !incomplete && unresolved.is_empty() {
            let message = "the configuration should contain at least one visible job";
            cx.report(Diagnostic::error("no-jobs", message, anywhere));
        }
        config.unresolved = unresolved;
        relations::check(&mut config, &mut cx);
        config.not_simulated = cx.not_simulated();
        config
    }
}

fn read_top(config: &mut Config, span: Span, unresolved: &mut Vec<Unresolved>, cx: &mut Context<'_>) {
    let (globals, jobs): (Vec<_>, Vec<_>) =
        config.tree.iter().partition(|(key, _)| OLD.contains(key) || KEYWORDS.contains(key));
    let mut top = Mapping::default();
    for (key, entry) in globals {
        top.insert(key, entry.key, entry.value.clone());
    }
    let fields = Fields::of(&top, span, &"".into());
    fields.ignore(&KEYWORDS);
    let defaults = default::of(&fields, cx);
    config.stages = stages(fields.get("stages").as_ref(), span, cx);
    config.workflow = fields.get("workflow").and_then(|value| workflow(&value, cx)).unwrap_or_default();
    config.variables = fields
        .get("variables")
        .and_then(|value| variables::read(&value, Scope::Global, cx))
        .unwrap_or_default();
    fields.finish(cx);
    let known: HashSet<_> = unresolved.iter().map(|job| job.name.value.clone()).collect();
    for (name, entry) in jobs {
        if !is_job(name) || known.contains(name) || report_mistyped(name, entry, cx) {
            continue;
        }
        match job::read(name, entry, &defaults, cx) {
            job::Read::Job(job) => config.jobs.push(*job),
            job::Read::Unresolved(job) => unresolved.push(job),
            job::Read::Refused => {}
        }
    }
    if config.workflow.rules.is_none() {
        warn_of_two_pipelines(&config.jobs, cx);
    }
}

/// Whether a key names a job that is not hidden.
fn is_job(key: &str) -> bool {
    !key.starts_with('.') && !OLD.contains(&key) && !KEYWORDS.contains(&key)
}

/// Reports a key that is no job, and likely a mistyped global keyword.
fn report_mistyped(name: &str, entry: &Entry, cx: &mut Context<'_>) -> bool {
    let is_like_a_job =
        entry.value.as_mapping().is_some_and(|job| job.keys().any(|key| support::find(key).is_some()));
    if is_like_a_job || cx.incomplete {
        return false;
    }
    let keywords: Vec<_> = KEYWORDS.into_iter().chain(OLD).collect();
    let Some(keyword) = cx.nearest(name, &keywords) else { return false };
    if keyword == "spec" || keyword == "$schema" {
        return false;
    }
    cx.stages_unknown |= keyword == "stages";
    let message = format!("unknown keyword `{name}` at the top level, and no job: it has no `script`");
    let help = format!("did you mean `{keyword}`?");
    cx.report(Diagnostic::error("unknown-keyword", message, entry.key).help(help));
    true
}

fn stages(value: Option<&Value<'_>>, span: Span, cx: &mut Context<'_>) -> Vec<Spanned<String>> {
    let named = match value {
        Some(value) if value.node.as_sequence().is_some() => {
            value.flattened(usize::MAX, cx).unwrap_or_default()
        }
        Some(value) => {
            cx.stages_unknown = true;
            value.expected("an array of strings", cx).unwrap_or_default()
        }
        None => Vec::new(),
    };
    let mut stages: Vec<_> = named.iter().filter_map(|stage| stage.name(cx)).collect();
    for stage in stages.iter().filter(|stage| stage.chars().count() > LONGEST_NAME) {
        let message = format!("the name of a stage has at most {LONGEST_NAME} characters");
        cx.report(Diagnostic::error("too-long", message, stage.span));
    }
    if value.is_none() {
        stages = DEFAULT_STAGES.map(|stage| Spanned::new(stage.to_owned(), span)).to_vec();
    }
    let mut seen: HashSet<String> = [".pre".to_owned(), ".post".to_owned()].into();
    stages.retain(|stage| seen.insert(stage.value.clone()));
    let edge = |name: &str| Spanned::new(name.to_owned(), value.map_or(span, |value| value.span()));
    stages.insert(0, edge(".pre"));
    stages.push(edge(".post"));
    stages
}

fn workflow(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Workflow> {
    let fields = value.fields(cx)?;
    let name = fields.get("name").and_then(|name| name.name(cx));
    if let Some(name) = name.as_ref().filter(|name| name.chars().count() > LONGEST_NAME) {
        let message = format!("`workflow:name` has at most {LONGEST_NAME} characters");
        cx.report(Diagnostic::error("too-long", message, name.span));
    }
    let rules = fields.get("rules").and_then(|rules| rules::read(&rules, Of::Workflow, cx));
    let auto_cancel = fields.get("auto_cancel");
    let cancel = auto_cancel.and_then(|auto_cancel| rules::read_auto_cancel(&auto_cancel, cx));
    fields.finish(cx);
    Some(Workflow { name, rules, cancel_on_job_failure: cancel.unwrap_or(false) })
}

/// GitLab's own warning (`Entry::Processable#validate_against_warnings`), once for all jobs.
fn warn_of_two_pipelines(jobs: &[Job], cx: &mut Context<'_>) {
    let always = |job: &Job| {
        let rule = job.rules.as_ref()?.last()?;
        let conditional = rule.condition.is_some() || rule.changes.is_some() || rule.exists.is_some();
        let changes = !rule.variables.is_empty() || rule.allow_failure.is_some() || rule.needs.is_some();
        let alone = !conditional && !changes && rule.start_in.is_none() && rule.interruptible.is_none();
        (alone && rule.when.is_some_and(|when| when != When::Never)).then_some(rule.span)
    };
    let (names, places): (Vec<_>, Vec<_>) =
        jobs.iter().filter_map(|job| Some((job.name.value.clone(), always(job)?))).unzip();
    let Some(first) = places.first() else { return };
    let message = format!(
        "a push to a branch with a merge request may start two pipelines with {}: the last rule always \
         matches and there is no `workflow:rules`",
        some_of(&names)
    );
    let help = "choose with `workflow:rules` between pipelines of branches and of merge requests";
    cx.report(Diagnostic::warning("two-pipelines", message, *first).help(help));
}
