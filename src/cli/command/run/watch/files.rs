//! What changes among the files of a project: those that git would commit, so neither what is ignored nor
//! what podline writes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    time::{Duration, SystemTime},
};

use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::watch;

use crate::{
    cli::{Failed, project::Project},
    git::Snapshot,
    report::Problem,
};

/// How long nothing may happen before a change counts: who saves several files saves one after the other.
const QUIET: Duration = Duration::from_millis(150);

/// The names of the files that have changed; it is marked as changed when they do.
pub(in crate::cli::command) type Changes = watch::Receiver<Vec<String>>;

/// The files of a project, each with what tells whether it has changed.
type Files = BTreeMap<String, Option<(SystemTime, u64)>>;

/// Watches the files of a project from now on, until nobody listens any more.
///
/// # Errors
/// When the system has no way to watch files, or not so many.
pub(super) fn changes(project: Arc<Project>) -> Result<Changes, Failed> {
    let (happened, happenings) = mpsc::channel();
    let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // to look at a file, as git does, is no change of it
        if !event.as_ref().is_ok_and(|event| event.kind.is_access()) {
            // nobody watches any more
            let _ = happened.send(());
        }
    });
    let mut looking = Looking { watcher: watcher.map_err(unwatched)?, folders: BTreeSet::new(), project };
    let mut before = looking.files();
    looking.watch(&before).map_err(unwatched)?;
    let (sender, receiver) = watch::channel(Vec::new());
    std::thread::spawn(move || {
        while happenings.recv().is_ok() && !sender.is_closed() {
            while happenings.recv_timeout(QUIET).is_ok() {}
            let now = looking.files();
            let changed = difference(&before, &now);
            before = now;
            // a folder that cannot be watched now is tried again at the next change
            drop(looking.watch(&before));
            if !changed.is_empty() {
                sender.send_replace(changed);
            }
        }
    });
    Ok(receiver)
}

fn unwatched(error: notify::Error) -> Failed {
    let problem = Problem::new(format!("the files of the project cannot be watched: {error}"));
    Failed::usage(problem.help("on Linux, `fs.inotify.max_user_watches` says how many folders can be"))
}

struct Looking {
    watcher: RecommendedWatcher,
    folders: BTreeSet<PathBuf>,
    project: Arc<Project>,
}

impl Looking {
    /// The files as they are now. What git cannot list is not there.
    fn files(&self) -> Files {
        let names = self.project.git.files(&Snapshot::WorkingTree).unwrap_or_default();
        let look = |name: String| {
            let met = fs::symlink_metadata(self.project.folder.join(&name)).ok();
            let told = met.and_then(|met| Some((met.modified().ok()?, met.len())));
            (name, told)
        };
        names.into_iter().map(look).collect()
    }

    /// Watches the folders that have files; ignored ones, which may be huge, are left alone.
    fn watch(&mut self, files: &Files) -> notify::Result<()> {
        let folders = files.keys().flat_map(|name| Path::new(name).ancestors().skip(1));
        let mut folders: BTreeSet<PathBuf> =
            folders.map(|inner| self.project.folder.join(inner)).filter(|folder| folder.is_dir()).collect();
        folders.insert(self.project.folder.clone());
        for new in folders.difference(&self.folders) {
            self.watcher.watch(new, RecursiveMode::NonRecursive)?;
        }
        self.folders = folders;
        Ok(())
    }
}

/// The files that are new, gone or not as they were.
fn difference(before: &Files, now: &Files) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
    names.into_iter().filter(|name| before.get(*name) != now.get(*name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn only_what_git_would_commit_counts_as_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("it is in a folder")).expect("it can be made");
            fs::write(path, text).expect("it can be written");
        };
        write(".gitignore", "*.log\n.podline\n");
        write("src/main.rs", "");
        let project = Project::open(folder.path()).expect("a project");
        let mut changes = changes(Arc::new(project)).expect("its files are watched");
        write("src/noise.log", "");
        write(".podline/runs/1/run.json", "{}");
        write("src/main.rs", "fn main() {}");
        write("src/new/lib.rs", "");
        let mut seen = BTreeSet::new();
        while seen.len() < 2 {
            changes.changed().await.expect("they are still watched");
            seen.extend(changes.borrow_and_update().clone());
        }
        assert_eq!(seen, BTreeSet::from(["src/main.rs".to_owned(), "src/new/lib.rs".to_owned()]));
    }
}
