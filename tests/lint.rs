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
fn a_project_without_a_file_is_told_what_to_do() {
    let project = Project::with("");
    std::fs::remove_file(project.path().join(".gitlab-ci.yml")).expect("the file is there");
    insta::assert_snapshot!(project.podline(&["lint"]).run().expect(2));
}
