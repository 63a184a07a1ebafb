//! Rules as the view shows them.

use super::place;
use crate::{
    cli::{planned::Planned, view},
    config::{
        Sources,
        expression::{Trace, Value},
        keyword::{self, When, job::AllowFailure},
    },
    pipeline::{
        self, Found, Repository,
        explain::{Clause as Asked, ExplainedRule},
    },
    report::{
        explain::{Clause, Rule},
        expression::Part,
    },
};

/// The rules of `workflow`: all, where they leave no pipeline; otherwise the one that decided.
pub(super) fn of_workflow(planned: &Planned, repository: &dyn Repository, all: bool) -> Vec<Rule> {
    let Some(config) = &planned.config else { return Vec::new() };
    let rules = pipeline::explain_workflow(config, &planned.context, repository);
    let written = config.workflow.rules.iter().flatten();
    let shown = rules.iter().zip(written).filter(|(rule, _)| all || rule.decides);
    let view = |(explained, written): (&ExplainedRule, &keyword::Rule)| {
        let mut rule = shared(&planned.sources, explained);
        rule.lets_in = explained.matches && written.when != Some(When::Never);
        rule.sets = vec![if rule.lets_in { "there is a pipeline" } else { "no pipeline" }.to_owned()];
        rule.sets.extend(variables(written));
        rule
    };
    shown.map(view).collect()
}

/// A rule of a job, or its `only` or `except`.
pub(super) fn view(
    sources: &Sources,
    explained: &ExplainedRule,
    written: Option<&keyword::Rule>,
    job: &keyword::Job,
) -> Rule {
    let mut rule = shared(sources, explained);
    let Some(written) = written else { return rule };
    rule.lets_in = explained.matches && written.when != Some(When::Never);
    rule.sets = sets(written, job);
    rule
}

fn shared(sources: &Sources, explained: &ExplainedRule) -> Rule {
    let is_except = explained.title == "except";
    Rule {
        title: explained.title.clone(),
        place: explained.span.map(|span| place(sources, span)),
        clauses: explained.clauses.iter().map(clause).collect(),
        lets_in: explained.matches != is_except,
        decides: explained.decides,
        is_too_late: explained.is_too_late,
        sets: Vec::new(),
    }
}

/// What a rule sets as it decides.
fn sets(rule: &keyword::Rule, job: &keyword::Job) -> Vec<String> {
    let when = rule.when.or(job.when.as_deref().copied()).unwrap_or_default();
    if when == When::Never {
        return vec!["decides: the job is left out (when: never)".to_owned()];
    }
    let mut sets = vec![format!("decides: when: {}", word(when))];
    sets.extend(rule.start_in.as_ref().map(|delay| format!("start_in: {}", view::span(delay.value))));
    sets.extend(rule.allow_failure.as_ref().map(|allowed| match allowed {
        AllowFailure::Always(allowed) => format!("allow_failure: {allowed}"),
        AllowFailure::ExitCodes(codes) => format!("allow_failure: exit codes {codes:?}"),
    }));
    sets.extend(rule.interruptible.map(|it| format!("interruptible: {it}")));
    sets.extend(rule.needs.as_ref().map(|needs| format!("needs: {} of its own", needs.len())));
    sets.extend(variables(rule));
    sets
}

fn variables(rule: &keyword::Rule) -> Option<String> {
    let names: Vec<String> =
        rule.variables.iter().map(|(name, variable)| format!("{name}={}", variable.value)).collect();
    (!names.is_empty()).then(|| format!("variables: {}", names.join(", ")))
}

/// The word of the file.
fn word(when: When) -> &'static str {
    match when {
        When::OnSuccess => "on_success",
        When::OnFailure => "on_failure",
        When::Always => "always",
        When::Manual => "manual",
        When::Delayed => "delayed",
        When::Never => "never",
    }
}

fn clause(asked: &Asked) -> Clause {
    let (text, meaning, parts) = match asked {
        Asked::If { text, trace: Some(trace) } => {
            let operations = trace.steps.iter().filter(|step| step.operation).count();
            let meaning = meaning_of(trace, text);
            (
                format!("if {}", one_line(text)),
                meaning,
                if operations > 1 { parts(trace) } else { Vec::new() },
            )
        }
        Asked::If { text, trace: None } => (
            format!("if {}", one_line(text)),
            "it cannot be read, so it does not hold".to_owned(),
            Vec::new(),
        ),
        Asked::Changes { patterns, compare_to, found } => {
            let base = compare_to.as_ref().map(|base| format!(" (compared with {base})")).unwrap_or_default();
            let text = format!("changes {}{base}", patterns.join(", "));
            (text, meaning(found, "changed", "no path that changed matches"), Vec::new())
        }
        Asked::Exists { patterns, found } => {
            let text = format!("exists {}", patterns.join(", "));
            (text, meaning(found, "exists", "no file matches"), Vec::new())
        }
        Asked::Refs { refs, matched } => {
            let meaning = match matched {
                Some(matched) => format!("`{matched}` fits the pipeline"),
                None => "none fits the pipeline".to_owned(),
            };
            (format!("refs {}", refs.join(", ")), meaning, Vec::new())
        }
        Asked::Kubernetes => {
            let meaning = "podline simulates no cluster integration, so it does not hold";
            ("kubernetes active".to_owned(), meaning.to_owned(), Vec::new())
        }
    };
    Clause { text, meaning, holds: asked.holds(), parts }
}

/// The parts of an expression with their values.
pub(in crate::cli) fn parts(trace: &Trace) -> Vec<Part> {
    let part = |(depth, step): (usize, &crate::config::expression::Step)| Part {
        depth,
        text: step.text.clone(),
        value: step.value.as_ref().map(ToString::to_string),
    };
    trace.tree().into_iter().map(part).collect()
}

/// What an expression comes to: ``$CI_COMMIT_TAG` is not set`, `"main" == "main" is true`.
fn meaning_of(trace: &Trace, text: &str) -> String {
    let holds = trace.value.is_present();
    match &trace.steps[..] {
        [one] if !one.operation => match &trace.value {
            Value::Null => format!("`{}` is not set", one_line(text)),
            Value::String(value) if value.is_empty() => format!("`{}` is empty", one_line(text)),
            value => format!("`{}` is {value}", one_line(text)),
        },
        _ => {
            let value = match &trace.value {
                Value::Null => "false".to_owned(),
                value => value.to_string(),
            };
            let counts =
                if value == holds.to_string() { String::new() } else { format!(", which counts as {holds}") };
            format!("{} is {value}{counts}", trace.filled(text))
        }
    }
}

fn meaning(found: &Found, verb: &str, nothing: &str) -> String {
    match found {
        Found::Nothing => nothing.to_owned(),
        Found::NothingToCompare => "GitLab has nothing to compare with here, so it holds".to_owned(),
        Found::TooSlow => "the regular expression takes too long, GitLab would refuse it".to_owned(),
        Found::Unknown(reason) => format!("taken to hold: {reason}"),
        Found::TooMany => "there are too many paths to compare, so it holds".to_owned(),
        Found::Path { pattern, path } if pattern == path => format!("`{path}` {verb}"),
        Found::Path { pattern, path } => format!("`{path}` {verb} and matches `{pattern}`"),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
