//! Variables that a project has in GitLab's settings: from where they come, who gets them, who sees them.

use std::fs;

use crate::support::Project;

/// A secret, and a key of several lines.
const TOKEN: &str = "glpat-Xy12345678";
const KEY: &str = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA\nq83vEjRWeJA=\n-----END KEY-----\n";

/// A project whose variables stand in all three places.
fn project() -> Project {
    let project = Project::with(
        r#"default: { image: none }
variables:
  API_URL: https://example.com
  CONNECTION: "$API_URL?token=$TOKEN"
  PATH_OF_FILE: $CONFIG
check:
  rules: [{ if: '$CONFIG =~ /^port/ && $TOKEN =~ /^glpat/' }]
  script:
    - echo "config at $CONFIG, $PATH_OF_FILE has $(cat $PATH_OF_FILE)"
    - echo "token $TOKEN, in $CONNECTION, as is $RAW, url $API_URL, here ${DEPLOY_KEY:-nothing}"
    - cat "$KEY"
    - printf 'glpat-Xy'; sleep 0.2; printf '12345678\n'
review:
  environment: { name: review/$CI_COMMIT_BRANCH, action: verify }
  script: [ 'echo "url $API_URL"' ]
"#,
    );
    project.write(
        "podline.toml",
        r#"[run]
var-file = ["ci.env"]
[variables]
API_URL = [
  { value = "https://review.example.com", environment_scope = "review/*" },
  { value = "https://all.example.com" },
]
RAW = { value = "$API_URL", raw = true }
CONFIG = { value = "port = 8080", variable_type = "file" }
DEPLOY_KEY = { value = "only for main", protected = true }
ONLY_PRODUCTION = { value = "x", environment_scope = "production" }
LEVEL = 1
"#,
    );
    project.write("ci.env", "# what this machine has\nLEVEL=2\nexport MODE='two words'\n");
    let key = KEY.trim_end().replace('\n', "\n    ");
    project.write(
        ".podline/variables.yml",
        &format!(
            "TOKEN: {{ value: {TOKEN}, masked: true }}\n\
             KEY:\n  variable_type: file\n  masked: true\n  value: |\n    {key}\n"
        ),
    );
    project
}

/// Fails where a secret, or a line of one, is in a text.
fn assert_hidden(text: &str, of: &str) {
    for secret in [TOKEN].into_iter().chain(KEY.lines()) {
        assert!(!text.contains(secret), "`{secret}` is in {of}:\n{text}");
    }
}

#[test]
fn explain_says_where_each_variable_comes_from_and_which_are_for_others() {
    let seen = project().podline(&["explain", "check", "--branch", "feature"]).env("COLUMNS", "80").run();
    let seen = seen.expect(0);
    assert_hidden(&seen.to_string(), "explain");
    insta::assert_snapshot!(seen);
}

#[test]
fn the_environment_of_a_job_selects_among_its_variables() {
    let seen = project().podline(&["explain", "review"]).env("COLUMNS", "110").run().expect(0);
    let (_, variables) = seen.stdout.split_once("\nvariables\n").expect("a section");
    let (variables, _) = variables.split_once("\n\n").expect("a section");
    insta::assert_snapshot!(variables);
}

#[test]
fn a_later_file_wins_and_the_command_line_wins_over_all_of_them() {
    let project = project();
    project.write("more.yml", "- { key: LEVEL, value: '3' }\n- { key: MODE, value: fast, hidden: false }\n");
    let eval = |expression: &str, more: &[&str]| {
        let arguments = [&["eval", expression, "--exit-code"], more].concat();
        project.podline(&arguments).run().code
    };
    assert_eq!(eval("$LEVEL == \"2\" && $MODE == \"two words\"", &[]), Some(0));
    assert_eq!(eval("$LEVEL == \"3\" && $MODE == \"fast\"", &["--var-file", "more.yml"]), Some(0));
    assert_eq!(eval("$LEVEL == \"4\"", &["--var-file", "more.yml", "--var", "LEVEL=4"]), Some(0));
    // an expression sees the content of a file, and no variable of an environment
    assert_eq!(eval("$CONFIG == \"port = 8080\" && $ONLY_PRODUCTION == null", &[]), Some(0));
    // protected variables are for protected branches
    assert_eq!(eval("$DEPLOY_KEY", &[]), Some(0));
    assert_eq!(eval("$DEPLOY_KEY", &["--branch", "feature"]), Some(1));
}

#[test]
fn secrets_are_in_nothing_that_podline_prints() {
    let project = project();
    // in an include's name they would be part of a message
    project.write(
        ".gitlab-ci.yml",
        &format!(
            "{}include: {{ local: '/$TOKEN.yml', rules: [{{ exists: [x] }}] }}\n",
            project.read(".gitlab-ci.yml")
        ),
    );
    for arguments in [
        &["plan"][..],
        &["plan", "--format", "json"],
        &["explain", "check"],
        &["explain", "check", "--format", "json"],
        &["config"],
        &["lint", "--format", "json"],
        &["pod", "check"],
        &["eval", "$TOKEN =~ /x/ || $KEY"],
        &["eval", "$TOKEN =~ /x/ || $KEY", "--format", "json"],
        &["graph", "--format", "svg"],
    ] {
        for columns in ["30", "200"] {
            let seen = project.podline(arguments).env("COLUMNS", columns).run();
            assert!(seen.code == Some(0) || seen.code == Some(2), "{arguments:?}: {seen}");
            assert_hidden(&seen.to_string(), &format!("{arguments:?}"));
        }
    }
    project.write(".gitlab-ci.yml", "include: '/$TOKEN.yml'\njob: { script: x }\n");
    let seen = project.podline(&["lint"]).run().expect(2);
    assert!(seen.stderr.contains("[MASKED].yml"), "{seen}");
    assert_hidden(&seen.to_string(), "lint");
}

#[test]
fn what_gitlab_would_not_keep_is_refused_without_a_word_of_it() {
    let project = Project::with("job: { script: x }\n");
    project.write(
        "podline.toml",
        "[variables]\nSHORT = { value = \"secret\", masked = true }\n\"a-b\" = \"c\"\n",
    );
    project.write(".podline/variables.yml", "NUMBER: 1.10\n");
    project.write("bad.env", "A=1\nhunter2\n");
    let seen = project.podline(&["plan", "--var-file", "bad.env"]).env("COLUMNS", "100").run().expect(2);
    assert!(!seen.stderr.contains("hunter2") && !seen.stderr.contains("secret\""), "{seen}");
    insta::assert_snapshot!(seen.stderr);
    project.write("podline.toml", "[variables]\nTOKEN = { valeu = \"glpat-123456\" }\n");
    let seen = project.podline(&["plan"]).run().expect(2);
    assert!(seen.stderr.contains("line 2") && !seen.stderr.contains("glpat"), "{seen}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_job_has_its_files_and_nobody_sees_its_secrets() {
    let project = project();
    let state = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str]| {
        // one after the other: what they say is told in the order in which they say it
        let common = ["run", "--engine", "embedded", "--image-fallback", "host", "--jobs", "1"];
        project
            .podline(&[&common, arguments].concat())
            .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
            .env("PODLINE_STATE", state.path().join("state"))
            .env("PODLINE_CACHE", state.path().join("cache"))
            .run()
            .expect(0)
    };
    let seen = run(&["--format", "json"]);
    assert_hidden(&seen.to_string(), "the events");
    let output: Vec<String> = seen
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("an event is JSON"))
        .filter(|event| event["event"] == "job_output")
        .map(|event| event["line"].as_str().unwrap_or_default().to_owned())
        .filter(|line| !line.contains("[32;1m"))
        .collect();
    insta::assert_snapshot!(output.join("\n"));
    assert_hidden(&run(&["--plain"]).to_string(), "the plain view");
    project.podline(&["report"]).run().expect(0);
    let mut files = 0;
    for entry in walk(&project.path().join(".podline/runs")) {
        files += 1;
        let content = String::from_utf8_lossy(&fs::read(&entry).expect("a file can be read")).into_owned();
        assert_hidden(&content, &entry.display().to_string());
    }
    assert!(files > 5, "a run keeps a record");
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder can be listed").flatten();
    entries.flat_map(|it| if it.path().is_dir() { walk(&it.path()) } else { vec![it.path()] }).collect()
}
