//! What was fetched before, below `.podline/includes/`.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use walkdir::WalkDir;

use super::hex;

/// A file in a repository of the store whose time says when it was last used.
const USED: &str = "podline-used";

/// The store. While it is open, no other podline removes anything from it.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
    _lock: File,
}

/// A remote file that was fetched before.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) text: Vec<u8>,
    /// How long ago.
    pub(super) age: Duration,
}

impl Store {
    /// Opens the store of a project, `.podline` being `own_folder`. Removes what was not used for longest where
    /// more than `most` bytes are kept.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(super) fn open(own_folder: &Path, most: u64) -> io::Result<Self> {
        let folder = own_folder.join("includes");
        fs::create_dir_all(folder.join("remote"))?;
        let ignore = own_folder.join(".gitignore");
        if !ignore.exists() {
            fs::write(ignore, "*\n")?;
        }
        let lock = File::create(folder.join("lock"))?;
        if lock.try_lock().is_ok() {
            prune(&folder, most);
            lock.unlock()?;
        }
        lock.lock_shared()?;
        Ok(Self { folder, _lock: lock })
    }

    /// The folder of a project's repository. Host and path have been checked to be names.
    pub(super) fn repository(&self, host: &str, project: &str) -> PathBuf {
        // a colon is no part of a name everywhere
        self.folder.join(host.replace(':', "_")).join(format!("{project}.git"))
    }

    /// Notes that a repository is used now.
    pub(super) fn touch(repository: &Path) {
        // it only decides what is removed first
        drop(fs::write(repository.join(USED), ""));
    }

    /// What was fetched from an URL before.
    pub(super) fn remote(&self, url: &str) -> Option<Kept> {
        let path = self.remote_path(url);
        let age = SystemTime::now().duration_since(path.metadata().ok()?.modified().ok()?);
        Some(Kept { text: fs::read(&path).ok()?, age: age.unwrap_or_default() })
    }

    /// Keeps what an URL gave. Another podline sees the old file or the new one, never a part.
    pub(super) fn keep_remote(&self, url: &str, text: &[u8]) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        file.write_all(text)?;
        file.persist(self.remote_path(url)).map_err(|error| error.error)?;
        Ok(())
    }

    fn remote_path(&self, url: &str) -> PathBuf {
        self.folder.join("remote").join(format!("{}.yml", hex(url)))
    }
}

/// Something that is removed as a whole.
struct Part {
    path: PathBuf,
    used: SystemTime,
    bytes: u64,
}

fn prune(folder: &Path, most: u64) {
    let mut parts = parts(folder);
    parts.sort_by_key(|part| std::cmp::Reverse(part.used));
    let mut kept = 0;
    for part in parts {
        kept += part.bytes;
        if kept > most {
            // what cannot be removed now is tried again by the next one
            drop(if part.path.is_dir() {
                fs::remove_dir_all(&part.path)
            } else {
                fs::remove_file(&part.path)
            });
        }
    }
}

fn parts(folder: &Path) -> Vec<Part> {
    let is_repository = |path: &Path| path.extension().is_some_and(|end| end == "git");
    let mut parts = Vec::new();
    let mut walk = WalkDir::new(folder).into_iter();
    while let Some(entry) = walk.next() {
        let Ok(entry) = entry else { continue };
        let path = entry.path();
        if entry.file_type().is_dir() && is_repository(path) {
            walk.skip_current_dir();
            parts.push(Part { path: path.to_owned(), used: time(&path.join(USED)), bytes: size(path) });
        } else if entry.file_type().is_file() && path.extension().is_some_and(|end| end == "yml") {
            parts.push(Part { path: path.to_owned(), used: time(path), bytes: size(path) });
        }
    }
    parts
}

fn time(path: &Path) -> SystemTime {
    path.metadata().and_then(|found| found.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}

fn size(path: &Path) -> u64 {
    let files = WalkDir::new(path).into_iter().filter_map(Result::ok);
    files
        .filter_map(|entry| entry.metadata().ok())
        .filter(fs::Metadata::is_file)
        .map(|found| found.len())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let own = tempfile::tempdir().expect("a folder");
        let store = Store::open(own.path(), 100).expect("a store");
        assert_eq!(fs::read_to_string(own.path().join(".gitignore")).expect("a file"), "*\n");
        for (project, age) in [("a/old", 300), ("a/new", 100), ("b/older", 400)] {
            let repository = store.repository("gitlab.com", project);
            fs::create_dir_all(&repository).expect("a folder");
            fs::write(repository.join("pack"), "x".repeat(40)).expect("a file");
            Store::touch(&repository);
            let used = File::options().append(true).open(repository.join(USED)).expect("a file");
            used.set_modified(SystemTime::now() - Duration::from_secs(age)).expect("a time");
        }
        store.keep_remote("https://example.com/a.yml", b"a: {}").expect("it is kept");
        let left = |store: &Store| {
            ["a/old", "a/new", "b/older"].map(|project| store.repository("gitlab.com", project).exists())
        };
        // as long as someone uses the store, nothing goes
        let other = Store::open(own.path(), 100).expect("a store");
        assert_eq!(left(&other), [true, true, true]);
        drop((store, other));
        let store = Store::open(own.path(), 100).expect("a store");
        assert_eq!(left(&store), [true, true, false]);
        assert_eq!(store.remote("https://example.com/a.yml").expect("it is kept").text, b"a: {}");
        assert!(store.remote("https://example.com/b.yml").is_none());
    }
}
