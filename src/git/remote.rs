//! Which GitLab project a remote's URL means.

use std::path::Path;

/// A project on a GitLab server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Host name of the server, without a port.
    pub host: String,
    /// `group/project`.
    pub path: String,
}

/// The server's name where there is no remote: it is nowhere but here.
const LOCAL_HOST: &str = "gitlab.localhost";

impl Remote {
    /// Reads `https://host/group/project.git`, `ssh://git@host:22/group/project.git` or
    /// `git@host:group/project.git`; `None` for a folder.
    pub fn parse(url: &str) -> Option<Self> {
        let (authority, path) = match url.split_once("://") {
            Some(("file", _)) => return None,
            Some((_, rest)) => rest.split_once('/')?,
            // A colon after a slash belongs to a path of a folder, as git itself sees it.
            None => url.split_once(':').filter(|(host, _)| !host.contains('/') && host.len() > 1)?,
        };
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let host = host.split_once(':').map_or(host, |(host, _)| host);
        let path = path.trim_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        if host.is_empty() || path.is_empty() {
            return None;
        }
        let path = if path.contains('/') { path.to_owned() } else { format!("local/{path}") };
        Some(Self { host: host.to_owned(), path })
    }

    /// The project that stands for a folder without a remote: `local/<folder>`.
    pub fn of_folder(folder: &Path) -> Self {
        let name = folder.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let is_allowed = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
        let name: String = name.chars().map(|one| if is_allowed(one) { one } else { '-' }).collect();
        let name = name.trim_matches(['-', '.']);
        let name = if name.is_empty() { "project" } else { name };
        Self { host: LOCAL_HOST.to_owned(), path: format!("local/{name}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_host_and_a_project() {
        for (url, expected) in [
            ("https://gitlab.com/group/project.git", Some(("gitlab.com", "group/project"))),
            ("https://user:secret@gitlab.com:8443/a/b/c/", Some(("gitlab.com", "a/b/c"))),
            ("git@gitlab.com:group/sub/project.git", Some(("gitlab.com", "group/sub/project"))),
            ("ssh://git@gitlab.com:2222/group/project", Some(("gitlab.com", "group/project"))),
            ("gitlab:group/project", Some(("gitlab", "group/project"))),
            ("git@host:project.git", Some(("host", "local/project"))),
            ("/srv/git/project.git", None),
            ("../project", None),
            ("./a:b", None),
            ("C:/project", None),
            ("file:///srv/project", None),
            ("", None),
        ] {
            let found = Remote::parse(url);
            let found = found.as_ref().map(|remote| (remote.host.as_str(), remote.path.as_str()));
            assert_eq!(found, expected, "{url}");
        }
    }

    #[test]
    fn a_folder_is_a_project_of_its_own() {
        for (folder, expected) in
            [("/home/ada/my project", "local/my-project"), ("/", "local/project"), ("/x/..", "local/project")]
        {
            assert_eq!(Remote::of_folder(Path::new(folder)).path, expected, "{folder}");
        }
    }
}
