//! The index of a checkout, with the sizes and times that its files will have once they are unpacked.
//! Without them, `git diff-index --quiet HEAD` in a job's script would call every file changed, because
//! it does not look into files as `git status` does.

use std::{collections::BTreeSet, path::Path};

use sha1::{Digest, Sha1};

/// An entry as `git ls-files --stage -z` prints it.
struct Entry<'a> {
    mode: u32,
    object: Vec<u8>,
    path: &'a [u8],
}

/// The index (version 2) for the output of `git ls-files --stage -z`: files below `root`, except those
/// that are `changed`, are as they are there, all of them changed last at `time`. `None` for what is no
/// SHA-1 repository.
pub(super) fn index(staged: &[u8], root: &Path, changed: &BTreeSet<Vec<u8>>, time: u64) -> Option<Vec<u8>> {
    let entries = staged.split(|byte| *byte == 0).filter(|line| !line.is_empty());
    let entries: Vec<Entry<'_>> = entries.map(entry).collect::<Option<_>>()?;
    let mut index = b"DIRC".to_vec();
    index.extend(2_u32.to_be_bytes());
    index.extend(u32::try_from(entries.len()).ok()?.to_be_bytes());
    for entry in &entries {
        let size = if changed.contains(entry.path) { None } else { size(root, entry.path) };
        // Git compares nothing else under `core.checkStat=minimal`. A size of 0 makes it look inside.
        let time = if size.is_some() { u32::try_from(time).ok()? } else { 0 };
        let numbers = [0, 0, time, 0, 0, 0, entry.mode, 0, 0, size.unwrap_or(0)];
        let start = index.len();
        index.extend(numbers.iter().flat_map(|number| number.to_be_bytes()));
        index.extend(&entry.object);
        let flags = u16::try_from(entry.path.len().min(0xfff)).ok()?;
        index.extend(flags.to_be_bytes());
        index.extend(entry.path);
        // One to eight zero bytes, up to a multiple of eight.
        let length = index.len() - start;
        index.resize(start + length / 8 * 8 + 8, 0);
    }
    let digest = Sha1::digest(&index);
    index.extend(digest);
    Some(index)
}

fn entry(line: &[u8]) -> Option<Entry<'_>> {
    let tab = line.iter().position(|byte| *byte == b'\t')?;
    let words = std::str::from_utf8(&line[..tab]).ok()?;
    let mut words = words.split(' ');
    let mode = u32::from_str_radix(words.next()?, 8).ok()?;
    let object = words.next().filter(|object| object.len() == 40)?;
    let bytes = (0..20).map(|at| u8::from_str_radix(&object[2 * at..2 * at + 2], 16).ok());
    Some(Entry { mode, object: bytes.collect::<Option<_>>()?, path: &line[tab + 1..] })
}

/// Git keeps the lower 32 bits of a size.
#[expect(clippy::cast_possible_truncation, reason = "as git does")]
fn size(root: &Path, path: &[u8]) -> Option<u32> {
    use std::os::unix::ffi::OsStrExt;
    let found = root.join(std::ffi::OsStr::from_bytes(path)).symlink_metadata().ok()?;
    (!found.is_dir()).then_some(found.len() as u32)
}
