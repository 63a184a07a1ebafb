//! A project in a temporary folder, a `podline` command in it, and what the user sees.

pub(crate) mod chromium;
pub(crate) mod cluster;
pub(crate) mod engine;
pub(crate) mod lab;
#[cfg(unix)]
pub(crate) mod pty;
mod run;
pub(crate) mod wire;

pub(crate) use run::Run;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// A project: a git repository in a temporary folder with one commit.
pub(crate) struct Project {
    folder: tempfile::TempDir,
}

impl Project {
    /// A copy of `fixtures/<name>`.
    pub(crate) fn fixture(name: &str) -> Self {
        let project = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name), &project.path().join(name));
        project.renamed(name)
    }

    /// A project whose `.gitlab-ci.yml` is this text.
    pub(crate) fn with(configuration: &str) -> Self {
        let project = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        fs::create_dir(project.path().join("demo")).expect("a folder can be made");
        let project = project.in_folder("demo");
        project.write(".gitlab-ci.yml", configuration);
        project.commit()
    }

    /// A copy of any folder.
    pub(crate) fn copy_of(folder: &Path) -> Self {
        let name = folder.file_name().and_then(|name| name.to_str()).expect("a folder has a name");
        let project = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        copy(folder, &project.path().join(name));
        project.renamed(name)
    }

    fn renamed(self, name: &str) -> Self {
        self.in_folder(name).commit()
    }

    fn in_folder(self, name: &str) -> Self {
        // the project's own folder is always called the same, whatever the temporary one is
        fs::rename(self.folder.path().join(name), self.folder.path().join("project"))
            .expect("a folder can be renamed");
        self
    }

    fn commit(self) -> Self {
        for arguments in [
            &["init", "--quiet", "--initial-branch", "main"][..],
            &["add", "--all"],
            &["commit", "--quiet", "--allow-empty", "--message", "first"],
        ] {
            self.git(arguments);
        }
        self
    }

    /// Runs git in the project.
    pub(crate) fn git(&self, arguments: &[&str]) {
        let status = Command::new("git")
            .current_dir(self.path())
            .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com"])
            .args(arguments)
            .env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z")
            .env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .status()
            .expect("git can be started");
        assert!(status.success(), "git {arguments:?}");
    }

    /// Its folder.
    pub(crate) fn path(&self) -> PathBuf {
        let project = self.folder.path().join("project");
        if project.is_dir() { project } else { self.folder.path().to_owned() }
    }

    /// Writes a file, with the folders on the way to it.
    pub(crate) fn write(&self, path: &str, text: &str) -> &Self {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("a file is in a folder")).expect("folders can be made");
        fs::write(path, text).expect("a file can be written");
        self
    }
    /// The text of a file.
    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).expect("a file can be read")
    }

    /// A `podline` command here.
    pub(crate) fn podline(&self, arguments: &[&str]) -> Podline {
        self.podline_at(Path::new(env!("CARGO_BIN_EXE_podline")), arguments)
    }

    /// A command of a copy of `podline`.
    pub(crate) fn podline_at(&self, program: &Path, arguments: &[&str]) -> Podline {
        let mut command = Command::new(program);
        command.current_dir(self.path()).args(arguments).stdin(Stdio::null());
        for name in ["CI", "NO_COLOR", "CLICOLOR_FORCE", "KUBECONFIG"] {
            command.env_remove(name);
        }
        command.env("TERM", "dumb").env("GIT_CONFIG_GLOBAL", "/dev/null");
        Podline { command }
    }
}

/// A `podline` command about to be started.
pub(crate) struct Podline {
    command: Command,
}

impl Podline {
    /// Sets a variable of its environment.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<std::ffi::OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Has another user run it: only root can.
    #[cfg(unix)]
    pub(crate) fn by(mut self, user: u32) -> Self {
        use std::os::unix::process::CommandExt as _;

        self.command.uid(user).gid(user);
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(mut self) -> Seen {
        Seen::of(&self.command.output().expect("podline can be started"))
    }

    /// Starts it, its output going to pipes.
    pub(crate) fn start(mut self) -> std::process::Child {
        self.command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("podline can be started")
    }
}

/// What the user sees.
#[derive(Debug)]
pub(crate) struct Seen {
    /// The exit code.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Seen {
    /// What a command that has ended showed.
    pub(crate) fn of(output: &Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Fails with everything that was seen unless the exit code is this one.
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }
}

impl std::fmt::Display for Seen {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let code = self.code.map_or("killed".to_owned(), |code| code.to_string());
        write!(formatter, "exit code: {code}")?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !text.is_empty() {
                write!(formatter, "\n----- {name} -----\n{}", text.trim_end())?;
            }
        }
        Ok(())
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("a folder can be listed") {
        let entry = entry.expect("a folder can be listed");
        let target = to.join(entry.file_name());
        if entry.file_name() == ".podline" {
            continue;
        }
        if entry.file_type().expect("a file has a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a file can be copied");
        }
    }
}
