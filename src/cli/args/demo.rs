//! `--step`, `--narrate` and `--speed`.

use clap::{Args, ValueEnum};

/// The heading of the help: what is said to who looks on.
const DEMO: &str = "Demo";

/// What is said to who looks on.
#[derive(Debug, Clone, Default, Args)]
pub struct DemoArguments {
    /// Stop before each stage and each job, say what comes next and why, and wait for Enter.
    #[arg(help_heading = DEMO, long, conflicts_with_all = ["shell_on_failure", "watch"])]
    pub step: bool,
    /// Say what is asked of Kubernetes, with the `kubectl` command that shows the same.
    #[arg(help_heading = DEMO, long)]
    pub narrate: bool,
    /// Wait a while before each stage and each job; jobs themselves take as long as ever.
    #[arg(help_heading = DEMO, long, value_name = "SPEED")]
    pub speed: Option<Speed>,
}

/// `--speed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Speed {
    /// 4 seconds: time to explain.
    Slow,
    /// 1.5 seconds: time to read.
    Normal,
    /// No wait, as without the flag.
    Fast,
}
