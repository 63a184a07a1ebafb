//! Files below a folder, reached in a way that no link leads out of it: what a job or an image has put there
//! may be made to.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io::{self, Read},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{ffi::OsStrExt as _, fs::FileTypeExt as _},
    },
    path::{Component, Path, PathBuf},
};

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, ResolveFlags, Timespec, Timestamps, UTIME_OMIT, Uid,
    XattrFlags, chownat, fchmod, fsetxattr, fstat, linkat, mkdirat, mknodat, openat, openat2, symlinkat,
    unlinkat, utimensat,
};

use crate::engine::{File as Listed, FileKind};

/// A folder and what is below it.
pub(super) struct Tree {
    root: OwnedFd,
    /// The folder that was worked in last: files mostly come folder by folder.
    last: Option<(PathBuf, OwnedFd)>,
}

/// A folder below which nothing leads out: links are followed as if the folder were the root.
const INSIDE: ResolveFlags = ResolveFlags::IN_ROOT.union(ResolveFlags::NO_MAGICLINKS);

const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

impl Tree {
    /// Opens a folder.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { root: openat(CWD, path, FOLDER, Mode::empty())?, last: None })
    }

    /// A folder that is open.
    pub(super) fn of(root: OwnedFd) -> Self {
        Self { root, last: None }
    }

    /// Makes a folder, and those above it; what else is there under its name gives way.
    pub(super) fn folder(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        let (parent, Some(name)) = self.parent(path)? else { return Ok(()) };
        match mkdirat(&parent, &name, Mode::from_raw_mode(0o755)) {
            Err(rustix::io::Errno::EXIST) => {
                if !is_folder(&parent, &name)? {
                    unlinkat(&parent, &name, AtFlags::empty())?;
                    mkdirat(&parent, &name, Mode::from_raw_mode(0o755))?;
                }
            }
            made => made?,
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = openat(&parent, &name, flags, Mode::empty())?;
        // a change that changes nothing would still bring the folder out of a layer
        if fstat(&folder)?.st_mode & 0o7777 != mode & 0o7777 {
            fchmod(folder, Mode::from_raw_mode(mode & 0o7777))?;
        }
        Ok(())
    }

    /// Makes a file in place of what is there under its name.
    pub(super) fn file(&mut self, path: &Path, mode: u32, content: &mut dyn Read) -> io::Result<File> {
        let (parent, name) = self.free(path)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&parent, &name, flags, Mode::from_raw_mode(0o600))?);
        io::copy(content, &mut file)?;
        fchmod(&file, Mode::from_raw_mode(mode & 0o7777))?;
        Ok(file)
    }

    /// Makes a symbolic link in place of what is there under its name.
    pub(super) fn link(&mut self, path: &Path, target: &Path) -> io::Result<()> {
        let (parent, name) = self.free(path)?;
        Ok(symlinkat(target, &parent, &name)?)
    }

    /// Gives a file that is here a second name.
    pub(super) fn hard_link(&mut self, path: &Path, original: &Path) -> io::Result<()> {
        let (from, Some(from_name)) = self.parent(original)? else {
            return Err(io::Error::other("a link to the folder itself"));
        };
        let from = from.try_clone()?;
        let (parent, name) = self.free(path)?;
        Ok(linkat(&from, &from_name, &parent, &name, AtFlags::empty())?)
    }

    /// Makes the mark by which an overlay hides a file of lower layers.
    pub(super) fn whiteout(&mut self, path: &Path) -> io::Result<()> {
        let (parent, name) = self.free(path)?;
        Ok(mknodat(&parent, &name, FileType::CharacterDevice, Mode::empty(), 0)?)
    }

    /// Makes the mark by which an overlay hides what a folder has in lower layers.
    pub(super) fn opaque(&mut self, path: &Path, attribute: &str) -> io::Result<()> {
        let folder = self.inside(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        Ok(fsetxattr(&folder, attribute, b"y", XattrFlags::empty())?)
    }

    /// Sets the owner of a file, link or folder.
    pub(super) fn own(&mut self, path: &Path, uid: u32, gid: u32) -> io::Result<()> {
        let (parent, Some(name)) = self.parent(path)? else { return Ok(()) };
        let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        Ok(chownat(&parent, &name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// Sets the mode of a file or folder that is no link.
    pub(super) fn mode(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        let file = self.inside(path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK)?;
        Ok(fchmod(&file, Mode::from_raw_mode(mode & 0o7777))?)
    }

    /// Sets the time of change, in seconds since 1970.
    pub(super) fn time(&mut self, path: &Path, seconds: u64) -> io::Result<()> {
        let (parent, Some(name)) = self.parent(path)? else { return Ok(()) };
        let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        let changed = Timespec { tv_sec: seconds.cast_signed(), tv_nsec: 0 };
        let times = Timestamps { last_access: omit, last_modification: changed };
        Ok(utimensat(&parent, &name, &times, AtFlags::SYMLINK_NOFOLLOW)?)
    }

    /// What is below a folder, the folder itself left out; links are not followed.
    pub(super) fn list(&self, folder: &Path) -> io::Result<Vec<Listed>> {
        let folder = self.inside(folder, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let mut found = Vec::new();
        walk(&folder, "", &mut found)?;
        Ok(found)
    }

    /// Opens a file that is no link, and that no link leads to; of a link, its target comes instead.
    pub(super) fn entry(&self, folder: &Path, path: &str) -> io::Result<Entry> {
        let folder = self.inside(folder, OFlags::PATH | OFlags::DIRECTORY)?;
        let strict = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match openat2(&folder, path, flags, Mode::empty(), strict) {
            Ok(file) => Ok(Entry::Opened(File::from(file))),
            Err(rustix::io::Errno::LOOP) => {
                let path = Path::new(path);
                let above = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
                let parent = openat2(&folder, above, FOLDER, Mode::empty(), strict)?;
                let name = path.file_name().unwrap_or_default();
                let target = rustix::fs::readlinkat(&parent, name, Vec::new())?;
                Ok(Entry::Link(PathBuf::from(OsStr::from_bytes(target.as_bytes()))))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn inside(&self, path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        Ok(openat2(&self.root, path, flags | OFlags::CLOEXEC, Mode::empty(), INSIDE)?)
    }

    /// The folder of a path, made where it is missing, and the name in it: none for the tree itself.
    fn parent(&mut self, path: &Path) -> io::Result<(OwnedFd, Option<OsString>)> {
        let path = inner(path)?;
        let Some(name) = path.file_name() else { return Ok((self.root.try_clone()?, None)) };
        let parent = path.parent().unwrap_or(Path::new(""));
        let folder = match &self.last {
            Some((last, folder)) if last == parent => folder.try_clone()?,
            _ => {
                let folder = self.made(parent)?;
                self.last = Some((parent.to_owned(), folder.try_clone()?));
                folder
            }
        };
        Ok((folder, Some(name.to_owned())))
    }

    fn made(&self, path: &Path) -> io::Result<OwnedFd> {
        match self.inside(path, FOLDER) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            opened => return opened,
        }
        let mut folder = self.root.try_clone()?;
        let mut sofar = PathBuf::new();
        for part in path.components() {
            sofar.push(part);
            folder = match self.inside(&sofar, FOLDER) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    mkdirat(&folder, part.as_os_str(), Mode::from_raw_mode(0o755))?;
                    self.inside(&sofar, FOLDER)?
                }
                opened => opened?,
            };
        }
        Ok(folder)
    }

    /// The folder and the name of a path at which there is nothing any more.
    fn free(&mut self, path: &Path) -> io::Result<(OwnedFd, OsString)> {
        let (parent, Some(name)) = self.parent(path)? else {
            return Err(io::Error::other("it would replace the folder itself"));
        };
        match unlinkat(&parent, &name, AtFlags::empty()) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => {}
            Err(rustix::io::Errno::ISDIR) => remove_folder(&parent, &name)?,
            Err(error) => return Err(error.into()),
        }
        Ok((parent, name))
    }
}

/// What [`Tree::entry`] found.
pub(super) enum Entry {
    /// A file or a folder.
    Opened(File),
    /// A link to somewhere.
    Link(PathBuf),
}

/// A path without what leads nowhere; one that leads up is refused.
pub(super) fn inner(path: &Path) -> io::Result<PathBuf> {
    let mut inner = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => inner.push(name),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => {
                return Err(io::Error::other(format!("`{}` leads out of the folder", path.display())));
            }
        }
    }
    Ok(inner)
}

fn is_folder(parent: &OwnedFd, name: &OsStr) -> io::Result<bool> {
    let found = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(found.st_mode) == FileType::Directory)
}

fn remove_folder(parent: &OwnedFd, name: &OsStr) -> io::Result<()> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let folder = openat(parent, name, flags, Mode::empty())?;
    for (entry, kind) in entries(&folder)? {
        if kind == FileType::Directory {
            remove_folder(&folder, &entry)?;
        } else {
            unlinkat(&folder, &entry, AtFlags::empty())?;
        }
    }
    Ok(unlinkat(parent, name, AtFlags::REMOVEDIR)?)
}

fn entries(folder: &OwnedFd) -> io::Result<Vec<(OsString, FileType)>> {
    let mut found = Vec::new();
    for entry in rustix::fs::Dir::read_from(folder)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => {
                let found = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(found.st_mode)
            }
            kind => kind,
        };
        found.push((name.to_owned(), kind));
    }
    Ok(found)
}

fn walk(folder: &OwnedFd, prefix: &str, found: &mut Vec<Listed>) -> io::Result<()> {
    for (name, kind) in entries(folder)? {
        // a name that is no text is one that no pattern can mean
        let Some(name) = name.to_str() else { continue };
        let path = format!("{prefix}{name}");
        let listed = match kind {
            FileType::RegularFile => FileKind::Regular,
            FileType::Directory => FileKind::Directory,
            FileType::Symlink => FileKind::Link,
            _ => FileKind::Other,
        };
        found.push(Listed { path: path.clone(), kind: listed });
        if kind == FileType::Directory {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            match openat(folder, name, flags, Mode::empty()) {
                Ok(inner) => walk(&inner, &format!("{path}/"), found)?,
                // a running job may have removed it
                Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(())
}

/// Whether a file is one that can be read to its end.
pub(super) fn is_plain(metadata: &std::fs::Metadata) -> bool {
    let kind = metadata.file_type();
    !(kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_block_device())
}

impl AsFd for Tree {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.root.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    /// A tree, and a folder beside it that nothing may be written to.
    fn tree() -> (tempfile::TempDir, Tree) {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("tree")).expect("a folder");
        fs::create_dir(folder.path().join("outside")).expect("a folder");
        fs::write(folder.path().join("outside/kept"), "kept").expect("a file");
        let tree = Tree::open(&folder.path().join("tree")).expect("a tree");
        (folder, tree)
    }

    fn outside(folder: &tempfile::TempDir) -> Vec<String> {
        let entries = fs::read_dir(folder.path().join("outside")).expect("a folder");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn nothing_is_written_through_a_link_that_leads_out() {
        for target in ["../outside", "/../outside", "../../../../../../tmp/x/outside"] {
            let (folder, mut tree) = tree();
            tree.link(Path::new("l"), Path::new(target)).expect("a link");
            let _ = tree.file(Path::new("l/f"), 0o644, &mut &b"bad"[..]);
            let _ = tree.folder(Path::new("l/d"), 0o755);
            let _ = tree.link(Path::new("l/s"), Path::new("x"));
            let _ = tree.hard_link(Path::new("h"), Path::new("l/kept"));
            assert_eq!(outside(&folder), ["kept"], "{target}");
            assert!(!folder.path().join("tree/h").exists(), "{target}");
        }
    }

    #[test]
    fn a_link_under_the_name_of_a_file_gives_way() {
        let (folder, mut tree) = tree();
        symlink(folder.path().join("outside/kept"), folder.path().join("tree/f")).expect("a link");
        tree.file(Path::new("f"), 0o644, &mut &b"new"[..]).expect("a file");
        assert_eq!(fs::read_to_string(folder.path().join("outside/kept")).expect("a file"), "kept");
        assert_eq!(fs::read_to_string(folder.path().join("tree/f")).expect("a file"), "new");
    }

    #[test]
    fn a_path_that_leads_up_is_refused() {
        let (_folder, mut tree) = tree();
        for path in ["../f", "a/../../f", "/../f"] {
            assert!(tree.file(Path::new(path), 0o644, &mut &b""[..]).is_err(), "{path}");
        }
    }

    #[test]
    fn links_are_listed_and_not_followed() {
        let (folder, mut tree) = tree();
        tree.file(Path::new("a/f"), 0o644, &mut &b"x"[..]).expect("a file");
        symlink(folder.path().join("outside"), folder.path().join("tree/a/l")).expect("a link");
        let mut found = tree.list(Path::new("")).expect("a list");
        found.sort_by(|one, other| one.path.cmp(&other.path));
        let found: Vec<_> = found.iter().map(|it| (it.path.as_str(), it.kind)).collect();
        assert_eq!(found, [("a", FileKind::Directory), ("a/f", FileKind::Regular), ("a/l", FileKind::Link)]);
        assert!(tree.entry(Path::new(""), "a/l/kept").is_err());
        assert!(matches!(tree.entry(Path::new(""), "a/l"), Ok(Entry::Link(_))));
    }
}
