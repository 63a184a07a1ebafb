//! What runs leave that were killed: found by folders whose lock nobody holds, and removed.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

use super::cgroup;

/// Name of the file in a run's folder that has the path of its cgroup.
pub(super) const CGROUP: &str = "cgroup";

/// Where the pods of runs lie while they run.
pub(super) fn runs(state: &Path) -> PathBuf {
    state.join("pods")
}

/// Name of the file that the sandboxes of a run hold locked together, and who removes the run holds alone.
const SANDBOXES: &str = "sandboxes";

/// Name of the file that whoever runs holds locked, and its name until it is.
const LOCK: &str = "lock";
const NEW_LOCK: &str = "lock.new";

/// Makes the folder of a run and locks it for as long as the file is open: the kernel unlocks it however the run
/// ends.
pub(super) fn claim(folder: &Path) -> io::Result<File> {
    loop {
        fs::create_dir_all(folder)?;
        match lock(folder) {
            // another run took the folder for one that was left
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            locked => return locked,
        }
    }
}

/// Nobody ever finds the lock under its name without somebody who holds it.
fn lock(folder: &Path) -> io::Result<File> {
    let lock = File::create(folder.join(NEW_LOCK))?;
    lock.lock()?;
    File::create(folder.join(SANDBOXES))?;
    fs::rename(folder.join(NEW_LOCK), folder.join(LOCK))?;
    Ok(lock)
}

/// Keeps a run from being removed for as long as the file is open: by a sandbox, which may live a little longer
/// than podline.
///
/// # Errors
/// When the run has been removed already.
pub(super) fn hold(run: &Path) -> io::Result<File> {
    let file = File::open(run.join(SANDBOXES))?;
    file.lock_shared()?;
    // whoever removes it may have been faster
    if run.join(SANDBOXES).exists() { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
}

/// Removes what the runs but this one have left that nobody runs any more. Gives their ids.
pub(super) fn prune(state: &Path, own: &str) -> Vec<String> {
    let mut pruned = Vec::new();
    for entry in fs::read_dir(runs(state)).into_iter().flatten().flatten() {
        let folder = entry.path();
        if entry.file_name() == own {
            continue;
        }
        let lock = File::open(folder.join(LOCK)).or_else(|_| File::open(folder.join(NEW_LOCK)));
        let Ok(lock) = lock else {
            let _ = fs::remove_dir(&folder);
            continue;
        };
        if lock.try_lock().is_ok() && remove(&folder).is_ok() {
            pruned.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    pruned
}

/// How often removal is tried, and the time between: what dies with a sandbox dies a little after it.
const TRIES: usize = 250;
const PAUSE: Duration = Duration::from_millis(20);

/// Removes the folder of a run with its cgroups, once its sandboxes are gone.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    let mut tried = 0;
    loop {
        match remove_alone(folder) {
            Err(_) if tried < TRIES => {
                tried += 1;
                sleep(PAUSE);
            }
            removed => return removed,
        }
    }
}

fn remove_alone(folder: &Path) -> io::Result<()> {
    // a run that was killed at its very start has none yet
    let sandboxes = File::open(folder.join(SANDBOXES));
    if let Ok(sandboxes) = &sandboxes {
        sandboxes.try_lock()?;
    }
    try_remove(folder)
}

/// The lock goes last, so that what stays is found again.
fn try_remove(folder: &Path) -> io::Result<()> {
    let group = fs::read_to_string(folder.join(CGROUP)).unwrap_or_default();
    // written whole or not at all, but a file is a file
    if Path::new(&group).components().any(|part| part.as_os_str() == "podline") {
        if !cgroup::remove(&group) {
            return Err(io::Error::other(format!("the cgroup `{group}` is in use")));
        }
        // the one that all runs share goes with the last of them
        Path::new(&group).parent().map(cgroup::remove_unused);
    }
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_name() != LOCK && entry.file_name() != CGROUP {
            let path = entry.path();
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
    }
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
