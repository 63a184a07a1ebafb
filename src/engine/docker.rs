//! Connects to the Docker engine that the `docker` command would use.
//!
//! bollard knows `DOCKER_HOST` but no contexts, and Docker Desktop, OrbStack, Colima and rootless Docker are
//! found through contexts. The order is the one of the `docker` command: `DOCKER_HOST`, `DOCKER_CONTEXT`,
//! `currentContext` of `config.json`, the default socket.

use std::path::{Path, PathBuf};

use bollard::{API_DEFAULT_VERSION, Docker};
use sha2::{Digest, Sha256};

use super::{Error, chain};

/// The socket of an engine that nothing was said about.
const DEFAULT_HOST: &str =
    if cfg!(windows) { "npipe:////./pipe/docker_engine" } else { "unix:///var/run/docker.sock" };

/// Seconds until the engine must have begun its answer: exporting a large image takes a while to begin.
const TIMEOUT: u64 = 600;

/// Where the user's Docker engine is said to be.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The value of `DOCKER_HOST`.
    pub host: Option<String>,
    /// The value of `DOCKER_CONTEXT`.
    pub context: Option<String>,
    /// The folder of `config.json`: `DOCKER_CONFIG`, else `~/.docker`.
    pub config_folder: Option<PathBuf>,
}

/// A connection to a Docker engine.
#[derive(Debug, Clone)]
pub struct Connection {
    /// The client.
    pub docker: Docker,
    /// The engine's address, for commands that take it as `DOCKER_HOST`.
    pub host: String,
}

/// Connects to the engine and agrees with it on a version of the API.
///
/// # Errors
///
/// [`Error::Unusable`] when there is no engine, it may not be used, or it listens in a way that podline
/// cannot speak.
pub async fn connect(settings: &Settings) -> Result<Connection, Error> {
    let host = resolve(settings)?;
    let client = open(&host).map_err(|cause| unreachable(&host, &cause))?;
    let docker = client.negotiate_version().await.map_err(|cause| unreachable(&host, &cause))?;
    Ok(Connection { docker, host })
}

fn open(host: &str) -> Result<Docker, bollard::errors::Error> {
    match host.split_once("://") {
        #[cfg(unix)]
        Some(("unix", _)) => Docker::connect_with_unix(host, TIMEOUT, API_DEFAULT_VERSION),
        #[cfg(windows)]
        Some(("npipe", _)) => Docker::connect_with_named_pipe(host, TIMEOUT, API_DEFAULT_VERSION),
        Some(("tcp" | "http", _)) => Docker::connect_with_http(host, TIMEOUT, API_DEFAULT_VERSION),
        _ => Err(bollard::errors::Error::UnsupportedURISchemeError { uri: host.to_owned() }),
    }
}

/// Finds the engine's address.
///
/// # Errors
///
/// [`Error::Unusable`] when the context does not exist or its files cannot be read.
pub fn resolve(settings: &Settings) -> Result<String, Error> {
    if let Some(host) = settings.host.as_deref().filter(|host| !host.is_empty()) {
        return Ok(host.to_owned());
    }
    let Some(folder) = settings.config_folder.as_deref() else {
        return Ok(DEFAULT_HOST.to_owned());
    };
    let named = settings.context.clone().filter(|name| !name.is_empty());
    let context = match named {
        Some(name) => Some(name),
        None => current_context(folder)?,
    };
    match context.as_deref() {
        None | Some("" | "default") => Ok(DEFAULT_HOST.to_owned()),
        Some(name) => endpoint(folder, name),
    }
}

fn current_context(folder: &Path) -> Result<Option<String>, Error> {
    let Some(config) = read_json(&folder.join("config.json"))? else {
        return Ok(None);
    };
    Ok(config["currentContext"].as_str().map(str::to_owned))
}

/// The address in a context's metadata, which lies in a folder named by the digest of the context's name.
fn endpoint(folder: &Path, context: &str) -> Result<String, Error> {
    let digest: String =
        Sha256::digest(context.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    let meta = read_json(&folder.join("contexts/meta").join(&digest).join("meta.json"))?;
    let host = meta.as_ref().and_then(|meta| meta["Endpoints"]["docker"]["Host"].as_str());
    let Some(host) = host else {
        return Err(Error::Unusable {
            message: format!("the Docker context `{context}` has no endpoint in `{}`", folder.display()),
            help: "`docker context ls` shows the contexts, `docker context use NAME` takes another"
                .to_owned(),
        });
    };
    if folder.join("contexts/tls").join(&digest).exists() {
        return Err(Error::Unusable {
            message: format!("the Docker context `{context}` needs TLS, which podline does not speak"),
            help: "use a local engine: `docker context use default`".to_owned(),
        });
    }
    Ok(host.to_owned())
}

fn read_json(path: &Path) -> Result<Option<serde_json::Value>, Error> {
    let unreadable = |cause: String| Error::Unusable {
        message: format!("cannot read `{}`: {cause}", path.display()),
        help: "correct or remove the file, or say where Docker listens with `DOCKER_HOST`".to_owned(),
    };
    match std::fs::read(path) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|cause| unreadable(cause.to_string())),
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(cause) => Err(unreadable(cause.to_string())),
    }
}

fn unreachable(host: &str, cause: &bollard::errors::Error) -> Error {
    if matches!(cause, bollard::errors::Error::UnsupportedURISchemeError { .. }) {
        return Error::Unusable {
            message: format!("podline cannot speak to a Docker engine at `{host}`"),
            help: "use a local engine, or forward its socket and set `DOCKER_HOST=unix://PATH`".to_owned(),
        };
    }
    let said = chain(cause);
    if said.contains("ermission denied") {
        return Error::Unusable {
            message: format!("no permission to use the Docker engine at `{host}`"),
            help: "add yourself to its group with `sudo usermod -aG docker $USER` and log in again, or \
                   use rootless Docker: https://docs.docker.com/engine/security/rootless/"
                .to_owned(),
        };
    }
    Error::Unusable {
        message: format!("no Docker engine answers at `{host}`: {said}"),
        help: if cfg!(target_os = "linux") {
            "start it with `sudo systemctl start docker`, or install it: \
             https://docs.docker.com/engine/install/; `podline doctor` shows what runs without"
        } else {
            "start Docker Desktop, OrbStack or Colima, or install one: \
             https://docs.docker.com/get-started/get-docker/"
        }
        .to_owned(),
    }
}

/// An error of the engine while something was being done.
pub(super) fn failed(doing: impl Into<String>, cause: &bollard::errors::Error) -> Error {
    match cause {
        bollard::errors::Error::DockerResponseServerError { message, .. } => {
            Error::Failed { doing: doing.into(), cause: message.clone() }
        }
        other => Error::Disconnected { doing: doing.into(), cause: chain(other) },
    }
}

/// Whether the engine answered with this HTTP status.
pub(super) fn is_status(error: &bollard::errors::Error, status: u16) -> bool {
    matches!(error, bollard::errors::Error::DockerResponseServerError { status_code, .. } if *status_code == status)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder like `~/.docker` with one context, `colima`.
    fn config_folder(config: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let digest = "f24fd3749c1368328e2b149bec149cb6795619f244c5b584e844961215dadd16";
        let meta = folder.path().join("contexts/meta").join(digest);
        std::fs::create_dir_all(&meta).expect("a folder");
        let text = r#"{"Name":"colima","Metadata":{},"Endpoints":{"docker":{"Host":"unix:///c.sock","SkipTLSVerify":false}}}"#;
        std::fs::write(meta.join("meta.json"), text).expect("a file");
        std::fs::write(folder.path().join("config.json"), config).expect("a file");
        folder
    }

    #[test]
    fn the_engine_is_found_as_the_docker_command_finds_it() {
        let current = r#"{"currentContext":"colima"}"#;
        let rows = [
            // (config.json, DOCKER_HOST, DOCKER_CONTEXT, address)
            ("{}", None, None, DEFAULT_HOST),
            (current, None, None, "unix:///c.sock"),
            (current, Some("tcp://h:2375"), None, "tcp://h:2375"),
            (current, Some(""), None, "unix:///c.sock"),
            ("{}", Some("tcp://h:2375"), Some("colima"), "tcp://h:2375"),
            ("{}", None, Some("colima"), "unix:///c.sock"),
            (current, None, Some("default"), DEFAULT_HOST),
            (r#"{"currentContext":"default"}"#, None, None, DEFAULT_HOST),
        ];
        for (config, host, context, expected) in rows {
            let folder = config_folder(config);
            let settings = Settings {
                host: host.map(str::to_owned),
                context: context.map(str::to_owned),
                config_folder: Some(folder.path().to_owned()),
            };
            let found = resolve(&settings).expect("an address");
            assert_eq!(found, expected, "{config} {host:?} {context:?}");
        }
    }

    #[test]
    fn a_context_that_is_not_there_is_said_so() {
        let folder = config_folder(r#"{"currentContext":"gone"}"#);
        let settings = Settings { config_folder: Some(folder.path().to_owned()), ..Settings::default() };
        let error = resolve(&settings).expect_err("no such context");
        assert!(error.to_string().starts_with("the Docker context `gone` has no endpoint"), "{error}");
    }

    #[test]
    fn a_config_that_is_no_json_names_the_file() {
        let folder = config_folder("{");
        let settings = Settings { config_folder: Some(folder.path().to_owned()), ..Settings::default() };
        let error = resolve(&settings).expect_err("no JSON");
        assert!(error.to_string().contains("config.json"), "{error}");
    }

    #[tokio::test]
    async fn an_engine_that_does_not_run_is_named_with_what_to_do() {
        let settings =
            Settings { host: Some("unix:///nowhere/docker.sock".to_owned()), ..Settings::default() };
        let Err(Error::Unusable { message, help }) = connect(&settings).await else {
            panic!("no engine can be there");
        };
        assert!(
            message.starts_with("no Docker engine answers at `unix:///nowhere/docker.sock`"),
            "{message}"
        );
        assert!(help.contains("install"), "{help}");
    }

    #[tokio::test]
    async fn an_engine_over_ssh_is_refused_with_a_way_out() {
        let settings = Settings { host: Some("ssh://me@host".to_owned()), ..Settings::default() };
        let Err(Error::Unusable { help, .. }) = connect(&settings).await else {
            panic!("not supported");
        };
        assert!(help.contains("forward its socket"), "{help}");
    }
}
