//! Folders to check sources out in, beside those of other programs. One that a killed podline has left is found by
//! its lock, which nobody holds, and removed.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::Once,
    time::Duration,
};

/// How their names begin.
const PREFIX: &str = "podline-checkout-";

/// The file that whoever works in such a folder holds locked, beside what is worked on.
const LOCK: &str = "lock";
const TREE: &str = "tree";

/// Within this time after the folder, its lock is there.
const SOON: Duration = Duration::from_secs(60);

/// A folder that goes with this value, and after `kill -9` with the next that is made.
#[derive(Debug)]
pub(super) struct Scratch {
    tree: PathBuf,
    _folder: tempfile::TempDir,
    _lock: File,
}

impl Scratch {
    /// Makes one, for temporary files.
    pub(super) fn make() -> io::Result<Self> {
        static SWEPT: Once = Once::new();
        let among = std::env::temp_dir();
        SWEPT.call_once(|| sweep(&among));
        Self::among(&among)
    }

    fn among(folders: &Path) -> io::Result<Self> {
        let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(folders)?;
        let lock = File::create(folder.path().join(LOCK))?;
        lock.lock()?;
        let tree = folder.path().join(TREE);
        fs::create_dir(&tree)?;
        Ok(Self { tree, _folder: folder, _lock: lock })
    }

    /// The folder itself, empty at first.
    pub(super) fn path(&self) -> &Path {
        &self.tree
    }
}

/// Removes what nobody works in any more. What cannot be removed is another user's, or the next one's to try.
fn sweep(folders: &Path) {
    for entry in fs::read_dir(folders).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        let is_left = match File::open(entry.path().join(LOCK)) {
            Ok(lock) => lock.try_lock().is_ok(),
            Err(_) => {
                let age = entry.metadata().and_then(|it| it.modified()).ok().and_then(|it| it.elapsed().ok());
                age.is_some_and(|age| age > SOON)
            }
        };
        if is_left {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_podline_has_left_is_removed_and_what_is_in_use_is_not() {
        let folders = tempfile::tempdir().expect("a folder");
        let used = Scratch::among(folders.path()).expect("a folder");
        let left = folders.path().join(format!("{PREFIX}left"));
        fs::create_dir_all(left.join(TREE).join(".git")).expect("a folder");
        fs::write(left.join(LOCK), "").expect("a file");
        let begun = folders.path().join(format!("{PREFIX}begun"));
        fs::create_dir(&begun).expect("a folder");
        let foreign = folders.path().join("other");
        fs::create_dir(&foreign).expect("a folder");
        sweep(folders.path());
        assert!(!left.exists());
        assert!(used.path().is_dir() && begun.is_dir() && foreign.is_dir());
        drop(used);
        assert_eq!(fs::read_dir(folders.path()).expect("a folder").count(), 2);
    }
}
