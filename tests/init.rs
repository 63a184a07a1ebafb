//! `podline init`: a first configuration for each kind of project.

use crate::support::Project;

/// A project with these empty files and no configuration.
fn project(files: &[&str]) -> Project {
    let project = Project::with("");
    std::fs::remove_file(project.path().join(".gitlab-ci.yml")).expect("it is there");
    for file in files {
        project.write(file, "");
    }
    project
}

#[test]
fn each_kind_of_project_gets_one_that_is_right_and_plans() {
    let kinds: [(&[&str], &str, &str); 9] = [
        (&["Cargo.toml", "Cargo.lock"], "a Rust project (`Cargo.toml`)", "cargo test --locked"),
        (&["package.json", "package-lock.json"], "a Node.js project (`package.json`)", "npm ci"),
        (
            &["package.json", "Dockerfile"],
            "a Node.js project (`package.json`) with a `Dockerfile`",
            "hadolint Dockerfile",
        ),
        (&["go.mod"], "a Go module (`go.mod`)", "go test ./..."),
        (&["pyproject.toml", "tests/test_all.py"], "a Python project (`pyproject.toml`)", "pytest"),
        (&["pyproject.toml"], "a Python project (`pyproject.toml`)", "python -m compileall -q ."),
        (&["Makefile"], "a project with a `Makefile`", "make"),
        (&["Dockerfile"], "a `Dockerfile`", "hadolint Dockerfile"),
        (&[], "any project: no build tool was recognised", "echo"),
    ];
    for (files, found, command) in kinds {
        let project = project(files);
        let said = project.podline(&["init"]).run().expect(0).stderr;
        let first = said.lines().next().unwrap_or_default();
        assert!(first.ends_with(&format!("wrote .gitlab-ci.yml for {found}")), "{first}");
        assert!(project.read(".gitlab-ci.yml").contains(command), "{files:?}");
        let lint = project.podline(&["lint"]).run().expect(0);
        assert!(lint.stderr.contains("is valid") && !lint.stderr.contains("warning"), "{files:?}: {lint}");
        let plan = project.podline(&["plan", "--format", "json"]).run().expect(0);
        assert!(plan.stdout.contains("\"stage\""), "{files:?}: {plan}");
    }
}

#[test]
fn it_says_what_to_do_next_and_never_writes_over_a_file() {
    let project = project(&["go.mod"]);
    let printed = project.podline(&["init", "--print"]).run().expect(0).stdout;
    assert!(!project.path().join(".gitlab-ci.yml").exists(), "it was only printed");
    let first = project.podline(&["init"]).run().expect(0);
    assert_eq!(project.read(".gitlab-ci.yml"), printed);
    project.write(".gitlab-ci.yml", "mine: { script: make }\n");
    let second = project.podline(&["init"]).run().expect(2);
    assert_eq!(project.read(".gitlab-ci.yml"), "mine: { script: make }\n");
    insta::assert_snapshot!(format!("{first}\n\n{second}"));
}
