//! Everything podline takes from the environment: the only file that reads it. One more variable,
//! `PODLINE_NODE_IMAGE`, is a flag's and read by clap.

use std::{
    env,
    io::IsTerminal,
    path::{Path, PathBuf},
};

use super::args::Color;
use crate::{
    engine::docker,
    report::printer::{self, Surroundings, View},
};

/// Where podline keeps what belongs to its clusters; `$XDG_STATE_HOME/podline` unless set.
pub const STATE: &str = "PODLINE_STATE";

/// Where podline keeps what it can get again: images; `$XDG_CACHE_HOME/podline` unless set.
pub const CACHE: &str = "PODLINE_CACHE";

/// What the environment says.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Where the user's Docker engine is.
    pub docker: docker::Settings,
    /// The user's kubeconfig files, for contexts that are named.
    pub kubeconfig: Vec<PathBuf>,
    /// Where podline keeps what belongs to the machine rather than to a project.
    pub state: PathBuf,
    /// Where podline keeps images.
    pub cache: PathBuf,
    /// The user's home directory.
    pub home: Option<PathBuf>,
    /// Where programs are looked for.
    pub path: Option<String>,
    /// The program that shows a log, as a shell takes it.
    pub pager: String,
}

impl Environment {
    /// Reads the environment of this process.
    pub fn read() -> Self {
        let home = path("HOME");
        let config_folder = path("DOCKER_CONFIG").or_else(|| Some(home.as_deref()?.join(".docker")));
        Self {
            docker: docker::Settings {
                host: text("DOCKER_HOST"),
                context: text("DOCKER_CONTEXT"),
                config_folder,
            },
            kubeconfig: kubeconfig(home.as_deref()),
            state: path(STATE)
                .unwrap_or_else(|| own_folder("XDG_STATE_HOME", ".local/state", home.as_deref())),
            cache: path(CACHE).unwrap_or_else(|| own_folder("XDG_CACHE_HOME", ".cache", home.as_deref())),
            path: text("PATH"),
            pager: pager(text("PAGER")),
            home,
        }
    }

    /// An environment that says nothing.
    #[cfg(test)]
    pub fn empty() -> Self {
        Self {
            docker: docker::Settings::default(),
            kubeconfig: Vec::new(),
            state: PathBuf::new(),
            cache: PathBuf::new(),
            home: None,
            path: None,
            pager: String::new(),
        }
    }
}

/// What is known of the place that podline was started in.
pub fn surroundings(color: Color, view: Option<View>) -> Surroundings {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(text).unwrap_or_default();
    let locale = locale.to_lowercase();
    Surroundings {
        color: match color {
            Color::Auto if text("CLICOLOR_FORCE").is_some_and(|value| value != "0") => printer::Color::Always,
            Color::Auto => printer::Color::Auto,
            Color::Always => printer::Color::Always,
            Color::Never => printer::Color::Never,
        },
        view,
        no_color: text("NO_COLOR").is_some(),
        term: text("TERM"),
        ci: text("CI").is_some_and(|value| value != "false"),
        // no locale at all is most often a container or a service, whose log is read elsewhere
        unicode: locale.is_empty() || locale.contains("utf-8") || locale.contains("utf8"),
        stdout_is_terminal: std::io::stdout().is_terminal(),
        stderr_is_terminal: std::io::stderr().is_terminal(),
        columns: text("COLUMNS").and_then(|columns| columns.parse().ok()),
        folder: env::current_dir().ok(),
    }
}

/// less shows the colours of a log only when it is asked to.
fn pager(named: Option<String>) -> String {
    match named {
        Some(pager) if pager != "less" => pager,
        _ => "less -R".to_owned(),
    }
}

/// Whether somebody can be asked.
pub fn stdin_is_terminal() -> bool {
    std::io::stdin().is_terminal()
}

/// `KUBECONFIG` is a list, of which empty names are left out.
fn kubeconfig(home: Option<&Path>) -> Vec<PathBuf> {
    let listed: Vec<PathBuf> = env::var_os("KUBECONFIG")
        .map(|list| env::split_paths(&list).filter(|path| !path.as_os_str().is_empty()).collect())
        .unwrap_or_default();
    if listed.is_empty() { home.map(|home| home.join(".kube/config")).into_iter().collect() } else { listed }
}

/// podline's folder where the XDG base directories have one.
fn own_folder(variable: &str, below_home: &str, home: Option<&Path>) -> PathBuf {
    match (path(variable), home) {
        (Some(base), _) => base.join("podline"),
        (None, Some(home)) => home.join(below_home).join("podline"),
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
