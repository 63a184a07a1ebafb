//! `spec:inputs` and `$[[ inputs.x ]]`, per file and before files merge.

mod coerce;
mod function;
mod interpolate;
mod rules;
mod spec;
#[cfg(test)]
mod tests;

use indexmap::IndexMap;

use super::{
    Diagnostic, Diagnostics, Node, Sources, Span, loader::Component, node::Mapping,
    surroundings::Surroundings,
};
use coerce::coerce;
use spec::{Input, Spec, Type};

/// The header of a file, and what is known besides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header<'h> {
    /// The first document.
    pub(super) spec: &'h Mapping,
    /// Whether all inputs that it takes are in it: else one that is unknown may be declared elsewhere.
    pub(super) is_complete: bool,
    /// The component that the file belongs to.
    pub(super) component: Option<&'h Component>,
}

/// Inputs that are given to a file.
#[derive(Debug, Clone, Default)]
pub(super) struct Given {
    /// Where the file is included, to blame for what is not given.
    include: Option<Span>,
    values: IndexMap<String, GivenValue>,
}

/// One input that is given.
#[derive(Debug, Clone)]
struct GivenValue {
    /// Where it is named.
    key: Span,
    value: Node,
}

impl Given {
    /// Nothing is given to a file that is included here.
    pub(super) fn nothing(include: Span) -> Self {
        Self { include: Some(include), values: IndexMap::new() }
    }

    /// Reads `include:inputs`.
    pub(super) fn of(inputs: Option<&Node>, include: Span, diagnostics: &mut Diagnostics) -> Self {
        let nothing = Self::nothing(include);
        let Some(inputs) = inputs.filter(|inputs| !inputs.is_null()) else { return nothing };
        let Some(mapping) = inputs.as_mapping() else {
            let message = "`include:inputs` has to be a mapping";
            diagnostics.push(Diagnostic::error("invalid-include", message, inputs.span));
            return nothing;
        };
        let value = |entry: &super::node::Entry| GivenValue { key: entry.key, value: entry.value.clone() };
        Self {
            include: Some(include),
            values: mapping.iter().map(|(name, entry)| (name.to_owned(), value(entry))).collect(),
        }
    }
}

/// Inputs that the user gives on the command line; each is a text of its own.
pub(super) fn from_user(inputs: &IndexMap<String, String>, sources: &mut Sources) -> Given {
    let value = |name: &String, text: &String, sources: &mut Sources| {
        let span = Span::new(sources.add(format!("--input {name}"), text), 0..text.len());
        GivenValue { key: span, value: Node::string(text, span) }
    };
    Given {
        include: None,
        values: inputs.iter().map(|(name, text)| (name.clone(), value(name, text, sources))).collect(),
    }
}

/// The content of a file with its inputs in their places. `None` if that cannot be told.
pub(super) fn apply(
    header: Option<&Header<'_>>,
    content: Mapping,
    given: &Given,
    surroundings: &Surroundings<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Mapping> {
    let Some(header) = header else {
        for (name, value) in &given.values {
            diagnostics.push(
                Diagnostic::error("unknown-input", format!("the file takes no input `{name}`"), value.key)
                    .help("it has no `spec:inputs` header; add one, or give no inputs"),
            );
        }
        return Some(content);
    };
    let spec = spec::read(header.spec, diagnostics);
    let known = interpolate::Known {
        inputs: values(&spec, given, header.is_complete, diagnostics),
        has_all_inputs: header.is_complete,
        asked: spec.component,
        component: header.component,
    };
    Some(interpolate::apply(content, &known, surroundings, diagnostics))
}

/// Values by name; an input whose value is wrong or missing has none.
type Values = IndexMap<String, Option<Node>>;

/// Finds the value of every declared input, in order: rules see those before, and all that are given.
fn values(spec: &Spec, given: &Given, has_all: bool, diagnostics: &mut Diagnostics) -> Values {
    let declared = &spec.inputs;
    let unknown = given.values.iter().filter(|(name, _)| has_all && !declared.contains_key(*name));
    for (name, value) in unknown {
        let help = match diagnostics.nearest(name, declared.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "declare it in the file's `spec:inputs`, or do not give it".to_owned(),
        };
        let message = format!("the file takes no input `{name}`");
        diagnostics.push(Diagnostic::error("unknown-input", message, value.key).help(help));
    }
    let mut values = Values::new();
    for (name, input) in declared {
        let value = value(name, input, given, &values, diagnostics);
        values.insert(name.clone(), value);
    }
    values
}

fn value(
    name: &str,
    input: &Input,
    given: &Given,
    before: &Values,
    diagnostics: &mut Diagnostics,
) -> Option<Node> {
    let rule = input.rules.as_ref().map(|all| {
        rules::first(all, |name| {
            let given = given.values.get(name).map(|given| &given.value);
            given.or_else(|| before.get(name).and_then(Option::as_ref))
        })
    });
    let Some(found) = given.values.get(name).filter(|given| !given.value.is_null()) else {
        return default(name, input, rule, given.include, diagnostics);
    };
    let value = coerce(&found.value, input.kind);
    match input.check(&value, rule.flatten()) {
        Ok(()) => Some(value),
        Err(problem) => {
            diagnostics.push(
                Diagnostic::error("invalid-input", format!("the input `{name}` {problem}"), found.value.span)
                    .related(input.span, "it is declared here"),
            );
            None
        }
    }
}

/// The value of an input that is not given. It is checked where it is declared.
fn default(
    name: &str,
    input: &Input,
    rule: Option<Option<&rules::Rule>>,
    include: Option<Span>,
    diagnostics: &mut Diagnostics,
) -> Option<Node> {
    let value = match rule {
        None => input.default.as_ref(),
        Some(Some(rule)) => rule.default.as_ref().filter(|default| !default.is_null()),
        // GitLab gives an empty text where no rule holds.
        Some(None) if input.kind == Type::String => return Some(Node::string("", input.span)),
        Some(None) => None,
    };
    if let Some(value) = value {
        return Some(coerce(value, input.kind));
    }
    let message = format!("the input `{name}` is not given");
    let found = match include {
        Some(include) => Diagnostic::error("missing-input", message, include)
            .related(input.span, "it is declared here, without a default"),
        None => Diagnostic::error("missing-input", message, input.span),
    };
    diagnostics.push(found.help("give it with `include:inputs` or `--input`, or add a `default`"));
    None
}
