//! What runs leave that were killed: found by folders whose lock nobody holds, and removed.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::cgroup;

/// Name of the file in a run's folder that has the path of its cgroup.
pub(super) const CGROUP: &str = "cgroup";

/// Where the pods of runs lie while they run.
pub(super) fn runs(state: &Path) -> PathBuf {
    state.join("pods")
}

/// Locks the folder of a run for as long as the file is open: the kernel unlocks it however the run ends.
pub(super) fn lock(folder: &Path) -> io::Result<File> {
    let lock = File::create(folder.join("lock"))?;
    lock.lock()?;
    Ok(lock)
}

/// Removes what the runs have left that nobody runs any more. Gives their ids.
pub(super) fn prune(state: &Path) -> Vec<String> {
    let mut pruned = Vec::new();
    for entry in fs::read_dir(runs(state)).into_iter().flatten().flatten() {
        let folder = entry.path();
        // without a lock it has only just been made, or is being removed
        let Ok(lock) = File::open(folder.join("lock")) else {
            let _ = fs::remove_dir(&folder);
            continue;
        };
        if lock.try_lock().is_ok() && remove(&folder).is_ok() {
            pruned.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    pruned
}

/// Removes the folder of a run with its cgroups; the lock last, so that what stays is found again.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    let group = fs::read_to_string(folder.join(CGROUP)).unwrap_or_default();
    // written whole or not at all, but a file is a file
    if Path::new(&group).components().any(|part| part.as_os_str() == "podline") {
        for hierarchy in cgroup::mounted() {
            let group = hierarchy.path.join(&group);
            cgroup::remove_below(&group);
            // the one that all runs share goes with the last of them
            let _ = group.parent().map(fs::remove_dir);
        }
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name() != "lock" {
            let path = entry.path();
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
