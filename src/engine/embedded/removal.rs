//! Removal of a folder with much in it: a disk takes its time for every folder, and for several at once no longer
//! than for one.

use std::{fs, io, path::Path, thread};

/// Removes a folder with all that is in it, the folders in it side by side.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    let folders =
        fs::read_dir(folder)?.flatten().filter(|entry| entry.file_type().is_ok_and(|it| it.is_dir()));
    thread::scope(|scope| {
        for entry in folders {
            scope.spawn(move || fs::remove_dir_all(entry.path()));
        }
    });
    // also what could not be removed, to say why
    fs::remove_dir_all(folder)
}
