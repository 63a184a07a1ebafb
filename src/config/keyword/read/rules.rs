//! `rules` of a job and of `workflow` (`Entry::Rules`, `Entry::Rules::Rule`).

use super::{
    context::Context,
    duration, expression,
    fields::Fields,
    needs,
    value::Value,
    variables::{self, Scope},
};
use crate::config::{
    diagnostic::Diagnostic,
    keyword::{
        duration::LONGEST_DELAY,
        job::AllowFailure,
        rules::{Changes, Exists, Paths, Rule, When},
    },
    source::Spanned,
};

/// Levels of arrays that GitLab flattens.
const LEVELS: usize = 10;

/// The most patterns of `changes` and `exists`.
const MOST_PATTERNS: usize = 50;

/// The longest `regexp` (`REGEXP_MAX_LENGTH`).
const LONGEST_REGEXP: usize = 255;

/// The words of `when`.
const WHEN: [(&str, When); 6] = [
    ("on_success", When::OnSuccess),
    ("on_failure", When::OnFailure),
    ("always", When::Always),
    ("never", When::Never),
    ("manual", When::Manual),
    ("delayed", When::Delayed),
];

/// Whose rules they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// A job.
    Job,
    /// `workflow`.
    Workflow,
}

/// A list of rules, nested lists flattened.
pub(super) fn read(value: &Value<'_>, of: Of, cx: &mut Context<'_>) -> Option<Vec<Rule>> {
    let Some(items) = value.node.as_sequence() else { return value.expected("an array of hashes", cx) };
    if items.is_empty() {
        cx.report(value.error("empty-value", "can't be blank").help("leave the keyword out instead"));
        return None;
    }
    let rules = value.flattened(LEVELS, cx)?;
    Some(rules.iter().filter_map(|value| rule(value, of, cx)).collect())
}

fn rule(value: &Value<'_>, of: Of, cx: &mut Context<'_>) -> Option<Rule> {
    let fields = value.fields(cx)?;
    if value.node.as_mapping().is_some_and(|mapping| mapping.is_empty()) {
        cx.report(value.error("empty-value", "should not hold an empty rule"));
        return None;
    }
    let mut rule = Rule { span: Some(value.span()), ..Rule::default() };
    if fields.written("if").is_some_and(|condition| condition.node.is_null()) {
        let rest = "has an empty `if`, which would always match";
        cx.report(value.error("empty-value", rest).help("write the condition, or leave `if` out"));
    }
    rule.condition = fields.get("if").and_then(|condition| expression::read(&condition, cx));
    rule.changes = fields.get("changes").and_then(|changes| read_changes(&changes, cx));
    rule.exists = fields.get("exists").and_then(|exists| read_exists(&exists, cx));
    rule.variables = fields
        .get("variables")
        .and_then(|variables| variables::read(&variables, Scope::Rule, cx))
        .unwrap_or_default();
    let words = if of == Of::Workflow { &WHEN[2..4] } else { &WHEN[..] };
    rule.when = fields.get("when").and_then(|when| when.choice(words, cx));
    rule.allow_failure =
        fields.get("allow_failure").and_then(|allow| allow.boolean(cx)).map(AllowFailure::Always);
    rule.needs = fields.get("needs").and_then(|value| needs::read_of_rule(&value, cx));
    read_delay(&fields, &mut rule, cx);
    match of {
        Of::Job => {
            rule.interruptible =
                fields.get("interruptible").and_then(|interruptible| interruptible.boolean(cx));
        }
        Of::Workflow => {
            rule.cancel_on_job_failure =
                fields.get("auto_cancel").and_then(|auto_cancel| read_auto_cancel(&auto_cancel, cx));
        }
    }
    fields.finish(cx);
    Some(rule)
}

/// `start_in` stands beside `when: delayed` and nowhere else.
fn read_delay(fields: &Fields<'_>, rule: &mut Rule, cx: &mut Context<'_>) {
    match fields.get("start_in") {
        Some(delay) if rule.when == Some(When::Delayed) => {
            rule.start_in = duration::read(&delay, LONGEST_DELAY, cx);
        }
        Some(delay) => cx.report(delay.error("start-in-without-delay", "needs `when: delayed` beside it")),
        None if rule.when == Some(When::Delayed) => {
            fields.required("start_in", cx);
        }
        None => {}
    }
}

/// `auto_cancel`; whether the first failure cancels the rest, where it says so.
pub(super) fn read_auto_cancel(value: &Value<'_>, cx: &mut Context<'_>) -> Option<bool> {
    let fields = value.fields(cx)?;
    let on_new_commit = [("conservative", ()), ("interruptible", ()), ("none", ())];
    fields.get("on_new_commit").and_then(|value| value.choice(&on_new_commit, cx));
    let words = [("none", false), ("all", true)];
    let cancel = fields.get("on_job_failure").and_then(|value| value.choice(&words, cx));
    fields.finish(cx);
    cancel
}

/// `changes`: patterns, or a hash with `paths` and `compare_to`.
fn read_changes(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Changes> {
    if value.node.as_sequence().is_some() {
        return Some(Changes { paths: Paths::Globs(patterns(value, cx)?), compare_to: None });
    }
    if value.node.as_mapping().is_none() {
        return value.expected("an array of strings or a hash", cx);
    }
    let fields = value.fields(cx)?;
    let compare_to = fields.get("compare_to").and_then(|reference| reference.string(cx));
    let paths = paths(&fields, cx);
    fields.finish(cx);
    Some(Changes { paths: paths?, compare_to })
}

/// `exists`: patterns, or a hash with `paths`, `project` and `ref`.
fn read_exists(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Exists> {
    if value.node.as_sequence().is_some() {
        let paths = Paths::Globs(patterns(value, cx)?);
        return Some(Exists { paths, project: None, reference: None });
    }
    if value.node.as_mapping().is_none() {
        return value.expected("an array of strings or a hash", cx);
    }
    let fields = value.fields(cx)?;
    let project = fields.get("project").and_then(|project| project.string(cx));
    let reference = fields.get("ref");
    if let Some(reference) = reference.as_ref().filter(|_| project.is_none()) {
        cx.report(reference.error("missing-keyword", "needs `project` beside it"));
    }
    let reference = reference.and_then(|reference| reference.string(cx));
    let paths = paths(&fields, cx);
    fields.finish(cx);
    Some(Exists { paths: paths?, project, reference })
}

/// `paths`, or `regexp`, which is newer.
fn paths(fields: &Fields<'_>, cx: &mut Context<'_>) -> Option<Paths> {
    let Some(regexp) = fields.get("regexp") else {
        return Some(Paths::Globs(patterns(&fields.required("paths", cx)?, cx)?));
    };
    if let (Some(_), Some(key)) = (fields.get("paths"), fields.key("regexp")) {
        let message = format!("`paths` and `regexp`{} cannot be used together", fields.owner);
        cx.report(Diagnostic::error("conflicting-keywords", message, key));
    }
    let text = regexp.string(cx)?;
    if text.chars().count() > LONGEST_REGEXP {
        cx.report(regexp.error("too-long", format_args!("has more than {LONGEST_REGEXP} characters")));
    }
    expression::check_regexp(&regexp, cx)?;
    Some(Paths::Regexp(text))
}

fn patterns(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Vec<Spanned<String>>> {
    let paths = value.strings(cx)?;
    if paths.len() > MOST_PATTERNS {
        let rest = format_args!("has {} patterns, GitLab takes {MOST_PATTERNS}", paths.len());
        cx.report(value.error("too-many", rest));
    }
    Some(paths)
}
