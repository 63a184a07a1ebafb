//! `podline run` in a real kind cluster. All tests share one; without Docker or kind they say so and end.

use std::{collections::BTreeMap, process::Command};

use crate::support::{Project, Seen, cluster, engine};

/// Runs a project in the shared cluster, or on the embedded engine, with JSON events; `None` where there is no
/// cluster.
pub(crate) fn run(project: &Project, arguments: &[&str]) -> Option<Run> {
    if engine::is_embedded() {
        let mut all = vec!["run", "--engine", "embedded", "--format", "json"];
        all.extend(arguments);
        return Some(Run::new(project.podline(&all).run()));
    }
    if !cluster::is_up() {
        return None;
    }
    let cluster = cluster::name();
    let mut all = vec!["run", "--engine", "kind", "--cluster", &cluster, "--format", "json"];
    all.extend(arguments);
    Some(Run::new(project.podline(&all).run()))
}

/// What a run said.
pub(crate) struct Run {
    seen: Seen,
    events: Vec<serde_json::Value>,
}

impl Run {
    pub(crate) fn new(seen: Seen) -> Self {
        let lines = seen.stdout.lines();
        let events = lines.map(|line| serde_json::from_str(line).expect("each line is JSON")).collect();
        Self { seen, events }
    }

    /// The first step on the way to a place for pods.
    pub(crate) fn step(&self) -> &str {
        let mut steps = self.events.iter().filter_map(|event| event["step"].as_str());
        steps.next().expect("a run begins with a step")
    }

    /// The name of the cluster that was made for it.
    fn cluster(&self) -> &str {
        let name = self.step().strip_prefix("creating the cluster `");
        name.expect("a step says so").trim_end_matches('`')
    }

    /// What is worth knowing beside the jobs.
    pub(crate) fn notices(&self) -> impl Iterator<Item = &str> {
        let notices = self.events.iter().filter(|event| event["event"] == "notice");
        notices.filter_map(|event| event["message"].as_str())
    }

    pub(crate) fn code(&self, code: i32) -> &Self {
        assert_eq!(self.seen.code, Some(code), "{}", self.seen);
        self
    }

    /// Everything that was told, in order.
    pub(crate) fn events(&self) -> &[serde_json::Value] {
        &self.events
    }

    /// The last status of every job.
    pub(crate) fn statuses(&self) -> BTreeMap<&str, &str> {
        let last = self.events.last().expect("a run has events");
        assert_eq!(last["event"], "pipeline_finished", "{}", self.seen);
        let jobs = last["jobs"].as_object().expect("jobs are an object");
        jobs.iter().map(|(name, status)| (name.as_str(), status.as_str().expect("a status"))).collect()
    }

    /// Positions of the events of a kind for a job.
    pub(crate) fn position(&self, event: &str, job: &str) -> usize {
        let found = self.events.iter().position(|one| one["event"] == event && one["job"] == job);
        found.unwrap_or_else(|| panic!("no `{event}` of `{job}`: {}", self.seen))
    }

    /// The lines that a job printed.
    pub(crate) fn output(&self, job: &str) -> Vec<&str> {
        let lines = self.events.iter().filter(|one| one["event"] == "job_output" && one["job"] == job);
        lines.map(|one| one["line"].as_str().expect("a line is text")).collect()
    }

    /// How a job ended.
    pub(crate) fn finished(&self, job: &str) -> &serde_json::Value {
        &self.events[self.position("job_finished", job)]
    }
}

#[test]
fn a_stage_starts_after_the_one_before_and_its_jobs_run_side_by_side() {
    let Some(run) = run(&Project::fixture("hello"), &[]) else { return };
    run.code(0);
    assert!(run.statuses().values().all(|status| *status == "success"));
    // both start before either ends
    for job in ["build:words", "build:page"] {
        assert!(run.position("job_started", job) < run.position("job_finished", "build:words"));
        assert!(run.position("job_started", job) < run.position("job_finished", "build:page"));
        assert!(run.position("job_finished", job) < run.position("job_started", "test:sorted"));
    }
    // needs do not wait for the rest of a stage
    assert!(run.position("job_finished", "build:page") < run.position("job_started", "test:page"));
    assert!(run.position("job_finished", "test:sorted") < run.position("job_started", "package"));
    assert!(run.output("test:sorted").contains(&"the words are in order"));
    assert!(run.output("package").contains(&"the job's status is success"));
}

#[test]
fn a_failing_job_fails_the_pipeline_and_skips_later_stages() {
    let Some(run) = run(&Project::fixture("failing"), &[]) else { return };
    run.code(1);
    let expected = [
        ("compile", "success"),
        ("publish", "skipped"),
        ("report", "success"),
        ("slow", "success"),
        ("style", "failed"),
        ("unit", "failed"),
    ];
    assert_eq!(run.statuses(), BTreeMap::from(expected));
    let unit = run.finished("unit");
    assert_eq!((&unit["exit_code"], &unit["allowed"]), (&3.into(), &false.into()));
    assert!(unit["tail"].as_array().expect("a tail").iter().any(|line| line == "2 of 2 fails"));
    assert_eq!(run.finished("style")["allowed"], true);
}

#[test]
fn a_deployment_is_held_until_it_is_asked_for() {
    let project = Project::fixture("held");
    let Some(held) = run(&project, &[]) else { return };
    held.code(0);
    assert_eq!(held.statuses()["production"], "manual");
    assert_eq!(held.statuses()["notes"], "manual");
    assert_eq!(held.statuses()["smoke"], "skipped");
    assert_eq!(held.statuses()["check"], "success");
    let Some(deployed) = run(&project, &["--deploy=production"]) else { return };
    assert_eq!(deployed.code(0).statuses()["production"], "success");
    assert_eq!(deployed.statuses()["smoke"], "success");
}

#[test]
fn artifacts_and_caches_go_where_gitlab_takes_them() {
    let project = Project::fixture("artifacts");
    let Some(first) = run(&project, &[]) else { return };
    first.code(0);
    assert!(first.output("letters").contains(&"1"));
    let warning = "nothing/here: no matching files";
    assert!(first.output("numbers").iter().any(|line| line.contains(warning)), "{}", first.seen);
    let Some(second) = run(&project, &["letters"]) else { return };
    assert!(second.code(0).output("letters").contains(&"2"), "the cache of the first run: {}", second.seen);
    assert_eq!(second.statuses().len(), 1);
}

#[test]
fn a_job_that_takes_too_much_memory_is_told_its_limit_and_what_raises_it() {
    let Some(run) = run(&Project::fixture("memory"), &[]) else { return };
    run.code(1);
    let failure = &run.finished("hog")["failure"];
    let message = failure["message"].as_str().expect("a message");
    assert!(message.contains("1Gi"), "{message}");
    assert!(failure["help"].as_str().expect("a way out").contains("KUBERNETES_MEMORY_LIMIT"));
}

#[test]
fn an_image_that_nobody_has_is_told_with_its_policy() {
    let Some(run) = run(&Project::fixture("pull"), &[]) else { return };
    run.code(1);
    let failure = &run.finished("nowhere")["failure"];
    assert_eq!(failure["reason"], "image_pull_failure");
    let message = failure["message"].as_str().expect("a message");
    assert!(message.contains("registry.invalid/nobody/nothing:1"), "{message}");
}

/// In a cluster of its own, as other runs would take room on the node; and so the whole way is gone once,
/// from nothing to nothing.
#[test]
fn eight_slots_run_eight_pods_and_never_more_and_nothing_is_left() {
    if !cluster::is_up() {
        return;
    }
    let seen = Project::fixture("slots").podline(&["run", "--engine", "kind", "--format", "json"]).run();
    let run = Run::new(seen);
    run.code(0);
    let (mut running, mut most) = (0, 0);
    for event in &run.events {
        match event["event"].as_str() {
            Some("job_started") => running += 1,
            Some("job_finished") => running -= 1,
            _ => {}
        }
        most = most.max(running);
    }
    assert_eq!(most, 8, "{}", run.seen);
    let name = run.cluster();
    for (what, list) in [
        ("container", &["ps", "--all", "--format", "{{.Names}}"][..]),
        ("network", &["network", "ls", "--format", "{{.Name}}"]),
        ("volume", &["volume", "ls", "--format", "{{.Name}} {{.Labels}}"]),
    ] {
        let output = Command::new("docker").args(list).output().expect("docker can be started");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(!text.contains(name), "a {what} of `{name}` is left:\n{text}");
    }
}

#[test]
fn the_limits_of_the_runner_are_on_every_container_in_the_cluster() {
    if !cluster::is_up() {
        return;
    }
    let project = Project::with("image: busybox:1.36\nlook: { script: [sleep 4] }\n");
    let child = project
        .podline(&["run", "--engine", "kind", "--cluster", &cluster::name(), "--format", "json"])
        .start();
    let limits = wait_for_pod_limits();
    let seen = Seen::of(&child.wait_with_output().expect("podline ends"));
    assert_eq!(seen.code, Some(0), "{seen}");
    assert_eq!(limits, "build=1/1Gi helper=500m/100Mi");
}

/// What kubectl shows of the first running pod in `kube-ops` whose build container was not seen before.
fn wait_for_pod_limits() -> String {
    let template = "jsonpath={range .items[?(@.status.phase==\"Running\")]}{range .spec.containers[*]}{.name}={.resources.limits.cpu}/{.resources.limits.memory} {end}|{end}";
    loop {
        let output = kubectl(&["get", "pods", "--namespace", "kube-ops", "--output", template]);
        if let Some(pod) = output.split('|').find(|pod| pod.starts_with("build=")) {
            return pod.trim().to_owned();
        }
    }
}

fn kubectl(arguments: &[&str]) -> String {
    let name = format!("podline-{}", cluster::name());
    let kubeconfig = Command::new("kind")
        .args(["get", "kubeconfig", "--name", &name])
        .output()
        .expect("kind can be started");
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), kubeconfig.stdout).expect("a file can be written");
    let output = Command::new("kubectl")
        .arg("--kubeconfig")
        .arg(file.path())
        .args(arguments)
        .output()
        .expect("kubectl can be started");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn events_end_with_the_pipeline_s_status_when_the_engine_fails() {
    if !cluster::is_up() {
        return;
    }
    let project = Project::fixture("hello");
    let run = Run::new(
        project.podline(&["run", "--engine", "kind", "--cluster", "no-such", "--format", "json"]).run(),
    );
    run.code(3);
    assert!(run.statuses().values().all(|status| *status == "canceled"));
    assert_eq!(run.events.last().expect("events")["status"], "failed");
    assert!(run.seen.stderr.contains("there is no cluster `podline-no-such`"), "{}", run.seen);
}
