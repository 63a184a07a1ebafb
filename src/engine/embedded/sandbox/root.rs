//! The root file system of a container: what it is made of is seen through a layer that takes the writes.

use std::{
    ffi::CString,
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use rustix::mount::{MountFlags, mount};

use super::{
    plan::{Plan, Rights, Root},
    trouble::{Doing as _, Result, Trouble},
};

/// Top-level folders of the host that a container has of its own, or that have no business in it.
const NOT_OF_THE_HOST: [&str; 11] =
    ["dev", "proc", "sys", "tmp", "run", "home", "root", "mnt", "media", "boot", "lost+found"];

/// Makes the root file system of a container below `folder`, and gives its path.
pub(super) fn make(plan: &Plan, root: &Root, folder: &Path) -> Result<PathBuf> {
    let target = folder.join("root");
    create(&target)?;
    match root {
        Root::Layers(layers) => {
            let lower: Vec<PathBuf> = layers.iter().rev().map(PathBuf::from).collect();
            // mount takes no more than a page of options: the layers' names are relative to their folder
            std::env::set_current_dir(&plan.layers)
                .doing(format_args!("entering `{}`", plan.layers.display()))?;
            overlay(plan, &lower, &folder.join("writes"), &target)?;
            std::env::set_current_dir("/").doing("entering `/`")?;
        }
        Root::Host { hidden, shown } => host(plan, hidden, shown, folder, &target)?,
    }
    Ok(target)
}

/// Every top-level folder of the host has an overlay of its own: in a user namespace one over `/` cannot be
/// mounted, and an overlay never shows what is mounted below it.
fn host(plan: &Plan, hidden: &[PathBuf], shown: &[PathBuf], folder: &Path, target: &Path) -> Result<()> {
    let writes = folder.join("writes");
    let mut number = 0..;
    let mut show = |path: &Path, at: &Path| {
        let writes = writes.join(number.next().unwrap_or(0).to_string());
        overlay(plan, &[path.to_owned()], &writes, at)
    };
    for entry in fs::read_dir("/").doing("listing `/`")?.flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let at = target.join(&name);
        let kind = entry.file_type().doing(format_args!("looking at `{}`", path.display()))?;
        if kind.is_symlink() {
            let to = fs::read_link(&path).doing(format_args!("reading `{}`", path.display()))?;
            std::os::unix::fs::symlink(to, &at).doing(format_args!("linking `{}`", at.display()))?;
        } else if kind.is_dir() {
            create(&at)?;
            let own = NOT_OF_THE_HOST.iter().any(|it| *it == name) || hidden.contains(&path);
            if !own && !plan.folder.starts_with(&path) {
                show(&path, &at)?;
            } else if !own {
                // an overlay cannot have its own writes below what it shows, but for folders further down
                show_around(&path, &at, &plan.folder, &mut show)?;
            }
        }
    }
    for path in hidden.iter().filter(|path| path.parent() != Some(Path::new("/"))) {
        let at = target.join(path.strip_prefix("/").unwrap_or(path));
        if at.is_dir() {
            let writes = folder.join("hidden").join(number_of(path, hidden));
            create(&writes)?;
            rustix::mount::mount_bind(&writes, &at).doing(format_args!("hiding `{}`", path.display()))?;
        }
    }
    for path in shown.iter().filter(|path| path.is_dir()) {
        let at = target.join(path.strip_prefix("/").unwrap_or(path));
        create(&at)?;
        show(path, &at)?;
    }
    // as on any machine: everybody may write there
    set_mode(&target.join("tmp"), 0o1777)
}

fn number_of(path: &Path, all: &[PathBuf]) -> String {
    all.iter().position(|it| it == path).unwrap_or_default().to_string()
}

/// Shows what is in a folder but for the one that podline itself writes to.
fn show_around(
    path: &Path,
    at: &Path,
    own: &Path,
    show: &mut dyn FnMut(&Path, &Path) -> Result<()>,
) -> Result<()> {
    for entry in fs::read_dir(path).doing(format_args!("listing `{}`", path.display()))?.flatten() {
        let (inner, inner_at) = (entry.path(), at.join(entry.file_name()));
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_symlink() {
            let to = fs::read_link(&inner).doing(format_args!("reading `{}`", inner.display()))?;
            std::os::unix::fs::symlink(to, &inner_at).doing(format_args!("linking `{}`", inner.display()))?;
        } else if kind.is_dir() {
            create(&inner_at)?;
            if own == inner {
                continue;
            }
            if own.starts_with(&inner) {
                show_around(&inner, &inner_at, own, show)?;
            } else {
                show(&inner, &inner_at)?;
            }
        }
    }
    Ok(())
}

/// Mounts folders, the top one first, with what is written going to `writes`.
fn overlay(plan: &Plan, lower: &[PathBuf], writes: &Path, target: &Path) -> Result<()> {
    let (upper, work) = (writes.join("upper"), writes.join("work"));
    create(&upper)?;
    create(&work)?;
    // what is written is thrown away: nobody waits until it is on the disk
    let mut options = b"volatile".to_vec();
    if plan.rights != Rights::Root {
        options.extend(b",userxattr");
    }
    options.extend(b",lowerdir=");
    for (index, path) in lower.iter().enumerate() {
        if index > 0 {
            options.push(b':');
        }
        options.extend(escaped(path));
    }
    options.extend(b",upperdir=");
    options.extend(escaped(&upper));
    options.extend(b",workdir=");
    options.extend(escaped(&work));
    let options = CString::new(options).map_err(|_| Trouble::new("a path has a zero byte"))?;
    // a device in an image is no device of this machine
    mount("overlay", target, "overlay", MountFlags::NODEV, options.as_c_str())
        .doing(format_args!("mounting the root file system at `{}`", target.display()))
}

/// A path as an option of an overlay.
fn escaped(path: &Path) -> Vec<u8> {
    let mut escaped = Vec::new();
    for byte in path.as_os_str().as_bytes() {
        if matches!(byte, b':' | b',' | b'\\') {
            escaped.push(b'\\');
        }
        escaped.push(*byte);
    }
    escaped
}

pub(super) fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).doing(format_args!("making `{}`", folder.display()))
}

fn set_mode(folder: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    fs::set_permissions(folder, fs::Permissions::from_mode(mode))
        .doing(format_args!("setting the mode of `{}`", folder.display()))
}
