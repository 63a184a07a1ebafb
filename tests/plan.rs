//! `podline plan`, `config` and `pod`: what would run, and as what.

use crate::support::{Project, Seen};

/// How many pods a node fits depends on the machine.
fn on_any_machine(seen: &Seen) -> String {
    let text = seen.to_string();
    let Some((before, rest)) = text.split_once("(the node would fit ") else { return text };
    let after = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{before}(the node would fit N{after}")
}

#[test]
fn the_plan_of_a_project_with_three_stages() {
    insta::assert_snapshot!(on_any_machine(&Project::fixture("hello").podline(&["plan"]).run().expect(0)));
}

#[test]
fn held_jobs_are_named_with_what_they_would_do() {
    insta::assert_snapshot!(on_any_machine(&Project::fixture("held").podline(&["plan"]).run().expect(0)));
}

#[test]
fn the_plan_for_programs_has_the_documented_shape() {
    let seen = Project::fixture("hello").podline(&["plan", "--format", "json"]).run().expect(0);
    insta::assert_snapshot!(seen.stdout);
}

#[test]
fn left_out_jobs_say_why() {
    let project = Project::with(
        "image: busybox:1.36
on-tags: { script: make, only: [tags] }
never: { script: make, rules: [{ if: $CI_COMMIT_TAG }] }
always: { script: make }
",
    );
    insta::assert_snapshot!(on_any_machine(&project.podline(&["plan"]).run().expect(0)));
}

#[test]
fn pods_differ_where_the_variables_do_that_they_come_from() {
    let project = Project::with(
        "variables: { NAME: busybox, VERSION: \"$TAG\", TAG: \"1.36\" }
default: { image: \"$NAME:$VERSION\" }
one: { script: make }
same: { script: make, variables: { OTHER: x } }
deep: { script: make, variables: { TAG: \"1.37\" } }
own: { script: make, image: \"$NAME:$CI_JOB_NAME\" }
mine: { script: make, image: \"$NAME:$CI_JOB_NAME\" }
unique: { script: make, image: \"$NAME:$CI_JOB_ID\" }
large: { script: make, variables: { KUBERNETES_MEMORY_LIMIT: 2Gi } }
",
    );
    project.write("manifests/runner.yaml", RUNNER);
    let seen = project.podline(&["plan", "--runner-config", "manifests"]).run().expect(0);
    insta::assert_snapshot!(on_any_machine(&seen));
}

/// A runner that lets jobs ask for memory.
const RUNNER: &str = "apiVersion: v1
kind: ConfigMap
metadata: { name: runner, namespace: ci }
data:
  KUBERNETES_MEMORY_LIMIT: 1Gi
  KUBERNETES_MEMORY_LIMIT_OVERWRITE_MAX_ALLOWED: 4Gi
";

#[test]
fn paths_of_exists_hold_variables_that_hold_others() {
    let project = Project::with(
        "image: busybox:1.36
variables: { FOLDER: $TOP/src, TOP: lib }
there: { script: make, rules: [{ exists: [$FOLDER/a.c] }] }
",
    );
    project.write("lib/src/a.c", "");
    let seen = project.podline(&["plan", "--format", "json"]).run().expect(0);
    assert!(seen.stdout.contains("\"there\""), "{seen}");
}

#[test]
fn a_ref_to_compare_with_that_is_not_there_is_a_warning() {
    let project = Project::with(
        "image: busybox:1.36
build: { script: make, rules: [{ changes: { paths: [a.c], compare_to: nope } }] }
",
    );
    insta::assert_snapshot!(project.podline(&["lint"]).run().expect(0));
}

#[test]
fn a_job_without_an_image_is_told_where_to_name_one() {
    let project = Project::with("build: { script: make }\n");
    insta::assert_snapshot!(project.podline(&["pod", "build"]).run().expect(2));
}

#[test]
fn the_effective_configuration_plans_to_the_same_pipeline() {
    let project = Project::fixture("artifacts");
    let plan = |project: &Project| project.podline(&["plan", "--format", "json"]).run().expect(0).stdout;
    let before = plan(&project);
    let effective = project.podline(&["config"]).run().expect(0).stdout;
    project.write(".gitlab-ci.yml", &effective);
    let again = project.podline(&["config"]).run().expect(0).stdout;
    assert_eq!(effective, again, "`podline config` is a fixed point");
    assert_eq!(before, plan(&project));
}

#[test]
fn every_container_of_a_pod_has_the_limits_of_the_runner() {
    let seen = Project::fixture("hello").podline(&["pod", "build:words"]).run().expect(0);
    let pod: serde_json::Value = serde_yaml::from_str(&seen.stdout).expect("stdout is YAML");
    let limits: Vec<_> = pod["spec"]["containers"]
        .as_array()
        .expect("a pod has containers")
        .iter()
        .map(|container| (container["name"].as_str(), &container["resources"]["limits"]))
        .map(|(name, limits)| format!("{} {limits}", name.unwrap_or_default()))
        .collect();
    assert_eq!(limits, [r#"build {"cpu":"1","memory":"1Gi"}"#, r#"helper {"cpu":"500m","memory":"100Mi"}"#]);
}

/// A project whose rules ask for the title, the labels and the target of a merge request.
fn reviewed() -> Project {
    let project = Project::with(
        "default: { image: a }\n\
         labelled: { script: x, rules: [{ if: '$CI_MERGE_REQUEST_LABELS =~ /(^|,)docs(,|$)/' }] }\n\
         backport: { script: x, rules: [{ if: '$CI_MERGE_REQUEST_TARGET_BRANCH_NAME == \"stable\"' }] }\n\
         ready: { script: x, rules: [{ if: '$CI_MERGE_REQUEST_TITLE =~ /^Draft:/', when: never }, { if: '$CI_MERGE_REQUEST_APPROVED' }] }\n\
         nightly: { script: x, rules: [{ if: '$CI_PIPELINE_SCHEDULE_DESCRIPTION == \"nightly\"' }] }\n\
         signed: { script: x, rules: [{ if: '$CI_COMMIT_TAG_MESSAGE =~ /Signed/' }] }\n",
    );
    project.git(&["branch", "stable"]);
    project
}

#[test]
fn flags_say_what_the_event_is_like() {
    let project = reviewed();
    for (flags, jobs) in [
        (&["--event", "merge_request", "--mr-label", "docs,bug"][..], "labelled"),
        (&["--event", "merge_request", "--mr-label", "bug", "--mr-label", "docs"], "labelled"),
        (&["--event", "merge_request", "--target-branch", "stable"], "backport"),
        (&["--event", "merge_request", "--mr-approved", "--source-branch", "feature"], "ready"),
        (&["--event", "merge_request", "--mr-approved", "--mr-title", "Draft: x"], ""),
        (&["--event", "merge_request", "--mr-approved", "--mr-draft"], ""),
        (&["--event", "schedule", "--schedule-description", "nightly"], "nightly"),
        (&["--event", "schedule"], ""),
        (&["--tag", "v1", "--tag-message", "Signed-off-by: A"], "signed"),
    ] {
        let plan = project.podline(&[&["plan", "--format", "json"], flags].concat()).run().expect(0);
        let plan: serde_json::Value = serde_json::from_str(&plan.stdout).expect("a plan");
        let names: Vec<_> = plan["jobs"].as_array().expect("jobs").iter().map(|job| &job["name"]).collect();
        let expected: Vec<_> = jobs.split_whitespace().map(serde_json::Value::from).collect();
        assert_eq!(names, expected.iter().collect::<Vec<_>>(), "{flags:?}");
    }
}

#[test]
fn a_flag_of_another_event_is_told_so() {
    let project = reviewed();
    let told = |flags: &[&str]| {
        project.podline(&[&["plan"], flags].concat()).env("COLUMNS", "80").run().expect(2).stderr
    };
    insta::assert_snapshot!(
        [
            told(&["--mr-label", "docs"]),
            told(&["--event", "schedule", "--mr-draft", "--target-branch", "stable"]),
            told(&["--event", "push", "--tag", "v1"]),
            told(&["--tag", "v1", "--branch", "main"]),
            told(&["--event", "merge_request", "--target-branch", "nowhere"]),
        ]
        .concat()
    );
}

#[test]
fn a_rule_looks_into_another_project() {
    let project = Project::with(
        "default: { image: a }\n\
         there: { script: x, rules: [{ exists: { paths: [Dockerfile], project: group/images } }] }\n\
         absent: { script: x, rules: [{ exists: { paths: [nothing], project: group/images } }] }\n",
    );
    let images = Project::with("");
    images.write("Dockerfile", "FROM scratch\n").git(&["add", "-A"]);
    images.git(&["commit", "-q", "-m", "second"]);
    let map = format!("group/images={}", images.path().display());
    let seen = project.podline(&["plan", "--offline", "--include-map", &map]).run().expect(0);
    let (jobs, left_out) = seen.stdout.split_once("left out").expect("a section");
    assert!(jobs.contains("there") && left_out.contains("absent"), "{seen}");
    assert_eq!(seen.stderr, "");

    let seen = project.podline(&["plan", "--offline"]).env("COLUMNS", "80").run().expect(0);
    assert!(seen.stdout.contains("there") && seen.stdout.contains("absent"), "{seen}");
    insta::assert_snapshot!(seen.stderr);
}

#[test]
fn a_child_pipeline_gets_the_inputs_of_its_trigger() {
    let project =
        Project::with("child: { trigger: { include: child.yml, inputs: { jobs: [unit, lint] } } }\n");
    project.write(
        "child.yml",
        "spec: { inputs: { jobs: { type: array } } }\n---\n\
         check: { image: a, script: x, parallel: { matrix: [{ JOB: '$[[ inputs.jobs ]]' }] } }\n",
    );
    let seen = project.podline(&["plan"]).run().expect(0);
    assert!(seen.stdout.contains("check: [unit]") && seen.stdout.contains("check: [lint]"), "{seen}");
    assert!(!seen.stdout.contains("trigger:inputs"), "{seen}");
}
