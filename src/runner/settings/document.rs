//! YAML documents of Kubernetes manifests, with the place of every value.

use std::collections::HashMap;

use libyaml_safer::{Event, EventData, Parser};
use serde::Deserialize;
use serde_json::Value;

use crate::config::{Diagnostic, SourceId, Sources, Span};

/// One document of a file: a Kubernetes object, or anything else.
#[derive(Debug, Clone)]
pub struct Document {
    /// What it says.
    pub value: Value,
    /// The text it was read from.
    pub source: SourceId,
    places: HashMap<String, Span>,
}

impl Document {
    /// Where the value at a JSON pointer (`/data/KEY`) was written.
    pub fn place(&self, pointer: &str) -> Option<Span> {
        self.places.get(pointer).copied()
    }

    /// A text at a JSON pointer.
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.value.pointer(pointer).and_then(Value::as_str)
    }

    /// `kind`; empty where there is none.
    pub fn kind(&self) -> &str {
        self.text("/kind").unwrap_or_default()
    }

    /// `metadata.name`; empty where there is none.
    pub fn name(&self) -> &str {
        self.text("/metadata/name").unwrap_or_default()
    }
}

/// Reads all documents of a text; empty ones are left out, a `List` is taken apart.
///
/// # Errors
/// When the text is not YAML: one diagnostic at the place.
pub fn read(source: SourceId, sources: &Sources) -> Result<Vec<Document>, Box<Diagnostic>> {
    let text = &sources.get(source).text;
    let places = places(source, text)?;
    let mut documents = Vec::new();
    for (at, deserializer) in serde_yaml::Deserializer::from_str(text).enumerate() {
        let value = Value::deserialize(deserializer).map_err(|error| {
            not_yaml(source, text, &error.to_string(), error.location().map_or(0, |l| l.index()))
        })?;
        let places = places.get(at).cloned().unwrap_or_default();
        let document = Document { value, source, places };
        match document.kind() {
            "List" => documents.extend(items(&document)),
            _ if document.value.is_null() => {}
            _ => documents.push(document),
        }
    }
    Ok(documents)
}

/// The objects of a `List`.
fn items(list: &Document) -> Vec<Document> {
    let items = list.value.pointer("/items").and_then(Value::as_array).cloned().unwrap_or_default();
    let inside = |at: usize| -> HashMap<String, Span> {
        let prefix = format!("/items/{at}/");
        let rest = |(pointer, span): (&String, &Span)| {
            pointer.strip_prefix(&prefix).map(|rest| (format!("/{rest}"), *span))
        };
        list.places.iter().filter_map(rest).collect()
    };
    let document = |(at, value)| Document { value, source: list.source, places: inside(at) };
    items.into_iter().enumerate().map(document).collect()
}

fn not_yaml(source: SourceId, text: &str, problem: &str, at: usize) -> Box<Diagnostic> {
    let start = (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    let end = text[start..].find('\n').map_or(text.len(), |length| start + length);
    Box::new(Diagnostic::error(
        "manifest-not-yaml",
        format!("this is not YAML: {problem}"),
        Span::new(source, start..end),
    ))
}

/// An open sequence or mapping of the walk, with the step to the value that comes next.
enum Level {
    Sequence(usize),
    /// Absent where a key comes next.
    Mapping(Option<String>),
}

/// A walk over the events of a text that notes where each value is, by JSON pointer.
struct Walk {
    source: SourceId,
    documents: Vec<HashMap<String, Span>>,
    levels: Vec<Level>,
}

/// The places of all values, for each document of a text.
fn places(source: SourceId, text: &str) -> Result<Vec<HashMap<String, Span>>, Box<Diagnostic>> {
    let mut input = text.as_bytes();
    let mut parser = Parser::new();
    parser.set_input_string(&mut input);
    let mut walk = Walk { source, documents: Vec::new(), levels: Vec::new() };
    loop {
        let event = parser.parse().map_err(|error| {
            let at = error.problem_mark().map_or(0, |mark| usize::try_from(mark.index).unwrap_or(usize::MAX));
            not_yaml(source, text, error.problem(), at)
        })?;
        match &event.data {
            EventData::StreamEnd => return Ok(walk.documents),
            EventData::DocumentStart { .. } => walk.documents.push(HashMap::new()),
            EventData::Scalar { value, .. } => walk.leaf(&event, value),
            EventData::Alias { anchor } => walk.leaf(&event, anchor),
            EventData::SequenceStart { .. } => walk.open(&event, Level::Sequence(0)),
            EventData::MappingStart { .. } => walk.open(&event, Level::Mapping(None)),
            EventData::SequenceEnd | EventData::MappingEnd => walk.close(),
            _ => {}
        }
    }
}

impl Walk {
    fn leaf(&mut self, event: &Event, text: &str) {
        if let Some(Level::Mapping(key @ None)) = self.levels.last_mut() {
            *key = Some(text.to_owned());
            return;
        }
        self.note(event);
        self.advance();
    }

    fn open(&mut self, event: &Event, level: Level) {
        self.note(event);
        self.levels.push(level);
    }

    fn close(&mut self) {
        self.levels.pop();
        self.advance();
    }

    fn note(&mut self, event: &Event) {
        let pointer: String = self.levels.iter().map(Level::step).collect();
        let byte = |index: u64| usize::try_from(index).expect("an index into a text in memory");
        let span = Span::new(self.source, byte(event.start_mark.index)..byte(event.end_mark.index));
        if let Some(document) = self.documents.last_mut() {
            document.insert(pointer, span);
        }
    }

    fn advance(&mut self) {
        match self.levels.last_mut() {
            Some(Level::Sequence(at)) => *at += 1,
            Some(Level::Mapping(key)) => *key = None,
            None => {}
        }
    }
}

impl Level {
    /// One step of a JSON pointer.
    fn step(&self) -> String {
        match self {
            Self::Sequence(at) => format!("/{at}"),
            Self::Mapping(key) => pointer_step(key.as_deref().unwrap_or_default()),
        }
    }
}

/// A key as a step of a JSON pointer.
pub fn pointer_step(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::{Sources, read};

    #[test]
    fn every_value_knows_its_place() {
        let mut sources = Sources::default();
        let text = "kind: A\nlist: [x, {y: z}]\n---\n---\nkind: B\ndata: {é/: 'ü', k: v}\n";
        let id = sources.add("some.yaml", text);
        let documents = read(id, &sources).expect("YAML");
        let place = |at: usize, pointer: &str| {
            let location = sources.locate(documents[at].place(pointer).expect(pointer));
            (location.line, location.column)
        };
        assert_eq!(documents.len(), 2);
        assert_eq!(place(0, "/list/1/y"), (2, 15));
        assert_eq!(place(1, "/data/é~1"), (6, 12));
        assert_eq!(place(1, "/data/k"), (6, 20));
    }

    #[test]
    fn a_list_is_taken_apart() {
        let mut sources = Sources::default();
        let id = sources.add("all.yaml", "kind: List\nitems:\n- {kind: A}\n- kind: B\n  data: {k: v}\n");
        let documents = read(id, &sources).expect("YAML");
        assert_eq!(documents.iter().map(super::Document::kind).collect::<Vec<_>>(), ["A", "B"]);
        let place = documents[1].place("/data/k").expect("its place");
        assert_eq!(sources.locate(place).to_string(), "all.yaml:5:13");
    }

    #[test]
    fn what_is_not_yaml_is_said_with_its_place() {
        let mut sources = Sources::default();
        let id = sources.add("broken.yaml", "kind: A\ndata: {k: v\n");
        let diagnostic = read(id, &sources).expect_err("not YAML");
        assert_eq!(diagnostic.code, "manifest-not-yaml");
        assert_eq!(sources.locate(diagnostic.span.expect("a place")).line, 3);
    }
}
