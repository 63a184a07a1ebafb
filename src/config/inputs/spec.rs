//! The header of a file: which inputs it takes, and what it asks of its component.

use indexmap::IndexMap;

use super::{
    coerce::coerce,
    rules::{self, Rule},
};
use crate::config::{
    Diagnostic, Diagnostics, Node, Span,
    expression::Pattern,
    node::{Entry, Kind, Mapping, Value},
};

/// Keys of an input's declaration.
const KEYWORDS: [&str; 6] = ["default", "description", "options", "regex", "type", "rules"];

/// Most options of an input.
pub(super) const MAX_OPTIONS: usize = 50;

/// What `spec:component` may ask for (`Header::Component::ALLOWED_VALUES`).
pub(super) const COMPONENT: [&str; 4] = ["name", "sha", "version", "reference"];

/// A header.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) inputs: IndexMap<String, Input>,
    /// What of `$[[ component.* ]]` the file uses.
    pub(super) component: Vec<String>,
}

/// One input that a file declares.
#[derive(Debug, Clone)]
pub(super) struct Input {
    pub(super) kind: Type,
    pub(super) default: Option<Node>,
    /// What decides on options and default instead, where there are such rules.
    pub(super) rules: Option<Vec<Rule>>,
    options: Option<Vec<Node>>,
    regex: Option<Pattern>,
    /// Where its name is.
    pub(super) span: Span,
}

/// `spec:inputs:type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    String,
    Number,
    Boolean,
    Array,
}

impl Type {
    const NAMES: [(&'static str, Self); 4] = [
        ("string", Self::String),
        ("number", Self::Number),
        ("boolean", Self::Boolean),
        ("array", Self::Array),
    ];

    fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    fn takes(self, value: &Node) -> bool {
        match self {
            Self::String => value.as_str().is_some(),
            Self::Number => value
                .as_scalar()
                .is_some_and(|scalar| matches!(scalar.value, Value::Int(_) | Value::Float(_))),
            Self::Boolean => value.as_bool().is_some(),
            Self::Array => value.as_sequence().is_some(),
        }
    }
}

impl Input {
    /// Checks a value against type, options and pattern; a rule has options of its own.
    pub(super) fn check(&self, value: &Node, rule: Option<&Rule>) -> Result<(), String> {
        if !self.kind.takes(value) {
            return Err(format!("is not of type {}", self.kind.name()));
        }
        if let Some(options) = rule.and_then(|rule| rule.options.as_ref()).or(self.options.as_ref()) {
            check_options(value, options)?;
        }
        let (Some(regex), Some(scalar)) = (&self.regex, value.as_scalar()) else { return Ok(()) };
        if regex.is_match(&scalar.text) {
            return Ok(());
        }
        Err(format!("is `{scalar}`, which does not match `{}`", regex.text()))
    }
}

/// Whether a value is one of the options; of a list, all items.
fn check_options(value: &Node, options: &[Node]) -> Result<(), String> {
    let values = value.as_sequence().unwrap_or(std::slice::from_ref(value));
    for scalar in values.iter().filter_map(Node::as_scalar) {
        if !options.iter().filter_map(Node::as_scalar).any(|option| option.to_string() == scalar.to_string())
        {
            let options: Vec<_> =
                options.iter().filter_map(Node::as_scalar).map(|option| format!("`{option}`")).collect();
            let has = if value.as_sequence().is_some() { "has" } else { "is" };
            return Err(format!("{has} `{scalar}`, which is none of {}", options.join(", ")));
        }
    }
    Ok(())
}

/// Reads a header.
pub(super) fn read(header: &Mapping, diagnostics: &mut Diagnostics) -> Spec {
    for (key, entry) in header.iter().filter(|(key, _)| *key != "spec") {
        diagnostics.push(
            Diagnostic::error("invalid-spec", format!("the header has no `{key}`"), entry.key)
                .help("move it below the `---`; only `spec` goes above"),
        );
    }
    let nothing = Mapping::default();
    let spec = header.get("spec").and_then(Node::as_mapping).unwrap_or(&nothing);
    let known = ["inputs", "include", "component", "description"];
    for (key, entry) in spec.iter().filter(|(key, _)| !known.contains(key)) {
        let mut found = Diagnostic::error("invalid-spec", format!("`spec` has no `{key}`"), entry.key);
        found.help = diagnostics.nearest(key, known).map(|near| format!("did you mean `{near}`?"));
        diagnostics.push(found);
    }
    let inputs: IndexMap<_, _> = match spec.get("inputs").map(|inputs| &inputs.kind) {
        Some(Kind::Mapping(inputs)) => {
            inputs.iter().map(|(name, entry)| (name.to_owned(), input(name, entry, diagnostics))).collect()
        }
        _ => IndexMap::new(),
    };
    if let Some(wrong) =
        spec.get("inputs").filter(|inputs| !inputs.is_null() && inputs.as_mapping().is_none())
    {
        let message = "`spec:inputs` has to be a mapping";
        diagnostics.push(Diagnostic::error("invalid-spec", message, wrong.span));
    }
    rules::check(&inputs, diagnostics);
    Spec { inputs, component: component(spec.get("component"), diagnostics) }
}

/// `spec:component`: a list of what the file uses of `$[[ component.* ]]`.
fn component(value: Option<&Node>, diagnostics: &mut Diagnostics) -> Vec<String> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Vec::new() };
    let names: Option<Vec<_>> =
        value.as_sequence().and_then(|items| items.iter().map(Node::as_str).collect());
    let known = |names: &[&str]| names.iter().all(|name| COMPONENT.contains(name));
    match names.filter(|names| known(names)) {
        Some(names) => names.into_iter().map(str::to_owned).collect(),
        None => {
            let message = "`spec:component` has another value than GitLab knows";
            diagnostics.push(
                Diagnostic::error("invalid-spec", message, value.span)
                    .help(format!("write a list of `{}`", COMPONENT.join("`, `"))),
            );
            Vec::new()
        }
    }
}

fn input(name: &str, entry: &Entry, diagnostics: &mut Diagnostics) -> Input {
    let nothing = Mapping::default();
    let declaration = entry.value.as_mapping().unwrap_or(&nothing);
    if !entry.value.is_null() && entry.value.as_mapping().is_none() {
        let message = format!("the declaration of the input `{name}` has to be a mapping");
        diagnostics.push(Diagnostic::error("invalid-spec", message, entry.value.span));
    }
    for (key, unknown) in declaration.iter().filter(|(key, _)| !KEYWORDS.contains(key)) {
        let help = match diagnostics.nearest(key, KEYWORDS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("use `{}`", KEYWORDS.join("`, `")),
        };
        let message = format!("the input `{name}` has no `{key}`");
        diagnostics.push(Diagnostic::error("invalid-spec", message, unknown.key).help(help));
    }
    let input = Input {
        kind: kind(name, declaration.get("type"), diagnostics),
        default: declaration.get("default").cloned(),
        rules: declaration.get("rules").and_then(|rules| rules::read(name, rules, diagnostics)),
        options: options(name, declaration.get("options"), diagnostics),
        regex: regex(name, declaration.get("regex"), diagnostics),
        span: entry.key,
    };
    check_use(name, &input, declaration, diagnostics);
    input
}

/// Finds what does not fit together within a declaration.
fn check_use(name: &str, input: &Input, declaration: &Mapping, diagnostics: &mut Diagnostics) {
    let misused = [("options", input.kind == Type::Boolean), ("regex", input.kind != Type::String)];
    for key in ["options", "default"] {
        if input.rules.is_some()
            && let Some(entry) = declaration.entry(key)
        {
            let message = format!("the input `{name}` has `rules` and cannot have `{key}` besides");
            let help = format!("write `{key}` in the rules");
            diagnostics.push(Diagnostic::error("invalid-spec", message, entry.key).help(help));
        }
    }
    for (key, is_misused) in misused {
        if is_misused && let Some(entry) = declaration.entry(key) {
            let message =
                format!("the input `{name}` is of type {} and cannot have `{key}`", input.kind.name());
            diagnostics.push(Diagnostic::error("invalid-spec", message, entry.key));
        }
    }
    if let Some(default) = input.default.as_ref().filter(|default| !default.is_null())
        && let Err(problem) = input.check(&coerce(default, input.kind), None)
    {
        let message = format!("the default of the input `{name}` {problem}");
        diagnostics.push(Diagnostic::error("invalid-input", message, default.span));
    }
}

fn kind(name: &str, value: Option<&Node>, diagnostics: &mut Diagnostics) -> Type {
    let Some(value) = value else { return Type::String };
    let known = Type::NAMES.iter().find(|(known, _)| value.as_str() == Some(known));
    if let Some((_, kind)) = known {
        return *kind;
    }
    let message = format!("the input `{name}` has a type that GitLab does not know");
    diagnostics.push(
        Diagnostic::error("invalid-spec", message, value.span)
            .help("use `string`, `number`, `boolean` or `array`"),
    );
    Type::String
}

pub(super) fn options(name: &str, value: Option<&Node>, diagnostics: &mut Diagnostics) -> Option<Vec<Node>> {
    let value = value.filter(|value| !value.is_null())?;
    match value.as_sequence() {
        Some(options) if options.len() <= MAX_OPTIONS => Some(options.to_vec()),
        Some(options) => {
            let message = format!("the input `{name}` has more than {MAX_OPTIONS} options");
            diagnostics.push(Diagnostic::error("invalid-spec", message, value.span));
            Some(options.to_vec())
        }
        None => {
            let message = format!("the options of the input `{name}` have to be a list");
            diagnostics.push(Diagnostic::error("invalid-spec", message, value.span));
            None
        }
    }
}

fn regex(name: &str, value: Option<&Node>, diagnostics: &mut Diagnostics) -> Option<Pattern> {
    let value = value.filter(|value| !value.is_null())?;
    let pattern = value.as_str().ok_or("is not a string".to_owned());
    match pattern.and_then(|text| Pattern::bare(text).map_err(|error| error.to_string())) {
        Ok(pattern) => Some(pattern),
        Err(problem) => {
            let message = format!("the regex of the input `{name}`: {problem}");
            diagnostics.push(Diagnostic::error("invalid-spec", message, value.span));
            None
        }
    }
}
