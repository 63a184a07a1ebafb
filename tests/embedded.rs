//! Runs without Docker, in namespaces of this machine.

#![cfg(target_os = "linux")]

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::support::{Podline, Project, Run};

/// A machine for podline alone: its folders, and no Docker.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder") }
    }

    fn podline(&self, project: &Project, arguments: &[&str]) -> Podline {
        project
            .podline(arguments)
            .env("DOCKER_HOST", "unix:///nowhere/docker.sock")
            .env("PODLINE_STATE", self.folder.path().join("state"))
            .env("PODLINE_CACHE", self.folder.path().join("cache"))
    }

    fn run(&self, project: &Project, arguments: &[&str]) -> Run {
        let mut all = vec!["run", "--format", "json"];
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

/// Waits until something is so.
fn eventually(what: &str, is_so: impl Fn() -> bool) {
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
    let seen = Machine::new().podline(&project, &["run", "--engine", "embedded", "--plain"]).run().expect(3);
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
fn two_pods_that_listen_on_one_port_do_not_collide() {
    if !is_root() || Command::new("nc").arg("-h").output().is_err() {
        return skipped("it needs root, for networks of pods, and `nc`");
    }
    let listen = "nc -l -p 5432 </dev/null & sleep 1; kill $! && echo listened";
    let job = format!("image: none\n  script: ['{listen}']\n");
    let project = Project::with(&format!("one:\n  {job}two:\n  {job}"));
    let run = Machine::new().run(&project, &["--image-fallback", "host"]);
    run.code(0);
}

#[test]
fn a_killed_run_leaves_nothing_after_the_next() {
    let machine = Machine::new();
    let project = Project::with("job: { image: none, script: ['echo up', 'sleep 600'] }\n");
    let flags = ["run", "--image-fallback", "host", "--format", "json"];
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

fn is_root() -> bool {
    Command::new("id").arg("-u").stderr(Stdio::null()).output().is_ok_and(|output| output.stdout == b"0\n")
}

#[expect(clippy::print_stderr, reason = "a test that cannot run says why")]
fn skipped(reason: &str) {
    eprintln!("skipped: {reason}");
}
