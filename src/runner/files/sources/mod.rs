//! The sources of a run, packed once on the host: a git checkout as GitLab Runner would leave it.

mod checkout;
mod index;
mod scratch;
mod store;
mod submodules;

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeSet,
    io::Write as _,
    path::{Path, PathBuf},
};

pub use store::{SourceStore, Variant};
pub use submodules::Submodules;

use super::tarball::Tarball;
use crate::git::{Git, GitError};
use checkout::GitFolder;

/// `GIT_DEPTH` of a new GitLab project.
pub const DEPTH: u32 = 20;

/// Which state of the files a run gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SourceChoice {
    /// The working tree with what is not committed: new files, changes and deletions.
    #[default]
    WorkingTree,
    /// The files of the commit.
    Head,
}

/// What is checked out, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// The commit, on which HEAD is detached.
    pub commit: String,
    /// The ref that is fetched, for instance `refs/remotes/origin/main` or `refs/tags/v1`.
    pub reference: String,
    /// The URL of the remote `origin`.
    pub remote_url: String,
    /// How many commits are fetched; `None` is all of them.
    pub depth: Option<u32>,
    /// Whether there are files, or only a `.git` (`GIT_CHECKOUT`).
    pub has_files: bool,
    /// Which submodules are checked out.
    pub submodules: Option<Submodules>,
    /// `CI_PROJECT_DIR`.
    pub project_dir: String,
    /// When the files were checked out, in seconds since 1970: all of them have this time, as after a
    /// clone, so that what a cache has built from older ones is built again.
    pub time: u64,
}

/// Packed sources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// A tar archive without its end, its paths from the root of a container.
    pub tar: PathBuf,
    /// The files in it, relative to the project's folder, without those of `.git`.
    pub files: BTreeSet<String>,
    /// Submodules that are checked out.
    pub submodules: Vec<String>,
    /// Other submodules, and other repositories within: their folders are there, and empty.
    pub empty: Vec<String>,
}

/// Why sources could not be packed.
#[derive(Debug, thiserror::Error)]
pub enum SourcesError {
    /// Git could not give them.
    #[error("the sources could not be checked out: {0}")]
    Git(#[from] GitError),
    /// A file could not be read, or the archive not written.
    #[error("`{path}` could not be packed: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

/// Packs the sources of a repository, whose top folder `git` works in, into a file `tar`.
///
/// # Errors
/// When git fails or a file cannot be read or written.
pub fn pack(
    git: &Git,
    choice: SourceChoice,
    checkout: &Checkout,
    tar: &Path,
) -> Result<Sources, SourcesError> {
    if !checkout.has_files {
        return bare(git, checkout, tar);
    }
    let fetch = GitFolder::start(git, checkout)?;
    let (mut tarball, listed, fetched) = match choice {
        SourceChoice::WorkingTree => {
            // Git fetches the commits while the files are being packed.
            let listed = list(git, &["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
            let mut tarball = begin(checkout, tar)?;
            files(&mut tarball, &checkout.project_dir, git.folder(), &listed)?;
            let fetched = fetch.finish()?;
            fetched.read_index()?;
            let changed = modified(git, &checkout.commit)?;
            fetched.write_index(git.folder(), &changed, checkout.time)?;
            (tarball, listed, fetched)
        }
        SourceChoice::Head => {
            let fetched = fetch.finish()?;
            fetched.check_out(git)?;
            fetched.write_index(fetched.git().folder(), b"", checkout.time)?;
            let listed = list(fetched.git(), &["ls-files", "-z", "--cached"])?;
            let mut tarball = begin(checkout, tar)?;
            files(&mut tarball, &checkout.project_dir, fetched.git().folder(), &listed)?;
            (tarball, listed, fetched)
        }
    };
    let packed = match listed.submodules.as_slice() {
        [] => submodules::Packed::default(),
        paths => {
            let root = match choice {
                SourceChoice::WorkingTree => git.folder(),
                SourceChoice::Head => fetched.git().folder(),
            };
            let parent = submodules::Parent {
                git,
                path: String::new(),
                git_folder: ".git".to_owned(),
                root: root.to_owned(),
                url: checkout.remote_url.clone(),
                commits: submodules::commits(if choice == SourceChoice::Head { fetched.git() } else { git })?,
            };
            submodules::pack(&mut tarball, &parent, paths, choice, checkout)?
        }
    };
    fetched.configure(&packed.config)?;
    end(tarball, &fetched, checkout, tar)?;
    let (submodules, empty) = (packed.present, packed.missing);
    Ok(Sources { tar: tar.to_owned(), files: listed.files, submodules, empty })
}

/// The paths, each with a zero byte after it, that are not as a commit has them.
fn modified(git: &Git, commit: &str) -> Result<Vec<u8>, SourcesError> {
    Ok(git.bytes(&["diff-index", "-z", "--name-only", "--no-renames", commit])?)
}

/// Packs a `.git` whose commits nobody has checked out.
fn bare(git: &Git, checkout: &Checkout, tar: &Path) -> Result<Sources, SourcesError> {
    let fetched = GitFolder::start(git, checkout)?.finish()?;
    end(begin(checkout, tar)?, &fetched, checkout, tar)?;
    let none = Vec::new();
    Ok(Sources { tar: tar.to_owned(), files: BTreeSet::new(), submodules: none.clone(), empty: none })
}

/// Packs the project's `.git`, which comes last.
fn end(
    mut tarball: Tarball<std::io::BufWriter<std::fs::File>>,
    fetched: &GitFolder,
    checkout: &Checkout,
    tar: &Path,
) -> Result<(), SourcesError> {
    let target = format!("{}/.git", checkout.project_dir);
    // Git trusts the index only about files that are older than it.
    tarball.set_time(checkout.time + 1);
    fetched.pack(&mut tarball, &target)?;
    tarball.finish().and_then(|mut file| file.flush()).map_err(|source| fault(tar, source))?;
    Ok(())
}

/// Paths that git knows of.
struct Listed {
    files: BTreeSet<String>,
    submodules: Vec<String>,
}

fn list(git: &Git, command: &[&str]) -> Result<Listed, SourcesError> {
    let output = git.bytes(command)?;
    let mut listed = Listed { files: BTreeSet::new(), submodules: Vec::new() };
    for path in output.split(|byte| *byte == 0).filter(|path| !path.is_empty()) {
        let path = String::from_utf8_lossy(path);
        let path = path.trim_end_matches('/');
        // A file that is deleted in the working tree is still in the index.
        match std::fs::symlink_metadata(git.folder().join(path)) {
            Ok(found) if found.is_dir() => listed.submodules.push(path.to_owned()),
            Ok(_) if !path.starts_with(".podline/") => {
                listed.files.insert(path.to_owned());
            }
            _ => {}
        }
    }
    Ok(listed)
}

fn begin(
    checkout: &Checkout,
    tar: &Path,
) -> Result<Tarball<std::io::BufWriter<std::fs::File>>, SourcesError> {
    let mut tarball = Tarball::create(tar, checkout.time).map_err(|source| fault(tar, source))?;
    tarball.folder(&checkout.project_dir).map_err(|source| fault(tar, source))?;
    Ok(tarball)
}

/// Packs files below `root` as those of the folder `target`.
fn files<W: std::io::Write>(
    tarball: &mut Tarball<W>,
    target: &str,
    root: &Path,
    listed: &Listed,
) -> Result<(), SourcesError> {
    let target = target.trim_start_matches('/');
    for path in &listed.files {
        let from = root.join(path);
        tarball.file(&format!("{target}/{path}"), &from).map_err(|source| fault(&from, source))?;
    }
    for path in &listed.submodules {
        tarball.folder(&format!("{target}/{path}")).map_err(|source| fault(Path::new(path), source))?;
    }
    Ok(())
}

fn fault(path: &Path, source: std::io::Error) -> SourcesError {
    SourcesError::File { path: path.display().to_string(), source }
}
