//! A tree to its value.

use std::ops::Range;

use super::{Name, Node, NodeKind, Operator, Pattern, Value};

/// What stands in the place of a variable that is not there: `null` would read as a word of the expression.
const NOT_SET: &str = "(not set)";

/// An evaluation step by step.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    /// The value of the whole expression.
    pub value: Value,
    /// Variables, inputs and operations in the order of the text, each operand before its operation.
    pub steps: Vec<Step>,
}

/// One operand or operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Where it is in the expression's text, in bytes.
    pub range: Range<usize>,
    /// Its text.
    pub text: String,
    /// Its value; `None` where `&&` or `||` made it unnecessary to look.
    pub value: Option<Value>,
    /// Whether it is an operation, not a variable or an input.
    pub operation: bool,
}

impl Trace {
    /// The expression with values in the place of its variables and inputs, on one line; what was not
    /// looked at keeps its name. `text` is what the expression was read from.
    pub fn filled(&self, text: &str) -> String {
        let (mut filled, mut at) = (String::new(), 0);
        for step in self.steps.iter().filter(|step| !step.operation) {
            filled.push_str(&on_one_line(&text[at..step.range.start]));
            // The parentheses around a single operand are part of its text.
            let open = step.text.len() - step.text.trim_start_matches(['(', ' ']).len();
            let close = step.text.trim_end_matches([')', ' ']).len();
            match &step.value {
                Some(value) => {
                    filled.push_str(&step.text[..open]);
                    filled.push_str(&match value {
                        Value::Null => NOT_SET.to_owned(),
                        value => value.to_string(),
                    });
                    filled.push_str(&step.text[close..]);
                }
                None => filled.push_str(&step.text),
            }
            at = step.range.end;
        }
        filled.push_str(&on_one_line(&text[at..]));
        filled.trim().to_owned()
    }

    /// The steps as a tree, each operation before its operands, with the depth of each.
    pub fn tree(&self) -> Vec<(usize, &Step)> {
        let mut steps: Vec<&Step> = self.steps.iter().collect();
        steps.sort_by_key(|step| (step.range.start, std::cmp::Reverse(step.range.end)));
        let holds = |outer: &Step, inner: &Step| {
            outer.range != inner.range
                && outer.range.start <= inner.range.start
                && inner.range.end <= outer.range.end
        };
        let depth = |step: &Step| self.steps.iter().filter(|outer| holds(outer, step)).count();
        steps.into_iter().map(|step| (depth(step), step)).collect()
    }
}

/// A text between operands with single blanks.
fn on_one_line(text: &str) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.starts_with(char::is_whitespace) {
        line.insert(0, ' ');
    }
    if text.ends_with(char::is_whitespace) && line != " " {
        line.push(' ');
    }
    line
}

type Lookup<'l> = dyn Fn(Name<'_>) -> Option<Value> + 'l;

/// The value of a node; `seen` is told of each value on the way.
pub(super) fn evaluate(node: &Node, lookup: &Lookup<'_>, seen: &mut dyn FnMut(&Node, &Value)) -> Value {
    let value = match &node.kind {
        NodeKind::Variable(name) => lookup(Name::Variable(name)).unwrap_or(Value::Null),
        NodeKind::Input(name) => lookup(Name::Input(name)).unwrap_or(Value::Null),
        NodeKind::String(text) => Value::String(text.clone()),
        NodeKind::Null => Value::Null,
        NodeKind::Bool(value) => Value::Bool(*value),
        NodeKind::Pattern(pattern) => Value::String(pattern.text().to_owned()),
        NodeKind::Operation { operator, left, right } => {
            let left = evaluate(left, lookup, seen);
            match operator {
                Operator::And if !left.is_truthy() => left,
                Operator::Or if left.is_truthy() => left,
                Operator::And | Operator::Or => evaluate(right, lookup, seen),
                _ => {
                    let found = evaluate(right, lookup, seen);
                    Value::Bool(match operator {
                        Operator::Equals => equal(&left, &found),
                        Operator::NotEquals => !equal(&left, &found),
                        Operator::Matches => matches(&left, right, &found).unwrap_or(false),
                        _ => !matches(&left, right, &found).unwrap_or(false),
                    })
                }
            }
        }
    };
    seen(node, &value);
    value
}

/// Ruby's equality, where a boolean is also equal to its text.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Bool(value), Value::String(text)) | (Value::String(text), Value::Bool(value)) => {
            *text == value.to_string()
        }
        (left, right) => left == right,
    }
}

/// Whether a text matches; `None` where there is nothing to match with.
fn matches(text: &Value, node: &Node, right: &Value) -> Option<bool> {
    let text = match text {
        Value::Null => String::new(),
        Value::Bool(value) => value.to_string(),
        Value::String(text) => text.clone(),
    };
    if let NodeKind::Pattern(pattern) = &node.kind {
        return Some(pattern.is_match(&text));
    }
    let Value::String(right) = right else { return None };
    Some(match Pattern::literal(right) {
        Ok(pattern) => pattern.is_match(&text),
        // What is no `/pattern/` is scanned for the left side: `right.scan(left)` in Ruby.
        Err(_) => right.contains(&text),
    })
}

pub(super) fn explain(text: &str, root: &Node, lookup: &Lookup<'_>) -> Trace {
    let mut values: Vec<(Range<usize>, bool, Value)> = Vec::new();
    let value = evaluate(root, lookup, &mut |node, value| {
        values.push((node.range.clone(), is_operation(node), value.clone()));
    });
    let mut steps = Vec::new();
    collect(text, root, None, &mut steps);
    for step in &mut steps {
        let found =
            values.iter().find(|(range, operation, _)| *range == step.range && *operation == step.operation);
        step.value = found.map(|(_, _, value)| value.clone());
    }
    Trace { value, steps }
}

fn is_operation(node: &Node) -> bool {
    matches!(node.kind, NodeKind::Operation { .. })
}

fn collect(text: &str, node: &Node, within: Option<Operator>, steps: &mut Vec<Step>) {
    if let NodeKind::Operation { operator, left, right } = &node.kind {
        collect(text, left, Some(*operator), steps);
        collect(text, right, None, steps);
        if within.is_some_and(|outer| continues(outer, *operator, node, left)) {
            return;
        }
    } else if !matches!(node.kind, NodeKind::Variable(_) | NodeKind::Input(_)) {
        return;
    }
    steps.push(Step {
        range: node.range.clone(),
        text: text[node.range.clone()].to_owned(),
        value: None,
        operation: is_operation(node),
    });
}

/// Whether an operation on the left of another is the head of one chain, `$A && $B` of `$A && $B && $C`: people
/// read the chain as one operation. In parentheses, it is a part of its own.
fn continues(outer: Operator, operator: Operator, node: &Node, left: &Node) -> bool {
    let chains = matches!(operator, Operator::And | Operator::Or);
    chains && outer == operator && node.range.start == left.range.start
}
