//! The `kind` command as a process that can be stopped.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use crate::engine::{Error, Progress, Step};

/// How many of the last lines that kind printed explain its failure.
const LAST_LINES: usize = 30;

/// What `kind create cluster` is given.
pub(super) struct Create<'a> {
    /// The cluster's name.
    pub(super) name: &'a str,
    /// The configuration, for its input.
    pub(super) config: &'a str,
    /// The node image; kind's own choice without one.
    pub(super) image: Option<&'a str>,
    /// Where to write the kubeconfig.
    pub(super) kubeconfig: &'a Path,
    /// The folder that relative paths of the configuration begin at.
    pub(super) folder: &'a Path,
    /// The Docker network, which is there already.
    pub(super) network: &'a str,
    /// The Docker engine's address.
    pub(super) host: &'a str,
}

/// Runs `kind create cluster`. Dropping the future stops kind and all that it started.
pub(super) async fn create(options: &Create<'_>, progress: &Progress<'_>) -> Result<(), Error> {
    let mut running = Running(start(options)?);
    let mut input = running.0.stdin.take().expect("stdin is piped");
    let lines = running.0.stderr.take().expect("stderr is piped");
    // a broken pipe means that kind is gone: its status says why
    let _ = input.write_all(options.config.as_bytes()).await;
    drop(input);

    let mut lines = BufReader::new(lines).lines();
    let mut said = Vec::new();
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(step) = step(&line) {
            progress(Step::Begun(step));
        }
        said.push(line);
    }
    let failed = |cause: String| Error::Failed { doing: "creating the kind cluster".to_owned(), cause };
    let status = running.0.wait().await.map_err(|error| failed(error.to_string()))?;
    if status.success() {
        return Ok(());
    }
    Err(explain(&said, options.image).unwrap_or_else(|| {
        let last = said.len().saturating_sub(LAST_LINES);
        failed(format!("{status}\n{}", said[last..].join("\n")))
    }))
}

fn start(options: &Create<'_>) -> Result<Child, Error> {
    let mut command = Command::new("kind");
    command
        .args(["create", "cluster", "--config", "-", "--wait", "0s", "--name", options.name, "--kubeconfig"])
        .arg(options.kubeconfig)
        .args(options.image.into_iter().flat_map(|image| ["--image", image]))
        .current_dir(options.folder)
        .env("KIND_EXPERIMENTAL_PROVIDER", "docker")
        .env("KIND_EXPERIMENTAL_DOCKER_NETWORK", options.network)
        .env("DOCKER_HOST", options.host)
        .env_remove("DOCKER_CONTEXT")
        .env_remove("KUBECONFIG")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // Ctrl-C in the terminal goes to the whole group, and kind would die half way
    #[cfg(unix)]
    command.process_group(0);
    command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::Unusable {
            message: "the command `kind` is not installed".to_owned(),
            help: "install it: https://kind.sigs.k8s.io/docs/user/quick-start/#installation; `podline doctor` shows \
                   what runs without"
                .to_owned(),
        },
        _ => Error::Unusable {
            message: format!("cannot start `kind`: {error}"),
            help: "`kind version` should work in this terminal".to_owned(),
        },
    })
}

/// A failure that users meet and can do something about, in a few words.
fn explain(said: &[String], image: Option<&str>) -> Option<Error> {
    if said.iter().any(|line| line.contains("failed to pull image")) {
        let cause = said.iter().rev().find(|line| !line.trim().is_empty())?;
        return Some(Error::Unusable {
            message: match image {
                Some(image) => format!("the node image `{image}` cannot be pulled: {cause}"),
                None => format!("kind's node image cannot be pulled: {cause}"),
            },
            help: "`docker pull` it, or name one that is there with `--node-image` or `PODLINE_NODE_IMAGE`"
                .to_owned(),
        });
    }
    let (_, cause) = said.iter().find_map(|line| line.split_once("unable to decode config: "))?;
    let start = said.iter().position(|line| line.contains("unable to decode config: "))?;
    let rest = said[start + 1..].iter().map(|line| line.trim());
    let words: Vec<&str> = std::iter::once(cause).chain(rest).filter(|word| !word.is_empty()).collect();
    Some(Error::Unusable {
        message: format!("kind refuses its configuration: {}", words.join(" ")),
        help: "correct the file of `--kind-config`: https://kind.sigs.k8s.io/docs/user/configuration/"
            .to_owned(),
    })
}

/// What kind begins to do, from a line like ` • Starting control-plane 🕹️  ...`.
fn step(line: &str) -> Option<String> {
    let text = line.trim_start().strip_prefix('•')?;
    let words = text.trim_end_matches([' ', '.']).trim_end_matches(|c: char| !c.is_ascii()).trim();
    let words = words.trim_end_matches(|c: char| !c.is_ascii() || c == ' ');
    let mut letters = words.chars();
    let first = letters.next()?;
    Some(first.to_lowercase().chain(letters).collect())
}

/// A process that is killed with its group when it is dropped while it runs.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // gone once it was waited for
        let Some(id) = self.0.id() else {
            return;
        };
        if cfg!(unix) {
            // kind leaves a `docker pull` or `docker run` behind if only kind is killed
            let group = format!("-{id}");
            let kill = [OsStr::new("-KILL"), OsStr::new("--"), OsStr::new(&group)];
            let _ = std::process::Command::new("kill").args(kill).stderr(Stdio::null()).status();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_that_users_can_mend_is_told_in_a_few_words() {
        let said = |text: &str| -> Option<String> {
            let lines: Vec<String> = text.lines().map(str::to_owned).collect();
            explain(&lines, Some("nonexistent")).map(|error| error.to_string())
        };
        let pull = "ERROR: failed to create cluster: failed to pull image \"nonexistent\": command failed\n\n\
                    Command Output: Using default tag: latest\nError response from daemon: no such host";
        let expected =
            "the node image `nonexistent` cannot be pulled: Error response from daemon: no such host";
        assert_eq!(said(pull).as_deref(), Some(expected));
        let config = "ERROR: failed to create cluster: unable to decode config: yaml: unmarshal errors:\n  \
                      line 5: field x not found";
        let expected = "kind refuses its configuration: yaml: unmarshal errors: line 5: field x not found";
        assert_eq!(said(config).as_deref(), Some(expected));
        assert_eq!(said("ERROR: something else"), None);
    }

    #[test]
    fn the_steps_of_kind_are_told_without_its_decoration() {
        let rows = [
            (
                " • Ensuring node image (kindest/node:v1.34.4) 🖼️  ...",
                Some("ensuring node image (kindest/node:v1.34.4)"),
            ),
            (" • Preparing nodes 📦   ...", Some("preparing nodes")),
            (" • Starting control-plane 🕹️  ...", Some("starting control-plane")),
            (" ✓ Starting control-plane 🕹️", None),
            ("Creating cluster \"podline-x\" ...", None),
            ("", None),
        ];
        for (line, expected) in rows {
            assert_eq!(step(line).as_deref(), expected, "{line}");
        }
    }
}
