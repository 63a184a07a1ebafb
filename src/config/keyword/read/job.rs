//! One job (`Entry::Processable`, `Entry::Job`, `Entry::Bridge`).

use std::rc::Rc;

use super::{
    accepted,
    context::Context,
    default::{self, Defaults},
    duration, environment,
    fields::Fields,
    needs, parallel, policy, release, retry,
    rules::{self, Of},
    run, script, secrets, trigger,
    value::Value,
    variables::{self, Scope},
};
use crate::config::{
    diagnostic::Diagnostic,
    keyword::{
        Unresolved,
        duration::{LONGEST_DELAY, LONGEST_TIMEOUT},
        job::{Artifacts, Job, UploadWhen},
        rules::When,
    },
    node::Entry,
    source::{Span, Spanned},
};

/// The stage of a job that names none.
const DEFAULT_STAGE: &str = "test";

/// The longest name of a job, and of a stage.
pub(super) const LONGEST_NAME: usize = 255;

/// The words of a job's `when`; the first four are those of a trigger job.
const WHEN: [(&str, When); 5] = [
    ("on_success", When::OnSuccess),
    ("on_failure", When::OnFailure),
    ("always", When::Always),
    ("manual", When::Manual),
    ("delayed", When::Delayed),
];

/// Keywords that a trigger job cannot have.
const SCRIPT_ONLY: [&str; 24] = [
    "script",
    "run",
    "tags",
    "image",
    "services",
    "start_in",
    "artifacts",
    "cache",
    "dependencies",
    "before_script",
    "after_script",
    "hooks",
    "coverage",
    "retry",
    "timeout",
    "release",
    "id_tokens",
    "identity",
    "publish",
    "pages",
    "manual_confirmation",
    "secrets",
    "dast_configuration",
    "inputs",
];

/// What a job came to.
pub(super) enum Read {
    /// A job to run.
    Job(Box<Job>),
    /// A job that podline cannot run, with the reason.
    Unresolved(Unresolved),
    /// Nothing: its mistake is reported.
    Refused,
}

/// Reads one job.
pub(super) fn read(name: &str, entry: &Entry, defaults: &Defaults, cx: &mut Context<'_>) -> Read {
    let owner: Rc<str> = format!(" of job `{name}`").into();
    let name = Spanned::new(name.to_owned(), entry.key);
    check_name(&name, cx);
    let Some(mapping) = entry.value.as_mapping() else {
        return without_script(name, cx);
    };
    let fields = Fields::of(mapping, entry.key, &owner);
    fields.ignore(&["extends"]);
    let mut job = common(name, &fields, cx);
    let (inherit, inherit_variables) =
        fields.get("inherit").and_then(|value| default::inherit(&value, cx)).unwrap_or_default();
    job.inherit_variables = inherit_variables;
    if let Some(value) = fields.get("trigger") {
        job.trigger = trigger::read(&value, cx);
        job.parallel = fields.get("parallel").and_then(|value| parallel::trigger_matrix(&value, cx));
        let own = fields.get("interruptible").and_then(|value| value.boolean(cx));
        let inherited = defaults.interruptible.filter(|_| inherit.takes("interruptible"));
        job.interruptible = own.or(inherited).unwrap_or(false);
        refuse_script_keywords(&fields, cx);
        if let Some(hash) = fields.get("allow_failure").filter(|value| value.node.as_mapping().is_some()) {
            hash.expected::<()>("a boolean in a trigger job", cx);
        }
        needs::check_of_trigger(&job, cx);
        fields.finish(cx);
        return if job.trigger.is_some() { Read::Job(Box::new(job)) } else { Read::Refused };
    }
    read_script_job(job, &fields, |own| own.over(defaults, &inherit), cx)
}

/// The keywords of every kind of job.
fn common(name: Spanned<String>, fields: &Fields<'_>, cx: &mut Context<'_>) -> Job {
    let stage = fields.get("stage").and_then(|stage| stage.name(cx));
    let variables = fields.get("variables").and_then(|value| variables::read(&value, Scope::Job, cx));
    let words = if fields.get("trigger").is_some() { &WHEN[..4] } else { &WHEN[..] };
    let stage = stage.unwrap_or_else(|| Spanned::new(DEFAULT_STAGE.to_owned(), name.span));
    let mut job = Job::new(name, stage);
    job.variables = variables.unwrap_or_default();
    job.rules = fields.get("rules").and_then(|value| rules::read(&value, Of::Job, cx));
    job.only = fields.get("only").and_then(|value| policy::read(&value, cx));
    job.except = fields.get("except").and_then(|value| policy::read(&value, cx));
    job.when = fields.get("when").and_then(|value| when(&value, words, cx));
    job.allow_failure = fields.get("allow_failure").and_then(|value| retry::allow_failure(&value, cx));
    job.needs = fields.get("needs").and_then(|value| needs::read(&value, cx));
    job.resource_group = fields.get("resource_group").and_then(|value| value.name(cx));
    job.environment = fields.get("environment").and_then(|value| environment::read(&value, cx));
    refuse_beside_rules(fields, cx);
    job
}

fn when(value: &Value<'_>, words: &[(&str, When)], cx: &mut Context<'_>) -> Option<Spanned<When>> {
    if value.node.as_str() == Some("never") {
        let help = "to leave the job out, use `rules: [{when: never}]`, or hide it with a leading dot";
        cx.report(value.error("unknown-value", "can be `never` only in `rules`").help(help));
        return None;
    }
    Some(Spanned::new(value.choice(words, cx)?, value.span()))
}

fn refuse_beside_rules(fields: &Fields<'_>, cx: &mut Context<'_>) {
    if fields.get("rules").is_none() {
        return;
    }
    for keyword in ["only", "except", "start_in"] {
        if let (Some(_), Some(key)) = (fields.get(keyword), fields.key(keyword)) {
            let message = format!("`{keyword}`{} may not be used with `rules`", fields.owner);
            let mut diagnostic = Diagnostic::error("conflicting-keywords", message, key);
            diagnostic.related.extend(fields.key("rules").map(|key| (key, "the rules".to_owned())));
            cx.report(diagnostic);
        }
    }
}

fn refuse_script_keywords(fields: &Fields<'_>, cx: &mut Context<'_>) {
    for keyword in SCRIPT_ONLY {
        refuse_together(fields, [keyword, "trigger"], keyword, cx);
    }
    fields.ignore(&SCRIPT_ONLY);
}

/// Reports two keywords of which a job can have one, if the one that is shown is there.
fn refuse_together(fields: &Fields<'_>, [one, other]: [&str; 2], shown: &str, cx: &mut Context<'_>) {
    if let Some(key) = fields.key(shown) {
        let message = format!("`{one}` and `{other}`{} cannot be used together", fields.owner);
        cx.report(Diagnostic::error("conflicting-keywords", message, key));
    }
}

fn read_script_job(
    mut job: Job,
    fields: &Fields<'_>,
    inherit: impl FnOnce(Defaults) -> Defaults,
    cx: &mut Context<'_>,
) -> Read {
    let shared = inherit(default::read(fields, cx));
    job.before_script = shared.before_script.unwrap_or_default();
    job.after_script = shared.after_script.unwrap_or_default();
    job.pre_get_sources_script = shared.pre_get_sources_script.unwrap_or_default();
    job.image = shared.image;
    job.services = shared.services.unwrap_or_default();
    job.cache = shared.cache.unwrap_or_default();
    job.artifacts = shared.artifacts;
    job.retry = shared.retry.unwrap_or_default();
    job.interruptible = shared.interruptible.unwrap_or(false);
    job.tags = shared.tags.unwrap_or_default();
    job.token_variables = shared.id_tokens.unwrap_or_default();
    job.parallel = fields.get("parallel").and_then(|value| parallel::read(&value, cx));
    job.dependencies = fields.get("dependencies").and_then(|value| value.strings(cx));
    job.timeout = fields.get("timeout").and_then(|value| duration::read(&value, LONGEST_TIMEOUT, cx));
    job.coverage = fields.get("coverage").and_then(|value| accepted::coverage(&value, cx));
    read_delay(&mut job, fields, cx);
    read_server_keywords(&mut job, fields, cx);
    let read = match (fields.written("script"), fields.get("run")) {
        (Some(value), steps) => {
            if steps.is_some() {
                refuse_together(fields, ["run", "script"], "run", cx);
            }
            needs::refuse_mirror(&job, cx);
            let script = script::required_script(&value, cx);
            job.script = script.unwrap_or_default();
            Read::Job(Box::new(job))
        }
        (None, Some(steps)) => {
            for keyword in ["before_script", "after_script"] {
                refuse_together(fields, ["run", keyword], keyword, cx);
            }
            run::check(&steps, cx);
            let reason = "`run`, an experiment of GitLab's, is not simulated".to_owned();
            Read::Unresolved(Unresolved { name: job.name, reason })
        }
        (None, None) => nothing_to_run(job, cx),
    };
    fields.finish(cx);
    read
}

/// A job without script, steps or trigger: it may mirror another pipeline's status, the old way.
fn nothing_to_run(job: Job, cx: &mut Context<'_>) -> Read {
    use crate::config::keyword::job::NeedTarget;
    let needs = job.needs.iter().flatten();
    if needs.map(|need| &need.target).any(|need| matches!(need, NeedTarget::Pipeline { job: None, .. })) {
        needs::check_of_trigger(&job, cx);
        let reason = "`needs:pipeline` mirrors the status of a pipeline on GitLab".to_owned();
        return Read::Unresolved(Unresolved { name: job.name, reason });
    }
    if cx.incomplete {
        return without_script(job.name, cx);
    }
    without_script(job.name.clone(), cx);
    // the rest of it is checked all the same, and others may need it
    Read::Job(Box::new(job))
}

fn without_script(name: Spanned<String>, cx: &mut Context<'_>) -> Read {
    if cx.incomplete {
        let reason = "no file that could be read gives it a `script`, `run` or `trigger`".to_owned();
        return Read::Unresolved(Unresolved { name, reason });
    }
    let message = format!("job `{}` has no `script`, `run` or `trigger`", name.value);
    let help = "give it a `script`, or hide it with a leading dot if it is only extended";
    cx.report(Diagnostic::error("no-script", message, name.span).help(help));
    Read::Refused
}

fn check_name(name: &Spanned<String>, cx: &mut Context<'_>) {
    if name.trim().is_empty() {
        cx.report(Diagnostic::error("bad-name", "a job's name can't be blank", name.span));
    }
    if name.chars().count() > LONGEST_NAME {
        let message = format!("a job's name has at most {LONGEST_NAME} characters");
        cx.report(Diagnostic::error("too-long", message, name.span));
    }
    if matches!(name.as_str(), "true" | "false" | "nil") {
        let message = format!("`{}` cannot be the name of a job", name.value);
        cx.report(Diagnostic::error("reserved-name", message, name.span));
    }
}

/// `start_in` belongs to `when: delayed`.
fn read_delay(job: &mut Job, fields: &Fields<'_>, cx: &mut Context<'_>) {
    let delayed = job.when.as_ref().is_some_and(|when| when.value == When::Delayed);
    match fields.get("start_in") {
        Some(value) if delayed => job.start_in = duration::read(&value, LONGEST_DELAY, cx),
        Some(value) if job.rules.is_none() => {
            cx.report(value.error("start-in-without-delay", "needs `when: delayed` beside it"));
        }
        None if delayed && job.rules.is_none() => {
            fields.required("start_in", cx);
        }
        None if delayed => {
            let message = format!("`when: delayed`{} may not be used with `rules`", fields.owner);
            let help = "put `when: delayed` and `start_in` into a rule";
            cx.report(Diagnostic::error("conflicting-keywords", message, fields.key("when")).help(help));
        }
        _ => {}
    }
}

/// What only a server can do.
fn read_server_keywords(job: &mut Job, fields: &Fields<'_>, cx: &mut Context<'_>) {
    if let Some(value) = fields.get("release") {
        release::check(&value, cx);
        job.release = fields.key("release");
    }
    if let Some(secrets) = fields.get("secrets").and_then(|value| secrets::read(&value, cx)) {
        job.token_variables.extend(secrets);
    }
    fields.get("identity").and_then(|value| accepted::identity(&value, cx));
    fields.get("dast_configuration").and_then(|value| accepted::dast_configuration(&value, cx));
    fields.get("manual_confirmation").and_then(|value| value.string(cx));
    fields.get("inputs").and_then(|value| accepted::inputs(&value, cx));
    let publish = fields.get("publish").and_then(|value| value.name(cx));
    let pages = fields.get("pages");
    if let (Some(key), None) = (fields.key("publish").filter(|_| job.name.value != "pages"), &pages) {
        let message = format!("`publish` of job `{}` can only be used within a `pages` job", job.name.value);
        let help = "add `pages: true`, or name the directory in `pages:publish`";
        cx.report(Diagnostic::error("publish-without-pages", message, key).help(help));
    }
    let published = match &pages {
        Some(value) => accepted::pages(value, cx),
        // a job of this name publishes without a word, as it did before there was one
        None if job.name.value == "pages" => Some(Spanned::new(accepted::PUBLIC.to_owned(), job.name.span)),
        None => None,
    };
    if let Some(directory) = published {
        publish_directory(job, publish.unwrap_or(directory));
    }
}

/// GitLab adds the directory of `pages` to the job's artifacts (17.10).
fn publish_directory(job: &mut Job, directory: Spanned<String>) {
    let artifacts = job.artifacts.get_or_insert_with(|| no_artifacts(directory.span));
    if !artifacts.paths.iter().any(|path| path.value == directory.value) {
        artifacts.paths.push(directory);
    }
}

fn no_artifacts(span: Span) -> Artifacts {
    Artifacts {
        span,
        paths: Vec::new(),
        exclude: Vec::new(),
        untracked: false,
        when: UploadWhen::default(),
        name: None,
        expire_in: None,
        reports: indexmap::IndexMap::new(),
    }
}
