//! Cgroups, v1 and v2: where a run may make some, the limits that they hold, and their removal.
//!
//! libcontainer is kept from them: it would look for every controller anew, for every container, and stop at the
//! first that may not be written.

mod limits;
mod removal;
mod run;
mod usage;

use std::{
    fs,
    path::{Path, PathBuf},
};

pub(super) use limits::{hold, settings};
pub(super) use removal::{remove, remove_unused};
pub(super) use run::{enable, of_run, path_of_run, warning};
pub(super) use usage::Meter;

/// Where cgroup file systems are mounted.
pub(super) const ROOT: &str = "/sys/fs/cgroup";

/// The controllers that hold limits.
const CONTROLLERS: [&str; 3] = ["cpu", "memory", "pids"];

/// A mounted hierarchy of cgroups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hierarchy {
    /// Where it is mounted.
    pub(super) path: PathBuf,
    /// The controllers of a v1 hierarchy; `None` for v2.
    pub(super) controllers: Option<Vec<String>>,
}

/// The hierarchies among mounts, as `/proc/self/mountinfo` lists them.
fn hierarchies(mountinfo: &str) -> Vec<Hierarchy> {
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
    /// Whether limits are held in it: v2 beside v1 has no controllers.
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

    /// Counts the processes of a cgroup in it that were killed for lack of memory.
    pub(super) fn oom_kills(&self, group: &Path) -> Option<u64> {
        if !self.has("memory") {
            return None;
        }
        let file = if self.controllers.is_some() { "memory.oom_control" } else { "memory.events" };
        let text = fs::read_to_string(group.join(file)).ok()?;
        let kills = text.lines().find_map(|line| line.strip_prefix("oom_kill "))?;
        kills.trim().parse().ok()
    }
}

/// The hierarchies that this process sees and that hold limits.
pub(super) fn needed() -> Vec<Hierarchy> {
    mounted().into_iter().filter(Hierarchy::is_needed).collect()
}

fn mounted() -> Vec<Hierarchy> {
    fs::read_to_string("/proc/self/mountinfo").map(|text| hierarchies(&text)).unwrap_or_default()
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
        assert_eq!(needed, [Path::new("/sys/fs/cgroup/cpu,cpuacct")]);

        let v2 = "30 25 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        assert_eq!(hierarchies(v2), [Hierarchy { path: ROOT.into(), controllers: None }]);
        assert!(hierarchies(v2)[0].is_needed());
    }

    #[test]
    fn kills_for_lack_of_memory_are_counted_on_both_versions() {
        let group = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| fs::write(group.path().join(name), text).expect("a file");
        write("memory.events", "low 0\noom 3\noom_kill 2\n");
        write("memory.oom_control", "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n");
        let hierarchy = |controllers: Option<&str>| Hierarchy {
            path: ROOT.into(),
            controllers: controllers.map(|name| vec![name.to_owned()]),
        };
        assert_eq!(hierarchy(None).oom_kills(group.path()), Some(2));
        assert_eq!(hierarchy(Some("memory")).oom_kills(group.path()), Some(1));
        assert_eq!(hierarchy(Some("pids")).oom_kills(group.path()), None);
    }
}
