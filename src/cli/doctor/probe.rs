//! Looks at this machine. Existing clusters are named and never asked; nothing is changed.

use std::process::Stdio;

use super::facts::{Cluster, Docker, Facts, Trouble};
use crate::{
    cli::{engine::kind::short_name, settings::Environment},
    engine::{
        self, docker,
        kind::{Kind, Use},
        kube::client,
    },
};

/// What this machine has.
pub async fn probe(environment: &Environment) -> Facts {
    let (git, kind, kubectl, docker) = tokio::join!(
        version("git", &["--version"]),
        version("kind", &["version"]),
        version("kubectl", &["version", "--client"]),
        docker(environment),
    );
    let (docker, clusters) = docker;
    Facts {
        os: std::env::consts::OS.to_owned(),
        git,
        docker,
        kind,
        kubectl,
        clusters,
        machine: machine(environment),
        contexts: client::contexts(&environment.kubeconfig).unwrap_or_default(),
        free_bytes: free_bytes(environment),
    }
}

/// The first word of what a program says of its version that has a number in it.
async fn version(program: &str, arguments: &[&str]) -> Option<String> {
    let output = tokio::process::Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .await
        .ok()
        .filter(|output| output.status.success())?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let mut words = said.split_whitespace().map(|word| word.trim_start_matches('v'));
    words.find(|word| word.starts_with(|first: char| first.is_ascii_digit())).map(str::to_owned)
}

async fn docker(environment: &Environment) -> (Docker, Vec<Cluster>) {
    let connection = match docker::connect(&environment.docker).await {
        Ok(connection) => connection,
        Err(error) => {
            let help = match &error {
                engine::Error::Unusable { help, .. } => help.clone(),
                _ => String::new(),
            };
            let trouble = Trouble { message: error.to_string(), help };
            return (Docker { trouble: Some(trouble), ..Docker::default() }, Vec::new());
        }
    };
    let host = connection.host.clone();
    let info = connection.docker.info().await.unwrap_or_default();
    let kind = Kind::new(connection, environment.state.join("clusters"));
    let clusters = kind.list().await.unwrap_or_default().into_iter().map(|known| Cluster {
        name: short_name(&known.name).to_owned(),
        is_left_over: known.used == Use::Abandoned,
    });
    let clusters = clusters.collect();
    let docker = Docker {
        host,
        version: info.server_version.or_else(|| Some("unknown version".to_owned())),
        cgroup: info.cgroup_version.map(|version| version.to_string()),
        trouble: None,
        node_image: kind.newest_node_image().await.ok().flatten(),
    };
    (docker, clusters)
}

#[cfg(target_os = "linux")]
fn machine(environment: &Environment) -> Option<super::facts::Machine> {
    use crate::engine::embedded::{self, image::Store};

    let has = |program: &str| {
        let path = environment.path.as_deref().unwrap_or_default();
        // where root's programs are is not always where a user looks
        let folders = std::env::split_paths(path).chain(["/usr/sbin", "/sbin"].map(Into::into));
        folders.into_iter().any(|folder| folder.join(program).is_file())
    };
    let programs = ["iptables", "pasta"].into_iter().filter(|program| has(program));
    let images = Store::open(&environment.cache).and_then(|store| store.list());
    Some(super::facts::Machine {
        means: embedded::look(),
        network_programs: programs.map(str::to_owned).collect(),
        images: images.map_or(0, |images| images.len()),
    })
}

#[cfg(not(target_os = "linux"))]
fn machine(_: &Environment) -> Option<super::facts::Machine> {
    None
}

/// The room where images are kept, or will be once the folder is there.
fn free_bytes(environment: &Environment) -> Option<u64> {
    let there = environment.cache.ancestors().find(|folder| folder.is_dir())?;
    let stat = rustix::fs::statvfs(there).ok()?;
    Some(stat.f_bavail.saturating_mul(stat.f_frsize))
}
