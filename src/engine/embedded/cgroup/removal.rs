//! Removal of cgroups.

use std::{fs, path::Path, thread::sleep, time::Duration};

use super::mounted;

/// Removes a cgroup, given below the root of every hierarchy, with those in it. Its processes are dead; the
/// kernel takes them out a moment later. Whether it is gone.
pub(in crate::engine::embedded) fn remove(group: &str) -> bool {
    // not lazily: what can be removed is, whatever else cannot
    let removed: Vec<_> = mounted().iter().map(|it| remove_below(&it.path.join(group))).collect();
    removed.into_iter().all(|removed| removed)
}

/// Removes a cgroup that others may use, unless there are any in it.
pub(in crate::engine::embedded) fn remove_unused(group: &Path) {
    for hierarchy in mounted() {
        let _ = fs::remove_dir(hierarchy.path.join(group));
    }
}

/// Removes a cgroup with those in it. Whether it is gone.
fn remove_below(group: &Path) -> bool {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_below(&entry.path());
        }
    }
    for _ in 0..100 {
        match fs::remove_dir(group) {
            Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {
                sleep(Duration::from_millis(10));
            }
            removed => return removed.is_ok() || !group.exists(),
        }
    }
    false
}
