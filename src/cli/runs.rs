//! The runs of a project: their numbers, ids and folders under `.podline/runs/`.

use std::{
    fs,
    hash::{BuildHasher, Hasher, RandomState},
    io,
    path::{Path, PathBuf},
};

/// How many runs are kept.
const KEPT: usize = 20;

/// A run about to begin.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its number in the project, from 1: `CI_PIPELINE_ID`.
    pub number: u64,
    /// Its id, unlike that of any other run on any machine: names of clusters and pods have it.
    pub id: String,
    /// Its folder.
    pub folder: PathBuf,
}

impl Run {
    /// The next run of a project. Makes its folder, and removes those of runs long ago.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn begin(own_folder: &Path) -> io::Result<Self> {
        let runs = own_folder.join("runs");
        fs::create_dir_all(&runs)?;
        fs::write(own_folder.join(".gitignore"), "*\n")?;
        let numbers = numbers(&runs);
        for old in numbers.iter().rev().skip(KEPT - 1) {
            // what cannot be removed now is tried again by the next run
            drop(fs::remove_dir_all(runs.join(old.to_string())));
        }
        let mut number = numbers.last().map_or(1, |last| last + 1);
        // another podline may begin at the same time: whoever makes the folder has the number
        while let Err(error) = fs::create_dir(runs.join(number.to_string())) {
            if error.kind() != io::ErrorKind::AlreadyExists {
                return Err(error);
            }
            number += 1;
        }
        Ok(Self { number, id: id(), folder: runs.join(number.to_string()) })
    }

    /// The number that the next run will likely have.
    pub fn next_number(own_folder: &Path) -> u64 {
        numbers(&own_folder.join("runs")).last().map_or(1, |last| last + 1)
    }

    /// The folder of a run, if it is kept.
    pub fn find(own_folder: &Path, number: u64) -> Option<PathBuf> {
        Some(own_folder.join("runs").join(number.to_string())).filter(|run| run.is_dir())
    }

    /// The folders of all runs that are kept, the oldest first.
    pub fn all(own_folder: &Path) -> Vec<PathBuf> {
        let runs = own_folder.join("runs");
        numbers(&runs).into_iter().map(|number| runs.join(number.to_string())).collect()
    }

    /// The folder of the last run.
    pub fn last(own_folder: &Path) -> Option<PathBuf> {
        let runs = own_folder.join("runs");
        Some(runs.join(numbers(&runs).last()?.to_string()))
    }
}

fn numbers(runs: &Path) -> Vec<u64> {
    let entries = fs::read_dir(runs).into_iter().flatten().flatten();
    let mut numbers: Vec<u64> =
        entries.filter_map(|entry| entry.file_name().to_str().and_then(|name| name.parse().ok())).collect();
    numbers.sort_unstable();
    numbers
}

/// Eight characters of `a-z0-9`, random.
pub(super) fn id() -> String {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = RandomState::new().build_hasher().finish();
    let mut next = || {
        let character = char::from(ALPHABET[(random % 36) as usize]);
        random /= 36;
        character
    };
    (0..8).map(|_| next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_numbered_and_old_ones_go() {
        let folder = tempfile::tempdir().expect("a folder");
        for number in 1..=KEPT as u64 + 3 {
            assert_eq!(Run::next_number(folder.path()), number);
            assert_eq!(Run::begin(folder.path()).expect("it can be written").number, number);
        }
        let left = numbers(&folder.path().join("runs"));
        assert_eq!((left.first(), left.len()), (Some(&4), KEPT));
    }
}
