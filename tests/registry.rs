//! Images from a real registry, Debian's `docker-registry`, on a port of this machine; without Docker on the way
//! to the job.

#![cfg(target_os = "linux")]

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use base64::Engine as _;

use crate::{
    kind::kubectl,
    support::{Project, Run, Seen, cluster},
};

/// Who may pull where a login is wanted, and how the registry knows: the password is `secret`.
const USER: &str = "ada";
const HTPASSWD: &str = "ada:$2y$05$podlinepodlinepodlineu.JjravAmLeCeZrCKMKmhnit0xKKWo0K\n";

/// The image that the lab's Docker has.
const IMAGE: &str = "busybox:1.36";

/// A registry that ends with the test.
struct Registry {
    folder: tempfile::TempDir,
    port: u16,
    process: Child,
}

impl Registry {
    /// A registry with `busybox:1.36`; none, with the reason, where it cannot be started or filled.
    fn start(wants_login: bool) -> Option<Self> {
        if Command::new("docker-registry").arg("--version").output().is_err() {
            return skipped("docker-registry is not installed: `apt-get install docker-registry`");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let port = free_port();
        let root = folder.path().display();
        let auth = format!("auth: {{htpasswd: {{realm: here, path: {root}/htpasswd}}}}\n");
        let config = format!(
            "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: {root}/images}}}}\n\
             http: {{addr: '127.0.0.1:{port}'}}\n{}",
            if wants_login { &auth } else { "" }
        );
        fs::write(folder.path().join("htpasswd"), HTPASSWD).expect("a file");
        fs::write(folder.path().join("config.yml"), config).expect("a file");
        let mut command = Command::new("docker-registry");
        command
            .arg("serve")
            .arg(folder.path().join("config.yml"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = command.spawn().expect("the registry can be started");
        let registry = Self { folder, port, process };
        registry.log_in();
        registry.wait();
        registry
            .push()
            .then_some(registry)
            .or_else(|| skipped("Docker does not answer, or has no busybox:1.36"))
    }

    fn name(&self) -> String {
        format!("localhost:{}", self.port)
    }

    fn image(&self) -> String {
        format!("{}/{IMAGE}", self.name())
    }

    /// The folder that `docker login` would have left.
    fn login(&self) -> &Path {
        self.folder.path()
    }

    fn log_in(&self) {
        let auth = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:secret"));
        let config = serde_json::json!({"auths": {self.name(): {"auth": auth}}});
        fs::write(self.login().join("config.json"), config.to_string()).expect("a file");
    }

    fn wait(&self) {
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(20), "the registry listens");
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn push(&self) -> bool {
        let docker = |arguments: &[&str]| {
            let mut command = Command::new("docker");
            command.arg("--config").arg(self.login()).args(arguments);
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        };
        let image = self.image();
        let is_pushed = docker(&["tag", IMAGE, &image]) && docker(&["push", &image]);
        docker(&["rmi", &image]);
        is_pushed
    }

    /// Goes on within the node of the cluster that all tests share: under `localhost` a node asks without TLS.
    /// Whether that can be done here.
    fn move_into_the_node(&mut self) -> bool {
        let node = format!("podline-{}-control-plane", cluster::name());
        let inspected =
            Command::new("docker").args(["inspect", "--format", "{{.State.Pid}}", &node]).output();
        let pid =
            String::from_utf8_lossy(&inspected.expect("docker can be started").stdout).trim().to_owned();
        self.stop();
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/proc/{pid}/ns/net")).args(["docker-registry", "serve"]);
        command.arg(self.folder.path().join("config.yml")).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(process) = command.spawn() else { return false };
        self.process = process;
        let wait =
            format!("until (exec 3<>/dev/tcp/127.0.0.1/{}) 2>/dev/null; do sleep 0.05; done", self.port);
        let listens =
            Command::new("docker").args(["exec", &node, "timeout", "20", "bash", "-c", &wait]).status();
        listens.is_ok_and(|status| status.success())
    }

    fn stop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A port that nobody has.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address").port()
}

/// A machine without Docker: its folders.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn run(&self, project: &Project, docker_config: Option<&Path>) -> Run {
        let podline = project
            .podline(&["run", "--engine", "embedded", "--format", "json"])
            .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
            .env("DOCKER_CONFIG", docker_config.unwrap_or(self.0.path()))
            .env("PODLINE_STATE", self.0.path().join("state"))
            .env("PODLINE_CACHE", self.0.path().join("cache"));
        let path = std::env::var("PATH").unwrap_or_default();
        Run::new(podline.env("PATH", format!("{}:{path}", self.0.path().display())).run())
    }
}

fn project(image: &str) -> Project {
    Project::with(&format!("job: {{ image: '{image}', script: [busybox | head -1] }}\n"))
}

fn steps(run: &Run) -> Vec<&str> {
    let started = run.events().iter().filter(|event| event["event"] == "setup_started");
    started.filter_map(|event| event["step"].as_str()).collect()
}

#[test]
fn a_job_runs_in_an_image_that_is_pulled_once() {
    let Some(mut registry) = Registry::start(false) else { return };
    let (machine, image) = (Machine::new(), registry.image());
    let loading = format!("loading `{image}` from {}", registry.name());
    let project = project(&image);
    let first = machine.run(&project, None);
    first.code(0);
    assert!(first.output("job").iter().any(|line| line.starts_with("BusyBox v1")), "{}", first.told());
    assert!(steps(&first).contains(&loading.as_str()), "{:?}", steps(&first));
    registry.stop();
    let second = machine.run(&project, None);
    assert!(!steps(second.code(0)).contains(&loading.as_str()), "it is here: nobody is asked");
}

#[test]
fn a_registry_that_wants_a_login_gets_what_docker_login_left() {
    let Some(registry) = Registry::start(true) else { return };
    let (machine, name) = (Machine::new(), registry.name());
    let project = project(&registry.image());
    let stranger = machine.run(&project, None);
    // the lines of an error are as wide as the terminal
    let told = stranger.code(3).seen.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains(&format!("`docker login {name}` gives podline its credentials")), "{told}");
    machine.run(&project, Some(registry.login())).code(0);

    // the same of the project's variable
    let login = fs::read_to_string(registry.login().join("config.json")).expect("a file");
    let variable = format!("variables: {{ DOCKER_AUTH_CONFIG: '{login}' }}\n");
    let of_project = Project::with(&format!("{variable}{}", project.read(".gitlab-ci.yml")));
    Machine::new().run(&of_project, None).code(0);

    // the same from a helper, as Docker Desktop and the clouds have it
    let machine = Machine::new();
    let helper = machine.0.path().join("docker-credential-podline-test");
    let answer = format!(
        "#!/bin/sh\nread -r server\n[ \"$server\" = {name} ] || exit 1\n\
                          echo '{{\"ServerURL\": \"{name}\", \"Username\": \"{USER}\", \"Secret\": \"secret\"}}'\n"
    );
    fs::write(&helper, answer).expect("a file");
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).expect("its mode");
    let config = serde_json::json!({"credHelpers": {name: "podline-test"}});
    fs::write(machine.0.path().join("config.json"), config.to_string()).expect("a file");
    machine.run(&project, None).code(0);
}

#[test]
fn a_job_whose_image_the_registry_does_not_have_fails_and_others_run() {
    let Some(registry) = Registry::start(false) else { return };
    let (machine, name) = (Machine::new(), registry.name());
    let project = Project::with(&format!(
        "there: {{ image: '{}', script: ['true'] }}\nnot there: {{ image: '{name}/nothing:1', script: ['true'] }}\n",
        registry.image()
    ));
    let run = machine.run(&project, None);
    run.code(1);
    assert_eq!(run.statuses()["there"], "success");
    let failure = &run.finished("not there")["failure"];
    assert_eq!(failure["reason"], "image_pull_failure");
    let message = failure["message"].as_str().expect("a message");
    assert!(message.contains(&format!("`{name}` does not have it: ")), "{message}");
    // of a run with nothing to run on nothing starts
    let nothing = Project::with(&format!("job: {{ image: '{name}/nothing:1', script: ['true'] }}\n"));
    let Seen { code, stderr, .. } = machine.run(&nothing, None).seen;
    assert_eq!(code, Some(3));
    assert!(
        stderr.contains("none of the images is here") && stderr.contains("--image-fallback host"),
        "{stderr}"
    );
}

#[expect(clippy::print_stderr, reason = "a test that cannot run says why")]
fn skipped<T>(reason: &str) -> Option<T> {
    eprintln!("skipped: {reason}");
    None
}

/// Runs a job in the cluster that all tests share, with this folder of Docker's.
fn in_the_cluster(project: &Project, docker_config: &Path) -> Run {
    let name = cluster::name();
    let arguments =
        ["run", "--engine", "kind", "--cluster", &name, "--runner-config", "runner.yml", "--format", "json"];
    Run::new(project.podline(&arguments).env("DOCKER_CONFIG", docker_config).run())
}

#[test]
fn a_cluster_pulls_with_the_login_of_the_user_or_of_the_project() {
    if !cluster::is_up() {
        return;
    }
    let Some(mut registry) = Registry::start(true) else { return };
    if !registry.move_into_the_node() {
        skipped::<()>(
            "a registry cannot be started within the node: that takes root and a Docker of this machine",
        );
        return;
    }
    // the node asks each time: what it has it may not have for others
    let job = format!(
        "job: {{ image: {{ name: '{}', pull_policy: always }}, script: ['echo pulled'] }}\n",
        registry.image()
    );
    let project = |text: &str| {
        let project = Project::with(text);
        let settings = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: cm }\ndata: { KUBERNETES_NAMESPACE: kube-ops }\n";
        project.write("runner.yml", settings);
        project
    };
    let nobody = tempfile::tempdir().expect("a folder");
    let stranger = in_the_cluster(&project(&job), nobody.path());
    stranger.code(1);
    assert_eq!(stranger.finished("job")["failure"]["reason"], "image_pull_failure");

    let user = in_the_cluster(&project(&job), registry.login());
    user.code(0);
    assert_eq!(user.output("job").last(), Some(&"pulled"), "{}", user.told());

    let login = fs::read_to_string(registry.login().join("config.json")).expect("a file");
    let of_project = in_the_cluster(
        &project(&format!("variables: {{ DOCKER_AUTH_CONFIG: '{login}' }}\n{job}")),
        nobody.path(),
    );
    of_project.code(0);

    // the secrets go with their pods
    let secrets = || {
        let format = "jsonpath={range .items[?(@.type==\"kubernetes.io/dockercfg\")]}{.metadata.name} {end}";
        kubectl(&["get", "secrets", "--namespace", "kube-ops", "--output", format])
    };
    let start = Instant::now();
    while !secrets().is_empty() {
        assert!(start.elapsed() < Duration::from_secs(60), "left: {}", secrets());
        thread::sleep(Duration::from_millis(200));
    }
}
