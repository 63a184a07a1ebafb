//! How a run is shown.

use clap::ValueEnum;

use super::{Format, RunArguments};

impl RunArguments {
    /// How the run is to be shown, where the command line says so.
    pub fn output(&self) -> Option<OutputKind> {
        let format = |format| match format {
            Format::Json => Some(OutputKind::Json),
            Format::Text => None,
        };
        self.output.or(self.format.and_then(format)).or(self.plain.then_some(OutputKind::Plain))
    }
}

/// `--output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OutputKind {
    /// A view that moves.
    Live,
    /// One line per event.
    Plain,
    /// One JSON object per event, on stdout.
    Json,
    /// A log of GitHub Actions: a group per job, annotations of failures.
    Github,
}
