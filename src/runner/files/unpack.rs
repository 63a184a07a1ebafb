//! Unpacks a job's artifacts on this machine. A job may have put anything into its archive: nothing is
//! written outside of the folder, through links neither.

use std::{
    fs, io,
    path::{Component, Path, PathBuf},
};

use tar::EntryType;

/// What was unpacked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unpacked {
    /// How many files and links.
    pub files: usize,
    /// What was left out, and why.
    pub left_out: Vec<String>,
}

/// Unpacks what an archive has below `project_dir` into a folder, which is made.
///
/// # Errors
/// When the archive cannot be read or a file cannot be written.
pub fn unpack(archive: &Path, project_dir: &str, into: &Path) -> io::Result<Unpacked> {
    fs::create_dir_all(into)?;
    let mut unpacked = Unpacked::default();
    let project = Path::new(project_dir.trim_start_matches('/'));
    for entry in tar::Archive::new(fs::File::open(archive)?).entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let Ok(inside) = path.strip_prefix(project) else {
            if !project.starts_with(&path) {
                unpacked.left_out.push(format!("`{}` is outside of the project", path.display()));
            }
            continue;
        };
        let kind = entry.header().entry_type();
        let link = entry.link_name()?.map(std::borrow::Cow::into_owned);
        let place = match (place(into, inside)?, kind) {
            (Some(place), _) if inside.as_os_str().is_empty() || kind.is_dir() => {
                fs::create_dir_all(place)?;
                continue;
            }
            (Some(place), EntryType::Regular | EntryType::Symlink | EntryType::Link) => place,
            _ => {
                unpacked
                    .left_out
                    .push(format!("`{}` leads out of the folder, or is no file", inside.display()));
                continue;
            }
        };
        match link {
            Some(target) if kind == EntryType::Symlink && !stays(inside, &target) => {
                unpacked.left_out.push(format!("`{}` links to `{}`", inside.display(), target.display()));
                continue;
            }
            Some(target) if kind == EntryType::Link => {
                let original = target.strip_prefix(project).ok().map(|target| self::place(into, target));
                let Some(original) = original.transpose()?.flatten() else {
                    unpacked.left_out.push(format!("`{}` links to `{}`", inside.display(), target.display()));
                    continue;
                };
                clear(&place)?;
                fs::copy(original, &place)?;
            }
            _ => {
                clear(&place)?;
                entry.unpack(&place)?;
            }
        }
        unpacked.files += 1;
    }
    Ok(unpacked)
}

/// Where a path goes, the folders above it made; `None` where it would lead out, by `..` or through a link.
fn place(into: &Path, path: &Path) -> io::Result<Option<PathBuf>> {
    let mut place = into.to_owned();
    let mut parts = path.components().peekable();
    while let Some(part) = parts.next() {
        let Component::Normal(name) = part else { return Ok(None) };
        place.push(name);
        if parts.peek().is_some() {
            match fs::symlink_metadata(&place) {
                Ok(found) if found.is_dir() => {}
                Ok(_) => return Ok(None),
                Err(_) => fs::create_dir(&place)?,
            }
        }
    }
    Ok(Some(place))
}

/// Whether a link at `path` points to something in the same folder or below.
fn stays(path: &Path, target: &Path) -> bool {
    let mut depth = path.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::CurDir => {}
            Component::Normal(_) => depth += 1,
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => return false,
        }
    }
    true
}

/// What is there gives way: a link would be written through.
fn clear(place: &Path) -> io::Result<()> {
    match fs::symlink_metadata(place) {
        Ok(found) if !found.is_dir() => fs::remove_file(place),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(folder: &Path, entries: &[(&str, u8, &str)]) -> PathBuf {
        let mut bytes = Vec::new();
        for (name, kind, link) in entries {
            let mut header = tar::Header::new_gnu();
            // raw: the library would not write such names
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.as_mut_bytes()[157..157 + link.len()].copy_from_slice(link.as_bytes());
            header.set_entry_type(EntryType::new(*kind));
            header.set_mode(0o755);
            header.set_size(0);
            header.set_cksum();
            bytes.extend_from_slice(header.as_bytes());
        }
        let path = folder.join("archive.tar");
        fs::write(&path, bytes).expect("a file");
        path
    }

    #[test]
    fn files_come_out_relative_to_the_project() {
        let folder = tempfile::tempdir().expect("a folder");
        let entries = [
            ("builds/", b'5', ""),
            ("builds/g/p/", b'5', ""),
            ("builds/g/p/out/f", b'0', ""),
            ("builds/g/p/out/link", b'2', "f"),
            ("builds/g/p/out/hard", b'1', "builds/g/p/out/f"),
        ];
        let into = folder.path().join("into");
        let unpacked = unpack(&archive(folder.path(), &entries), "/builds/g/p", &into).expect("unpacked");
        assert_eq!(unpacked, Unpacked { files: 3, left_out: Vec::new() });
        assert_eq!(fs::read_link(into.join("out/link")).expect("a link"), Path::new("f"));
    }

    #[test]
    fn nothing_is_written_outside_of_the_folder() {
        for entries in [
            &[("builds/g/p/../../../out", b'0', "")][..],
            &[("/out", b'0', "")],
            &[("out", b'0', "")],
            &[("builds/g/p/l", b'2', "..")],
            &[("builds/g/p/l", b'2', "/etc/passwd")],
            &[("builds/g/p/a/l", b'2', "../../x")],
            &[("builds/g/p/h", b'1', "etc/passwd")],
            &[("builds/g/p/fifo", b'6', "")],
        ] {
            let folder = tempfile::tempdir().expect("a folder");
            let into = folder.path().join("into");
            let unpacked = unpack(&archive(folder.path(), entries), "/builds/g/p", &into).expect("unpacked");
            assert_eq!((unpacked.files, unpacked.left_out.len()), (0, 1), "{entries:?}");
            assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2, "{entries:?}");
        }
    }

    #[test]
    fn a_link_that_is_there_is_not_written_through() {
        let folder = tempfile::tempdir().expect("a folder");
        let into = folder.path().join("into");
        fs::create_dir(&into).expect("a folder");
        fs::create_dir(folder.path().join("other")).expect("a folder");
        std::os::unix::fs::symlink("../other", into.join("out")).expect("a link");
        let entries = [("builds/g/p/out/f", b'0', "")];
        let unpacked = unpack(&archive(folder.path(), &entries), "/builds/g/p", &into).expect("unpacked");
        assert_eq!(unpacked.files, 0);
        assert!(!folder.path().join("other/f").exists());
    }
}
