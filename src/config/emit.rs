//! A tree as YAML text, for `podline config`.
//!
//! GitLab's YAML is 1.1 with Psych's habits, so what to quote is decided with the reader's own
//! rules: what is written reads back as the same tree.

use super::{
    node::{Kind, Mapping, Node, Scalar, Value},
    source::{Span, Spanned},
    yaml::scan,
};

/// Longest text that libyaml takes for a key without `?`, with room for its quotes.
const MAX_SIMPLE_KEY: usize = 900;

/// Writes a mapping as YAML. The same mapping gives the same bytes.
pub fn emit(mapping: &Mapping) -> String {
    written(mapping).text
}

/// The lines of [`emit`], each with the place that its value comes from: of a value that has a block of its
/// own, the place of its key. Further lines of one text have none.
pub fn emit_with_places(mapping: &Mapping) -> Vec<(String, Option<Span>)> {
    let out = written(mapping);
    let mut places = out.places.into_iter().peekable();
    let mut end = 0;
    let line = |line: &str| {
        end += line.len();
        let mut last = None;
        while let Some((_, span)) = places.next_if(|(at, _)| *at < end) {
            last = Some(span);
        }
        (line.trim_end_matches('\n').to_owned(), last)
    };
    out.text.split_inclusive('\n').map(line).collect()
}

fn written(mapping: &Mapping) -> Out {
    let mut out = Out::default();
    if mapping.get("spec").is_some() {
        // a job of this name; without a header before it, it would be taken for one
        out.push_str("spec: {}\n---\n");
    }
    if mapping.is_empty() {
        out.push_str("{}\n");
    } else {
        write_mapping(&mut out, mapping, 0, Start::Line);
    }
    out
}

/// The text, and at which of its bytes the value of which place begins, in order.
#[derive(Default)]
struct Out {
    text: String,
    places: Vec<(usize, Span)>,
}

impl Out {
    fn push_str(&mut self, text: &str) {
        self.text.push_str(text);
    }

    fn push(&mut self, character: char) {
        self.text.push(character);
    }

    fn place(&mut self, span: Span) {
        self.places.push((self.text.len(), span));
    }
}

/// Where the first line of a block begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    /// On a line of its own.
    Line,
    /// After the `- ` of an item.
    Item,
}

fn write_mapping(out: &mut Out, mapping: &Mapping, indent: usize, start: Start) {
    for (position, (key, entry)) in mapping.iter().enumerate() {
        if position > 0 || start == Start::Line {
            push_indent(out, indent);
        }
        out.place(entry.key);
        let key = key_text(key);
        if key.len() > MAX_SIMPLE_KEY {
            out.push_str("? ");
            out.push_str(&key);
            out.push('\n');
            push_indent(out, indent);
        } else {
            out.push_str(&key);
        }
        out.push(':');
        match &entry.value.kind {
            Kind::Mapping(inner) if !inner.is_empty() => {
                out.push('\n');
                write_mapping(out, inner, indent + 2, Start::Line);
            }
            Kind::Sequence(items) if !items.is_empty() => {
                out.push('\n');
                write_sequence(out, items, indent + 2, Start::Line);
            }
            _ => write_leaf(out, &entry.value, indent + 2),
        }
    }
}

fn write_sequence(out: &mut Out, items: &[Node], indent: usize, start: Start) {
    for (position, item) in items.iter().enumerate() {
        if position > 0 || start == Start::Line {
            push_indent(out, indent);
        }
        out.place(item.span);
        out.push('-');
        match &item.kind {
            Kind::Mapping(inner) if !inner.is_empty() => {
                out.push(' ');
                write_mapping(out, inner, indent + 2, Start::Item);
            }
            Kind::Sequence(inner) if !inner.is_empty() => {
                out.push(' ');
                write_sequence(out, inner, indent + 2, Start::Item);
            }
            _ => write_leaf(out, item, indent + 2),
        }
    }
}

/// Writes what has no block of its own, and the end of the line.
fn write_leaf(out: &mut Out, node: &Node, indent: usize) {
    out.place(node.span);
    out.push(' ');
    match &node.kind {
        Kind::Scalar(scalar) => write_scalar(out, scalar, indent),
        Kind::Reference(path) => out.push_str(&reference(path)),
        Kind::Sequence(_) => out.push_str("[]"),
        Kind::Mapping(_) => out.push_str("{}"),
    }
    out.push('\n');
}

fn write_scalar(out: &mut Out, scalar: &Scalar, indent: usize) {
    match &scalar.value {
        Value::String if is_literal(&scalar.text) => write_literal(out, &scalar.text, indent),
        Value::String => out.push_str(&string(&scalar.text)),
        Value::Null => out.push_str("null"),
        // As it was written, if that is what it means.
        value if scan(&scalar.text).value == *value => out.push_str(&scalar.text),
        Value::Float(number) if number.is_nan() => out.push_str(".nan"),
        Value::Float(number) if number.is_infinite() => {
            out.push_str(if *number > 0.0 { ".inf" } else { "-.inf" });
        }
        Value::Refused(_) => out.push_str(&single_quoted(&scalar.text)),
        Value::Bool(_) | Value::Int(_) | Value::Float(_) => out.push_str(&scalar.to_string()),
    }
}

fn reference(path: &[Spanned<String>]) -> String {
    let name = |part: &Spanned<String>| {
        let is_word = !part.contains([',', '[', ']', '{', '}']);
        if is_word { string(part) } else { double_quoted(part) }
    };
    format!("!reference [{}]", path.iter().map(name).collect::<Vec<_>>().join(", "))
}

fn key_text(key: &str) -> String {
    // Quotes do not keep Psych from merging; the tag does.
    if key == "<<" { "!!str <<".to_owned() } else { string(key) }
}

/// A string on one line, in the lightest quotes that keep it a string.
fn string(text: &str) -> String {
    if is_plain(text) {
        text.to_owned()
    } else if text.chars().all(is_printable) {
        single_quoted(text)
    } else {
        double_quoted(text)
    }
}

/// Whether a string can stand without quotes.
fn is_plain(text: &str) -> bool {
    let begins_well = match text.as_bytes() {
        [] => false,
        [b'-' | b'?', second, ..] => *second != b' ' && !text.starts_with("---"),
        [first, ..] => !b"-?:,[]{}#&*!|>'\"%@`=~<".contains(first),
    };
    begins_well
        && text.chars().all(is_printable)
        && !text.starts_with(' ')
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.starts_with("...")
        && scan(text).value == Value::String
        && scan(text).text == text
}

/// Whether a text is shown best as a literal block, and comes back whole from it.
fn is_literal(text: &str) -> bool {
    let Some(first) = text.lines().find(|line| !line.is_empty()) else { return false };
    text.contains('\n')
        && !first.starts_with([' ', '\t'])
        && text.chars().all(|character| character == '\n' || character == '\t' || is_printable(character))
}

fn write_literal(out: &mut Out, text: &str, indent: usize) {
    out.push('|');
    if !text.ends_with('\n') {
        out.push('-');
    } else if text.ends_with("\n\n") {
        out.push('+');
    }
    let body = text.strip_suffix('\n').unwrap_or(text);
    for line in body.split('\n') {
        out.push('\n');
        if !line.is_empty() {
            push_indent(out, indent);
            out.push_str(line);
        }
    }
}

fn single_quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn double_quoted(text: &str) -> String {
    let mut out = String::from('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            character if is_printable(character) => out.push(character),
            character => out.push_str(&format!("\\U{:08X}", u32::from(character))),
        }
    }
    out.push('"');
    out
}

/// Whether libyaml takes a character as it is and on one line.
fn is_printable(character: char) -> bool {
    matches!(character, ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
        && !matches!(character, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

fn push_indent(out: &mut Out, indent: usize) {
    out.text.extend(std::iter::repeat_n(' ', indent));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::emit;
    use crate::config::{
        Diagnostics, Sources, Span,
        node::{Kind, Mapping, Node, Scalar, Value},
        yaml::parse,
    };

    fn read(text: &str) -> Mapping {
        let (mut sources, mut diagnostics) = (Sources::default(), Diagnostics::default());
        let source = sources.add("ci.yml", text);
        let documents =
            parse(source, text, &mut diagnostics).unwrap_or_else(|| panic!("{text}: {diagnostics:?}"));
        documents.content
    }

    #[test]
    fn a_job_named_spec_is_not_taken_for_a_header() {
        let written = emit(&read("spec: {inputs: {}}\n---\nspec: {script: make}\n"));
        assert_eq!(written, "spec: {}\n---\nspec:\n  script: make\n");
        assert_eq!(emit(&read(&written)), written);
    }

    fn nowhere() -> Span {
        Span::new(Sources::default().add("", ""), 0..0)
    }

    /// The same tree without places, and with one spelling for `null`.
    fn bare(node: Node) -> Node {
        let kind = match node.kind {
            Kind::Scalar(Scalar { value: Value::Null, .. }) => {
                Kind::Scalar(Scalar { value: Value::Null, text: String::new() })
            }
            Kind::Sequence(items) => Kind::Sequence(items.into_iter().map(bare).collect()),
            Kind::Mapping(mapping) => Kind::Mapping(bare_mapping(mapping)),
            Kind::Reference(mut path) => {
                path.iter_mut().for_each(|part| part.span = nowhere());
                Kind::Reference(path)
            }
            kind @ Kind::Scalar(_) => kind,
        };
        Node { kind, span: nowhere() }
    }

    fn bare_mapping(mapping: Mapping) -> Mapping {
        let mut all = Mapping::default();
        for (key, entry) in mapping {
            all.insert(key, nowhere(), bare(entry.value));
        }
        all
    }

    #[test]
    fn strings_that_yaml_would_read_as_something_else_are_quoted() {
        let text = r#"
strings: ["yes", "on", "0755", "12:30", "1_000", "1.10", "", "~", "null", ":symbol", "2024-01-31", " a", "a: b", "a #b", "*.md", "- a", "it's", "a\tb", "\u2028", "${A}", "/x/", "--flag", "<<", "=", "é"]
typed: [yes, 0755, 12:30, 1_000, 1.10, ~, !!float 1, .inf]
script:
  - echo one
  - |
    echo two
      indented

    echo three
  - "trailing\n\n"
  - "  leading\nspaces"
nested: [[a, [b]], {c: {d: []}, e: {}}]
ref: [!reference [.a, script], !reference [.a, "b, c"]]
!!str <<: kept
"true": key
on: key
"#;
        insta::assert_snapshot!(emit(&read(text)), @r###"
    strings:
      - 'yes'
      - 'on'
      - '0755'
      - '12:30'
      - '1_000'
      - '1.10'
      - ''
      - '~'
      - 'null'
      - ':symbol'
      - '2024-01-31'
      - ' a'
      - 'a: b'
      - 'a #b'
      - '*.md'
      - '- a'
      - it's
      - "a\tb"
      - "\U00002028"
      - ${A}
      - /x/
      - --flag
      - '<<'
      - '='
      - é
    typed:
      - yes
      - 0755
      - 12:30
      - 1_000
      - 1.10
      - null
      - 1.0
      - .inf
    script:
      - echo one
      - |
        echo two
          indented

        echo three
      - |+
        trailing

      - "  leading\nspaces"
    nested:
      - - a
        - - b
      - c:
          d: []
        e: {}
    ref:
      - !reference [.a, script]
      - !reference [.a, "b, c"]
    !!str <<: kept
    'true': key
    "###);
    }

    /// Trees of all kinds, with strings of the characters that are hard to quote.
    fn tree() -> impl Strategy<Value = Node> {
        let text = || "[-?:,\\[\\]{}#&*!|>'\"%@` \n\tyesno0-9<=.~é\u{7}\u{85}\r]{0,12}|\\PC{0,8}|(yes|no|~|0755|1.5|12:30|<<)";
        let leaf = prop_oneof![
            text().prop_map(|text| Node::string(text, nowhere())),
            Just(Node::null(nowhere())),
            any::<bool>().prop_map(|value| scalar(Value::Bool(value))),
            any::<i64>().prop_map(|value| scalar(Value::Int(i128::from(value)))),
            any::<f64>()
                .prop_filter("NaN is not equal to itself", |value| !value.is_nan())
                .prop_map(|value| scalar(Value::Float(value))),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4)
                    .prop_map(|items| Node { kind: Kind::Sequence(items), span: nowhere() }),
                prop::collection::vec((text(), inner), 0..4).prop_map(|entries| {
                    let mut mapping = Mapping::default();
                    for (key, value) in entries {
                        mapping.insert(key, nowhere(), value);
                    }
                    Node::mapping(mapping, nowhere())
                }),
            ]
        })
    }

    fn scalar(value: Value) -> Node {
        let text = Scalar { value: value.clone(), text: String::new() }.to_string();
        // What a reader makes of infinity is not what Ruby shows.
        let text = match text.as_str() {
            "Infinity" => ".inf".to_owned(),
            "-Infinity" => "-.inf".to_owned(),
            _ => text,
        };
        Node { kind: Kind::Scalar(Scalar { value, text }), span: nowhere() }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_as_the_same_tree(node in tree()) {
            let mut mapping = Mapping::default();
            mapping.insert("key", nowhere(), node);
            let text = emit(&mapping);
            let again = read(&text);
            prop_assert_eq!(bare_mapping(again.clone()), bare_mapping(mapping), "{}", text);
            prop_assert_eq!(emit(&again), text);
        }
    }
}
