//! What GitLab reads of a text, one fact a row.

use proptest::prelude::*;

use super::{Documents, parse};
use crate::config::{Diagnostic, Diagnostics, Sources, node::Node};

/// Reads a text as one file.
fn read(text: &str) -> (Option<Documents>, Sources, Diagnostics) {
    let (mut sources, mut diagnostics) = (Sources::default(), Diagnostics::default());
    let source = sources.add("ci.yml", text);
    let text = sources.get(source).text.clone();
    let documents = parse(source, &text, &mut diagnostics);
    (documents, sources, diagnostics)
}

/// The content of a text as JSON, with numbers and truth values as Ruby shows them.
fn content(text: &str) -> String {
    let (documents, _, diagnostics) = read(text);
    let documents = documents.unwrap_or_else(|| panic!("{text}: {diagnostics:?}"));
    show(&Node {
        kind: crate::config::node::Kind::Mapping(documents.content),
        span: crate::config::Span::new(Sources::default().add("", ""), 0..0),
    })
}

fn show(node: &Node) -> String {
    use crate::config::node::Kind;
    match &node.kind {
        Kind::Scalar(scalar) if node.as_str().is_some() => scalar.text.clone(),
        Kind::Scalar(_) if node.is_null() => "nil".to_owned(),
        Kind::Scalar(scalar) => format!("<{scalar}>"),
        Kind::Sequence(items) => format!("[{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
        Kind::Mapping(mapping) => {
            let entries = mapping.iter().map(|(key, entry)| format!("{key}: {}", show(&entry.value)));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Kind::Reference(path) => {
            format!("!{}", path.iter().map(|part| part.value.clone()).collect::<Vec<_>>().join("/"))
        }
    }
}

/// Each diagnostic as `line:column code: message`.
fn problems(text: &str) -> Vec<String> {
    let (_, sources, diagnostics) = read(text);
    diagnostics.iter().map(|found| place(&sources, found)).collect()
}

/// Each diagnostic with its hint below.
fn helped(text: &str) -> Vec<String> {
    let (_, sources, diagnostics) = read(text);
    let help = |found: &Diagnostic| found.help.as_ref().map(|help| format!("\n        {help}"));
    diagnostics.iter().map(|found| place(&sources, found) + &help(found).unwrap_or_default()).collect()
}

fn place(sources: &Sources, found: &Diagnostic) -> String {
    let at = found.span.map(|span| sources.locate(span)).map(|at| format!("{}:{}", at.line, at.column));
    format!("{} {}: {}", at.unwrap_or_default(), found.code, found.message)
}

#[test]
fn values_are_read_as_gitlab_reads_them() {
    let table = [
        ("a: text", "{a: text}"),
        ("a: yes", "{a: <true>}"),
        ("a: 'yes'", "{a: yes}"),
        ("a: \"12:30\"", "{a: 12:30}"),
        ("a: 12:30", "{a: <45000>}"),
        ("a: 0755", "{a: <493>}"),
        ("a:", "{a: nil}"),
        ("a: ''", "{a: }"),
        ("a: !!str 12", "{a: 12}"),
        ("a: !!float 12", "{a: <12.0>}"),
        ("a: !foo yes", "{a: <true>}"),
        ("a: !foo 'yes'", "{a: <true>}"),
        ("a: ! yes", "{a: <true>}"),
        ("a: :symbol", "{a: symbol}"),
        ("a: |\n  yes\n", "{a: yes\n}"),
        ("a: [b, {c: d}]", "{a: [b, {c: d}]}"),
        ("a: !reference [b, script]", "{a: !b/script}"),
        ("a:\n- !reference\n  - b\n  - c", "{a: [!b/c]}"),
        // Keys that are not strings are named as Ruby shows them.
        ("on: a\ntrue: b", "{true: b}"),
        ("1_000: a\n1.50: b\n~: c", "{1000: a, 1.5: b, : c}"),
        ("'true': a", "{true: a}"),
        ("---\na: b\n", "{a: b}"),
        ("---\n---\na: b\n", "{a: b}"),
        ("a: b\n---\nc: d\n", "{a: b}"),
        ("\u{feff}a: b", "{a: b}"),
        ("a: b\r\nc: d\r\n", "{a: b, c: d}"),
    ];
    for (text, expected) in table {
        assert_eq!(content(text), expected, "{text}");
    }
}

#[test]
fn a_merge_happens_when_it_is_met() {
    let base = "x: &x {a: 1x, b: 1x}\ny: &y {b: 2y, c: 2y}\n";
    let table = [
        ("j: {<<: *x, b: own}", "{a: 1x, b: own}"),
        // A key above is overridden; its position stays.
        ("j: {b: own, <<: *x}", "{b: 1x, a: 1x}"),
        ("j: {<<: [*x, *y]}", "{b: 1x, c: 2y, a: 1x}"),
        ("j: {<<: *x, <<: *y}", "{a: 1x, b: 2y, c: 2y}"),
        ("j: {\"<<\": *x}", "{a: 1x, b: 1x}"),
        ("j: {!!str <<: *x}", "{<<: {a: 1x, b: 1x}}"),
        ("j: {<<: {d: e}}", "{d: e}"),
        ("j: {<<: text}", "{<<: text}"),
        ("j: {<<: [*x, text]}", "{<<: [{a: 1x, b: 1x}, text]}"),
    ];
    for (text, expected) in table {
        let (documents, ..) = read(&format!("{base}{text}"));
        let content = documents.expect("YAML").content;
        assert_eq!(show(content.get("j").expect("j")), expected, "{text}");
    }
}

#[test]
fn of_repeated_keys_the_last_wins_and_is_named() {
    assert_eq!(content("a: 1x\nb: 2x\na: 3x"), "{a: 3x, b: 2x}");
    assert_eq!(
        problems("a: 1x\nb: 2x\na: 3x"),
        ["3:1 duplicate-key: `a` is written twice, and the last one wins"]
    );
    assert_eq!(problems("x: &x {a: b}\nj: {<<: *x, a: c}"), [""; 0]);
    assert_eq!(
        problems("x: &x {a: b}\nj:\n  a: c\n  <<: *x"),
        ["4:3 merge-overrides-key: `<<` brings a `a` that replaces the one written above it"]
    );
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    insta::assert_snapshot!(
        [
            "a:\n\tb: c",
            "a: b: c",
            "a: @b",
            "a: %b",
            "a: `b`",
            "a: *.md",
            "a: *md",
            "x: &base b\na: *bose",
            "a: - b",
            "a:\n  - b\n c: d",
            "a:\n    b: c\n  d: e",
            "a: 'b\nc: d",
            "a: [b, c",
            "a: {b: c",
            "a: \"\\d\"",
            "a\nb: c",
            "a: b\u{7}",
            "a: 2024-01-31",
            "a: !reference text",
            "a: !reference [1]",
            "a: !reference []",
            "a: !ruby/object:Object {}",
            "a: &a [*a]",
            "? [a]\n: b",
            "- a",
            "",
            "# nothing",
            "a: b\n---\nc: d\n---\ne: f",
            "a: b\n---\nc: d",
            "é: 'ü' x",
            "r: &r !reference [a, b]\ns: *r",
        ]
        .map(|text| format!("{}\n    {}", text.escape_debug(), helped(text).join("\n    ")))
        .join("\n"), @r###"
    a:\n\tb: c
        2:1 yaml-syntax: found character that cannot start any token while scanning for the next token
            indent with spaces: YAML does not allow tabs
    a: b: c
        1:5 yaml-syntax: mapping values are not allowed in this context
            put the value in quotes if it contains `: `; else a key is indented too far, or the line above lacks its `:`
    a: @b
        1:4 yaml-syntax: found character that cannot start any token while scanning for the next token
            put the value in quotes: YAML reserves `@` at its start
    a: %b
        1:4 yaml-syntax: found character that cannot start any token while scanning for the next token
            put the value in quotes: YAML reserves `%` at its start
    a: `b`
        1:4 yaml-syntax: found character that cannot start any token while scanning for the next token
            put the value in quotes: YAML reserves the backtick at its start
    a: *.md
        1:4 yaml-syntax: did not find expected alphabetic or numeric character while scanning an alias
            put the value in quotes: `*` at its start means an anchor
    a: *md
        1:4 yaml-alias: there is no anchor `&md` above this alias
            anchors live in one file and above their aliases; put the value in quotes if it is text
    x: &base b\na: *bose
        2:4 yaml-alias: there is no anchor `&bose` above this alias
            did you mean `*base`?
    a: - b
        1:4 yaml-syntax: block sequence entries are not allowed in this context
            begin the list on a line of its own, below its key
    a:\n  - b\n c: d
        3:2 yaml-syntax: did not find expected key while parsing a block mapping
            align this line with its neighbours, or put the value before it in quotes
    a:\n    b: c\n  d: e
        3:3 yaml-syntax: did not find expected key while parsing a block mapping
            align this line with its neighbours, or put the value before it in quotes
    a: \'b\nc: d
        1:4 yaml-syntax: found unexpected end of stream while scanning a quoted scalar
            close the quote that begins here
    a: [b, c
        1:4 yaml-syntax: did not find expected ',' or ']' while parsing a flow sequence
            close the list with `]`, or separate its items with `,`
    a: {b: c
        1:4 yaml-syntax: did not find expected ',' or '}' while parsing a flow mapping
            close the mapping with `}`, or separate its keys with `,`
    a: \"\\d\"
        1:5 yaml-syntax: found unknown escape character while parsing a quoted scalar
            use single quotes, in which a backslash is only a backslash
    a\nb: c
        2:2 yaml-syntax: mapping values are not allowed in this context
            put the value in quotes if it contains `: `; else a key is indented too far, or the line above lacks its `:`
    a: b\u{7}
        1:5 yaml-syntax: the character U+0007 is not allowed in YAML
            remove it, or write it as an escape in double quotes
    a: 2024-01-31
        1:4 refused-value: `2024-01-31` is a date, which GitLab refuses
            put it in quotes
    a: !reference text
        1:4 invalid-reference: `!reference` takes a list of names
            write it as `!reference [job, keyword]`, and quote names that are not text
    a: !reference [1]
        1:4 invalid-reference: `!reference` takes a list of names
            write it as `!reference [job, keyword]`, and quote names that are not text
    a: !reference []
        1:4 invalid-reference: `!reference` takes a list of names
            write it as `!reference [job, keyword]`, and quote names that are not text
    a: !ruby/object:Object {}
        1:4 refused-tag: the tag `!ruby/object:Object` is not allowed
            remove the tag; the only one that GitLab adds to YAML is `!reference`
    a: &a [*a]
        1:8 yaml-alias: `*a` is inside of what `&a` names
            an alias cannot contain itself
    ? [a]\n: b
        1:3 invalid-key: a key has to be a single word or text
            put it in quotes if it begins with `[`, `{` or `!`
    - a
        1:1 not-a-mapping: a configuration has to be a mapping of keys to values
            begin with `job:` and its `script:`

        1:1 empty-file: the file is empty
            it needs at least one job with a `script`
    # nothing
        1:1 empty-file: the file is empty
            it needs at least one job with a `script`
    a: b\n---\nc: d\n---\ne: f
        4:1 too-many-documents: there are more than two documents in this file
            a file is one document, or a `spec:` header, `---` and one document
        3:1 ignored-document: GitLab ignores this second document
            move it above the `---`, or into a file of its own
    a: b\n---\nc: d
        3:1 ignored-document: GitLab ignores this second document
            move it above the `---`, or into a file of its own
    é: \'ü\' x
        1:8 yaml-syntax: did not find expected key while parsing a block mapping
            align this line with its neighbours, or put the value before it in quotes
    r: &r !reference [a, b]\ns: *r
        2:4 yaml-alias: there is no anchor `&r` above this alias
            anchors live in one file and above their aliases; put the value in quotes if it is text
    "###);
}

#[test]
fn a_header_is_told_from_the_configuration() {
    let (documents, ..) = read("spec:\n  inputs:\n    a:\n---\njob: {script: b}");
    let documents = documents.expect("two documents");
    assert_eq!(documents.header.map(|header| header.len()), Some(1));
    assert_eq!(documents.content.keys().collect::<Vec<_>>(), ["job"]);
}

#[test]
fn places_are_bytes_of_the_text() {
    let (documents, sources, _) =
        read("\u{feff}é: 1\nkey: ['ü', b]\nlong: |\n  text\n  more\n\nmap:\n  a: b\n");
    let content = documents.expect("YAML").content;
    let text = |node: &Node| {
        sources.get(node.span.source).text[node.span.start as usize..node.span.end as usize].to_owned()
    };
    let node = |key: &str| content.get(key).expect("the key");
    assert_eq!(text(node("é")), "1");
    assert_eq!(text(node("key")), "['ü', b]");
    assert_eq!(text(&node("key").as_sequence().expect("a list")[0]), "'ü'");
    assert_eq!(text(node("long")), "|\n  text\n  more");
    assert_eq!(text(node("map")), "a: b");
    let key = content.entry("map").expect("map").key;
    assert_eq!(sources.locate(key).to_string(), "ci.yml:7:1");
}

#[test]
fn what_an_alias_brings_keeps_its_own_place() {
    let (documents, sources, _) = read("x: &x\n  a: b\nj:\n  <<: *x\n  c: *x\n");
    let content = documents.expect("YAML").content;
    let job = content.get("j").and_then(Node::as_mapping).expect("j");
    let line = |span| sources.locate(span).line;
    assert_eq!(line(job.entry("a").expect("a").key), 2);
    assert_eq!(line(job.get("c").expect("c").span), 1);
}

#[test]
fn a_text_that_grows_without_bound_is_refused_at_once() {
    let laughs: String = (1..30)
        .map(|level| format!("a{level}: &a{level} [*a{0}, *a{0}, *a{0}, *a{0}]\n", level - 1))
        .collect();
    let found = problems(&format!("a0: &a0 [ha, ha]\n{laughs}"));
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("yaml-too-big"), "{found:?}");

    let long = format!("a: &a {}\nb: [{}]", "x".repeat(1 << 20), "*a, ".repeat(1000));
    assert!(problems(&long)[0].contains("yaml-too-big"));

    let deep = "[".repeat(3000);
    assert_eq!(problems(&format!("a: {deep}")), ["1:104 yaml-depth: this is nested deeper than 100 levels"]);
    assert!(read(&format!("a: {}{}", "[".repeat(99), "]".repeat(99))).0.is_some());

    let big = format!("a: {}", "x".repeat(super::MAX_BYTES));
    assert_eq!(problems(&big), ["1:1 yaml-too-big: the file is bigger than 2 MB"]);
}

#[test]
fn a_file_may_end_without_a_line_break() {
    let table = [
        ("a: |\n  x", "{a: x}"),
        ("a: |\n  x\n", "{a: x\n}"),
        ("a: |\n  x\n\n  y", "{a: x\n\ny}"),
        ("a: >\n  x\n  y", "{a: x y}"),
        ("a: |+\n  x", "{a: x}"),
        ("a: |-\n  x", "{a: x}"),
        ("a: |\n  x\n ", "{a: x\n}"),
        ("a:\n- |\n  x\n# end", "{a: [x\n]}"),
        ("a: |", "{a: }"),
        ("a: x", "{a: x}"),
        ("a: |\n  x\r", "{a: x\n}"),
    ];
    for (text, expected) in table {
        assert_eq!(content(text), expected, "{text:?}");
    }
}

#[test]
fn a_comma_may_follow_a_tag() {
    let table = [
        ("a: [!str, b]", "{a: [, b]}"),
        ("a: [1, !str,!str , 2]", "{a: [<1>, , , <2>]}"),
        ("a: {b: !<tag:yaml.org,2002:str>, c: d}", "{a: {b: , c: d}}"),
        ("a: [&x !str, *x]", "{a: [, ]}"),
        ("a: [!str 'see !this, please', !str, \"!that, too\"]", "{a: [see !this, please, , !that, too]}"),
        ("a: see !this, please # and !that, too\nb: [!str, c]", "{a: see !this, please, b: [, c]}"),
        ("a: |\n  see !this, please\nb: [!str, c]", "{a: see !this, please\n, b: [, c]}"),
        ("a: [one!, two!three!, b]", "{a: [one!, two!three!, b]}"),
    ];
    for (text, expected) in table {
        assert_eq!(content(text), expected, "{text:?}");
    }
    assert_eq!(
        problems("a: [!reference, b]\nc: ["),
        [
            "1:5 invalid-reference: `!reference` takes a list of names",
            "2:5 yaml-syntax: did not find expected node content while parsing a flow node",
        ]
    );
    assert!(problems("a: [\"b\"!, c]").iter().any(|problem| problem.contains("yaml-syntax")));
}

#[test]
fn very_many_tags_and_what_looks_like_them_are_read_in_reasonable_time() {
    let content = |text: &str| content(text).len();
    assert_eq!(content(&format!("a: b{}", "!".repeat(200_000))), "{a: b}".len() + 200_000);
    assert_eq!(content(&format!("a: b{}", "!<".repeat(100_000))), "{a: b}".len() + 200_000);
    assert_eq!(content(&format!("a: [{}b]", "!str,".repeat(20_000))), "{a: [b]}".len() + 40_000);
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC*|[-?:,\\[\\]{}#&*!|>'\"%@` \n\ta-z0-9<=.~\r]{0,60}") {
        let (_, sources, diagnostics) = read(&text);
        for found in diagnostics.iter() {
            if let Some(span) = found.span {
                let source = sources.get(span.source);
                prop_assert!(source.text.get(span.start as usize..span.end as usize).is_some(), "{:?}", found);
            }
        }
    }
}
