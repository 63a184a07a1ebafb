//! The root file system of a container: what it is made of is seen through a layer that takes the writes.

use std::{
    ffi::{CString, OsString},
    fs,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use rustix::mount::{MountFlags, mount};

use super::{
    mount_points,
    plan::{self, Container, Laid, Plan, Rights, Root},
    trouble::{Doing as _, Result, Trouble},
};

/// Top-level folders of the host that a container has of its own, or that have no business in it.
const NOT_OF_THE_HOST: [&str; 11] =
    ["dev", "proc", "sys", "tmp", "run", "home", "root", "mnt", "media", "boot", "lost+found"];

/// Makes the root file system of a container below `folder`, which is in memory, and gives its path.
pub(super) fn make(plan: &Plan, container: &Container, folder: &Path) -> Result<PathBuf> {
    let (points, target) = (folder.join("points"), folder.join("root"));
    create(&points)?;
    create(&target)?;
    mount_points::make(container, &points)?;
    let writes = Writes::of(plan, &container.name);
    match &container.root {
        Root::Layers(layers) => {
            let mut lower: Vec<PathBuf> = layers.iter().rev().map(PathBuf::from).collect();
            lower.push(points);
            // mount takes no more than a page of options: the layers' names are relative to their folder
            std::env::set_current_dir(&plan.layers)
                .doing(format_args!("entering `{}`", plan.layers.display()))?;
            overlay(plan, "", &lower, &writes, &target)?;
            std::env::set_current_dir("/").doing("entering `/`")?;
        }
        Root::Host { hidden, shown } => {
            top_of_host(&points)?;
            overlay(plan, "", &[points], &writes, &target)?;
            host(plan, container, hidden, shown, &target)?;
        }
    }
    Ok(target)
}

/// What is at the top of the host's file system and in that of a container.
fn of_host() -> impl Iterator<Item = (PathBuf, OsString)> {
    let all = entries(Path::new("/")).into_iter();
    all.filter(|(_, name)| !NOT_OF_THE_HOST.iter().any(|it| *it == name))
}

/// Where an overlay puts what is written: side by side in the pod's folder, as every folder on the way takes a disk
/// time to make and to remove.
struct Writes {
    upper: PathBuf,
    work: PathBuf,
}

impl Writes {
    /// `name` is that of a container, or that and a number behind a dot: the former has none.
    fn of(plan: &Plan, name: &str) -> Self {
        let folder = |kind: &str| plan.folder.join(format!("{kind}.{name}"));
        Self { upper: folder("upper"), work: folder("work") }
    }
}

/// Shows a volume whose files are partly those of other pods.
pub(super) fn lay(plan: &Plan, laid: &Laid) -> Result<()> {
    let target = plan::laid(&plan.folder, &laid.volume);
    create(&target)?;
    let lower: Vec<PathBuf> = laid.layers.iter().rev().cloned().collect();
    let writes =
        Writes { upper: laid.writes.clone(), ..Writes::of(plan, &format!("volume.{}", laid.volume)) };
    // folders can be renamed in a volume
    overlay(plan, "redirect_dir=on,", &lower, &writes, &target)
}

/// Makes folders and links as they are at the top of the host's file system: others are mounted at most of them.
fn top_of_host(points: &Path) -> Result<()> {
    for (path, _) in of_host() {
        let at = points.join(path.strip_prefix("/").unwrap_or(&path));
        if let Ok(to) = fs::read_link(&path) {
            // a mount point is there already
            if !at.exists() {
                std::os::unix::fs::symlink(to, &at).doing(format_args!("linking `{}`", at.display()))?;
            }
        } else if path.is_dir() {
            create(&at)?;
        }
    }
    for folder in NOT_OF_THE_HOST {
        create(&points.join(folder))?;
    }
    // as on any machine: everybody may write there
    set_mode(&points.join("tmp"), 0o1777)
}

/// The host's own file system, folder by folder: an overlay never shows what is mounted below it, and in a user
/// namespace none can be mounted over a folder that has mounts below it.
struct Host<'a> {
    plan: &'a Plan,
    container: &'a str,
    hidden: &'a [PathBuf],
    tried: usize,
    is_shown: bool,
    trouble: Option<Trouble>,
}

/// How deep podline goes into a folder that cannot be shown as a whole.
const DEPTH: usize = 3;

fn host(
    plan: &Plan,
    container: &Container,
    hidden: &[PathBuf],
    shown: &[PathBuf],
    target: &Path,
) -> Result<()> {
    let container = &container.name;
    let mut host = Host { plan, container, hidden, tried: 0, is_shown: false, trouble: None };
    for (path, name) in of_host().filter(|(path, _)| !path.is_symlink()) {
        host.reveal(&path, &target.join(name), DEPTH)?;
    }
    if let Some(trouble) = host.trouble.take().filter(|_| !host.is_shown) {
        return Err(trouble);
    }
    for path in shown.iter().filter(|path| path.is_dir()) {
        host.reveal(path, &target.join(path.strip_prefix("/").unwrap_or(path)), 1)?;
    }
    Ok(())
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
        let writes = Writes::of(self.plan, &format!("{}.{}", self.container, self.tried));
        self.tried += 1;
        overlay(self.plan, "", &[path.to_owned()], &writes, at)?;
        self.is_shown = true;
        Ok(())
    }
}

/// What is in a folder; nothing where it may not be read.
pub(super) fn entries(folder: &Path) -> Vec<(PathBuf, OsString)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| (entry.path(), entry.file_name())).collect()
}

/// Mounts folders, the top one first, with what is written going to `writes`. `options` end with a comma.
fn overlay(plan: &Plan, options: &str, lower: &[PathBuf], writes: &Writes, target: &Path) -> Result<()> {
    let Writes { upper, work } = writes;
    create(upper)?;
    create(work)?;
    // what is written is thrown away: nobody waits until it is on the disk
    let mut options = format!("{options}volatile").into_bytes();
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
    options.extend(escaped(upper));
    options.extend(b",workdir=");
    options.extend(escaped(work));
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
