use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::config::{Diagnostics, Sources};

fn fixture(name: &str) -> (RunnerConfig, Sources) {
    let mut sources = Sources::default();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name);
    let config = load(&folder, &mut sources).expect("the fixture can be read");
    (config, sources)
}

fn text(yaml: &str) -> (RunnerConfig, Sources) {
    let mut sources = Sources::default();
    let id = sources.add("runner.yaml", yaml);
    (load::read(&[id], &sources), sources)
}

fn lines(diagnostics: &Diagnostics, sources: &Sources) -> String {
    let line = |diagnostic: &&crate::config::Diagnostic| {
        let place = diagnostic.span.map_or_else(String::new, |span| {
            let location = sources.locate(span);
            let file = location.file.rsplit('/').next().unwrap_or_default().to_owned();
            format!("{file}:{}:{}: ", location.line, location.column)
        });
        let help = diagnostic.help.as_ref().map_or_else(String::new, |help| format!(" (help: {help})"));
        format!("{place}{}: {}{help}", diagnostic.code, diagnostic.message)
    };
    diagnostics.sorted().iter().map(line).collect::<Vec<_>>().join("\n")
}

/// A ConfigMap with these lines as its data and a Deployment that takes it.
fn with_data(data: &str) -> (RunnerConfig, Sources) {
    let data: String = data.lines().map(|line| format!("  {line}\n")).collect();
    text(&format!(
        "kind: ConfigMap\nmetadata: {{name: cm}}\ndata:\n{data}---\n\
         apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: runner}}\nspec:\n  selector: {{}}\n  template:\n    spec:\n      \
         containers:\n      - name: r\n        image: gitlab/gitlab-runner\n        envFrom: [{{configMapRef: {{name: cm}}}}]\n"
    ))
}

#[test]
fn the_defaults_are_the_fixture_without_privileged() {
    let (config, _) = fixture("runner");
    assert_eq!(config.settings, Settings { privileged: Some(true), ..Settings::default() });
    assert_eq!(config.settings.slots(), 8);
    assert_eq!(config.settings.impersonated().as_deref(), Some("system:serviceaccount:kube-ops:gitlab-ci"));
    assert_eq!(config.settings.differences_from_default(), ["privileged: yes, not no"]);
    assert!(config.changes.is_empty());
}

#[test]
fn what_todays_runners_ignore_is_said_so() {
    let (config, sources) = fixture("runner");
    insta::assert_snapshot!(lines(&config.diagnostics, &sources), @r"
    runner-cm.yaml:13:19: setting-ignored: GitLab Runner ignores `METRICS_SERVER` since 12.0 (help: the name is `LISTEN_ADDRESS` now; podline serves no metrics and needs no port)
    runner-cm.yaml:32:45: setting-ignored: GitLab Runner ignores `KUBERNETES_TERMINATIONGRACEPERIODSECONDS` since 17.0 (help: the name is `KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS` now; podline still obeys the old one)
    ");
}

#[test]
fn old_manifests_are_brought_up_to_date() {
    let (config, sources) = fixture("runner-legacy");
    insta::assert_snapshot!(config.changes.join("\n"), @r"
    ConfigMap `old-runner-scripts` calls `gitlab-ci-multi-runner`, gone since GitLab Runner 10.0: `gitlab-runner` is meant
    Secret `old-runner-token` has a newline at the end of `GITLAB_CI_TOKEN`: cut off
    StatefulSet `old-runner` has API version `apps/v1beta1`, which Kubernetes no longer serves: `apps/v1` taken
    StatefulSet `old-runner` has no `selector`, which `apps/v1` demands: the labels of its template taken
    Role `old-runner` has API version `rbac.authorization.k8s.io/v1beta1`, which Kubernetes no longer serves: `rbac.authorization.k8s.io/v1` taken
    RoleBinding `old-runner` has API version `rbac.authorization.k8s.io/v1beta1`, which Kubernetes no longer serves: `rbac.authorization.k8s.io/v1` taken
    ");
    insta::assert_snapshot!(lines(&config.diagnostics, &sources), @r#"
    runner.yaml:10:19: setting-ignored: GitLab Runner ignores `METRICS_SERVER` since 12.0 (help: the name is `LISTEN_ADDRESS` now; podline serves no metrics and needs no port)
    runner.yaml:15:45: setting-ignored: GitLab Runner ignores `KUBERNETES_TERMINATIONGRACEPERIODSECONDS` since 17.0 (help: the name is `KUBERNETES_POD_TERMINATION_GRACE_PERIOD_SECONDS` now; podline still obeys the old one)
    "#);
    insta::assert_snapshot!(config.settings.differences_from_default().join("\n"), @r"
    runners: old-runner-0, not gitlab-ci-runner-0, gitlab-ci-runner-1
    jobs that a runner runs at once: 3, not 4
    namespace: gitlab, not kube-ops
    pull policy: none, not if-not-present
    build cpu limit: 2, not 1
    build memory limit: 2Gi, not 1Gi
    helper cpu limit: none, not 500m
    helper memory limit: none, not 100Mi
    service cpu limit: none, not 1
    service memory limit: none, not 1Gi
    poll interval: 3 s, not 5 s
    poll timeout: 180 s, not 360 s
    termination grace: 15 s, not 10 s
    ");
    let secret = config.manifests.of_kind("Secret").next().expect("the token");
    assert_eq!(secret.text("/data/GITLAB_CI_TOKEN"), Some("bWFkZS11cC10b2tlbg=="));
}

#[test]
fn a_wrong_value_is_shown_at_its_place() {
    let (config, sources) = with_data(
        "KUBERNETES_CPU_LIMIT: 1cpu\n\
         KUBERNETES_MEMORY_LIMIT: \"-1Gi\"\n\
         KUBERNETES_HELPER_MEMORY_LIMIT: 100MB\n\
         KUBERNETES_PRIVILEGED: \"yes\"\n\
         KUBERNETES_PULL_POLICY: IfNotPresent\n\
         KUBERNETES_POLL_TIMEOUT: 6m\n\
         KUBERNETES_NAMESPACE: Kube_Ops\n\
         KUBERNETES_SERVICE_CPU_LIMIT: 1\n\
         KUBERNETES_SERVICE_CPU_REQUEST: \"2\"\n\
         KUBERNETES_MEMORY_LIMITS: 1Gi\n\
         KUBERNETES_DNS_POLICY: default\n\
         KUBERNETES_HOST: https://kube.example.com\n\
         REGISTRATION_TOKEN: secret\n\
         RUNNER_EXECUTOR: docker\n\
         RUNNER_HOME: /home",
    );
    insta::assert_snapshot!(lines(&config.diagnostics, &sources), @r#"
    runner.yaml:4:25: not-a-quantity: `1cpu` of `KUBERNETES_CPU_LIMIT` is not a Kubernetes quantity (help: CPU is written like `2`, `0.5` or `500m`)
    runner.yaml:5:28: not-a-quantity: `-1Gi` of `KUBERNETES_MEMORY_LIMIT` is not a Kubernetes quantity (help: bytes are written like `512Mi`, `1Gi` or `1G`)
    runner.yaml:6:35: not-a-quantity: `100MB` of `KUBERNETES_HELPER_MEMORY_LIMIT` is not a Kubernetes quantity (help: bytes are written like `512Mi`, `1Gi` or `1G`)
    runner.yaml:7:26: setting-invalid: `yes` of `KUBERNETES_PRIVILEGED` is neither true nor false (help: write `true` or `false`)
    runner.yaml:8:27: setting-invalid: `IfNotPresent` of `KUBERNETES_PULL_POLICY` is not a pull policy of GitLab Runner (help: did you mean `if-not-present`?)
    runner.yaml:9:28: setting-invalid: `6m` of `KUBERNETES_POLL_TIMEOUT` is not a number of seconds (help: write a whole number without a unit)
    runner.yaml:10:25: not-a-namespace: `Kube_Ops` cannot be the name of a namespace (help: a namespace has lower-case letters, digits and `-`, at most 63)
    runner.yaml:11:33: manifest-not-a-string: `KUBERNETES_SERVICE_CPU_LIMIT` is not a string, and Kubernetes takes nothing else in a ConfigMap (help: put it in quotes: `KUBERNETES_SERVICE_CPU_LIMIT: "1"`)
    runner.yaml:12:35: request-above-limit: `KUBERNETES_SERVICE_CPU_REQUEST` is above `KUBERNETES_SERVICE_CPU_LIMIT`: Kubernetes refuses such a pod (help: raise the limit or lower the request)
    runner.yaml:13:29: setting-unknown: GitLab Runner knows no `KUBERNETES_MEMORY_LIMITS` (help: did you mean `KUBERNETES_MEMORY_LIMIT`?)
    runner.yaml:14:26: setting-not-simulated: podline does not act on `KUBERNETES_DNS_POLICY`
    runner.yaml:16:23: setting-deprecated: `REGISTRATION_TOKEN` is deprecated since GitLab 15.6 (help: create the runner in GitLab and set `CI_SERVER_TOKEN` to its `glrt-` token)
    runner.yaml:17:20: setting-not-simulated: podline runs jobs as the `kubernetes` executor does, not as `docker` does
    "#);
}

#[test]
fn a_limit_of_the_runner_bounds_its_jobs() {
    let (config, _) = with_data("RUNNER_LIMIT: \"2\"\nrun.sh: sed 's/concurrent.*/concurrent = 10/'");
    assert_eq!(config.settings.concurrent, 2);
    let (config, _) = with_data("RUNNER_LIMIT: \"0\"\nrun.sh: sed 's/concurrent.*/concurrent = 10/'");
    assert_eq!(config.settings.concurrent, 10);
}

#[test]
fn one_job_at_a_time_runs_where_nothing_sets_concurrent() {
    let (config, _) = with_data("RUNNER_REQUEST_CONCURRENCY: \"4\"");
    assert_eq!(config.settings.concurrent, 1);
}

#[test]
fn an_environment_is_put_together_as_kubernetes_does() {
    let (config, sources) = text(
        "kind: ConfigMap\nmetadata: {name: a}\ndata: {KUBERNETES_CPU_LIMIT: '1', KUBERNETES_MEMORY_LIMIT: 1Gi}\n---\n\
         kind: Secret\nmetadata: {name: s}\nstringData: {image: 'alpine:3'}\n---\n\
         kind: StatefulSet\napiVersion: apps/v1\nmetadata: {name: r, namespace: ci}\nspec:\n  replicas: 3\n  \
         serviceName: r\n  selector: {}\n  template:\n    spec:\n      containers:\n      - name: r\n        image: gitlab/gitlab-runner\n        \
         envFrom: [{configMapRef: {name: a}}, {configMapRef: {name: gone}}, {configMapRef: {name: maybe, optional: true}}]\n        \
         env:\n        - {name: KUBERNETES_CPU_LIMIT, value: '2'}\n        \
         - {name: KUBERNETES_IMAGE, valueFrom: {secretKeyRef: {name: s, key: image}}}\n",
    );
    let settings = &config.settings;
    assert_eq!(settings.build.cpu_limit, Some(Quantity("2".into())));
    assert_eq!(settings.build.memory_limit, Some(Quantity("1Gi".into())));
    assert_eq!(settings.image.as_deref(), Some("alpine:3"));
    assert_eq!(settings.runners, ["r-0", "r-1", "r-2"]);
    assert_eq!(settings.namespace, "ci");
    insta::assert_snapshot!(lines(&config.diagnostics, &sources), @r"runner.yaml:21:46: manifest-missing: the manifests have no ConfigMap `gone`, so its settings are not known (help: put its manifest beside the others)");
}

#[test]
fn the_namespace_has_all_that_the_runner_uses() {
    let name = |object: &serde_json::Value| {
        let text = |pointer| object.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or("-");
        format!("{} {}/{}", text("/kind"), text("/metadata/namespace"), text("/metadata/name"))
    };
    let list = |objects: Vec<serde_json::Value>| objects.iter().map(name).collect::<Vec<_>>().join("\n");
    let (config, _) = fixture("runner");
    let from_manifests = list(namespace::objects(&config.settings, Some(&config.manifests)));
    insta::assert_snapshot!(from_manifests, @r"
    Namespace -/kube-ops
    ServiceAccount kube-ops/gitlab-ci
    Role kube-ops/gitlab-ci
    RoleBinding kube-ops/gitlab-ci
    ConfigMap kube-ops/gitlab-ci-runner-cm
    ConfigMap kube-ops/gitlab-ci-runner-scripts
    Secret kube-ops/gitlab-ci-token
    ");
    insta::assert_snapshot!(list(namespace::objects(&Settings::default(), None)), @r"
    Namespace -/kube-ops
    ServiceAccount kube-ops/gitlab-ci
    Role kube-ops/gitlab-ci
    RoleBinding kube-ops/gitlab-ci
    ConfigMap kube-ops/gitlab-ci-runner-cm
    Secret kube-ops/gitlab-ci-token
    ");
}

#[test]
fn the_built_in_role_is_that_of_the_fixture() {
    let (config, _) = fixture("runner");
    let role = config.manifests.of_kind("Role").next().expect("the role");
    let built_in = namespace::objects(&Settings::default(), None);
    let built_in = built_in.iter().find(|object| object["kind"] == "Role").expect("the role");
    assert_eq!(role.value["rules"], built_in["rules"]);
}

#[test]
fn a_folder_without_manifests_is_an_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let error = load(folder.path(), &mut Sources::default()).expect_err("nothing to read");
    assert!(matches!(error, LoadError::Empty(_)));
}

#[test]
fn of_a_configuration_file_only_concurrent_is_read() {
    let (config, sources) = with_data("config.toml: 'concurrent = 6'");
    assert_eq!(config.settings.concurrent, 6);
    insta::assert_snapshot!(lines(&config.diagnostics, &sources), @r"runner.yaml:4:16: setting-not-simulated: of `config.toml` podline reads only `concurrent` (help: give the other settings as variables of the runner's container, such as `KUBERNETES_CPU_LIMIT`)");
}

#[test]
fn a_number_of_replicas_is_bounded() {
    let replicas = |count: &str| {
        let (config, _) =
            text(&format!("kind: StatefulSet\nmetadata: {{name: r}}\nspec: {{replicas: {count}}}"));
        config.settings.runners.len()
    };
    assert_eq!(
        [replicas("0"), replicas("-1"), replicas("3"), replicas("18446744073709551615")],
        [1, 1, 3, 1000]
    );
}

proptest! {
    #[test]
    fn any_text_is_read_without_panic(
        lines in proptest::collection::vec("( {0,4}(- )?(kind|data|spec|metadata|a): ?(ConfigMap|Secret|List|[&*]x|\\{|\\[|1|\"|ü)?|---|items:)", 0..12)
    ) {
        let _ = text(&lines.join("\n"));
    }
}
