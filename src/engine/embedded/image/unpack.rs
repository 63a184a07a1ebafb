//! Unpacks a layer of an image, which may be made to harm: nothing is written outside of its folder.

use std::{
    io::{self, Read},
    path::{Path, PathBuf},
};

use tar::EntryType;

use crate::engine::embedded::tree::{Tree, inner};

/// The most entries of a layer.
const ENTRIES: u64 = 4_000_000;

/// The most bytes of a layer, unpacked.
const BYTES: u64 = 64 << 30;

/// Before the name of what a layer removes.
const REMOVED: &str = ".wh.";

/// Name of the file that says that a folder hides what lower layers have in it.
const OPAQUE: &str = ".wh..wh..opq";

/// Who unpacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// Root: files belong to who they belong to in the image.
    Root,
    /// A user: everything belongs to that one.
    User,
}

impl Whose {
    fn opaque(self) -> &'static str {
        match self {
            Self::Root => "trusted.overlay.opaque",
            Self::User => "user.overlay.opaque",
        }
    }
}

/// Unpacks an uncompressed archive into a folder, its removals as an overlay understands them.
pub(super) fn unpack(archive: impl Read, into: &Path, whose: Whose) -> io::Result<()> {
    let mut tree = Tree::open(into)?;
    let mut folders: Vec<(PathBuf, u32, u64)> = Vec::new();
    let (mut entries, mut bytes) = (0, 0);
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries()? {
        let mut entry = entry?;
        entries += 1;
        bytes += entry.size();
        if entries > ENTRIES || bytes > BYTES {
            return Err(io::Error::other("the layer is too large"));
        }
        let path = inner(&entry.path()?)?;
        if let Some(removed) = removal(&path)? {
            match removed {
                Removal::Below(folder) => {
                    tree.folder(&folder.join("."), 0o755)?;
                    tree.opaque(&folder, whose.opaque())?;
                }
                Removal::Of(path) => tree.whiteout(&path)?,
            }
            continue;
        }
        let header = entry.header();
        let (mode, time) = (header.mode()?, header.mtime()?);
        let owner = (number(header.uid()?)?, number(header.gid()?)?);
        let kind = header.entry_type();
        match kind {
            EntryType::Directory => {
                tree.folder(&path, 0o755)?;
                folders.push((path.clone(), mode, time));
            }
            EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
                let capability = capability(&mut entry)?;
                let file = tree.file(&path, mode, &mut entry)?;
                if whose == Whose::Root {
                    tree.own(&path, owner.0, owner.1)?;
                    // a change of owner takes the setuid bit away
                    tree.mode(&path, mode)?;
                    set_capability(&file, capability.as_deref());
                }
                tree.time(&path, time)?;
                continue;
            }
            EntryType::Symlink => {
                let target = entry.link_name()?.ok_or_else(|| io::Error::other("a link to nothing"))?;
                tree.link(&path, &target)?;
            }
            EntryType::Link => {
                let target = entry.link_name()?.ok_or_else(|| io::Error::other("a link to nothing"))?;
                tree.hard_link(&path, &inner(&target)?)?;
                continue;
            }
            // devices of an image would be no devices in a pod; headers are no files
            _ => continue,
        }
        if whose == Whose::Root {
            tree.own(&path, owner.0, owner.1)?;
        }
    }
    // last: a folder may be one that its owner cannot write to
    for (path, mode, time) in folders.iter().rev() {
        let own = if whose == Whose::User { mode | 0o700 } else { *mode };
        tree.mode(path, own)?;
        tree.time(path, *time)?;
    }
    Ok(())
}

/// What a layer removes.
enum Removal {
    /// What lower layers have in this folder.
    Below(PathBuf),
    /// This.
    Of(PathBuf),
}

fn removal(path: &Path) -> io::Result<Option<Removal>> {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return Ok(None) };
    let folder = path.parent().unwrap_or(Path::new(""));
    if name == OPAQUE {
        return Ok(Some(Removal::Below(folder.to_owned())));
    }
    let Some(removed) = name.strip_prefix(REMOVED) else { return Ok(None) };
    if matches!(removed, "" | "." | "..") {
        return Err(io::Error::other(format!("`{}` removes no file", path.display())));
    }
    // what else the aufs file system has put there is of no use
    let special = removed.starts_with(REMOVED);
    Ok((!special).then(|| Removal::Of(folder.join(removed))))
}

fn number(id: u64) -> io::Result<u32> {
    u32::try_from(id).map_err(|_| io::Error::other("an owner with a number that is too large"))
}

/// The capabilities that a program has by itself: `ping` may open raw sockets.
fn capability<R: Read>(entry: &mut tar::Entry<'_, R>) -> io::Result<Option<Vec<u8>>> {
    let Some(extensions) = entry.pax_extensions()? else { return Ok(None) };
    for extension in extensions {
        let extension = extension?;
        if extension.key() == Ok("SCHILY.xattr.security.capability") {
            return Ok(Some(extension.value_bytes().to_vec()));
        }
    }
    Ok(None)
}

fn set_capability(file: &std::fs::File, capability: Option<&[u8]>) {
    if let Some(value) = capability {
        // without it the program asks for root, as on any file system without attributes
        let _ = rustix::fs::fsetxattr(file, "security.capability", value, rustix::fs::XattrFlags::empty());
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A layer with entries of a name, a kind and a target or content.
    fn layer(entries: &[(&str, EntryType, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (name, kind, text) in entries {
            let mut header = tar::Header::new_gnu();
            // raw: the library would not write such names
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_entry_type(*kind);
            header.set_mode(0o755);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            let content = if *kind == EntryType::Regular { text.as_bytes() } else { b"" };
            if content.is_empty() {
                header.as_mut_bytes()[157..157 + text.len()].copy_from_slice(text.as_bytes());
            }
            header.set_size(content.len() as u64);
            header.set_cksum();
            bytes.extend_from_slice(header.as_bytes());
            bytes.extend_from_slice(content);
            bytes.resize(bytes.len().next_multiple_of(512), 0);
        }
        bytes
    }

    #[test]
    fn a_layer_that_leads_out_writes_nothing_outside() {
        use EntryType::{Directory, Link, Regular, Symlink};

        let attacks: &[&[(&str, EntryType, &str)]] = &[
            &[("../out", Regular, "bad")],
            &[("a/../../out", Regular, "bad")],
            &[("l", Symlink, "../outside"), ("l/out", Regular, "bad")],
            &[("l", Symlink, "/"), ("l/../out", Regular, "bad")],
            // umoci's: the link is the root itself
            &[(".", Symlink, "../outside"), ("out", Regular, "bad")],
            &[("l", Symlink, "../outside/kept"), ("l", Regular, "bad")],
            &[("h", Link, "../outside/kept"), ("h", Regular, "bad")],
            &[("l", Symlink, "../outside"), ("h", Link, "l/kept")],
            &[("l", Symlink, "../outside"), ("l", Directory, ""), ("l/.wh.kept", Regular, "")],
            &[("l", Symlink, "../outside"), ("l/.wh.kept", Regular, "")],
            &[("l", Symlink, "../outside"), ("l/.wh..wh..opq", Regular, "")],
            &[(".wh...", Regular, "")],
        ];
        for entries in attacks {
            let folder = tempfile::tempdir().expect("a folder");
            let into = folder.path().join("into");
            fs::create_dir(&into).expect("a folder");
            fs::create_dir(folder.path().join("outside")).expect("a folder");
            fs::write(folder.path().join("outside/kept"), "kept").expect("a file");
            // whether it is refused or unpacked somewhere inside is all the same
            let _ = unpack(&layer(entries)[..], &into, Whose::User);
            let outside: Vec<_> = fs::read_dir(folder.path().join("outside")).expect("a folder").collect();
            assert_eq!(outside.len(), 1, "{entries:?}");
            assert_eq!(fs::read_to_string(folder.path().join("outside/kept")).expect("a file"), "kept");
            assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2, "{entries:?}");
        }
    }

    #[test]
    fn removals_become_marks_of_an_overlay() {
        use std::os::unix::fs::FileTypeExt as _;

        let folder = tempfile::tempdir().expect("a folder");
        let entries = [
            ("etc/", EntryType::Directory, ""),
            ("etc/.wh.passwd", EntryType::Regular, ""),
            ("etc/new", EntryType::Regular, "text"),
        ];
        unpack(&layer(&entries)[..], folder.path(), Whose::User).expect("unpacked");
        let gone = fs::symlink_metadata(folder.path().join("etc/passwd")).expect("a mark");
        assert!(gone.file_type().is_char_device());
        assert_eq!(fs::read_to_string(folder.path().join("etc/new")).expect("a file"), "text");
    }
}
