//! `--runner-config`: manifests, old manifests, a `config.toml`; what they say holds in plan, pod and run.

use crate::{
    kind::run,
    support::{Project, cluster},
};

/// A project with one job, and the settings of a runner beside it.
fn with_config(job: &str, config: &str) -> Project {
    let project = Project::with(job);
    project.write("config.toml", config);
    project
}

/// Copies the manifests of a fixture into a project, in a namespace of their own: other tests run in `kube-ops`
/// of the same cluster, with its Role.
fn copy_of(fixture: &str, project: &Project, change: impl Fn(String) -> String) {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(fixture);
    for entry in std::fs::read_dir(&folder).expect("a fixture") {
        let entry = entry.expect("a manifest");
        let text = std::fs::read_to_string(entry.path()).expect("a manifest");
        let name = entry.file_name();
        project.write(
            &format!("{fixture}/{}", name.to_string_lossy()),
            &change(text.replace("kube-ops", "runner-ops")),
        );
    }
}

const JOB: &str = "build: { image: 'busybox:1.36', script: ['true'] }\n";

#[test]
fn a_plan_says_where_manifests_differ_and_what_they_get_wrong() {
    let project = Project::fixture("hello");
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
    for folder in ["runner", "runner-legacy"] {
        let config = fixtures.join(folder);
        let seen = project.podline(&["plan", "--runner-config", &config.to_string_lossy()]).run().expect(0);
        assert!(seen.stderr.contains("GitLab Runner ignores `METRICS_SERVER`"), "{folder}: {seen}");
    }
    project.write(
        "bad.yml",
        "kind: ConfigMap\nmetadata: { name: cm }\ndata: { KUBERNETES_CPU_LIMIT: \"1cpu\" }\n",
    );
    let seen = project.podline(&["plan", "--runner-config", "bad.yml"]).run().expect(2);
    assert!(seen.stderr.contains("`1cpu` of `KUBERNETES_CPU_LIMIT` is not a Kubernetes quantity"), "{seen}");
    assert!(seen.stderr.contains("bad.yml:3:"), "{seen}");
}

#[test]
fn a_plan_has_the_limits_of_a_config_toml_and_of_each_job_s_variables() {
    let jobs = "default: { image: 'busybox:1.36' }\n\
        small: { script: ['true'] }\n\
        large: { script: ['true'], variables: { KUBERNETES_CPU_LIMIT: '2', KUBERNETES_MEMORY_LIMIT: 2Gi } }\n\
        greedy: { script: ['true'], variables: { KUBERNETES_CPU_LIMIT: '8' } }\n";
    let project = with_config(
        jobs,
        "[[runners]]\nname = 'laptop'\nexecutor = 'kubernetes'\n[runners.kubernetes]\ncpu_limit = '1'\n\
         memory_limit = '1Gi'\ncpu_limit_overwrite_max_allowed = '3'\nmemory_limit_overwrite_max_allowed = '4Gi'\n",
    );
    let seen = project.podline(&["plan", "--runner-config", "config.toml"]).run().expect(0);
    for text in [
        "1 CPU, 1Gi",
        "2 CPU, 2Gi",
        "the resource \"CPULimit\" requested \"8\" is higher than limit allowed \"3\"",
    ] {
        let unwrapped = seen.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(unwrapped.contains(text), "`{text}` in {seen}");
    }
    let pod = project.podline(&["pod", "large", "--runner-config", "config.toml"]).run().expect(0);
    assert!(pod.stdout.contains("memory: 2Gi"), "{pod}");
}

#[test]
fn a_plan_leaves_jobs_out_that_no_runner_takes() {
    let jobs = "default: { image: 'busybox:1.36' }\n\
        linux: { script: ['true'], tags: [linux] }\n\
        gpu: { script: ['true'], tags: [linux, gpu] }\n\
        after: { script: ['true'], tags: [linux], needs: [gpu] }\n";
    let project = Project::with(jobs);
    let every = project.podline(&["plan", "--format", "json"]).run().expect(0);
    assert!(every.stdout.contains("\"left_out\":[]") || every.stdout.contains("\"left_out\": []"), "{every}");
    let seen =
        project.podline(&["plan", "--runner-tags", "linux,docker", "--format", "json"]).run().expect(0);
    let plan: serde_json::Value = serde_json::from_str(&seen.stdout).expect("JSON");
    assert_eq!(
        plan["left_out"],
        serde_json::json!([
            {"name": "gpu", "reason": "no runner has the tag `gpu`"},
            {"name": "after", "reason": "it needs `gpu`, which is left out"},
        ])
    );
}

#[test]
fn a_run_is_that_of_the_manifests_with_the_rights_of_their_role() {
    if !cluster::is_up() {
        return;
    }
    for folder in ["runner", "runner-legacy"] {
        let project = Project::with(JOB);
        copy_of(folder, &project, |text| text);
        let Some(run) = run(&project, &["--runner-config", folder]) else { return };
        run.code(0);
        assert_eq!(run.statuses()["build"], "success", "{folder}");
    }

    let project = Project::with(JOB);
    let all = "\"create\", \"delete\", \"get\", \"list\", \"watch\"";
    let without_create = "\"delete\", \"get\", \"list\", \"watch\"";
    copy_of("runner", &project, |text| text.replacen(all, without_create, 1));
    assert!(
        project.read("runner/runner-rbac.yaml").contains(&format!("[{without_create}]")),
        "a weaker Role"
    );
    let Some(run) = run(&project, &["--runner-config", "runner"]) else { return };
    run.code(1);
    let failure = &run.finished("build")["failure"];
    assert_eq!(failure["reason"], "runner_configuration_error");
    let help = failure["help"].as_str().expect("help");
    assert!(help.contains("create") && help.contains("pods"), "{help}");
}

#[test]
fn a_run_says_what_variables_overwrite_and_refuses_what_they_may_not() {
    let jobs = "default: { image: 'busybox:1.36' }\n\
        large:\n  variables: { KUBERNETES_MEMORY_LIMIT: 300Mi, KUBERNETES_HELPER_CPU_LIMIT: '2' }\n\
        \x20 script: ['cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || true']\n\
        greedy: { script: ['true'], variables: { KUBERNETES_CPU_LIMIT: '4' } }\n";
    let project = with_config(
        jobs,
        "[[runners]]\nname = 'laptop'\nexecutor = 'kubernetes'\nenvironment = ['GREETING=hello']\n\
         pre_build_script = 'echo before $GREETING'\npost_build_script = 'echo after'\n[runners.kubernetes]\n\
         cpu_limit_overwrite_max_allowed = '3'\nmemory_limit_overwrite_max_allowed = '1Gi'\n",
    );
    let Some(run) = run(&project, &["--runner-config", "config.toml"]) else { return };
    run.code(1);
    for text in ["before hello", "314572800", "after"] {
        assert!(run.output("large").contains(&text), "`{text}` in {:?}", run.output("large"));
    }
    let trace = project.podline(&["log", "large"]).run().expect(0).stdout;
    assert!(trace.contains("\"MemoryLimit\" overwritten with \"300Mi\""), "{trace}");
    assert!(trace.contains("the runner ignores `KUBERNETES_HELPER_CPU_LIMIT`"), "{trace}");
    assert_eq!(
        run.finished("greedy")["failure"]["message"],
        "couldn't prepare overwrites: invalid build limits specified: the resource \"CPULimit\" requested \"4\" is \
         higher than limit allowed \"3\""
    );
}
