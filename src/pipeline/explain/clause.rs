//! The clauses of `rules`, `only` and `except`, each with what it came to.

use crate::{
    config::{
        Span, Spanned,
        expression::{Expression, Name, Trace, Value},
        keyword::{Job, Policy, Rule},
    },
    pipeline::{
        context::Context,
        policy::{DEFAULT_REFS, matches_ref},
        rules::{Conditions, Found},
        variables::Scope,
    },
};

/// What became of one rule, or of `only` or `except`.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedRule {
    /// `rule 2`, `only` or `except`.
    pub title: String,
    /// Where it was written; absent where GitLab's own default stands for `only`.
    pub span: Option<Span>,
    /// What it asks; a rule without anything always matches.
    pub clauses: Vec<Clause>,
    /// Whether it matches: all clauses of a rule or of `only` hold, or any of `except`.
    pub matches: bool,
    /// Whether it decides: the first rule that matches does, each of `only` and `except` does.
    pub decides: bool,
    /// Whether an earlier rule has decided, so that this one does not count.
    pub is_too_late: bool,
}

/// One thing that a rule asks.
#[derive(Debug, Clone, PartialEq)]
pub enum Clause {
    /// `if`, or one of `only:variables`.
    If {
        /// The expression.
        text: String,
        /// The value of each operand; `None` where the expression cannot be read.
        trace: Option<Trace>,
    },
    /// `changes`.
    Changes {
        /// The patterns as written.
        patterns: Vec<String>,
        /// `compare_to`.
        compare_to: Option<String>,
        /// What matched.
        found: Found,
    },
    /// `exists`.
    Exists {
        /// The patterns as written.
        patterns: Vec<String>,
        /// What matched.
        found: Found,
    },
    /// `only:refs`, `except:refs`.
    Refs {
        /// Names, patterns and keywords as written.
        refs: Vec<String>,
        /// The one that fits the pipeline.
        matched: Option<String>,
    },
    /// `kubernetes: active`, which no project without a cluster integration fulfils.
    Kubernetes,
}

impl Clause {
    /// Whether it holds.
    pub fn holds(&self) -> bool {
        match self {
            Self::If { trace, .. } => trace.as_ref().is_some_and(|trace| trace.value.is_present()),
            Self::Changes { found, .. } | Self::Exists { found, .. } => found.holds(),
            Self::Refs { matched, .. } => matched.is_some(),
            Self::Kubernetes => false,
        }
    }
}

pub(super) fn of_rules(rules: &[Rule], conditions: &Conditions<'_>, scope: &Scope<'_>) -> Vec<ExplainedRule> {
    let mut has_matched = false;
    let mut list = Vec::new();
    for (index, rule) in rules.iter().enumerate() {
        let matches = conditions.rule_matches(rule, scope);
        list.push(ExplainedRule {
            title: format!("rule {}", index + 1),
            span: rule.span,
            clauses: clauses(rule, conditions, scope),
            matches,
            decides: matches && !has_matched,
            is_too_late: has_matched,
        });
        has_matched |= matches;
    }
    list
}

fn clauses(rule: &Rule, conditions: &Conditions<'_>, scope: &Scope<'_>) -> Vec<Clause> {
    let condition = rule.condition.as_ref().map(|condition| traced(condition, scope));
    let changes = rule.changes.as_ref().map(|changes| Clause::Changes {
        patterns: values(changes.paths.patterns()),
        compare_to: changes.compare_to.as_ref().map(|base| base.value.clone()),
        found: conditions.find_change(changes, scope),
    });
    let exists = rule.exists.as_ref().map(|exists| Clause::Exists {
        patterns: values(exists.paths.patterns()),
        found: conditions.find_file(exists, scope),
    });
    [condition, changes, exists].into_iter().flatten().collect()
}

/// `only` and `except` of a job without rules; where neither they nor `workflow:rules` are written, GitLab's
/// default stands for `only`.
pub(super) fn of_policy(
    job: &Job,
    has_workflow_rules: bool,
    context: &Context,
    conditions: &Conditions<'_>,
    scope: &Scope<'_>,
) -> Vec<ExplainedRule> {
    let explained = |title: &str, policy: &Policy, is_only: bool| {
        let refs = match &policy.refs {
            Some(refs) => values(refs),
            None if is_only => DEFAULT_REFS.map(str::to_owned).to_vec(),
            None => Vec::new(),
        };
        let mut clauses = Vec::new();
        if !refs.is_empty() {
            let matched = refs.iter().find(|name| matches_ref(name, context)).cloned();
            clauses.push(Clause::Refs { refs, matched });
        }
        clauses.extend(policy.variables.iter().flatten().map(|condition| traced(condition, scope)));
        clauses.extend(policy.changes.as_ref().map(|paths| Clause::Changes {
            patterns: values(paths),
            compare_to: None,
            found: conditions.find_plain_change(paths),
        }));
        clauses.extend(policy.kubernetes.then_some(Clause::Kubernetes));
        let matches = if is_only { all_hold(&clauses) } else { clauses.iter().any(Clause::holds) };
        ExplainedRule {
            title: title.to_owned(),
            span: policy.span,
            clauses,
            matches,
            decides: true,
            is_too_late: false,
        }
    };
    let default = Policy::default();
    let only = match &job.only {
        None if has_workflow_rules => None,
        only => Some(explained("only", only.as_ref().unwrap_or(&default), true)),
    };
    let except = job.except.as_ref().map(|except| explained("except", except, false));
    only.into_iter().chain(except).collect()
}

/// `only`: each kind of clause must hold, of several expressions one.
fn all_hold(clauses: &[Clause]) -> bool {
    let is_if = |clause: &&Clause| matches!(clause, Clause::If { .. });
    let mut conditions = clauses.iter().filter(is_if).peekable();
    let one_holds = conditions.peek().is_none() || conditions.any(Clause::holds);
    one_holds && clauses.iter().filter(|clause| !is_if(clause)).all(Clause::holds)
}

fn traced(condition: &str, scope: &Scope<'_>) -> Clause {
    let trace = Expression::parse(condition).ok().map(|expression| {
        expression.explain(|name| match name {
            Name::Variable(name) => scope.get(name).map(Value::from),
            Name::Input(_) => None,
        })
    });
    Clause::If { text: condition.to_owned(), trace }
}

fn values(texts: &[Spanned<String>]) -> Vec<String> {
    texts.iter().map(|text| text.value.clone()).collect()
}
