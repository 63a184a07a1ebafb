//! What git tells a pre-push hook: one line for each ref that is to change on the other side.

/// A ref that is pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// A branch.
    Branch {
        /// Its name on the other side.
        name: String,
        /// The commit that it is to have.
        commit: String,
        /// The commit that it has there; absent for a new branch.
        before: Option<String>,
    },
    /// A tag.
    Tag {
        /// Its name.
        name: String,
        /// The commit or tag object.
        commit: String,
    },
}

impl Pushed {
    /// Reads the lines, each `<local ref> <local object> <remote ref> <remote object>`. A ref that is
    /// deleted starts no pipeline, nor does one that is neither branch nor tag.
    pub fn read(lines: &str) -> Vec<Self> {
        lines.lines().filter_map(Self::line).collect()
    }

    fn line(line: &str) -> Option<Self> {
        let mut words = line.split(' ').skip(1);
        let commit = object(words.next()?)?;
        let reference = words.next()?;
        let before = words.next().and_then(object);
        if let Some(name) = reference.strip_prefix("refs/heads/") {
            return Some(Self::Branch { name: name.to_owned(), commit, before });
        }
        let name = reference.strip_prefix("refs/tags/")?.to_owned();
        Some(Self::Tag { name, commit })
    }

    /// The commit or tag object that is pushed.
    pub fn commit(&self) -> &str {
        match self {
            Self::Branch { commit, .. } | Self::Tag { commit, .. } => commit,
        }
    }
}

/// An object's name; zeros stand for none.
fn object(name: &str) -> Option<String> {
    (!name.is_empty() && name.chars().any(|digit| digit != '0')).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_branch_a_tag_or_nothing_to_run() {
        let zero = "0".repeat(40);
        let branch = |name: &str, before: Option<&str>| Pushed::Branch {
            name: name.to_owned(),
            commit: "aa".to_owned(),
            before: before.map(str::to_owned),
        };
        let table = [
            ("refs/heads/main aa refs/heads/main bb".to_owned(), vec![branch("main", Some("bb"))]),
            (format!("HEAD aa refs/heads/feature/x {zero}"), vec![branch("feature/x", None)]),
            (format!("(delete) {zero} refs/heads/old bb"), Vec::new()),
            (
                format!("refs/tags/v1 aa refs/tags/v1 {zero}"),
                vec![Pushed::Tag { name: "v1".to_owned(), commit: "aa".to_owned() }],
            ),
            ("refs/notes/commits aa refs/notes/commits bb".to_owned(), Vec::new()),
            (String::new(), Vec::new()),
            ("nonsense".to_owned(), Vec::new()),
        ];
        for (line, wanted) in table {
            assert_eq!(Pushed::read(&line), wanted, "{line}");
        }
    }
}
