//! Which files of a project `artifacts` or `cache` take, as GitLab Runner's archiver finds them
//! (`commands/helpers/file_archiver.go`).

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    config::glob::Glob,
    engine::{File, FileKind},
};

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// `paths`: globs; a folder stands for all below it.
    pub paths: &'a [String],
    /// `exclude`: globs for single files.
    pub exclude: &'a [String],
    /// With `untracked`, the files that the sources have.
    pub untracked: Option<&'a BTreeSet<String>>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// Files, links and empty folders, relative to the project's folder, sorted.
    pub paths: Vec<String>,
    /// What the runner says of it, line by line.
    pub lines: Vec<String>,
}

/// Selects among all files of a project's folder.
pub fn select(listed: &[File], wanted: Wanted<'_>, project_dir: &str) -> Selection {
    let exclude: Vec<Glob> = wanted
        .exclude
        .iter()
        .filter_map(|pattern| relative(pattern, project_dir))
        .map(|pattern| Glob::doublestar(&pattern))
        .collect();
    let mut files: Vec<&File> = listed
        .iter()
        .filter(|file| file.kind != FileKind::Other)
        .filter(|file| !exclude.iter().any(|glob| glob.matches(&file.path)))
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));

    let mut taken = BTreeSet::new();
    let mut lines = Vec::new();
    for pattern in wanted.paths {
        let Some(inside) = relative(pattern, project_dir) else {
            lines.push(warning(&format!(
                "{pattern}: artifact path is not a subpath of project directory: {project_dir}"
            )));
            continue;
        };
        let found = matching(&files, &inside);
        lines.push(match found.len() {
            0 => warning(&format!(
                "{pattern}: no matching files. Ensure that the artifact path is relative to the working \
                 directory ({project_dir})"
            )),
            count => format!("{pattern}: found {count} matching artifact files and directories"),
        });
        taken.extend(found);
    }
    if let Some(tracked) = wanted.untracked {
        let found: Vec<&str> = untracked(&files, tracked).collect();
        lines.push(match found.len() {
            0 => warning("untracked: no files"),
            count => format!("untracked: found {count} files"),
        });
        taken.extend(found);
    }
    Selection { paths: without_full_folders(&files, &taken), lines }
}

/// A line in the colour of the runner's warnings.
pub(crate) fn warning(text: &str) -> String {
    format!("\x1b[0;33mWARNING: {text}\x1b[0;m")
}

fn matching<'a>(files: &[&'a File], pattern: &str) -> Vec<&'a str> {
    let glob = Glob::doublestar(pattern);
    // A folder matches once for all that is below it.
    let mut folders: BTreeMap<&str, bool> = BTreeMap::new();
    let mut is_in = |path: &'a str| {
        pattern.is_empty()
            || above(path).any(|folder| *folders.entry(folder).or_insert_with(|| glob.matches(folder)))
    };
    let paths = files.iter().map(|file| file.path.as_str());
    paths.filter(|path| is_in(path) || glob.matches(path)).collect()
}

fn untracked<'a>(files: &[&'a File], tracked: &BTreeSet<String>) -> impl Iterator<Item = &'a str> {
    files
        .iter()
        .filter(|file| file.kind != FileKind::Directory)
        .map(|file| file.path.as_str())
        .filter(|path| !tracked.contains(*path) && !path.starts_with(".git/"))
}

/// A folder brings along what is below it, also what is excluded: only empty ones are named.
fn without_full_folders(files: &[&File], taken: &BTreeSet<&str>) -> Vec<String> {
    let full: BTreeSet<&str> = files.iter().flat_map(|file| above(&file.path)).collect();
    let folders: BTreeSet<&str> =
        files.iter().filter(|file| file.kind == FileKind::Directory).map(|file| file.path.as_str()).collect();
    taken
        .iter()
        .filter(|path| !folders.contains(*path) || !full.contains(*path))
        .map(|path| (*path).to_owned())
        .collect()
}

/// The folders that a path is in, the nearest first.
fn above(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(path.rsplit_once('/'), |(parent, _)| parent.rsplit_once('/'))
        .map(|(parent, _)| parent)
}

/// A pattern relative to the project's folder, without `.`, `..` and empty segments; the folder itself is
/// empty. `None` where it leads out.
fn relative(pattern: &str, project_dir: &str) -> Option<String> {
    let pattern = match pattern.strip_prefix('/') {
        None => pattern,
        Some(_) => {
            let rest = pattern.strip_prefix(project_dir.trim_end_matches('/'))?;
            if !rest.is_empty() && !rest.starts_with('/') {
                return None;
            }
            rest
        }
    };
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paths; folders end in a slash, links in `@`, sockets in `=`.
    fn listed(paths: &[&str]) -> Vec<File> {
        let file = |path: &&str| {
            let kind = match path.chars().last() {
                Some('/') => FileKind::Directory,
                Some('@') => FileKind::Link,
                Some('=') => FileKind::Other,
                _ => FileKind::Regular,
            };
            File { path: path.trim_end_matches(['/', '@', '=']).to_owned(), kind }
        };
        paths.iter().map(file).collect()
    }

    const PROJECT: &[&str] = &[
        ".git/",
        ".git/HEAD",
        "README.md",
        "a.log",
        "empty/",
        "link@",
        "out/",
        "out/a.o",
        "out/deep/",
        "out/deep/b.o",
        "out/deep/b.txt",
        "socket=",
        "src/",
        "src/main.c",
    ];

    fn owned(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    fn selected(paths: &[&str], exclude: &[&str], untracked: Option<&[&str]>) -> Selection {
        let (paths, exclude) = (owned(paths), owned(exclude));
        let tracked = untracked.map(|paths| owned(paths).into_iter().collect());
        let wanted = Wanted { paths: &paths, exclude: &exclude, untracked: tracked.as_ref() };
        select(&listed(PROJECT), wanted, "/builds/g/p")
    }

    #[test]
    fn paths_are_found_as_the_runner_finds_them() {
        for (paths, exclude, found) in [
            (&["out"][..], &[][..], &["out/a.o", "out/deep/b.o", "out/deep/b.txt"][..]),
            (&["out/"], &[], &["out/a.o", "out/deep/b.o", "out/deep/b.txt"]),
            (&["./out//deep/."], &[], &["out/deep/b.o", "out/deep/b.txt"]),
            (&["src/../a.log"], &[], &["a.log"]),
            (&["/builds/g/p/src"], &[], &["src/main.c"]),
            (&["*.log"], &[], &["a.log"]),
            (&["*.o"], &[], &[]),
            (&["**/*.o"], &[], &["out/a.o", "out/deep/b.o"]),
            (&["out/*"], &[], &["out/a.o", "out/deep/b.o", "out/deep/b.txt"]),
            (&["empty"], &[], &["empty"]),
            (&["link"], &[], &["link"]),
            (&["socket"], &[], &[]),
            (&["out"], &["out/deep"], &["out/a.o", "out/deep/b.o", "out/deep/b.txt"]),
            (&["out"], &["out/deep/**"], &["out/a.o"]),
            (&["out"], &["**/*.o"], &["out/deep/b.txt"]),
            (&["a.log", "*.log"], &[], &["a.log"]),
            (&["../p/a.log"], &[], &[]),
            (&["/etc"], &[], &[]),
            (&["/builds/g/pother"], &[], &[]),
        ] {
            assert_eq!(selected(paths, exclude, None).paths, *found, "{paths:?} without {exclude:?}");
        }
    }

    #[test]
    fn the_whole_project_can_be_asked_for() {
        assert_eq!(selected(&["."], &[".git/**"], None).paths.len(), 8);
    }

    #[test]
    fn untracked_files_are_those_that_did_not_come_with_the_sources() {
        let found = selected(&[], &["*.log"], Some(&["README.md", "src/main.c", "link"]));
        assert_eq!(found.paths, ["out/a.o", "out/deep/b.o", "out/deep/b.txt"]);
        assert_eq!(found.lines, ["untracked: found 3 files"]);
    }

    #[test]
    fn the_runner_says_what_it_found() {
        assert_eq!(
            selected(&["out/", "nowhere", "/etc"], &[], None).lines,
            [
                "out/: found 5 matching artifact files and directories".to_owned(),
                warning(
                    "nowhere: no matching files. Ensure that the artifact path is relative to the working \
                     directory (/builds/g/p)"
                ),
                warning("/etc: artifact path is not a subpath of project directory: /builds/g/p"),
            ]
        );
    }
}
