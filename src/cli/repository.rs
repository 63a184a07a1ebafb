//! What rules may ask of the repository, answered by git.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use crate::{
    config::loader::{Loader, ProjectRef},
    git::{Base, Git, Snapshot},
    pipeline::{Event, Repository},
};

/// A [`Repository`] over the git command, which is asked only when a rule asks.
#[derive(Debug)]
pub struct GitRepository {
    git: Git,
    snapshot: Snapshot,
    /// The commit that the event implies, where it implies one.
    base: Option<String>,
    trees: Trees,
    missing: Mutex<Vec<String>>,
}

/// The files of projects, each asked for once however many configurations are read.
#[derive(Debug, Clone, Default)]
pub struct Trees {
    own: Arc<OnceLock<Vec<String>>>,
    others: Arc<Mutex<HashMap<Place, Tree>>>,
}

/// A project, and the ref there.
type Place = (String, Option<String>);

/// The paths of a project, or why they are not known.
type Tree = Result<Arc<[String]>, String>;

impl Trees {
    fn of(&self, project: &str, reference: Option<&str>, ask: impl FnOnce() -> Tree) -> Tree {
        let place = (project.to_owned(), reference.map(str::to_owned));
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        others.entry(place).or_insert_with(ask).clone()
    }

    /// The projects that rules asked about in vain, each with the reason.
    pub fn unknown(&self) -> Vec<(String, String)> {
        let others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        let unknown = others.iter().filter_map(|((project, _), tree)| {
            let reason = tree.as_ref().err()?;
            Some((project.clone(), reason.clone()))
        });
        unknown.collect()
    }
}

impl GitRepository {
    /// The repository whose root `git` is at, for an event whose pipeline checks out `snapshot`.
    pub fn new(git: Git, event: &Event, snapshot: Snapshot, trees: Trees) -> Self {
        let base = match event {
            Event::Push { before, .. } => before.clone(),
            Event::MergeRequest(request) => request.diff_base.clone(),
            Event::Tag { .. }
            | Event::Schedule { .. }
            | Event::Web { .. }
            | Event::Api { .. }
            | Event::Trigger { .. } => None,
        };
        Self { git, snapshot, base, trees, missing: Mutex::default() }
    }

    /// The refs that rules compared with in vain, each once.
    pub fn missing_refs(&self) -> Vec<String> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn commit_of(&self, name: &str) -> Option<String> {
        let commit = self.git.commit_of(name).ok().flatten();
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        if commit.is_none() && !missing.iter().any(|known| known == name) {
            missing.push(name.to_owned());
        }
        commit
    }
}

impl Repository for GitRepository {
    /// What git cannot compare (a ref that is not there) counts as what GitLab has no diff of.
    fn changed_paths(&self, compare_to: Option<&str>) -> Option<Vec<String>> {
        match compare_to {
            Some(name) => {
                let commit = self.commit_of(name)?;
                self.git.changed_paths(Base::MergeBase(&commit), &self.snapshot).ok()
            }
            None => self.git.changed_paths(Base::Commit(self.base.as_deref()?), &self.snapshot).ok(),
        }
    }

    fn tree(&self) -> &[String] {
        self.trees.own.get_or_init(|| self.git.files(&self.snapshot).unwrap_or_default())
    }

    /// What was found when the configuration was read.
    fn tree_of(&self, project: &str, reference: Option<&str>) -> Tree {
        self.trees.of(project, reference, || Err("it was not looked for".to_owned()))
    }
}

/// A repository, and other projects as includes get at them.
pub struct Everywhere<'r> {
    /// The project itself.
    pub repository: &'r GitRepository,
    /// Finds other projects.
    pub loader: &'r dyn Loader,
}

impl Repository for Everywhere<'_> {
    fn changed_paths(&self, compare_to: Option<&str>) -> Option<Vec<String>> {
        self.repository.changed_paths(compare_to)
    }

    fn tree(&self) -> &[String] {
        self.repository.tree()
    }

    fn tree_of(&self, project: &str, reference: Option<&str>) -> Tree {
        self.repository.trees.of(project, reference, || {
            let place =
                ProjectRef { host: None, path: project.to_owned(), reference: reference.map(str::to_owned) };
            self.loader.files_of(&place).map(Arc::from).map_err(|error| error.to_string())
        })
    }
}

/// A [`Repository`] over a folder that git does not know: there is nothing to compare with.
#[derive(Debug)]
pub struct Folder {
    tree: Vec<String>,
}

/// Folders that are no part of a project's files.
const NOT_FILES: [&str; 2] = [".git", ".podline"];

impl Folder {
    /// All files of a folder; what cannot be read is not there.
    pub fn read(root: &Path) -> Self {
        let mut tree = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                // Links are not followed: they may lead out of the project, or in a circle.
                let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
                let is_skipped = NOT_FILES.iter().any(|name| entry.file_name() == *name);
                match entry.path() {
                    path if is_folder && !is_skipped => folders.push(path),
                    path if !is_folder => {
                        let inner = path.strip_prefix(root).unwrap_or(&path).to_string_lossy();
                        tree.push(inner.replace(std::path::MAIN_SEPARATOR, "/"));
                    }
                    _ => {}
                }
            }
        }
        tree.sort_unstable();
        Self { tree }
    }
}

impl Repository for Folder {
    fn changed_paths(&self, _compare_to: Option<&str>) -> Option<Vec<String>> {
        None
    }

    fn tree(&self) -> &[String] {
        &self.tree
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::tests::{repository, write};

    fn push(before: Option<String>) -> Event {
        Event::Push { branch: "trunk".to_owned(), before }
    }

    #[test]
    fn a_push_is_compared_with_what_the_branch_had_before() {
        let (_folder, git) = repository();
        git.run(&["commit", "-q", "--allow-empty", "-m", "first"]).expect("git runs");
        let first = git.run(&["rev-parse", "HEAD"]).expect("git runs");
        write(&git, &["a", "dir/b"]);
        let asked = |event: &Event, compare_to: Option<&str>| {
            GitRepository::new(git.clone(), event, Snapshot::WorkingTree, Trees::default())
                .changed_paths(compare_to)
        };
        let all = Some(vec!["a".to_owned(), "dir/b".to_owned()]);
        assert_eq!(asked(&push(Some(first)), None), all);
        assert_eq!(asked(&push(None), None), None);
        assert_eq!(asked(&push(None), Some("trunk")), all);
        assert_eq!(asked(&push(None), Some("gone")), None);
        assert_eq!(asked(&Event::Tag { tag: "v1".to_owned(), message: String::new() }, None), None);
        let repository =
            GitRepository::new(git.clone(), &push(None), Snapshot::WorkingTree, Trees::default());
        assert_eq!(repository.tree(), ["a", "dir/b"]);
    }

    #[test]
    fn a_folder_without_git_has_its_files() {
        let folder = tempfile::tempdir().expect("a folder");
        write(&Git::at(folder.path()), &["b", "a/c", ".podline/run", ".hidden"]);
        let folder = Folder::read(folder.path());
        assert_eq!(folder.tree(), [".hidden", "a/c", "b"]);
        assert_eq!(folder.changed_paths(None), None);
    }
}
