use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use super::*;

struct Repository {
    folder: tempfile::TempDir,
    git: Git,
}

impl Repository {
    /// `kept`, `changed`, `deleted`, `run.sh` and a link, committed; then changed.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let git = Git::at(folder.path());
        let repository = Self { folder, git };
        repository.git(&["init", "-q", "-b", "main"]);
        repository.git(&["config", "user.name", "Somebody"]);
        repository.git(&["config", "user.email", "somebody@example.com"]);
        for name in ["kept", "changed", "deleted", "run.sh", "folder/deep"] {
            repository.write(name, name);
        }
        repository.write(".gitignore", "ignored\n");
        let script = repository.folder.path().join("run.sh");
        fs::set_permissions(script, fs::Permissions::from_mode(0o700)).expect("a mode");
        std::os::unix::fs::symlink("kept", repository.folder.path().join("link")).expect("a link");
        repository.git(&["add", "-A"]);
        repository.git(&["commit", "-q", "-m", "first"]);
        repository.write("changed", "other");
        repository.write("new", "new");
        repository.write("ignored", "ignored");
        fs::remove_file(repository.folder.path().join("deleted")).expect("a file");
        repository
    }

    fn git(&self, words: &[&str]) -> String {
        self.git.run(words).expect("git")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    fn pack(&self, choice: SourceChoice, reference: &str, into: &Path) -> Sources {
        self.pack_with(None, choice, reference, into)
    }

    fn pack_with(
        &self,
        submodules: Option<Submodules>,
        choice: SourceChoice,
        reference: &str,
        into: &Path,
    ) -> Sources {
        let checkout = Checkout {
            commit: self.git(&["rev-parse", "HEAD"]),
            reference: reference.to_owned(),
            remote_url: "https://gitlab.com/group/project.git".to_owned(),
            depth: Some(DEPTH),
            has_files: true,
            submodules,
            project_dir: "/builds/group/project".to_owned(),
            time: 1_700_000_000,
        };
        pack(&self.git, choice, &checkout, into).expect("sources")
    }
}

/// Packs and unpacks, as a helper container would.
fn unpacked(repository: &Repository, choice: SourceChoice) -> (tempfile::TempDir, Git, Sources) {
    unpacked_of(repository, choice, "refs/remotes/origin/main")
}

fn unpacked_of(
    repository: &Repository,
    choice: SourceChoice,
    reference: &str,
) -> (tempfile::TempDir, Git, Sources) {
    let folder = tempfile::tempdir().expect("a folder");
    let tar = folder.path().join("sources.tar");
    let sources = repository.pack(choice, reference, &tar);
    let done = Command::new("tar").arg("-xpf").arg(&tar).arg("-C").arg(folder.path()).output();
    assert!(done.expect("tar").status.success());
    let git = Git::at(folder.path().join("builds/group/project"));
    (folder, git, sources)
}

#[test]
fn the_working_tree_comes_with_what_is_not_committed() {
    let (_folder, git, sources) = unpacked(&Repository::new(), SourceChoice::WorkingTree);
    let names: Vec<&str> = sources.files.iter().map(String::as_str).collect();
    assert_eq!(names, [".gitignore", "changed", "folder/deep", "kept", "link", "new", "run.sh"]);
    assert_eq!(git.run(&["status", "--short"]).expect("git"), " M changed\n D deleted\n?? new");
}

#[test]
fn the_commit_comes_without_what_is_not_committed() {
    let (_folder, git, sources) = unpacked(&Repository::new(), SourceChoice::Head);
    assert!(sources.files.contains("deleted") && !sources.files.contains("new"));
    assert_eq!(git.run(&["status", "--short"]).expect("git"), "");
}

#[test]
fn git_knows_at_once_which_files_have_changed() {
    let repository = Repository::new();
    for (choice, changed) in [(SourceChoice::WorkingTree, "changed\ndeleted"), (SourceChoice::Head, "")] {
        let (_folder, git, _) = unpacked(&repository, choice);
        let ask = |words: &[&str]| git.run(words).expect("git");
        // Neither looks into files.
        assert_eq!(ask(&["diff-index", "--name-only", "HEAD"]), changed, "{choice:?}");
        assert_eq!(ask(&["diff-files", "--name-only"]), changed, "{choice:?}");
        fs::write(git.folder().join("kept"), "KEPT").expect("a file");
        assert!(ask(&["diff-index", "--name-only", "HEAD"]).contains("kept"), "of the same size");
    }
}

#[test]
fn it_is_a_checkout_as_the_runner_leaves_it() {
    let repository = Repository::new();
    for number in 0..30 {
        repository.git(&["commit", "-q", "--allow-empty", "-m", &number.to_string()]);
    }
    let (_folder, git, _) = unpacked(&repository, SourceChoice::WorkingTree);
    let ask = |words: &[&str]| git.run(words).expect("git");
    assert_eq!(ask(&["rev-parse", "HEAD"]), repository.git(&["rev-parse", "HEAD"]));
    assert_eq!(ask(&["rev-parse", "--abbrev-ref", "HEAD"]), "HEAD", "detached");
    assert_eq!(ask(&["rev-parse", "origin/main"]), repository.git(&["rev-parse", "HEAD"]));
    assert_eq!(ask(&["remote", "get-url", "origin"]), "https://gitlab.com/group/project.git");
    assert_eq!(ask(&["rev-list", "--count", "HEAD"]), "20");
    assert_eq!(ask(&["fsck"]), "");
    let mode = |name: &str| {
        let found = fs::symlink_metadata(git.folder().join(name)).expect("a file");
        found.permissions().mode() & 0o777
    };
    assert_eq!((mode("kept"), mode("run.sh"), mode("folder")), (0o666, 0o777, 0o777));
    assert_eq!(fs::read_link(git.folder().join("link")).expect("a link"), Path::new("kept"));
}

#[test]
fn an_annotated_tag_is_checked_out_at_its_commit() {
    let repository = Repository::new();
    repository.git(&["tag", "-a", "v1", "-m", "first"]);
    repository.git(&["tag", "same"]);
    let (_folder, git, _) = unpacked_of(&repository, SourceChoice::Head, "refs/tags/v1");
    assert_eq!(git.run(&["tag", "--points-at", "HEAD"]).expect("git"), "same\nv1");
}

#[test]
fn the_archive_has_no_end_and_is_the_same_each_time() {
    let repository = Repository::new();
    let folder = tempfile::tempdir().expect("a folder");
    let (first, second) = (folder.path().join("1"), folder.path().join("2"));
    repository.pack(SourceChoice::WorkingTree, "refs/remotes/origin/main", &first);
    repository.pack(SourceChoice::WorkingTree, "refs/remotes/origin/main", &second);
    let first = fs::read(first).expect("an archive");
    assert_eq!(first, fs::read(second).expect("an archive"));
    assert!(first.ends_with(&[0]) && first.len() % 512 == 0);
    assert!(first[first.len() - 512..] != [0; 512], "another archive can follow");
}

#[test]
fn a_submodule_is_an_empty_folder() {
    let repository = Repository::new();
    let inner = Repository::new();
    let url = inner.folder.path().to_string_lossy().into_owned();
    repository.git(&["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &url, "inner"]);
    repository.git(&["commit", "-q", "-m", "submodule"]);
    let (_folder, git, sources) = unpacked(&repository, SourceChoice::WorkingTree);
    assert_eq!(sources.empty, ["inner"]);
    assert_eq!(fs::read_dir(git.folder().join("inner")).expect("a folder").count(), 0);
}

/// A repository with the submodule `lib/inner`, which has the submodule `deep`.
struct Nested {
    outer: Repository,
    _others: [Repository; 2],
}

impl Nested {
    fn new() -> Self {
        let (outer, inner, deep) = (Repository::new(), Repository::new(), Repository::new());
        let add = |to: &Repository, of: &Repository, path: &str| {
            let url = of.folder.path().to_string_lossy().into_owned();
            let allow = "protocol.file.allow=always";
            to.git(&["-c", allow, "submodule", "--quiet", "add", "--name", "the name", &url, path]);
            to.git(&["commit", "-q", "-m", "submodule"]);
        };
        add(&inner, &deep, "deep");
        add(&outer, &inner, "lib/inner");
        let nested = Self { outer, _others: [inner, deep] };
        let allow = "protocol.file.allow=always";
        nested.outer.git(&["-c", allow, "submodule", "--quiet", "update", "--init", "--recursive"]);
        nested
    }

    fn unpacked(&self, recursive: bool, choice: SourceChoice) -> (tempfile::TempDir, Git, Sources) {
        let folder = tempfile::tempdir().expect("a folder");
        let tar = folder.path().join("sources.tar");
        let wanted = Submodules { depth: Some(1), recursive, paths: Vec::new() };
        let sources = self.outer.pack_with(Some(wanted), choice, "refs/remotes/origin/main", &tar);
        let done = Command::new("tar").arg("-xpf").arg(&tar).arg("-C").arg(folder.path()).output();
        assert!(done.expect("tar").status.success());
        let git = Git::at(folder.path().join("builds/group/project"));
        (folder, git, sources)
    }
}

#[test]
fn submodules_come_from_the_user_s_own_checkout() {
    let nested = Nested::new();
    nested.outer.write("lib/inner/kept", "changed here");
    for (choice, kept, changed) in
        [(SourceChoice::WorkingTree, "changed here", " M kept"), (SourceChoice::Head, "kept", "")]
    {
        let (_folder, git, sources) = nested.unpacked(true, choice);
        assert_eq!(sources.submodules, ["lib/inner", "lib/inner/deep"], "{choice:?}");
        assert!(sources.empty.is_empty(), "{choice:?}");
        let inner = Git::at(git.folder().join("lib/inner"));
        let ask = |git: &Git, words: &[&str]| git.run(words).expect("git");
        assert_eq!(fs::read_to_string(inner.folder().join("kept")).expect("a file"), kept);
        assert_eq!(ask(&inner, &["status", "--short"]), changed, "{choice:?}");
        assert_eq!(ask(&inner, &["rev-list", "--count", "HEAD"]), "1", "GIT_SUBMODULE_DEPTH");
        assert_eq!(ask(&inner, &["rev-parse", "--abbrev-ref", "HEAD"]), "HEAD", "detached");
        let states = ask(&git, &["submodule", "status", "--recursive"]);
        assert!(states.lines().all(|line| line.starts_with(' ')), "{states}");
        assert_eq!(states.lines().count(), 2, "{states}");
        assert!(inner.folder().join("deep/kept").exists());
        assert_eq!(ask(&git, &["fsck"]), "");
    }
}

#[test]
fn only_a_recursive_strategy_goes_deeper() {
    let (_folder, git, sources) = Nested::new().unpacked(false, SourceChoice::WorkingTree);
    assert_eq!(
        (sources.submodules, sources.empty),
        (vec!["lib/inner".to_owned()], vec!["lib/inner/deep".to_owned()])
    );
    assert_eq!(fs::read_dir(git.folder().join("lib/inner/deep")).expect("a folder").count(), 0);
}

#[test]
fn a_submodule_without_checkout_comes_from_what_git_has_kept_of_it() {
    let nested = Nested::new();
    nested.outer.git(&["submodule", "--quiet", "deinit", "--force", "lib/inner"]);
    let (_folder, git, sources) = nested.unpacked(false, SourceChoice::WorkingTree);
    assert_eq!(sources.submodules, ["lib/inner"]);
    assert_eq!(fs::read_to_string(git.folder().join("lib/inner/kept")).expect("a file"), "kept");

    fs::remove_dir_all(nested.outer.folder.path().join(".git/modules")).expect("a folder");
    let (_folder, git, sources) = nested.unpacked(false, SourceChoice::WorkingTree);
    assert_eq!((sources.submodules, sources.empty), (Vec::new(), vec!["lib/inner".to_owned()]));
    assert_eq!(fs::read_dir(git.folder().join("lib/inner")).expect("a folder").count(), 0);
}

#[test]
fn a_commit_that_is_not_there_is_an_error_that_says_so() {
    let repository = Repository::new();
    let folder = tempfile::tempdir().expect("a folder");
    let checkout = Checkout {
        commit: "0123456789012345678901234567890123456789".to_owned(),
        reference: "refs/remotes/origin/main".to_owned(),
        remote_url: String::new(),
        depth: None,
        has_files: true,
        submodules: None,
        project_dir: "/builds/group/project".to_owned(),
        time: 0,
    };
    let error = pack(&repository.git, SourceChoice::WorkingTree, &checkout, &folder.path().join("tar"));
    let message = error.expect_err("there is none").to_string();
    assert!(message.contains("not our ref"), "{message}");
}
