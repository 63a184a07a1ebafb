//! Caches: kept in `.podline/cache` from run to run, those that were used last.

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use sha2::{Digest, Sha256};

use super::{
    artifacts::{Source, applies, texts},
    incoming,
    selection::{Wanted, select, warning},
};
use crate::{
    config::{
        glob::Glob,
        keyword::job::{Cache, CacheKey},
    },
    git::{Git, GitError},
    runner::Build,
};

/// How many bytes the caches of a project may have together.
pub const LIMIT: u64 = 5 << 30;

/// The folder that holds all caches of a project.
#[derive(Debug, Clone)]
pub struct CacheFolder {
    folder: PathBuf,
    limit: u64,
}

/// Caches to be put in place, and what the runner says of them.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// The archives, in the order to unpack them.
    pub archives: Vec<PathBuf>,
    /// What the runner says, line by line.
    pub lines: Vec<String>,
}

impl CacheFolder {
    /// The caches below a folder, `.podline/cache`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), limit: LIMIT }
    }

    /// The same caches, with so many bytes for all of them.
    #[must_use]
    pub fn limited(self, limit: u64) -> Self {
        Self { limit, ..self }
    }

    /// The caches that a job gets.
    pub fn restore(&self, build: &Build) -> Restored {
        let mut restored = Restored::default();
        for cache in &build.caches {
            let key = key_text(&cache.key);
            if cache.policy == "push" {
                restored.lines.push(format!("Not downloading cache {key} due to policy"));
                continue;
            }
            let general = build.variables.iter().rev().find(|it| it.key == "CACHE_FALLBACK_KEY");
            let keys = std::iter::once(key)
                .chain(cache.fallback_keys.iter().map(String::as_str))
                .chain(general.map(|variable| variable.value.as_str()));
            for key in keys.filter(|key| !key.is_empty()) {
                restored.lines.push(green(&format!("Checking cache for {key}...")));
                let archive = self.path(build, key);
                if archive.is_file() {
                    restored.lines.push(green("Successfully extracted cache"));
                    use_now(&archive);
                    restored.archives.push(archive);
                    break;
                }
                restored.lines.push(warning("Cache file does not exist"));
            }
        }
        restored
    }

    /// Keeps the caches of a job. What goes wrong is said and fails nothing, as in GitLab.
    pub async fn save(&self, build: &Build, has_succeeded: bool, source: Source<'_>) -> Vec<String> {
        let mut lines = Vec::new();
        for cache in &build.caches {
            let key = key_text(&cache.key);
            if cache.policy == "pull" {
                lines.push(format!("Not uploading cache {key} due to policy"));
            } else if applies(cache.when, has_succeeded) {
                lines.push(green(&format!("Creating cache {key}...")));
                self.save_one(build, cache, source, &mut lines).await;
            }
        }
        lines
    }

    async fn save_one(&self, build: &Build, cache: &Cache, source: Source<'_>, lines: &mut Vec<String>) {
        let paths = texts(&cache.paths);
        let untracked = cache.untracked.then_some(source.tracked);
        let wanted = Wanted { paths: &paths, exclude: &[], untracked };
        let selection = select(source.listed, wanted, &build.project_dir);
        lines.extend(selection.lines);
        if selection.paths.is_empty() {
            return;
        }
        let into = self.path(build, key_text(&cache.key));
        lines.push(match incoming::fetch(source, &build.project_dir, &selection.paths, &into).await {
            Ok(_) => green("Created cache"),
            Err(error) => warning(&format!("cache was not kept: {error}")),
        });
        let removed = self.prune(&into);
        if removed > 0 {
            let limit = self.limit >> 20;
            lines.push(format!("{removed} older caches removed: they may have {limit} MiB together"));
        }
    }

    /// Removes the caches that were used longest ago until the others fit, and gives their number. The one that
    /// has just been kept stays.
    fn prune(&self, kept: &Path) -> usize {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut caches: Vec<(SystemTime, u64, PathBuf)> = entries
            .filter_map(|entry| {
                let found = entry.metadata().ok()?;
                let path = entry.path();
                let is_cache = path.extension().is_some_and(|extension| extension == "tar") && path != kept;
                is_cache.then(|| Some((found.modified().ok()?, found.len(), path)))?
            })
            .collect();
        caches.sort();
        let mut total = std::fs::metadata(kept).map_or(0, |found| found.len());
        let mut removed = 0;
        for (_, size, path) in caches.into_iter().rev() {
            total = total.saturating_add(size);
            // one that another run has just taken is no reason to stop
            if total > self.limit && std::fs::remove_file(path).is_ok() {
                removed += 1;
            }
        }
        removed
    }

    /// Where a cache is: keys are any text, so a hash tells them apart, with the folder that it belongs in.
    fn path(&self, build: &Build, key: &str) -> PathBuf {
        let digest = Sha256::digest(format!("{}\0{key}", build.project_dir));
        let readable: String =
            key.chars().filter(|it| it.is_ascii_alphanumeric() || "-_.".contains(*it)).take(40).collect();
        self.folder.join(format!("{readable}-{}.tar", hex(&digest[..8])))
    }
}

/// The time of a cache's file says when it was used last. Where that cannot be noted, it counts as unused.
fn use_now(archive: &Path) {
    let file = std::fs::File::options().append(true).open(archive);
    drop(file.and_then(|file| file.set_modified(SystemTime::now())));
}

/// The hash behind `cache:key:files`: of the files' content, or of the last commits that changed them.
/// `tree` are the project's files, among which `files` are paths or globs; `None` where none is there.
///
/// # Errors
/// When git cannot say which commit changed a file last.
pub fn key_of_files(
    git: &Git,
    tree: &[String],
    files: &[String],
    is_of_commits: bool,
) -> Result<Option<String>, GitError> {
    let globs: Vec<Glob> = files.iter().map(|pattern| Glob::doublestar(pattern)).collect();
    let mut digest = Sha256::new();
    let mut is_empty = true;
    for path in tree.iter().filter(|path| globs.iter().any(|glob| glob.matches(path))) {
        let bytes = match is_of_commits {
            true => git.bytes(&["log", "-1", "--format=%H", "--", path])?,
            false => match std::fs::read(git.folder().join(path)) {
                Ok(bytes) => bytes,
                Err(_) => continue,
            },
        };
        is_empty = false;
        digest.update(path.as_bytes());
        digest.update((bytes.len() as u64).to_le_bytes());
        digest.update(bytes);
    }
    // GitLab's are SHA-1, so as long as that.
    Ok((!is_empty).then(|| hex(&digest.finalize()[..20])))
}

/// The key of a cache whose key is computed.
fn key_text(key: &CacheKey) -> &str {
    match key {
        CacheKey::Text(text) => text,
        CacheKey::Files { .. } => "default",
    }
}

fn green(text: &str) -> String {
    format!("\x1b[32;1m{text}\x1b[0;m")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::runner::{build::BuildVariable, fixture::a_build};

    fn cache(key: &str, policy: &str, fallback_keys: &[&str]) -> Cache {
        Cache {
            key: CacheKey::Text(key.to_owned()),
            fallback_keys: fallback_keys.iter().map(|key| (*key).to_owned()).collect(),
            paths: Vec::new(),
            untracked: false,
            policy: policy.to_owned(),
            when: crate::config::keyword::job::UploadWhen::OnSuccess,
        }
    }

    #[test]
    fn the_first_key_that_has_a_cache_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let caches = CacheFolder::new(folder.path());
        let mut build = a_build(&[]);
        let there = caches.path(&build, "other/key");
        std::fs::write(&there, "").expect("a file");
        for (cache, general, found) in [
            (cache("other/key", "pull-push", &[]), None, true),
            (cache("other/key", "push", &[]), None, false),
            (cache("mine", "pull", &["none", "other/key"]), None, true),
            (cache("mine", "pull", &["none"]), None, false),
            (cache("mine", "pull", &["none"]), Some("other/key"), true),
            (cache("otherkey", "pull", &[]), None, false),
        ] {
            build.variables = general
                .map(|value: &str| BuildVariable {
                    key: "CACHE_FALLBACK_KEY".to_owned(),
                    value: value.to_owned(),
                    masked: false,
                    file: false,
                })
                .into_iter()
                .collect();
            build.caches = vec![cache];
            let restored = caches.restore(&build);
            assert_eq!(restored.archives == [there.as_path()], found, "{:?}", build.caches);
        }
    }

    #[test]
    fn the_caches_that_were_used_last_stay() {
        let folder = tempfile::tempdir().expect("a folder");
        let caches = CacheFolder::new(folder.path()).limited(250);
        let now = SystemTime::now();
        for (at, name) in ["first.tar", "second.tar", "third.tar", "note.txt"].into_iter().enumerate() {
            let path = folder.path().join(name);
            std::fs::write(&path, [0; 100]).expect("a file");
            let file = std::fs::File::options().append(true).open(path).expect("the file");
            let age = Duration::from_secs(1000 - at as u64);
            file.set_modified(now - age).expect("its time can be set");
        }
        use_now(&folder.path().join("first.tar"));
        assert_eq!(caches.prune(&folder.path().join("third.tar")), 1);
        let mut left: Vec<_> = std::fs::read_dir(folder.path())
            .expect("the folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
            .collect();
        left.sort();
        assert_eq!(left, ["first.tar", "note.txt", "third.tar"]);
    }

    #[test]
    fn a_key_cannot_leave_the_folder() {
        let caches = CacheFolder::new("/cache");
        for key in ["../../etc", "/etc", "..", "", "a/b"] {
            let path = caches.path(&a_build(&[]), key);
            assert_eq!(path.parent(), Some(Path::new("/cache")), "{key}");
            assert!(path.components().all(|part| part.as_os_str() != ".."), "{key}");
        }
    }

    #[test]
    fn the_key_of_files_changes_with_their_content() {
        let folder = tempfile::tempdir().expect("a folder");
        let git = Git::at(folder.path());
        let tree = ["Cargo.lock".to_owned(), "src/main.rs".to_owned()];
        let key = |files: &[&str]| {
            let files: Vec<String> = files.iter().map(|file| (*file).to_owned()).collect();
            key_of_files(&git, &tree, &files, false).expect("a key")
        };
        std::fs::write(folder.path().join("Cargo.lock"), "one").expect("a file");
        let one = key(&["Cargo.lock"]);
        assert_eq!(one.as_deref().map(str::len), Some(40));
        assert_eq!(key(&["*.lock"]), one);
        std::fs::write(folder.path().join("Cargo.lock"), "two").expect("a file");
        assert_ne!(key(&["Cargo.lock"]), one);
        assert_eq!(key(&["none"]), None);
    }
}
