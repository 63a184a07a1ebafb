//! Files in the volumes of a pod, put there and taken from there on the host: nothing runs in the pod for it.

use std::{
    io::{self, Read},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use k8s_openapi::api::core::v1::Pod;
use tar::{EntryType, Header};

use super::plan;
use crate::engine::{
    File,
    embedded::tree::{Entry, Tree, inner, is_plain},
};

/// What a container sees of the pod's volumes.
#[derive(Debug, Clone)]
pub(in crate::engine::embedded) struct Volumes {
    /// Where each is mounted, without the leading `/`, and where it lies; the longest path first.
    mounts: Vec<(PathBuf, Place)>,
}

/// Where the files of a volume are.
#[derive(Debug, Clone)]
pub(in crate::engine::embedded) enum Place {
    /// In a folder.
    Folder(PathBuf),
    /// In a folder that only the sandbox has a path to.
    Opened(Arc<OwnedFd>),
}

impl Place {
    fn tree(&self) -> io::Result<Tree> {
        match self {
            Self::Folder(path) => Tree::open(path),
            Self::Opened(folder) => Ok(Tree::of(folder.try_clone()?)),
        }
    }
}

impl Volumes {
    /// The volumes of a container, of which one may be open.
    pub(in crate::engine::embedded) fn of(
        pod: &Pod,
        container: &str,
        folder: &Path,
        opened: Option<(&str, Arc<OwnedFd>)>,
    ) -> Self {
        let spec = pod.spec.as_ref();
        let mut containers = spec.into_iter().flat_map(|spec| &spec.containers);
        let mounts = containers.find(|it| it.name == container).and_then(|it| it.volume_mounts.as_ref());
        let mut mounts: Vec<_> = mounts
            .into_iter()
            .flatten()
            .filter_map(|mount| {
                let place = match &opened {
                    Some((volume, folder)) if *volume == mount.name => Place::Opened(Arc::clone(folder)),
                    _ => Place::Folder(plan::volume(&mount.name, spec?, folder).ok()?),
                };
                Some((inner(Path::new(&mount.mount_path)).ok()?, place))
            })
            .collect();
        mounts.sort_by_key(|(path, _)| std::cmp::Reverse(path.components().count()));
        Self { mounts }
    }

    /// A folder that stands for the volume which is mounted at a path.
    pub(in crate::engine::embedded) fn one(path: &Path, folder: PathBuf) -> io::Result<Self> {
        Ok(Self { mounts: vec![(inner(path)?, Place::Folder(folder))] })
    }

    /// The volume that a path is in, and the path in it.
    fn find(&self, path: &Path) -> Option<(usize, PathBuf)> {
        let mut mounts = self.mounts.iter().enumerate();
        mounts.find_map(|(index, (at, _))| Some((index, path.strip_prefix(at).ok()?.to_owned())))
    }

    fn open(&self, path: &str) -> io::Result<(Tree, PathBuf)> {
        let path = inner(Path::new(path))?;
        let (index, path) = self.find(&path).ok_or_else(|| outside(&path))?;
        Ok((self.mounts[index].1.tree()?, path))
    }

    /// Unpacks an archive whose paths are those in the container.
    pub(in crate::engine::embedded) fn unpack(&self, archive: impl Read) -> io::Result<()> {
        let mut trees: Vec<Tree> =
            self.mounts.iter().map(|(_, place)| place.tree()).collect::<io::Result<_>>()?;
        let mut archive = tar::Archive::new(archive);
        for entry in archive.entries()? {
            let mut entry = entry?;
            let whole = inner(&entry.path()?)?;
            let kind = entry.header().entry_type();
            let Some((index, path)) = self.find(&whole) else {
                // the folders above a volume are the container's own
                if kind.is_dir() {
                    continue;
                }
                return Err(outside(&whole));
            };
            let tree = &mut trees[index];
            let (mode, time) = (entry.header().mode()?, entry.header().mtime()?);
            match kind {
                EntryType::Directory => tree.folder(&path, mode)?,
                EntryType::Symlink => {
                    tree.link(&path, &entry.link_name()?.unwrap_or_default())?;
                }
                EntryType::Link => {
                    let original = inner(&entry.link_name()?.unwrap_or_default())?;
                    match self.find(&original) {
                        Some((other, original)) if other == index => tree.hard_link(&path, &original)?,
                        _ => return Err(outside(&original)),
                    }
                }
                EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                    tree.file(&path, mode, &mut entry)?;
                    tree.time(&path, time)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What is below a folder of the container.
    pub(in crate::engine::embedded) fn list(&self, folder: &str) -> io::Result<Vec<File>> {
        let (tree, path) = self.open(folder)?;
        tree.list(&path)
    }

    /// Writes an archive of files, their paths relative to a folder of the container.
    pub(in crate::engine::embedded) fn pack(
        &self,
        folder: &str,
        paths: &[String],
        out: impl io::Write,
    ) -> io::Result<()> {
        let (tree, folder) = self.open(folder)?;
        let mut builder = tar::Builder::new(out);
        for path in paths {
            append(&mut builder, &tree, &folder, path)
                .map_err(|error| io::Error::other(format!("`{path}`: {error}")))?;
        }
        builder.into_inner()?.flush()
    }
}

fn append(
    builder: &mut tar::Builder<impl io::Write>,
    tree: &Tree,
    folder: &Path,
    path: &str,
) -> io::Result<()> {
    let mut header = Header::new_gnu();
    match tree.entry(folder, path)? {
        Entry::Link(target) => {
            header.set_entry_type(EntryType::Symlink);
            header.set_mode(0o777);
            header.set_size(0);
            builder.append_link(&mut header, path, target)
        }
        Entry::Opened(file) => {
            let found = file.metadata()?;
            if !is_plain(&found) {
                return Err(io::Error::other("it is a socket, device or pipe"));
            }
            header.set_metadata(&found);
            if found.is_dir() {
                header.set_size(0);
                return builder.append_data(
                    &mut header,
                    format!("{}/", path.trim_end_matches('/')),
                    io::empty(),
                );
            }
            // a file that shrinks meanwhile must not shift what follows
            let content = file.chain(io::repeat(0)).take(found.len());
            builder.append_data(&mut header, path, content)
        }
    }
}

fn outside(path: &Path) -> io::Error {
    io::Error::other(format!("`/{}` is in no volume of the pod", path.display()))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn volumes(folder: &Path) -> Volumes {
        for name in ["repo", "cache"] {
            fs::create_dir(folder.join(name)).expect("a folder");
        }
        Volumes {
            mounts: vec![
                (PathBuf::from("builds/cache"), Place::Folder(folder.join("cache"))),
                (PathBuf::from("builds"), Place::Folder(folder.join("repo"))),
            ],
        }
    }

    #[test]
    fn files_go_to_the_volume_that_is_mounted_nearest() {
        let folder = tempfile::tempdir().expect("a folder");
        let volumes = volumes(folder.path());
        let mut builder = tar::Builder::new(Vec::new());
        for path in ["builds/p/a", "builds/cache/b"] {
            let mut header = Header::new_gnu();
            header.set_mode(0o644);
            header.set_size(1);
            header.set_mtime(0);
            builder.append_data(&mut header, path, &b"x"[..]).expect("an entry");
        }
        volumes.unpack(&builder.into_inner().expect("an archive")[..]).expect("unpacked");
        assert!(folder.path().join("repo/p/a").is_file() && folder.path().join("cache/b").is_file());
    }

    #[test]
    fn what_is_in_no_volume_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let volumes = volumes(folder.path());
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = Header::new_gnu();
        header.set_mode(0o644);
        header.set_size(0);
        header.set_mtime(0);
        builder.append_data(&mut header, "etc/passwd", io::empty()).expect("an entry");
        let refused = volumes.unpack(&builder.into_inner().expect("an archive")[..]).expect_err("refused");
        assert_eq!(refused.to_string(), "`/etc/passwd` is in no volume of the pod");
        assert!(volumes.list("/etc").is_err());
    }

    #[test]
    fn files_come_out_and_links_stay_links() {
        let folder = tempfile::tempdir().expect("a folder");
        let volumes = volumes(folder.path());
        fs::create_dir(folder.path().join("repo/out")).expect("a folder");
        fs::write(folder.path().join("repo/out/f"), "text").expect("a file");
        symlink("/etc/passwd", folder.path().join("repo/out/l")).expect("a link");
        let paths = ["out".to_owned(), "out/f".to_owned(), "out/l".to_owned()];
        let mut bytes = Vec::new();
        volumes.pack("/builds", &paths, &mut bytes).expect("packed");
        let mut archive = tar::Archive::new(&bytes[..]);
        let entries: Vec<_> = archive
            .entries()
            .expect("entries")
            .map(|entry| {
                let entry = entry.expect("an entry");
                (
                    entry.path().expect("a path").display().to_string(),
                    entry.header().entry_type(),
                    entry.size(),
                )
            })
            .collect();
        assert_eq!(
            entries,
            [
                ("out/".to_owned(), EntryType::Directory, 0),
                ("out/f".to_owned(), EntryType::Regular, 4),
                ("out/l".to_owned(), EntryType::Symlink, 0),
            ]
        );
        assert!(volumes.pack("/builds", &["out/l/x".to_owned()], &mut Vec::new()).is_err());
    }
}
