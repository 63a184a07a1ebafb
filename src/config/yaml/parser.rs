//! Events into nodes: anchors, tags and places.

use std::{collections::HashMap, ops::Range};

use libyaml_safer::{Event, EventData, Mark, Parser, ScalarStyle};

use super::{
    block::Block,
    given::Given,
    limits::{Budget, MAX_DEPTH, MAX_EXPANDED_BYTES},
    syntax,
    tag::Tag,
};
use crate::config::{
    Diagnostic, Diagnostics, Node, SourceId, Span, Spanned,
    node::{Kind, Mapping, Scalar, Value},
};

/// Why reading stops: what is wrong is in the diagnostics.
#[derive(Debug)]
pub(super) struct Stop;

/// Reads nodes from the events of one text.
pub(super) struct Reader<'parser, 'text, 'diagnostics> {
    parser: Parser<&'parser mut &'text [u8]>,
    given: &'text Given,
    text: &'text str,
    source: SourceId,
    anchors: HashMap<String, Anchor>,
    budget: Budget,
    pub(super) diagnostics: &'diagnostics mut Diagnostics,
}

/// What an alias of a name stands for.
enum Anchor {
    /// The node is still being read.
    Open,
    /// The node, complete.
    Node(Node),
}

impl<'parser, 'text, 'diagnostics> Reader<'parser, 'text, 'diagnostics> {
    /// A reader over the events of `parser`, which is given `text` as it can take it.
    pub(super) fn new(
        parser: Parser<&'parser mut &'text [u8]>,
        given: &'text Given,
        source: SourceId,
        text: &'text str,
        diagnostics: &'diagnostics mut Diagnostics,
    ) -> Self {
        let budget = Budget::new(MAX_EXPANDED_BYTES);
        Self { parser, given, text, source, anchors: HashMap::new(), budget, diagnostics }
    }

    /// The next event.
    pub(super) fn event(&mut self) -> Result<Event, Stop> {
        self.parser
            .parse()
            .map_err(|error| self.stop(syntax::diagnostic(&error, self.given, self.source, self.text)))
    }

    /// Reads the root of a document. Anchors live as long as it; GitLab reads each document alone.
    pub(super) fn root(&mut self) -> Result<Node, Stop> {
        self.anchors.clear();
        self.budget = Budget::new(MAX_EXPANDED_BYTES);
        let first = self.event()?;
        self.node(first, 0)
    }

    fn node(&mut self, event: Event, depth: usize) -> Result<Node, Stop> {
        let range = self.byte(event.start_mark)..self.byte(event.end_mark);
        if depth > MAX_DEPTH {
            let span = self.span(range);
            return Err(self.stop(
                Diagnostic::error(
                    "yaml-depth",
                    format!("this is nested deeper than {MAX_DEPTH} levels"),
                    span,
                )
                .help("GitLab refuses it as well; make the nesting flatter"),
            ));
        }
        self.spend(40, range.clone())?;
        match event.data {
            EventData::Alias { anchor } => self.alias(&anchor, range),
            EventData::Scalar { anchor, tag, value, quoted_implicit, style, .. } => {
                let span = self.span(range);
                let value = self.as_written(value, style, event.end_mark);
                let node = self.scalar(value, tag.as_deref(), quoted_implicit, span)?;
                self.register(anchor, &node);
                Ok(node)
            }
            EventData::SequenceStart { anchor, tag, .. } => {
                self.sequence(anchor, tag.as_deref(), range.start, depth)
            }
            EventData::MappingStart { anchor, tag, .. } => {
                self.mapping(anchor, tag.as_deref(), range.start, depth)
            }
            EventData::StreamStart { .. }
            | EventData::StreamEnd
            | EventData::DocumentStart { .. }
            | EventData::DocumentEnd { .. }
            | EventData::SequenceEnd
            | EventData::MappingEnd => unreachable!("libyaml's events are nested: a node begins here"),
        }
    }

    fn scalar(&mut self, text: String, tag: Option<&str>, quoted: bool, span: Span) -> Result<Node, Stop> {
        self.spend(text.len(), span.start as usize..span.end as usize)?;
        let kind = Tag::of(tag);
        self.check_tag(kind, tag, span);
        if kind == Tag::Reference {
            return Ok(self.reference(Vec::new(), span));
        }
        let scalar = if quoted { Scalar { value: Value::String, text } } else { kind.apply(text) };
        if let Value::Refused(class) = scalar.value {
            let what = if class == "Date" { "a date" } else { "a time" };
            self.diagnostics.push(
                Diagnostic::error(
                    "refused-value",
                    format!("`{}` is {what}, which GitLab refuses", scalar.text),
                    span,
                )
                .help("put it in quotes"),
            );
        }
        Ok(Node { kind: Kind::Scalar(scalar), span })
    }

    fn sequence(
        &mut self,
        anchor: Option<String>,
        tag: Option<&str>,
        start: usize,
        depth: usize,
    ) -> Result<Node, Stop> {
        self.open(anchor.as_deref());
        let mut items = Vec::new();
        let end = loop {
            let event = self.event()?;
            if matches!(event.data, EventData::SequenceEnd) {
                break self.byte(event.end_mark);
            }
            items.push(self.node(event, depth + 1)?);
        };
        let span = self.collection_span(start..end);
        let kind = Tag::of(tag);
        self.check_tag(kind, tag, span);
        if kind == Tag::Reference {
            // Psych makes the object of a tag without registering its anchor (`to_ruby.rb`).
            anchor.map(|name| self.anchors.remove(&name));
            return Ok(self.reference(items, self.tag_span(start, span)));
        }
        let node = Node { kind: Kind::Sequence(items), span };
        self.register(anchor, &node);
        Ok(node)
    }

    fn mapping(
        &mut self,
        anchor: Option<String>,
        tag: Option<&str>,
        start: usize,
        depth: usize,
    ) -> Result<Node, Stop> {
        self.open(anchor.as_deref());
        let mut block = Block::default();
        let end = loop {
            let event = self.event()?;
            if matches!(event.data, EventData::MappingEnd) {
                break self.byte(event.end_mark);
            }
            let is_string_tag = matches!(&event.data,
                EventData::Scalar { tag: Some(tag), .. } if Tag::of(Some(tag)) == Tag::Str);
            let key = self.node(event, depth + 1)?;
            let value = self.event()?;
            let value = self.node(value, depth + 1)?;
            match self.key(&key) {
                Some(name) if name == "<<" && key.as_str().is_some() && !is_string_tag => {
                    block.merge(key.span, value, self.diagnostics);
                }
                Some(name) => block.insert(name, key.span, value, self.diagnostics),
                None => {}
            }
        };
        let span = self.collection_span(start..end);
        let kind = Tag::of(tag);
        self.check_tag(kind, tag, span);
        let node = match kind {
            Tag::Reference => return Ok(self.reference(Vec::new(), span)),
            _ => Node { kind: Kind::Mapping(block.finish()), span },
        };
        self.register(anchor, &node);
        Ok(node)
    }

    /// The text of a key: GitLab turns what is not a string into what Ruby shows it as.
    fn key(&mut self, key: &Node) -> Option<String> {
        if let Some(scalar) = key.as_scalar() {
            return Some(scalar.to_string());
        }
        self.diagnostics.push(
            Diagnostic::error("invalid-key", "a key has to be a single word or text", key.span)
                .help("put it in quotes if it begins with `[`, `{` or `!`"),
        );
        None
    }

    fn alias(&mut self, name: &str, range: Range<usize>) -> Result<Node, Stop> {
        let span = self.span(range.clone());
        match self.anchors.get(name) {
            Some(Anchor::Node(node)) => {
                let copy = self.budget.spend_copy(node).map(|()| node.clone());
                copy.map_err(|_| self.too_big(range))
            }
            Some(Anchor::Open) => Err(self.stop(
                Diagnostic::error("yaml-alias", format!("`*{name}` is inside of what `&{name}` names"), span)
                    .help("an alias cannot contain itself"),
            )),
            None => {
                let known: Vec<_> = self.anchors.keys().map(String::as_str).collect();
                let help = match self.diagnostics.nearest(name, known) {
                    Some(near) => format!("did you mean `*{near}`?"),
                    None => {
                        "anchors live in one file and above their aliases; put the value in quotes if it is text"
                            .to_owned()
                    }
                };
                let message = format!("there is no anchor `&{name}` above this alias");
                self.diagnostics.push(Diagnostic::error("yaml-alias", message, span).help(help));
                Ok(Node::null(span))
            }
        }
    }

    fn open(&mut self, anchor: Option<&str>) {
        if let Some(name) = anchor {
            self.anchors.insert(name.to_owned(), Anchor::Open);
        }
    }

    fn register(&mut self, anchor: Option<String>, node: &Node) {
        if let Some(name) = anchor {
            self.anchors.insert(name, Anchor::Node(node.clone()));
        }
    }

    /// Reads the path of a `!reference`, which is a list of strings.
    fn reference(&mut self, items: Vec<Node>, span: Span) -> Node {
        let path: Option<Vec<_>> = items
            .iter()
            .map(|item| item.as_str().map(|text| Spanned::new(text.to_owned(), item.span)))
            .collect();
        match path {
            Some(path) if !path.is_empty() => Node { kind: Kind::Reference(path), span },
            _ => {
                self.diagnostics.push(
                    Diagnostic::error("invalid-reference", "`!reference` takes a list of names", span)
                        .help("write it as `!reference [job, keyword]`, and quote names that are not text"),
                );
                Node::null(span)
            }
        }
    }

    fn check_tag(&mut self, kind: Tag, tag: Option<&str>, span: Span) {
        if let (Tag::Refused, Some(tag)) = (kind, tag) {
            self.diagnostics.push(
                Diagnostic::error("refused-tag", format!("the tag `{tag}` is not allowed"), span)
                    .help("remove the tag; the only one that GitLab adds to YAML is `!reference`"),
            );
        }
    }

    fn spend(&mut self, bytes: usize, range: Range<usize>) -> Result<(), Stop> {
        self.budget.spend(bytes).map_err(|_| self.too_big(range))
    }

    fn too_big(&mut self, range: Range<usize>) -> Stop {
        let span = self.span(range);
        self.stop(
            Diagnostic::error("yaml-too-big", "with its aliases, the file grows too big here", span)
                .help("GitLab refuses it as well; use `extends` or fewer aliases of large parts"),
        )
    }

    /// The byte that a mark points at.
    pub(super) fn byte(&self, mark: Mark) -> usize {
        self.given.byte(mark)
    }

    /// The value of a scalar as it would be without the line break that the text was given: a block scalar
    /// that goes on to the end has it as its last character.
    fn as_written(&self, mut value: String, style: ScalarStyle, end: Mark) -> String {
        let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let last_line = self.text.rsplit('\n').next().unwrap_or_default();
        if is_block && self.given.is_behind(end) && !last_line.trim().is_empty() && value.ends_with('\n') {
            value.pop();
        }
        value
    }

    fn stop(&mut self, diagnostic: Diagnostic) -> Stop {
        self.diagnostics.push(diagnostic);
        Stop
    }

    /// A span without the white space at its end.
    fn span(&self, range: Range<usize>) -> Span {
        let written = self.text.get(range.clone()).unwrap_or_default().trim_end().len();
        Span::new(self.source, range.start..range.start + written)
    }

    /// A span of a collection: its first line, for a caret.
    fn collection_span(&self, range: Range<usize>) -> Span {
        let line = self.text.get(range.clone()).and_then(|text| text.lines().next()).unwrap_or_default();
        self.span(range.start..range.start + line.len())
    }

    /// The span of a `!reference`, which is short enough to be shown whole.
    fn tag_span(&self, start: usize, first_line: Span) -> Span {
        let end = self.text.get(start..).and_then(|text| text.find(']')).map(|at| start + at + 1);
        match end {
            Some(end) if end <= first_line.end as usize => Span::new(self.source, start..end),
            _ => first_line,
        }
    }
}

/// A document without content, as a mapping.
pub(super) fn as_mapping(node: Node) -> Option<Mapping> {
    match node.kind {
        Kind::Mapping(mapping) => Some(mapping),
        _ => None,
    }
}
