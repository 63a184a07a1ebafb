//! Places in a container's root file system that something is mounted at. Where the image has none, they are seen
//! through it from a layer below, which is in memory: made in the container, they would be writes on a disk.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use super::{
    plan::Container,
    root::create,
    trouble::{Doing as _, Result},
};

/// What every container has mounted. What is below is mounted in that.
const ALWAYS: [&str; 3] = ["/dev", "/proc", "/sys"];

/// Makes the mount points of a container in a folder.
pub(super) fn make(container: &Container, folder: &Path) -> Result<()> {
    for path in ALWAYS {
        create(&below(folder, Path::new(path)))?;
    }
    for mount in &container.mounts {
        let target = Path::new(&mount.target);
        if ALWAYS.iter().any(|always| target.starts_with(always)) {
            continue;
        }
        let at = below(folder, target);
        if mount.source.is_dir() {
            create(&at)?;
        } else {
            at.parent().map_or(Ok(()), create)?;
            File::create(&at).doing(format_args!("making `{}`", at.display()))?;
        }
    }
    Ok(())
}

/// A path of a container below a folder: none that leads up is a mount's.
fn below(folder: &Path, path: &Path) -> PathBuf {
    use std::path::Component;

    let parts = path.components().filter(|part| matches!(part, Component::Normal(_)));
    folder.join(parts.collect::<PathBuf>())
}
