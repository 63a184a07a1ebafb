//! What a plan asks of a repository, with as few git processes as it takes, all at once.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use super::{Git, GitError, Remote};

/// What git says of a repository and its current commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The root of the working tree.
    pub root: PathBuf,
    /// The current commit; absent before the first one.
    pub head: Option<Head>,
    /// The current branch; absent where `HEAD` is detached.
    pub branch: Option<String>,
    /// The commit that the remote has of the current branch, as of the last fetch or push.
    pub upstream: Option<String>,
    /// The default branch: `origin/HEAD`, else `main` or `master`, whichever is there.
    pub default_branch: String,
    /// The project, from the remote or the folder's name.
    pub project: Remote,
    /// The URL of that remote; absent where the project is the folder.
    pub remote_url: Option<String>,
    /// Name and mail address of the user; empty where git does not know them.
    pub user: (String, String),
    /// Paths that are neither tracked nor ignored, sorted.
    pub untracked: Vec<String>,
    /// Whether tracked files differ from the current commit.
    pub is_modified: bool,
}

/// The current commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// 40 hexadecimal digits.
    pub sha: String,
    /// The whole message.
    pub message: String,
    /// `Name <email>`.
    pub author: String,
    /// When it was committed, RFC 3339.
    pub timestamp: String,
    /// Names of the tags that point at it.
    pub tags: Vec<String>,
}

impl Facts {
    /// Asks git; `None` where the folder is in no repository.
    ///
    /// # Errors
    /// When git is missing or refuses the repository.
    pub fn read(git: &Git) -> Result<Option<Self>, GitError> {
        let (git, root) = match &git.git_dir {
            Some(_) => (git, git.folder().to_owned()),
            None => match root_of(git.folder()) {
                Some(root) => (&Git::at(&root), root),
                None => return Ok(None),
            },
        };
        let (status, refs, config, head) = std::thread::scope(|scope| {
            let status = scope.spawn(|| git.bytes(&STATUS));
            let refs = scope.spawn(|| git.bytes(&["for-each-ref", REF_FORMAT, "refs/heads", "refs/remotes"]));
            let config = scope.spawn(|| git.bytes(&["config", "--list", "-z"]));
            let head = git.bytes(&["log", "-1", "-z", "--no-show-signature", "--decorate=full", HEAD_FORMAT]);
            let joined = "threads that ask git do not panic";
            (status.join().expect(joined), refs.join().expect(joined), config.join().expect(joined), head)
        });
        let status = Status::read(&status?);
        let refs = Refs::read(&refs?);
        let config = read_config(&config?);
        let (project, remote_url) = project(&config, status.branch.as_deref(), &root);
        let head = match head {
            Ok(text) => Head::read(&text),
            Err(_) if status.is_unborn => None,
            Err(error) => return Err(error),
        };
        Ok(Some(Self {
            upstream: status.branch.as_ref().and_then(|branch| refs.upstream(branch)),
            default_branch: refs.default_branch(status.branch.as_deref()),
            project,
            remote_url,
            user: (value(&config, "user.name"), value(&config, "user.email")),
            head,
            branch: status.branch,
            untracked: status.untracked,
            is_modified: status.is_modified,
            root,
        }))
    }
}

/// Without its lock on the index: a command that the user runs beside may want it.
const STATUS: [&str; 6] =
    ["--no-optional-locks", "status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all"];
const REF_FORMAT: &str = "--format=%(refname)%00%(objectname)%00%(symref)%00%(upstream)";
const HEAD_FORMAT: &str = "--format=%H%x00%an <%ae>%x00%cI%x00%D%x00%B";

/// The nearest folder upwards that has a `.git`: asking git for it would take one more process.
fn root_of(folder: &Path) -> Option<PathBuf> {
    let folder = std::path::absolute(folder).ok()?;
    folder.ancestors().find(|folder| folder.join(".git").exists()).map(Path::to_owned)
}

/// `git status --porcelain=v2 --branch -z`.
#[derive(Default)]
struct Status {
    branch: Option<String>,
    is_unborn: bool,
    is_modified: bool,
    untracked: Vec<String>,
}

impl Status {
    fn read(bytes: &[u8]) -> Self {
        let mut status = Self::default();
        let mut entries = fields(bytes);
        while let Some(entry) = entries.next() {
            match entry.split_once(' ') {
                Some(("#", header)) => status.header(header),
                Some(("?", path)) => status.untracked.push(path.to_owned()),
                // A renamed path is followed by the one it had.
                Some(("2", _)) => {
                    status.is_modified = true;
                    entries.next();
                }
                Some(_) => status.is_modified = true,
                None => {}
            }
        }
        status.untracked.sort_unstable();
        status
    }

    fn header(&mut self, header: &str) {
        match header.split_once(' ') {
            Some(("branch.oid", "(initial)")) => self.is_unborn = true,
            Some(("branch.head", name)) if name != "(detached)" => self.branch = Some(name.to_owned()),
            _ => {}
        }
    }
}

/// Local and remote branches by their full names.
struct Refs(HashMap<String, Ref>);

struct Ref {
    sha: String,
    target: String,
    upstream: String,
}

impl Refs {
    fn read(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let read = |line: &str| {
            let mut fields = line.split('\0').map(str::to_owned);
            let name = fields.next()?;
            Some((name, Ref { sha: fields.next()?, target: fields.next()?, upstream: fields.next()? }))
        };
        Self(text.lines().filter_map(read).collect())
    }

    /// The commit of what a branch is set up to follow, else of the branch of its name at `origin`.
    fn upstream(&self, branch: &str) -> Option<String> {
        let followed = self.0.get(&format!("refs/heads/{branch}")).map(|local| &local.upstream);
        let remote = followed
            .and_then(|name| self.0.get(name))
            .or_else(|| self.0.get(&format!("refs/remotes/origin/{branch}")))?;
        Some(remote.sha.clone())
    }

    fn default_branch(&self, current: Option<&str>) -> String {
        let head = self.0.get("refs/remotes/origin/HEAD");
        if let Some(name) = head.and_then(|head| head.target.strip_prefix("refs/remotes/origin/")) {
            return name.to_owned();
        }
        let is_there = |name: &&str| {
            let places = [format!("refs/remotes/origin/{name}"), format!("refs/heads/{name}")];
            places.iter().any(|place| self.0.contains_key(place))
        };
        let usual = ["main", "master"].into_iter().find(is_there);
        usual.or(current).unwrap_or("main").to_owned()
    }
}

impl Head {
    fn read(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let mut fields = text.splitn(5, '\0');
        let (sha, author, timestamp) = (fields.next()?, fields.next()?, fields.next()?);
        let tag = |name: &str| name.strip_prefix("tag: refs/tags/").map(str::to_owned);
        let tags = fields.next()?.split(", ").filter_map(tag).collect();
        Some(Self {
            sha: sha.to_owned(),
            message: fields.next()?.trim_end_matches('\0').to_owned(),
            author: author.to_owned(),
            timestamp: timestamp.to_owned(),
            tags,
        })
    }
}

/// `git config --list -z`: of several values of a key, the last one counts.
fn read_config(bytes: &[u8]) -> indexmap::IndexMap<String, String> {
    let read = |entry: &str| {
        let (key, value) = entry.split_once('\n').unwrap_or((entry, ""));
        (key.to_owned(), value.to_owned())
    };
    fields(bytes).map(|entry| read(&entry)).collect()
}

fn value(config: &indexmap::IndexMap<String, String>, key: &str) -> String {
    config.get(key).cloned().unwrap_or_default()
}

/// The project at `origin`, at the remote of the branch, at any remote, or of the folder.
fn project(
    config: &indexmap::IndexMap<String, String>,
    branch: Option<&str>,
    root: &Path,
) -> (Remote, Option<String>) {
    let of_branch = branch.and_then(|branch| config.get(&format!("branch.{branch}.remote")));
    let named = ["origin".to_owned()].into_iter().chain(of_branch.cloned());
    let named = named.filter_map(|name| config.get(&format!("remote.{name}.url")));
    let is_url = |key: &str| key.starts_with("remote.") && key.ends_with(".url");
    let any = config.iter().filter(|(key, _)| is_url(key)).map(|(_, url)| url);
    let found = named.chain(any).find_map(|url| Some((Remote::parse(url)?, Some(url.clone()))));
    found.unwrap_or_else(|| (Remote::of_folder(root), None))
}

/// Texts that are ended by zero bytes.
fn fields(bytes: &[u8]) -> impl Iterator<Item = String> + '_ {
    let fields = bytes.split(|byte| *byte == 0).filter(|field| !field.is_empty());
    fields.map(|field| String::from_utf8_lossy(field).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::git::tests::repository;

    #[test]
    fn a_folder_outside_of_a_repository_has_no_facts() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(Facts::read(&Git::at(folder.path())).expect("git runs"), None);
    }

    #[test]
    fn before_the_first_commit_there_is_no_head() {
        let (_folder, git) = repository();
        std::fs::write(git.folder().join("new file"), "").expect("a file");
        let facts = Facts::read(&git).expect("git runs").expect("a repository");
        assert_eq!(facts.head, None);
        assert_eq!(facts.branch.as_deref(), Some("trunk"));
        assert_eq!(facts.default_branch, "trunk");
        assert_eq!(facts.untracked, ["new file"]);
        assert_eq!(facts.user, ("Ada".to_owned(), "ada@example.com".to_owned()));
    }

    #[test]
    fn a_commit_has_its_message_author_and_tags() {
        let (_folder, git) = repository();
        for arguments in [
            &["commit", "-q", "--allow-empty", "-m", "Title\n\nBody"][..],
            &["tag", "v1"],
            &["tag", "-a", "v1.0", "-m", "note"],
            &["branch", "main"],
            &["remote", "add", "origin", "git@gitlab.example.com:group/project.git"],
            &["update-ref", "refs/remotes/origin/trunk", "HEAD"],
        ] {
            git.run(arguments).expect("git runs");
        }
        let inner = git.folder().join("a/b");
        std::fs::create_dir_all(&inner).expect("a folder");
        let facts = Facts::read(&Git::at(&inner)).expect("git runs").expect("a repository");
        let head = facts.head.expect("a commit");
        assert_eq!(head.message, "Title\n\nBody\n");
        assert_eq!(head.author, "Ada <ada@example.com>");
        assert_eq!(head.tags.len(), 2);
        assert!(head.tags.contains(&"v1".to_owned()));
        assert!(head.timestamp.contains('T'));
        assert_eq!(facts.upstream, Some(head.sha));
        assert_eq!(facts.default_branch, "main");
        assert_eq!(facts.project.path, "group/project");
        assert_eq!(facts.project.host, "gitlab.example.com");
        assert!(!facts.is_modified);
    }

    #[test]
    fn the_remotes_head_is_the_default_branch() {
        let (_folder, git) = repository();
        for arguments in [
            &["commit", "-q", "--allow-empty", "-m", "a"][..],
            &["branch", "main"],
            &["update-ref", "refs/remotes/origin/develop", "HEAD"],
            &["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/develop"],
            &["checkout", "-q", "--detach"],
        ] {
            git.run(arguments).expect("git runs");
        }
        let facts = Facts::read(&git).expect("git runs").expect("a repository");
        assert_eq!(facts.default_branch, "develop");
        assert_eq!((facts.branch, facts.upstream), (None, None));
    }
}
