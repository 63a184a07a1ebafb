//! `$[[ inputs.name | function ]]` and `$[[ component.name ]]` in the values and keys of a file.

use std::{collections::HashSet, sync::LazyLock};

use regex::Regex;

use super::{Values, function, spec::COMPONENT};
use crate::config::{
    Diagnostic, Diagnostics, Node, Span,
    loader::Component,
    node::{Kind, Mapping},
    surroundings::Surroundings,
};

/// Most different blocks in a file (`TextTemplate::MAX_BLOCKS`).
const MAX_BLOCKS: usize = 10_000;

/// Most functions in a block.
const MAX_FUNCTIONS: usize = 3;

/// Longest name in a block, in bytes (`Access::MAX_ACCESS_BYTESIZE`).
const MAX_ACCESS: usize = 1024;

/// What begins a block.
const PREFIX: &str = "$[[";

/// A block (`Template::BLOCK_REGEXP`).
static BLOCK: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\$\[\[\s*(\S.*?\S)\s*\]\]").expect("the pattern is a constant"));

/// What blocks may ask for.
#[derive(Debug)]
pub(super) struct Known<'k> {
    pub(super) inputs: Values,
    /// Whether another name is certainly no input.
    pub(super) has_all_inputs: bool,
    /// What `spec:component` names.
    pub(super) asked: Vec<String>,
    /// The component that the file belongs to.
    pub(super) component: Option<&'k Component>,
}

/// Puts the values of inputs in their places.
pub(super) fn apply(
    content: Mapping,
    known: &Known<'_>,
    surroundings: &Surroundings<'_>,
    diagnostics: &mut Diagnostics,
) -> Mapping {
    let mut template = Template { known, surroundings, diagnostics, blocks: HashSet::new() };
    let content = template.mapping(content);
    if template.blocks.len() > MAX_BLOCKS {
        let message = format!("there are more than {MAX_BLOCKS} different `$[[ ]]` blocks in this file");
        diagnostics.push(Diagnostic::error("interpolation", message, None));
    }
    content
}

struct Template<'a, 's> {
    known: &'a Known<'a>,
    surroundings: &'a Surroundings<'s>,
    diagnostics: &'a mut Diagnostics,
    /// The blocks met so far.
    blocks: HashSet<String>,
}

impl Template<'_, '_> {
    fn mapping(&mut self, mapping: Mapping) -> Mapping {
        let mut all = Mapping::default();
        for (key, entry) in mapping {
            let key = if key.contains(PREFIX) { self.key(&key, entry.key) } else { key };
            let value = self.node(entry.value);
            all.insert(key, entry.key, value);
        }
        all
    }

    fn key(&mut self, key: &str, span: Span) -> String {
        match self.text(key, span).kind {
            Kind::Scalar(scalar) => scalar.to_string(),
            kind => ruby_text(&Node { kind, span }),
        }
    }

    fn node(&mut self, node: Node) -> Node {
        let span = node.span;
        let kind = match node.kind {
            Kind::Scalar(scalar) if scalar.text.contains(PREFIX) => return self.text(&scalar.text, span),
            Kind::Sequence(items) => {
                Kind::Sequence(items.into_iter().flat_map(|item| self.item(item)).collect())
            }
            Kind::Mapping(mapping) => Kind::Mapping(self.mapping(mapping)),
            // A reference is an object to GitLab, whose parts are not interpolated.
            kind @ (Kind::Scalar(_) | Kind::Reference(_)) => kind,
        };
        Node { kind, span }
    }

    /// An item of an array: an array in its place is spliced (`Config#recursive_replace_array`).
    fn item(&mut self, item: Node) -> Vec<Node> {
        let is_block = item.as_str().is_some_and(|text| text.contains(PREFIX));
        match self.node(item) {
            Node { kind: Kind::Sequence(items), .. } if is_block => items,
            node => vec![node],
        }
    }

    /// A text with its blocks replaced. A block that is the whole text keeps its type.
    fn text(&mut self, text: &str, span: Span) -> Node {
        if let Some(whole) = BLOCK.captures(text)
            && whole[0].len() == text.len()
        {
            let value = self.block(&whole[0], &whole[1], span);
            return Node {
                kind: value.map_or_else(|| Node::string(text, span).kind, |value| value.kind),
                span,
            };
        }
        let mut out = String::with_capacity(text.len());
        let mut end = 0;
        for found in BLOCK.captures_iter(text) {
            let Some(block) = found.get(0) else { continue };
            out.push_str(&text[end..block.start()]);
            match self.block(block.as_str(), &found[1], span) {
                Some(value) => out.push_str(&ruby_text(&value)),
                None => out.push_str(block.as_str()),
            }
            end = block.end();
        }
        out.push_str(&text[end..]);
        Node::string(out, span)
    }

    /// The value of one block. `None` leaves it as it is.
    fn block(&mut self, block: &str, inside: &str, span: Span) -> Option<Node> {
        self.blocks.insert(block.to_owned());
        let mut parts = inside.split('|').map(str::trim);
        let access = parts.next().unwrap_or_default();
        // Resolved later: matrix values when jobs are made, job inputs when one starts.
        if access == "matrix" || access.starts_with("matrix.") || access.starts_with("job.") {
            return None;
        }
        let functions: Vec<_> = parts.collect();
        let value = self.access(access, span)?;
        if functions.len() > MAX_FUNCTIONS {
            let message = format!("`{block}` has more than {MAX_FUNCTIONS} functions");
            self.refuse(message, span, None);
            return None;
        }
        functions.into_iter().try_fold(value, |value, call| {
            let result = function::apply(call, &value, self.surroundings);
            result.map_err(|problem| self.refuse(format!("`{block}`: {problem}"), span, None)).ok()
        })
    }

    fn access(&mut self, access: &str, span: Span) -> Option<Node> {
        if access.len() > MAX_ACCESS {
            self.refuse(format!("a `$[[ ]]` block is longer than {MAX_ACCESS} bytes"), span, None);
            return None;
        }
        if let Some(name) = access.strip_prefix("inputs.") {
            return self.input(name, span);
        }
        if let Some(name) = access.strip_prefix("component.") {
            return self.component(name, span);
        }
        let help = "write `$[[ inputs.name ]]`".to_owned();
        self.refuse(format!("`$[[ {access} ]]` is nothing that can be put in"), span, Some(help));
        None
    }

    fn input(&mut self, name: &str, span: Span) -> Option<Node> {
        if let Some(value) = self.known.inputs.get(name) {
            // Without a value, that is reported where it is missing.
            return value.clone();
        }
        if !self.known.has_all_inputs {
            return None;
        }
        let help = match self.diagnostics.nearest(name, self.known.inputs.keys().map(String::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "declare it under `spec:inputs` at the top of this file".to_owned(),
        };
        self.refuse(format!("the input `{name}` is not declared in this file"), span, Some(help));
        None
    }

    fn component(&mut self, name: &str, span: Span) -> Option<Node> {
        if !self.known.asked.iter().any(|asked| asked == name) {
            let help = match COMPONENT.contains(&name) {
                true => format!("add it to the header: `spec: {{component: [{name}]}}`"),
                false => format!("use one of `{}`", COMPONENT.join("`, `")),
            };
            self.refuse(format!("`spec:component` does not name `{name}`"), span, Some(help));
            return None;
        }
        let Some(component) = self.known.component else {
            let help = "only a file that is included by `component`, or by such a file, has it".to_owned();
            self.refuse(format!("`$[[ component.{name} ]]` has no value here"), span, Some(help));
            return None;
        };
        let text = match name {
            "name" => &component.name,
            "sha" => &component.sha,
            "reference" => &component.reference,
            _ => match &component.version {
                Some(version) => version,
                None => return Some(Node::null(span)),
            },
        };
        Some(Node::string(text, span))
    }

    fn refuse(&mut self, message: String, span: Span, help: Option<String>) {
        let mut found = Diagnostic::error("interpolation", message, span);
        found.help = help;
        self.diagnostics.push(found);
    }
}

/// A value within a longer text, as Ruby's `to_s` shows it.
pub(super) fn ruby_text(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar(_) if node.is_null() => String::new(),
        Kind::Scalar(scalar) => scalar.to_string(),
        _ => inspect(node),
    }
}

/// A value as Ruby's `inspect` shows it.
fn inspect(node: &Node) -> String {
    match &node.kind {
        Kind::Scalar(scalar) if node.as_str().is_some() => format!("{:?}", scalar.text),
        Kind::Scalar(_) if node.is_null() => "nil".to_owned(),
        Kind::Scalar(scalar) => scalar.to_string(),
        Kind::Sequence(items) => format!("[{}]", items.iter().map(inspect).collect::<Vec<_>>().join(", ")),
        Kind::Mapping(mapping) => {
            let entries = mapping.iter().map(|(key, entry)| format!("{key}: {}", inspect(&entry.value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Kind::Reference(_) => String::new(),
    }
}
