//! Whose rights pods have: root's, or those of the user who starts podline.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::sandbox::plan::{IdMaps, Rights};

/// The rights that pods have here.
pub(super) fn rights() -> Rights {
    let (uid, gid) = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
    if uid == 0 {
        return Rights::Root;
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let name = user_name(&passwd, uid).unwrap_or_default();
    let of = |file: &str| subordinate(&fs::read_to_string(file).unwrap_or_default(), &name, uid);
    let has_programs = ["newuidmap", "newgidmap"].iter().all(|name| program(name).is_some());
    Rights::User(IdMaps {
        uid,
        gid,
        subordinate_uids: of("/etc/subuid").filter(|_| has_programs),
        subordinate_gids: of("/etc/subgid").filter(|_| has_programs),
    })
}

/// Where a program of this machine is: sandboxes have no `PATH` to find it by.
pub(super) fn program(name: &str) -> Option<PathBuf> {
    let folders = ["/usr/bin", "/bin", "/usr/local/bin"];
    folders.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.is_file())
}

fn user_name(passwd: &str, uid: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let fields: Vec<_> = line.split(':').collect();
        (fields.get(2)?.parse() == Ok(uid)).then(|| fields[0].to_owned())
    })
}

/// The first subordinate id of a user and their number.
fn subordinate(text: &str, name: &str, uid: u32) -> Option<(u32, u32)> {
    let number = uid.to_string();
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        let owner = fields.next()?;
        let range = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        (!owner.is_empty() && (owner == name || owner == number)).then_some(range)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subordinate_ids_are_found_by_name_and_by_number() {
        let text = "ada:100000:65536\n1001:200000:65536\n";
        assert_eq!(subordinate(text, "ada", 1000), Some((100_000, 65_536)));
        assert_eq!(subordinate(text, "bob", 1001), Some((200_000, 65_536)));
        assert_eq!(subordinate(text, "", 1002), None);
        assert_eq!(user_name("ada:x:1000:1000::/home/ada:/bin/sh\n", 1000).as_deref(), Some("ada"));
    }
}
