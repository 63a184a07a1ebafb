//! What rules may ask of the repository, answered by git.

use std::{cell::OnceCell, path::Path};

use crate::{
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
    tree: OnceCell<Vec<String>>,
}

impl GitRepository {
    /// The repository whose root `git` is at, for an event whose pipeline checks out `snapshot`.
    pub fn new(git: Git, event: &Event, snapshot: Snapshot) -> Self {
        let base = match event {
            Event::Push { before, .. } => before.clone(),
            Event::MergeRequest(request) => request.diff_base.clone(),
            Event::Tag { .. }
            | Event::Schedule { .. }
            | Event::Web { .. }
            | Event::Api { .. }
            | Event::Trigger { .. } => None,
        };
        Self { git, snapshot, base, tree: OnceCell::new() }
    }
}

impl Repository for GitRepository {
    /// What git cannot compare (a ref that is not there) counts as what GitLab has no diff of.
    fn changed_paths(&self, compare_to: Option<&str>) -> Option<Vec<String>> {
        match compare_to {
            Some(name) => {
                let commit = self.git.commit_of(name).ok()??;
                self.git.changed_paths(Base::MergeBase(&commit), &self.snapshot).ok()
            }
            None => self.git.changed_paths(Base::Commit(self.base.as_deref()?), &self.snapshot).ok(),
        }
    }

    fn tree(&self) -> &[String] {
        self.tree.get_or_init(|| self.git.files(&self.snapshot).unwrap_or_default())
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
            GitRepository::new(git.clone(), event, Snapshot::WorkingTree).changed_paths(compare_to)
        };
        let all = Some(vec!["a".to_owned(), "dir/b".to_owned()]);
        assert_eq!(asked(&push(Some(first)), None), all);
        assert_eq!(asked(&push(None), None), None);
        assert_eq!(asked(&push(None), Some("trunk")), all);
        assert_eq!(asked(&push(None), Some("gone")), None);
        assert_eq!(asked(&Event::Tag { tag: "v1".to_owned(), message: String::new() }, None), None);
        let repository = GitRepository::new(git.clone(), &push(None), Snapshot::WorkingTree);
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
