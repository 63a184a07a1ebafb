//! Which projects are checked out where.

use std::path::{Path, PathBuf};

/// Projects of includes by their checkouts: `--include-map` and `[includes]` in `podline.toml`.
#[derive(Debug, Clone, Default)]
pub struct IncludeMap {
    entries: Vec<(Pattern, PathBuf)>,
}

/// Why an entry cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no project: write `group/project`, or `group/*` for all of a group")]
pub struct MapError(String);

#[derive(Debug, Clone)]
enum Pattern {
    Project(String),
    /// Everything below a group, with the slash.
    Group(String),
}

impl IncludeMap {
    /// Adds a project, or `group/*` for all below a group. What was added first counts, whole names before
    /// groups.
    ///
    /// # Errors
    /// When the name is neither.
    pub fn add(&mut self, name: &str, checkout: impl Into<PathBuf>) -> Result<(), MapError> {
        let name = name.trim_matches('/');
        let pattern = match name.strip_suffix('*') {
            Some(group) if group.ends_with('/') && !group.contains('*') => Pattern::Group(group.to_owned()),
            None if name.contains('/') && !name.contains('*') => Pattern::Project(name.to_owned()),
            _ => return Err(MapError(name.to_owned())),
        };
        self.entries.push((pattern, checkout.into()));
        Ok(())
    }

    /// Where a project is checked out; its host may stand before its path in the map.
    pub(super) fn find(&self, host: Option<&str>, project: &str) -> Option<PathBuf> {
        let with_host = host.map(|host| format!("{host}/{project}"));
        let names: Vec<&str> = with_host.as_deref().into_iter().chain([project]).collect();
        names
            .iter()
            .find_map(|name| self.exact(name))
            .or_else(|| names.iter().find_map(|name| self.group(name)))
    }

    fn exact(&self, name: &str) -> Option<PathBuf> {
        let is_it =
            |pattern: &Pattern| matches!(pattern, Pattern::Project(it) if it.eq_ignore_ascii_case(name));
        self.entries.iter().find(|(pattern, _)| is_it(pattern)).map(|(_, path)| path.clone())
    }

    fn group(&self, name: &str) -> Option<PathBuf> {
        self.entries.iter().find_map(|(pattern, folder)| match pattern {
            Pattern::Group(group) => {
                let rest = name.get(group.len()..).filter(|_| starts_with(name, group))?;
                Some(folder.join(Path::new(rest)))
            }
            Pattern::Project(_) => None,
        })
    }
}

/// GitLab does not tell upper from lower case in paths of projects.
fn starts_with(name: &str, group: &str) -> bool {
    name.get(..group.len()).is_some_and(|start| start.eq_ignore_ascii_case(group))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_names_come_before_groups() {
        let mut map = IncludeMap::default();
        for (name, path) in [
            ("group/*", "/all"),
            ("group/ci", "/ci"),
            ("group/ci", "/later"),
            ("gitlab.com/components/*", "/components"),
        ] {
            map.add(name, path).expect("a name");
        }
        for (host, project, expected) in [
            (None, "group/ci", Some("/ci")),
            (None, "Group/CI", Some("/ci")),
            (None, "group/other", Some("/all/other")),
            (None, "group/sub/other", Some("/all/sub/other")),
            (None, "groupy/other", None),
            (None, "components/sast", None),
            (Some("gitlab.com"), "components/sast", Some("/components/sast")),
            (Some("gitlab.com"), "group/ci", Some("/ci")),
        ] {
            assert_eq!(map.find(host, project), expected.map(PathBuf::from), "{host:?} {project}");
        }
        for wrong in ["group", "*", "group*", "*/project", ""] {
            assert!(map.add(wrong, "/x").is_err(), "{wrong}");
        }
    }
}
