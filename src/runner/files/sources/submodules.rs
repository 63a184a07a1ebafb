//! Submodules (`GIT_SUBMODULE_STRATEGY`): checked out from what the user's own checkout has of them. Nothing is
//! fetched from elsewhere.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
};

use super::{Checkout, GitFolder, SourceChoice, SourcesError, fault, files, list, modified};
use crate::{git::Git, runner::Build, runner::files::tarball::Tarball};

/// Which submodules a job wants.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Submodules {
    /// `GIT_SUBMODULE_DEPTH`, or `GIT_DEPTH`; `None` is all commits.
    pub depth: Option<u32>,
    /// Whether those of submodules too.
    pub recursive: bool,
    /// `GIT_SUBMODULE_PATHS`, split; empty is all.
    pub paths: Vec<String>,
}

impl Submodules {
    /// What a build wants; `None` where `GIT_SUBMODULE_STRATEGY` asks for none.
    pub(super) fn of(build: &Build, depth: Option<u32>) -> Option<Self> {
        let strategy = build.variable("GIT_SUBMODULE_STRATEGY")?;
        let own = build.variable("GIT_SUBMODULE_DEPTH").and_then(|depth| depth.trim().parse().ok());
        let paths = build.variable("GIT_SUBMODULE_PATHS").unwrap_or_default();
        matches!(strategy, "normal" | "recursive").then(|| Self {
            depth: own.map_or(depth, |depth: u32| Some(depth).filter(|depth| *depth > 0)),
            recursive: strategy == "recursive",
            paths: paths.split_whitespace().map(str::to_owned).collect(),
        })
    }

    /// Whether a path is one of `GIT_SUBMODULE_PATHS`; `:(exclude)path` and `:!path` take one away.
    fn wants(&self, path: &str) -> bool {
        let excluded = |it: &str| {
            it.strip_prefix(":(exclude)")
                .or(it.strip_prefix(":!"))
                .or(it.strip_prefix(":^"))
                .map(str::to_owned)
        };
        let below = |folder: &str| {
            let folder = folder.trim_start_matches("./").trim_end_matches('/');
            path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut wanted = self.paths.iter().filter(|it| excluded(it).is_none()).peekable();
        let is_named = wanted.peek().is_none() || wanted.any(|it| below(it));
        is_named && !self.paths.iter().filter_map(|it| excluded(it)).any(|it| below(&it))
    }
}

/// A checkout that has submodules: the project's, or that of a submodule.
pub(super) struct Parent<'a> {
    /// The user's own.
    pub(super) git: &'a Git,
    /// Its path from the project's folder, with a slash at its end; empty for the project itself.
    pub(super) path: String,
    /// The path of its git folder from the project's folder: `.git`, `.git/modules/name`.
    pub(super) git_folder: String,
    /// Where its `.gitmodules` lies.
    pub(super) root: PathBuf,
    /// The URL of its own remote.
    pub(super) url: String,
    /// The commit of each submodule.
    pub(super) commits: BTreeMap<String, String>,
}

/// What became of submodules, by their paths from the project's folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Packed {
    pub(super) present: Vec<String>,
    pub(super) missing: Vec<String>,
    /// What their parent's git configuration says of them.
    pub(super) config: String,
}

/// Packs submodules that lie at these paths of a parent.
pub(super) fn pack<W: Write>(
    tarball: &mut Tarball<W>,
    parent: &Parent<'_>,
    paths: &[String],
    choice: SourceChoice,
    checkout: &Checkout,
) -> Result<Packed, SourcesError> {
    let mut packed = Packed::default();
    let Some(wanted) = &checkout.submodules else {
        packed.missing = paths.to_vec();
        return Ok(packed);
    };
    let modules = modules(&parent.root);
    for path in paths {
        let full = format!("{}{path}", parent.path);
        if !wanted.wants(&full) {
            continue;
        }
        let source = match modules.get(path) {
            Some(module) => source(parent, path, module, choice)?,
            None => None,
        };
        let Some(source) = source else {
            packed.missing.push(full);
            continue;
        };
        packed.config.push_str(&format!(
            "[submodule \"{}\"]\n\tactive = true\n\turl = {}\n",
            source.module.name, source.url
        ));
        let inner = one(tarball, parent, &full, &source, choice, checkout)?;
        packed.present.push(full);
        packed.present.extend(inner.present);
        packed.missing.extend(inner.missing);
    }
    Ok(packed)
}

/// A submodule as `.gitmodules` names it.
struct Module {
    name: String,
    url: String,
}

/// Where a submodule can be had.
struct Source<'m> {
    module: &'m Module,
    /// Its URL, absolute.
    url: String,
    git: Git,
    commit: String,
    /// Whether its files are those of the user's checkout, rather than those of the commit.
    has_files: bool,
}

/// The user's own checkout of a submodule, or else what git has kept of it.
fn source<'m>(
    parent: &Parent<'_>,
    path: &str,
    module: &'m Module,
    choice: SourceChoice,
) -> Result<Option<Source<'m>>, SourcesError> {
    let Some(recorded) = parent.commits.get(path) else { return Ok(None) };
    let url = absolute(&module.url, &parent.url);
    let folder = parent.git.folder().join(path);
    if folder.join(".git").exists() {
        let git = Git::at(&folder);
        let head = git.run(&["rev-parse", "HEAD"])?;
        let has_files = choice == SourceChoice::WorkingTree;
        let commit = if has_files { head } else { recorded.clone() };
        return Ok(Some(Source { module, url, git, commit, has_files }));
    }
    let common = parent.git.run(&["rev-parse", "--git-common-dir"])?;
    let kept = parent.git.folder().join(common).join("modules").join(&module.name);
    Ok(kept.join("HEAD").exists().then(|| Source {
        module,
        url,
        git: Git::at(kept),
        commit: recorded.clone(),
        has_files: false,
    }))
}

/// Packs a submodule with its git folder, and what lies in it.
fn one<W: Write>(
    tarball: &mut Tarball<W>,
    parent: &Parent<'_>,
    path: &str,
    source: &Source<'_>,
    choice: SourceChoice,
    checkout: &Checkout,
) -> Result<Packed, SourcesError> {
    let wanted = checkout.submodules.as_ref();
    let own = Checkout {
        commit: source.commit.clone(),
        reference: "refs/remotes/origin/HEAD".to_owned(),
        remote_url: source.url.clone(),
        depth: wanted.and_then(|wanted| wanted.depth),
        ..checkout.clone()
    };
    let fetched = GitFolder::start(&source.git, &own)?.finish()?;
    let (root, listed) = if source.has_files {
        fetched.read_index()?;
        let changed = modified(&source.git, &source.commit)?;
        fetched.write_index(source.git.folder(), &changed, checkout.time)?;
        let listed = list(&source.git, &["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
        (source.git.folder().to_owned(), listed)
    } else {
        fetched.check_out(&source.git)?;
        fetched.write_index(fetched.git().folder(), b"", checkout.time)?;
        let listed = list(fetched.git(), &["ls-files", "-z", "--cached"])?;
        (fetched.git().folder().to_owned(), listed)
    };
    let target = format!("{}/{path}", checkout.project_dir);
    files(tarball, &target, &root, &listed)?;
    let git_folder = format!("{}/modules/{}", parent.git_folder, source.module.name);
    let inner = match wanted.is_some_and(|wanted| wanted.recursive) {
        true => {
            let commits = commits(fetched.git())?;
            let (git, url) = (&source.git, source.url.clone());
            let inner =
                Parent { git, path: format!("{path}/"), git_folder: git_folder.clone(), root, url, commits };
            pack(tarball, &inner, &listed.submodules, choice, checkout)?
        }
        false => Packed {
            missing: listed.submodules.iter().map(|inner| format!("{path}/{inner}")).collect(),
            ..Packed::default()
        },
    };
    let up = |path: &str| "../".repeat(path.split('/').count());
    fetched.configure(&format!("[core]\n\tworktree = {}{path}\n{}", up(&git_folder), inner.config))?;
    let here = format!("{}/{git_folder}", checkout.project_dir);
    fetched.pack(tarball, &here)?;
    let link = format!("gitdir: {}{git_folder}\n", up(path));
    let file = format!("{target}/.git");
    tarball.text(&file, link.as_bytes()).map_err(|source| fault(Path::new(&file), source))?;
    Ok(inner)
}

/// The submodules that a `.gitmodules` names, by path. One that git cannot read names none.
fn modules(root: &Path) -> BTreeMap<String, Module> {
    let words = ["config", "-z", "-f", ".gitmodules", "--get-regexp", r"^submodule\..*\.(path|url)$"];
    let text = Git::at(root).run(&words).unwrap_or_default();
    let mut named: BTreeMap<&str, (Option<&str>, Option<&str>)> = BTreeMap::new();
    for entry in text.split('\0') {
        let Some((key, value)) = entry.split_once('\n') else { continue };
        let Some((name, field)) = key.strip_prefix("submodule.").and_then(|key| key.rsplit_once('.')) else {
            continue;
        };
        // A name becomes a folder below `.git/modules`.
        if name.split('/').any(|part| part == ".." || part.is_empty()) {
            continue;
        }
        let module = named.entry(name).or_default();
        if field == "path" { module.0 = Some(value) } else { module.1 = Some(value) }
    }
    let modules = named.into_iter().filter_map(|(name, (path, url))| {
        let url = url.unwrap_or_default().to_owned();
        Some((path?.trim_end_matches('/').to_owned(), Module { name: name.to_owned(), url }))
    });
    modules.collect()
}

/// The commit of each submodule in the index.
pub(super) fn commits(git: &Git) -> Result<BTreeMap<String, String>, SourcesError> {
    let staged = git.run(&["ls-files", "--stage", "-z"])?;
    let links = staged.split('\0').filter_map(|line| line.strip_prefix("160000 "));
    let commit = |line: &str| {
        let (head, path) = line.split_once('\t')?;
        Some((path.to_owned(), head.split(' ').next()?.to_owned()))
    };
    Ok(links.filter_map(commit).collect())
}

/// A submodule's URL: one that begins with `./` or `../` is relative to that of its parent.
fn absolute(url: &str, parent: &str) -> String {
    if !url.starts_with("./") && !url.starts_with("../") {
        return url.to_owned();
    }
    let mut base = parent.trim_end_matches('/').to_owned();
    let mut rest = url;
    loop {
        if let Some(next) = rest.strip_prefix("./") {
            rest = next;
        } else if let Some(next) = rest.strip_prefix("../") {
            rest = next;
            base.truncate(base.rfind(['/', ':']).unwrap_or(base.len()));
        } else {
            return format!("{base}/{rest}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_the_submodules_that_are_wanted() {
        for (paths, path, expected) in [
            ("", "a", true),
            ("a b", "b", true),
            ("a b", "c", false),
            ("lib", "lib/a", true),
            ("lib", "library", false),
            ("./lib/", "lib", true),
            (":(exclude)a", "a", false),
            (":(exclude)a", "b", true),
            ("lib :!lib/a", "lib/a", false),
            ("lib :!lib/a", "lib/b", true),
        ] {
            let paths = paths.split_whitespace().map(str::to_owned).collect();
            let wanted = Submodules { depth: None, recursive: false, paths };
            assert_eq!(wanted.wants(path), expected, "{:?} {path}", wanted.paths);
        }
    }

    #[test]
    fn a_relative_url_is_beside_that_of_the_parent() {
        for (url, absolute_url) in [
            ("../other.git", "https://gitlab.com/group/other.git"),
            ("../../team/other.git", "https://gitlab.com/team/other.git"),
            ("./inner.git", "https://gitlab.com/group/project.git/inner.git"),
            ("https://example.com/x.git", "https://example.com/x.git"),
        ] {
            assert_eq!(absolute(url, "https://gitlab.com/group/project.git"), absolute_url);
        }
    }
}
