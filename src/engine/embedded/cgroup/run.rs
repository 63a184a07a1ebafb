//! The cgroup of a run: where it may be made, and which limits it can hold.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    path::Path,
};

use super::{CONTROLLERS, Hierarchy, needed};
use crate::engine::embedded::sandbox::plan::Rights;

/// The cgroup of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::embedded) struct Group {
    /// Its path below the root of every hierarchy; none where no cgroup can be made.
    pub(in crate::engine::embedded) path: Option<String>,
    /// The limits that cannot be held, in words.
    pub(in crate::engine::embedded) missing: Vec<&'static str>,
}

/// The limits that controllers hold, in words.
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
    make(&needed(), parent(rights, &own).as_deref(), run)
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
    let made = |it: &&Hierarchy| {
        fs::create_dir_all(it.path.join(&group)).is_ok()
            && (it.controllers.is_some() || enable(&it.path, Path::new(parent), &group))
    };
    let usable: Vec<_> = needed.iter().filter(made).collect();
    if usable.is_empty() || usable.len() < needed.len() {
        return none;
    }
    let holds = |controller: &str| {
        usable.iter().any(|it| match &it.controllers {
            Some(controllers) => controllers.iter().any(|it| it == controller),
            None => {
                words(&it.path.join(parent).join("cgroup.subtree_control")).iter().any(|it| it == controller)
            }
        })
    };
    let missing = LIMITS.iter().filter(|(controller, _)| !holds(controller)).map(|(_, limit)| *limit);
    Group { path: Some(group), missing: missing.collect() }
}

/// Hands controllers of a v2 hierarchy down from `parent` to all cgroups on the way to `group` and to those that
/// will be in it. Whether that can be done: a controller that is not there is no fault.
pub(in crate::engine::embedded) fn enable(root: &Path, parent: &Path, group: &str) -> bool {
    let mut all: Vec<_> = Path::new(group).ancestors().take_while(|it| it.starts_with(parent)).collect();
    all.reverse();
    all.iter().all(|it| hand_down(&root.join(it)))
}

/// Controllers are written to a cgroup's `cgroup.subtree_control` to be there in the cgroups in it.
fn hand_down(group: &Path) -> bool {
    let control = group.join("cgroup.subtree_control");
    let (there, enabled) = (words(&group.join("cgroup.controllers")), words(&control));
    let wanted = CONTROLLERS.iter().filter(|it| there.iter().any(|there| there == *it));
    let missing: Vec<_> = wanted.filter(|it| !enabled.iter().any(|enabled| enabled == *it)).collect();
    missing.iter().all(|controller| {
        let opened = OpenOptions::new().append(true).open(&control);
        opened.and_then(|mut file| write!(file, "+{controller} ")).is_ok()
    })
}

fn words(file: &Path) -> Vec<String> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.split_whitespace().map(|word| word.trim_start_matches('+').to_owned()).collect()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::embedded::sandbox::plan::IdMaps;

    /// A recorded v2 tree: each cgroup with its `cgroup.controllers` and `cgroup.subtree_control`.
    fn tree(groups: &[(&str, &str, &str)]) -> (tempfile::TempDir, Hierarchy) {
        let folder = tempfile::tempdir().expect("a folder");
        for (path, controllers, enabled) in groups {
            let group = folder.path().join(path);
            fs::create_dir_all(&group).expect("a folder");
            fs::write(group.join("cgroup.controllers"), controllers).expect("a file");
            fs::write(group.join("cgroup.subtree_control"), enabled).expect("a file");
        }
        let hierarchy = Hierarchy { path: folder.path().to_owned(), controllers: None };
        (folder, hierarchy)
    }

    fn user() -> Rights {
        Rights::User(IdMaps { uid: 1000, gid: 1000, subordinate_uids: None, subordinate_gids: None })
    }

    const SERVICE: &str = "user.slice/user-1000.slice/user@1000.service";

    /// What `/proc/self/cgroup` has been seen to say, and where a run may make cgroups then.
    #[test]
    fn a_user_may_make_cgroups_where_systemd_delegates() {
        let desktop = "0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-org.gnome.Terminal.slice/vte-spawn-1.scope\n";
        let login = "0::/user.slice/user-1000.slice/session-3.scope\n";
        let v1 = "9:name=systemd:/\n4:memory:/user.slice\n0::/\n";
        assert_eq!(parent(&user(), desktop).as_deref(), Some(SERVICE));
        assert_eq!(parent(&user(), login), None);
        assert_eq!(parent(&user(), v1), None);
        assert_eq!(parent(&Rights::Root, v1).as_deref(), Some(""));
    }

    #[test]
    fn as_root_all_limits_hold_on_v2() {
        let all = "cpuset cpu io memory pids\n";
        let (folder, hierarchy) =
            tree(&[("", all, "memory\n"), ("podline", all, ""), ("podline/r1", all, "")]);
        let made = make(&[hierarchy], Some(""), "r1");
        assert_eq!(made, Group { path: Some("podline/r1".to_owned()), missing: vec![] });
        assert_eq!(warning(&made), None);
        let enabled = |path: &str| words(&folder.path().join(path).join("cgroup.subtree_control"));
        assert_eq!(enabled(""), ["memory", "cpu", "pids"]);
        assert_eq!(enabled("podline/r1"), ["cpu", "memory", "pids"]);
    }

    #[test]
    fn what_systemd_does_not_delegate_is_said() {
        // without `Delegate=cpu`, as most distributions have it
        let some = "memory pids\n";
        let run = format!("{SERVICE}/podline/r1");
        let (_kept, hierarchy) = tree(&[(SERVICE, some, some), (&run, some, "")]);
        let made = make(&[hierarchy], Some(SERVICE), "r1");
        assert_eq!(made.missing, ["CPU"]);
        assert_eq!(
            warning(&made).as_deref(),
            Some(
                "limits of CPU are not enforced: no cgroup of this machine can be used for them by this user"
            )
        );
    }

    #[test]
    fn without_delegation_no_limit_holds() {
        let all = "limits of CPU, memory, processes are not enforced: no cgroup of this machine can be used for \
                   them by this user";
        assert_eq!(warning(&make(&[], None, "r1")).as_deref(), Some(all));
        // a cgroup whose controllers may not be handed down holds nothing
        let (folder, hierarchy) = tree(&[("", "cpu memory pids\n", "")]);
        fs::remove_file(folder.path().join("cgroup.subtree_control")).expect("a file");
        assert_eq!(warning(&make(&[hierarchy], Some(""), "r1")).as_deref(), Some(all));
    }

    #[test]
    fn v1_hierarchies_hold_the_limits_of_their_controllers() {
        let (_kept, one) = tree(&[("", "", "")]);
        let (_kept_too, two) = tree(&[("", "", "")]);
        let v1 = |it: Hierarchy, name: &str| Hierarchy { controllers: Some(vec![name.to_owned()]), ..it };
        let made = make(&[v1(one, "cpu"), v1(two, "memory")], Some(""), "r1");
        assert_eq!(made, Group { path: Some("podline/r1".to_owned()), missing: vec!["processes"] });
    }
}
