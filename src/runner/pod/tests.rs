use std::{collections::HashMap, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::{
    config::keyword::job::PullPolicy,
    pipeline::JobId,
    runner::build::{BuildImage, BuildService, BuildVariable, Look},
};

fn image(name: &str) -> BuildImage {
    BuildImage {
        name: name.into(),
        requested: name.into(),
        pull_policy: vec![PullPolicy::Always, PullPolicy::IfNotPresent],
        user: None,
    }
}

fn variable(key: &str, value: &str) -> BuildVariable {
    BuildVariable { key: key.into(), value: value.into(), masked: false, file: false }
}

fn service(name: &str, aliases: &[&str]) -> BuildService {
    let mut all = services::image_aliases(name);
    all.extend(aliases.iter().map(|alias| (*alias).to_owned()));
    BuildService { image: image(name), aliases: all, entrypoint: None, command: None, variables: Vec::new() }
}

/// The job of `runner-golden/pod-with-services.json`, as far as the pod shows it.
fn build() -> Build {
    let facts = [
        ("CI_PROJECT_NAME", "project"),
        ("CI_PROJECT_NAMESPACE", "group"),
        ("CI_PROJECT_NAMESPACE_ID", "5"),
        ("CI_PROJECT_ROOT_NAMESPACE", "group"),
        ("CI_COMMIT_SHA", "52ba7dd0309a9187187c8f2f9c991059ac7de7d6"),
        ("CI_COMMIT_BEFORE_SHA", "0000000000000000000000000000000000000000"),
        ("CI_COMMIT_REF_NAME", "main"),
        ("CI_JOB_URL", "http://127.0.0.1:1/group/project/-/jobs/201"),
        ("PRICE", "5$ $(HOME)"),
    ];
    let mut variables: Vec<_> = facts.map(|(key, value)| variable(key, value)).into();
    variables.push(BuildVariable { masked: true, ..variable("CI_JOB_TOKEN", "secret") });
    variables.push(BuildVariable { file: true, ..variable("MYFILE", "content") });
    let redis = BuildService {
        entrypoint: Some(vec!["redis-server".into()]),
        command: Some(vec!["--save".into(), String::new()]),
        ..service("registry.example.com/team/redis:7", &[])
    };
    let postgres = BuildService {
        variables: vec![variable("POSTGRES_PASSWORD", "x")],
        ..service("postgres:16", &["db", "postgres-db"])
    };
    Build {
        job: JobId(0),
        id: 201,
        project_id: 42,
        name: "build".into(),
        stage: "test".into(),
        image: BuildImage { user: Some((1000, Some(100))), ..image("alpine:3.20") },
        services: vec![redis, postgres],
        variables,
        script: vec!["make".into()],
        after_script: Vec::new(),
        pre_get_sources_script: Vec::new(),
        project_dir: "/builds/group/project".into(),
        artifacts: None,
        caches: Vec::new(),
        artifacts_from: Vec::new(),
        artifacts_from_pipelines: Vec::new(),
        timeout: Duration::from_secs(3600),
        coverage: None,
        output_limit: 4096 * 1024,
        look: Look::Never,
    }
}

fn slot() -> Slot {
    Slot { runner: "gitlab-ci-runner-0".into(), index: 0 }
}

fn parts(slot: &Slot) -> PodParts<'_> {
    PodParts {
        run: "abcdefghij",
        slot,
        suffix: "hz828rdf",
        build_command: vec!["sh".into(), "-c".into(), "supervisor".into()],
        helper_command: vec!["sh".into(), "-c".into(), "idle".into()],
        failed_pulls: HashMap::new(),
    }
}

fn made(build: &Build, settings: &Settings) -> Pod {
    let overwrites = Overwrites::of(build, settings).expect("the runner allows it");
    pod(build, settings, &overwrites, &parts(&slot())).expect("a pod")
}

#[test]
fn a_job_with_services_is_one_pod() {
    let pod = made(&build(), &Settings::default());
    insta::assert_snapshot!(serde_yaml::to_string(&pod).expect("a Pod is YAML"), @r"
    apiVersion: v1
    kind: Pod
    metadata:
      annotations:
        job.runner.gitlab.com/before_sha: '0000000000000000000000000000000000000000'
        job.runner.gitlab.com/id: '201'
        job.runner.gitlab.com/name: build
        job.runner.gitlab.com/ref: main
        job.runner.gitlab.com/sha: 52ba7dd0309a9187187c8f2f9c991059ac7de7d6
        job.runner.gitlab.com/timeout: 1h0m0s
        job.runner.gitlab.com/url: http://127.0.0.1:1/group/project/-/jobs/201
        project.runner.gitlab.com/id: '42'
      labels:
        job.runner.gitlab.com/pod: runner-abcdefghi-project-42-concurrent-0
        manager.runner.gitlab.com/id-short: abcdefghi
        manager.runner.gitlab.com/name: gitlab-ci-runner-0
        pod: runner-abcdefghi-project-42-concurrent-0
        podline.dev/run: abcdefghij
        project.runner.gitlab.com/id: '42'
        project.runner.gitlab.com/name: project
        project.runner.gitlab.com/namespace: group
        project.runner.gitlab.com/namespace-id: '5'
        project.runner.gitlab.com/root-namespace: group
        project.runner.gitlab.com/root-namespace-id: '5'
      name: runner-abcdefghi-project-42-concurrent-0-hz828rdf
      namespace: kube-ops
    spec:
      activeDeadlineSeconds: 3601
      automountServiceAccountToken: false
      containers:
      - command:
        - sh
        - -c
        - supervisor
        env:
        - name: CI_PROJECT_NAME
          value: project
        - name: CI_PROJECT_NAMESPACE
          value: group
        - name: CI_PROJECT_NAMESPACE_ID
          value: '5'
        - name: CI_PROJECT_ROOT_NAMESPACE
          value: group
        - name: CI_COMMIT_SHA
          value: 52ba7dd0309a9187187c8f2f9c991059ac7de7d6
        - name: CI_COMMIT_BEFORE_SHA
          value: '0000000000000000000000000000000000000000'
        - name: CI_COMMIT_REF_NAME
          value: main
        - name: CI_JOB_URL
          value: http://127.0.0.1:1/group/project/-/jobs/201
        - name: PRICE
          value: 5$$ $$(HOME)
        - name: MYFILE
          value: /builds/group/project.tmp/MYFILE
        image: alpine:3.20
        imagePullPolicy: Always
        name: build
        resources:
          limits:
            cpu: '1'
            memory: 1Gi
          requests:
            cpu: 50m
            memory: 32Mi
        securityContext:
          capabilities:
            drop:
            - NET_RAW
          runAsGroup: 100
          runAsUser: 1000
        volumeMounts:
        - mountPath: /scripts-42-201
          name: scripts
        - mountPath: /logs-42-201
          name: logs
        - mountPath: /builds
          name: repo
      - command:
        - sh
        - -c
        - idle
        image: busybox:1.36
        imagePullPolicy: IfNotPresent
        name: helper
        resources:
          limits:
            cpu: 500m
            memory: 100Mi
          requests:
            cpu: 50m
            memory: 32Mi
        securityContext:
          capabilities:
            drop:
            - NET_RAW
        volumeMounts:
        - mountPath: /scripts-42-201
          name: scripts
        - mountPath: /logs-42-201
          name: logs
        - mountPath: /builds
          name: repo
      - env:
        - name: POSTGRES_PASSWORD
          value: x
        image: postgres:16
        imagePullPolicy: Always
        name: db
        resources:
          limits:
            cpu: '1'
            memory: 1Gi
          requests:
            cpu: 50m
            memory: 32Mi
        securityContext:
          capabilities:
            drop:
            - NET_RAW
        stdin: true
        volumeMounts:
        - mountPath: /scripts-42-201
          name: scripts
        - mountPath: /logs-42-201
          name: logs
        - mountPath: /builds
          name: repo
      - args:
        - --save
        - ''
        command:
        - redis-server
        env: []
        image: registry.example.com/team/redis:7
        imagePullPolicy: Always
        name: svc-0
        resources:
          limits:
            cpu: '1'
            memory: 1Gi
          requests:
            cpu: 50m
            memory: 32Mi
        securityContext:
          capabilities:
            drop:
            - NET_RAW
        stdin: true
        volumeMounts:
        - mountPath: /scripts-42-201
          name: scripts
        - mountPath: /logs-42-201
          name: logs
        - mountPath: /builds
          name: repo
      dnsPolicy: ClusterFirst
      hostAliases:
      - hostnames:
        - postgres
        - db
        - postgres-db
        - registry.example.com-team-redis
        ip: 127.0.0.1
      restartPolicy: Never
      terminationGracePeriodSeconds: 10
      volumes:
      - emptyDir: {}
        name: repo
      - emptyDir: {}
        name: scripts
      - emptyDir: {}
        name: logs
    ");
}

#[test]
fn names_and_labels_are_those_of_gitlab_runner() {
    let pod = made(&build(), &Settings::default());
    assert_eq!(pod.metadata.name.as_deref(), Some("runner-abcdefghi-project-42-concurrent-0-hz828rdf"));
    let labels = pod.metadata.labels.expect("labels");
    // The labels of the golden pod.
    let expected = [
        ("job.runner.gitlab.com/pod", "runner-abcdefghi-project-42-concurrent-0"),
        ("manager.runner.gitlab.com/id-short", "abcdefghi"),
        ("manager.runner.gitlab.com/name", "gitlab-ci-runner-0"),
        ("pod", "runner-abcdefghi-project-42-concurrent-0"),
        ("project.runner.gitlab.com/id", "42"),
        ("project.runner.gitlab.com/name", "project"),
        ("project.runner.gitlab.com/namespace", "group"),
        ("project.runner.gitlab.com/namespace-id", "5"),
        ("project.runner.gitlab.com/root-namespace", "group"),
        ("project.runner.gitlab.com/root-namespace-id", "5"),
        (labels::RUN, "abcdefghij"),
    ];
    let found: HashMap<&str, &str> =
        labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(found, HashMap::from(expected));
}

#[test]
fn privileged_pods_are_made_only_where_the_settings_say_so() {
    let privileged = |settings: &Settings| {
        let spec = made(&build(), settings).spec.expect("a spec");
        let of = |container: &k8s_openapi::api::core::v1::Container| {
            container.security_context.clone()?.privileged
        };
        spec.containers.iter().map(of).collect::<Vec<_>>()
    };
    assert_eq!(privileged(&Settings::default()), [None; 4]);
    let settings = Settings { privileged: Some(true), ..Settings::default() };
    assert_eq!(privileged(&settings), [Some(true); 4]);
}

#[test]
fn a_failed_pull_is_tried_with_the_next_policy() {
    let policy = |failed: usize| {
        let slot = slot();
        let parts = PodParts { failed_pulls: HashMap::from([("build".to_owned(), failed)]), ..parts(&slot) };
        let overwrites = Overwrites::of(&build(), &Settings::default()).expect("nothing is overwritten");
        let pod = pod(&build(), &Settings::default(), &overwrites, &parts).expect("a pod");
        pod.spec.expect("a spec").containers[0].image_pull_policy.clone()
    };
    assert_eq!(policy(0).as_deref(), Some("Always"));
    assert_eq!(policy(1).as_deref(), Some("IfNotPresent"));
    assert_eq!(policy(5).as_deref(), Some("IfNotPresent"));
}

#[test]
fn an_alias_that_is_no_host_name_fails_the_job() {
    let build = Build { services: vec![service("postgres", &["my_db"])], ..build() };
    let overwrites = Overwrites::of(&build, &Settings::default()).expect("nothing is overwritten");
    let failure = pod(&build, &Settings::default(), &overwrites, &parts(&slot())).expect_err("no host name");
    assert_eq!(failure.message, "alias `my_db` of service `postgres` is no host name");
}

#[test]
fn containers_of_services_are_named_after_a_free_alias() {
    let names = |services: &[(&str, &[&str])]| {
        let services = services.iter().map(|(name, aliases)| service(name, aliases)).collect();
        let build = Build { services, ..build() };
        services::named(&build).iter().map(services::Named::name).collect::<Vec<_>>()
    };
    assert_eq!(names(&[("postgres", &["db"]), ("redis", &[])]), ["db", "svc-0"]);
    assert_eq!(names(&[("postgres", &["db"]), ("redis", &["db", "cache"])]), ["cache", "db"]);
    assert_eq!(names(&[("postgres", &["build"]), ("redis", &["a.b"])]), ["svc-0", "svc-1"]);
}

#[test]
fn a_pod_s_own_service_account_keeps_its_token() {
    let spec = |account: Option<&str>| {
        let settings = Settings { pod_service_account: account.map(str::to_owned), ..Settings::default() };
        made(&build(), &settings).spec.expect("a spec")
    };
    assert_eq!(spec(None).automount_service_account_token, Some(false));
    assert_eq!(spec(Some("deployer")).automount_service_account_token, None);
    assert_eq!(spec(Some("deployer")).service_account_name.as_deref(), Some("deployer"));
}

#[test]
fn a_pod_goes_where_settings_and_variables_send_it() {
    let mut settings = Settings::default();
    settings.allowed.node_tolerations = Some(".*".to_owned());
    settings.node_selector = [("disk".to_owned(), "ssd".to_owned())].into();
    settings.image_pull_secrets = vec!["registry-login".to_owned()];
    let mut build = build();
    build.variables.push(variable("KUBERNETES_NODE_TOLERATIONS_1", "dedicated=ci:NoSchedule"));
    build.variables.push(variable("KUBERNETES_NODE_TOLERATIONS_2", "spot"));
    let spec = made(&build, &settings).spec.expect("a spec");
    assert_eq!(spec.node_selector, Some(settings.node_selector));
    let text = serde_json::to_string(&(spec.tolerations, spec.image_pull_secrets)).expect("JSON");
    assert_eq!(
        text,
        r#"[[{"effect":"NoSchedule","key":"dedicated","operator":"Equal","value":"ci"},{"key":"spot","operator":"Exists"}],[{"name":"registry-login"}]]"#
    );
}

#[test]
fn every_attempt_has_a_name_of_its_own() {
    let suffix = |job, attempt| names::suffix("run", job, attempt);
    assert_ne!(suffix(1, 1), suffix(1, 2));
    assert_ne!(suffix(1, 1), suffix(2, 1));
    assert_eq!(suffix(1, 1), suffix(1, 1));
}

proptest! {
    #[test]
    fn a_name_is_always_a_label(run in ".{0,60}", project in any::<u64>(), index in any::<usize>(), job in any::<u64>()) {
        let slot = Slot { runner: "r".into(), index };
        let build = Build { project_id: project, ..build() };
        let name = names::full(&names::base(&run, &build, &slot), &names::suffix(&run, job, 1));
        prop_assert!(names::is_label(&name), "{name}");
    }
}
