//! Parent and child pipelines: what is planned, and what becomes of children that cannot be created.

use crate::{
    kind::run,
    support::{Project, Run, cluster},
};

const PARENT: &str = "\
default: { image: 'busybox:1.36' }
make:
  stage: build
  script:
    - cp given.yml child.yml
  artifacts:
    paths: [child.yml]
child:
  trigger:
    include: [{ artifact: child.yml, job: make }]
    strategy: depend
";

/// The last status of the jobs of a child pipeline.
fn child<'r>(run: &'r Run, path: &[&str]) -> &'r serde_json::Value {
    let path = serde_json::json!(path);
    let ended =
        |event: &&serde_json::Value| event["event"] == "pipeline_finished" && event["pipeline"] == path;
    run.events().iter().rfind(ended).unwrap_or_else(|| panic!("`{path}` has ended"))
}

#[test]
fn a_plan_shows_child_pipelines_below_the_jobs_that_start_them() {
    let seen = Project::fixture("children").podline(&["plan"]).run().expect(0);
    let start = seen.stdout.find("start").expect("the stage");
    let shown: Vec<&str> = seen.stdout[start..].lines().take_while(|line| !line.is_empty()).collect();
    insta::assert_snapshot!(shown.join("\n"));
}

#[test]
fn a_child_that_cannot_be_created_fails_its_trigger_job_with_the_place_in_the_file() {
    if !cluster::is_up() {
        return;
    }
    let project = Project::with(PARENT);
    project.write("given.yml", "unit:\n  scrpt: [true]\n");
    let Some(run) = run(&project, &[]) else { return };
    run.code(1);
    let failure = &run.finished("child")["failure"];
    assert_eq!(failure["reason"], "downstream_pipeline_creation_failed");
    let message = failure["message"].as_str().expect("a message");
    assert!(message.starts_with("downstream pipeline can not be created, make:child.yml:"), "{message}");
    let trace = project.podline(&["log", "child"]).run().expect(0);
    assert!(trace.stdout.contains("scrpt"), "{trace}");
}

#[test]
fn the_third_child_in_a_row_is_refused_and_each_trigger_job_above_fails() {
    if !cluster::is_up() {
        return;
    }
    let project = Project::with(&PARENT.replace("strategy: depend", "strategy: mirror"));
    project.write("given.yml", "inner: { trigger: { include: inner.yml, strategy: depend } }\n");
    project.write("inner.yml", "deep: { trigger: { include: deep.yml } }\n");
    project.write("deep.yml", "job: { script: [true], image: 'busybox:1.36' }\n");
    let Some(run) = run(&project, &[]) else { return };
    run.code(1);
    assert_eq!(
        run.finished("child/inner/deep")["failure"]["reason"],
        "reached_max_descendant_pipelines_depth"
    );
    assert_eq!(child(&run, &["child"])["jobs"]["inner"], "failed");
    assert_eq!(run.statuses()["child"], "failed");
}
