//! What this machine gives to pods without a cluster, as plain data: machines of others are looked at, too.

use serde::{Deserialize, Serialize};

/// What there is; nothing where nothing is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
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
