//! What explains a pipeline without running it.

use clap::{Args, ValueEnum};
use clap_complete::ArgValueCandidates;

use super::{Format, PipelineArguments, RunnerArguments};
use crate::cli::completion;

/// `podline explain`.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// The job: its key, or one instance of it.
    #[arg(add = ArgValueCandidates::new(completion::job_names))]
    pub job: String,
    #[command(flatten)]
    pub pipeline: PipelineArguments,
    #[command(flatten)]
    pub runner: RunnerArguments,
    /// Text or JSON.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
}

/// `podline graph`.
#[derive(Debug, Args)]
pub struct GraphArguments {
    #[command(flatten)]
    pub pipeline: PipelineArguments,
    /// The language of the picture.
    #[arg(long, value_name = "FORMAT", default_value = "mermaid")]
    pub format: GraphFormat,
}

/// `podline graph --format`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum GraphFormat {
    /// Mermaid, which GitLab shows in Markdown.
    Mermaid,
    /// Graphviz.
    Dot,
    /// A picture for browsers.
    Svg,
}

/// `podline eval`.
#[derive(Debug, Args)]
pub struct EvalArguments {
    /// The expression.
    pub expression: String,
    #[command(flatten)]
    pub pipeline: PipelineArguments,
    /// Text or JSON.
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub format: Format,
    /// Exit with 1 when the expression is false.
    #[arg(long)]
    pub exit_code: bool,
}
