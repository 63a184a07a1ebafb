//! The project that a command is about: its folder, what git says of it, its `podline.toml`.

use std::path::{Path, PathBuf};

use super::{
    Failed,
    args::SourceKind,
    project_file::ProjectFile,
    repository::{GitRepository, Trees},
};
use crate::{
    fetch::Files,
    git::{Facts, Git, Head, Snapshot, StandIn},
    pipeline::Event,
    report::Problem,
};

/// Where the configuration is unless the user says otherwise.
pub const CONFIGURATION: &str = ".gitlab-ci.yml";

/// Folder of the project that podline writes to.
pub const OWN_FOLDER: &str = ".podline";

/// A project.
#[derive(Debug)]
pub struct Project {
    /// Its folder, absolute.
    pub folder: PathBuf,
    /// Git, at work there.
    pub git: Git,
    /// What git says.
    pub facts: Facts,
    /// The commit that is checked out.
    pub head: Head,
    /// Its `podline.toml`.
    pub file: ProjectFile,
    own_folder: PathBuf,
    worktree: Trees,
    at_head: Trees,
    /// What the user should know of how the project was taken.
    pub notes: Vec<String>,
    /// Whether git knows which files it has.
    is_known_to_git: bool,
    _stand_in: Option<StandIn>,
}

impl Project {
    /// Opens the project in a folder.
    ///
    /// # Errors
    /// When there is no such folder, git cannot be asked, or `podline.toml` is wrong.
    pub fn open(folder: &Path) -> Result<Self, Failed> {
        let unusable = |error: std::io::Error| {
            let message = format!("there is no project in `{}`: {error}", folder.display());
            Failed::usage(Problem::new(message).help("name the project's folder with `-C`"))
        };
        let folder = std::fs::canonicalize(folder).map_err(unusable)?;
        let file = ProjectFile::read(&folder).map_err(|error| Failed::usage(Problem::from_error(&error)))?;
        let own_folder = folder.join(OWN_FOLDER);
        let git = Git::at(&folder);
        let around = Facts::read(&git)?;
        match around.as_ref().and_then(|facts| Some((facts, facts.head.clone()?))) {
            Some((facts, head)) if same(&facts.root, &folder) => {
                let facts = facts.clone();
                let (notes, is_known_to_git) = (Vec::new(), true);
                Ok(Self {
                    worktree: Trees::default(),
                    at_head: Trees::default(),
                    folder,
                    git,
                    facts,
                    head,
                    file,
                    own_folder,
                    notes,
                    is_known_to_git,
                    _stand_in: None,
                })
            }
            _ => Self::standing_in(folder, file, around.as_ref()),
        }
    }

    /// A folder that is not the root of a repository with a commit: one stands in for it.
    fn standing_in(folder: PathBuf, file: ProjectFile, around: Option<&Facts>) -> Result<Self, Failed> {
        let branch = around.and_then(|facts| facts.branch.as_deref()).unwrap_or("main");
        let stand_in = StandIn::of(&folder, branch)?;
        let git = stand_in.git().clone();
        let facts = Facts::read(&git)?.expect("the repository was made just now");
        let head = facts.head.clone().expect("the repository was made with a commit");
        let notes = vec![note(&folder, around)];
        let own_folder = folder.join(OWN_FOLDER);
        let (is_known_to_git, _stand_in) = (around.is_some(), Some(stand_in));
        let (worktree, at_head) = (Trees::default(), Trees::default());
        Ok(Self {
            own_folder,
            folder,
            git,
            facts,
            head,
            file,
            notes,
            is_known_to_git,
            worktree,
            at_head,
            _stand_in,
        })
    }

    /// A commit of a project that is checked out elsewhere. Its `podline.toml` and what podline keeps are those
    /// of the user's own folder.
    ///
    /// # Errors
    /// When git cannot be asked.
    pub fn replica(folder: &Path, of: &Self) -> Result<Self, Failed> {
        let mut project = Self::open(folder)?;
        project.file = of.file.clone().seen_from_anywhere(&of.folder);
        project.own_folder = of.own_folder();
        Ok(project)
    }

    /// The repository as rules may ask it, for an event.
    pub fn repository(&self, event: &Event, source: SourceKind) -> GitRepository {
        GitRepository::new(self.git.clone(), event, self.snapshot(source), self.trees(source))
    }

    /// Files of projects that were asked for before.
    pub fn trees(&self, source: SourceKind) -> Trees {
        match source {
            SourceKind::Worktree => self.worktree.clone(),
            SourceKind::Head => self.at_head.clone(),
        }
    }

    /// What a job finds checked out.
    pub fn snapshot(&self, source: SourceKind) -> Snapshot {
        match source {
            SourceKind::Worktree => Snapshot::WorkingTree,
            SourceKind::Head => Snapshot::Commit(self.head.sha.clone()),
        }
    }

    /// Its files, which have these paths.
    pub(super) fn files(&self, paths: Vec<String>) -> Files {
        Files { paths, are_all: self.is_known_to_git }
    }

    /// The folder that podline writes to.
    pub fn own_folder(&self) -> PathBuf {
        self.own_folder.clone()
    }
}

fn note(folder: &Path, around: Option<&Facts>) -> String {
    match around {
        None => "this is no git repository: its files are taken as one commit on `main`; \
                 `git init && git add . && git commit` makes it one"
            .to_owned(),
        Some(facts) if same(&facts.root, folder) => {
            "the repository has no commit yet: its files are taken as the first one".to_owned()
        }
        Some(facts) => {
            let root = std::fs::canonicalize(&facts.root).unwrap_or_else(|_| facts.root.clone());
            let below = folder.strip_prefix(root).unwrap_or(folder).display();
            format!("`{below}` is taken as a project of its own, apart from the repository around it")
        }
    }
}

fn same(one: &Path, other: &Path) -> bool {
    one == other || std::fs::canonicalize(one).is_ok_and(|one| one == other)
}
