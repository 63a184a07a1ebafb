//! Runs without Docker, in namespaces of this machine.

#![cfg(target_os = "linux")]

use std::{
    fs,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::{Podline, Project, Run};

/// A machine for podline alone: its folders, and no Docker.
pub(crate) struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    pub(crate) fn podline(&self, project: &Project, arguments: &[&str]) -> Podline {
        project
            .podline(arguments)
            .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
            .env("PODLINE_STATE", self.folder.path().join("state"))
            .env("PODLINE_CACHE", self.folder.path().join("cache"))
    }

    fn run(&self, project: &Project, arguments: &[&str]) -> Run {
        let mut all = vec!["run", "--output", "json"];
        all.extend(arguments);
        Run::new(self.podline(project, &all).run())
    }

    /// What is left of pods: folders, mounts, processes.
    fn remains(&self) -> Vec<String> {
        let state = self.folder.path().join("state").display().to_string();
        let mut remains = Vec::new();
        for entry in fs::read_dir(format!("{state}/pods")).into_iter().flatten().flatten() {
            remains.push(entry.path().display().to_string());
        }
        let mounts = fs::read_to_string("/proc/self/mounts").expect("mounts can be read");
        remains.extend(mounts.lines().filter(|line| line.contains(&state)).map(str::to_owned));
        remains.extend(self.sandboxes().into_iter().map(|pid| format!("process {pid}")));
        remains
    }

    fn sandboxes(&self) -> Vec<u32> {
        let state = self.folder.path().display().to_string();
        let processes = fs::read_dir("/proc").expect("processes can be listed").flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid: &u32| {
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).into_owned();
            command.contains("__sandbox") && command.contains(&state)
        })
        .collect()
    }
}

/// A user without any rights, and podline where this user finds it.
struct User {
    machine: Machine,
    program: PathBuf,
    id: u32,
}

impl User {
    /// Some user who is not in `/etc/passwd`, or the one who runs the tests; none where users may not make
    /// namespaces.
    fn nobody_knows() -> Option<Self> {
        Self::with_id(54_321)
    }

    /// A user with subordinate ids, as `useradd` makes one.
    fn with_subordinate_ids() -> Option<Self> {
        let owners = fs::read_to_string("/etc/subuid").unwrap_or_default();
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let ids = owners.lines().filter_map(|line| {
            let name = format!("{}:", line.split(':').next()?);
            let user = passwd.lines().find(|line| line.starts_with(&name))?;
            user.split(':').nth(2)?.parse().ok()
        });
        let id = ids.into_iter().find(|id| *id != 0)?;
        Command::new("newuidmap").output().ok()?;
        Self::with_id(id)
    }

    fn with_id(id: u32) -> Option<Self> {
        let id = if is_root() { id } else { own_id() };
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--pid", "--fork", "--mount-proc", "true"]);
        let may = unshare.uid(id).gid(id).stderr(Stdio::null()).status();
        if !may.is_ok_and(|status| status.success()) {
            return None;
        }
        let machine = Machine::new();
        let program = machine.folder.path().join("podline");
        fs::copy(env!("CARGO_BIN_EXE_podline"), &program).expect("podline can be copied");
        own(machine.folder.path(), id);
        Some(Self { machine, program, id })
    }

    fn run(&self, project: &Project, arguments: &[&str]) -> Run {
        own(&project.path(), self.id);
        let flags = ["run", "--engine", "embedded", "--image-fallback", "host", "--format", "json"];
        let podline = project.podline_at(&self.program, &[&flags, arguments].concat());
        let podline = podline
            .env("HOME", self.machine.folder.path())
            .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
            .env("PODLINE_STATE", self.machine.folder.path().join("state"))
            .env("PODLINE_CACHE", self.machine.folder.path().join("cache"));
        Run::new(if is_root() { podline.by(self.id) } else { podline }.run())
    }
}

/// Gives a folder, and the one that it is in, to a user.
fn own(folder: &Path, user: u32) {
    if is_root() {
        let parent = folder.parent().filter(|parent| *parent != std::env::temp_dir());
        let all = [Some(folder), parent].into_iter().flatten();
        let chown = Command::new("chown").args(["-R", &format!("{user}:{user}")]).args(all).status();
        assert!(chown.is_ok_and(|status| status.success()), "{}", folder.display());
    }
}

/// Waits until something is so.
pub(crate) fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let start = Instant::now();
    while !is_so() {
        assert!(start.elapsed() < Duration::from_secs(30), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn the_first_command_of_the_readme_works_without_docker() {
    let machine = Machine::new();
    let run = machine.run(&Project::fixture("hello"), &[]);
    run.code(0);
    assert!(run.statuses().values().all(|status| *status == "success"));
    for job in run.statuses().keys() {
        // every job says so that does not run in its image
        run.position("job_remark", job);
    }
    assert!(run.output("test:sorted").contains(&"the words are in order"));
    assert_eq!(machine.remains(), Vec::<String>::new());
}

#[test]
fn a_run_without_any_image_is_told_the_ways_out() {
    let project = Project::with("job: { image: 'nowhere.example/none:1', script: ['true'] }\n");
    let seen = Machine::new()
        .podline(&project, &["run", "--engine", "embedded", "--output", "plain"])
        .run()
        .expect(3);
    assert!(seen.stderr.contains("none of the images is here"), "{seen}");
    assert!(seen.stderr.contains("nowhere.example/none:1"), "{seen}");
    assert!(seen.stderr.contains("--image-fallback host"), "{seen}");
}

#[test]
fn a_job_on_the_hosts_files_changes_none_of_them_and_sees_no_home() {
    let machine = Machine::new();
    let probe = machine.folder.path().join("probe");
    let project = Project::with(&format!(
        "job:\n  image: none\n  script:\n    - touch /etc/podline-test /usr/podline-test {} 2>/dev/null || true\n    \
         - ls -A /root /home | grep -v ':$' | grep . && exit 1\n    - echo hidden\n",
        probe.display()
    ));
    let run = machine.run(&project, &["--image-fallback", "host"]);
    run.code(0);
    assert!(run.output("job").contains(&"hidden"));
    for path in [Path::new("/etc/podline-test"), Path::new("/usr/podline-test"), &probe] {
        assert!(!path.exists(), "{}", path.display());
    }
}

#[test]
fn what_a_job_does_to_its_sources_no_other_job_sees() {
    // `mv` would copy where the kernel does not rename
    let perl = Command::new("perl").arg("-v").output();
    if perl.is_err() {
        return skipped("it needs `perl`");
    }
    let project = Project::with(
        "default: { image: none }\nchanges:\n  stage: build\n  script:\n    \
         - perl -e 'rename(\"folder\", \"moved\") or die $!' && test ! -e folder && cat moved/file\n    \
         - echo more >> top && rm .gitlab-ci.yml && mkdir out && ln top out/hard\n    \
         - git add -A && git -c user.name=a -c user.email=a@b commit -qm own && git status --porcelain\n  \
         artifacts: { paths: [out] }\nsees:\n  stage: test\n  script:\n    \
         - git status --porcelain\n    - cat folder/file top out/hard\n    - git log --format=%s | grep own || true\n    \
         - stat -c '%a' . top folder .git\n",
    );
    project.write("folder/file", "a file\n").write("top", "top\n");
    project.git(&["add", "-A"]);
    project.git(&["commit", "-qm", "files"]);
    let run = Machine::new().run(&project, &["--image-fallback", "host"]);
    run.code(0);
    let lines: Vec<_> = run.output("sees").into_iter().filter(|line| !line.contains("$ ")).collect();
    assert_eq!(
        lines[lines.len() - 9..],
        ["?? out/", "a file", "top", "top", "more", "777", "666", "777", "777"]
    );
}

#[test]
fn two_pods_that_listen_on_one_port_do_not_collide() {
    if !is_root() || Command::new("python3").arg("--version").output().is_err() {
        return skipped("it needs root, for networks of pods, and `python3`");
    }
    Machine::new().run(&Project::with(&two_that_listen()), &["--image-fallback", "host"]).code(0);
}

#[test]
fn a_job_has_the_limits_of_its_container_and_may_change_nothing_of_the_kernel() {
    if !is_root() {
        return skipped("it needs root, for limits");
    }
    // v1 and v2 have them at different places
    let project = Project::with(
        "job:\n  image: none\n  script:\n    \
         - cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null || true\n    \
         - cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null || true\n    \
         - if (echo 1 > /proc/sys/kernel/core_uses_pid) 2>/dev/null; then exit 2; fi\n    \
         - if mount -t tmpfs none /mnt 2>/dev/null; then exit 3; fi\n    \
         - if [ -s /proc/keys ]; then exit 4; fi\n    \
         - if (echo 0 > /sys/fs/cgroup/memory/memory.limit_in_bytes) 2>/dev/null; then exit 5; fi\n",
    );
    let run = Machine::new().run(&project, &["--image-fallback", "host"]);
    run.code(0);
    let lines = run.output("job");
    // what the runner sets where nothing else is said
    assert!(lines.contains(&"1073741824") && lines.contains(&"32768"), "{lines:?}");
}

#[test]
fn a_killed_run_leaves_nothing_after_the_next() {
    let machine = Machine::new();
    let project = Project::with("job: { image: none, script: ['echo up', 'sleep 600'] }\n");
    let flags = ["run", "--image-fallback", "host", "--output", "json"];
    let mut child = machine.podline(&project, &flags).start();
    eventually("the pod runs", || machine.sandboxes().len() >= 2);
    child.kill().expect("it can be killed");
    child.wait().expect("it has ended");
    // the pod dies with podline, without anybody's help
    eventually("the pod has ended", || machine.sandboxes().is_empty());
    let quick = Project::with("job: { image: none, script: ['true'] }\n");
    machine.run(&quick, &["--image-fallback", "host"]).code(0);
    assert_eq!(machine.remains(), Vec::<String>::new());
}

#[test]
fn a_user_without_rights_runs_the_same_jobs_and_is_told_once_what_is_missing() {
    let Some(user) = User::nobody_knows() else {
        return skipped("users may not make namespaces with a /proc of their own on this machine");
    };
    let run = user.run(&Project::fixture("hello"), &[]);
    run.code(0);
    assert!(run.statuses().values().all(|status| *status == "success"));
    assert!(run.output("test:sorted").contains(&"the words are in order"));
    assert_eq!(run.notices().filter(|it| it.contains("are not enforced")).count(), 1);
    assert_eq!(user.machine.remains(), Vec::<String>::new());
}

#[test]
fn with_subordinate_ids_a_job_has_other_users_than_root() {
    let Some(user) = User::with_subordinate_ids() else {
        return skipped("it needs `newuidmap` and a user with a line in /etc/subuid");
    };
    let script = "touch mine && chown 1000:1000 mine && stat -c 'owned by %u:%g' mine";
    let run = user.run(&Project::with(&format!("job: {{ image: none, script: [\"{script}\"] }}\n")), &[]);
    run.code(0);
    assert!(run.output("job").contains(&"owned by 1000:1000"), "{:?}", run.output("job"));
    assert_eq!(user.machine.remains(), Vec::<String>::new());
}

#[test]
fn without_root_pasta_keeps_the_ports_of_two_pods_apart() {
    let Some(user) = User::nobody_knows() else {
        return skipped("users may not make namespaces with a /proc of their own on this machine");
    };
    if Command::new("pasta").arg("--version").output().is_err() || !Path::new("/dev/net/tun").exists() {
        return skipped("it needs `pasta` (Debian's package `passt`) and /dev/net/tun");
    }
    user.run(&Project::with(&two_that_listen()), &[]).code(0);
}

#[test]
fn a_job_reaches_the_outside_as_this_machine_does() {
    // an address that this machine is set up to reach, if any
    let npm = Command::new("npm").args(["config", "get", "registry"]).output();
    let url = npm.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    let curl =
        |url: &str| format!("curl --silent --show-error --fail --max-time 20 --output /dev/null {url}");
    let reached = Command::new("sh").args(["-c", &curl(&url)]).status();
    if url.is_empty() || !reached.is_ok_and(|status| status.success()) {
        return skipped("it needs a machine that reaches npm's registry, with `curl`");
    }
    let project = Project::with(&format!("job: {{ image: none, script: ['{}'] }}\n", curl(&url)));
    if is_root() {
        let run = Machine::new().run(&project, &["--image-fallback", "host"]);
        assert_eq!(run.code(0).notices().filter(|it| it.contains("network")).count(), 0);
    }
    if let Some(user) = User::nobody_knows() {
        user.run(&project, &[]).code(0);
    }
}

/// Two jobs at once that listen on one port, on 127.0.0.1 as a service would.
fn two_that_listen() -> String {
    let listen = "python3 -c 'import socket,time; s=socket.create_server((\\\"127.0.0.1\\\",5432)); \
                  c=socket.create_connection((\\\"127.0.0.1\\\",5432)); time.sleep(1)'";
    let job = format!("image: none\n  script: [\"{listen}\"]\n");
    format!("one:\n  {job}two:\n  {job}")
}

fn is_root() -> bool {
    own_id() == 0
}

fn own_id() -> u32 {
    let output = Command::new("id").arg("-u").output().expect("`id` can be started");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}

#[expect(clippy::print_stderr, reason = "a test that cannot run says why")]
fn skipped(reason: &str) {
    eprintln!("skipped: {reason}");
}
