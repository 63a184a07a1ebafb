//! Writes tar archives as podline carries them into pods: everything belongs to root and is open to
//! every user, as GitLab Runner's umask 0000 leaves it, and nothing ends the archive, so that another
//! can follow.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, BufWriter, Read, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use tar::{Builder, EntryType, Header};

/// What ends a tar archive: two empty blocks.
pub(crate) const END: [u8; 1024] = [0; 1024];

/// A tar archive in the making.
pub(crate) struct Tarball<W: Write> {
    builder: Builder<Ended<W>>,
    folders: BTreeSet<String>,
    time: u64,
}

impl<W: Write> Tarball<W> {
    /// An archive whose entries were all changed at this time, in seconds since 1970.
    pub(crate) fn new(writer: W, time: u64) -> Self {
        Self { builder: Builder::new(Ended { writer, is_over: false }), folders: BTreeSet::new(), time }
    }

    /// From here on, entries were changed at this time.
    pub(crate) fn set_time(&mut self, time: u64) {
        self.time = time;
    }

    /// A folder, and those above it. Leading slashes are left out.
    pub(crate) fn folder(&mut self, path: &str) -> io::Result<()> {
        let path = path.trim_matches('/');
        if path.is_empty() || self.folders.contains(path) {
            return Ok(());
        }
        self.parents(path)?;
        self.folders.insert(path.to_owned());
        let mut header = self.header(EntryType::Directory, 0o777, 0);
        self.builder.append_data(&mut header, format!("{path}/"), io::empty())
    }

    /// A file with this content.
    pub(crate) fn text(&mut self, path: &str, content: &[u8]) -> io::Result<()> {
        self.data(path, 0o666, content.len() as u64, content)
    }

    /// A regular file, link or folder of this machine. Sockets and the like are left out, as are files
    /// that are gone.
    pub(crate) fn file(&mut self, path: &str, from: &Path) -> io::Result<()> {
        let found = match fs::symlink_metadata(from) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            found => found?,
        };
        if found.is_symlink() {
            self.parents(path)?;
            let mut header = self.header(EntryType::Symlink, 0o777, 0);
            return self.builder.append_link(&mut header, path, fs::read_link(from)?);
        }
        if found.is_dir() {
            return self.folder(path);
        }
        if !found.is_file() {
            return Ok(());
        }
        let mode = if found.permissions().mode() & 0o111 == 0 { 0o666 } else { 0o777 };
        // The header has the size: a file that shrinks meanwhile must not shift what follows.
        let content = File::open(from)?.chain(io::repeat(0)).take(found.len());
        self.data(path, mode, found.len(), content)
    }

    /// A header with the kind, mode and time of an entry of another archive.
    pub(crate) fn like(&self, other: &Header, size: u64) -> Header {
        let mut header = self.header(other.entry_type(), other.mode().unwrap_or(0o666) & 0o777, size);
        header.set_mtime(other.mtime().unwrap_or(self.time));
        header
    }

    /// An entry of another archive, with a header made by [`like`](Self::like).
    pub(crate) fn entry(&mut self, path: &str, mut header: Header, content: impl Read) -> io::Result<()> {
        self.parents(path)?;
        if !header.entry_type().is_dir() {
            return self.builder.append_data(&mut header, path, content);
        }
        self.folders.insert(path.to_owned());
        self.builder.append_data(&mut header, format!("{path}/"), io::empty())
    }

    /// A link of another archive, with a header made by [`like`](Self::like).
    pub(crate) fn link(&mut self, path: &str, mut header: Header, target: &Path) -> io::Result<()> {
        self.parents(path)?;
        self.builder.append_link(&mut header, path, target)
    }

    /// The writer, all entries in it.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.builder.get_mut().is_over = true;
        Ok(self.builder.into_inner()?.writer)
    }

    fn data(&mut self, path: &str, mode: u32, size: u64, content: impl Read) -> io::Result<()> {
        let path = path.trim_start_matches('/');
        self.parents(path)?;
        let mut header = self.header(EntryType::Regular, mode, size);
        self.builder.append_data(&mut header, path, content)
    }

    fn parents(&mut self, path: &str) -> io::Result<()> {
        match path.trim_start_matches('/').rsplit_once('/') {
            Some((parent, _)) => self.folder(parent),
            None => Ok(()),
        }
    }

    fn header(&self, kind: EntryType, mode: u32, size: u64) -> Header {
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size);
        header.set_mtime(self.time);
        header.set_uid(0);
        header.set_gid(0);
        header
    }
}

impl Tarball<BufWriter<File>> {
    /// An archive in a file that is made anew.
    pub(crate) fn create(path: &Path, time: u64) -> io::Result<Self> {
        Ok(Self::new(BufWriter::with_capacity(1 << 18, File::create(path)?), time))
    }
}

/// Lets nothing through once the archive is over: its end is none of its entries.
struct Ended<W: Write> {
    writer: W,
    is_over: bool,
}

impl<W: Write> Write for Ended<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.is_over { Ok(bytes.len()) } else { self.writer.write(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
