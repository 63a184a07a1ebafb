//! Attempts against a scripted engine, on a clock of their own.

use std::sync::Mutex;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    config::{
        Span, Spanned,
        keyword::job::{Artifacts, Cache, CacheKey, UploadWhen},
    },
    engine::{
        self, File, FileKind,
        scripted::{Call, Files, Output, ScriptedPods, Step},
    },
    event::{Phase, Usage},
    pipeline::JobId,
    runner::{
        Settings, Slot,
        files::sources::{Sources, Variant},
        fixture::a_build,
    },
};

const SECOND: Duration = Duration::from_secs(1);

/// A pod in a state.
fn pod(status: Value) -> Pod {
    let manifest = json!({
        "metadata": {"name": "runner-1"},
        "spec": {"nodeName": "node", "containers": [
            {"name": "build", "image": "busybox:1.36", "imagePullPolicy": "IfNotPresent",
             "resources": {"limits": {"memory": "1Gi"}}},
            {"name": "helper", "image": "busybox:1.36"},
        ]},
        "status": status,
    });
    serde_json::from_value(manifest).expect("a pod")
}

fn containers(build: Value, helper: Value) -> Pod {
    pod(json!({"phase": "Running", "containerStatuses": [status("build", build), status("helper", helper)]}))
}

fn status(name: &str, state: Value) -> Value {
    json!({"name": name, "state": state, "image": "", "imageID": "", "ready": true, "restartCount": 0})
}

fn waiting() -> Step<Pod> {
    let state = json!({"waiting": {"reason": "ContainerCreating"}});
    Step::Give(containers(state.clone(), state))
}

fn running() -> Step<Pod> {
    Step::Give(containers(json!({"running": {}}), json!({"running": {}})))
}

fn ended(state: Value) -> Step<Pod> {
    Step::Give(containers(json!({"terminated": state}), json!({"running": {}})))
}

fn text(text: &'static str) -> Step<Output> {
    Step::Give(Box::new(move |_| text.as_bytes().to_vec()))
}

/// A mark with the nonce that was carried in.
fn mark(words: &'static str) -> Step<Output> {
    Step::Give(Box::new(move |files| format!("\x1epodline:{} {words}\n", nonce_of(files)).into_bytes()))
}

/// A mark of the helper container.
fn hook_mark(words: &'static str) -> Step<Output> {
    Step::Give(Box::new(move |files| {
        let nonce = String::from_utf8_lossy(&files["scripts-42-7/hook"]);
        format!("\x1epodline:{nonce} {words}\n").into_bytes()
    }))
}

fn nonce_of(files: &Files) -> String {
    let settings = String::from_utf8_lossy(&files["scripts-42-7/job"]).into_owned();
    let nonce = settings.lines().find_map(|line| line.strip_prefix("nonce="));
    nonce.expect("a nonce").to_owned()
}

const SUCCESS: &str = "end status=success code=0 after=0 oom=0 peak=0";

/// A job that prints a line and ends like this; its container stays, as if its status came late.
fn log(end: &'static str) -> Vec<Step<Output>> {
    vec![Step::UntilCopied, mark("script"), text("hello\n"), mark(end), Step::Forever]
}

fn up() -> Vec<Step<Pod>> {
    vec![waiting(), running(), Step::Forever]
}

/// Always the same build, in a pod with a name of its own for each try.
struct One(Build);

impl Prepare for One {
    fn build(&self, _attempt: &Attempt) -> Result<Build, Failure> {
        Ok(self.0.clone())
    }

    fn overwrites(&self, build: &Build) -> Result<Overwrites, Failure> {
        let mut settings = Settings::default();
        settings.overwrite.build.cpu_limit = Some(Quantity("3".to_owned()));
        Overwrites::of(build, &settings)
    }

    fn pod(
        &self,
        build: &Build,
        _overwrites: &Overwrites,
        _attempt: &Attempt,
        failed_pulls: &FailedPulls,
    ) -> Result<Pod, Failure> {
        let mut pod = pod(json!({}));
        let failed = failed_pulls.get("build").copied().unwrap_or(0);
        pod.metadata.name = Some(format!("runner-{}", failed + 1));
        pod.metadata.namespace = Some("kube-ops".to_owned());
        let container = &mut pod.spec.as_mut().expect("a spec").containers[0];
        let policies = &build.image.pull_policy;
        if let Some(policy) = policies.get(failed).or(policies.last()) {
            container.image_pull_policy = Some(crate::runner::pod::policy_name(*policy).to_owned());
        }
        Ok(pod)
    }

    fn login(&self, _build: &Build, _pod: &Pod) -> Login {
        Login::default()
    }
}

/// A run of one job.
struct Run {
    pods: Arc<ScriptedPods>,
    executor: JobExecutor,
    cancel: CancellationToken,
    kill: CancellationToken,
    folder: tempfile::TempDir,
}

struct Report {
    outcome: Outcome,
    phases: Vec<Phase>,
    lines: Vec<String>,
    usage: Vec<Usage>,
    /// Phases and lines as they came.
    order: Vec<String>,
    trace: String,
}

impl Run {
    fn new(pods: ScriptedPods) -> Self {
        Self::of(pods, a_build(&["echo hello"]))
    }

    fn of(pods: ScriptedPods, build: Build) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let tar = folder.path().join("sources.tar");
        std::fs::write(&tar, "").expect("a file");
        let sources = Sources {
            tar,
            files: ["README.md".to_owned()].into(),
            submodules: Vec::new(),
            empty: Vec::new(),
        };
        let sources = SourceStore::with(Variant::of(&build).expect("it wants sources"), sources);
        let pods = Arc::new(pods);
        let executor = JobExecutor {
            pods: Arc::<ScriptedPods>::clone(&pods),
            prepare: Arc::new(One(build)),
            sources: Arc::new(sources),
            artifacts: ArtifactStore::new(folder.path()),
            visit: None,
            caches: CacheFolder::new(folder.path().join("cache")),
            folder: folder.path().to_owned(),
            poll_timeout: 360 * SECOND,
            time: 0,
            deletions: TaskTracker::new(),
        };
        Self { pods, executor, cancel: CancellationToken::new(), kill: CancellationToken::new(), folder }
    }

    async fn execute(&self) -> Report {
        let (sender, mut receiver) = mpsc::channel(1000);
        let attempt = Attempt {
            job: JobId(0),
            number: 1,
            slot: Slot { runner: "gitlab-ci-runner-0".to_owned(), index: 0 },
            cancel: self.cancel.clone(),
            kill: self.kill.clone(),
        };
        let outcome = self.executor.execute(attempt, sender).await;
        self.executor.settle().await;
        let (mut phases, mut lines, mut usage, mut order) = (vec![], vec![], vec![], vec![]);
        while let Some(event) = receiver.recv().await {
            match event {
                Event::JobPhase { phase, .. } => {
                    order.push(format!("{phase:?}"));
                    phases.push(phase);
                }
                Event::JobOutput { line, .. } => {
                    order.push(line.clone());
                    lines.push(line);
                }
                Event::JobUsage { usage: used, .. } => usage.push(used),
                // the trace has it too
                Event::JobRemark { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        let trace = std::fs::read_to_string(&outcome.trace).expect("a trace");
        Report { outcome, phases, lines, usage, order, trace }
    }

    async fn failure(&self) -> (Failure, Option<i32>) {
        match self.execute().await.outcome.result {
            AttemptResult::Failed { failure, exit_code } => (failure, exit_code),
            other => panic!("{other:?}"),
        }
    }

    fn deletions(&self) -> Vec<Duration> {
        let calls = self.pods.calls().into_iter();
        let graces = calls.filter_map(|call| match call {
            Call::Delete(grace) => Some(grace),
            _ => None,
        });
        graces.collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_phase_comes_before_what_is_printed_in_it() {
    let log = vec![Step::UntilCopied, mark("script\nhello"), mark(SUCCESS), Step::Forever];
    let report = Run::new(ScriptedPods::new(up(), log)).execute().await;
    assert_eq!(report.order, ["Preparing", "Sources", "Script", "hello"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_script_uses_is_asked_for_every_other_second() {
    let log =
        || vec![Step::UntilCopied, mark("script"), Step::Sleep(6 * SECOND), mark(SUCCESS), Step::Forever];
    let mut pods = ScriptedPods::new(up(), log());
    pods.usage = Some(engine::Usage { cpu_millis: Some(250), memory_bytes: Some(4096) });
    let report = Run::new(pods).execute().await;
    let used = Usage { cpu: Some(0.25), cpu_limit: None, memory: Some(4096), memory_limit: Some(1 << 30) };
    assert_eq!(report.usage, [used; 3], "after 1, 3 and 5 s");
    // an engine that cannot tell is no trouble
    let report = Run::new(ScriptedPods::new(up(), log())).execute().await;
    assert_eq!((report.outcome.result, report.usage), (AttemptResult::Success, vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_succeeds_ends_with_its_end_mark() {
    let run = Run::new(ScriptedPods::new(up(), log(SUCCESS)));
    let started = Instant::now();
    let report = run.execute().await;
    assert_eq!(report.outcome.result, AttemptResult::Success);
    assert_eq!(started.elapsed(), Duration::ZERO, "the container's status is not waited for");
    assert_eq!(report.phases, [Phase::Preparing, Phase::Sources, Phase::Script]);
    assert_eq!(report.lines, ["hello"]);
    let plain: Vec<String> = report.trace.lines().map(without_marks).collect();
    assert_eq!(
        plain[1..],
        [
            "  on gitlab-ci-runner-0 ",
            "Preparing the \"kubernetes\" executor",
            "Using Kubernetes namespace: kube-ops",
            "Using Kubernetes executor with image busybox:1.36 ...",
            "Using effective pull policy of [] for container build",
            "Using effective pull policy of [] for container helper",
            "Preparing environment",
            "Using FF_USE_POD_ACTIVE_DEADLINE_SECONDS, the Pod activeDeadlineSeconds will be set to the job \
             timeout: 1h0m0s...",
            "Running on runner-1 via gitlab-ci-runner-0...",
            "Getting source from Git repository",
            "Fetching changes with git depth set to 20...",
            "Checking out  as detached HEAD (ref is )...",
            "Skipping Git submodules setup",
            "Executing \"step_script\" stage of the job script",
            "hello",
            "Job succeeded",
        ]
    );
    let marks: Vec<&str> = report.trace.split("section_").skip(1).collect();
    let marks: Vec<(&str, &str)> = marks
        .iter()
        .map(|mark| (mark.split(':').next().unwrap_or(""), mark.split(['\r', ':']).nth(2).unwrap_or("")))
        .collect();
    assert_eq!(
        marks,
        [
            ("start", "prepare_executor"),
            ("end", "prepare_executor"),
            ("start", "prepare_script"),
            ("end", "prepare_script"),
            ("start", "get_sources"),
            ("end", "get_sources"),
            ("start", "step_script"),
            ("end", "step_script"),
        ]
    );
    assert_eq!(report.outcome.tail, report.lines);
    assert_eq!(run.deletions(), [GRACE]);
    assert!(run.pods.files().contains_key("scripts-42-7/ready"));
}

fn without_marks(line: &str) -> String {
    without_colours(line.rsplit('\r').next().unwrap_or_default())
}

fn without_colours(line: &str) -> String {
    let mut text = line.to_owned();
    for colour in ["\x1b[0K", "\x1b[0;m", "\x1b[32;1m", "\x1b[36;1m", "\x1b[0;33m", "\x1b[31;1m"] {
        text = text.replace(colour, "");
    }
    text
}

#[tokio::test(start_paused = true)]
async fn what_a_job_s_variables_overwrite_is_said_before_there_is_a_pod() {
    let mut build = a_build(&["true"]);
    let cpu = |value: &str| crate::runner::build::BuildVariable {
        key: "KUBERNETES_CPU_LIMIT".to_owned(),
        value: value.to_owned(),
        masked: false,
        file: false,
    };
    build.variables = vec![cpu("2")];
    let report = Run::of(ScriptedPods::new(up(), log(SUCCESS)), build.clone()).execute().await;
    assert!(
        report.trace.contains("\x1b[0K\"CPULimit\" overwritten with \"2\"\x1b[0;m\n"),
        "{}",
        report.trace
    );

    // The lines of `runner-golden/trace-overwrite-too-high.log` that say something of the job.
    build.variables = vec![cpu("4")];
    let run = Run::of(ScriptedPods::new(up(), log(SUCCESS)), build);
    let report = run.execute().await;
    let lines: Vec<String> = report.trace.lines().map(without_marks).collect();
    assert_eq!(
        lines[2..],
        [
            "Preparing the \"kubernetes\" executor",
            "ERROR: Job failed: couldn't prepare overwrites: invalid build limits specified: the resource \
             \"CPULimit\" requested \"4\" is higher than limit allowed \"3\"",
        ]
    );
    assert_eq!(run.pods.calls(), []);
}

#[tokio::test(start_paused = true)]
async fn a_script_that_fails_has_its_exit_code() {
    let end = "end status=failed code=3 after=0 oom=0 peak=0";
    let (failure, code) = Run::new(ScriptedPods::new(up(), log(end))).failure().await;
    assert_eq!((failure.reason, code), (FailureReason::ScriptFailure, Some(3)));
    assert_eq!(failure.message, "script ended with exit code 3");
}

#[tokio::test(start_paused = true)]
async fn a_child_killed_for_lack_of_memory_is_explained() {
    let end = "end status=failed code=137 after=0 oom=1 peak=1073741824";
    let (failure, code) = Run::new(ScriptedPods::new(up(), log(end))).failure().await;
    assert_eq!((failure.reason, code), (FailureReason::ScriptFailure, Some(137)));
    assert_eq!(
        failure.message,
        "script ended with exit code 137: a process of it was killed for lack of memory, the memory limit of \
         1Gi was reached"
    );
    assert!(failure.help.expect("help").contains("KUBERNETES_MEMORY_LIMIT"));
}

#[tokio::test(start_paused = true)]
async fn a_container_killed_for_lack_of_memory_is_explained() {
    let states = vec![
        running(),
        Step::UntilCopied,
        Step::Sleep(SECOND),
        ended(json!({"exitCode": 137, "reason": "OOMKilled"})),
        Step::Forever,
    ];
    let log = vec![Step::UntilCopied, mark("script"), text("allocating")];
    let (failure, code) = Run::new(ScriptedPods::new(states, log)).failure().await;
    assert_eq!((failure.reason, code), (FailureReason::RunnerSystemFailure, None));
    assert_eq!(
        failure.message,
        "the build container was killed as a whole (OOMKilled): the memory limit of 1Gi was reached"
    );
}

#[tokio::test(start_paused = true)]
async fn an_image_that_cannot_be_pulled_fails_at_once() {
    let state = json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}});
    let states = vec![waiting(), Step::Give(containers(state, json!({"running": {}}))), Step::Forever];
    let run = Run::new(ScriptedPods::new(states, []));
    let (failure, _) = run.failure().await;
    assert_eq!(failure.reason, FailureReason::ImagePullFailure);
    assert_eq!(
        failure.message,
        "image `busybox:1.36` could not be pulled (pull policy `if-not-present`): not found"
    );
    assert!(failure.help.expect("help").contains("[images]"));
    assert_eq!(run.deletions(), [GRACE]);
}

#[tokio::test(start_paused = true)]
async fn an_image_that_takes_its_time_is_being_pulled() {
    let creating = || {
        let state = json!({"waiting": {"reason": "ContainerCreating"}});
        let mut pod = containers(state.clone(), state);
        let condition = json!([{"type": "PodReadyToStartContainers", "status": "True"}]);
        let status = pod.status.as_mut().expect("a status");
        status.conditions = Some(serde_json::from_value(condition).expect("a condition"));
        Step::Give(pod)
    };
    for (seconds, pulling) in [(1, false), (60, true)] {
        let states = vec![creating(), Step::Sleep(seconds * SECOND), running(), Step::Forever];
        let report = Run::new(ScriptedPods::new(states, log(SUCCESS))).execute().await;
        assert_eq!(report.phases.contains(&Phase::Pulling), pulling, "{seconds} s: {:?}", report.phases);
    }
}

#[tokio::test(start_paused = true)]
async fn an_image_is_pulled_again_under_the_next_policy_in_a_new_pod() {
    use crate::config::keyword::job::PullPolicy;
    let failing = |policy: &str| {
        let state = json!({"waiting": {"reason": "ErrImagePull", "message": "not found"}});
        let mut pod = containers(state, json!({"running": {}}));
        pod.spec.as_mut().expect("a spec").containers[0].image_pull_policy = Some(policy.to_owned());
        Step::Give(pod)
    };
    let mut build = a_build(&["true"]);
    build.image.pull_policy = vec![PullPolicy::Always, PullPolicy::IfNotPresent];
    let states = [failing("Always"), Step::Forever];
    let mut pods = ScriptedPods::new(states, []);
    pods.next_states(vec![failing("IfNotPresent"), Step::Forever]);
    let run = Run::of(pods, build);
    let report = run.execute().await;
    let said: Vec<String> = report
        .lines
        .iter()
        .map(|line| without_colours(line))
        .filter(|line| ["Failed to pull", "Attempt #"].iter().any(|words| line.contains(words)))
        .collect();
    assert_eq!(
        said,
        [
            "WARNING: Failed to pull image \"busybox:1.36\" for container \"build\" with policy \"Always\": \
             image pull failed: not found",
            "Attempt #2: Trying \"IfNotPresent\" pull policy for \"busybox:1.36\" image for container \"build\"",
            "WARNING: Failed to pull image \"busybox:1.36\" for container \"build\" with policy \
             \"IfNotPresent\": image pull failed: not found",
        ]
    );
    let created = run.pods.calls().into_iter().filter(|call| matches!(call, Call::Create(_)));
    assert_eq!(
        created.collect::<Vec<_>>(),
        [Call::Create("runner-1".to_owned()), Call::Create("runner-2".to_owned())]
    );
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_no_node_takes_fails_after_the_poll_timeout() {
    let condition = json!({"type": "PodScheduled", "status": "False", "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient cpu."});
    let state = pod(json!({"phase": "Pending", "conditions": [condition]}));
    let started = Instant::now();
    let run = Run::new(ScriptedPods::new([Step::Give(state), Step::Forever], []));
    let (failure, _) = run.failure().await;
    assert_eq!(started.elapsed().as_secs(), 360);
    assert_eq!(failure.reason, FailureReason::RunnerSystemFailure);
    assert_eq!(
        failure.message,
        "no node took the pod within 360 s: 0/1 nodes are available: 1 Insufficient cpu."
    );
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_is_refused_fails_with_what_to_do() {
    let mut pods = ScriptedPods::new([], []);
    let (message, help) = ("violates PodSecurity".to_owned(), Some("take another namespace".to_owned()));
    pods.refusals = Mutex::new([engine::Error::Rejected { message, help }].into());
    let (failure, _) = Run::new(pods).failure().await;
    assert_eq!(failure.reason, FailureReason::RunnerConfigurationError);
    assert!(failure.message.contains("violates PodSecurity"), "{}", failure.message);
    assert_eq!(failure.help.as_deref(), Some("take another namespace"));
}

fn full() -> engine::Error {
    engine::Error::Full { message: "the quota `small` has no room".to_owned() }
}

#[tokio::test(start_paused = true)]
async fn a_pod_waits_for_room_that_others_have() {
    let mut pods = ScriptedPods::new(up(), log(SUCCESS));
    pods.refusals = Mutex::new([full(), full(), full()].into());
    let report = Run::new(pods).execute().await;
    assert_eq!(report.outcome.result, AttemptResult::Success, "{}", report.trace);
    let said = report.trace.matches("waiting for room: the quota `small` has no room").count();
    assert_eq!(said, 1, "{}", report.trace);
}

#[tokio::test(start_paused = true)]
async fn a_pod_waits_for_room_no_longer_than_one_may_take_to_start() {
    let mut pods = ScriptedPods::new([], []);
    pods.refusals = Mutex::new(std::iter::repeat_with(full).take(100_000).collect());
    let (failure, _) = Run::new(pods).failure().await;
    assert_eq!(failure.reason, FailureReason::RunnerSystemFailure);
    assert!(failure.message.contains("the quota `small` has no room"), "{}", failure.message);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_breaks_leaves_the_result_to_the_container() {
    let message = "end status=failed code=4 after=0 oom=0 peak=0\n";
    let states = vec![
        running(),
        Step::UntilCopied,
        Step::Sleep(SECOND),
        ended(json!({"exitCode": 4, "reason": "Error", "message": message})),
        Step::Forever,
    ];
    let log = vec![Step::UntilCopied, mark("script"), text("half a li"), Step::Break];
    let report = Run::new(ScriptedPods::new(states, log)).execute().await;
    let AttemptResult::Failed { failure, exit_code } = report.outcome.result else { panic!("it failed") };
    assert_eq!((failure.reason, exit_code), (FailureReason::ScriptFailure, Some(4)));
    assert!(report.trace.contains("half a li\n"), "{}", report.trace);
    assert!(report.trace.contains("the last lines of the log were lost"), "{}", report.trace);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_breaks_and_says_nothing_more_is_a_lost_connection() {
    let log = vec![Step::UntilCopied, mark("script"), Step::Break];
    let (failure, _) = Run::new(ScriptedPods::new(up(), log)).failure().await;
    assert_eq!(failure.reason, FailureReason::RunnerSystemFailure);
    assert!(failure.message.contains("lost the connection"), "{}", failure.message);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_slower_than_its_container_is_read_to_its_end() {
    let state = ended(json!({"exitCode": 0, "reason": "Completed"}));
    let states = vec![running(), Step::UntilCopied, state, Step::Forever];
    let mut log = vec![Step::UntilCopied, mark("script")];
    for _ in 0..10 {
        log.extend([Step::Sleep(2 * SECOND), text("more\n")]);
    }
    log.push(mark(SUCCESS));
    let report = Run::new(ScriptedPods::new(states, log)).execute().await;
    assert_eq!(report.outcome.result, AttemptResult::Success);
    assert_eq!(report.lines.iter().filter(|line| *line == "more").count(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_dies_is_a_system_failure() {
    let states =
        vec![running(), Step::UntilCopied, ended(json!({"exitCode": 143, "reason": "Error"})), Step::Forever];
    let log = vec![Step::UntilCopied, mark("script"), text("hello\n")];
    let (failure, _) = Run::new(ScriptedPods::new(states, log)).failure().await;
    assert_eq!(failure.reason, FailureReason::RunnerSystemFailure);
    assert!(failure.message.contains("exit code 143"), "{}", failure.message);
}

#[tokio::test(start_paused = true)]
async fn a_pod_that_somebody_deletes_is_a_system_failure() {
    let states = vec![running(), Step::UntilCopied, Step::Sleep(SECOND)];
    let end = "end status=canceled code=1 after=0 oom=0 peak=0";
    let log = vec![Step::UntilCopied, mark("script"), mark(end)];
    let (failure, _) = Run::new(ScriptedPods::new(states, log)).failure().await;
    assert_eq!(failure.message, "the pod was deleted while the job ran");
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_time_is_up_has_timed_out() {
    let end = "end status=timeout code=1 after=0 oom=0 peak=0";
    let (failure, code) = Run::new(ScriptedPods::new(up(), log(end))).failure().await;
    assert_eq!((failure.reason, code), (FailureReason::JobExecutionTimeout, None));
}

#[tokio::test(start_paused = true)]
async fn a_supervisor_that_holds_no_time_limit_is_stopped_by_podline() {
    let log = vec![Step::UntilCopied, mark("script"), Step::Forever];
    let started = Instant::now();
    let (failure, _) = Run::new(ScriptedPods::new(up(), log)).failure().await;
    assert_eq!(failure.reason, FailureReason::JobExecutionTimeout);
    assert_eq!(started.elapsed().as_secs(), 3660);
}

#[tokio::test(start_paused = true)]
async fn a_canceled_job_runs_its_after_script() {
    let log = vec![
        Step::UntilCopied,
        mark("script"),
        Step::UntilDeleted,
        mark("after_script code=1"),
        text("cleaning\n"),
        Step::Sleep(5 * SECOND),
        mark("end status=canceled code=1 after=0 oom=0 peak=0"),
    ];
    let run = Run::new(ScriptedPods::new(up(), log));
    let cancel = run.cancel.clone();
    let (report, ()) = tokio::join!(run.execute(), async move {
        tokio::time::sleep(SECOND).await;
        cancel.cancel();
    });
    assert_eq!(report.outcome.result, AttemptResult::Canceled);
    assert!(report.lines.iter().any(|line| line == "cleaning"), "{:?}", report.lines);
    assert_eq!(run.deletions(), [30 * SECOND, GRACE]);
}

#[tokio::test(start_paused = true)]
async fn a_canceled_job_that_does_not_end_is_given_up() {
    let log = vec![Step::UntilCopied, mark("script"), Step::Forever];
    let run = Run::new(ScriptedPods::new(up(), log));
    let cancel = run.cancel.clone();
    let started = Instant::now();
    let (report, ()) = tokio::join!(run.execute(), async move {
        tokio::time::sleep(SECOND).await;
        cancel.cancel();
    });
    assert_eq!(report.outcome.result, AttemptResult::Canceled);
    assert_eq!(started.elapsed().as_secs(), 33);
}

#[tokio::test(start_paused = true)]
async fn a_job_canceled_before_its_script_ends_at_once() {
    let run = Run::new(ScriptedPods::new([waiting(), Step::Forever], []));
    run.cancel.cancel();
    assert_eq!(run.execute().await.outcome.result, AttemptResult::Canceled);
    assert_eq!(run.deletions(), [GRACE]);
}

#[tokio::test(start_paused = true)]
async fn a_killed_job_leaves_no_time() {
    let log = vec![Step::UntilCopied, mark("script"), Step::Forever];
    let run = Run::new(ScriptedPods::new(up(), log));
    let kill = run.kill.clone();
    let (report, ()) = tokio::join!(run.execute(), async move {
        tokio::time::sleep(SECOND).await;
        kill.cancel();
    });
    assert_eq!(report.outcome.result, AttemptResult::Canceled);
    assert_eq!(run.deletions(), [Duration::ZERO]);
}

fn nowhere() -> Span {
    Span::new(crate::config::Sources::default().add("", ""), 0..0)
}

fn spanned(text: &str) -> Spanned<String> {
    Spanned { value: text.to_owned(), span: nowhere() }
}

fn files(paths: &[&str]) -> Vec<File> {
    let file = |path: &&str| File { path: (*path).to_owned(), kind: FileKind::Regular };
    paths.iter().map(file).collect()
}

/// A job with artifacts of `out/`, a dotenv report, and a cache of `deps/`.
fn a_build_that_keeps(when: UploadWhen) -> Build {
    let mut build = a_build(&["make"]);
    build.artifacts = Some(Artifacts {
        span: nowhere(),
        paths: vec![spanned("out/"), spanned("missing")],
        exclude: Vec::new(),
        untracked: false,
        when,
        name: None,
        expire_in: None,
        reports: [("dotenv".to_owned(), vec![spanned("build.env")])].into_iter().collect(),
    });
    build.caches = vec![Cache {
        key: CacheKey::Text("key".to_owned()),
        fallback_keys: Vec::new(),
        paths: vec![spanned("deps")],
        untracked: false,
        policy: "pull-push".to_owned(),
        when: UploadWhen::OnSuccess,
    }];
    build
}

fn pods_with_files(end: &'static str) -> ScriptedPods {
    let mut pods = ScriptedPods::new(up(), log(end));
    pods.listed = files(&["README.md", "out/a", "out/b", "deps/c", "build.env"]);
    pods.content = b"VERSION=1.2\n".to_vec();
    pods
}

#[tokio::test(start_paused = true)]
async fn artifacts_and_caches_go_from_job_to_job() {
    let run = Run::of(pods_with_files(SUCCESS), a_build_that_keeps(UploadWhen::OnSuccess));
    let report = run.execute().await;
    assert_eq!(report.outcome.result, AttemptResult::Success);
    assert_eq!(report.outcome.artifacts, 2);
    assert_eq!(report.phases.last(), Some(&Phase::Uploading));
    let out = |paths: &[&str]| Call::CopyOut(paths.iter().map(|path| (*path).to_owned()).collect());
    let calls = run.pods.calls();
    for call in [out(&["deps/c"]), out(&["out/a", "out/b"]), out(&["build.env"])] {
        assert!(calls.contains(&call), "{call:?} in {calls:?}");
    }
    assert!(report.trace.contains("WARNING: missing: no matching files."), "{}", report.trace);
    let store = &run.executor.artifacts;
    assert_eq!(store.dotenv(&[JobId(0)]), [("VERSION".to_owned(), "1.2".to_owned())]);
    assert_eq!(store.archives(&[JobId(0), JobId(9)]).len(), 1);

    // The next job gets the cache, and the artifacts over it.
    let mut build = a_build(&["make test"]);
    build.artifacts_from = vec![JobId(0)];
    build.caches = a_build_that_keeps(UploadWhen::OnSuccess).caches;
    let mut next = Run::of(ScriptedPods::new(up(), log(SUCCESS)), build);
    next.executor.artifacts = store.clone();
    next.executor.caches = CacheFolder::new(run.folder.path().join("cache"));
    let report = next.execute().await;
    assert!(report.trace.contains("Successfully extracted cache"), "{}", report.trace);
    let files = next.pods.files();
    for path in ["builds/group/project/out/a", "builds/group/project/deps/c"] {
        assert_eq!(files.get(path).map(Vec::as_slice), Some(&b"VERSION=1.2\n"[..]), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn files_that_did_not_arrive_whole_are_asked_for_again() {
    for (breaks, artifacts) in [(2, Some(2)), (9, None)] {
        let pods = pods_with_files(SUCCESS);
        *pods.breaks.lock().expect("a count") = breaks;
        let mut build = a_build_that_keeps(UploadWhen::OnSuccess);
        build.caches.clear();
        let report = Run::of(pods, build).execute().await;
        match (artifacts, report.outcome.result) {
            (Some(count), AttemptResult::Success) => assert_eq!(report.outcome.artifacts, count),
            (None, AttemptResult::Failed { failure, .. }) => {
                assert!(failure.message.starts_with("artifacts were refused"), "{}", failure.message);
            }
            (_, result) => panic!("{breaks}: {result:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_job_keeps_what_is_for_failures_and_its_reports() {
    let end = "end status=failed code=1 after=0 oom=0 peak=0";
    for (when, kept) in [(UploadWhen::OnSuccess, 0), (UploadWhen::OnFailure, 2), (UploadWhen::Always, 2)] {
        let run = Run::of(pods_with_files(end), a_build_that_keeps(when));
        let report = run.execute().await;
        assert_eq!(report.outcome.artifacts, kept, "{when:?}");
        assert_eq!(run.executor.artifacts.dotenv(&[JobId(0)]).len(), 1, "{when:?}");
        assert!(!report.trace.contains("Created cache"), "{}", report.trace);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_dotenv_report_fails_the_job() {
    let mut pods = pods_with_files(SUCCESS);
    pods.content = b"# comment\n".to_vec();
    let (failure, _) = Run::of(pods, a_build_that_keeps(UploadWhen::OnSuccess)).failure().await;
    assert!(failure.message.contains("line 1, `# comment`, is not `KEY=VALUE`"), "{}", failure.message);
}

fn a_build_with_hook() -> Build {
    let mut build = a_build(&["make"]);
    build.pre_get_sources_script = vec!["echo before".to_owned()];
    build
}

fn pods_with_hook(end: &'static str) -> ScriptedPods {
    let pods = ScriptedPods::new(up(), log(SUCCESS));
    let steps = [Step::UntilHook, text("before\n"), hook_mark(end), Step::Forever];
    *pods.helper_log.lock().expect("a log") = steps.into();
    pods
}

#[tokio::test(start_paused = true)]
async fn the_hook_runs_before_the_sources_come() {
    let run = Run::of(pods_with_hook("hook code=0"), a_build_with_hook());
    let report = run.execute().await;
    assert_eq!(report.outcome.result, AttemptResult::Success);
    let order = ["Getting source from Git repository", "before\n", "Fetching changes", "hello\n"];
    let places =
        order.map(|text| report.trace.find(text).unwrap_or_else(|| panic!("{text}: {}", report.trace)));
    assert!(places.is_sorted(), "{}", report.trace);
    assert_eq!(run.pods.calls().iter().filter(|call| **call == Call::CopyIn).count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_fails_fails_the_job() {
    let run = Run::of(pods_with_hook("hook code=3"), a_build_with_hook());
    let (failure, code) = run.failure().await;
    assert_eq!(failure.reason, FailureReason::ScriptFailure);
    assert_eq!((failure.message.as_str(), code), ("pre_get_sources_script ended with exit code 3", Some(3)));
    assert!(!run.pods.files().keys().any(|path| path.ends_with("/ready")), "the job never begins");
}

#[tokio::test(start_paused = true)]
async fn a_hook_has_no_more_time_than_the_job() {
    let run = Run::of(ScriptedPods::new(up(), [Step::Forever]), a_build_with_hook());
    *run.pods.helper_log.lock().expect("a log") = [Step::Forever].into();
    let (failure, _) = run.failure().await;
    assert_eq!(failure.reason, FailureReason::JobExecutionTimeout);
}

fn a_build_with_junit() -> Build {
    let mut build = a_build_that_keeps(UploadWhen::OnSuccess);
    build.caches.clear();
    if let Some(artifacts) = &mut build.artifacts {
        artifacts.reports = [("junit".to_owned(), vec![spanned("out/*")])].into_iter().collect();
    }
    build
}

#[tokio::test(start_paused = true)]
async fn the_tests_of_junit_reports_are_summed_up_and_masked() {
    let mut build = a_build_with_junit();
    build.variables = vec![crate::runner::build::BuildVariable {
        key: "TOKEN".to_owned(),
        value: "secret-value".to_owned(),
        masked: true,
        file: false,
    }];
    let mut pods = pods_with_files("end status=failed code=1 after=0 oom=0 peak=0");
    pods.content = b"<testsuite><testcase name='a'/><testcase name='b'><failure>is secret-value</failure></testcase></testsuite>".to_vec();
    let report = Run::of(pods, build).execute().await;
    let tests = report.outcome.tests.expect("there are reports");
    assert_eq!((tests.total, tests.failed), (2, 1), "both files have the same tests");
    assert_eq!(tests.failing[0].message.as_deref(), Some("is [MASKED]"));
}

#[tokio::test(start_paused = true)]
async fn a_junit_report_that_is_none_is_remarked_and_the_job_goes_on() {
    let mut pods = pods_with_files(SUCCESS);
    pods.content = b"not XML".to_vec();
    let report = Run::of(pods, a_build_with_junit()).execute().await;
    assert_eq!(report.outcome.result, AttemptResult::Success);
    assert!(
        report.trace.contains("WARNING: JUnit report `out/a` is not read: it is not XML"),
        "{}",
        report.trace
    );
}

#[tokio::test(start_paused = true)]
async fn masked_values_are_hidden_in_output_and_in_the_runner_s_own_words() {
    let mut build = a_build(&["true"]);
    build.image.name = "registry.example/secret-value".to_owned();
    build.variables = vec![crate::runner::build::BuildVariable {
        key: "TOKEN".to_owned(),
        value: "secret-value".to_owned(),
        masked: true,
        file: false,
    }];
    let log = vec![Step::UntilCopied, mark("script"), text("it is secret-"), text("value\n"), mark(SUCCESS)];
    let report = Run::of(ScriptedPods::new(up(), log), build).execute().await;
    assert!(!report.trace.contains("secret-value"), "{}", report.trace);
    assert!(report.trace.contains("it is [MASKED]\n"), "{}", report.trace);
}

#[tokio::test(start_paused = true)]
async fn an_after_script_that_fails_is_a_warning_unless_the_job_says_otherwise() {
    let end = "end status=success code=0 after=2 oom=0 peak=0";
    let report = Run::new(ScriptedPods::new(up(), log(end))).execute().await;
    assert_eq!(report.outcome.result, AttemptResult::Success);
    assert!(report.trace.contains("WARNING: after_script failed, but job will continue unaffected"));

    let mut build = a_build(&["true"]);
    build.variables = vec![crate::runner::build::BuildVariable {
        key: "AFTER_SCRIPT_IGNORE_ERRORS".to_owned(),
        value: "false".to_owned(),
        masked: false,
        file: false,
    }];
    let (failure, _) = Run::of(ScriptedPods::new(up(), log(end)), build).failure().await;
    assert_eq!(failure.message, "after_script ended with exit code 2");
}
