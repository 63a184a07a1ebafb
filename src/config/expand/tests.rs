use proptest::prelude::*;

use super::*;

fn of<'v>(list: &'v [(&'v str, &'v str)]) -> impl Fn(&str) -> Option<&'v str> {
    move |name| list.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
}

fn definitions<'v>(list: &[(&'v str, &'v str)]) -> Vec<Definition<'v>> {
    list.iter().map(|&(key, value)| Definition { key, value, ..Definition::default() }).collect()
}

#[test]
fn gitlab_replaces_three_forms_of_reference() {
    let variables = [("A", "1"), ("B_2", "$A")];
    for (text, empty, kept) in [
        ("plain", "plain", "plain"),
        ("$A ${A} %A%", "1 1 1", "1 1 1"),
        ("$B_2", "$A", "$A"),
        ("a$X.b", "a.b", "a$X.b"),
        ("%X%${X}", "", "%X%${X}"),
        ("$$A", "$1", "$1"),
        ("100%", "100%", "100%"),
        ("%d%s", "s", "%d%s"),
        ("${A", "${A", "${A"),
        ("${A:-x}", "${A:-x}", "${A:-x}"),
        ("$1", "$1", "$1"),
    ] {
        assert_eq!(expand(text, of(&variables)), empty, "{text}");
        assert_eq!(expand_existing(text, of(&variables)), kept, "{text}");
    }
}

#[test]
fn the_runner_expands_as_go_does() {
    let variables = [("A", "1"), ("N", "$A")];
    for (text, expected) in [
        ("$A ${A} %A%", "1 1 %A%"),
        ("$N", "$A"),
        ("a$X.b", "a.b"),
        ("$$A", "$A"),
        ("cost: 5$", "cost: 5$"),
        ("$ A", "$ A"),
        ("$(A)", "$(A)"),
        ("${}x", "x"),
        ("${A", "A"),
        ("$1$?", ""),
        ("${1}x", "x"),
        ("é$A", "é1"),
        ("$é", "$é"),
    ] {
        assert_eq!(expand_as_runner(text, of(&variables)), expected, "{text}");
    }
}

#[test]
fn a_list_expands_through_itself_in_any_order() {
    let list = definitions(&[("A", "$B/a"), ("B", "${C}/b"), ("C", "c"), ("D", "$$A %% $X")]);
    assert_eq!(
        expand_all(&list, Options::EMPTY_UNKNOWN),
        Ok(vec!["c/b/a".into(), "c/b".into(), "c".into(), "$$A %% ".into()])
    );
    assert_eq!(expand_all(&list, Options::KEEP_UNKNOWN).expect("no cycle")[3], "$$A %% $X");
}

#[test]
fn a_reference_to_its_own_key_means_the_weaker_variable() {
    let list = definitions(&[("A", "one"), ("A", "$A two")]);
    assert_eq!(expand_all(&list, Options::EMPTY_UNKNOWN).expect("no cycle")[1], "one two");
    let list = definitions(&[("A", "$A two")]);
    assert_eq!(expand_all(&list, Options::KEEP_UNKNOWN).expect("no cycle")[0], "$A two");
}

#[test]
fn variables_that_refer_to_each_other_are_an_error() {
    let list = definitions(&[("X", "$A"), ("A", "$B"), ("B", "$C"), ("C", "$A")]);
    let error = expand_all(&list, Options::KEEP_UNKNOWN).expect_err("a cycle");
    assert_eq!(error.to_string(), "circular variable reference detected: A, B, C");
}

#[test]
fn a_raw_value_is_neither_expanded_nor_sent_expanded() {
    let list = [
        Definition { key: "A", value: "a", ..Definition::default() },
        Definition { key: "R", value: "$A", raw: true, ..Definition::default() },
        Definition { key: "C", value: "$R", ..Definition::default() },
    ];
    assert_eq!(expand_all(&list, Options::EMPTY_UNKNOWN).expect("no cycle"), ["a", "$A", "$A"]);
    assert_eq!(expand_all(&list, Options::FOR_RUNNER).expect("no cycle"), ["a", "$A", "$R"]);
}

proptest! {
    #[test]
    fn no_text_makes_an_expander_panic(text in "[$%{}A-Ca-c_0-9é -]{0,24}", value in "[$%{}A-C]{0,8}") {
        let variables = [("A", value.as_str()), ("B", "$C"), ("C", "%A%")];
        let _ = expand(&text, of(&variables));
        let _ = expand_existing(&text, of(&variables));
        let _ = expand_as_runner(&text, of(&variables));
        let list = definitions(&[("A", &value), ("B", &text), ("C", "$A")]);
        let _ = expand_all(&list, Options::FOR_RUNNER);
    }

    #[test]
    fn text_without_references_stays_as_it_is(text in "[^$%]{0,40}") {
        prop_assert_eq!(expand(&text, |_| None), text.clone());
        prop_assert_eq!(expand_as_runner(&text, |_| None), text);
    }
}
