//! Includes from elsewhere: a git server, checkouts that are mapped, files by HTTP.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::PathBuf,
    process::Command,
    sync::{Arc, Mutex},
    thread,
};

use crate::support::{Podline, Project};

/// A git server of the host `gitlab.example.com`: bare repositories, and a git configuration that leads there.
struct Server {
    folder: tempfile::TempDir,
}

impl Server {
    fn new() -> Self {
        let server = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let root = server.folder.path().display();
        std::fs::write(
            server.configuration(),
            format!(
                "[url \"file://{root}/\"]\n  insteadOf = https://gitlab.example.com/\n  insteadOf = https://gitlab.com/\n\
                 [uploadpack]\n  allowFilter = true\n  allowAnySHA1InWant = true\n"
            ),
        )
        .expect("a file can be written");
        server
    }

    fn configuration(&self) -> PathBuf {
        self.folder.path().join("gitconfig")
    }

    /// Commits files, each `path` with its text, to a project's branch `main`; tags the commit.
    fn commit(&self, project: &str, tag: &str, files: &[(&str, &str)]) {
        let bare = self.folder.path().join(format!("{project}.git"));
        let work = self.folder.path().join("work").join(project);
        if !bare.exists() {
            git(self.folder.path(), &["init", "-q", "--bare", "-b", "main", &bare.to_string_lossy()]);
            git(self.folder.path(), &["init", "-q", "-b", "main", &work.to_string_lossy()]);
        }
        for (path, text) in files {
            let path = work.join(path);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("folders can be made");
            std::fs::write(path, text).expect("a file can be written");
        }
        git(&work, &["add", "--all"]);
        git(&work, &["commit", "-q", "--allow-empty", "-m", tag]);
        git(&work, &["tag", tag]);
        git(&work, &["push", "-q", &bare.to_string_lossy(), "main", tag]);
    }

    /// Takes a project away.
    fn remove(&self, project: &str) {
        std::fs::remove_dir_all(self.folder.path().join(format!("{project}.git"))).expect("it is there");
    }

    /// A project whose `origin` is on this server.
    fn project(&self, configuration: &str) -> Project {
        let project = Project::with(configuration);
        project.git(&["remote", "add", "origin", "https://gitlab.example.com/group/app.git"]);
        project
    }

    /// A command whose git finds this server.
    fn podline(&self, project: &Project, arguments: &[&str]) -> Podline {
        project.podline(arguments).env("GIT_CONFIG_GLOBAL", self.configuration())
    }

    /// The effective configuration, without a word about it.
    fn config(&self, project: &Project, arguments: &[&str]) -> String {
        let arguments: Vec<_> = ["config"].iter().chain(arguments).copied().collect();
        let seen = self.podline(project, &arguments).run().expect(0);
        assert_eq!(seen.stderr, "");
        seen.stdout
    }

    /// What is said of the configuration, without what differs from one machine to the next.
    fn lint(&self, project: &Project, arguments: &[&str], code: i32) -> String {
        let arguments: Vec<_> = ["lint"].iter().chain(arguments).copied().collect();
        let seen = self.podline(project, &arguments).run().expect(code);
        let root = self.folder.path().display().to_string();
        seen.to_string().replace(&root, "ROOT")
    }
}

fn git(folder: &std::path::Path, arguments: &[&str]) {
    let status = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
        .args(arguments)
        .env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z")
        .env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .status();
    assert!(status.expect("git can be started").success(), "git {arguments:?}");
}

#[test]
fn files_of_other_projects_come_from_the_projects_own_server() {
    let server = Server::new();
    server.commit(
        "group/ci",
        "v1",
        &[
            ("main.yml", "include: 'parts/*.yml'\nmain: {script: one}\n"),
            ("parts/a.yml", "a: {script: one}\n"),
        ],
    );
    server.commit("group/ci", "v2", &[("main.yml", "main: {script: two}\n")]);
    let project = server.project(
        "include:\n  - {project: group/ci, ref: v1, file: main.yml}\n  - {project: group/ci, file: [main.yml]}\n",
    );
    let expected = "a:\n  script: one\nmain:\n  script: two\n";
    assert_eq!(server.config(&project, &[]), expected);
    // what was fetched is there without the server as well
    server.remove("group/ci");
    assert_eq!(server.config(&project, &["--offline"]), expected);
}

#[test]
fn a_branch_is_asked_for_anew_unless_offline() {
    let server = Server::new();
    server.commit("group/ci", "v1", &[("main.yml", "main: {script: one}\n")]);
    let project = server.project("include: {project: group/ci, ref: main, file: main.yml}\n");
    assert_eq!(server.config(&project, &[]), "main:\n  script: one\n");
    server.commit("group/ci", "v2", &[("main.yml", "main: {script: two}\n")]);
    assert_eq!(server.config(&project, &["--offline"]), "main:\n  script: one\n");
    assert_eq!(server.config(&project, &[]), "main:\n  script: two\n");
}

#[test]
fn where_the_server_is_gone_what_was_fetched_is_taken_and_said_so() {
    let server = Server::new();
    server.commit("group/ci", "v1", &[("main.yml", "main: {script: one}\n")]);
    let project = server.project("include: {project: group/ci, file: main.yml}\n");
    server.config(&project, &[]);
    server.remove("group/ci");
    insta::assert_snapshot!(server.lint(&project, &[], 0));
}

#[test]
fn a_component_is_the_newest_version_that_fits_and_knows_itself() {
    let server = Server::new();
    let component = |version: &str| {
        format!(
            "spec:\n  component: [name, version, reference]\n  inputs: {{stage: {{default: test}}}}\n---\n\
             include: /templates/part.yml\n\
             check:\n  stage: $[[ inputs.stage ]]\n  script: {version} $[[ component.name ]] $[[ component.version ]] $[[ component.reference ]]\n"
        )
    };
    for version in ["1.0.0", "1.1.0", "2.0.0-rc.1"] {
        let text = component(version);
        let files = [
            ("templates/check.yml", text.as_str()),
            ("templates/deep/template.yml", "deep: {script: x}\n"),
            ("templates/part.yml", "part: {script: x}\n"),
        ];
        server.commit("components/lint", version, &files);
    }
    let project = server.project(
        "include:\n  - {component: $CI_SERVER_FQDN/components/lint/check@1, inputs: {stage: build}}\n  \
         - {component: gitlab.com/components/lint/deep@~latest}\n",
    );
    insta::assert_snapshot!(server.config(&project, &[]), @r###"
    part:
      script: x
    check:
      stage: build
      script: 1.1.0 check 1.1.0 1
    deep:
      script: x
    "###);
    server.remove("components/lint");
    assert!(server.config(&project, &["--offline"]).contains("1.1.0 check 1.1.0 1"));
}

#[test]
fn a_template_comes_from_gitlabs_own_project() {
    let server = Server::new();
    let file = "lib/gitlab/ci/templates/Jobs/Test.gitlab-ci.yml";
    server.commit("gitlab-org/gitlab", "v1", &[(file, "test: {script: x}\n")]);
    let project = server.project("include: {template: Jobs/Test.gitlab-ci.yml}\n");
    assert_eq!(server.config(&project, &[]), "test:\n  script: x\n");
}

#[test]
fn a_mapped_checkout_comes_before_the_server() {
    let server = Server::new();
    server.commit("group/ci", "v1", &[("main.yml", "main: {script: one}\n")]);
    server.commit("group/ci", "v2", &[("main.yml", "main: {script: two}\n")]);
    let checkout = server.folder.path().join("work/group/ci");
    std::fs::write(checkout.join("main.yml"), "main: {script: changed}\n").expect("a file can be written");
    let project = server.project("include: {project: group/ci, ref: $REF, file: main.yml}\n");
    server.remove("group/ci");
    let all = server.folder.path().join("work/group");
    let one = format!("group/ci={}", checkout.display());
    let group = format!("group/*={}", all.display());
    let read = |map: &str, reference: &str| {
        server.config(&project, &["--include-map", map, "--var", &format!("REF={reference}")])
    };
    assert_eq!(read(&one, "v1"), "main:\n  script: one\n");
    // what is checked out counts with its changes
    assert_eq!(read(&one, "main"), "main:\n  script: changed\n");
    assert_eq!(read(&group, "v2"), "main:\n  script: changed\n");
    let arguments = ["--include-map", &one, "--var", "REF=v9"];
    insta::assert_snapshot!("a_mapped_checkout_without_the_ref", server.lint(&project, &arguments, 0));
    let gone = ["--include-map", "group/ci=../nowhere", "--var", "REF=v1"];
    insta::assert_snapshot!("a_mapped_checkout_that_is_not_there", server.lint(&project, &gone, 0));
    project.write("podline.toml", &format!("[includes]\n\"group/ci\" = \"{}\"\n", checkout.display()));
    assert_eq!(server.config(&project, &["--var", "REF=v1"]), "main:\n  script: one\n");
}

const ALL_KINDS: &str = "include:
  - {project: group/ci, ref: v1, file: [main.yml, more.yml]}
  - {component: $CI_SERVER_FQDN/components/lint/check@1.0}
  - {template: Jobs/Test.gitlab-ci.yml}
  - {remote: 'http://127.0.0.1:1/ci.yml'}
check: {extends: .from-there, script: x}
test: {script: x}
";

#[test]
fn what_cannot_be_had_is_a_warning_with_the_ways_out() {
    let server = Server::new();
    let project = server.project(ALL_KINDS);
    insta::assert_snapshot!(server.lint(&project, &[], 0));
}

#[test]
fn what_was_never_fetched_is_not_there_offline() {
    let server = Server::new();
    let project = server.project(ALL_KINDS);
    insta::assert_snapshot!(server.lint(&project, &["--offline"], 0));
}

#[test]
fn what_the_server_certainly_lacks_is_an_error() {
    let server = Server::new();
    server.commit(
        "group/ci",
        "1.0.0",
        &[("main.yml", "main: {script: one}\n"), ("templates/a.yml", "a: {}\n")],
    );
    let project = server.project(
        "include:
  - {project: group/ci, ref: v9, file: main.yml}
  - {project: group/ci, file: gone.yml}
  - {project: ../group/ci, file: main.yml}
  - {component: $CI_SERVER_FQDN/group/ci/b@1}
  - {component: $CI_SERVER_FQDN/group/ci/a@2.0}
  - {component: group/ci}
",
    );
    insta::assert_snapshot!(server.lint(&project, &[], 2));
}

#[test]
fn places_name_the_project_and_the_ref() {
    let server = Server::new();
    server.commit("group/ci", "v1", &[("ci/main.yml", "main:\n  script: one\n  imag: x\n")]);
    let project = server.project("include: {project: group/ci, ref: v1, file: ci/main.yml}\n");
    insta::assert_snapshot!(server.lint(&project, &[], 2));
}

#[test]
fn a_link_and_a_big_file_of_a_project_are_not_followed() {
    let server = Server::new();
    server.commit("group/ci", "v1", &[("big.yml", &"# more than 2 MB\n".repeat(130_000))]);
    let work = server.folder.path().join("work/group/ci");
    std::os::unix::fs::symlink("/etc/hostname", work.join("link.yml")).expect("a link");
    std::os::unix::fs::symlink("/etc", work.join("folder")).expect("a link");
    server.commit("group/ci", "v2", &[]);
    let project = server.project(
        "include: {project: group/ci, file: [link.yml, folder/hostname.yml, big.yml]}\njob: {script: x}\n",
    );
    insta::assert_snapshot!("hostile_files_of_a_server", server.lint(&project, &[], 2));
    let map = format!("group/ci={}", work.display());
    insta::assert_snapshot!(
        "hostile_files_of_a_checkout",
        server.lint(&project, &["--include-map", &map], 2)
    );
}

#[test]
fn a_password_in_the_remote_is_not_shown() {
    let server = Server::new();
    let project = Project::with("include: {project: group/ci, file: main.yml}\n");
    project.git(&["remote", "add", "origin", "http://ada:s3cret@127.0.0.1:1/group/app.git"]);
    let seen = server.podline(&project, &["lint"]).run();
    assert!(seen.stderr.contains("http://127.0.0.1:1/group/ci.git"), "{seen}");
    assert!(!seen.to_string().contains("s3cret"), "{seen}");
}

/// Answers of an HTTP server by path: status and headers, and body.
type Answers = &'static [(&'static str, &'static str, &'static str)];

/// An HTTP server on this machine. It names what it was asked for.
struct Http {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Http {
    fn new(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("it listens"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        thread::spawn(move || {
            for connection in listener.incoming() {
                let Ok(mut connection) = connection else { return };
                let mut lines = BufReader::new(&connection).lines().map_while(Result::ok);
                let request = lines.next().unwrap_or_default();
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                while lines.next().is_some_and(|line| !line.is_empty()) {}
                drop(lines);
                let (_, head, body) =
                    answers.iter().find(|(known, ..)| *known == path).unwrap_or(&("", "404 Not Found", ""));
                seen.lock().expect("no panic").push(path);
                let length = body.len();
                let answer =
                    format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
                // a client that has gone away has what it wants
                drop(connection.write_all(answer.as_bytes()));
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("no panic"))
    }
}

#[test]
fn a_remote_file_is_fetched_kept_and_checked() {
    let http = Http::new(&[
        ("/a.yml", "200 OK", "a: {script: x}\n"),
        ("/moved.yml", "302 Found\r\nLocation: /a.yml", ""),
        ("/b.yml", "200 OK", "b: {script: x}\n"),
    ]);
    let at = &http.address;
    let digest = "sha256-xcPxeqgdhnkeuGxjNSMhTXZ8qe8xFJBZlkKxhJVWbQU=";
    let project =
        Project::with(&format!("include:\n  - {at}/moved.yml\n  - {{remote: '{at}/b.yml', cache: true}}\n"));
    let config = |arguments: &[&str]| {
        let arguments: Vec<_> = ["config"].iter().chain(arguments).copied().collect();
        project.podline(&arguments).run().expect(0).stdout
    };
    let expected = "a:\n  script: x\nb:\n  script: x\n";
    assert_eq!(config(&[]), expected);
    let mut asked = http.asked();
    asked.sort();
    assert_eq!(asked, ["/a.yml", "/b.yml", "/moved.yml"]);
    assert_eq!(config(&["--offline"]), expected);
    assert_eq!(http.asked(), [""; 0]);
    // `cache` spares the second question
    assert_eq!(config(&[]), expected);
    assert_eq!(http.asked(), ["/moved.yml", "/a.yml"]);
    project.write(".gitlab-ci.yml", &format!("include: {{remote: '{at}/a.yml', integrity: {digest}}}\n"));
    let seen = project.podline(&["lint"]).run().expect(2);
    assert!(seen.stderr.contains("not what `integrity` says"), "{seen}");
}

#[test]
fn what_a_remote_server_may_answer_else_is_a_warning() {
    let http = Http::new(&[
        ("/file.yml", "302 Found\r\nLocation: file:///etc/passwd", ""),
        ("/circle.yml", "302 Found\r\nLocation: /circle.yml", ""),
        ("/latin.yml", "200 OK", "a: {script: x}"),
    ]);
    let at = &http.address;
    let files = ["gone.yml", "file.yml", "circle.yml"].map(|file| format!("  - {at}/{file}\n")).concat();
    let project = Project::with(&format!("include:\n{files}job: {{script: x}}\n"));
    let seen = project.podline(&["lint"]).run().expect(0);
    insta::assert_snapshot!(seen.to_string().replace(at, "http://SERVER"));
}
