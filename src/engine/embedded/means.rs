//! What this machine gives to pods without a cluster. Looking changes nothing.

use std::{fs, path::Path};

use super::{
    owner,
    sandbox::plan::{IdMaps, Rights},
};

/// What there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Means {
    /// Whether podline runs as root.
    pub is_root: bool,
    /// Whether a user may make user namespaces, as far as the kernel's settings say.
    pub has_user_namespaces: bool,
    /// Whether the user has subordinate ids of both kinds, and the programs that map them.
    pub has_subordinate_ids: bool,
    /// Whether the kernel has overlayfs.
    pub has_overlay: bool,
    /// Whether cgroups are those of version 2.
    pub is_cgroup_v2: bool,
    /// Whether podline runs below a cgroup that systemd delegates to the user.
    pub is_delegated: bool,
}

impl Means {
    /// Looks at this machine.
    #[must_use]
    pub fn look() -> Self {
        let rights = owner::rights();
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let setting = |path: &str| read(path).trim().parse::<u64>().ok();
        let maps = match &rights {
            Rights::User(maps) => Some(maps),
            Rights::Root => None,
        };
        let has_ids = |maps: &IdMaps| maps.subordinate_uids.is_some() && maps.subordinate_gids.is_some();
        Self {
            is_root: maps.is_none(),
            has_user_namespaces: setting("/proc/sys/user/max_user_namespaces").is_none_or(|most| most > 0)
                && setting("/proc/sys/kernel/unprivileged_userns_clone") != Some(0)
                && setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") != Some(1),
            has_subordinate_ids: maps.is_some_and(has_ids),
            has_overlay: read("/proc/filesystems").lines().any(|line| line.ends_with("\toverlay")),
            is_cgroup_v2: Path::new("/sys/fs/cgroup/cgroup.controllers").exists(),
            is_delegated: maps.is_some_and(|maps| {
                read("/proc/self/cgroup").contains(&format!("/user@{}.service/", maps.uid))
            }),
        }
    }
}
