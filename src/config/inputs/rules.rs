//! `spec:inputs:rules`: options and a default that depend on other inputs (GitLab's `Ci::Inputs::RulesEvaluator`).

use std::collections::HashSet;

use indexmap::IndexMap;

use super::{
    coerce::coerce,
    spec::{Input, options},
};
use crate::config::{
    Diagnostic, Diagnostics, Node,
    expression::{self, Expression, Name},
};

/// Keys of a rule.
const KEYWORDS: [&str; 3] = ["if", "options", "default"];

/// One rule of an input.
#[derive(Debug, Clone)]
pub(super) struct Rule {
    /// Without one, it always holds.
    condition: Option<Expression>,
    pub(super) options: Option<Vec<Node>>,
    /// `null` asks the user for a value.
    pub(super) default: Option<Node>,
    node: Node,
}

/// The first rule whose condition holds, where `value` gives the values of other inputs.
pub(super) fn first<'r, 'v>(rules: &'r [Rule], value: impl Fn(&str) -> Option<&'v Node>) -> Option<&'r Rule> {
    let lookup = |name: Name<'_>| match name {
        Name::Input(name) => value(name).and_then(operand),
        Name::Variable(_) => None,
    };
    rules
        .iter()
        .find(|rule| rule.condition.as_ref().is_none_or(|condition| condition.evaluate(lookup).is_present()))
}

/// An input's value within an expression.
fn operand(value: &Node) -> Option<expression::Value> {
    match (value.as_bool(), value.as_scalar()) {
        (Some(value), _) => Some(expression::Value::Bool(value)),
        (None, Some(_)) if value.is_null() => None,
        (None, Some(scalar)) => Some(expression::Value::String(scalar.to_string())),
        (None, None) => None,
    }
}

/// Reads the rules of an input. `None` where there are none that can be read.
pub(super) fn read(input: &str, value: &Node, diagnostics: &mut Diagnostics) -> Option<Vec<Rule>> {
    let Some(rules) = value.as_sequence() else {
        let message = format!("the rules of the input `{input}` have to be a list");
        diagnostics.push(Diagnostic::error("invalid-spec", message, value.span));
        return None;
    };
    Some(rules.iter().filter_map(|node| rule(input, node, diagnostics)).collect())
}

fn rule(input: &str, node: &Node, diagnostics: &mut Diagnostics) -> Option<Rule> {
    let Some(rule) = node.as_mapping().filter(|rule| !rule.is_empty()) else {
        let message = format!("a rule of the input `{input}` has to be a mapping");
        diagnostics.push(Diagnostic::error("invalid-spec", message, node.span));
        return None;
    };
    for (key, unknown) in rule.iter().filter(|(key, _)| !KEYWORDS.contains(key)) {
        let help = match diagnostics.nearest(key, KEYWORDS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("use `{}`", KEYWORDS.join("`, `")),
        };
        let message = format!("a rule of the input `{input}` has no `{key}`");
        diagnostics.push(Diagnostic::error("invalid-spec", message, unknown.key).help(help));
    }
    if rule.get("options").is_none() && rule.get("default").is_none() {
        let message = format!("this rule of the input `{input}` decides nothing");
        let help = "give it `options`, `default` or both";
        diagnostics.push(Diagnostic::error("invalid-spec", message, node.span).help(help));
    }
    let condition = match rule.get("if").filter(|condition| !condition.is_null()) {
        Some(condition) => Some(parse(input, condition, diagnostics)?),
        None => None,
    };
    Some(Rule {
        condition,
        options: options(input, rule.get("options"), diagnostics),
        default: rule.get("default").cloned(),
        node: node.clone(),
    })
}

fn parse(input: &str, condition: &Node, diagnostics: &mut Diagnostics) -> Option<Expression> {
    let parsed = condition.as_str().map(Expression::parse);
    let (message, help) = match parsed {
        Some(Ok(expression)) => return Some(expression),
        Some(Err(error)) => (error.to_string(), error.hint),
        None => ("it has to be a string".to_owned(), None),
    };
    let message = format!("a rule of the input `{input}`: {message}");
    let mut found = Diagnostic::error("invalid-spec", message, condition.span);
    found.help = help;
    diagnostics.push(found);
    None
}

/// Checks all inputs together: rules name inputs that there are, defaults fit, and none waits for itself.
pub(super) fn check(inputs: &IndexMap<String, Input>, diagnostics: &mut Diagnostics) {
    for (name, input) in inputs {
        for rule in input.rules.iter().flatten() {
            let asked = rule.condition.iter().flat_map(Expression::inputs);
            for unknown in asked.filter(|asked| !inputs.contains_key(*asked)) {
                let message = format!("a rule of the input `{name}` asks for `{unknown}`, which is no input");
                let near = diagnostics.nearest(unknown, inputs.keys().map(String::as_str));
                let mut found = Diagnostic::error("invalid-spec", message, rule.node.span);
                found.help = near.map(|near| format!("did you mean `{near}`?"));
                diagnostics.push(found);
            }
            if let Some(default) = rule.default.as_ref().filter(|default| !default.is_null())
                && let Err(problem) = input.check(&coerce(default, input.kind), Some(rule))
            {
                let message = format!("the default of the input `{name}` {problem}");
                diagnostics.push(Diagnostic::error("invalid-input", message, default.span));
            }
        }
    }
    if let Some((name, input)) = inputs.iter().find(|(name, _)| waits_for_itself(name, inputs)) {
        let message =
            format!("the rules of the input `{name}` depend on itself, by way of others or at once");
        diagnostics.push(Diagnostic::error("invalid-spec", message, input.span));
    }
}

fn waits_for_itself(name: &str, inputs: &IndexMap<String, Input>) -> bool {
    let asks = |name: &str| {
        let rules = inputs.get(name).and_then(|input| input.rules.as_ref()).into_iter().flatten();
        rules.flat_map(|rule| rule.condition.iter().flat_map(Expression::inputs)).collect::<Vec<_>>()
    };
    let (mut seen, mut open) = (HashSet::new(), asks(name));
    while let Some(next) = open.pop() {
        if next == name {
            return true;
        }
        if seen.insert(next) {
            open.extend(asks(next));
        }
    }
    false
}
