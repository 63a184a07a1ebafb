//! `podline doctor`: what it says of this machine, with and without Docker.

use serde_json::Value;

use crate::support::Project;

const KUBECONFIG: &str = "\
apiVersion: v1
kind: Config
clusters: [{ name: far, cluster: { server: 'https://192.0.2.1:6443' } }]
users: [{ name: me, user: {} }]
contexts: [{ name: production, context: { cluster: far, user: me } }]
current-context: production
";

#[test]
fn without_docker_it_says_what_is_missing_what_to_do_and_what_runs_all_the_same() {
    let project = Project::fixture("hello");
    project.write("kubeconfig", KUBECONFIG);
    let hidden = |arguments: &[&str]| {
        project.podline(arguments).env("DOCKER_HOST", "unix:///nowhere").env("KUBECONFIG", "kubeconfig").run()
    };
    let seen = hidden(&["doctor", "--format", "json"]);
    let told: Value = serde_json::from_str(&seen.stdout).expect("JSON");
    let findings = told["findings"].as_array().expect("a list");
    let find = |what: &str| {
        findings.iter().find(|it| it["what"] == what).unwrap_or_else(|| panic!("{what}: {seen}"))
    };
    assert_eq!(find("Docker")["state"], "missing");
    assert!(find("Docker")["fix"].as_str().is_some_and(|fix| fix.contains("install")), "{seen}");
    assert_eq!(find("git")["state"], "ok");
    let contexts = find("contexts")["found"].as_str().expect("text");
    assert_eq!(contexts, "`production`: only with `--context`, and not asked now");
    let expected = match told["auto"].as_str() {
        Some(engine) => {
            assert_eq!(engine, "embedded");
            0
        }
        None => 3,
    };
    assert_eq!(seen.code, Some(expected), "{seen}");
    for columns in [80, 200] {
        let seen = project
            .podline(&["doctor"])
            .env("DOCKER_HOST", "unix:///nowhere")
            .env("COLUMNS", columns.to_string())
            .run()
            .expect(expected);
        let widest = seen.stdout.lines().map(|line| line.chars().count()).max();
        assert!(widest.is_some_and(|widest| widest <= columns), "{columns} columns: {seen}");
    }
}
