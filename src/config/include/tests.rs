//! What `include` brings in, and in which order.

use crate::config::{
    fixture::{Project, project},
    loader::{External, ProjectRef},
};

/// The names of the jobs, in order.
fn jobs(project: &Project) -> Vec<String> {
    let reading = project.read();
    reading.tree.expect("a tree").root.keys().map(str::to_owned).collect()
}

fn remote(url: &str) -> External {
    External::Remote { url: url.to_owned(), integrity: None, reuse: 0 }
}

fn of_project(reference: Option<&str>, file: &str) -> External {
    let project = ProjectRef { host: None, path: "g/p".to_owned(), reference: reference.map(str::to_owned) };
    External::Project { project, file: file.to_owned() }
}

#[test]
fn includes_merge_in_order_and_the_main_file_last() {
    let project = project("include: [a.yml, /b.yml]\nx: {main: 1}\nvariables: {V: main}\n")
        .file("a.yml", "x: {a: 1, both: a}\nlist: [a]\nvariables: {A: a, V: a}\n")
        .file("b.yml", "include: c.yml\nx: {both: b, c: b}\nlist: [b]\n")
        .file("c.yml", "x: {c: c, only_c: c}\n");
    insta::assert_snapshot!(project.yaml(), @r###"
    x:
      a: 1
      both: b
      c: b
      only_c: c
      main: 1
    list:
      - b
    variables:
      A: a
      V: main
    "###);
}

#[test]
fn all_forms_are_understood() {
    let table = [
        ("include: a.yml", vec!["a"]),
        ("include: {local: /a.yml}", vec!["a"]),
        ("include: [{local: a.yml}, 'ci/b.yml']", vec!["a", "b"]),
        ("include: 'https://e.org/r.yml'", vec!["r"]),
        ("include: {remote: 'https://e.org/r.yml', cache: false}", vec!["r"]),
        ("include: {project: g/p, file: /p.yml}", vec!["p"]),
        ("include: {project: g/p, file: [p.yml, q.yml]}", vec!["p", "q"]),
        ("include: {project: g/p, file: p.yml, ref: v1}", vec!["p1"]),
        ("include: {template: 'Jobs/T.gitlab-ci.yml'}", vec!["t"]),
        ("include: {component: $HOST/g/p/c@1.0}", vec!["c"]),
        // Local files of another project's file are that project's.
        ("include: {project: g/p, file: nested.yml}", vec!["q"]),
        ("include: $DIR/b.yml", vec!["b"]),
        ("include: {local: $DIR/b.yml}", vec!["b"]),
        ("include: $URL", vec!["r"]),
        ("include: []", vec![]),
        ("include:", vec![]),
        // A star stays in its folder, two do not.
        ("include: 'ci/*.yml'", vec!["b"]),
        ("include: 'ci/**.yml'", vec!["b", "d"]),
        ("include: 'ci/**/*.yml'", vec!["d"]),
        ("include: '$DIR/*.yml'", vec!["b"]),
    ];
    for (include, expected) in table {
        let project = project(&format!("{include}\n"))
            .file("a.yml", "a: {}")
            .file("ci/b.yml", "b: {}")
            .file("ci/sub/d.yml", "d: {}")
            .external(remote("https://e.org/r.yml"), "r: {}")
            .external(of_project(None, "p.yml"), "p: {}")
            .external(of_project(None, "q.yml"), "q: {}")
            .external(of_project(None, "nested.yml"), "include: q.yml")
            .external(of_project(Some("v1"), "p.yml"), "p1: {}")
            .external(External::Template("Jobs/T.gitlab-ci.yml".to_owned()), "t: {}")
            .external(External::Component("e.org/g/p/c@1.0".to_owned()), "c: {}")
            .variable("DIR", "ci")
            .variable("URL", "https://e.org/r.yml")
            .variable("HOST", "e.org");
        assert_eq!(project.problems(), [""; 0], "{include}");
        assert_eq!(jobs(&project), expected, "{include}");
    }
}

#[test]
fn rules_decide_what_is_included() {
    let table = [
        ("[{if: $A == 'a'}]", true),
        ("[{if: $B}]", false),
        ("[{if: $A, when: never}]", false),
        ("[{if: $B, when: never}, {when: always}]", true),
        ("[{exists: [ci/*.txt]}]", true),
        ("[{exists: [Dockerfile]}]", false),
        ("[{exists: {paths: [$DIR/x.txt]}}]", true),
        ("[{exists: ['ci/']}]", true),
        ("[{exists: ['']}]", false),
        ("[{changes: ['src/**/*.rs']}]", true),
        ("[{changes: {paths: [docs/*], compare_to: main}}]", false),
        ("[{if: $A, exists: [Dockerfile]}]", false),
        ("[]", false),
    ];
    for (rules, is_included) in table {
        let project = project(&format!("include: {{local: a.yml, rules: {rules}}}\n"))
            .file("a.yml", "a: {}")
            .file("ci/x.txt", "")
            .variable("A", "a")
            .variable("DIR", "ci")
            .changed(&["src/config/mod.rs"]);
        assert_eq!(project.problems(), [""; 0], "{rules}");
        assert_eq!(jobs(&project) == ["a"], is_included, "{rules}");
    }
}

#[test]
fn files_of_other_projects_are_looked_at_there() {
    let project = project(
        "include:
  - {project: g/p, ref: v1, file: main.yml}
  - {local: here.yml, rules: [{exists: {paths: ['parts/*'], project: g/p, ref: $REF}}]}
  - {local: not.yml, rules: [{exists: {paths: [nothing], project: g/p, ref: v1}}]}
",
    )
    .file("here.yml", "here: {}")
    .file("not.yml", "not: {}")
    .external(
        of_project(Some("v1"), "main.yml"),
        "include: [{local: 'parts/*.yml'}, {local: c.yml, rules: [{exists: [parts/a.yml]}]}]",
    )
    .external(of_project(Some("v1"), "parts/a.yml"), "a: {}")
    .external(of_project(Some("v1"), "parts/b.yml"), "b: {}")
    .external(of_project(Some("v1"), "c.yml"), "c: {}")
    .variable("REF", "v1");
    assert_eq!(project.problems(), [""; 0]);
    assert_eq!(jobs(&project), ["a", "b", "c", "here"]);
}

#[test]
fn a_file_that_belongs_to_no_project_sees_no_variables_and_no_files() {
    let project = project("include: 'https://e.org/r.yml'")
        .external(
            remote("https://e.org/r.yml"),
            "include:\n  - {project: g/p, file: p.yml, rules: [{if: $A == 'a'}]}\n  - local: a.yml\n  - {project: g/p, file: q.yml, rules: [{exists: ['**/*']}]}\n",
        )
        .file("a.yml", "a: {}")
        .variable("A", "a");
    assert_eq!(
        project.problems(),
        [
            "https://e.org/r.yml:3:12 include-not-found: `a.yml` is a local file, but `https://e.org/r.yml` belongs to no project\n    a remote file can include by `remote`, `project`, `template` or `component`"
        ]
    );
}

#[test]
fn what_a_remote_file_has_to_be_is_checked() {
    let digest = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    for (entry, expected) in [
        (format!("integrity: {digest}"), ""),
        ("integrity: sha256-abc".to_owned(), "invalid-include: `integrity` is no SHA256 digest"),
        ("cache: true".to_owned(), ""),
        ("cache: 2 hours".to_owned(), ""),
        ("cache: 5 seconds".to_owned(), "invalid-include: `cache` has another value than GitLab knows"),
        ("cache: [1]".to_owned(), "invalid-include: `cache` has another value than GitLab knows"),
    ] {
        let project = project(&format!("include: {{remote: 'https://e.org/r.yml', {entry}}}"));
        let problems = project.problems();
        let wrong: Vec<_> = problems.iter().filter(|line| !line.contains("include-unavailable")).collect();
        assert_eq!(wrong.is_empty(), expected.is_empty(), "{entry}: {wrong:?}");
        assert!(wrong.iter().all(|line| line.contains(expected)), "{entry}: {wrong:?}");
    }
    let wrong = project("include: {remote: 'file:///etc/a.yml'}").problems();
    assert!(wrong[0].contains("`file:///etc/a.yml` is no address of a remote file"), "{wrong:?}");
}

#[test]
fn where_gitlab_has_no_changes_to_look_at_they_hold() {
    let project = project("include: {local: a.yml, rules: [{changes: [x]}]}").file("a.yml", "a: {}");
    assert_eq!(jobs(&project), ["a"]);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let project = project(
        "include:
  - ci/biuld.yml
  - ./a.yml
  - /../../a.yml
  - {project: g/p, file: ../a.yml}
  - a.txt
  - {local: 'none/*.yml'}
  - {local: '$DIR/*.yml'}
  - {locl: a.yml}
  - {local: a.yml, remote: 'https://e.org/r.yml'}
  - {project: g/p}
  - {template: Jobs/T}
  - [a.yml]
  - {local: a.yml, rules: [{if: '$A ='}]}
  - {local: a.yml, rules: [{iff: $A, when: manual}]}
  - broken.yml
  - empty.yml
  - ci/nested.yml
",
    )
    .file("a.yml", "a: {}")
    .file("broken.yml", "a: b: c\n")
    .file("empty.yml", "# nothing\n")
    .file("ci/nested.yml", "include: nowhere.yml\n")
    .file("ci/build.yml", "b: {}");
    insta::assert_snapshot!(project.problems().join("\n"), @r###"
    ci.yml:3:5 include-not-found: the file `./a.yml` does not exist
        paths begin at the root of the repository, without `./` or `../`
    ci.yml:4:5 include-not-found: the file `../../a.yml` does not exist
        paths begin at the root of the repository, without `./` or `../`
    ci.yml:5:26 include-not-found: the file `../a.yml` does not exist
        paths begin at the root of the repository, without `./` or `../`
    ci.yml:6:5 invalid-include: `a.txt` is not a YAML file by its name
        GitLab includes only files that end in `.yml` or `.yaml`
    ci.yml:7:13 include-empty: no file matches `none/*.yml`
        GitLab goes on without a file; `*` stays within a folder, `**` does not
    ci.yml:8:13 include-empty: no file matches `$DIR/*.yml`
        GitLab does not expand variables in `include:local` with wildcards; use the short form `include: 'path'`
    ci.yml:9:6 invalid-include: `include` has no `locl`
        did you mean `local`?
    ci.yml:9:5 invalid-include: this include names no file, or more than one kind of it
        use exactly one of `local`, `project`, `remote`, `template`, `component`
    ci.yml:10:5 invalid-include: this include names no file, or more than one kind of it
        use exactly one of `local`, `project`, `remote`, `template`, `component`
    ci.yml:11:15 invalid-include: this include takes no file of `g/p`
        name its files: `file: /path/in/the/project.yml`
    ci.yml:12:16 invalid-include: `Jobs/T` is no template
        templates are named `<path>.gitlab-ci.yml`
    ci.yml:13:5 invalid-include: `include` takes a path, a mapping, or a list of these
    ci.yml:14:33 invalid-include: `include:rules:if`: a single `=` is no operator
        write `==` to compare, `=~` to match
    ci.yml:15:29 invalid-include: `include:rules` has no `iff`
        did you mean `if`?
    ci.yml:15:44 invalid-include: `include:rules:when` has another value than GitLab knows
        use `always` or `never`
    ci.yml:2:5 include-not-found: the file `ci/biuld.yml` does not exist
        did you mean `ci/build.yml`?
    broken.yml:1:5 yaml-syntax: mapping values are not allowed in this context
        put the value in quotes if it contains `: `; else a key is indented too far, or the line above lacks its `:`
    empty.yml:1:1 empty-file: the file is empty
        it needs at least one job with a `script`
    ci/nested.yml:1:10 include-not-found: the file `nowhere.yml` does not exist
        paths begin at the root of the repository
    "###);
}

#[test]
fn an_include_that_cannot_be_had_is_named_once_and_the_rest_goes_on() {
    let project = project(
        "include:
  - {project: g/p, file: [a.yml, b.yml], ref: main}
  - 'https://e.org/r.yml'
  - {template: T.gitlab-ci.yml}
  - {component: e.org/g/p/c@1}
  - 'https://e.org/r.yml'
  - a.yml
",
    )
    .file("a.yml", "a: {}");
    insta::assert_snapshot!(project.problems().join("\n"), @r###"
    ci.yml:2:27 include-unavailable: the include `g/p@main:a.yml` cannot be had: it lives elsewhere
        what it defines is unknown here; map a checkout of it
    ci.yml:3:5 include-unavailable: the include `https://e.org/r.yml` cannot be had: it lives elsewhere
        what it defines is unknown here; map a checkout of it
    ci.yml:4:16 include-unavailable: the include `template T.gitlab-ci.yml` cannot be had: it lives elsewhere
        what it defines is unknown here; map a checkout of it
    ci.yml:5:17 include-unavailable: the include `component e.org/g/p/c@1` cannot be had: it lives elsewhere
        what it defines is unknown here; map a checkout of it
    "###);
    let tree = project.read().tree.expect("a tree");
    let names: Vec<_> = tree.unavailable.iter().map(|include| include.value.as_str()).collect();
    assert_eq!(
        names,
        [
            "g/p@main:a.yml",
            "g/p@main:b.yml",
            "https://e.org/r.yml",
            "template T.gitlab-ci.yml",
            "component e.org/g/p/c@1"
        ]
    );
}

#[test]
fn each_inclusion_counts_up_to_150() {
    let times =
        |count: usize| project(&format!("include: [{}]", "a.yml, ".repeat(count))).file("a.yml", "a: {}");
    assert_eq!(times(150).problems(), [""; 0]);
    assert_eq!(
        times(151).problems(),
        [
            "ci.yml:1:1 too-many-includes: more than 150 files are included\n    GitLab counts a file each time it is included; include fewer"
        ]
    );
}

#[test]
fn a_circle_ends_at_the_limit() {
    let project = project("include: a.yml\nmain: {}")
        .file("a.yml", "include: b.yml")
        .file("b.yml", "include: [a.yml, a.yml]");
    let problems = project.problems();
    assert_eq!(
        problems,
        [
            "b.yml:1:1 too-many-includes: more than 150 files are included\n    `a.yml` includes itself, by way of others or at once"
        ]
    );
    assert_eq!(jobs(&project), ["main"]);
}

#[test]
fn values_keep_the_place_they_come_from() {
    let reading = project("include: a.yml\njob: {image: main}\n")
        .file("a.yml", "job:\n  script: x\n  image: a\n")
        .read();
    let tree = reading.tree.expect("a tree");
    let job = tree.root.get("job").and_then(crate::config::Node::as_mapping).expect("the job");
    let place = |key: &str| reading.sources.locate(job.get(key).expect("the key").span).to_string();
    assert_eq!(place("script"), "a.yml:2:11");
    assert_eq!(place("image"), "ci.yml:2:14");
}

#[test]
fn a_child_pipeline_includes_what_a_job_of_its_parent_has_left() {
    let artifact = |file: &str| External::Artifact { job: "make".to_owned(), file: file.to_owned() };
    let project = project("job: {trigger: {include: [{artifact: $DIR/child.yml, job: make}, a.yml]}}\n")
        .variable("DIR", "out")
        .external(
            artifact("out/child.yml"),
            "include: [{local: b.yml}, {artifact: more.yml, job: make}]\nc: {}",
        )
        .external(artifact("more.yml"), "m: {}")
        .file("a.yml", "a: {}")
        .file("b.yml", "b: {}");
    let reading = project.read_child("job");
    assert_eq!(reading.problems(), Vec::<String>::new());
    let names: Vec<_> = reading.tree.expect("a tree").root.keys().map(str::to_owned).collect();
    assert_eq!(names, ["b", "m", "c", "a"]);
}

#[test]
fn what_is_wrong_with_an_artifact_is_said_where_it_is_named() {
    let main = "include: {artifact: a.yml, job: make}\n";
    assert_eq!(
        project(main).problems(),
        [
            "ci.yml:1:21 invalid-include: including configs from artifacts is only allowed when triggering child pipelines\n    write it in `trigger:include` of a job"
        ]
    );
    let child = project("job: {trigger: {include: [{artifact: a.yml}, {artifact: a.txt, job: make}, {artifact: b.yml, job: make}]}}\n")
        .external(External::Artifact { job: "make".to_owned(), file: "b.yml".to_owned() }, "x:\n  - y: [\n");
    insta::assert_snapshot!(child.read_child("job").problems().join("\n"), @r###"
    ci.yml:1:38 invalid-include: job must be provided when including configs from artifacts
        name the job that makes the file: `job: NAME`
    ci.yml:1:57 invalid-include: `a.txt` is not a YAML file by its name
        GitLab includes only files that end in `.yml` or `.yaml`
    make:b.yml:2:9 yaml-syntax: did not find expected node content while parsing a flow node
    "###);
}
