//! The engines that the fixtures run on.

use std::path::PathBuf;

use crate::support::{Project, Run, cluster};

/// An engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    /// The kind cluster that all tests share.
    Kind,
    /// This machine, with the images of its Docker.
    Embedded,
}

impl Engine {
    /// What it lacks here.
    pub(crate) fn missing(self) -> Option<&'static str> {
        match self {
            Self::Kind => (!cluster::is_up()).then_some("there is no cluster"),
            Self::Embedded if !cfg!(target_os = "linux") => Some("the embedded engine runs on Linux only"),
            Self::Embedded => {
                cluster::missing().map(|_| "the images of the jobs come from Docker, which does not answer")
            }
        }
    }

    /// Runs a project.
    pub(crate) fn run(self, project: &Project, arguments: &[&str]) -> Run {
        let name = cluster::name();
        let mut all = vec!["run", "--format", "json"];
        match self {
            Self::Kind => all.extend(["--engine", "kind", "--cluster", &name]),
            Self::Embedded => all.extend(["--engine", "embedded"]),
        }
        all.extend(arguments);
        let podline = project.podline(&all);
        Run::new(match self {
            Self::Kind => podline.run(),
            // the images are unpacked once, and not among those of the user
            Self::Embedded => {
                podline.env("PODLINE_CACHE", folder("cache")).env("PODLINE_STATE", folder("state")).run()
            }
        })
    }
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("embedded").join(name)
}
