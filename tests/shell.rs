//! What a shell gets from podline: completions with the names of jobs, in real shells, and manual pages.

#![expect(clippy::print_stderr, reason = "a test that cannot run says why")]

use std::{path::Path, process::Command};

use crate::support::Project;

/// What a shell says of a script in a project, with podline on its PATH; `None` where there is no such shell.
fn shell(name: &str, project: &Project, script: &str) -> Option<String> {
    if Command::new(name).arg("--version").output().is_err() {
        eprintln!("skipped: {name} is not installed");
        return None;
    }
    let programs = Path::new(env!("CARGO_BIN_EXE_podline")).parent().expect("a program is in a folder");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let output = Command::new(name)
        .args(["-c", script])
        .current_dir(project.path())
        .env("PATH", path)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .expect("a shell can be started");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What bash offers for a line whose words these are.
fn in_bash(project: &Project, words: &str) -> Option<Vec<String>> {
    let script = format!(
        "source <(podline completions bash)
         COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); COMP_TYPE=9
         _clap_complete_podline podline \"${{COMP_WORDS[COMP_CWORD]}}\" 2>/dev/null
         printf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    Some(shell("bash", project, &script)?.lines().map(str::to_owned).collect())
}

#[test]
fn bash_completes_the_names_of_jobs() {
    let project = Project::fixture("failing");
    let Some(jobs) = in_bash(&project, "podline run s") else { return };
    assert_eq!(jobs, ["style", "slow"]);
    let jobs = in_bash(&project, "podline explain comp").expect("bash is here");
    assert_eq!(jobs, ["compile"]);
    let commands = in_bash(&project, "podline expl").expect("bash is here");
    assert_eq!(commands, ["explain"]);
    project.write(".gitlab-ci.yml", "wrong: [");
    let jobs = in_bash(&project, "podline run s").expect("bash is here");
    assert_eq!(jobs, [""], "a file with mistakes completes nothing, and says nothing");
}

#[test]
fn fish_completes_the_names_of_jobs_with_their_stages() {
    let project = Project::fixture("failing");
    let script = "podline completions fish | source; complete --do-complete 'podline run s'";
    let Some(offered) = shell("fish", &project, script) else { return };
    assert!(offered.contains("slow\tjob of stage test"), "{offered}");
}

#[test]
fn zsh_takes_the_completions() {
    let project = Project::fixture("failing");
    let script = "autoload -U compinit && compinit -u -d $PWD/.zcompdump; source <(podline completions zsh); \
                  print -r -- $_comps[podline]";
    let Some(function) = shell("zsh", &project, script) else { return };
    assert_eq!(function.trim(), "_clap_dynamic_completer_podline");
}

#[test]
fn every_command_has_a_manual_page_that_is_right() {
    let project = Project::fixture("failing");
    project.podline(&["man", "pages"]).run().expect(0);
    for page in ["podline.1", "podline-run.1", "podline-init.1", "podline-cluster-up.1"] {
        let text = project.read(&format!("pages/{page}"));
        assert!(text.contains(".SH NAME") && text.contains(".SH OPTIONS"), "{page}");
    }
    let printed = project.podline(&["man"]).run().expect(0).stdout;
    assert_eq!(printed, project.read("pages/podline.1"));
    // what groff finds wrong, where it is installed
    let checked = Command::new("groff")
        .args(["-man", "-Tutf8", "-ww", "-z", "pages/podline-run.1"])
        .current_dir(project.path())
        .output();
    match checked {
        Ok(output) => assert_eq!(String::from_utf8_lossy(&output.stderr), ""),
        Err(_) => eprintln!("not checked: groff is not installed"),
    }
}
