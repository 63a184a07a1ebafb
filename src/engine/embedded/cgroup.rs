//! Cgroups: where a run may make some, what they can hold, and their removal.

use std::{
    fs,
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

use rustix::mount::{UnmountFlags, unmount};

use super::sandbox::plan::{Plan, Rights};

/// Where cgroup file systems are mounted.
pub(in crate::engine::embedded) const ROOT: &str = "/sys/fs/cgroup";

/// The controllers of cgroup v1 that a pod needs. libcontainer allows the usual devices only.
const CONTROLLERS: [&str; 5] = ["cpu", "cpuacct", "devices", "memory", "pids"];

/// A mounted hierarchy of cgroups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::embedded) struct Hierarchy {
    /// Where it is mounted.
    pub(in crate::engine::embedded) path: PathBuf,
    /// The controllers of a v1 hierarchy; `None` for v2.
    pub(in crate::engine::embedded) controllers: Option<Vec<String>>,
}

/// The hierarchies among mounts, as `/proc/self/mountinfo` lists them.
pub(in crate::engine::embedded) fn hierarchies(mountinfo: &str) -> Vec<Hierarchy> {
    mountinfo.lines().filter_map(hierarchy).collect()
}

fn hierarchy(line: &str) -> Option<Hierarchy> {
    // id parent major:minor root mountpoint options tag... - type source super-options
    let (before, after) = line.split_once(" - ")?;
    let path = PathBuf::from(before.split(' ').nth(4)?);
    let mut after = after.split(' ');
    let (kind, options) = (after.next()?, after.nth(1)?);
    if !path.starts_with(ROOT) {
        return None;
    }
    match kind {
        "cgroup" => {
            let known = |option: &&str| !matches!(*option, "rw" | "ro" | "xattr" | "noprefix");
            let controllers = options.split(',').filter(known).map(str::to_owned).collect();
            Some(Hierarchy { path, controllers: Some(controllers) })
        }
        "cgroup2" => Some(Hierarchy { path, controllers: None }),
        _ => None,
    }
}

impl Hierarchy {
    fn is_needed(&self) -> bool {
        match &self.controllers {
            None => self.path == Path::new(ROOT),
            Some(controllers) => controllers.iter().any(|it| CONTROLLERS.contains(&it.as_str())),
        }
    }

    /// Whether it is v2, or has a v1 controller.
    fn has(&self, controller: &str) -> bool {
        self.controllers.as_ref().is_none_or(|controllers| controllers.iter().any(|it| it == controller))
    }
}

/// The hierarchies that this process sees.
pub(in crate::engine::embedded) fn mounted() -> Vec<Hierarchy> {
    fs::read_to_string("/proc/self/mountinfo").map(|text| hierarchies(&text)).unwrap_or_default()
}

/// Whether this machine has hierarchies of v1. In a user namespace they cannot be unmounted, and libcontainer
/// stops at the first that it may not write.
pub(in crate::engine::embedded) fn is_v1() -> bool {
    mounted().iter().any(|hierarchy| hierarchy.controllers.is_some())
}

/// Takes the hierarchies out of sight that are not needed, all of them where there are no limits: every one
/// that libcontainer finds costs it time, and one that may not be written stops it. Gives those that stay.
pub(in crate::engine::embedded) fn narrow(plan: &Plan) -> Vec<Hierarchy> {
    let (needed, others): (Vec<_>, Vec<_>) =
        mounted().into_iter().partition(|it| plan.cgroup.is_some() && it.is_needed());
    for other in others {
        // what stays in sight only costs time, or says itself what is wrong
        let _ = unmount(&other.path, UnmountFlags::DETACH);
    }
    needed
}

/// Counts the processes of a container that were killed for lack of memory.
pub(in crate::engine::embedded) fn oom_kills(hierarchies: &[Hierarchy], group: &str) -> u64 {
    let of = |hierarchy: &Hierarchy| {
        let file = if hierarchy.controllers.is_some() { "memory.oom_control" } else { "memory.events" };
        field(&hierarchy.path.join(group).join(file), "oom_kill")
    };
    hierarchies.iter().filter(|it| it.has("memory")).find_map(of).unwrap_or(0)
}

fn field(path: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    value.trim().parse().ok()
}

/// The cgroup of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::embedded) struct Group {
    /// Its path below the root of every hierarchy; none where no cgroup can be made.
    pub(in crate::engine::embedded) path: Option<String>,
    /// The limits that cannot be held, in words.
    pub(in crate::engine::embedded) missing: Vec<&'static str>,
}

/// The controllers that hold limits, and the limits.
const LIMITS: [(&str, &str); 3] = [("cpu", "CPU"), ("memory", "memory"), ("pids", "processes")];

/// The path that the cgroup of a run has, if it can be made.
pub(in crate::engine::embedded) fn path_of_run(rights: &Rights, run: &str) -> Option<String> {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    parent(rights, &own).map(|parent| path(&parent, run))
}

fn path(parent: &str, run: &str) -> String {
    Path::new(parent).join("podline").join(run).display().to_string()
}

/// Makes the cgroup of a run, as far as this user may.
pub(in crate::engine::embedded) fn of_run(rights: &Rights, run: &str) -> Group {
    let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let needed: Vec<_> = mounted().into_iter().filter(Hierarchy::is_needed).collect();
    make(&needed, parent(rights, &own).as_deref(), run)
}

/// The cgroup below which a run may make its own: the root for root. A user may where systemd says so, in the
/// cgroup of the user's service manager, and only from inside: who moves a process needs to own what is above
/// both places.
fn parent(rights: &Rights, own: &str) -> Option<String> {
    let Rights::User(maps) = rights else { return Some(String::new()) };
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let service = format!("user@{}.service", maps.uid);
    let end = own.find(&service)? + service.len();
    Some(own[..end].to_owned())
}

fn make(needed: &[Hierarchy], parent: Option<&str>, run: &str) -> Group {
    let none = Group { path: None, missing: LIMITS.iter().map(|(_, limit)| *limit).collect() };
    let Some(parent) = parent else { return none };
    let group = path(parent, run);
    let made = |it: &&Hierarchy| fs::create_dir_all(it.path.join(&group)).is_ok();
    let usable: Vec<_> = needed.iter().filter(|it| made(it)).collect();
    if usable.is_empty() || usable.len() < needed.len() {
        return none;
    }
    let holds = |controller: &str| {
        usable.iter().any(|it| match &it.controllers {
            Some(controllers) => controllers.iter().any(|it| it == controller),
            None => {
                let file = it.path.join(parent).join("cgroup.controllers");
                let there = fs::read_to_string(file).unwrap_or_default();
                there.split_whitespace().any(|it| it == controller)
            }
        })
    };
    let missing = LIMITS.iter().filter(|(controller, _)| !holds(controller)).map(|(_, limit)| *limit);
    Group { path: Some(group), missing: missing.collect() }
}

/// What is said where limits cannot be held.
pub(in crate::engine::embedded) fn warning(group: &Group) -> Option<String> {
    (!group.missing.is_empty()).then(|| {
        format!(
            "limits of {} are not enforced: no cgroup of this machine can be used for them by this user",
            group.missing.join(", ")
        )
    })
}

/// Removes the cgroups of a pod. Its processes are dead; the kernel takes them out a moment later.
pub(in crate::engine::embedded) fn remove(plan: &Plan) {
    let Some(group) = &plan.cgroup else { return };
    for hierarchy in mounted() {
        remove_below(&hierarchy.path.join(group));
    }
}

/// Removes a cgroup with those in it. Whether it is gone.
pub(in crate::engine::embedded) fn remove_below(group: &Path) -> bool {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_below(&entry.path());
        }
    }
    for _ in 0..100 {
        match fs::remove_dir(group) {
            Err(error) if error.kind() == std::io::ErrorKind::ResourceBusy => {
                sleep(Duration::from_millis(10))
            }
            removed => return removed.is_ok() || !group.exists(),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_of_both_versions_are_found() {
        let v1 = "30 25 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755\n\
                  31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n\
                  32 30 0:28 / /sys/fs/cgroup/devices rw - cgroup cgroup rw,devices\n\
                  33 30 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";
        let found = hierarchies(v1);
        let needed: Vec<_> = found.iter().filter(|it| it.is_needed()).map(|it| it.path.clone()).collect();
        assert_eq!(found.len(), 3);
        assert_eq!(needed, [Path::new("/sys/fs/cgroup/cpu,cpuacct"), Path::new("/sys/fs/cgroup/devices")]);

        let v2 = "30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        assert_eq!(hierarchies(v2), [Hierarchy { path: ROOT.into(), controllers: None }]);
        assert!(hierarchies(v2)[0].is_needed());
    }

    /// A folder with the files of a cgroup.
    fn group(files: &[(&str, &str)], controllers: Option<&[&str]>) -> (tempfile::TempDir, Hierarchy) {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("pod")).expect("a folder");
        for (name, text) in files {
            fs::write(folder.path().join("pod").join(name), text).expect("a file");
        }
        let controllers = controllers.map(|names| names.iter().map(|&name| name.to_owned()).collect());
        let hierarchy = Hierarchy { path: folder.path().to_owned(), controllers };
        (folder, hierarchy)
    }

    /// The root of a v2 hierarchy with these controllers in a cgroup.
    fn tree(parent: &str, controllers: &str) -> (tempfile::TempDir, Hierarchy) {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(folder.path().join(parent)).expect("a folder");
        fs::write(folder.path().join(parent).join("cgroup.controllers"), controllers).expect("a file");
        let hierarchy = Hierarchy { path: folder.path().to_owned(), controllers: None };
        (folder, hierarchy)
    }

    fn user() -> Rights {
        Rights::User(super::super::sandbox::plan::IdMaps {
            uid: 1000,
            gid: 1000,
            subordinate_uids: None,
            subordinate_gids: None,
        })
    }

    /// What `/proc/self/cgroup` has been seen to say, and where a run may make cgroups then.
    #[test]
    fn a_user_may_make_cgroups_where_systemd_delegates() {
        let desktop = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-org.gnome.Terminal.slice/vte-spawn-1.scope\n";
        let login = "0::/user.slice/user-1000.slice/session-3.scope\n";
        let v1 = "9:name=systemd:/\n4:memory:/user.slice\n0::/\n";
        let service = "user.slice/user-1000.slice/user@1000.service";
        assert_eq!(parent(&user(), desktop).as_deref(), Some(service));
        assert_eq!(parent(&user(), login), None);
        assert_eq!(parent(&user(), v1), None);
        assert_eq!(parent(&Rights::Root, v1).as_deref(), Some(""));
    }

    #[test]
    fn what_a_cgroup_cannot_hold_is_said() {
        let (_kept, whole) = tree("", "cpuset cpu io memory pids\n");
        let made = make(&[whole], Some(""), "r1");
        assert_eq!(made, Group { path: Some("podline/r1".to_owned()), missing: vec![] });
        assert_eq!(warning(&made), None);

        let service = "user.slice/user-1000.slice/user@1000.service";
        let (_kept, part) = tree(service, "memory pids\n");
        let made = make(&[part], Some(service), "r1");
        assert_eq!(made.missing, ["CPU"]);

        assert_eq!(
            warning(&make(&[], None, "r1")).as_deref(),
            Some(
                "limits of CPU, memory, processes are not enforced: no cgroup of this machine can be used for \
                 them by this user"
            )
        );
    }

    #[test]
    fn kills_for_lack_of_memory_are_counted_on_both_versions() {
        let (_kept, v2) = group(&[("memory.events", "low 0\noom 3\noom_kill 2\n")], None);
        let (_kept_too, v1) = group(
            &[("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")],
            Some(&["memory"]),
        );
        assert_eq!(oom_kills(&[v2], "pod"), 2);
        assert_eq!(oom_kills(&[v1], "pod"), 1);
        assert_eq!(oom_kills(&[], "pod"), 0);
    }
}
