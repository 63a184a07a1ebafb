//! Images of the local Docker, streamed into the nodes without a temporary file.
//!
//! `kind load docker-image` writes an archive to disk first, and imports for all platforms, which fails for
//! every image whose other platforms Docker's containerd store does not have. The import here takes the
//! node's own platform only.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::time::Duration;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecResults};
use futures::{Stream, StreamExt, TryStreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep};
use tokio_util::bytes::Bytes;

use super::state::nodes;
use crate::engine::docker::{failed, is_status};
use crate::engine::{Error, Progress, Step};

/// The label that an imported image gets in the node: the id that Docker knows it by.
const ID_LABEL: &str = "podline.image";

/// How long a node's containerd may take to be there.
const PATIENCE: Duration = Duration::from_secs(300);

/// How much is sent between two reports.
const REPORT: u64 = 4 << 20;

/// What became of the images.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// These were sent, under their full names.
    pub sent: Vec<String>,
    /// These were there, under their full names.
    pub present: Vec<String>,
}

/// An image of the local Docker.
#[derive(Debug, Clone)]
struct Local {
    name: String,
    id: String,
    bytes: u64,
}

/// The name that a node knows an image by: `busybox` is `docker.io/library/busybox:latest`.
#[must_use]
pub fn full_name(image: &str) -> String {
    let (registry, path) = match image.split_once('/') {
        Some((first, rest)) if first.contains(['.', ':']) || first == "localhost" => (first, rest.to_owned()),
        Some(_) => ("docker.io", image.to_owned()),
        None => ("docker.io", format!("library/{image}")),
    };
    let registry = if registry == "index.docker.io" { "docker.io" } else { registry };
    let path = if registry == "docker.io" && !path.contains('/') { format!("library/{path}") } else { path };
    let last = path.rsplit('/').next().unwrap_or_default();
    let tag = if last.contains([':', '@']) { "" } else { ":latest" };
    format!("{registry}/{path}{tag}")
}

/// Imports images as soon as the nodes of a cluster in the making can take them.
pub(super) async fn import_early(
    docker: &Docker,
    cluster: &str,
    count: usize,
    images: &[String],
    progress: &Progress<'_>,
) -> Result<(), Error> {
    let local = find(docker, images, progress).await?;
    if local.is_empty() {
        return Ok(());
    }
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        let nodes = containers(docker, cluster).await?;
        if nodes.len() == count && answers(docker, &nodes).await {
            return import_into(docker, &nodes, &local, progress).await.map(drop);
        }
        sleep(Duration::from_millis(200)).await;
    }
    Err(Error::Failed {
        doing: "importing images".to_owned(),
        cause: format!("no containerd answered within {} s", PATIENCE.as_secs()),
    })
}

/// Imports those of the images that the local Docker has into all nodes that do not have them.
pub(super) async fn import(
    docker: &Docker,
    cluster: &str,
    images: &[String],
    progress: &Progress<'_>,
) -> Result<Imported, Error> {
    let local = find(docker, images, progress).await?;
    let nodes = containers(docker, cluster).await?;
    import_into(docker, &nodes, &local, progress).await
}

async fn containers(docker: &Docker, cluster: &str) -> Result<Vec<String>, Error> {
    Ok(nodes(docker, cluster).await?.into_iter().filter_map(|node| node.id).collect())
}

async fn answers(docker: &Docker, nodes: &[String]) -> bool {
    for node in nodes {
        let ran = Node { docker, container: node }.run(&["ctr", "--namespace=k8s.io", "version"]).await;
        if ran.is_err() {
            return false;
        }
    }
    true
}

/// Looks the images up in the local Docker.
async fn find(docker: &Docker, images: &[String], progress: &Progress<'_>) -> Result<Vec<Local>, Error> {
    let mut found = Vec::new();
    let skipped = |image: &str, reason: &str| {
        progress(Step::ImageSkipped { image: image.to_owned(), reason: reason.to_owned() });
    };
    for image in images.iter().collect::<BTreeSet<_>>() {
        if image.contains('@') {
            // an archive carries tags only
            skipped(image, "it is named by digest");
            continue;
        }
        match docker.inspect_image(image).await {
            Ok(inspected) => found.push(Local {
                name: full_name(image),
                id: inspected.id.unwrap_or_default(),
                bytes: inspected.size.and_then(|size| size.try_into().ok()).unwrap_or_default(),
            }),
            Err(error) if is_status(&error, 404) => skipped(image, "the local Docker does not have it"),
            Err(error) => return Err(failed(format!("looking for the image `{image}`"), &error)),
        }
    }
    found.dedup_by(|one, other| one.name == other.name);
    Ok(found)
}

async fn import_into(
    docker: &Docker,
    nodes: &[String],
    local: &[Local],
    progress: &Progress<'_>,
) -> Result<Imported, Error> {
    let mut imported = Imported::default();
    for container in nodes {
        let node = Node { docker, container };
        let there = node.images().await?;
        let (present, missing): (Vec<_>, Vec<_>) =
            local.iter().cloned().partition(|image| there.get(&image.name) == Some(&image.id));
        imported.present.extend(present.into_iter().map(|image| image.name));
        if missing.is_empty() {
            continue;
        }
        progress(Step::ImagesStarted {
            images: missing.iter().map(|image| image.name.clone()).collect(),
            bytes: missing.iter().map(|image| image.bytes).sum(),
            from: "Docker".to_owned(),
        });
        imported.sent.extend(node.send_all(missing, progress).await);
        progress(Step::ImagesDone);
    }
    Ok(imported)
}

/// A node's container.
struct Node<'a> {
    docker: &'a Docker,
    container: &'a str,
}

impl Node<'_> {
    /// The images that were imported before, with their ids.
    async fn images(&self) -> Result<BTreeMap<String, String>, Error> {
        let listing = self.run(&["ctr", "--namespace=k8s.io", "images", "ls"]).await?;
        Ok(listing.lines().filter_map(labelled).collect())
    }

    /// Sends images, together if that works: one that cannot be exported, because Docker lacks a part of it,
    /// spoils the archive of all. Gives the names of those that arrived.
    async fn send_all(&self, images: Vec<Local>, progress: &Progress<'_>) -> Vec<String> {
        if self.send(&images, progress).await.is_ok() {
            return images.into_iter().map(|image| image.name).collect();
        }
        let mut sent = Vec::new();
        for image in images {
            match self.send(std::slice::from_ref(&image), progress).await {
                Ok(()) => sent.push(image.name),
                Err(error) => progress(Step::ImageSkipped { image: image.name, reason: error.to_string() }),
            }
        }
        sent
    }

    /// Sends images in one archive, in which layers that they share are sent once.
    async fn send(&self, images: &[Local], progress: &Progress<'_>) -> Result<(), Error> {
        let names: Vec<&str> = images.iter().map(|image| image.name.as_str()).collect();
        let snapshotter = format!("--snapshotter={}", self.snapshotter().await?);
        let import = ["ctr", "--namespace=k8s.io", "images", "import", &snapshotter, "-"];
        let archive = self.docker.export_images(&names).map_err(|error| failed("exporting images", &error));
        self.exec(&import, Some((Box::pin(archive), progress))).await?;
        for image in images {
            let label = format!("{ID_LABEL}={}", image.id);
            self.run(&["ctr", "--namespace=k8s.io", "images", "label", &image.name, &label]).await?;
        }
        Ok(())
    }

    /// The snapshotter that pods use: images unpacked for another one would be unpacked again.
    async fn snapshotter(&self) -> Result<String, Error> {
        let dump = self.run(&["containerd", "config", "dump"]).await?;
        Ok(snapshotter(&dump).unwrap_or_else(|| "overlayfs".to_owned()))
    }

    async fn run(&self, argv: &[&str]) -> Result<String, Error> {
        self.exec(argv, None).await
    }

    async fn exec(
        &self,
        argv: &[&str],
        input: Option<(Archive<'_>, &Progress<'_>)>,
    ) -> Result<String, Error> {
        let doing = format!("`{}` in the node", argv[..argv.len().min(4)].join(" "));
        let lost = |error: bollard::errors::Error| failed(&*doing, &error);
        let options = CreateExecOptions {
            cmd: Some(argv.to_vec()),
            attach_stdin: Some(input.is_some()),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            ..CreateExecOptions::default()
        };
        let exec = self.docker.create_exec(self.container, options).await.map_err(lost)?;
        let started = self.docker.start_exec(&exec.id, None).await.map_err(lost)?;
        let StartExecResults::Attached { output, input: stdin } = started else {
            return Err(Error::Failed { doing, cause: "Docker did not attach".to_owned() });
        };
        let fed = async {
            match input {
                Some((archive, progress)) => feed(stdin, archive, progress).await,
                None => Ok(()),
            }
        };
        let said = async { read(output).await.map_err(lost) };
        let (fed, said) = tokio::join!(fed, said);
        let (stdout, stderr) = said?;
        let ended = self.docker.inspect_exec(&exec.id).await.map_err(lost)?;
        if ended.exit_code != Some(0) {
            return Err(Error::Failed { doing, cause: stderr.trim().to_owned() });
        }
        fed.map(|()| stdout)
    }
}

type Archive<'a> = Pin<Box<dyn Stream<Item = Result<Bytes, Error>> + Send + 'a>>;

async fn feed(
    mut stdin: Pin<Box<dyn AsyncWrite + Send>>,
    mut archive: Archive<'_>,
    progress: &Progress<'_>,
) -> Result<(), Error> {
    let (mut sent, mut told) = (0, 0);
    while let Some(bytes) = archive.try_next().await? {
        if stdin.write_all(&bytes).await.is_err() {
            // it has ended: its exit code says why
            return Ok(());
        }
        sent += bytes.len() as u64;
        if sent - told >= REPORT {
            told = sent;
            progress(Step::ImagesSent { bytes: sent });
        }
    }
    let _ = stdin.shutdown().await;
    Ok(())
}

async fn read(
    mut output: Pin<Box<dyn Stream<Item = Result<LogOutput, bollard::errors::Error>> + Send>>,
) -> Result<(String, String), bollard::errors::Error> {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    while let Some(piece) = output.next().await {
        match piece? {
            LogOutput::StdErr { message } => stderr.extend_from_slice(&message),
            piece => stdout.extend_from_slice(&piece.into_bytes()),
        }
    }
    Ok((String::from_utf8_lossy(&stdout).into_owned(), String::from_utf8_lossy(&stderr).into_owned()))
}

/// An image and its id, from a line of `ctr images ls`: the name comes first, the labels last.
fn labelled(line: &str) -> Option<(String, String)> {
    let mut words = line.split_whitespace();
    let (name, labels) = (words.next()?, words.next_back()?);
    let mut labels = labels.split(',');
    let id = labels.find_map(|label| label.strip_prefix(ID_LABEL)?.strip_prefix('='))?;
    Some((name.to_owned(), id.to_owned()))
}

/// The snapshotter of containerd's CRI plugin, which moved with containerd 2.
fn snapshotter(dump: &str) -> Option<String> {
    let dump: toml::Table = dump.parse().ok()?;
    let plugins = dump.get("plugins")?;
    let two = plugins.get("io.containerd.cri.v1.images").and_then(|plugin| plugin.get("snapshotter"));
    let one = || plugins.get("io.containerd.grpc.v1.cri")?.get("containerd")?.get("snapshotter");
    two.or_else(one)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_knows_images_by_their_full_names() {
        let rows = [
            ("busybox", "docker.io/library/busybox:latest"),
            ("busybox:1.36", "docker.io/library/busybox:1.36"),
            ("bitnami/git", "docker.io/bitnami/git:latest"),
            ("docker.io/busybox", "docker.io/library/busybox:latest"),
            ("index.docker.io/library/busybox", "docker.io/library/busybox:latest"),
            ("localhost/app", "localhost/app:latest"),
            ("registry:5000/app:1", "registry:5000/app:1"),
            ("ghcr.io/a/b/c:1", "ghcr.io/a/b/c:1"),
            ("busybox@sha256:ab", "docker.io/library/busybox@sha256:ab"),
        ];
        for (image, expected) in rows {
            assert_eq!(full_name(image), expected, "{image}");
        }
    }

    #[test]
    fn an_image_that_was_imported_before_is_known_by_its_label() {
        let line = "docker.io/library/busybox:1.36 application/vnd.docker.distribution.manifest.v2+json sha256:77 1.9 MiB linux/amd64 io.cri-containerd.image=managed,podline.image=sha256:f6";
        assert_eq!(
            labelled(line),
            Some(("docker.io/library/busybox:1.36".to_owned(), "sha256:f6".to_owned()))
        );
        assert_eq!(labelled("REF TYPE DIGEST SIZE PLATFORMS LABELS"), None);
        assert_eq!(labelled("docker.io/library/a:1 t sha256:1 1.0 MiB linux/amd64 -"), None);
        assert_eq!(labelled(""), None);
    }

    #[test]
    fn the_snapshotter_is_found_in_both_versions_of_containerd() {
        let one = "[plugins]\n[plugins.\"io.containerd.grpc.v1.cri\".containerd]\nsnapshotter = \"native\"\n";
        let two = "[plugins.'io.containerd.cri.v1.images']\nsnapshotter = 'fuse-overlayfs'\n";
        assert_eq!(snapshotter(one).as_deref(), Some("native"));
        assert_eq!(snapshotter(two).as_deref(), Some("fuse-overlayfs"));
        assert_eq!(snapshotter(""), None);
    }
}
