//! Where the projects of a server are fetched from.

/// The server of a project, as its remote reaches it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    host: String,
    /// What stands before `group/project.git`.
    prefix: String,
}

/// Where git fetches a project from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    /// The host, for what is remembered of it.
    pub(super) host: String,
    url: String,
}

impl Server {
    /// The server of a remote's URL, reached as it is: by ssh, by https, with the user that is named there.
    pub fn of_remote(url: &str, path: &str, host: &str) -> Option<Self> {
        let end = url.trim_end_matches('/');
        let end = end.strip_suffix(".git").unwrap_or(end);
        let prefix = end.strip_suffix(path)?;
        Some(Self { host: host.to_owned(), prefix: prefix.to_owned() })
    }

    /// A server by its host name, and its port where it has one.
    pub fn of_host(host: &str) -> Option<Self> {
        let (name, port) = host.split_once(':').unwrap_or((host, "443"));
        let is_name = |text: &str| text.chars().all(|one| one.is_ascii_alphanumeric() || "-.".contains(one));
        let is_port = port.chars().all(|one| one.is_ascii_digit()) && !port.is_empty();
        let is_host = is_name(name) && !name.is_empty() && !name.starts_with(['-', '.']) && is_port;
        is_host.then(|| Self { host: host.to_owned(), prefix: format!("https://{host}/") })
    }

    /// Its host, and its port where a name with one was given.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Where a project is fetched from. `None` where no project can have this path.
    pub(super) fn address(&self, project: &str) -> Option<Address> {
        is_project(project)
            .then(|| Address { host: self.host.clone(), url: format!("{}{project}.git", self.prefix) })
    }
}

impl Address {
    /// The whole address, which may hold a password.
    pub(super) fn secret(&self) -> &str {
        &self.url
    }

    /// A text without what is secret of this address.
    pub(super) fn masked(&self, text: &str) -> String {
        match userinfo(&self.url) {
            Some(user) if user.contains(':') => text.replace(&format!("{user}@"), ""),
            _ => text.to_owned(),
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.masked(&self.url))
    }
}

/// What stands before the `@` of an URL.
fn userinfo(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split('/').next()?;
    authority.rsplit_once('@').map(|(user, _)| user)
}

/// Whether a path may be a project's: at least two names of letters, digits and `_-.` (`Gitlab::PathRegex`).
pub(super) fn is_project(path: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.starts_with(['-', '.'])
            && !name.ends_with('.')
            && name.chars().all(|one| one.is_ascii_alphanumeric() || "_-.".contains(one))
    };
    path.contains('/') && path.split('/').all(is_name)
}

/// Whether a text may name a branch or tag (`git check-ref-format`).
pub(super) fn is_reference(name: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock");
    let is_refused = |one: char| one.is_control() || " ~^:?*[\\".contains(one);
    !name.starts_with('-')
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && !name.contains(is_refused)
        && name.split('/').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::Remote;

    #[test]
    fn other_projects_are_reached_as_the_projects_remote_is() {
        for (url, expected) in [
            ("https://gitlab.example.com/group/project.git", "https://gitlab.example.com/a/b.git"),
            ("https://gitlab.example.com/group/project", "https://gitlab.example.com/a/b.git"),
            (
                "https://ada:secret@gitlab.example.com:8443/group/project/",
                "https://gitlab.example.com:8443/a/b.git",
            ),
            ("https://ada@gitlab.example.com/group/project.git", "https://ada@gitlab.example.com/a/b.git"),
            ("git@gitlab.example.com:group/sub/project.git", "git@gitlab.example.com:a/b.git"),
            (
                "ssh://git@gitlab.example.com:2222/group/project.git",
                "ssh://git@gitlab.example.com:2222/a/b.git",
            ),
            ("work:group/project.git", "work:a/b.git"),
        ] {
            let remote = Remote::parse(url).expect("a remote");
            let server = Server::of_remote(url, &remote.path, &remote.host).expect("a server");
            let address = server.address("a/b").expect("an address");
            assert_eq!(address.to_string(), expected, "{url}");
            assert_eq!(address.secret().contains("secret"), url.contains("secret"));
        }
    }

    #[test]
    fn what_is_no_name_is_not_asked_for() {
        for host in ["gitlab.com", "gitlab.example.com:8443", "localhost"] {
            assert!(Server::of_host(host).is_some(), "{host}");
        }
        for host in ["", "-oProxyCommand=x", "a b", "a/b", "a:b", "user@host", "file:", ".."] {
            assert_eq!(Server::of_host(host), None, "{host}");
        }
        for path in ["../../x", "a/../b", "a", "a/-x", "a//b", "a/b c", "a/b;c", "/a/b", "a/.git"] {
            assert!(!is_project(path), "{path}");
        }
        for name in ["", "-x", "a..b", "a b", "refs/*", "a^", "a:b", "@{u}", "a.lock", ".a", "a\n"] {
            assert!(!is_reference(name), "{name:?}");
        }
        for name in ["main", "feature/a-b", "v1.2.3", "a@b"] {
            assert!(is_reference(name), "{name}");
        }
    }
}
