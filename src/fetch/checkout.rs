//! A checkout that the user maps a project to.

use std::path::{Path, PathBuf};

use super::{
    Limits,
    project::At,
    snapshot::{Commit, Repository, Snapshot},
};
use crate::git::{Git, GitError};

/// A project that is checked out, or a bare repository of it.
#[derive(Debug, Clone)]
pub(super) struct Checkout {
    folder: PathBuf,
    /// As the user wrote it.
    shown: PathBuf,
    limits: Limits,
}

impl Checkout {
    /// The checkout in a folder, which the user knows as `shown`.
    pub(super) fn new(folder: PathBuf, shown: PathBuf, limits: Limits) -> Self {
        Self { folder, shown, limits }
    }

    /// The folder, as the user knows it.
    pub(super) fn shown(&self) -> &Path {
        &self.shown
    }

    /// Whether it is there.
    pub(super) fn exists(&self) -> bool {
        self.folder.is_dir()
    }

    /// The files at a ref: as they lie there where the ref is checked out or none is named, so that changes count
    /// before they are committed; else those of the commit.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub(super) fn at(&self, reference: Option<&str>) -> Result<At, GitError> {
        let has_files = self.folder.join(".git").exists();
        let is_bare =
            !has_files && self.folder.join("HEAD").is_file() && self.folder.join("objects").is_dir();
        if !has_files && !is_bare {
            let note = reference.map(|reference| {
                format!(
                    "`{}` is no git repository, so its files are taken for `{reference}`",
                    self.shown.display()
                )
            });
            return Ok(self.folder_at(None, note));
        }
        let git = Git::at(&self.folder);
        let head = git.commit_of("HEAD")?;
        let wanted = match reference {
            Some(reference) => git.commit_of(reference)?,
            None => head.clone(),
        };
        Ok(match wanted {
            Some(sha) if is_bare || Some(&sha) != head.as_ref() => At::new(self.commit(git, sha), None),
            Some(sha) => self.folder_at(Some(sha), None),
            None => {
                let wanted = reference.unwrap_or("HEAD");
                let shown = self.shown.display();
                let note = format!("`{shown}` has no ref `{wanted}`, so its files are taken as they are");
                self.folder_at(head, Some(note))
            }
        })
    }

    /// Names of the tags; none where it is no repository.
    pub(super) fn tags(&self) -> Vec<String> {
        let tags = Git::at(&self.folder).run(&["tag", "--list"]).unwrap_or_default();
        tags.lines().map(str::to_owned).collect()
    }

    fn folder_at(&self, sha: Option<String>, note: Option<String>) -> At {
        At { snapshot: Snapshot::Folder(self.folder.clone()), sha, note }
    }

    fn commit(&self, git: Git, sha: String) -> Commit {
        Commit { repository: Repository { git, settings: Vec::new(), limits: self.limits }, sha }
    }
}
