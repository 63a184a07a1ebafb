//! The text of a job's scripts, as GitLab Runner's `bash` shell writes it (`shells/bash.go`), in a form
//! that every POSIX sh takes.

use std::fmt::Write as _;

use crate::runner::Build;

/// Name of the file whose `KEY=VALUE` lines later phases of the job export.
const GITLAB_ENV: &str = "gitlab_runner_env";

/// What runs in the helper container before the sources come, where the job has that.
pub fn hook(build: &Build) -> Option<String> {
    if build.hook().is_empty() {
        return None;
    }
    let mut body = exports(build);
    body.push_str(NO_GIT);
    commands(&mut body, build.hook());
    Some(wrap(&body, build))
}

/// GitLab's helper image has git, and hooks mostly set it up; podline checks out on the host, with what git
/// is set up there. So its helper image needs none.
const NO_GIT: &str = "command -v git >/dev/null || \
    git() { echo \"podline checks out on the host: \\`git $*\\` has no effect\"; }\n";

/// The script: `before_script` and `script` in one shell.
pub fn script(build: &Build) -> String {
    let mut body = exports(build);
    enter(&mut body, build);
    commands(&mut body, &build.script);
    wrap(&body, build)
}

/// The `after_script`, where the job has one.
pub fn after_script(build: &Build) -> Option<String> {
    if build.after_script.is_empty() {
        return None;
    }
    let mut body = exports(build);
    enter(&mut body, build);
    say(&mut body, "Running after script...");
    commands(&mut body, &build.after_script);
    Some(wrap(&body, build))
}

/// A shell with what the job's script has: its variables and its folder.
pub fn shell(build: &Build) -> String {
    let mut body = exports(build);
    enter(&mut body, build);
    let prompt = format!("{}:\\w\\$ ", build.name);
    let _ = writeln!(body, "export PS1={}", quote(&prompt));
    // an image has bash or it has not; its start files would take the prompt back
    body.push_str("command -v bash >/dev/null && exec bash --noprofile --norc -i\nexec sh -i\n");
    body
}

/// The files that the scripts find below [`temporary_folder`], by name.
pub fn files(build: &Build) -> Vec<(String, &str)> {
    let mut files: Vec<_> = build
        .variables
        .iter()
        .filter(|variable| variable.file)
        .map(|variable| (variable.key.clone(), variable.value.as_str()))
        .collect();
    files.push((GITLAB_ENV.to_owned(), ""));
    files
}

/// `RUNNER_TEMP_PROJECT_DIR`: where the files of file variables are.
pub fn temporary_folder(build: &Build) -> String {
    format!("{}.tmp", build.project_dir)
}

fn exports(build: &Build) -> String {
    let mut body = String::new();
    let temporary = temporary_folder(build);
    for variable in &build.variables {
        // The supervisor knows it.
        if variable.key == "CI_JOB_STATUS" {
            continue;
        }
        let value = match variable.file {
            true => format!("{temporary}/{}", variable.key),
            false => variable.value.clone(),
        };
        let _ = writeln!(body, "export {}={}", quote_key(&variable.key), quote(&value));
    }
    let file = quote(&format!("{temporary}/{GITLAB_ENV}"));
    let _ = writeln!(body, "export GITLAB_ENV={file}");
    let _ = writeln!(
        body,
        "if [ -f {file} ]; then while read -r podline_line; do \
         [ -z \"$podline_line\" ] || export \"$podline_line\"; done <{file}; fi"
    );
    body
}

fn enter(body: &mut String, build: &Build) {
    let _ = writeln!(body, "cd {}", quote(&build.project_dir));
}

fn commands(body: &mut String, items: &[String]) {
    for item in items {
        let item = item.trim();
        match item.split_once('\n') {
            None if item.is_empty() => body.push_str("echo\n"),
            None => say(body, &format!("$ {item}")),
            Some((first, _)) => say(body, &format!("$ {first} # collapsed multi-line command")),
        }
        body.push_str(item);
        body.push('\n');
    }
}

/// A line in the green of the runner's own words. `echo` would read backslashes in some shells.
fn say(body: &mut String, text: &str) {
    let line = format!("\x1b[32;1m{text}\x1b[0;m");
    let _ = writeln!(body, "printf '%s\\n' {}", quote(&line));
}

/// What the runner puts around the commands: they have no standard input, and end at the first that fails.
fn wrap(body: &str, build: &Build) -> String {
    let trace = build.variables.iter().any(|it| it.key == "CI_DEBUG_TRACE" && it.value == "true");
    let xtrace = if trace { "set -o xtrace\n" } else { "" };
    format!(
        "trap 'exit 1' TERM\n\n{xtrace}\
         case \"$(set -o)\" in *pipefail*) set -o pipefail;; esac; set -o errexit\n\
         set +o noclobber\n\
         (trap 'exit 1' TERM; eval {}) </dev/null\n\
         exit 0\n",
        quote(body)
    )
}

/// A word that any sh reads as this text. Within single quotes nothing is special but their end.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

/// A name is quoted only where it has to be, so that the script can be read.
fn quote_key(key: &str) -> String {
    let plain = key.chars().all(|it| it.is_ascii_alphanumeric() || it == '_');
    if plain { key.to_owned() } else { quote(key) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::{build::BuildVariable, fixture::a_build};

    #[test]
    fn a_script_reads_as_the_runner_writes_it() {
        let mut build = a_build(&["echo it's", "if true; then\n  echo in\nfi", "  "]);
        build.variables = vec![
            BuildVariable { key: "CI".to_owned(), value: "true".to_owned(), masked: false, file: false },
            BuildVariable { key: "KEY".to_owned(), value: "secret".to_owned(), masked: true, file: true },
        ];
        insta::assert_snapshot!(exports(&build), @r#"
        export CI='true'
        export KEY='/builds/group/project.tmp/KEY'
        export GITLAB_ENV='/builds/group/project.tmp/gitlab_runner_env'
        if [ -f '/builds/group/project.tmp/gitlab_runner_env' ]; then while read -r podline_line; do [ -z "$podline_line" ] || export "$podline_line"; done <'/builds/group/project.tmp/gitlab_runner_env'; fi
        "#);
        let mut body = String::new();
        commands(&mut body, &build.script);
        insta::assert_snapshot!(body.replace('\x1b', "ESC"), @r#"
        printf '%s\n' 'ESC[32;1m$ echo it'\''sESC[0;m'
        echo it's
        printf '%s\n' 'ESC[32;1m$ if true; then # collapsed multi-line commandESC[0;m'
        if true; then
          echo in
        fi
        echo
        "#);
    }
}
