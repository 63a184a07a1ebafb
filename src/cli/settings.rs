//! Everything podline takes from the environment: the only file that reads it.

use std::{
    env,
    io::IsTerminal,
    path::{Path, PathBuf},
};

/// `kind`'s node image; also a flag of `run` and `cluster up`, which clap reads.
pub const NODE_IMAGE: &str = "PODLINE_NODE_IMAGE";
/// Where podline keeps the kubeconfigs of its clusters; `$XDG_STATE_HOME/podline` unless set.
pub const STATE: &str = "PODLINE_STATE";

/// What the environment says.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Whether the error stream is a terminal that can redraw lines.
    pub live: bool,
    /// Whether colours are wanted where nothing else decides.
    pub color: bool,
    /// `DOCKER_HOST`.
    pub docker_host: Option<String>,
    /// `DOCKER_CONTEXT`.
    pub docker_context: Option<String>,
    /// `DOCKER_CONFIG`, or `~/.docker`.
    pub docker_config: Option<PathBuf>,
    /// Where podline keeps what belongs to the machine rather than to a project.
    pub state: PathBuf,
}

impl Environment {
    /// Reads the environment of this process.
    pub fn read() -> Self {
        let home = path("HOME");
        let terminal = std::io::stderr().is_terminal();
        let dumb = text("TERM").is_some_and(|term| term == "dumb");
        Self {
            live: terminal && !dumb && text("CI").is_none(),
            color: text("NO_COLOR").is_none() && !dumb && (terminal || text("CLICOLOR_FORCE").is_some()),
            docker_host: text("DOCKER_HOST"),
            docker_context: text("DOCKER_CONTEXT"),
            docker_config: path("DOCKER_CONFIG").or_else(|| Some(home.as_deref()?.join(".docker"))),
            state: path(STATE).unwrap_or_else(|| state(home.as_deref())),
        }
    }
}

fn state(home: Option<&Path>) -> PathBuf {
    match (path("XDG_STATE_HOME"), home) {
        (Some(state), _) => state.join("podline"),
        (None, Some(home)) => home.join(".local/state/podline"),
        (None, None) => env::temp_dir().join("podline"),
    }
}

/// A variable that is set to something.
fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn path(name: &str) -> Option<PathBuf> {
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}
