//! What a configuration asks for beyond its own text, and who answers.

/// Reads the files that a configuration includes. The only I/O that `config` asks for.
pub trait Loader {
    /// The text of a file of the project, by its path from the project's root (no leading slash).
    ///
    /// # Errors
    /// What to tell the user when it cannot be read; [`LoadError::NotFound`] where there is no such file.
    fn local(&self, path: &str) -> Result<String, LoadError>;

    /// Paths of the project's files, for `include: local` with wildcards, sorted.
    fn local_files(&self) -> Vec<String>;

    /// Names includes that are asked for next, so that they can be fetched all at once.
    fn expect(&self, _includes: &[External]) {}

    /// What is behind an include that is not a file of this project.
    ///
    /// # Errors
    /// [`LoadError::Unavailable`] when it cannot be had, [`LoadError::Missing`] where it is known not to exist.
    fn external(&self, include: &External) -> Result<Found, LoadError>;

    /// Paths of another project's files, sorted.
    ///
    /// # Errors
    /// As for [`Loader::external`].
    fn files_of(&self, project: &ProjectRef) -> Result<Vec<String>, LoadError>;
}

/// An include that lives outside the project.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum External {
    /// `include: remote`.
    Remote {
        /// The URL.
        url: String,
        /// `sha256-<base64>` that the content must have.
        integrity: Option<String>,
        /// For how many seconds what was fetched before may be used again (`cache`).
        reuse: u64,
    },
    /// `include: project` with one file of it.
    Project {
        /// The project.
        project: ProjectRef,
        /// Path of the file from the root of that project.
        file: String,
    },
    /// `include: template`: a file of GitLab's own.
    Template(String),
    /// `include: component`: `host/group/project/name@version`.
    Component(String),
    /// `include: artifact`, of a child pipeline: a file that a job of the parent pipeline has left.
    Artifact {
        /// The job.
        job: String,
        /// Path of the file in its artifacts.
        file: String,
    },
}

/// Another project as it is at a ref.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ProjectRef {
    /// The server, where it is not the project's own.
    pub host: Option<String>,
    /// `group/project`.
    pub path: String,
    /// Branch, tag or commit; the default branch where it is absent.
    pub reference: Option<String>,
}

/// A file that was included from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its text.
    pub text: String,
    /// How the user should know it: `group/project@ref:path`, an URL.
    pub name: String,
    /// The project in which its own local includes are looked for; a remote file or a template has none.
    pub home: Option<ProjectRef>,
    /// Which component it is, where it is one.
    pub component: Option<Component>,
    /// What the user should know of how it was had.
    pub note: Option<String>,
}

/// What `$[[ component.* ]]` stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// The last part of its path.
    pub name: String,
    /// The commit it was read at.
    pub sha: String,
    /// The version that was chosen for `~latest` or a part of a version, or that was named whole.
    pub version: Option<String>,
    /// What was written after the `@`.
    pub reference: String,
}

/// Why an include could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// There is no such file in the project.
    #[error("there is no such file")]
    NotFound,
    /// Where it has to be, it is known not to be.
    #[error("{0}")]
    Missing(String),
    /// It lives elsewhere, or may do so, and cannot be had now.
    #[error("{reason}")]
    Unavailable {
        /// What was looked for, and where.
        reason: String,
        /// The ways out.
        help: String,
    },
    /// It is there and cannot be read.
    #[error("{0}")]
    Unreadable(String),
}

impl std::fmt::Display for External {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Remote { url, .. } => formatter.write_str(&without_secrets(url)),
            Self::Project { project, file } => write!(formatter, "{project}:{file}"),
            Self::Template(name) => write!(formatter, "template {name}"),
            Self::Component(address) => write!(formatter, "component {address}"),
            Self::Artifact { job, file } => write!(formatter, "{job}:{file}"),
        }
    }
}

impl std::fmt::Display for ProjectRef {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.path)?;
        match &self.reference {
            Some(reference) => write!(formatter, "@{reference}"),
            None => Ok(()),
        }
    }
}

/// An URL as it may be shown: without a password, and without values of parameters that are secret by name.
fn without_secrets(url: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, None), |(address, query)| (address, Some(query)));
    let user = address.split_once("://").and_then(|(_, rest)| rest.split('/').next()?.rsplit_once('@'));
    let shown = user.map_or(address.to_owned(), |(user, _)| address.replacen(&format!("{user}@"), "", 1));
    let Some(query) = query else { return shown };
    let is_secret = |name: &str| {
        let name = name.to_ascii_lowercase();
        ["token", "secret", "password", "key", "sig"].iter().any(|word| name.contains(word))
    };
    let parameter = |text: &str| match text.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}=[MASKED]"),
        _ => text.to_owned(),
    };
    format!("{shown}?{}", query.split('&').map(parameter).collect::<Vec<_>>().join("&"))
}

#[cfg(test)]
mod tests {
    use super::without_secrets;

    #[test]
    fn urls_are_shown_without_what_is_secret() {
        for (url, expected) in [
            ("https://e.org/a.yml", "https://e.org/a.yml"),
            ("https://ada:s3cret@e.org/a@b.yml", "https://e.org/a@b.yml"),
            (
                "https://e.org/raw?private_token=x&ref=main&file=a.yml",
                "https://e.org/raw?private_token=[MASKED]&ref=main&file=a.yml",
            ),
        ] {
            assert_eq!(without_secrets(url), expected);
        }
    }
}
