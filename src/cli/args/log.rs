//! Arguments of `podline log`.

use clap::Args;
use clap_complete::ArgValueCandidates;

use crate::cli::completion;

/// `podline log`.
#[derive(Debug, Args)]
pub struct LogArguments {
    /// The job; the jobs of the run are listed unless given.
    #[arg(add = ArgValueCandidates::new(completion::job_names))]
    pub job: Option<String>,
    /// Follow the trace of a job that runs, to its end.
    #[arg(short, long, requires = "job")]
    pub follow: bool,
    /// The number of the run; the last one unless given.
    #[arg(long, value_name = "RUN")]
    pub run: Option<u64>,
}
