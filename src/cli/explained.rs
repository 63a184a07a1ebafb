//! A job's explanation as its view shows it.

mod rule;

pub(super) use rule::parts;

use std::collections::HashSet;

use super::planned::Planned;
use crate::{
    config::{self, Config, Sources, Span, expand},
    pipeline::{
        self, Explanation, Repository,
        explain::{ExplainedNeed, ExplainedVariable, NeedState, Withheld},
        job::Origin,
    },
    report::explain::{Explained, Line, Need, Rule, Standing, Variable},
};

/// The view of a job; `None` where the configuration has nothing of this name. Facts of the runner are left
/// to the command.
pub(super) fn explained(planned: &Planned, repository: &dyn Repository, name: &str) -> Option<Explained> {
    let (config, pipeline) = (planned.config.as_ref()?, planned.pipeline.as_ref()?);
    let view = Explained { name: name.to_owned(), ..Explained::default() };
    if let Some(unresolved) = config.unresolved.iter().find(|job| job.name.value == name) {
        return Some(Explained { standing: Standing::Unresolved(unresolved.reason.clone()), ..view });
    }
    let has_workflow = pipeline.filtered.is_some();
    let workflow = rule::of_workflow(planned, repository, has_workflow);
    if let Some(explanation) = pipeline::explain(config, &planned.context, repository, pipeline, name) {
        return Some(of_job(planned, config, &explanation, Explained { workflow, ..view }));
    }
    let yaml = lines(config, &planned.sources, name);
    if config.jobs.iter().any(|job| job.name.value == name) {
        let standing = Standing::LeftOut(pipeline.filtered.clone().unwrap_or_default());
        return Some(Explained { standing, workflow, yaml, ..view });
    }
    let is_hidden = name.starts_with('.') && !yaml.is_empty();
    let hidden = format!("jobs take it with `extends: {name}` or `!reference [{name}, KEYWORD]`");
    is_hidden.then_some(Explained { standing: Standing::Hidden(hidden), yaml, ..view })
}

fn of_job(planned: &Planned, config: &Config, explanation: &Explanation<'_>, view: Explained) -> Explained {
    let key = explanation.job.name.as_str();
    let mentioned: HashSet<String> = config::effective(&config.tree, key)
        .map(|job| config::emit(&job))
        .map(|text| expand::references(&text).map(str::to_owned).collect())
        .unwrap_or_default();
    let is_listed = |it: &&ExplainedVariable| {
        it.variable.origin != Origin::Predefined
            || !it.overrode.is_empty()
            || mentioned.contains(&it.variable.key)
    };
    let listed: Vec<_> = explanation.variables.iter().filter(is_listed).collect();
    let unlisted_variables = explanation.variables.len() - listed.len();
    let sources = &planned.sources;
    Explained {
        name: explanation.name.clone(),
        standing: standing(planned, explanation),
        others: explanation.others.clone(),
        rules: rules(sources, explanation),
        needs: explanation.needs.as_ref().map(|needs| needs.iter().map(|it| need(sources, it)).collect()),
        variables: listed.into_iter().map(|it| variable(sources, it)).collect(),
        unlisted_variables,
        withheld: explanation.withheld.iter().map(withheld).collect(),
        yaml: lines(config, sources, key),
        ..view
    }
}

fn standing(planned: &Planned, explanation: &Explanation<'_>) -> Standing {
    let Some(pipeline) = &planned.pipeline else { return Standing::Present };
    if let Some(id) = pipeline.find(&explanation.name) {
        return match &pipeline.job(id).held {
            Some(held) => Standing::Held(held.clone()),
            None => Standing::Present,
        };
    }
    let key = explanation.job.name.as_str();
    let left_out = pipeline.absent().find(|left| left.name == explanation.name || left.name == key);
    let reason = left_out.map_or_else(String::new, |left| left.reason.clone());
    let has_rules = explanation.job.rules.is_some();
    Standing::LeftOut(match explanation.rules.iter().any(|rule| rule.decides) {
        false if has_rules && pipeline.filtered.is_some() => format!("no rule matched, and {reason}"),
        _ => reason,
    })
}

/// The rules, but not GitLab's default where it lets the job in.
fn rules(sources: &Sources, explanation: &Explanation<'_>) -> Vec<Rule> {
    let says_nothing = |rule: &&pipeline::explain::ExplainedRule| rule.span.is_some() || !rule.matches;
    let written = explanation.job.rules.as_deref();
    let view = |(at, it)| rule::view(sources, it, written.and_then(|rules| rules.get(at)), explanation.job);
    match written {
        Some(_) => explanation.rules.iter().enumerate().map(view).collect(),
        None => explanation.rules.iter().filter(says_nothing).enumerate().map(view).collect(),
    }
}

fn need(sources: &Sources, need: &ExplainedNeed) -> Need {
    let mut state = match &need.state {
        NeedState::Present(stage) => format!("in stage {stage}"),
        NeedState::LeftOut(reason) if need.optional => format!("optional and left out: {reason}"),
        NeedState::LeftOut(reason) => format!("left out: {reason}"),
        NeedState::Missing if need.optional => "optional, and there is no such job".to_owned(),
        NeedState::Missing => "there is no such job".to_owned(),
        NeedState::Elsewhere => "of another pipeline: not simulated".to_owned(),
    };
    if !need.artifacts {
        state.push_str(", without artifacts");
    }
    Need {
        name: need.name.clone(),
        is_present: matches!(need.state, NeedState::Present(_)),
        state,
        place: Some(place(sources, need.span)),
    }
}

fn variable(sources: &Sources, explained: &ExplainedVariable) -> Variable {
    let over = |it: &pipeline::job::Variable| (origin(it), value_of(it, &it.value).unwrap_or_default());
    Variable {
        name: explained.variable.key.clone(),
        value: value_of(&explained.variable, &explained.value),
        file: explained.variable.file,
        raw: explained.variable.raw,
        origin: origin(&explained.variable),
        place: explained.span.map(|span| place(sources, span)),
        overrode: explained.overrode.iter().map(over).collect(),
    }
}

fn value_of(variable: &pipeline::job::Variable, value: &str) -> Option<String> {
    (!variable.masked).then(|| value.to_owned())
}

fn withheld(withheld: &Withheld) -> (String, String) {
    let setting = &withheld.setting;
    (setting.key.clone(), format!("{}, {}", setting.source, withheld.reason))
}

/// Where a variable comes from: `job`, `podline.toml for review/*`.
fn origin(variable: &pipeline::job::Variable) -> String {
    match &variable.setting {
        Some(setting) if setting.is_for_all() => setting.source.clone(),
        Some(setting) => format!("{} for {}", setting.source, setting.scope),
        None => word(variable.origin).to_owned(),
    }
}

fn word(origin: Origin) -> &'static str {
    match origin {
        Origin::Predefined => "GitLab",
        Origin::Global => "global",
        Origin::Job => "job",
        Origin::Matrix => "matrix",
        Origin::Rule => "rule",
        Origin::Dotenv => "dotenv report",
        Origin::Project => "settings",
        Origin::Forwarded => "parent pipeline",
        Origin::CommandLine => "command line",
    }
}

/// `file:line`.
fn place(sources: &Sources, span: Span) -> String {
    let location = sources.locate(span);
    format!("{}:{}", location.file, location.line)
}

/// The effective configuration of a job, each line with where it comes from.
fn lines(config: &Config, sources: &Sources, name: &str) -> Vec<Line> {
    let Some(job) = config::effective(&config.tree, name) else { return Vec::new() };
    let line = |(text, span): (String, Option<Span>)| {
        let from = span.and_then(|span| top_level_key(sources, span)).filter(|from| from != name);
        Line { text, from, place: span.map(|span| place(sources, span)) }
    };
    config::emit_with_places(&job).into_iter().map(line).collect()
}

/// The top-level key that a place is under: the nearest line above it that begins with a key.
fn top_level_key(sources: &Sources, span: Span) -> Option<String> {
    let text = &sources.get(span.source).text;
    let end = text[span.start as usize..].find('\n').map_or(text.len(), |at| span.start as usize + at);
    let is_key = |line: &&str| line.starts_with(|c: char| !c.is_whitespace() && !"#-}]".contains(c));
    let line = text[..end].lines().rev().find(is_key)?;
    let (key, _) = line.split_once(": ").or_else(|| line.trim_end().split_once(':'))?;
    let key = line.trim_end().strip_suffix(':').filter(|whole| !whole.contains(": ")).unwrap_or(key);
    Some(key.trim_matches(['"', '\'']).to_owned())
}
