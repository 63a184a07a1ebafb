//! Marks of the runs of this machine: which of them live, and which ended without a word.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use super::Error;

/// A run's mark, a file in a folder: as long as this lives, what the run made is in use. A process that was
/// killed leaves the file behind without its lock, and by that its remains are known to be abandoned.
#[derive(Debug)]
pub(super) struct RunMark {
    path: PathBuf,
    _file: File,
}

/// What a mark tells of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// It has none here: it has ended, or runs on another machine.
    Unknown,
    /// It lives.
    Held,
    /// It was killed.
    Left,
}

impl RunMark {
    /// Marks a run that is about to make something.
    pub(super) fn set(folder: &Path, run: &str) -> Result<Self, Error> {
        let path = folder.join(run);
        let set = || {
            std::fs::create_dir_all(folder)?;
            let file = File::create(&path)?;
            file.try_lock()?;
            Ok(file)
        };
        let file = set().map_err(|error: std::io::Error| Error::Unusable {
            message: format!("cannot use the folder `{}`: {error}", folder.display()),
            help: "podline keeps there what it must know of its runs: make it writable".to_owned(),
        })?;
        Ok(Self { path, _file: file })
    }

    /// The run has left nothing.
    pub(super) fn clear(self) {
        drop(std::fs::remove_file(&self.path));
    }

    /// Nothing is left of a run that was killed.
    pub(super) fn forget(folder: &Path, run: &str) {
        if Self::look(folder, run) == Mark::Left {
            drop(std::fs::remove_file(folder.join(run)));
        }
    }

    /// What is known of a run.
    pub(super) fn look(folder: &Path, run: &str) -> Mark {
        let Ok(file) = File::open(folder.join(run)) else {
            return Mark::Unknown;
        };
        match file.try_lock() {
            Ok(()) => Mark::Left,
            Err(TryLockError::WouldBlock) => Mark::Held,
            Err(TryLockError::Error(_)) => Mark::Unknown,
        }
    }

    /// The runs that ended without a word.
    pub(super) fn abandoned(folder: &Path) -> Vec<Self> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let marks = entries.filter_map(|entry| {
            let file = File::open(entry.path()).ok()?;
            file.try_lock().ok()?;
            Some(Self { path: entry.path(), _file: file })
        });
        marks.collect()
    }

    /// The run's id.
    pub(super) fn run(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_ended_without_a_word_is_known_by_its_mark() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let runs = || -> Vec<String> {
            RunMark::abandoned(folder.path()).iter().map(|mark| mark.run().to_owned()).collect()
        };
        let set = |run| RunMark::set(folder.path(), run).expect("a new run");
        let (alive, ended, killed) = (set("alive"), set("ended"), set("killed"));
        assert!(runs().is_empty());
        ended.clear();
        // the kernel does as much when a process ends
        drop(killed);
        assert_eq!(runs(), ["killed"]);
        let seen = ["alive", "ended", "killed"].map(|run| RunMark::look(folder.path(), run));
        assert_eq!(seen, [Mark::Held, Mark::Unknown, Mark::Left]);
        for run in ["alive", "ended", "killed"] {
            RunMark::forget(folder.path(), run);
        }
        assert!(runs().is_empty());
        assert_eq!(RunMark::look(folder.path(), alive.run()), Mark::Held, "it lives, and keeps its mark");
    }
}
