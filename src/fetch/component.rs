//! Addresses and versions of components (GitLab's `Components::InstancePath`).

use std::cmp::Ordering;

use semver::Version;

/// The version that stands for the newest one.
const LATEST: &str = "~latest";

/// `host/group/project/name@version`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) host: String,
    pub(super) project: String,
    pub(super) name: String,
    pub(super) version: String,
}

/// Which tag a version stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    /// The whole name of a tag, branch or commit.
    Exact,
    /// The newest version that there is of it.
    Newest(String),
    /// There is no version of it.
    Nothing,
}

impl Address {
    /// Reads an address. `None` where a part is missing.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (path, version) = text.split_once('@')?;
        let (host, path) = path.split_once('/')?;
        let (project, name) = path.rsplit_once('/')?;
        let is_whole = ![host, project, name, version].contains(&"") && name != "." && name != "..";
        is_whole.then(|| Self {
            host: host.to_owned(),
            project: project.to_owned(),
            name: name.to_owned(),
            version: version.to_owned(),
        })
    }

    /// The files that it may be, in order (`ComponentsProject#fetch_component`).
    pub(super) fn files(&self) -> [String; 2] {
        [format!("templates/{}.yml", self.name), format!("templates/{}/template.yml", self.name)]
    }
}

/// Whether a version stands for another that the tags decide.
pub(super) fn is_shorthand(version: &str) -> bool {
    version == LATEST || parts(version).is_some()
}

/// What a version stands for. GitLab looks among the releases of the catalog; podline among the tags that are
/// semantic versions, without pre-releases.
pub(super) fn choose(version: &str, tags: &[String]) -> Choice {
    let wanted = match (version, parts(version)) {
        (LATEST, _) => (None, None),
        (_, Some((major, minor))) => (Some(major), minor),
        (_, None) => return Choice::Exact,
    };
    let fits = |version: &Version| {
        version.pre.is_empty()
            && wanted.0.is_none_or(|major| version.major == major)
            && wanted.1.is_none_or(|minor| version.minor == minor)
    };
    let versions = tags.iter().filter_map(|tag| Some((semantic(tag)?, tag)));
    let newest = versions
        .filter(|(version, _)| fits(version))
        .max_by(|(one, first), (other, second)| one.cmp_precedence(other).then(by_name(first, second)));
    match newest {
        Some((_, tag)) => Choice::Newest(tag.clone()),
        None if version == LATEST => Choice::Nothing,
        // A branch or tag may be called so.
        None => Choice::Exact,
    }
}

/// `1.2.3` or `v1.2.3`.
pub(super) fn semantic(tag: &str) -> Option<Version> {
    Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()
}

/// `1` or `1.2`.
fn parts(version: &str) -> Option<(u64, Option<u64>)> {
    let number =
        |text: &str| text.chars().all(|one| one.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    match version.split_once('.') {
        Some((major, minor)) => Some((number(major)?, Some(number(minor)?))),
        None => Some((number(version)?, None)),
    }
}

/// Of `1.0.0` and `v1.0.0` the one without the letter.
fn by_name(first: &str, second: &str) -> Ordering {
    second.len().cmp(&first.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_four_parts() {
        let address = Address::parse("gitlab.com/group/sub/project/name@1.0").expect("an address");
        assert_eq!((address.host.as_str(), address.project.as_str()), ("gitlab.com", "group/sub/project"));
        assert_eq!((address.name.as_str(), address.version.as_str()), ("name", "1.0"));
        assert_eq!(address.files(), ["templates/name.yml", "templates/name/template.yml"]);
        for wrong in
            ["", "gitlab.com/project@1", "gitlab.com/g/p/c", "gitlab.com/g/p/c@", "/g/p/c@1", "h/g/p/..@1"]
        {
            assert_eq!(Address::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_version_is_the_newest_that_fits() {
        let tags: Vec<String> =
            ["1.0.0", "1.2.0", "1.10.3", "v1.11.0", "2.0.0-rc.1", "2.0.0", "3.0.0-beta", "nightly", "10"]
                .map(str::to_owned)
                .to_vec();
        let newest = |tag: &str| Choice::Newest(tag.to_owned());
        for (version, expected) in [
            ("~latest", newest("2.0.0")),
            ("1", newest("v1.11.0")),
            ("1.2", newest("1.2.0")),
            ("1.10", newest("1.10.3")),
            ("2", newest("2.0.0")),
            // No version fits; it may be a branch or a tag.
            ("3", Choice::Exact),
            ("10", Choice::Exact),
            ("1.10.3", Choice::Exact),
            ("main", Choice::Exact),
        ] {
            assert_eq!(choose(version, &tags), expected, "{version}");
        }
        assert_eq!(choose("~latest", &["nightly".to_owned()]), Choice::Nothing);
    }
}
