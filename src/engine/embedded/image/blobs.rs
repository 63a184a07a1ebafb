//! The parts of an image in an archive or a folder, found by their names.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Seek as _, SeekFrom},
    path::{Path, PathBuf},
};

use flate2::read::MultiGzDecoder;

use crate::engine::embedded::tree::{Entry, Tree, inner};

/// The most bytes of a manifest or configuration.
const TEXT: u64 = 8 << 20;

/// Where blobs are.
pub(super) enum Blobs {
    /// In an archive: the position and size of each file, and what links stand for.
    Archive { file: PathBuf, entries: HashMap<PathBuf, (u64, u64)>, links: HashMap<PathBuf, PathBuf> },
    /// In a folder.
    Folder(Tree),
}

impl Blobs {
    /// Opens an archive, compressed with gzip or not, or a folder. What is unpacked of a compressed one lies in
    /// `scratch`.
    pub(super) fn open(path: &Path, scratch: &Path) -> io::Result<Self> {
        if path.is_dir() {
            return Ok(Self::Folder(Tree::open(path)?));
        }
        let mut file = File::open(path)?;
        if magic(&mut file)?.starts_with(&GZIP) {
            let plain = scratch.join("archive.tar");
            io::copy(&mut MultiGzDecoder::new(file), &mut File::create(&plain)?)?;
            return Self::archive(&plain);
        }
        Self::archive(path)
    }

    fn archive(path: &Path) -> io::Result<Self> {
        let (mut entries, mut links) = (HashMap::new(), HashMap::new());
        let mut archive = tar::Archive::new(File::open(path)?);
        for entry in archive.entries_with_seek()? {
            // what the library says of another file quotes its bytes
            let entry = entry.map_err(|_| io::Error::other("it is no archive, or a damaged one"))?;
            let Ok(name) = inner(&entry.path()?) else { continue };
            if entry.header().entry_type().is_file() {
                entries.insert(name, (entry.raw_file_position(), entry.size()));
            } else if let Some(target) = entry.link_name()? {
                // docker writes a layer that two images share once, and links to it
                let beside = name.parent().unwrap_or(Path::new("")).join(target);
                links.insert(name, normal(&beside));
            }
        }
        Ok(Self::Archive { file: path.to_owned(), entries, links })
    }

    /// A blob from its start.
    pub(super) fn read(&self, name: &str) -> io::Result<Box<dyn Read>> {
        let missing = || io::Error::new(io::ErrorKind::NotFound, format!("it has no `{name}`"));
        match self {
            Self::Folder(tree) => match tree.entry(Path::new(""), name).map_err(|_| missing())? {
                Entry::Opened(file) => Ok(Box::new(file)),
                Entry::Link(_) => Err(io::Error::other(format!("`{name}` is a link"))),
            },
            Self::Archive { file, entries, links } => {
                let name = inner(Path::new(name))?;
                let name = links.get(&name).unwrap_or(&name);
                let (position, size) = entries.get(name).ok_or_else(missing)?;
                let mut file = File::open(file)?;
                file.seek(SeekFrom::Start(*position))?;
                Ok(Box::new(file.take(*size)))
            }
        }
    }

    /// A short blob in whole.
    pub(super) fn text(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut text = Vec::new();
        self.read(name)?.take(TEXT + 1).read_to_end(&mut text)?;
        if text.len() as u64 > TEXT {
            return Err(io::Error::other(format!("`{name}` is too large")));
        }
        Ok(text)
    }
}

fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => {
                normal.pop();
            }
            std::path::Component::Normal(name) => normal.push(name),
            _ => {}
        }
    }
    normal
}

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

fn magic(file: &mut File) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    Read::by_ref(file).take(4).read_to_end(&mut start)?;
    file.seek(SeekFrom::Start(0))?;
    Ok(start)
}

/// A layer without its compression.
pub(super) fn plain(mut layer: Box<dyn Read>) -> io::Result<Box<dyn Read>> {
    let mut start = Vec::new();
    layer.by_ref().take(4).read_to_end(&mut start)?;
    let whole = io::Cursor::new(start.clone()).chain(layer);
    if start.starts_with(&GZIP) {
        return Ok(Box::new(MultiGzDecoder::new(whole)));
    }
    if start == ZSTD {
        return Err(io::Error::other(
            "a layer is compressed with zstd, which podline does not read: have it pushed with gzip",
        ));
    }
    Ok(Box::new(whole))
}
