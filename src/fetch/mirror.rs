//! A project on a git server, and what is kept of it in a bare repository of podline's own.
//!
//! Only commits and trees are fetched, of the newest commit alone; git gets a file's content when it is read.
//! Each ref that was asked for has a ref of its own here, so that it can be had again without the server.

use std::{
    fs::{self, File},
    io,
    path::PathBuf,
    sync::Arc,
};

use super::{
    Limits,
    address::{Address, is_reference},
    hex,
    project::At,
    snapshot::{Commit, Repository},
    store::Store,
};
use crate::git::{Git, GitError};

/// Most that a list of refs may take, in bytes.
const MAX_REFS: u64 = 32 << 20;

/// What git does not do in podline's repositories: hooks of the user, and work in the background.
const QUIET: [&str; 6] =
    ["-c", "core.hooksPath=/dev/null", "-c", "gc.auto=0", "-c", "maintenance.auto=false"];

/// The file that names the tags which the server had.
const TAGS: &str = "podline-tags";

/// A project on a server.
#[derive(Debug, Clone)]
pub(super) struct Mirror {
    address: Address,
    folder: PathBuf,
    limits: Limits,
    is_offline: bool,
    /// Keeps the store open as long as something of it is used.
    _store: Arc<Store>,
}

/// Why a project cannot be had from its server.
#[derive(Debug, thiserror::Error)]
pub(super) enum MirrorError {
    /// It was not fetched before.
    #[error("it was not fetched before, and podline is `--offline`")]
    Offline,
    /// It has no such ref.
    #[error("the project has no branch, tag or commit `{0}`")]
    NoReference(String),
    /// Git failed.
    #[error("`git fetch {address}` failed: {reason}")]
    Git {
        /// Where from.
        address: String,
        /// What git said.
        reason: String,
        /// Whether it gave no answer at all.
        is_silent: bool,
    },
    /// The store cannot be written.
    #[error("`.podline/includes` cannot be written: {0}")]
    Store(#[from] io::Error),
}

/// A ref on the server.
struct Tip {
    /// The commit, or the tag where the server does not say which commit it is of.
    sha: String,
    /// Its whole name, to fetch it by.
    name: String,
}

impl Mirror {
    /// The mirror of a project in the store.
    pub(super) fn new(
        address: Address,
        project: &str,
        store: &Arc<Store>,
        limits: Limits,
        is_offline: bool,
    ) -> Self {
        let folder = store.repository(&address.host, project);
        Self { address, folder, limits, is_offline, _store: Arc::clone(store) }
    }

    /// The files at a ref. A branch or tag is asked for anew; where the server cannot be reached, what was
    /// fetched before is taken, with a note.
    ///
    /// # Errors
    /// When it cannot be had.
    pub(super) fn at(&self, reference: Option<&str>) -> Result<At, MirrorError> {
        let kept = self.kept(reference);
        if let Some(sha) = &kept
            && (self.is_offline || reference.is_some_and(|reference| is_sha(reference) && reference == sha))
        {
            return Ok(self.commit(sha.clone(), None));
        }
        if self.is_offline {
            return Err(MirrorError::Offline);
        }
        let error = match self.newest(reference, kept.as_deref()) {
            Ok(sha) => return Ok(self.commit(sha, None)),
            Err(error) => error,
        };
        match kept {
            Some(sha) if matches!(error, MirrorError::Git { .. }) => {
                let note = format!("it is as it was fetched before, commit {}, as {error}", &sha[..8]);
                Ok(self.commit(sha, Some(note)))
            }
            _ => Err(error),
        }
    }

    /// Names of the tags, as the server has them or had them.
    ///
    /// # Errors
    /// When the server cannot be asked and was not before.
    pub(super) fn tags(&self) -> Result<Vec<String>, MirrorError> {
        let kept = || fs::read_to_string(self.folder.join(TAGS)).ok();
        let split = |text: &str| text.lines().map(str::to_owned).collect();
        if self.is_offline {
            return kept().map(|text| split(&text)).ok_or(MirrorError::Offline);
        }
        self.prepare()?;
        let listed = match self.ask(&["--tags", "--refs", "origin"]) {
            Ok(listed) => listed,
            Err(error) => return kept().map(|text| split(&text)).ok_or(error),
        };
        let names = listed.iter().filter_map(|(_, name)| name.strip_prefix("refs/tags/"));
        let names = names.collect::<Vec<_>>().join("\n");
        let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
        io::Write::write_all(&mut file, names.as_bytes())?;
        file.persist(self.folder.join(TAGS)).map_err(|error| error.error)?;
        Ok(split(&names))
    }

    /// The commit that the server has for a ref, fetched.
    fn newest(&self, reference: Option<&str>, kept: Option<&str>) -> Result<String, MirrorError> {
        self.prepare()?;
        let tip = self.tip(reference)?;
        if kept == Some(tip.sha.as_str()) {
            return Ok(tip.sha);
        }
        let target = format!("+{}:{}", tip.name, own_ref(reference));
        let mut arguments = QUIET.to_vec();
        arguments.extend(["fetch", "--quiet", "--no-tags", "--depth=1", "--filter=blob:none"]);
        arguments.extend(["--no-write-fetch-head", "origin", &target]);
        let _alone = self.lock()?;
        self.git(&arguments)?;
        self.kept(reference).ok_or_else(|| MirrorError::NoReference(reference.unwrap_or("HEAD").to_owned()))
    }

    /// What the server has for a ref: a tag before a branch, as `git rev-parse` has it.
    fn tip(&self, reference: Option<&str>) -> Result<Tip, MirrorError> {
        let Some(reference) = reference.filter(|reference| *reference != "HEAD") else {
            let listed = self.ask(&["origin", "HEAD"])?;
            let found = listed.into_iter().find(|(_, name)| name == "HEAD");
            let none = || MirrorError::NoReference("HEAD".to_owned());
            return found.map(|(sha, name)| Tip { sha, name }).ok_or_else(none);
        };
        if is_sha(reference) {
            return Ok(Tip { sha: reference.to_owned(), name: reference.to_owned() });
        }
        let none = || MirrorError::NoReference(reference.to_owned());
        if !is_reference(reference) {
            return Err(none());
        }
        let (tag, branch) = (format!("refs/tags/{reference}"), format!("refs/heads/{reference}"));
        let peeled = format!("{tag}^{{}}");
        let listed = self.ask(&["origin", &tag, &peeled, &branch])?;
        let sha = |wanted: &str| listed.iter().find(|(_, name)| name == wanted).map(|(sha, _)| sha.clone());
        let of_tag = sha(&peeled).or_else(|| sha(&tag)).map(|sha| Tip { sha, name: tag.clone() });
        of_tag.or_else(|| Some(Tip { sha: sha(&branch)?, name: branch.clone() })).ok_or_else(none)
    }

    /// `git ls-remote`: commits and names.
    fn ask(&self, arguments: &[&str]) -> Result<Vec<(String, String)>, MirrorError> {
        let arguments: Vec<_> = ["ls-remote", "--quiet"].iter().chain(arguments).copied().collect();
        let listed = self.git(&arguments)?;
        let listed = String::from_utf8_lossy(&listed);
        let line = |line: &str| line.split_once('\t').map(|(sha, name)| (sha.to_owned(), name.to_owned()));
        Ok(listed.lines().filter_map(line).collect())
    }

    /// The commit that is kept for a ref.
    fn kept(&self, reference: Option<&str>) -> Option<String> {
        if !self.folder.join("HEAD").is_file() {
            return None;
        }
        let revision = format!("{}^{{commit}}", own_ref(reference));
        let here = self.repository(false);
        let sha = here.run(MAX_REFS, &["rev-parse", "--verify", "--quiet", &revision]).ok()?;
        let sha = String::from_utf8_lossy(&sha).trim().to_owned();
        (!sha.is_empty()).then_some(sha)
    }

    /// Makes the repository where there is none.
    fn prepare(&self) -> Result<(), MirrorError> {
        if !self.folder.join("HEAD").is_file() {
            fs::create_dir_all(&self.folder)?;
            let _alone = self.lock()?;
            self.git(&["init", "--quiet", "--bare", "--template=", "."])?;
        }
        Store::touch(&self.folder);
        Ok(())
    }

    /// One fetch at a time, also of other processes.
    fn lock(&self) -> io::Result<File> {
        let lock = File::create(self.folder.with_extension("git.lock"))?;
        lock.lock()?;
        Ok(lock)
    }

    fn git(&self, arguments: &[&str]) -> Result<Vec<u8>, MirrorError> {
        self.repository(true).run(MAX_REFS, arguments).map_err(|error| self.failed(&error))
    }

    fn commit(&self, sha: String, note: Option<String>) -> At {
        At::new(Commit { repository: self.repository(!self.is_offline), sha }, note)
    }

    /// The repository here, with the server or without.
    fn repository(&self, has_server: bool) -> Repository {
        let address = has_server.then(|| self.address.secret());
        Repository { git: Git::at(&self.folder), settings: settings(address), limits: self.limits }
    }

    fn failed(&self, error: &GitError) -> MirrorError {
        let reason = match error {
            GitError::Failed { message, .. } => self.address.masked(first_line(message)),
            GitError::TimedOut { time, .. } => format!("no answer within {} s", time.as_secs()),
            error => error.to_string(),
        };
        let is_silent = matches!(error, GitError::TimedOut { .. });
        MirrorError::Git { address: self.address.to_string(), reason, is_silent }
    }
}

/// Git's configuration for a command here: with the server, or without, so that nothing can be fetched.
fn settings(address: Option<&str>) -> Vec<(&'static str, String)> {
    let mut settings = vec![("safe.bareRepository", "all".to_owned())];
    match address {
        Some(address) => settings.extend([
            ("remote.origin.url", address.to_owned()),
            ("remote.origin.promisor", "true".to_owned()),
            ("remote.origin.partialCloneFilter", "blob:none".to_owned()),
        ]),
        None => settings.push(("protocol.allow", "never".to_owned())),
    }
    settings
}

/// The ref under which the answer for a ref is kept: any name fits, and none stands in another's way.
fn own_ref(reference: Option<&str>) -> String {
    format!("refs/podline/{}", &hex(reference.unwrap_or("HEAD"))[..40])
}

/// Whether a text is a whole commit id.
fn is_sha(text: &str) -> bool {
    matches!(text.len(), 40 | 64)
        && text.chars().all(|one| one.is_ascii_hexdigit() && !one.is_ascii_uppercase())
}

/// What matters of git's message: its first line that says something.
fn first_line(message: &str) -> &str {
    let strip = |line: &'_ str| {
        let start = ["fatal: ", "remote: ", "error: "].iter().find(|start| line.starts_with(**start));
        start.map_or(0, |start| start.len())
    };
    let says = |line: &&str| line.chars().any(char::is_alphabetic) && !line.starts_with("warning: ");
    let lines = message.lines().map(|line| line[strip(line)..].trim());
    lines
        .filter(|line| says(line))
        .map(|line| line.trim_end_matches(['.', ' ']))
        .next()
        .unwrap_or("it said nothing")
}

#[cfg(test)]
mod tests {
    use super::first_line;

    #[test]
    fn gits_first_words_are_shown() {
        for (message, expected) in [
            ("", "it said nothing"),
            ("fatal: repository 'https://x/a.git/' not found", "repository 'https://x/a.git/' not found"),
            (
                "remote: \nremote: ========\nremote: The project could not be found.\nremote: \nfatal: Could not read",
                "The project could not be found",
            ),
            ("warning: redirecting\nfatal: Authentication failed for 'x'", "Authentication failed for 'x'"),
        ] {
            assert_eq!(first_line(message), expected, "{message}");
        }
    }
}
