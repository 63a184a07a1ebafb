//! `podline explain`, `eval`, `graph` and `completions`: to see why.

use crate::support::{Project, Seen};

/// A project whose values come from everywhere: the job, a template, `default`, an included file.
fn project() -> Project {
    let project = Project::with(
        r#"include: ci/templates.yml
stages: [build, test, deploy]
default: { image: "node:20", retry: 1 }
variables: { MODE: slow, GREETING: "hello $CI_COMMIT_BRANCH" }

.base:
  before_script: [npm ci]
  variables: { LEVEL: "1" }

build:
  stage: build
  script: make
  artifacts: { paths: [out] }

unit:
  stage: test
  extends: [.base, .cached]
  parallel: { matrix: [{ NODE: ["18", "20"] }] }
  needs: [build, { job: docs, optional: true }]
  script:
    - npm test
    - !reference [.report, script]
  rules:
    - if: $CI_COMMIT_TAG
    - if: $CI_COMMIT_BRANCH == "main" && ($MODE == "fast" || $MODE =~ /^s/)
      exists: [ci/*.yml]
      when: manual
      allow_failure: true
      variables: { MODE: fast }
    - when: always

docs:
  stage: build
  script: make docs
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
    - if: $MODE == "slow"
      when: never

release:
  stage: deploy
  script: make release
  only: { refs: [tags, /^release/], variables: [$MODE == "slow"] }
"#,
    );
    project.write(
        "ci/templates.yml",
        ".cached:\n  cache: { key: $CI_COMMIT_REF_SLUG, paths: [node_modules] }\n.report: { script: [npm run report] }\n",
    );
    project.write("podline.toml", "[images]\n\"node:*\" = \"registry.example.com/node:slim\"\n");
    project
}

fn explain(arguments: &[&str], columns: &str) -> Seen {
    project().podline(&[&["explain"], arguments].concat()).env("COLUMNS", columns).run()
}

#[test]
fn a_kept_job_is_explained_at_80_columns() {
    insta::assert_snapshot!(explain(&["unit"], "80").expect(0));
}

#[test]
fn a_kept_job_is_explained_at_200_columns() {
    insta::assert_snapshot!(explain(&["unit: [20]", "--var", "LEVEL=9"], "200").expect(0));
}

#[test]
fn a_job_that_its_rules_leave_out_says_why_each_did() {
    insta::assert_snapshot!(explain(&["docs"], "80").expect(0));
}

#[test]
fn a_job_that_only_leaves_out_says_what_it_asks() {
    insta::assert_snapshot!(explain(&["release"], "80").expect(0));
}

#[test]
fn a_hidden_job_is_shown_as_it_is() {
    insta::assert_snapshot!(explain(&[".base"], "80").expect(0));
}

#[test]
fn a_job_that_does_not_exist_gets_the_nearest_name() {
    insta::assert_snapshot!(explain(&["unti"], "80").expect(2));
}

#[test]
fn a_job_that_something_is_missing_for_says_what() {
    let project = Project::with(
        "include: { project: group/ci, file: base.yml }\nimage: a\njob: { extends: .far, image: b }\nother: { script: make }\n",
    );
    let seen = project.podline(&["explain", "job"]).env("COLUMNS", "80").run().expect(0);
    insta::assert_snapshot!(seen.stdout);
}

#[test]
fn workflow_rules_come_first_where_they_leave_no_pipeline() {
    let project = Project::with(
        "image: a\nworkflow: { rules: [{ if: $CI_COMMIT_TAG }, { when: never }] }\njob: { script: make }\n",
    );
    let seen = project.podline(&["explain", "job"]).env("COLUMNS", "80").run().expect(0);
    insta::assert_snapshot!(seen.stdout);
}

#[test]
fn programs_get_the_explanation_as_json() {
    let seen = explain(&["unit", "--format", "json"], "80").expect(0);
    let found: serde_json::Value = serde_json::from_str(&seen.stdout).expect("stdout is JSON");
    assert_eq!(found["name"], "unit: [18]");
    assert_eq!(found["standing"]["standing"], "present");
    assert_eq!(found["rules"][1]["decides"], true);
    assert_eq!(found["rules"][1]["clauses"][0]["holds"], true);
    let mode = found["variables"].as_array().expect("a list").iter().find(|it| it["name"] == "MODE");
    let mode = mode.expect("MODE is a variable");
    assert_eq!((&mode["value"], &mode["origin"]), (&"fast".into(), &"rule".into()));
    assert_eq!(mode["overrode"], serde_json::json!([["global", "slow"]]));
}

#[test]
fn an_expression_sees_the_values_of_the_project() {
    let project = project();
    let expression = "$CI_COMMIT_BRANCH == \"main\" && ($MODE == \"fast\" || $NOT_SET) || $FORCE";
    let eval = |more: &[&str]| project.podline(&[&["eval", expression], more].concat()).env("COLUMNS", "80");
    insta::assert_snapshot!(eval(&[]).run().expect(0));
    assert!(eval(&["--var", "MODE=fast"]).run().expect(0).stdout.starts_with("true\n"));
    assert!(eval(&["--var", "MODE=fast", "--branch", "x"]).run().expect(0).stdout.starts_with("false\n"));
    eval(&["--exit-code"]).run().expect(1);
    eval(&["--exit-code", "--var", "FORCE=1"]).run().expect(0);
}

#[test]
fn an_expression_without_a_project_sees_what_the_command_line_names() {
    let project = Project::with("");
    std::fs::remove_file(project.path().join(".gitlab-ci.yml")).expect("the file is there");
    let seen = project.podline(&["eval", "$A =~ /^x/ && $CI_COMMIT_BRANCH", "--var", "A=xyz"]).run();
    insta::assert_snapshot!(seen.expect(0));
}

#[test]
fn a_wrong_expression_is_told_where_and_what_to_write() {
    let project = Project::with("");
    insta::assert_snapshot!(project.podline(&["eval", "$A == \"x\" && main"]).run().expect(2));
}

#[test]
fn a_pipeline_is_drawn_in_three_languages() {
    let project = project();
    let graph = |format| project.podline(&["graph", "--format", format]).run().expect(0).stdout;
    let normal = |text: String| without_sha(&text);
    insta::assert_snapshot!(normal(graph("mermaid")));
    assert!(graph("dot").starts_with("digraph pipeline {"));
    let svg = graph("svg");
    assert!(svg.starts_with("<svg xmlns=") && svg.contains(">unit: [18]</text>"));
}

/// The commit's name is not what is tested.
fn without_sha(text: &str) -> String {
    let Some((before, rest)) = text.split_once("push to main, ") else { return text.to_owned() };
    format!("{before}push to main, SHA{}", &rest[8..])
}
