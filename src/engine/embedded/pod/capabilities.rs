//! What the processes of a container may do beyond a user's rights.

use k8s_openapi::api::core::v1::Capabilities;

/// What containers have unless something is said, as containerd has it, but for `MKNOD`: without the device
/// controller of cgroup v1 a device node would be the device.
const DEFAULT: [&str; 13] = [
    "CAP_AUDIT_WRITE",
    "CAP_CHOWN",
    "CAP_DAC_OVERRIDE",
    "CAP_FOWNER",
    "CAP_FSETID",
    "CAP_KILL",
    "CAP_NET_BIND_SERVICE",
    "CAP_NET_RAW",
    "CAP_SETFCAP",
    "CAP_SETGID",
    "CAP_SETPCAP",
    "CAP_SETUID",
    "CAP_SYS_CHROOT",
];

/// What would let a container out.
const REFUSED: [&str; 5] = ["CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_MKNOD", "ALL"];

/// The capabilities of a container.
///
/// # Errors
/// The name of one that this engine gives nobody.
pub(super) fn of(asked: Option<&Capabilities>) -> Result<Vec<String>, String> {
    let named = |list: Option<&Vec<String>>| -> Vec<String> {
        list.into_iter().flatten().map(|name| full(name)).collect()
    };
    let (add, drop) =
        (named(asked.and_then(|it| it.add.as_ref())), named(asked.and_then(|it| it.drop.as_ref())));
    if let Some(refused) = add.iter().find(|name| REFUSED.contains(&name.as_str())) {
        return Err(refused.trim_start_matches("CAP_").to_owned());
    }
    let all = drop.iter().any(|name| name == "ALL");
    let kept = DEFAULT.iter().map(|&name| name.to_owned());
    let mut capabilities: Vec<String> = kept.filter(|name| !all && !drop.contains(name)).chain(add).collect();
    capabilities.sort();
    capabilities.dedup();
    Ok(capabilities)
}

/// Kubernetes writes `CHOWN`, the kernel `CAP_CHOWN`.
fn full(name: &str) -> String {
    let name = name.to_uppercase();
    if name == "ALL" || name.starts_with("CAP_") { name } else { format!("CAP_{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(add: &[&str], drop: &[&str]) -> Capabilities {
        let list = |names: &[&str]| Some(names.iter().map(|&name| name.to_owned()).collect());
        Capabilities { add: list(add), drop: list(drop) }
    }

    #[test]
    fn capabilities_are_added_and_dropped_by_kubernetes_names() {
        let of = |add: &[&str], drop: &[&str]| of(Some(&asked(add, drop)));
        assert_eq!(of(&["CHOWN"], &["ALL"]), Ok(vec!["CAP_CHOWN".to_owned()]));
        assert!(!of(&[], &["NET_RAW"]).expect("allowed").contains(&"CAP_NET_RAW".to_owned()));
        assert!(of(&["SYS_PTRACE"], &[]).expect("allowed").contains(&"CAP_SYS_PTRACE".to_owned()));
        assert_eq!(of(&["SYS_ADMIN"], &[]), Err("SYS_ADMIN".to_owned()));
        assert_eq!(of(&["all"], &[]), Err("ALL".to_owned()));
    }
}
