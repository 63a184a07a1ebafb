//! What a shell gets from podline: completions with the names of jobs, in real shells, and manual pages.

#![expect(clippy::print_stderr, reason = "a test that cannot run says why")]

use std::{path::Path, process::Command};

use crate::support::{
    Project,
    pty::{OnTerminal, Terminal},
};

fn path_with_podline() -> String {
    let programs = Path::new(env!("CARGO_BIN_EXE_podline")).parent().expect("a program is in a folder");
    format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default())
}

/// Jobs whose names a shell has to be told of.
const NAMES: &str = "
stages: [build, test]
default: { image: none }
compile: { stage: build, script: 'true' }
'unit: [fast]': { stage: test, script: 'true' }
'unit: [thorough]': { stage: test, script: 'true' }
lint:docs: { stage: test, script: 'true' }
lint:rust: { stage: test, script: 'true' }
";

/// A shell with podline's completions at which somebody types; `None` where there is no such shell.
fn typing(name: &str, arguments: &[&str], project: &Project, begin: &str) -> Option<Terminal> {
    let path = path_with_podline();
    if Command::new(name).arg("--version").output().is_err() {
        eprintln!("skipped: {name} is not installed");
        return None;
    }
    let home = project.path().join("home");
    std::fs::create_dir_all(&home).expect("a folder");
    let shell = OnTerminal::program(Path::new(name), arguments.iter().copied())
        .folder(&project.path())
        .env("PATH", path)
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", project.path().join("home"))
        .env("PS1", "> ");
    let mut shell = shell.size(120, 24).start();
    shell.press(&format!("{begin}; echo rea''dy\n")).until_text("ready");
    prompted(&mut shell);
    Some(shell)
}

/// Waits for an empty line to type in: what is typed before goes to the terminal, and not to who edits the line.
fn prompted(shell: &mut Terminal) {
    shell.until("a prompt", |screen| screen.contents().trim_end().ends_with("\n>"));
}

/// What a line becomes by a tab, from the prompt on.
fn completed(shell: &mut Terminal, typed: &str, wanted: &str) {
    shell.press(&format!("{typed}\t")).until_text(wanted);
    // Ctrl-U takes the line away
    shell.press("\u{15}");
    prompted(shell);
}

#[test]
fn bash_completes_names_of_jobs_with_colons_spaces_and_brackets() {
    let project = Project::with(NAMES);
    let begin = "source <(podline completions bash)";
    let Some(mut bash) = typing("bash", &["--norc", "--noprofile", "-i"], &project, begin) else { return };
    completed(&mut bash, "podline expl", "podline explain");
    completed(&mut bash, "podline explain comp", "podline explain compile");
    completed(&mut bash, "podline explain un", "podline explain unit:\\ \\[");
    completed(&mut bash, "podline log unit:\\ \\[f", "podline log unit:\\ \\[fast\\]");
    completed(&mut bash, "podline run 'unit: [th", "podline run 'unit: [thorough]'");
    completed(&mut bash, "podline run lint:r", "podline run lint:rust");
    completed(&mut bash, "podline run compile lint:d", "podline run compile lint:docs");
    project.write(".gitlab-ci.yml", "wrong: [");
    completed(&mut bash, "podline pod comp", "podline pod comp");
    bash.press("echo do''ne\n").until_text("done");
    assert!(!bash.screen().contains("error"), "a file with mistakes completes nothing, and says nothing");
}

#[test]
fn fish_completes_the_names_of_jobs_with_their_stages() {
    let project = Project::with(NAMES);
    let begin = "function fish_prompt; echo '> '; end; podline completions fish | source";
    let Some(mut fish) = typing("fish", &["--no-config", "--interactive"], &project, begin) else { return };
    completed(&mut fish, "podline explain comp", "podline explain compile");
    completed(&mut fish, "podline run lint:r", "podline run lint:rust");
    fish.press("podline log un\t").until_text("podline log unit:\\ \\[").until_text("job of stage test");
}

#[test]
fn zsh_completes_names_of_jobs_with_colons_spaces_and_brackets() {
    let project = Project::with(NAMES);
    let begin = "autoload -U compinit && compinit -u -d $PWD/.zcompdump; source <(podline completions zsh)";
    let Some(mut zsh) = typing("zsh", &["-f", "-i"], &project, begin) else { return };
    completed(&mut zsh, "podline explain comp", "podline explain compile");
    completed(&mut zsh, "podline run lint:r", "podline run lint:rust");
    completed(&mut zsh, "podline log un", "podline log unit:\\ \\[");
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
