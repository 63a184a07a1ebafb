//! The supervisor and the generated scripts, run for real by the shells of this machine.

use std::{
    fs,
    io::Read,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    HELPER, HOOK, HOOK_READY, HOOK_SCRIPT, READY, SETTINGS, SUPERVISOR, SUPERVISOR_FILE, WAIT, generate,
};
use crate::runner::{build::BuildVariable, fixture::a_build};

const NONCE: &str = "n0nce";

/// Every kind of sh that images come with, as far as this machine has it.
fn shells() -> Vec<Vec<&'static str>> {
    [&["/bin/bash", "--posix"][..], &["/bin/bash"], &["/usr/bin/dash"], &["/usr/bin/busybox", "sh"]]
        .into_iter()
        .filter(|words| Path::new(words[0]).exists())
        .map(<[&str]>::to_vec)
        .collect()
}

/// A folder as a pod's volumes hold it when the job may start.
struct Pod {
    folder: tempfile::TempDir,
    settings: String,
}

struct Ended {
    output: String,
    code: Option<i32>,
    message: String,
}

impl Pod {
    fn new(script: &[&str]) -> Self {
        Self::with_after(script, &[])
    }

    fn with_after(script: &[&str], after_script: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let project = folder.path().join("project");
        fs::create_dir(&project).expect("a folder");
        fs::create_dir(folder.path().join("project.tmp")).expect("a folder");
        fs::create_dir(folder.path().join("cgroup")).expect("a folder");
        let mut build = a_build(script);
        build.project_dir = project.to_string_lossy().into_owned();
        build.after_script = after_script.iter().map(|item| (*item).to_owned()).collect();
        build.variables = vec![BuildVariable {
            key: "MESSAGE".to_owned(),
            value: "it's $HOME \\n \"x\"\nsecond line".to_owned(),
            masked: false,
            file: false,
        }];
        let pod = Self { folder, settings: format!("nonce={NONCE}\nstop_limit=0.3\n") };
        pod.write("script", &generate::script(&build));
        if let Some(text) = generate::after_script(&build) {
            pod.write("after_script", &text);
        }
        for (name, content) in generate::files(&build) {
            pod.write(&format!("project.tmp/{name}"), content);
        }
        pod
    }

    fn setting(mut self, line: &str) -> Self {
        self.settings.push_str(line);
        self.settings.push('\n');
        self
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).expect("a file");
    }

    fn ready(&self) {
        self.write(SETTINGS, &self.settings);
        self.write(SUPERVISOR_FILE, SUPERVISOR);
        self.write(READY, "");
    }

    /// Starts the supervisor in a shell.
    fn spawn(&self, shell: &[&str]) -> Child {
        self.start(shell, &[&self.folder.path().join(SUPERVISOR_FILE).to_string_lossy()])
    }

    /// Starts what waits for the supervisor in a shell.
    fn spawn_waiting(&self, shell: &[&str]) -> Child {
        self.start(shell, &["-c", WAIT, "podline"])
    }

    fn start(&self, shell: &[&str], words: &[&str]) -> Child {
        Command::new(shell[0])
            .args(&shell[1..])
            .args(words)
            .arg(self.folder.path())
            .arg(self.folder.path().join("cgroup"))
            .arg(self.folder.path().join("message"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell")
    }

    fn run(&self, shell: &[&str]) -> Ended {
        self.ready();
        let child = self.spawn(shell);
        self.end(child)
    }

    fn end(&self, mut child: Child) -> Ended {
        let code = child.wait().expect("an exit code").code();
        // Background children may hold the pipe open: take what is there.
        let mut output = Vec::new();
        let mut pipe = child.stdout.take().expect("a pipe");
        let mut chunk = [0; 65536];
        loop {
            let read = pipe.read(&mut chunk).expect("output");
            output.extend_from_slice(&chunk[..read]);
            if read == 0 || contains(&output, "end status=") {
                break;
            }
        }
        let output = String::from_utf8_lossy(&output).into_owned();
        let message = fs::read_to_string(self.folder.path().join("message")).unwrap_or_default();
        for name in ["message", READY, SETTINGS] {
            let _ = fs::remove_file(self.folder.path().join(name));
        }
        Ended { output: visible(&output), code, message }
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    String::from_utf8_lossy(bytes).contains(text)
}

/// Control bytes as people write them, the colour of echoed commands left out.
fn visible(output: &str) -> String {
    output
        .replace("\x1b[32;1m", "")
        .replace("\x1b[0;m", "")
        .replace(&format!("\x1epodline:{NONCE} "), "<mark> ")
}

/// Waits until the output has a text.
fn wait_for(child: &mut Child, text: &str) -> Vec<u8> {
    let mut seen = Vec::new();
    let pipe = child.stdout.as_mut().expect("a pipe");
    let mut chunk = [0; 4096];
    while !contains(&seen, text) {
        let read = pipe.read(&mut chunk).expect("output");
        assert!(read > 0, "{text} never came: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&chunk[..read]);
    }
    seen
}

fn terminate(child: &Child) {
    let done = Command::new("kill").args(["-s", "TERM", &child.id().to_string()]).status();
    assert!(done.expect("kill").success());
}

#[test]
fn a_job_that_succeeds_prints_its_commands_and_marks() {
    for shell in shells() {
        let ended = Pod::new(&["echo one", "echo two"]).run(&shell);
        assert_eq!(
            ended.output,
            "<mark> script\n$ echo one\none\n$ echo two\ntwo\n\
             <mark> end status=success code=0 after=0 oom=0 peak=0\n",
            "{shell:?}"
        );
        assert_eq!(ended.code, Some(0), "{shell:?}");
        assert_eq!(ended.message, "end status=success code=0 after=0 oom=0 peak=0\n");
    }
}

#[test]
fn a_job_without_sources_has_no_hook() {
    let mut build = a_build(&[]);
    build.pre_get_sources_script = vec!["true".to_owned()];
    for (strategy, has_hook) in [("fetch", true), ("clone", true), ("none", false), ("empty", false)] {
        build.variables = vec![BuildVariable {
            key: "GIT_STRATEGY".to_owned(),
            value: strategy.to_owned(),
            masked: false,
            file: false,
        }];
        assert_eq!(generate::hook(&build).is_some(), has_hook, "{strategy}");
    }
}

#[test]
fn a_helper_runs_the_hook_once_it_is_there_and_then_waits() {
    for shell in shells() {
        for (script, said) in [
            ("echo before; pwd >/dev/null", "$ echo before; pwd >/dev/null\nbefore\n<mark> hook code=0\n"),
            ("exit 4", "$ exit 4\n<mark> hook code=4\n"),
        ] {
            let pod = Pod::new(&[]);
            let mut build = a_build(&[]);
            build.pre_get_sources_script = vec![script.to_owned()];
            build.project_dir = "/nowhere/yet".to_owned();
            let mut helper = pod.start(&shell, &["-c", &[HOOK, HELPER].concat(), "podline"]);
            pod.write(HOOK_SCRIPT, &generate::hook(&build).expect("there is one"));
            pod.write(HOOK_READY, NONCE);
            let printed = wait_for(&mut helper, "hook code=");
            assert_eq!(visible(&String::from_utf8_lossy(&printed)), said, "{shell:?}");
            assert!(helper.try_wait().expect("a state").is_none(), "it waits to carry files");
            terminate(&helper);
            assert!(helper.wait().expect("an end").success(), "{shell:?}");
        }
    }
}

/// What the script is, what it prints besides commands and marks, and its exit code.
const FACTS: &[(&[&str], &str, i32)] = &[
    (&["exit 3"], "", 3),
    (&["false", "echo never"], "", 1),
    (&["sh -c 'exit 5'"], "", 5),
    (&["true || exit 4"], "", 0),
    // pipefail where the shell knows it; the shell that is picked is bash or a busybox that does.
    (&["false | cat", "echo never"], "", 1),
    // There is no standard input to wait for.
    (&["cat", "read line || echo none"], "none\n", 0),
    // No -u: an unset variable is empty.
    (&["echo \"[$NOT_SET]\""], "[]\n", 0),
    (&["if true; then\n  echo inside\nfi"], "inside\n", 0),
    (&["cat <<TEXT\na\n b\nTEXT"], "a\n b\n", 0),
    (&["cd /", "pwd"], "/\n", 0),
    (&["printf '%s' \"$MESSAGE\""], "it's $HOME \\n \"x\"\nsecond line", 0),
    (&["echo a > f", "echo b > f", "cat f"], "b\n", 0),
    (&["kill -s KILL $(sh -c 'echo $PPID')"], "", 137),
];

#[test]
fn a_script_means_what_it_means_in_gitlab_runner() {
    for shell in shells() {
        for (script, printed, code) in FACTS {
            let ended = Pod::new(script).run(&shell);
            assert_eq!(ended.code, Some(*code), "{shell:?} {script:?}: {}", ended.output);
            let first = ended.output.strip_prefix("<mark> script\n").expect("the first mark");
            let (inner, _) = first.split_once("<mark> end").expect("the last mark");
            let mut inner = inner.to_owned();
            for item in *script {
                let echo = match item.split_once('\n') {
                    Some((line, _)) => format!("$ {line} # collapsed multi-line command\n"),
                    None => format!("$ {item}\n"),
                };
                inner = inner.replacen(&echo, "", 1);
            }
            assert_eq!(inner, *printed, "{shell:?} {script:?}");
        }
    }
}

#[test]
fn the_script_runs_in_every_kind_of_shell() {
    let pod =
        Pod::new(&["printf '%s\\n' \"$MESSAGE\"", "false | true", "echo on", "sh -c 'exit 6'", "echo never"]);
    for shell in shells() {
        let output = Command::new(shell[0])
            .args(&shell[1..])
            .arg(pod.folder.path().join("script"))
            .output()
            .expect("a shell");
        let text = visible(&String::from_utf8_lossy(&output.stdout));
        // dash before 0.5.13 knows no pipefail: the second line is then no failure.
        let code = if text.contains("\non\n") { 6 } else { 1 };
        assert_eq!(output.status.code(), Some(code), "{shell:?}: {text}");
        assert!(text.contains("it's $HOME \\n \"x\"\nsecond line\n"), "{shell:?}: {text}");
        assert!(!text.contains("\nnever\n"), "{shell:?}: {text}");
    }
}

#[test]
fn after_script_runs_in_a_shell_of_its_own_and_knows_the_status() {
    for shell in shells() {
        let pod = Pod::with_after(
            &["cd /", "export LOST=1", "echo KEPT=2 >> $GITLAB_ENV", "exit 3"],
            &["echo $CI_JOB_STATUS [$LOST] [$KEPT] $(basename $PWD)", "exit 9"],
        );
        let ended = pod.run(&shell);
        assert_eq!(ended.code, Some(3), "{shell:?}");
        let (_, after) = ended.output.split_once("<mark> after_script").expect("a mark");
        assert_eq!(
            after,
            " code=3\nRunning after script...\n\
             $ echo $CI_JOB_STATUS [$LOST] [$KEPT] $(basename $PWD)\nfailed [] [2] project\n$ exit 9\n\
             <mark> end status=failed code=3 after=9 oom=0 peak=0\n",
            "{shell:?}"
        );
    }
}

#[test]
fn a_script_that_takes_too_long_is_stopped_and_no_after_script_follows() {
    for shell in shells() {
        let started = Instant::now();
        let pod = Pod::with_after(&["sleep 30"], &["echo after"]).setting("job_limit=60");
        let ended = pod.run(&shell);
        assert!(started.elapsed() < Duration::from_secs(10), "{shell:?}");
        assert!(ended.output.contains("end status=timeout"), "{shell:?}: {}", ended.output);
        assert!(!ended.output.contains("echo after"), "{shell:?}");
    }
}

#[test]
fn the_pod_s_own_deadline_may_come_a_little_before_the_time_limit() {
    for shell in shells() {
        let pod = Pod::with_after(&["echo begun", "sleep 30"], &["echo after"]).setting("job_limit=140");
        pod.ready();
        let mut child = pod.spawn(&shell);
        wait_for(&mut child, "sleep 30");
        terminate(&child);
        let ended = pod.end(child);
        assert!(ended.message.contains("end status=timeout"), "{shell:?}: {}", ended.message);
        assert!(!ended.output.contains("echo after"), "{shell:?}: {}", ended.output);
    }
}

#[test]
fn nothing_of_the_supervisor_lives_longer_than_it() {
    for shell in shells() {
        // A short script: its timer is taken back while it is still being made.
        for _ in 0..20 {
            let pod = Pod::new(&["true"]);
            pod.run(&shell);
            let folder = pod.folder.path().to_string_lossy().into_owned();
            let left = || processes().into_iter().filter(|line| line.contains(&folder)).collect::<Vec<_>>();
            let started = Instant::now();
            // What was killed takes a moment to go.
            while !left().is_empty() {
                assert!(started.elapsed() < Duration::from_secs(10), "{shell:?}: {:?}", left());
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// The command lines of what runs on this machine.
fn processes() -> Vec<String> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = entries.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).collect()
}

#[test]
fn an_after_script_has_a_limit_of_its_own() {
    for shell in shells() {
        let pod = Pod::with_after(&["true"], &["sleep 30"]).setting("after_script_limit=0.3");
        let ended = pod.run(&shell);
        assert_eq!(ended.code, Some(0), "{shell:?}");
        assert!(ended.output.contains("status=success code=0 after=timeout"), "{shell:?}: {}", ended.output);
    }
}

#[test]
fn a_script_over_its_own_limit_has_failed_and_its_after_script_follows() {
    for shell in shells() {
        let pod = Pod::with_after(&["sleep 30"], &["echo it $CI_JOB_STATUS"]).setting("script_limit=0.3");
        let ended = pod.run(&shell);
        assert!(ended.output.contains("it failed\n"), "{shell:?}: {}", ended.output);
        assert!(ended.output.contains("end status=timeout"), "{shell:?}: {}", ended.output);
    }
}

#[test]
fn term_stops_the_script_and_runs_after_script_as_canceled() {
    for shell in shells() {
        let pod = Pod::with_after(&["echo begun", "sleep 30"], &["echo it was $CI_JOB_STATUS"]);
        pod.ready();
        let mut child = pod.spawn(&shell);
        wait_for(&mut child, "sleep 30");
        let started = Instant::now();
        terminate(&child);
        let ended = pod.end(child);
        assert!(started.elapsed() < Duration::from_secs(10), "{shell:?}");
        assert!(ended.output.contains("it was canceled\n"), "{shell:?}: {}", ended.output);
        assert!(ended.output.contains("end status=canceled"), "{shell:?}: {}", ended.output);
    }
}

#[test]
fn the_pod_s_own_deadline_makes_no_canceled_job_of_one_whose_time_is_up() {
    for shell in shells() {
        let script = "sh -c 'trap \"echo; echo told\" TERM; while :; do sleep 0.05; done'";
        let pod = Pod::with_after(&[script], &["echo after"]).setting("job_limit=60");
        pod.ready();
        let mut child = pod.spawn(&shell);
        wait_for(&mut child, "\ntold");
        terminate(&child);
        let ended = pod.end(child);
        assert!(ended.message.contains("end status=timeout"), "{shell:?}: {}", ended.message);
        assert!(!ended.output.contains("echo after"), "{shell:?}: {}", ended.output);
    }
}

#[test]
fn the_job_s_time_runs_while_files_are_carried_in() {
    let pod = || Pod::new(&["sleep 30"]).setting("job_limit=100");
    let started: Vec<_> = shells()
        .into_iter()
        .map(|shell| (shell.clone(), pod()))
        .map(|(shell, pod)| (pod.spawn_waiting(&shell), shell, pod))
        .collect();
    std::thread::sleep(Duration::from_millis(1600));
    let ready = Instant::now();
    started.iter().for_each(|(_, _, pod)| pod.ready());
    for (child, shell, pod) in started {
        let ended = pod.end(child);
        assert!(ended.message.contains("end status=timeout"), "{shell:?}: {}", ended.message);
        assert!(ready.elapsed() < Duration::from_secs(10), "{shell:?}");
    }
}

#[test]
fn what_ignores_term_is_killed_a_little_later() {
    for shell in shells() {
        let pod = Pod::new(&["sh -c 'trap \"\" TERM; echo deaf; while :; do sleep 1; done'"]);
        pod.ready();
        let mut child = pod.spawn(&shell);
        wait_for(&mut child, "\ndeaf");
        let started = Instant::now();
        terminate(&child);
        let ended = pod.end(child);
        assert!(started.elapsed() < Duration::from_secs(10), "{shell:?}");
        assert!(ended.message.contains("end status=canceled"), "{shell:?}: {}", ended.message);
    }
}

#[test]
fn term_before_the_sources_are_there_ends_it_at_once() {
    for shell in shells() {
        let pod = Pod::new(&["true"]);
        let mut child = pod.spawn_waiting(&shell);
        // Whatever is sent before the trap is set ends it as well.
        terminate(&child);
        let status = child.wait().expect("an exit code");
        assert!(!status.success(), "{shell:?}");
    }
}

#[test]
fn it_waits_for_the_ready_mark() {
    for shell in shells() {
        let pod = Pod::new(&["echo now"]);
        let child = pod.spawn_waiting(&shell);
        pod.ready();
        assert_eq!(pod.end(child).code, Some(0), "{shell:?}");
    }
}

#[test]
fn a_child_in_the_background_does_not_keep_it_alive() {
    for shell in shells() {
        let started = Instant::now();
        let ended = Pod::new(&["sleep 8 &", "echo done"]).run(&shell);
        assert!(started.elapsed() < Duration::from_secs(5), "{shell:?}");
        assert_eq!(ended.code, Some(0), "{shell:?}");
    }
}

#[test]
fn memory_is_read_from_both_kinds_of_cgroup() {
    for shell in shells() {
        let pod = Pod::new(&["true"]);
        pod.write("cgroup/memory.events", "low 0\noom 2\noom_kill 2\noom_group_kill 0\n");
        pod.write("cgroup/memory.peak", "1048576\n");
        let ended = pod.run(&shell);
        assert!(ended.message.contains("oom=2 peak=1048576"), "{shell:?}: {}", ended.message);

        let pod = Pod::new(&["true"]);
        fs::create_dir(pod.folder.path().join("cgroup/memory")).expect("a folder");
        pod.write("cgroup/memory/memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
        pod.write("cgroup/memory/memory.max_usage_in_bytes", "2097152\n");
        let ended = pod.run(&shell);
        assert!(ended.message.contains("oom=1 peak=2097152"), "{shell:?}: {}", ended.message);
    }
}

#[test]
fn files_of_a_job_are_open_to_every_user() {
    for shell in shells() {
        let pod = Pod::new(&["echo x > made"]);
        pod.run(&shell);
        let made = fs::metadata(pod.folder.path().join("project/made")).expect("a file");
        assert_eq!(made.permissions().mode() & 0o777, 0o666, "{shell:?}");
    }
}

#[test]
fn the_helper_goes_at_once_on_term() {
    for shell in shells() {
        let text = HELPER.replace("&\n", "&\n\techo up\n");
        let mut child = Command::new(shell[0])
            .args(&shell[1..])
            .args(["-c", &text])
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        wait_for(&mut child, "up");
        let started = Instant::now();
        // The first may come before the trap is set, and ends it too.
        terminate(&child);
        child.wait().expect("an exit code");
        assert!(started.elapsed() < Duration::from_secs(2), "{shell:?}");
    }
}

#[test]
fn kubernetes_leaves_the_command_as_it_is() {
    let build = a_build(&[]);
    let command = super::build_command(&build);
    assert_eq!(command[2].replace("$$", "$"), WAIT);
    assert_eq!(command[3..], ["podline", "/scripts-42-7"]);
}

#[test]
fn a_script_waits_until_its_services_listen() {
    for shell in shells() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let pod = Pod::new(&["echo here"]).setting(&format!("health_ports={port}"));
        let ended = pod.run(&shell);
        assert!(ended.output.contains(&format!("waiting for TCP connection to localhost on [{port}]...")));
        assert!(ended.output.contains("here\n"), "{shell:?}: {}", ended.output);

        drop(listener);
        let pod =
            Pod::new(&["echo here"]).setting(&format!("health_ports={port}")).setting("health_limit=0.3");
        let ended = pod.run(&shell);
        assert!(ended.output.contains(&format!("unhealthy port={port}")), "{shell:?}: {}", ended.output);
        assert!(!ended.output.contains("here\n"), "{shell:?}: {}", ended.output);
    }
}
