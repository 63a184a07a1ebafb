//! What is carried into a job's pod: one tar archive, streamed from the files that it is made of.
//!
//! ```text
//! sources ─ caches ─ artifacts of earlier jobs ─ scripts and file variables ─ ready mark
//! ```

use std::{
    collections::VecDeque,
    fs::File,
    io,
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::io::{AsyncRead, ReadBuf};

use super::{
    sources::Variant,
    tarball::{END, Tarball},
};
use crate::{
    engine::Archive,
    runner::{
        Build,
        build::Look,
        script::{self, generate},
    },
};

/// Joins archives that have no end, in this order, and lets [`scripts`] end them.
pub fn join(layers: impl IntoIterator<Item = PathBuf>, scripts: Vec<u8>) -> Archive {
    let mut pieces: VecDeque<Piece> = layers.into_iter().map(Piece::Path).collect();
    pieces.push_back(Piece::Bytes(io::Cursor::new(scripts)));
    Box::new(Joined { pieces })
}

/// What the helper container needs to run a job's hook, before its sources come: file variables, the script
/// and, last, the mark that they are in place. Nothing where the job has none.
///
/// # Errors
/// When a variable's name is no name for a file.
pub fn hook(build: &Build, nonce: &str, time: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(script) = generate::hook(build) else { return Ok(None) };
    let mut tarball = Tarball::new(Vec::new(), time);
    temporary_files(&mut tarball, build)?;
    let folder = script::folder(build);
    tarball.text(&format!("{folder}/{}", script::HOOK_SCRIPT), script.as_bytes())?;
    tarball.text(&format!("{folder}/{}", script::HOOK_READY), nonce.as_bytes())?;
    let mut bytes = tarball.finish()?;
    bytes.extend_from_slice(&END);
    Ok(Some(bytes))
}

fn temporary_files(tarball: &mut Tarball<Vec<u8>>, build: &Build) -> io::Result<()> {
    let temporary = generate::temporary_folder(build);
    for (name, content) in generate::files(build) {
        tarball.text(&format!("{temporary}/{name}"), content.as_bytes())?;
    }
    Ok(())
}

/// Bytes as an archive.
pub fn of_bytes(bytes: Vec<u8>) -> Archive {
    Box::new(io::Cursor::new(bytes))
}

/// The last part of a job's archive: an empty project folder where there are no sources, the files of
/// file variables, the scripts, the supervisor's settings, and, as the very last, the mark that all of
/// that is in place. `left` is what remained of the job's time when the build container began,
/// `health_limit` how long services may take to listen, `time` when the entries were changed, in seconds
/// since 1970.
///
/// # Errors
/// When a variable's name is no name for a file.
pub fn scripts(
    build: &Build,
    nonce: &str,
    left: Duration,
    health_limit: Duration,
    time: u64,
) -> io::Result<Vec<u8>> {
    let mut tarball = Tarball::new(Vec::new(), time);
    // sources have it, and what has not changed stays in a layer
    if Variant::of(build).is_none() {
        tarball.folder(&build.project_dir)?;
    }
    // A hook has had them, and may have written into GITLAB_ENV.
    if build.hook().is_empty() {
        temporary_files(&mut tarball, build)?;
    }
    let folder = script::folder(build);
    tarball.text(&format!("{folder}/script"), generate::script(build).as_bytes())?;
    if let Some(text) = generate::after_script(build) {
        tarball.text(&format!("{folder}/after_script"), text.as_bytes())?;
    }
    if build.look != Look::Never {
        tarball.text(&format!("{folder}/{}", script::SHELL), generate::shell(build).as_bytes())?;
    }
    let supervisor = format!("{folder}/{}", script::SUPERVISOR_FILE);
    tarball.text(&supervisor, script::SUPERVISOR.as_bytes())?;
    let settings = script::settings(nonce, build, left, health_limit);
    tarball.text(&format!("{folder}/{}", script::SETTINGS), settings.as_bytes())?;
    tarball.text(&format!("{folder}/{}", script::READY), b"")?;
    let mut bytes = tarball.finish()?;
    bytes.extend_from_slice(&END);
    Ok(bytes)
}

/// Says to the supervisor of a job that who looked into its pod has left.
///
/// # Errors
/// When the folder's name is none for a file.
pub fn leave(build: &Build, time: u64) -> io::Result<Archive> {
    let mut tarball = Tarball::new(Vec::new(), time);
    tarball.text(&format!("{}/{}", script::folder(build), script::LEAVE), b"")?;
    let mut bytes = tarball.finish()?;
    bytes.extend_from_slice(&END);
    Ok(Box::new(io::Cursor::new(bytes)))
}

enum Piece {
    Path(PathBuf),
    Open(PathBuf, tokio::fs::File),
    Bytes(io::Cursor<Vec<u8>>),
}

/// Reads one piece after the other.
struct Joined {
    pieces: VecDeque<Piece>,
}

impl AsyncRead for Joined {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        while let Some(piece) = self.pieces.front_mut() {
            match piece {
                Piece::Path(path) => {
                    let path = std::mem::take(path);
                    let file = File::open(&path).map_err(|error| named(&path, &error))?;
                    *piece = Piece::Open(path, tokio::fs::File::from_std(file));
                    continue;
                }
                Piece::Open(path, file) => {
                    ready!(Pin::new(file).poll_read(context, buffer)).map_err(|error| named(path, &error))?
                }
                Piece::Bytes(bytes) => ready!(Pin::new(bytes).poll_read(context, buffer))?,
            }
            if buffer.filled().len() > before || buffer.remaining() == 0 {
                break;
            }
            self.pieces.pop_front();
        }
        Poll::Ready(Ok(()))
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;
    use crate::runner::fixture::a_build;

    async fn names(mut archive: Archive) -> Vec<String> {
        let mut bytes = Vec::new();
        archive.read_to_end(&mut bytes).await.expect("an archive");
        let mut archive = tar::Archive::new(bytes.as_slice());
        let entries = archive.entries().expect("entries");
        entries.map(|entry| entry.expect("an entry").path().expect("a path").display().to_string()).collect()
    }

    fn layer(folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        let mut tarball = Tarball::create(&path, 0).expect("an archive");
        tarball.text(name, &[b'x'; 100_000]).expect("an entry");
        tarball.finish().expect("an archive");
        path
    }

    #[tokio::test]
    async fn the_ready_mark_comes_last() {
        let folder = tempfile::tempdir().expect("a folder");
        let layers = [layer(folder.path(), "sources"), layer(folder.path(), "artifacts")];
        let mut build = a_build(&["true"]);
        build.after_script = vec!["true".to_owned()];
        let archive = join(
            layers,
            scripts(&build, "nonce", Duration::from_secs(60), Duration::from_secs(9), 0).expect("scripts"),
        );
        assert_eq!(
            names(archive).await,
            [
                "sources",
                "artifacts",
                "builds/",
                "builds/group/",
                "builds/group/project.tmp/",
                "builds/group/project.tmp/gitlab_runner_env",
                "scripts-42-7/",
                "scripts-42-7/script",
                "scripts-42-7/after_script",
                "scripts-42-7/supervisor",
                "scripts-42-7/job",
                "scripts-42-7/ready",
            ]
        );
    }

    #[tokio::test]
    async fn a_layer_that_is_gone_is_an_error_and_no_short_archive() {
        let mut archive = join([PathBuf::from("/nowhere/sources.tar")], Vec::new());
        let error = archive.read_to_end(&mut Vec::new()).await.expect_err("it is gone");
        assert!(error.to_string().contains("/nowhere/sources.tar"), "{error}");
    }
}
