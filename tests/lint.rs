//! `podline lint`: every mistake of a file at once, with its place and a way out.

use crate::support::Project;

#[test]
fn a_wrong_file_gets_every_mistake_at_once() {
    let seen = Project::fixture("broken").podline(&["lint"]).run().expect(2);
    insta::assert_snapshot!(seen);
}

#[test]
fn a_right_file_is_said_to_be_right() {
    let seen = Project::fixture("hello").podline(&["lint"]).run().expect(0);
    insta::assert_snapshot!(seen);
}

#[test]
fn programs_get_the_places_as_json() {
    let seen = Project::fixture("broken").podline(&["lint", "--format", "json"]).run().expect(2);
    let diagnostics: Vec<serde_json::Value> = serde_json::from_str(&seen.stdout).expect("stdout is JSON");
    for diagnostic in &diagnostics {
        for key in ["severity", "code", "message", "file", "line", "column"] {
            assert!(diagnostic.get(key).is_some(), "`{key}` is missing in {diagnostic}");
        }
    }
    assert!(diagnostics.iter().any(|diagnostic| diagnostic["line"] == 5 && diagnostic["column"] == 10));
}

#[test]
fn several_files_give_one_log_and_a_shared_mistake_once() {
    let project = Project::with("include: shared.yml\njob: { script: make }\n");
    project.write("shared.yml", "a: { script: [x], tags: y }\n");
    project.write("other.yml", "include: shared.yml\nb: { image: 1, script: make }\n");
    let lint = |format| project.podline(&["lint", ".gitlab-ci.yml", "other.yml", "--format", format]);
    let log: serde_json::Value =
        serde_json::from_str(&lint("sarif").run().expect(2).stdout).expect("stdout is JSON");
    let results = log["runs"][0]["results"].as_array().expect("a list of results");
    let uris: Vec<_> = results
        .iter()
        .map(|result| result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].clone())
        .collect();
    assert_eq!(uris, ["shared.yml", "other.yml"]);
    insta::assert_snapshot!(lint("github").run().expect(2).stdout, @r#"
    ::error file=shared.yml,line=1,col=25,title=wrong-type::`tags` of job `a` should be an array of strings, not a string
    ::error file=other.yml,line=2,col=13,title=wrong-type::`image` of job `b` should be a string or a hash, not an integer%0Aquote it: "1"
    "#);
}

#[test]
fn a_project_without_a_file_is_told_what_to_do() {
    let project = Project::with("");
    std::fs::remove_file(project.path().join(".gitlab-ci.yml")).expect("the file is there");
    insta::assert_snapshot!(project.podline(&["lint"]).run().expect(2));
}

#[test]
fn a_file_that_is_not_there_is_a_mistake_unless_no_git_knows_what_is() {
    let project = Project::with("include: parts/build.yml\ntest: { script: make test }\n");
    project.podline(&["lint"]).run().expect(2);
    std::fs::remove_dir_all(project.path().join(".git")).expect("there is a repository");
    insta::assert_snapshot!(project.podline(&["lint"]).run().expect(0));
}
