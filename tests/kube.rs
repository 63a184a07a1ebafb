//! `podline run --context` in a cluster that podline did not make: a lab cluster of two nodes. Without Docker,
//! kind or kubectl the tests say so and end.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::TcpListener,
    path::Path,
    process::{Child, ChildStderr},
};

use crate::support::{Project, Run, Seen, cluster, lab::Lab, wire::Wire};

/// The manifests in the documentation that begin with this line.
fn documented(kind: &str) -> String {
    let page = include_str!("../docs/kube.md");
    let blocks = page.split("```yaml\n").skip(1).filter_map(|block| block.split("```").next());
    blocks.filter(|block| block.contains(kind)).collect()
}

/// Runs a project as the administrator of the lab cluster.
fn run(lab: &Lab, project: &Project, more: &[&str]) -> Run {
    let context = lab.context();
    let mut all = vec!["run", "--context", &context, "--output", "json"];
    all.extend(more);
    Run::new(project.podline(&all).env("KUBECONFIG", &lab.kubeconfig).run())
}

/// What runs have left in a namespace, but for what is on its way out.
fn left(lab: &Lab, namespace: &str) -> String {
    let template = "go-template={{range .items}}{{if not .metadata.deletionTimestamp}}\
                    {{.kind}}/{{.metadata.name}} {{end}}{{end}}";
    let kinds = "pods,leases,secrets,configmaps,serviceaccounts";
    let label = "--selector=podline.dev/run";
    lab.kubectl(&["get", kinds, "--namespace", namespace, label, "--output", template])
}

#[test]
fn a_run_has_a_namespace_of_its_own_that_goes_with_it() {
    let Some(lab) = Lab::up() else { return };
    let project = Project::fixture("hello");
    let seen = run(&lab, &project, &[]);
    seen.code(0);
    assert!(seen.output("test:sorted").contains(&"the words are in order"));
    let run = &seen.statuses();
    assert!(run.values().all(|status| *status == "success"), "{run:?}");
    let step = seen.step();
    let namespace = step.split('`').nth(1).expect("the step names the namespace");
    assert!(namespace.starts_with("podline-"), "{step}");
    let gone = ["wait", "--for=delete", &format!("namespace/{namespace}"), "--timeout=60s"];
    lab.kubectl(&gone);
}

#[test]
fn the_role_of_the_documentation_is_enough_for_a_run_in_a_namespace() {
    let Some(lab) = Lab::up() else { return };
    lab.namespace("role", "");
    let kubeconfig = lab.account("role", &documented("kind: Role\n"));
    let arguments = ["run", "--context", "limited", "--namespace", "role", "--output", "json"];
    let limited = |project: &Project, more: &[&str]| {
        let all: Vec<&str> = arguments.iter().chain(more).copied().collect();
        project.podline(&all).env("KUBECONFIG", kubeconfig.path()).run()
    };
    let project = Project::fixture("artifacts");
    Run::new(limited(&project, &[])).code(0);
    let second = Run::new(limited(&project, &["letters"]));
    assert!(second.code(0).output("letters").contains(&"2"), "the cache of the first run");
    assert_eq!(left(&lab, "role"), "");
    lab.kubectl(&["get", "namespace", "role"]);

    let own = project
        .podline(&["run", "--context", "limited"])
        .env("KUBECONFIG", kubeconfig.path())
        .run()
        .expect(3);
    assert!(own.stderr.contains("create namespaces"), "{own}");
    assert!(own.stderr.contains("`--namespace NAME` takes one that is there"), "{own}");
}

#[test]
fn a_verb_that_the_role_lacks_is_named_before_anything_is_made() {
    let Some(lab) = Lab::up() else { return };
    lab.namespace("verbs", "");
    let role = documented("kind: Role\n")
        .replace("\"watch\"", "\"patch\"")
        .replace("\"pods/exec\"", "\"pods/attach\"");
    let kubeconfig = lab.account("verbs", &role);
    let seen = Project::fixture("hello")
        .podline(&["run", "--context", "limited", "--namespace", "verbs"])
        .env("KUBECONFIG", kubeconfig.path())
        .run()
        .expect(3);
    let text = seen.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains("watch pods, create pods/exec, get pods/exec"), "{seen}");
    assert!(text.contains("resources: [\"pods/exec\"] verbs: [\"create\", \"get\"]"), "{seen}");
    assert_eq!(left(&lab, "verbs"), "");
}

const QUOTA: &str = "
apiVersion: v1
kind: ResourceQuota
metadata: { name: small, namespace: quota }
spec: { hard: { pods: '2', limits.memory: 3Gi } }
";

#[test]
fn a_quota_decides_how_many_jobs_run_and_a_job_waits_for_room() {
    let Some(lab) = Lab::up() else { return };
    lab.namespace("quota", QUOTA);
    let blocker = "apiVersion: v1\nkind: Pod\nmetadata: { name: blocker, namespace: quota }\nspec:\n  \
                   terminationGracePeriodSeconds: 0\n  containers: [{ name: c, image: 'busybox:1.36', command: [sleep, '600'], \
                   resources: { limits: { memory: 2Gi } } }]\n";
    let project = Project::with(
        "image: busybox:1.36\none: { script: [echo one] }\ntwo: { script: [echo two] }\nthree: { script: [echo three] }\n",
    );
    let free = run(&lab, &project, &["--namespace", "quota"]);
    free.code(0);
    let sentence = "2 pods at once: what fits the quota `small`";
    assert!(free.notices().any(|notice| notice.contains(sentence)), "{}", free.notices().collect::<String>());

    lab.apply(blocker);
    let mut live = Live::start(&lab, &project, &["one", "--namespace", "quota"]);
    live.until("waiting for room: the quota `small` has no room");
    lab.kubectl(&["delete", "pod", "blocker", "--namespace", "quota", "--now"]);
    assert!(live.end(0).contains("1 succeeded"));
    assert_eq!(left(&lab, "quota"), "");
}

/// A run that is looked at while it runs.
struct Live {
    child: Child,
    lines: BufReader<ChildStderr>,
    said: String,
}

impl Live {
    /// Starts a run as the administrator of the lab cluster.
    fn start(lab: &Lab, project: &Project, more: &[&str]) -> Self {
        Self::with(&lab.kubeconfig, lab, project, more)
    }

    fn with(kubeconfig: &Path, lab: &Lab, project: &Project, more: &[&str]) -> Self {
        let context = lab.context();
        let mut all = vec!["run", "--context", &context, "--output", "plain"];
        all.extend(more);
        let mut child = project.podline(&all).env("KUBECONFIG", kubeconfig).start();
        let lines = BufReader::new(child.stderr.take().expect("stderr is piped"));
        Self { child, lines, said: String::new() }
    }

    /// Waits until a line has this text.
    fn until(&mut self, text: &str) {
        let mut line = String::new();
        while !line.contains(text) {
            line.clear();
            assert!(
                self.lines.read_line(&mut line).expect("a line") > 0,
                "never `{text}` in:\n{}",
                self.said
            );
            self.said.push_str(&line);
        }
    }

    /// Waits for its end. All that it said.
    fn end(mut self, code: i32) -> String {
        self.lines.read_to_string(&mut self.said).expect("text");
        let status = self.child.wait().expect("podline ends");
        assert_eq!(status.code(), Some(code), "{}", self.said);
        self.said
    }
}

const STRICT: &str = "
apiVersion: v1
kind: Namespace
metadata: { name: strict, labels: { pod-security.kubernetes.io/enforce: restricted } }
";

const RANGE: &str = "
apiVersion: v1
kind: LimitRange
metadata: { name: range, namespace: range }
spec: { limits: [{ type: Container, max: { cpu: 500m } }] }
---
apiVersion: v1
kind: ResourceQuota
metadata: { name: tiny, namespace: tiny }
spec: { hard: { limits.cpu: 500m } }
";

#[test]
fn a_pod_that_the_namespace_forbids_fails_with_what_to_do() {
    let Some(lab) = Lab::up() else { return };
    lab.namespace("tiny", "");
    lab.namespace("range", RANGE);
    lab.namespace("strict", STRICT);
    let project = Project::with("image: busybox:1.36\none: { script: [echo one] }\n");
    let rows = [
        (
            "strict",
            "violates PodSecurity \"restricted:latest\"",
            "pod-security.kubernetes.io/enforce: baseline",
        ),
        ("range", "maximum cpu usage per Container is 500m", "lower cpu for the container"),
        ("tiny", "exceeded quota: tiny", "could never hold it"),
    ];
    for (namespace, said, help) in rows {
        let seen = run(&lab, &project, &["--namespace", namespace]);
        let failure = &seen.code(1).finished("one")["failure"];
        assert_eq!(failure["reason"], "runner_configuration_error", "{namespace}");
        assert!(failure["message"].as_str().expect("a message").contains(said), "{failure}");
        assert!(failure["help"].as_str().expect("a way out").contains(help), "{failure}");
        assert_eq!(left(&lab, namespace), "");
    }
}

const SLOW: &str = "image: busybox:1.36\none: { script: [echo ready, sleep 600] }\n";

#[test]
fn what_a_killed_run_has_left_is_removed_by_prune_and_by_the_next_run() {
    let Some(lab) = Lab::up() else { return };
    lab.namespace("killed", "");
    let project = Project::with(SLOW);
    let quick = Project::with("image: busybox:1.36\none: { script: ['true'] }\n");
    let context = lab.context();
    for place in [&["--namespace", "killed"][..], &[]] {
        for next in ["prune", "run"] {
            let mut live = Live::start(&lab, &project, place);
            live.until("| ready");
            live.child.kill().expect("podline is killed");
            live.child.wait().expect("podline is killed");
            let own = live.said.split('`').nth(1).expect("the step names the namespace").to_owned();
            let remains = || match place {
                [] => {
                    let phase = "--output=jsonpath={.status.phase}";
                    let found = lab.kubectl(&["get", "namespace", &own, "--ignore-not-found", phase]);
                    found.replace("Terminating", "")
                }
                _ => left(&lab, "killed"),
            };
            assert_ne!(remains(), "", "the run was killed in the middle of it");
            if next == "prune" {
                let arguments: Vec<&str> =
                    ["cluster", "prune", "--context", &context].iter().chain(place).copied().collect();
                let pruned = project.podline(&arguments).env("KUBECONFIG", &lab.kubeconfig).run().expect(0);
                assert!(pruned.stderr.contains("removed what was left of"), "{pruned}");
            } else {
                run(&lab, &quick, place).code(0);
            }
            assert_eq!(remains(), "", "{place:?} {next}");
        }
    }
}

/// Each job runs on another node than the one before, which the test sees to.
#[test]
fn caches_artifacts_and_sources_do_not_depend_on_the_node() {
    let Some(lab) = Lab::up() else { return };
    lab.namespace("nodes", "");
    let wait = "until test -e /tmp/go; do sleep 0.1; done";
    let project = Project::with(&format!(
        "image: busybox:1.36\nstages: [make, use]\n\
         make: {{ stage: make, cache: {{ key: c, paths: [cached] }}, artifacts: {{ paths: [made] }}, \
         script: ['echo 1 > made; echo 2 > cached; echo ready; {wait}'] }}\n\
         use: {{ stage: use, cache: {{ key: c, paths: [cached] }}, script: ['cat made cached source'] }}\n"
    ));
    project.write("source", "3\n");
    project.git(&["add", "source"]);
    let mut live = Live::start(&lab, &project, &["--namespace", "nodes"]);
    live.until("| ready");
    let list = |what| {
        lab.kubectl(&[
            "get",
            "pods",
            "--namespace",
            "nodes",
            "--output",
            &format!("jsonpath={{.items[0]{what}}}"),
        ])
    };
    let (pod, node) = (list(".metadata.name"), list(".spec.nodeName"));
    lab.kubectl(&["cordon", &node]);
    lab.kubectl(&["exec", "--namespace", "nodes", &pod, "--container", "build", "--", "touch", "/tmp/go"]);
    live.until("[use] success");
    lab.kubectl(&["uncordon", &node]);
    let said = live.end(0);
    let printed: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("use  | ")).collect();
    assert!(printed.windows(3).any(|lines| lines == ["1", "2", "3"]), "{said}");
    let at = lab.kubectl(&[
        "get",
        "events",
        "--namespace",
        "nodes",
        "--field-selector=reason=Scheduled",
        "--output=jsonpath={.items[*].message}",
    ]);
    let others = at.split("Successfully").filter(|event| !event.is_empty() && !event.contains(&node)).count();
    assert_eq!(others, 1, "one of two on the other node: {at}");
}

/// Prints a hundred lines in ten seconds.
const COUNT: &str =
    "image: busybox:1.36\none: { script: ['for n in $(seq 100); do echo line $n; sleep 0.1; done'] }\n";

#[test]
fn a_connection_that_breaks_for_a_while_costs_no_line_and_repeats_none() {
    let Some(lab) = Lab::up() else { return };
    lab.namespace("broken", "");
    let wire = Wire::to(&lab.server());
    let kubeconfig = lab.kubeconfig_over(&wire);
    let project = Project::with(COUNT);
    let mut live = Live::with(kubeconfig.path(), &lab, &project, &["--namespace", "broken"]);
    for (line, refusals) in [("| line 20", 3), ("| line 60", 9)] {
        live.until(line);
        wire.cut();
        wire.wait_for_refusals(refusals);
        wire.mend();
    }
    let said = live.end(0);
    let lines: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("one | line ")).collect();
    let expected: Vec<String> = (1..=100).map(|number: u32| number.to_string()).collect();
    assert_eq!(lines, expected, "{said}");
    assert_eq!(left(&lab, "broken"), "");
}

#[test]
fn a_cluster_that_is_gone_for_good_ends_the_run_with_the_reason() {
    let Some(lab) = Lab::up() else { return };
    lab.namespace("gone", "");
    let wire = Wire::to(&lab.server());
    let kubeconfig = lab.kubeconfig_over(&wire);
    let project = Project::with(SLOW);
    let mut live = Live::with(kubeconfig.path(), &lab, &project, &["--namespace", "gone"]);
    live.until("| ready");
    wire.cut();
    let said = live.end(3);
    assert!(
        said.contains("error: lost the connection while asking whether the cluster still answers"),
        "{said}"
    );
    assert!(said.contains("not everything was removed"), "{said}");
    let context = lab.context();
    let arguments = ["cluster", "prune", "--context", &context, "--namespace", "gone"];
    project.podline(&arguments).env("KUBECONFIG", &lab.kubeconfig).run().expect(0);
    assert_eq!(left(&lab, "gone"), "");
}

/// A server that the current context of the user's kubeconfig points to: production, say.
#[test]
fn a_run_in_a_cluster_of_podlines_own_never_talks_to_the_users_current_context() {
    if !cluster::is_up() {
        return;
    }
    let production = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = production.local_addr().expect("an address");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let kubeconfig = folder.path().join("config");
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: production\n\
         clusters: [{{ name: c, cluster: {{ server: 'http://{address}' }} }}]\nusers: [{{ name: u, user: {{}} }}]\n\
         contexts: [{{ name: production, context: {{ cluster: c, user: u, namespace: shop }} }}]\n"
    );
    std::fs::write(&kubeconfig, &text).expect("a file can be written");
    let project = Project::with("image: busybox:1.36\none: { script: ['true'] }\n");
    let here = cluster::name();
    let commands: [(&[&str], i32); 4] = [
        (&["run", "--engine", "kind", "--cluster", &here], 0),
        (&["run", "--engine", "kube"], 2),
        (&["cluster", "list"], 0),
        (&["cluster", "prune"], 0),
    ];
    for (arguments, code) in commands {
        project.podline(arguments).env("KUBECONFIG", &kubeconfig).run().expect(code);
    }
    production.set_nonblocking(true).expect("a socket");
    let visitor = production.accept();
    assert!(visitor.is_err(), "somebody came to {address}: {visitor:?}");
    assert_eq!(std::fs::read_to_string(&kubeconfig).expect("it is still there"), text);
    // the trap works
    let asked = project.podline(&["run", "--context", "production"]).env("KUBECONFIG", &kubeconfig).start();
    production.set_nonblocking(false).expect("a socket");
    drop(production.accept().expect("a context that is named is asked"));
    drop(production);
    let seen = Seen::of(&asked.wait_with_output().expect("podline ends")).expect(3);
    assert!(seen.stderr.contains("the cluster of the context `production` does not answer"), "{seen}");
}

/// A proxy that has lost its backend, say.
#[test]
fn an_api_server_that_takes_requests_and_never_answers_is_told() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let kubeconfig = folder.path().join("config");
    let text = format!(
        "apiVersion: v1\nkind: Config\nclusters: [{{ name: c, cluster: {{ server: 'http://{address}' }} }}]\n\
         users: [{{ name: u, user: {{}} }}]\ncontexts: [{{ name: silent, context: {{ cluster: c, user: u }} }}]\n"
    );
    std::fs::write(&kubeconfig, &text).expect("a file can be written");
    let project = Project::with("image: busybox:1.36\none: { script: ['true'] }\n");
    let seen =
        project.podline(&["run", "--context", "silent"]).env("KUBECONFIG", &kubeconfig).run().expect(3);
    let told = seen.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    let expected = "the cluster of the context `silent` does not answer: the API server took the request and has not \
                    answered for 30 s";
    assert!(told.contains(expected), "{seen}");
}
