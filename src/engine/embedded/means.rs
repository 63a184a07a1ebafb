//! What this machine gives to pods without a cluster. Looking changes nothing.

use std::{fs, path::Path};

use super::{
    super::Means,
    owner,
    sandbox::plan::{IdMaps, Rights},
};

/// Looks at this machine.
#[must_use]
pub fn look() -> Means {
    let rights = owner::rights();
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let setting = |path: &str| read(path).trim().parse::<u64>().ok();
    let maps = match &rights {
        Rights::User(maps) => Some(maps),
        Rights::Root => None,
    };
    let has_ids = |maps: &IdMaps| maps.subordinate_uids.is_some() && maps.subordinate_gids.is_some();
    Means {
        is_root: maps.is_none(),
        has_user_namespaces: setting("/proc/sys/user/max_user_namespaces").is_none_or(|most| most > 0)
            && setting("/proc/sys/kernel/unprivileged_userns_clone") != Some(0)
            && setting("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") != Some(1),
        has_subordinate_ids: maps.is_some_and(has_ids),
        has_overlay: read("/proc/filesystems").lines().any(|line| line.ends_with("\toverlay")),
        is_cgroup_v2: Path::new("/sys/fs/cgroup/cgroup.controllers").exists(),
        is_delegated: maps
            .is_some_and(|maps| read("/proc/self/cgroup").contains(&format!("/user@{}.service/", maps.uid))),
    }
}
