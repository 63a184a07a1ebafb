//! What runs inside the containers: the supervisor, and a job's scripts as GitLab Runner writes them.

pub mod generate;

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::{Build, build::Look, pod::services};

/// The main process of a build container until everything is in place; then it becomes the
/// [`SUPERVISOR`]. It is short because it stands in the pod and in what `ps` shows: with the whole
/// supervisor there, a script's `pkill -f sleep` would find it. `$1` is [`folder`].
pub const WAIT: &str = include_str!("wait.sh");

/// Runs the job's scripts. It is carried in with them.
pub const SUPERVISOR: &str = include_str!("supervisor.sh");

/// What a helper container does before that where its job has [`Build::hook`].
pub const HOOK: &str = include_str!("hook.sh");

/// The main process of a helper container.
pub const HELPER: &str = include_str!("helper.sh");

/// `RUNNER_AFTER_SCRIPT_TIMEOUT`, unless set.
const AFTER_SCRIPT_LIMIT: Duration = Duration::from_secs(300);

/// The folder that holds a build's scripts, in every container of its pod: the volume `scripts`.
pub fn folder(build: &Build) -> String {
    format!("/scripts-{}-{}", build.project_id, build.id)
}

/// Command of the build container.
pub fn build_command(build: &Build) -> Vec<String> {
    command(WAIT, &[&folder(build)])
}

/// Command of the helper container.
pub fn helper_command(build: &Build) -> Vec<String> {
    match build.hook() {
        [] => command(HELPER, &[]),
        _ => command(&[HOOK, HELPER].concat(), &[&folder(build)]),
    }
}

fn command(text: &str, arguments: &[&str]) -> Vec<String> {
    let mut words = vec!["sh".to_owned(), "-c".to_owned(), for_kubernetes(text), "podline".to_owned()];
    words.extend(arguments.iter().map(|word| (*word).to_owned()));
    words
}

/// Kubernetes replaces `$(NAME)` in a command by a variable and `$$` by one dollar sign.
fn for_kubernetes(text: &str) -> String {
    text.replace('$', "$$")
}

/// The file that tells the supervisor about the job: it is read once [`READY`] is there. `left` is what
/// remained of the job's time when the build container began, `health_limit` how long services may take to
/// listen.
pub fn settings(nonce: &str, build: &Build, left: Duration, health_limit: Duration) -> String {
    let after = limit(build, "RUNNER_AFTER_SCRIPT_TIMEOUT").unwrap_or(AFTER_SCRIPT_LIMIT);
    let script = script_limit(build).map(|limit| limit.as_secs().max(1).to_string());
    let ports = build.services.iter().filter_map(services::health_port).map(|port| port.to_string());
    format!(
        "nonce={nonce}\njob_limit={}\nscript_limit={}\nafter_script_limit={}\nhealth_ports={}\n\
         health_limit={}\nlook={}\n",
        left.as_millis() / 10,
        script.unwrap_or_default(),
        after.as_secs().max(1),
        ports.collect::<Vec<_>>().join(" "),
        health_limit.as_secs().max(1),
        match build.look {
            Look::Never => "",
            Look::First => "first",
            Look::Failure => "failure",
        }
    )
}

/// `RUNNER_SCRIPT_TIMEOUT`, where it is set.
pub fn script_limit(build: &Build) -> Option<Duration> {
    limit(build, "RUNNER_SCRIPT_TIMEOUT")
}

/// A time limit among the variables, in Go's notation (`1h30m`).
fn limit(build: &Build, key: &str) -> Option<Duration> {
    let value = &build.variables.iter().rev().find(|variable| variable.key == key)?.value;
    let parsed: jiff::SignedDuration = value.parse().ok()?;
    Duration::try_from(parsed).ok().filter(|limit| !limit.is_zero())
}

/// Name of the file in [`folder`] that has [`settings`].
pub const SETTINGS: &str = "job";

/// Name of the file in [`folder`] that has [`SUPERVISOR`].
pub const SUPERVISOR_FILE: &str = "supervisor";

/// Name of the file in [`folder`] that is the shell of who looks into the pod.
pub const SHELL: &str = "shell";

/// The command that begins that shell.
pub fn shell_command(build: &Build) -> Vec<String> {
    vec!["sh".to_owned(), format!("{}/{SHELL}", folder(build))]
}

/// Name of the empty file in [`folder`] that says that who looked into the pod has left.
pub const LEAVE: &str = "leave";

/// Name of the file in [`folder`] that has what runs before the sources come.
pub const HOOK_SCRIPT: &str = "pre_get_sources_script";

/// Name of the file in [`folder`] that says that [`HOOK_SCRIPT`] is in place; its text is the nonce.
pub const HOOK_READY: &str = "hook";

/// Name of the empty file in [`folder`] that says that everything else is in place.
pub const READY: &str = "ready";
