//! The header of a file: which inputs it takes.

use indexmap::IndexMap;

use crate::config::{
    Diagnostic, Diagnostics, Node, Span,
    expression::Pattern,
    node::{Entry, Mapping, Value},
};

/// Keys of an input's declaration.
const KEYWORDS: [&str; 6] = ["default", "description", "options", "regex", "type", "rules"];

/// Most options of an input.
const MAX_OPTIONS: usize = 50;

/// One input that a file declares.
#[derive(Debug, Clone)]
pub(super) struct Input {
    pub(super) kind: Type,
    pub(super) default: Option<Node>,
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
    /// Checks a value against type, options and pattern.
    pub(super) fn check(&self, value: &Node) -> Result<(), String> {
        if !self.kind.takes(value) {
            return Err(format!("is not of type {}", self.kind.name()));
        }
        let Some(scalar) = value.as_scalar() else { return Ok(()) };
        if let Some(options) = &self.options
            && !options
                .iter()
                .filter_map(Node::as_scalar)
                .any(|option| option.value == scalar.value && option.to_string() == scalar.to_string())
        {
            let options: Vec<_> =
                options.iter().filter_map(Node::as_scalar).map(|option| format!("`{option}`")).collect();
            return Err(format!("is `{scalar}`, which is none of {}", options.join(", ")));
        }
        if let Some(regex) = &self.regex
            && !regex.is_match(&scalar.text)
        {
            return Err(format!("is `{scalar}`, which does not match `{}`", regex.text()));
        }
        Ok(())
    }
}

/// Reads a header.
pub(super) fn read(header: &Mapping, diagnostics: &mut Diagnostics) -> IndexMap<String, Input> {
    for (key, entry) in header.iter().filter(|(key, _)| *key != "spec") {
        diagnostics.push(
            Diagnostic::error("invalid-spec", format!("the header has no `{key}`"), entry.key)
                .help("move it below the `---`; only `spec` goes above"),
        );
    }
    let Some(spec) = header.get("spec").and_then(Node::as_mapping) else { return IndexMap::new() };
    for (key, entry) in spec.iter().filter(|(key, _)| *key != "inputs") {
        diagnostics.push(match key {
            "include" | "component" => {
                let message = format!("podline does not act on `spec:{key}`");
                Diagnostic::warning("not-simulated", message, entry.key)
                    .help("what it brings is unknown here, and named where it is used")
            }
            _ => Diagnostic::error("invalid-spec", format!("`spec` has no `{key}`"), entry.key),
        });
    }
    let Some(inputs) = spec.get("inputs").and_then(Node::as_mapping) else { return IndexMap::new() };
    inputs.iter().map(|(name, entry)| (name.to_owned(), input(name, entry, diagnostics))).collect()
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
    if let Some(rules) = declaration.entry("rules") {
        let message = format!("podline does not evaluate the rules of the input `{name}`");
        diagnostics.push(
            Diagnostic::warning("not-simulated", message, rules.key).help(
                "its `default` is used, or what is given; on GitLab the rules may choose another value",
            ),
        );
    }
    let input = Input {
        kind: kind(name, declaration.get("type"), diagnostics),
        default: declaration.get("default").cloned(),
        options: options(name, declaration.get("options"), diagnostics),
        regex: regex(name, declaration.get("regex"), diagnostics),
        span: entry.key,
    };
    check_use(name, &input, declaration, diagnostics);
    input
}

/// Finds what does not fit together within a declaration.
fn check_use(name: &str, input: &Input, declaration: &Mapping, diagnostics: &mut Diagnostics) {
    let misused = [
        ("options", matches!(input.kind, Type::Boolean | Type::Array)),
        ("regex", input.kind != Type::String),
    ];
    for (key, is_misused) in misused {
        if is_misused && let Some(entry) = declaration.entry(key) {
            let message =
                format!("the input `{name}` is of type {} and cannot have `{key}`", input.kind.name());
            diagnostics.push(Diagnostic::error("invalid-spec", message, entry.key));
        }
    }
    if let Some(default) = &input.default
        && let Err(problem) = input.check(default)
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

fn options(name: &str, value: Option<&Node>, diagnostics: &mut Diagnostics) -> Option<Vec<Node>> {
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
