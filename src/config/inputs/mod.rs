//! `spec:inputs` and `$[[ inputs.x ]]`, per file and before files merge.

mod function;
mod interpolate;
mod spec;
#[cfg(test)]
mod tests;

use indexmap::IndexMap;

use super::{
    Diagnostic, Diagnostics, Node, Sources, Span,
    node::{Kind, Mapping, Scalar, Value},
    surroundings::Surroundings,
    yaml::{Documents, scan},
};
use spec::{Input, Type};

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
    /// Whether it is text from outside, to be read as the type that the file declares.
    is_text: bool,
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
        let value = |entry: &super::node::Entry| GivenValue {
            key: entry.key,
            value: entry.value.clone(),
            is_text: false,
        };
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
        GivenValue { key: span, value: Node::string(text, span), is_text: true }
    };
    Given {
        include: None,
        values: inputs.iter().map(|(name, text)| (name.clone(), value(name, text, sources))).collect(),
    }
}

/// The content of a file with its inputs in their places. `None` if that cannot be told.
pub(super) fn apply(
    documents: Documents,
    given: &Given,
    surroundings: &Surroundings<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<Mapping> {
    let Some(header) = documents.header else {
        for (name, value) in &given.values {
            diagnostics.push(
                Diagnostic::error("unknown-input", format!("the file takes no input `{name}`"), value.key)
                    .help("it has no `spec:inputs` header; add one, or give no inputs"),
            );
        }
        return Some(documents.content);
    };
    let declared = spec::read(&header, diagnostics);
    let values = values(&declared, given, diagnostics);
    Some(interpolate::apply(documents.content, &values, surroundings, diagnostics))
}

/// Values by name; an input whose value is wrong or missing has none.
type Values = IndexMap<String, Option<Node>>;

/// Finds the value of every declared input.
fn values(declared: &IndexMap<String, Input>, given: &Given, diagnostics: &mut Diagnostics) -> Values {
    for (name, value) in given.values.iter().filter(|(name, _)| !declared.contains_key(*name)) {
        let help = match diagnostics.nearest(name, declared.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "declare it in the file's `spec:inputs`, or do not give it".to_owned(),
        };
        let message = format!("the file takes no input `{name}`");
        diagnostics.push(Diagnostic::error("unknown-input", message, value.key).help(help));
    }
    let mut values = Values::new();
    for (name, input) in declared {
        let value = value(name, input, given, diagnostics);
        values.insert(name.clone(), value);
    }
    values
}

fn value(name: &str, input: &Input, given: &Given, diagnostics: &mut Diagnostics) -> Option<Node> {
    let found = given.values.get(name).filter(|given| given.is_text || !given.value.is_null());
    let Some(found) = found else {
        if input.default.is_none() {
            diagnostics.push(
                missing(name, input, given.include)
                    .help("give it with `include:inputs` or `--input`, or add a `default`"),
            );
        }
        // The default is checked where it is declared.
        return input.default.clone();
    };
    let value = if found.is_text { typed(&found.value, input.kind) } else { found.value.clone() };
    match input.check(&value) {
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

fn missing(name: &str, input: &Input, include: Option<Span>) -> Diagnostic {
    let message = format!("the input `{name}` is not given");
    match include {
        Some(include) => Diagnostic::error("missing-input", message, include)
            .related(input.span, "it is declared here, without a default"),
        None => Diagnostic::error("missing-input", message, input.span),
    }
}

/// Reads a text as an input's type, as GitLab does with inputs that are typed into a form.
fn typed(text: &Node, kind: Type) -> Node {
    let Some(written) = text.as_str() else { return text.clone() };
    match kind {
        Type::String => text.clone(),
        Type::Number | Type::Boolean => Node { kind: Kind::Scalar(scan(written)), span: text.span },
        Type::Array => match serde_json::from_str(written) {
            Ok(serde_json::Value::Array(items)) => from_json(serde_json::Value::Array(items), text.span),
            _ => text.clone(),
        },
    }
}

fn from_json(value: serde_json::Value, span: Span) -> Node {
    use serde_json::Value as Json;
    let kind = match value {
        Json::Null => return Node::null(span),
        Json::Bool(value) => Kind::Scalar(Scalar { value: Value::Bool(value), text: value.to_string() }),
        Json::Number(number) => Kind::Scalar(scan(&number.to_string())),
        Json::String(text) => return Node::string(text, span),
        Json::Array(items) => Kind::Sequence(items.into_iter().map(|item| from_json(item, span)).collect()),
        Json::Object(entries) => {
            let mut mapping = Mapping::default();
            for (key, value) in entries {
                mapping.insert(key, span, from_json(value, span));
            }
            Kind::Mapping(mapping)
        }
    };
    Node { kind, span }
}
