//! Archives out of a pod: checked entry by entry, then kept on this machine as an archive again. They are
//! never unpacked here, only carried into other pods.

use std::{
    collections::BTreeSet,
    io::{self, Read, Write as _},
    path::{Component, Path, PathBuf},
};

use tar::EntryType;
use tokio_util::io::SyncIoBridge;

use super::{artifacts::Source, tarball::Tarball};
use crate::engine::{self, Archive};

/// How much one archive may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// How many entries.
    pub entries: usize,
    /// How many bytes in all files.
    pub bytes: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { entries: 500_000, bytes: 8 << 30 }
    }
}

/// What an archive held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stored {
    /// How many files and links.
    pub files: usize,
    /// How many bytes in them.
    pub bytes: u64,
}

/// Why an archive was not kept.
#[derive(Debug, thiserror::Error)]
pub enum IncomingError {
    /// An entry would leave the folder that it belongs to, or is no file at all.
    #[error("`{path}` {reason}")]
    Refused {
        /// The entry.
        path: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// It holds more than it may.
    #[error("more than {bytes} bytes or {entries} files", bytes = .0.bytes, entries = .0.entries)]
    TooLarge(Bounds),
    /// It could not be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// How often files are asked for that did not arrive whole.
const ATTEMPTS: u32 = 3;

/// Takes files, their paths relative to `folder`, out of a pod and keeps them as `into`, see [`store`]. What
/// breaks on the way is tried again.
///
/// # Errors
/// When the pod does not give them, or what it gives is refused or cannot be kept.
pub async fn fetch(
    source: Source<'_>,
    folder: &str,
    paths: &[String],
    into: &Path,
) -> Result<Stored, FetchError> {
    let mut attempt = 1;
    loop {
        let archive = source.pods.copy_out(source.pod, source.container, folder, paths).await?;
        match store(archive, folder, into.to_owned(), Bounds::default()).await {
            Err(IncomingError::Io(_)) if attempt < ATTEMPTS => attempt += 1,
            stored => return Ok(stored?),
        }
    }
}

/// Why files were not taken out of a pod.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The pod did not give them.
    #[error(transparent)]
    Engine(#[from] engine::Error),
    /// What came was not kept.
    #[error(transparent)]
    Incoming(#[from] IncomingError),
}

/// Keeps an archive whose paths are relative as `into`, its paths below `folder`, without an end. What
/// was there is replaced at once, when all is well.
///
/// # Errors
/// When an entry is refused, there is too much of it, or it cannot be read or written.
pub async fn store(
    archive: Archive,
    folder: &str,
    into: PathBuf,
    bounds: Bounds,
) -> Result<Stored, IncomingError> {
    let bridge = SyncIoBridge::new(archive);
    let folder = folder.trim_matches('/').to_owned();
    let task = tokio::task::spawn_blocking(move || copy(bridge, &folder, &into, bounds));
    task.await.map_err(io::Error::other)?
}

fn copy(reader: impl Read, folder: &str, into: &Path, bounds: Bounds) -> Result<Stored, IncomingError> {
    let parent = into.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(parent)?;
    let file = tempfile::NamedTempFile::new_in(parent)?;
    let mut tarball = Tarball::new(io::BufWriter::with_capacity(1 << 18, file), 0);
    let mut check = Check { bounds, entries: 0, stored: Stored::default(), links: BTreeSet::new() };
    let mut archive = tar::Archive::new(reader);
    // With many files it is several archives one after the other.
    archive.set_ignore_zeros(true);
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = inside(&entry.path()?)?;
        let (kind, size) = (entry.header().entry_type(), entry.size());
        check.entry(&path, kind, size)?;
        if path.is_empty() {
            continue;
        }
        let target = if folder.is_empty() { path.clone() } else { format!("{folder}/{path}") };
        let header = tarball.like(entry.header(), if kind.is_file() { size } else { 0 });
        match kind {
            EntryType::Symlink => {
                let link = entry.link_name()?.ok_or_else(|| refused(&path, "is a link to nothing"))?;
                tarball.link(&target, header, &link)?;
            }
            EntryType::Link => {
                let link = entry.link_name()?.ok_or_else(|| refused(&path, "is a link to nothing"))?;
                let link = inside(&link)?;
                check.no_link_above(&link)?;
                let link = if folder.is_empty() { link } else { format!("{folder}/{link}") };
                tarball.link(&target, header, Path::new(&link))?;
            }
            _ => tarball.entry(&target, header, &mut entry)?,
        }
    }
    let mut writer = tarball.finish()?;
    writer.flush()?;
    let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.persist(into).map_err(|error| error.error)?;
    Ok(check.stored)
}

/// What has been seen of an archive.
struct Check {
    bounds: Bounds,
    entries: usize,
    stored: Stored,
    links: BTreeSet<String>,
}

impl Check {
    fn entry(&mut self, path: &str, kind: EntryType, size: u64) -> Result<(), IncomingError> {
        self.entries += 1;
        self.stored.bytes = self.stored.bytes.saturating_add(size);
        if self.entries > self.bounds.entries || self.stored.bytes > self.bounds.bytes {
            return Err(IncomingError::TooLarge(self.bounds));
        }
        self.no_link_above(path)?;
        match kind {
            EntryType::Directory => return Ok(()),
            EntryType::Symlink => drop(self.links.insert(path.to_owned())),
            EntryType::Regular | EntryType::Continuous | EntryType::Link => {}
            _ => return Err(refused(path, "is a device, a pipe or something else that is no file")),
        }
        self.stored.files += 1;
        Ok(())
    }

    /// Whoever unpacks an entry below a link, or in place of one, writes to where the link points.
    fn no_link_above(&self, path: &str) -> Result<(), IncomingError> {
        let mut above = Some(path);
        while let Some(path) = above {
            if self.links.contains(path) {
                return Err(refused(path, "is a link and a folder at once"));
            }
            above = path.rsplit_once('/').map(|(parent, _)| parent);
        }
        Ok(())
    }
}

/// A relative path that stays where it is, without `.` in it.
fn inside(path: &Path) -> Result<String, IncomingError> {
    let mut parts = Vec::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(name) => {
                let name = name.to_str();
                parts.push(name.ok_or_else(|| refused(&path.to_string_lossy(), "is no valid text"))?);
            }
            _ => return Err(refused(&path.to_string_lossy(), "leads out of the project's folder")),
        }
    }
    Ok(parts.join("/"))
}

fn refused(path: &str, reason: &'static str) -> IncomingError {
    IncomingError::Refused { path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive of raw headers: the library would not write such names.
    fn archive(entries: &[(&str, u8, &str)]) -> Archive {
        Box::new(io::Cursor::new(bytes(entries)))
    }

    fn bytes(entries: &[(&str, u8, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, kind, link) in entries {
            let mut header = tar::Header::new_gnu();
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
            header.set_entry_type(EntryType::new(*kind));
            header.set_mode(0o755);
            header.set_size(if *kind == b'0' { 4 } else { 0 });
            header.set_cksum();
            bytes.extend_from_slice(header.as_bytes());
            if *kind == b'0' {
                let mut block = [0; 512];
                block[..4].copy_from_slice(b"data");
                bytes.extend_from_slice(&block);
            }
        }
        bytes.extend_from_slice(&[0; 1024]);
        bytes
    }

    async fn stored(
        entries: &[(&str, u8, &str)],
        bounds: Bounds,
    ) -> (Result<Stored, IncomingError>, Vec<String>) {
        let folder = tempfile::tempdir().expect("a folder");
        let into = folder.path().join("jobs/a.tar");
        let result = store(archive(entries), "/builds/g/p", into.clone(), bounds).await;
        let left = std::fs::read_dir(folder.path().join("jobs")).expect("a folder").count();
        assert_eq!(left, usize::from(result.is_ok()), "a refused archive leaves nothing");
        let names = std::fs::read(&into).map(|bytes| {
            let mut archive = tar::Archive::new(bytes.as_slice());
            let entries = archive.entries().expect("entries").map(|entry| {
                let entry = entry.expect("an entry");
                let link = entry.link_name().expect("a name");
                let link = link.map(|link| format!(" -> {}", link.display())).unwrap_or_default();
                format!("{}{link}", entry.path().expect("a path").display())
            });
            entries.collect()
        });
        (result, names.unwrap_or_default())
    }

    #[tokio::test]
    async fn files_and_links_are_kept_below_the_project() {
        let entries = [
            ("./", b'5', ""),
            ("./out/", b'5', ""),
            ("./out/f", b'0', ""),
            ("out/link", b'2', "/usr/bin/python3"),
            ("out/hard", b'1', "./out/f"),
        ];
        let (result, names) = stored(&entries, Bounds::default()).await;
        assert_eq!(result.expect("all is well"), Stored { files: 3, bytes: 4 });
        assert_eq!(
            names,
            [
                "builds/",
                "builds/g/",
                "builds/g/p/",
                "builds/g/p/out/",
                "builds/g/p/out/f",
                "builds/g/p/out/link -> /usr/bin/python3",
                "builds/g/p/out/hard -> builds/g/p/out/f",
            ]
        );
    }

    #[tokio::test]
    async fn what_would_leave_the_project_is_refused() {
        for entries in [
            &[("/etc/passwd", b'0', "")][..],
            &[("../f", b'0', "")],
            &[("a/../../f", b'0', "")],
            &[("dev", b'3', "")],
            &[("dev", b'4', "")],
            &[("pipe", b'6', "")],
            &[("hard", b'1', "/etc/passwd")],
            &[("hard", b'1', "../f")],
            &[("link", b'2', "/etc"), ("link/passwd", b'0', "")],
            &[("link", b'2', "/etc/passwd"), ("link", b'0', "")],
            &[("link", b'2', "/etc"), ("hard", b'1', "link/passwd")],
            &[("a", b'2', "."), ("a/b", b'2', ".."), ("a/b/f", b'0', "")],
        ] {
            let (result, _) = stored(entries, Bounds::default()).await;
            assert!(matches!(result, Err(IncomingError::Refused { .. })), "{entries:?}: {result:?}");
        }
    }

    #[tokio::test]
    async fn several_archives_one_after_the_other_are_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let both = [bytes(&[("a", b'0', "")]), bytes(&[("b", b'0', "")])].concat();
        let archive = Box::new(io::Cursor::new(both));
        let stored = store(archive, "", folder.path().join("a.tar"), Bounds::default()).await;
        assert_eq!(stored.expect("all is well").files, 2);
    }

    #[tokio::test]
    async fn an_archive_is_bounded() {
        let entries = [("a", b'0', ""), ("b", b'0', ""), ("c", b'0', "")];
        for bounds in [Bounds { entries: 2, bytes: 100 }, Bounds { entries: 9, bytes: 11 }] {
            let (result, _) = stored(&entries, bounds).await;
            assert!(matches!(result, Err(IncomingError::TooLarge(_))), "{bounds:?}");
        }
    }

    #[tokio::test]
    async fn an_archive_that_breaks_off_is_an_error() {
        let folder = tempfile::tempdir().expect("a folder");
        let broken = Box::new(io::Cursor::new(vec![b'x'; 700]));
        let result = store(broken, "", folder.path().join("a.tar"), Bounds::default()).await;
        assert!(matches!(result, Err(IncomingError::Io(_))));
    }
}
