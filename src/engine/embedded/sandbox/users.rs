//! Who a container runs as, from the names that its image has for users and groups.

use std::{fs, path::Path};

use super::trouble::{Result, Trouble};

/// A user in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// The groups that it also is in.
    pub(super) groups: Vec<u32>,
}

/// Finds the user that an image or a pod names: `postgres`, `1000`, `1000:1000`, `app:staff`; empty for root.
pub(super) fn find(named: &str, passwd: &str, group: &str) -> Result<User> {
    let (name, group_name) = named.split_once(':').map_or((named, None), |(name, group)| (name, Some(group)));
    let name = if name.is_empty() { "0" } else { name };
    let number = name.parse::<u32>().ok();
    // name:password:uid:gid:...
    let mut lines = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let entry = lines.find(|fields| {
        fields.first() == Some(&name) || number.is_some_and(|uid| field(fields, 2) == Some(uid))
    });
    let Some(uid) = number.or_else(|| field(entry.as_ref()?, 2)) else {
        return Err(Trouble::new(format!("the image has no user `{name}`")));
    };
    let gid = match group_name.filter(|name| !name.is_empty()) {
        Some(name) => find_group(name, group)?,
        None => entry.as_ref().and_then(|fields| field(fields, 3)).unwrap_or(0),
    };
    let groups = match (&entry, group_name) {
        // a group that is named is the only one
        (Some(fields), None) => groups_of(fields.first().copied().unwrap_or_default(), group),
        _ => Vec::new(),
    };
    Ok(User { uid, gid, groups })
}

fn find_group(name: &str, group: &str) -> Result<u32> {
    // name:password:gid:members
    let mut lines = group.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let found = name.parse().ok().or_else(|| field(&lines.find(|fields| fields.first() == Some(&name))?, 2));
    found.ok_or_else(|| Trouble::new(format!("the image has no group `{name}`")))
}

fn groups_of(user: &str, group: &str) -> Vec<u32> {
    let lines = group.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let is_member = |fields: &Vec<&str>| {
        fields.get(3).is_some_and(|members| members.split(',').any(|member| member == user))
    };
    lines.filter(is_member).filter_map(|fields| field(&fields, 2)).collect()
}

fn field(fields: &[&str], index: usize) -> Option<u32> {
    fields.get(index)?.trim().parse().ok()
}

/// A file of a container's root, which may be a link to anywhere in it.
pub(super) fn read(root: &Path, path: &str) -> String {
    use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat2};

    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::openat(CWD, root, flags, Mode::empty()).and_then(|root| {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        openat2(root, path, flags, Mode::empty(), ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS)
    });
    let Ok(file) = opened else { return String::new() };
    let mut text = Vec::new();
    let mut file = std::io::Read::take(fs::File::from(file), 1 << 20);
    let _ = std::io::Read::read_to_end(&mut file, &mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\npostgres:x:999:998::/var/lib:/bin/sh\n";
    const GROUP: &str = "root:x:0:\nssl-cert:x:101:postgres,www\npostgres:x:998:\n";

    #[test]
    fn users_are_found_by_name_and_by_number() {
        let table = [
            ("", (0, 0, &[][..])),
            ("postgres", (999, 998, &[101])),
            ("999", (999, 998, &[101])),
            ("1234", (1234, 0, &[])),
            ("1234:5", (1234, 5, &[])),
            ("postgres:ssl-cert", (999, 101, &[])),
        ];
        for (named, (uid, gid, groups)) in table {
            let found = find(named, PASSWD, GROUP).expect("the user is there");
            assert_eq!(found, User { uid, gid, groups: groups.to_vec() }, "{named}");
        }
        assert_eq!(
            find("nobody", PASSWD, GROUP).expect_err("not there").to_string(),
            "the image has no user `nobody`"
        );
    }
}
