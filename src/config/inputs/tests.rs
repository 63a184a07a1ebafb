//! What `$[[ ]]` becomes, and which inputs a file takes.

use crate::config::{
    fixture::{Project, project},
    loader::{External, ProjectRef},
};

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
        // An array in an array is spliced; within a text it is written as Ruby does.
        ("['$[[ inputs.list ]]', b]", "- a\n  - 1\n  - true\n  - b"),
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
        // Anything is text to a string, and text is JSON to everything else.
        ("{a: 1}", "{a: }", "'1'"),
        ("{a: true}", "{a: {options: ['true', x]}}", "'true'"),
        ("{a: '12'}", "{a: {type: number}}", "12"),
        ("{a: 'false'}", "{a: {type: boolean}}", "false"),
        ("{}", "{a: {default: 5}}", "'5'"),
        ("{}", "{a: {default: }}", "''"),
        ("{a: [x]}", "{a: {type: array, options: [x, y]}}", "\n    - x"),
    ];
    for (given, header, expected) in table {
        assert_eq!(
            included(given, header).yaml(),
            format!("job:\n  image:{}{expected}\n", if expected.starts_with('\n') { "" } else { " " }),
            "{given} {header}"
        );
    }
}

#[test]
fn rules_decide_by_other_inputs() {
    let header = r#"
      env: {options: [dev, prod], default: dev}
      fast: {type: boolean, default: false}
      size:
        rules:
          - {if: "$[[ inputs.env ]] == 'prod' && $[[ inputs.fast ]] == true", options: [l, xl], default: xl}
          - {if: "$[[ inputs.env ]] == 'prod'", options: [m, l], default: m}
          - {options: [s, m], default: s}
"#;
    let table = [
        ("{}", "s"),
        ("{env: prod}", "m"),
        ("{env: prod, fast: true}", "xl"),
        ("{env: prod, size: l}", "l"),
        ("{size: m}", "m"),
    ];
    for (given, expected) in table {
        let project = project(&format!("include: {{local: a.yml, inputs: {given}}}")).file(
            "a.yml",
            &format!("spec:\n  inputs: {header}\n---\njob: {{image: '$[[ inputs.size ]]'}}\n"),
        );
        assert_eq!(project.yaml(), format!("job:\n  image: {expected}\n"), "{given}");
    }
    let refused = project("include: {local: a.yml, inputs: {env: prod, size: s}}")
        .file("a.yml", &format!("spec:\n  inputs: {header}\n---\njob: {{image: '$[[ inputs.size ]]'}}\n"));
    assert_eq!(
        refused.problems(),
        ["ci.yml:1:51 invalid-input: the input `size` is `s`, which is none of `m`, `l`"]
    );
}

#[test]
fn a_component_knows_what_it_is() {
    let text = "spec: {component: [name, sha, version, reference]}\n---\n\
        include: part.yml\n\
        job: {script: ['$[[ component.name ]] $[[ component.version ]]', '$[[ component.reference ]]', '$[[ component.sha | truncate(0,8) ]]']}\n";
    let part = External::Project {
        project: ProjectRef {
            host: Some("e.org".to_owned()),
            path: "g/p".to_owned(),
            reference: Some("1.2".to_owned()),
        },
        file: "part.yml".to_owned(),
    };
    let project = project("include: {component: e.org/g/p/c@1.2}")
        .external(External::Component("e.org/g/p/c@1.2".to_owned()), text)
        .external(part, "spec: {component: [name]}\n---\npart: {script: '$[[ component.name ]]'}\n");
    insta::assert_snapshot!(project.yaml(), @r###"
    part:
      script: c
    job:
      script:
        - c 1.2
        - '1.2'
        - '11111111'
    "###);
}

#[test]
fn a_header_takes_inputs_from_files() {
    let project = project("include: {local: a.yml, inputs: {own: x, shared: y}}")
        .file("a.yml", "spec: {include: [{local: inputs.yml}], inputs: {own: }}\n---\njob: {script: '$[[ inputs.own ]] $[[ inputs.shared ]] $[[ inputs.more ]]'}\n")
        .file("inputs.yml", "inputs: {shared: , more: {default: z}}\n");
    assert_eq!(project.yaml(), "job:\n  script: x y z\n");
}

#[test]
fn files_of_a_header_have_only_inputs_and_each_once() {
    let project = project("spec:\n  include:\n    - local: inputs.yml\n    - local: more.yml\n    - template: T.gitlab-ci.yml\n    - local: gone.yml\n  inputs: {shared: {default: a}}\n---\njob: {script: '$[[ inputs.elsewhere ]]'}\n")
        .file("inputs.yml", "inputs: {shared: {default: b}}\njob: {}\n")
        .file("more.yml", "inputs: [a]\n");
    insta::assert_snapshot!(project.problems().join("\n"), @r###"
    ci.yml:5:7 invalid-include: `include` has no `template`
    ci.yml:5:7 invalid-include: this include names no file, or more than one kind of it
        use exactly one of `local`, `project`, `remote`
    inputs.yml:2:1 invalid-spec: a file of `spec:include` has no `job`
        it has only `inputs`, as they would stand under `spec`
    more.yml:1:9 invalid-spec: `inputs` has to be a mapping
    ci.yml:6:14 include-not-found: the file `gone.yml` does not exist
        did you mean `more.yml`?
    ci.yml:7:12 invalid-spec: the input `shared` is declared twice
        GitLab refuses an input that several files declare; rename one
    "###);
}

#[test]
fn an_input_may_be_declared_in_a_file_that_cannot_be_had() {
    let project = project("include: {local: a.yml, inputs: {far: x}}").file(
        "a.yml",
        "spec: {include: [{remote: 'https://e.org/inputs.yml'}]}\n---\njob: {script: '$[[ inputs.far ]]'}\n",
    );
    insta::assert_snapshot!(project.problems().join("\n"), @r###"
    a.yml:1:27 include-unavailable: the include `https://e.org/inputs.yml` cannot be had: it lives elsewhere
        what it defines is unknown here; map a checkout of it
    "###);
}

#[test]
fn inputs_that_do_not_fit_are_refused_with_their_place() {
    let table = [
        ("{}", "{a: }"),
        ("{b: c}", "{a: {default: x}}"),
        ("{a: z}", "{a: {options: [x, y]}}"),
        ("{a: x1}", "{a: {regex: '^v', default: v1}}"),
        ("{a: x}", "{a: {type: number}}"),
        ("{}", "{a: {type: number, default: x}}"),
        ("{}", "{a: {type: nmber, default: x}}"),
        ("{}", "{a: {defalt: x}}"),
        ("{}", "{a: {type: boolean, default: true, options: [x]}}"),
        ("{}", "{a: {default: x, regex: '('}}"),
        ("{}", "{b: {default: x}}"),
        ("{a: [x, z]}", "{a: {type: array, options: [x, y]}}"),
        ("{}", "{a: {default: x, options: [x], rules: [{default: y}]}}"),
        ("{}", "{a: {rules: [{if: $A}]}}"),
        ("{a: x}", "{a: {rules: [{if: '$[[ inputs.b ]] = 1', default: y}, {iff: x, default: y}, x]}}"),
        ("{}", "{a: {rules: [{if: '$[[ inputs.c ]] == \"x\"', default: y}]}}"),
        (
            "{a: x}",
            "{a: {rules: [{if: '$[[ inputs.b ]]', default: x}]}, b: {rules: [{if: '$[[ inputs.a ]]', default: x}]}}",
        ),
        ("{a: x}", "{a: {rules: [{options: [y], default: z}]}}"),
        ("{}", "{a: {rules: [{options: [y], default: }]}}"),
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
    {a: [x, z]} {a: {type: array, options: [x, y]}}
      ci.yml:1:37 invalid-input: the input `a` has `z`, which is none of `x`, `y`
    {} {a: {default: x, options: [x], rules: [{default: y}]}}
      a.yml:1:33 invalid-spec: the input `a` has `rules` and cannot have `options` besides
        write `options` in the rules
      a.yml:1:21 invalid-spec: the input `a` has `rules` and cannot have `default` besides
        write `default` in the rules
      a.yml:1:65 invalid-input: the default of the input `a` is `y`, which is none of `x`
    {} {a: {rules: [{if: $A}]}}
      a.yml:1:29 invalid-spec: this rule of the input `a` decides nothing
        give it `options`, `default` or both
    {a: x} {a: {rules: [{if: '$[[ inputs.b ]] = 1', default: y}, {iff: x, default: y}, x]}}
      a.yml:1:34 invalid-spec: a rule of the input `a`: a single `=` is no operator
        write `==` to compare, `=~` to match
      a.yml:1:71 invalid-spec: a rule of the input `a` has no `iff`
        did you mean `if`?
      a.yml:1:92 invalid-spec: a rule of the input `a` has to be a mapping
    {} {a: {rules: [{if: '$[[ inputs.c ]] == "x"', default: y}]}}
      a.yml:1:29 invalid-spec: a rule of the input `a` asks for `c`, which is no input
        did you mean `a`?
    {a: x} {a: {rules: [{if: '$[[ inputs.b ]]', default: x}]}, b: {rules: [{if: '$[[ inputs.a ]]', default: x}]}}
      a.yml:1:17 invalid-spec: the rules of the input `a` depend on itself, by way of others or at once
    {a: x} {a: {rules: [{options: [y], default: z}]}}
      a.yml:1:53 invalid-input: the default of the input `a` is `z`, which is none of `y`
      ci.yml:1:37 invalid-input: the input `a` is `x`, which is none of `y`
    {} {a: {rules: [{options: [y], default: }]}}
      ci.yml:1:18 missing-input: the input `a` is not given
        give it with `include:inputs` or `--input`, or add a `default`
    "###);
}

#[test]
fn blocks_that_mean_nothing_are_refused_with_their_place() {
    let blocks = [
        "$[[ inputs.txt ]]",
        "$[[ input.text ]]",
        "$[[ component.name ]]",
        "$[[ component.nam ]]",
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
    ci.yml:12:6 interpolation: `spec:component` does not name `name`
        add it to the header: `spec: {component: [name]}`
    ci.yml:12:6 interpolation: `spec:component` does not name `nam`
        use one of `name`, `sha`, `version`, `reference`
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
    assert_eq!(project.yaml(), "key:\n  - '12'\n  - 12\n  - true\n  - x\n  - 2\n");
    let wrong = crate::config::fixture::project(&main).input("number", "many").input("txt", "a");
    insta::assert_snapshot!(wrong.problems().join("\n"), @r###"
    --input txt:1:1 unknown-input: the file takes no input `txt`
        did you mean `text`?
    --input number:1:1 invalid-input: the input `number` is not of type number
    "###);
}

#[test]
fn a_masked_variable_is_not_put_into_the_configuration() {
    let project = project("include: {local: a.yml, inputs: {a: $TOKEN}}")
        .file("a.yml", "spec: {inputs: {a: }}\n---\njob: {image: '$[[ inputs.a | expand_vars ]]'}\n")
        .variable("TOKEN", "glpat-123456");
    assert!(project.yaml().contains("glpat-123456"));
    let problems = project.masked("TOKEN").problems();
    assert!(problems[0].contains("masked variables cannot be expanded: `TOKEN`"), "{problems:?}");
}
