//! The root file system of a container: what it is made of is seen through a layer that takes the writes.

use std::{
    ffi::{CString, OsString},
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

/// Makes the root file system of a container below `folder`, and gives its path. What the container writes goes to
/// `writes`.
pub(super) fn make(plan: &Plan, root: &Root, folder: &Path, writes: &Path) -> Result<PathBuf> {
    create(folder)?;
    let target = match root {
        Root::Layers(_) => folder.join("root"),
        // here it is more than a place to mount at: `/tmp` is in it, and may be large
        Root::Host { .. } => writes.join("root"),
    };
    create(&target)?;
    match root {
        Root::Layers(layers) => {
            let lower: Vec<PathBuf> = layers.iter().rev().map(PathBuf::from).collect();
            // mount takes no more than a page of options: the layers' names are relative to their folder
            std::env::set_current_dir(&plan.layers)
                .doing(format_args!("entering `{}`", plan.layers.display()))?;
            overlay(plan, &lower, writes, &target)?;
            std::env::set_current_dir("/").doing("entering `/`")?;
        }
        Root::Host { hidden, shown } => host(plan, hidden, shown, writes, &target)?,
    }
    Ok(target)
}

/// The host's own file system, folder by folder: an overlay never shows what is mounted below it, and in a user
/// namespace none can be mounted over a folder that has mounts below it.
struct Host<'a> {
    plan: &'a Plan,
    hidden: &'a [PathBuf],
    writes: PathBuf,
    tried: usize,
    is_shown: bool,
    trouble: Option<Trouble>,
}

/// How deep podline goes into a folder that cannot be shown as a whole.
const DEPTH: usize = 3;

fn host(plan: &Plan, hidden: &[PathBuf], shown: &[PathBuf], writes: &Path, target: &Path) -> Result<()> {
    let mut host = Host { plan, hidden, writes: writes.to_owned(), tried: 0, is_shown: false, trouble: None };
    for (path, name) in entries(Path::new("/")) {
        let at = target.join(&name);
        if NOT_OF_THE_HOST.iter().any(|it| *it == name) {
            create(&at)?;
        } else {
            host.reveal(&path, &at, DEPTH)?;
        }
    }
    if let Some(trouble) = host.trouble.take().filter(|_| !host.is_shown) {
        return Err(trouble);
    }
    for path in shown.iter().filter(|path| path.is_dir()) {
        host.reveal(path, &target.join(path.strip_prefix("/").unwrap_or(path)), 1)?;
    }
    // as on any machine: everybody may write there
    set_mode(&target.join("tmp"), 0o1777)
}

impl Host<'_> {
    /// Shows a folder or link, or as much of what is in a folder as can be shown.
    fn reveal(&mut self, path: &Path, at: &Path, depth: usize) -> Result<()> {
        if let Ok(to) = fs::read_link(path) {
            return std::os::unix::fs::symlink(to, at).doing(format_args!("linking `{}`", at.display()));
        }
        if !path.is_dir() {
            return Ok(());
        }
        create(at)?;
        let own = self.plan.folder.starts_with(path);
        if self.hidden.iter().any(|hidden| hidden == path) || self.plan.folder == path {
            return Ok(());
        }
        // what podline writes cannot be part of what it shows, nor a home that is to be hidden
        if !own && !self.hidden.iter().any(|hidden| hidden.starts_with(path)) {
            match self.show(path, at) {
                Ok(()) => return Ok(()),
                Err(trouble) => self.trouble.get_or_insert(trouble),
            };
        }
        if depth > 0 {
            for (inner, name) in entries(path) {
                self.reveal(&inner, &at.join(name), depth - 1)?;
            }
        }
        Ok(())
    }

    fn show(&mut self, path: &Path, at: &Path) -> Result<()> {
        // what the kernel has refused once is no place for another: it has left marks there
        let number = self.tried.to_string();
        self.tried += 1;
        overlay(self.plan, &[path.to_owned()], &self.writes.join(number), at)?;
        self.is_shown = true;
        Ok(())
    }
}

/// What is in a folder; nothing where it may not be read.
pub(super) fn entries(folder: &Path) -> Vec<(PathBuf, OsString)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| (entry.path(), entry.file_name())).collect()
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
