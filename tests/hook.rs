//! `podline hook` with real pushes to a bare repository.

#![expect(clippy::print_stderr, reason = "a test that cannot run says why")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::support::{Project, Seen, cluster};

const GREEN: &str = "
image: busybox:1.36
unit:
  script: [cat message]
";

/// Settings with which jobs run on any machine with Linux, whether it has their images or not.
const ANYWHERE: &str = "[run]\nimage-fallback = \"host\"\n";

/// A project with a remote, the hook installed.
fn pushable(configuration: &str, settings: &str) -> Project {
    let project = Project::with(configuration);
    project.write("message", "hello from the commit\n").write("podline.toml", settings);
    project.write(".git/info/exclude", "podline.toml\n");
    project.git(&["add", "."]);
    project.git(&["commit", "--quiet", "--message", "second"]);
    let bare = project.path().join("../remote.git");
    project.git(&["init", "--quiet", "--bare", &bare.display().to_string()]);
    project.git(&["remote", "add", "origin", &bare.display().to_string()]);
    project.podline(&["hook", "install"]).run().expect(0);
    project
}

fn push(project: &Project, arguments: &[&str]) -> Command {
    let podline = Path::new(env!("CARGO_BIN_EXE_podline")).parent().expect("a file is in a folder");
    let path = std::env::var("PATH").expect("there is a PATH");
    let mut command = Command::new("git");
    command
        .current_dir(project.path())
        .arg("push")
        .args(arguments)
        .env("PATH", format!("{}:{path}", podline.display()))
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("TERM", "dumb")
        .env("LC_ALL", "C.UTF-8")
        .env_remove("CI")
        .stdin(Stdio::null());
    command
}

/// A push on a machine without Docker.
fn push_alone(project: &Project, arguments: &[&str]) -> Seen {
    let own = project.path().join("..");
    let mut command = push(project, arguments);
    command
        .env("DOCKER_HOST", "unix:///nowhere.sock")
        .env("PODLINE_STATE", own.join("state"))
        .env("PODLINE_CACHE", own.join("cache"));
    Seen::of(&command.output().expect("git can be started"))
}

/// The refs of the remote.
fn refs(project: &Project) -> String {
    let bare = project.path().join("../remote.git");
    let output = Command::new("git")
        .args(["for-each-ref", "--format=%(refname)"])
        .current_dir(bare)
        .output()
        .expect("git can be started");
    String::from_utf8_lossy(&output.stdout).trim().replace('\n', " ")
}

fn executable(path: &Path, text: &str) {
    fs::write(path, text).expect("a file can be written");
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a mode can be set");
}

#[test]
fn a_hook_that_was_there_is_kept_runs_first_and_comes_back() {
    let project = Project::with(GREEN);
    let hooks: PathBuf = project.path().join("own hooks");
    project.git(&["config", "core.hooksPath", "own hooks"]);
    fs::create_dir(&hooks).expect("a folder can be made");
    executable(&hooks.join("pre-push"), "#!/bin/sh\necho \"theirs: $1\" >&2\ngrep -q refs/heads || exit 7\n");
    insta::assert_snapshot!(project.podline(&["hook", "install"]).run().to_string(), @r"
    exit code: 0
    ----- stderr -----
    `git push` runs the pipeline first, by `own hooks/pre-push`
    the hook that was there is `own hooks/pre-push.before-podline` now, and runs before it
    to push without it: git push --no-verify; to take it away: podline hook uninstall
    ");
    project.podline(&["hook", "install"]).run().expect(0);

    let bare = project.path().join("../remote.git");
    project.git(&["init", "--quiet", "--bare", &bare.display().to_string()]);
    project.git(&["remote", "add", "origin", &bare.display().to_string()]);
    let seen = push_alone(&project, &["origin", "main"]).expect(0);
    assert!(seen.stderr.starts_with("theirs: origin\n") && seen.stderr.contains("podline: "), "{seen}");
    project.git(&["tag", "v1"]);
    let seen = push_alone(&project, &["origin", "v1"]).expect(1);
    assert!(!seen.stderr.contains("podline: "), "what stops before it stops it: {seen}");

    insta::assert_snapshot!(project.podline(&["hook", "uninstall"]).run().to_string(), @r"
    exit code: 0
    ----- stderr -----
    the hook `own hooks/pre-push` is gone, and the one before it is back
    ");
    assert!(fs::read_to_string(hooks.join("pre-push")).expect("it is back").contains("theirs"));
    let again = project.podline(&["hook", "uninstall"]).run().expect(0);
    assert!(again.stderr.contains("there is no hook of podline"), "{again}");
}

#[test]
fn a_folder_of_hooks_for_all_repositories_is_refused() {
    let project = Project::with(GREEN);
    let shared = project.path().join("../shared");
    let configuration = project.path().join("../gitconfig");
    fs::write(&configuration, format!("[core]\nhooksPath = {}\n", shared.display())).expect("a file");
    let seen = project.podline(&["hook", "install"]).env("GIT_CONFIG_GLOBAL", &configuration).run().expect(2);
    assert!(seen.stderr.contains("git config core.hooksPath .git/hooks"), "{seen}");
    assert!(!shared.exists());
}

#[test]
fn without_an_engine_a_push_goes_on_with_a_warning_unless_that_is_to_stop_it() {
    let kind = "[run]\nengine = \"kind\"\n";
    let project = pushable(GREEN, kind);
    let seen = push_alone(&project, &["origin", "main"]).expect(0);
    assert!(seen.stderr.contains("WARNING: the pipeline could not be run"), "{seen}");
    assert_eq!(refs(&project), "refs/heads/main");

    let project = pushable(GREEN, &format!("{kind}[hook]\non-error = \"stop\"\n"));
    let seen = push_alone(&project, &["origin", "main"]).expect(1);
    assert!(
        seen.stderr.contains("the push is stopped; to push all the same: git push --no-verify"),
        "{seen}"
    );
    assert_eq!(refs(&project), "");
    push_alone(&project, &["--no-verify", "origin", "main"]).expect(0);
    assert_eq!(refs(&project), "refs/heads/main");
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_cluster_a_push_runs_on_this_machine() {
    let configuration = "
image: busybox:1.36
unit:
  script:
    - cat message
    - test -z \"$GIT_DIR$GIT_PREFIX$GIT_INDEX_FILE$GIT_EXEC_PATH\"
    - test -z \"$CI_COMMIT_TAG\" || exit 3
";
    let project = pushable(configuration, ANYWHERE);
    project.write("message", "changed and not committed\n");
    let seen = push_alone(&project, &["origin", "main"]).expect(0);
    assert!(seen.stderr.contains("to main: 1 job on this machine; to skip: git push --no-verify"), "{seen}");
    assert!(seen.stderr.contains("hello from the commit"), "{seen}");
    assert_eq!(refs(&project), "refs/heads/main");
    project.git(&["tag", "v1"]);
    let seen = push_alone(&project, &["origin", "v1"]).expect(1);
    assert!(seen.stderr.contains("1 job on this machine, usually "), "{seen}");
    assert!(seen.stderr.contains("exit code 3") && seen.stderr.contains("the push is stopped"), "{seen}");
    assert_eq!(refs(&project), "refs/heads/main");
    assert_eq!(project.read("message"), "changed and not committed\n");
}

#[cfg(target_os = "linux")]
#[test]
fn a_pipeline_that_waits_for_somebody_lets_the_push_go() {
    let project = pushable(
        "stages: [build, gate]\nimage: busybox:1.36\nbuild: { stage: build, script: 'true' }\n\
         deploy: { stage: gate, script: 'true', when: manual, allow_failure: false }\n",
        ANYWHERE,
    );
    let seen = push_alone(&project, &["origin", "main"]).expect(0);
    assert!(seen.stderr.contains("pipeline waits for a manual job"), "{seen}");
    assert_eq!(refs(&project), "refs/heads/main");
}

#[cfg(target_os = "linux")]
#[test]
fn only_the_jobs_that_the_settings_name_and_what_they_need_run_before_a_push() {
    let project = pushable(
        "image: busybox:1.36\nbuild: { script: 'true' }\nunit: { script: 'true', needs: [build] }\n\
         slow: { script: exit 1 }\n",
        &format!("{ANYWHERE}[hook]\njobs = [\"unit\", \"of another branch\"]\n"),
    );
    let seen = push_alone(&project, &["origin", "main"]).expect(0);
    assert!(seen.stderr.contains("to main: unit on this machine"), "{seen}");
    assert!(seen.stderr.contains("2 jobs in 1 stage"), "{seen}");
    assert!(!seen.stderr.contains("slow"), "{seen}");
    assert_eq!(refs(&project), "refs/heads/main");
}

#[cfg(target_os = "linux")]
#[test]
fn all_refs_of_a_push_share_its_time_budget() {
    let slow = "image: busybox:1.36\nunit:\n  script: [sleep 60]\n";
    let project = pushable(slow, &format!("{ANYWHERE}[hook]\nbudget = \"2s\"\n"));
    project.git(&["branch", "other"]);
    let seen = push_alone(&project, &["origin", "main", "other"]).expect(0);
    assert_eq!(seen.stderr.matches("WARNING: the time budget is spent").count(), 2, "{seen}");
    assert_eq!(seen.stderr.matches("1 job on this machine, at most 2.0s").count(), 1, "{seen}");
    assert_eq!(refs(&project), "refs/heads/main refs/heads/other");
}

#[cfg(target_os = "linux")]
#[test]
fn an_image_that_this_machine_lacks_says_nothing_of_the_pipeline() {
    let project = pushable(GREEN, "");
    let seen = push_alone(&project, &["origin", "main"]).expect(0);
    assert!(seen.stderr.contains("WARNING: the pipeline could not be run"), "{seen}");
    assert_eq!(refs(&project), "refs/heads/main");
    // beside a job that fails by itself it is a failure
    let both = "unit: { image: 'busybox:1.36', script: [true] }\nstyle: { trigger: { include: none.yml } }\n";
    let project = pushable(both, "");
    push_alone(&project, &["origin", "main"]).expect(1);
    assert_eq!(refs(&project), "");
}

#[test]
fn the_commit_counts_and_not_the_working_tree() {
    let project = pushable("unit:\n  scripts: [true]\n", "");
    project.write(".gitlab-ci.yml", GREEN);
    let seen = push_alone(&project, &["origin", "main"]).expect(1);
    assert!(seen.stderr.contains(".gitlab-ci.yml:"), "the mistake is shown with its place: {seen}");
    assert_eq!(refs(&project), "");
    assert_eq!(project.read(".gitlab-ci.yml"), GREEN, "and the user's files are as they were");

    project.git(&["rm", "--quiet", "--cached", ".gitlab-ci.yml"]);
    project.git(&["commit", "--quiet", "--message", "without"]);
    let seen = push_alone(&project, &["origin", "main"]).expect(0);
    assert!(seen.stderr.contains("no `.gitlab-ci.yml`, nothing to run"), "{seen}");
}

#[test]
fn a_commit_that_asks_for_no_pipeline_has_none() {
    let project = pushable("unit:\n  script: [\"false\"]\n", "");
    project.git(&["commit", "--quiet", "--allow-empty", "--message", "words only [skip ci]"]);
    let seen = push_alone(&project, &["origin", "main"]).expect(0);
    assert!(seen.stderr.contains("its message has `[skip ci]`, so GitLab would skip its pipeline"), "{seen}");
    let plan = project.podline(&["plan"]).run().expect(0);
    assert!(plan.stdout.contains("GitLab would skip the pipeline of this push"), "{plan}");
}

#[test]
fn a_deletion_runs_nothing_and_several_refs_run_one_by_one() {
    let project = pushable(GREEN, ANYWHERE);
    project.git(&["tag", "v1"]);
    project.git(&["branch", "feature/x"]);
    let seen = push_alone(&project, &["origin", "main", "feature/x", "v1"]).expect(0);
    for told in [" to main: ", " to feature/x: ", "push of the tag v1, "] {
        assert!(seen.stderr.contains(told), "{told}: {seen}");
    }
    assert_eq!(refs(&project), "refs/heads/feature/x refs/heads/main refs/tags/v1");
    let seen = push_alone(&project, &["origin", "--delete", "v1"]).expect(0);
    assert!(!seen.stderr.contains("podline"), "{seen}");
    let seen = push_alone(&project, &["origin", "main"]).expect(0);
    assert!(!seen.stderr.contains("podline"), "nothing is pushed: {seen}");
}

#[test]
fn a_push_runs_in_the_cluster_that_is_up() {
    if !cluster::is_up() {
        return;
    }
    let settings = format!("[run]\ncluster = \"{}\"\n[hook]\njobs = [\"unit\"]\n", cluster::name());
    let configuration = "
image: busybox:1.36
unit:
  script: [cat message, 'test -z \"$GIT_DIR$GIT_PREFIX\"', test -z \"$CI_COMMIT_TAG\" || exit 3]
other:
  script: [exit 9]
";
    let project = pushable(configuration, &settings);
    project.write("message", "changed and not committed\n");
    let seen = Seen::of(&push(&project, &["origin", "main"]).output().expect("git can be started")).expect(0);
    assert!(seen.stderr.contains("to main: unit in the cluster"), "{seen}");
    assert!(seen.stderr.contains("hello from the commit"), "{seen}");
    assert_eq!(refs(&project), "refs/heads/main");

    project.git(&["tag", "v1"]);
    let seen = Seen::of(&push(&project, &["origin", "v1"]).output().expect("git can be started")).expect(1);
    assert!(seen.stderr.contains("usually "), "the first push is remembered: {seen}");
    assert!(seen.stderr.contains("exit code 3") && seen.stderr.contains("the push is stopped"), "{seen}");
    assert_eq!(refs(&project), "refs/heads/main");
    let log = project.podline(&["log", "unit"]).run().expect(0);
    assert!(log.stdout.contains("exit code 3"), "the run is kept in the project: {log}");
}

#[test]
fn an_interrupt_or_a_spent_budget_ends_the_run_of_a_push() {
    if !cluster::is_up() {
        return;
    }
    let slow = "image: busybox:1.36\nunit:\n  script: [echo ready, sleep 60]\n";
    let settings = format!("[run]\ncluster = \"{}\"\n", cluster::name());
    let project = pushable(slow, &settings);
    let mut child = push(&project, &["origin", "main"])
        .process_group(0)
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("git can be started");
    let mut lines = BufReader::new(child.stderr.take().expect("stderr is piped")).lines();
    let mut until = |text: &str| lines.by_ref().map_while(Result::ok).any(|line| line.contains(text));
    assert!(until("ready"), "the script never ran");
    // as a terminal does it: to git and to what it has started
    let group = format!("-{}", child.id());
    Command::new("kill").args(["-INT", "--", &group]).status().expect("kill can be started");
    assert!(until("canceling"));
    assert!(!child.wait().expect("git ends").success());
    assert_eq!(refs(&project), "");

    let project = pushable(slow, &format!("{settings}[hook]\nbudget = \"3s\"\n"));
    let seen = Seen::of(&push(&project, &["origin", "main"]).output().expect("git can be started")).expect(0);
    assert!(seen.stderr.contains("at most 3.0s"), "{seen}");
    assert!(seen.stderr.contains("WARNING: the time budget is spent"), "{seen}");
}

/// The example of a hook manager in `docs/hook.md`: the YAML that begins with this line.
fn documented(first: &str) -> String {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/hook.md")).expect("the page");
    let block = text.split("```yaml\n").find(|block| block.starts_with(first)).expect("an example");
    block.split("```").next().unwrap_or_default().to_owned()
}

/// Whether a program can be started here.
fn is_here(program: &str) -> bool {
    let is_here = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !is_here {
        eprintln!("skipped: there is no {program} on this machine (pip install {program})");
    }
    is_here
}

/// A project with a remote whose hooks another program has installed, in the way that `docs/hook.md` says.
fn managed(program: &str, install: &[&str], file: &str, first: &str) -> Option<Project> {
    if !is_here(program) {
        return None;
    }
    let project = pushable(GREEN, ANYWHERE);
    project.podline(&["hook", "uninstall"]).run().expect(0);
    project.write(file, &documented(first));
    project.git(&["add", file]);
    project.git(&["commit", "--quiet", "--message", "hooks"]);
    let installed = Command::new(program).args(install).current_dir(project.path()).output();
    assert!(installed.expect("it can be started").status.success());
    Some(project)
}

/// What a push shows that its hook lets go, and one that it stops.
fn goes_and_is_stopped(project: &Project) {
    let seen = push_alone(project, &["origin", "main"]).expect(0);
    assert!(
        seen.stderr.contains("to main: 1 job on this machine")
            || seen.stdout.contains("to main: 1 job on this machine"),
        "{seen}"
    );
    assert_eq!(refs(project), "refs/heads/main");
    project.write(".gitlab-ci.yml", &GREEN.replace("cat message", "exit 3"));
    project.git(&["commit", "--quiet", "--all", "--message", "broken"]);
    let seen = push_alone(project, &["origin", "main:refs/heads/next"]).expect(1);
    let told = format!("{}{}", seen.stdout, seen.stderr);
    assert!(told.contains("to next: the push is stopped") && told.contains("exit code 3"), "{seen}");
    assert_eq!(refs(project), "refs/heads/main");
}

#[cfg(target_os = "linux")]
#[test]
fn pre_commit_runs_it_as_documented() {
    let install = ["install", "--hook-type", "pre-push"];
    let Some(project) = managed("pre-commit", &install, ".pre-commit-config.yaml", "repos:") else { return };
    goes_and_is_stopped(&project);
}

#[cfg(target_os = "linux")]
#[test]
fn lefthook_runs_it_as_documented() {
    let Some(project) = managed("lefthook", &["install"], "lefthook.yml", "pre-push:") else { return };
    goes_and_is_stopped(&project);
    project.git(&["tag", "v1"]);
    let seen = push_alone(&project, &["origin", "v1"]).expect(1);
    let told = format!("{}{}", seen.stdout, seen.stderr);
    assert!(told.contains("push of the tag v1, "), "a tag is one here too: {seen}");
}
