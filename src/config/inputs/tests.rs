//! What `$[[ ]]` becomes, and which inputs a file takes.

use crate::config::fixture::{Project, project};

const SPEC: &str = "
spec:
  inputs:
    text: {default: some text}
    number: {type: number, default: 3}
    flag: {type: boolean, default: false}
    list: {type: array, default: [a, 1, true]}
    name: {default: 'a b$c'}
    variable: {default: 'in $DIR and ${NONE}'}
    empty: {default: ''}
---
";

fn value(block: &str) -> String {
    let project = project(&format!("{SPEC}key: {block}\n")).variable("DIR", "ci");
    project.yaml().trim_end().trim_start_matches("key:").trim_start().to_owned()
}

#[test]
fn a_block_becomes_the_value_of_the_input() {
    let table = [
        ("$[[ inputs.text ]]", "some text"),
        ("$[[inputs.text]]", "some text"),
        ("a $[[ inputs.text ]], b", "a some text, b"),
        // The whole scalar keeps its type, quoted or not.
        ("$[[ inputs.number ]]", "3"),
        ("'$[[ inputs.number ]]'", "3"),
        ("$[[ inputs.flag ]]", "false"),
        ("v$[[ inputs.number ]]", "v3"),
        ("'$[[ inputs.number ]]$[[ inputs.number ]]'", "'33'"),
        ("['$[[ inputs.list ]]']", "- - a\n    - 1\n    - true"),
        ("x $[[ inputs.list ]]", "x [\"a\", 1, true]"),
        ("$[[ inputs.text | truncate(1,3) ]]", "ome"),
        ("$[[ inputs.text | truncate(5,99) ]]", "text"),
        ("$[[ inputs.text | truncate(50,1) ]]", "''"),
        ("$[[ inputs.name | posix_escape ]]", "a\\ b\\$c"),
        ("$[[ inputs.empty | posix_escape ]]", "''''''"),
        ("$[[ inputs.variable | expand_vars ]]", "in ci and ${NONE}"),
        ("$[[ inputs.variable | expand_vars | truncate(0,5) ]]", "in ci"),
        ("$[[ inputs.text | split(' ') ]]", "- some\n  - text"),
        // Resolved when jobs are made.
        ("$[[ matrix.X ]]", "$[[ matrix.X ]]"),
    ];
    for (block, expected) in table {
        assert_eq!(value(block), expected, "{block}");
    }
}

#[test]
fn keys_are_interpolated_too() {
    let project = project(&format!("{SPEC}'$[[ inputs.text ]] job': {{'v$[[ inputs.number ]]': a}}\n"));
    assert_eq!(project.yaml(), "some text job:\n  v3: a\n");
}

#[test]
fn a_file_without_a_header_keeps_its_blocks() {
    assert_eq!(project("key: $[[ inputs.text ]]").yaml(), "key: $[[ inputs.text ]]\n");
}

fn included(given: &str, header: &str) -> Project {
    project(&format!("include: {{local: a.yml, inputs: {given}}}"))
        .file("a.yml", &format!("spec: {{inputs: {header}}}\n---\njob: {{image: '$[[ inputs.a ]]'}}\n"))
}

#[test]
fn an_include_gives_inputs_to_its_file_only() {
    let table = [
        ("{a: b}", "{a: }", "b"),
        ("{a: b}", "{a: {default: c}}", "b"),
        ("{}", "{a: {default: c}}", "c"),
        ("{a: }", "{a: {default: c}}", "c"),
        ("{a: x}", "{a: {options: [x, y]}}", "x"),
        ("{a: v1.2}", "{a: {regex: '^v[0-9.]+$'}}", "v1.2"),
        ("{a: 1.5}", "{a: {type: number}}", "1.5"),
        ("{a: yes}", "{a: {type: boolean}}", "yes"),
    ];
    for (given, header, expected) in table {
        assert_eq!(
            included(given, header).yaml(),
            format!("job:\n  image: {expected}\n"),
            "{given} {header}"
        );
    }
}

#[test]
fn inputs_that_do_not_fit_are_refused_with_their_place() {
    let table = [
        ("{}", "{a: }"),
        ("{b: c}", "{a: {default: x}}"),
        ("{a: 1}", "{a: }"),
        ("{a: z}", "{a: {options: [x, y]}}"),
        ("{a: x1}", "{a: {regex: '^v', default: v1}}"),
        ("{a: x}", "{a: {type: number}}"),
        ("{}", "{a: {type: number, default: x}}"),
        ("{}", "{a: {type: nmber, default: x}}"),
        ("{}", "{a: {defalt: x}}"),
        ("{}", "{a: {type: boolean, default: true, options: [x]}}"),
        ("{}", "{a: {default: x, regex: '('}}"),
        ("{}", "{b: {default: x}}"),
        ("{}", "{a: {default: x, rules: [{if: $A}]}}"),
    ];
    let show = |(given, header): (&str, &str)| {
        format!("{given} {header}\n  {}", included(given, header).problems().join("\n  "))
    };
    insta::assert_snapshot!(table.map(show).join("\n"), @r###"
    {} {a: }
      ci.yml:1:18 missing-input: the input `a` is not given
        give it with `include:inputs` or `--input`, or add a `default`
    {b: c} {a: {default: x}}
      ci.yml:1:34 unknown-input: the file takes no input `b`
        did you mean `a`?
    {a: 1} {a: }
      ci.yml:1:37 invalid-input: the input `a` is not of type string
    {a: z} {a: {options: [x, y]}}
      ci.yml:1:37 invalid-input: the input `a` is `z`, which is none of `x`, `y`
    {a: x1} {a: {regex: '^v', default: v1}}
      ci.yml:1:37 invalid-input: the input `a` is `x1`, which does not match `^v`
    {a: x} {a: {type: number}}
      ci.yml:1:37 invalid-input: the input `a` is not of type number
    {} {a: {type: number, default: x}}
      a.yml:1:44 invalid-input: the default of the input `a` is not of type number
    {} {a: {type: nmber, default: x}}
      a.yml:1:27 invalid-spec: the input `a` has a type that GitLab does not know
        use `string`, `number`, `boolean` or `array`
    {} {a: {defalt: x}}
      a.yml:1:21 invalid-spec: the input `a` has no `defalt`
        did you mean `default`?
      ci.yml:1:18 missing-input: the input `a` is not given
        give it with `include:inputs` or `--input`, or add a `default`
    {} {a: {type: boolean, default: true, options: [x]}}
      a.yml:1:51 invalid-spec: the input `a` is of type boolean and cannot have `options`
      a.yml:1:45 invalid-input: the default of the input `a` is `true`, which is none of `x`
    {} {a: {default: x, regex: '('}}
      a.yml:1:40 invalid-spec: the regex of the input `a`: unclosed group
    {} {b: {default: x}}
      a.yml:3:14 interpolation: the input `a` is not declared in this file
        did you mean `b`?
    {} {a: {default: x, rules: [{if: $A}]}}
      a.yml:1:33 not-simulated: podline does not evaluate the rules of the input `a`
        its `default` is used, or what is given; on GitLab the rules may choose another value
    "###);
}

#[test]
fn blocks_that_mean_nothing_are_refused_with_their_place() {
    let blocks = [
        "$[[ inputs.txt ]]",
        "$[[ input.text ]]",
        "$[[ component.name ]]",
        "$[[ inputs.text | upcase ]]",
        "$[[ inputs.number | truncate(0,1) ]]",
        "$[[ inputs.text | truncate(a) ]]",
        "$[[ inputs.text | expand_vars | expand_vars | expand_vars | expand_vars ]]",
    ];
    let show = |block: &str| project(&format!("{SPEC}key: {block}\n")).problems().join("\n");
    insta::assert_snapshot!(blocks.map(show).join("\n"), @r###"
    ci.yml:12:6 interpolation: the input `txt` is not declared in this file
        did you mean `text`?
    ci.yml:12:6 interpolation: `$[[ input.text ]]` is nothing that can be put in
        write `$[[ inputs.name ]]`
    ci.yml:12:6 interpolation: podline does not know the value of `$[[ component.name ]]`
    ci.yml:12:6 interpolation: `$[[ inputs.text | upcase ]]`: there is no function `upcase`; use `expand_vars`, `truncate(offset,length)`, `posix_escape` or `split('separator')`
    ci.yml:12:6 interpolation: `$[[ inputs.number | truncate(0,1) ]]`: `truncate` takes only inputs of type string
    ci.yml:12:6 interpolation: `$[[ inputs.text | truncate(a) ]]`: write `truncate(offset,length)`
    ci.yml:12:6 interpolation: `$[[ inputs.text | expand_vars | expand_vars | expand_vars | expand_vars ]]` has more than 3 functions
    "###);
}

#[test]
fn the_user_gives_inputs_to_the_main_file_as_text() {
    let main = format!(
        "{SPEC}key: ['$[[ inputs.text ]]', '$[[ inputs.number ]]', '$[[ inputs.flag ]]', '$[[ inputs.list ]]']\n"
    );
    let project = project(&main)
        .input("text", "12")
        .input("number", "12")
        .input("flag", "true")
        .input("list", "[\"x\", 2]");
    assert_eq!(project.yaml(), "key:\n  - '12'\n  - 12\n  - true\n  - - x\n    - 2\n");
    let wrong = crate::config::fixture::project(&main).input("number", "many").input("txt", "a");
    insta::assert_snapshot!(wrong.problems().join("\n"), @r###"
    --input txt:1:1 unknown-input: the file takes no input `txt`
        did you mean `text`?
    --input number:1:1 invalid-input: the input `number` is not of type number
    "###);
}
