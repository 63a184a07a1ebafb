//! The documents of a file: the configuration, or a `spec:` header and the configuration.

use libyaml_safer::{EventData, Parser};

use super::{
    given::Given,
    limits::MAX_BYTES,
    parser::{Reader, Stop, as_mapping},
};
use crate::config::{Diagnostic, Diagnostics, Node, SourceId, Span, node::Mapping};

/// Most documents in a file (`Yaml::Loader::MAX_DOCUMENTS`).
const MAX_DOCUMENTS: usize = 2;

/// What a file says.
#[derive(Debug, Clone)]
pub struct Documents {
    /// The first document, if it has a `spec` and another one follows.
    pub header: Option<Mapping>,
    /// The configuration. Empty, without an error, where there is nothing after a header.
    pub content: Mapping,
}

/// Reads a file. `None` if it cannot be read at all; what is wrong is in the diagnostics.
pub fn parse(source: SourceId, text: &str, diagnostics: &mut Diagnostics) -> Option<Documents> {
    if text.len() > MAX_BYTES {
        let message = format!("the file is bigger than {} MB", MAX_BYTES >> 20);
        let start = Span::new(source, 0..0);
        diagnostics.push(
            Diagnostic::error("yaml-too-big", message, start)
                .help("GitLab refuses it as well; split it with `include`"),
        );
        return None;
    }
    let roots = roots(source, text, diagnostics).ok()?;
    select(source, roots, diagnostics)
}

/// The roots of all documents that are not empty, as GitLab drops empty ones.
fn roots(source: SourceId, text: &str, diagnostics: &mut Diagnostics) -> Result<Vec<Node>, Stop> {
    let given = Given::of(text);
    let mut bytes = given.text.as_bytes();
    let mut parser = Parser::new();
    // Given here, as libyaml would take the first bytes of some texts for UTF-16.
    parser.set_encoding(libyaml_safer::Encoding::Utf8);
    parser.set_input_string(&mut bytes);
    let mut reader = Reader::new(parser, &given, source, text, diagnostics);
    let mut roots = Vec::new();
    loop {
        let event = reader.event()?;
        match event.data {
            EventData::StreamEnd => return Ok(roots),
            EventData::DocumentStart { .. } if roots.len() == MAX_DOCUMENTS => {
                let start = reader.byte(event.start_mark);
                reader.diagnostics.push(
                    Diagnostic::error(
                        "too-many-documents",
                        "there are more than two documents in this file",
                        Span::new(source, start..(start + 3).min(text.len())),
                    )
                    .help("a file is one document, or a `spec:` header, `---` and one document"),
                );
                return Ok(roots);
            }
            EventData::DocumentStart { .. } => {
                let root = reader.root()?;
                if !root.is_null() {
                    roots.push(root);
                }
            }
            _ => {}
        }
    }
}

/// Tells header and content apart (`Yaml::Documents`).
fn select(source: SourceId, roots: Vec<Node>, diagnostics: &mut Diagnostics) -> Option<Documents> {
    let mut roots = roots.into_iter();
    let Some(first) = roots.next() else {
        diagnostics.push(
            Diagnostic::error("empty-file", "the file is empty", Span::new(source, 0..0))
                .help("it needs at least one job with a `script`"),
        );
        return None;
    };
    let second = roots.next();
    let has_header = first.as_mapping().is_some_and(|mapping| mapping.get("spec").is_some());
    match (has_header, second) {
        (true, Some(content)) => {
            let header = as_mapping(first);
            Some(Documents { header, content: configuration(content, diagnostics)? })
        }
        (true, None) => {
            let header = as_mapping(first);
            Some(Documents { header, content: Mapping::default() })
        }
        (false, second) => {
            if let Some(second) = second {
                diagnostics.push(
                    Diagnostic::warning(
                        "ignored-document",
                        "GitLab ignores this second document",
                        second.span,
                    )
                    .help("move it above the `---`, or into a file of its own"),
                );
            }
            Some(Documents { header: None, content: configuration(first, diagnostics)? })
        }
    }
}

fn configuration(root: Node, diagnostics: &mut Diagnostics) -> Option<Mapping> {
    let span = root.span;
    let mapping = as_mapping(root);
    if mapping.is_none() {
        diagnostics.push(
            Diagnostic::error("not-a-mapping", "a configuration has to be a mapping of keys to values", span)
                .help("begin with `job:` and its `script:`"),
        );
    }
    mapping
}
