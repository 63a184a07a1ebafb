//! What shells complete beyond flags: the names of the project's jobs.

use std::path::PathBuf;

use clap::Parser as _;
use clap_complete::CompletionCandidate;

use super::{
    args::{Arguments, Color, Command, SourceKind},
    planned::Planned,
    project::Project,
    settings,
};
use crate::report::Printer;

/// The jobs of the pipeline of a push, each with its stage. Where there is no pipeline there is nothing to
/// complete, and nothing is said: the user is in the middle of a line.
pub(super) fn job_names() -> Vec<CompletionCandidate> {
    let Ok(project) = Project::open(&folder()) else { return Vec::new() };
    let typed = Arguments::try_parse_from(["podline", "plan", "--offline"]);
    let Ok(Arguments { command: Command::Plan(plan), .. }) = typed else { return Vec::new() };
    let printer = Printer::new(&settings::surroundings(Color::Never, None));
    let planned = Planned::new(&project, &plan.pipeline, SourceKind::Worktree, 1, &printer);
    let jobs = planned.ok().and_then(|planned| planned.pipeline).map(|pipeline| pipeline.jobs);
    let candidate = |(name, stage): (String, String)| {
        CompletionCandidate::new(name).help(Some(format!("job of stage {stage}").into()))
    };
    jobs.unwrap_or_default().into_iter().map(|job| candidate((job.name, job.stage))).collect()
}

/// What `-C` says on the line that is completed.
fn folder() -> PathBuf {
    let mut words = std::env::args_os().skip_while(|word| word != "-C" && word != "--directory");
    words.nth(1).map_or_else(|| PathBuf::from("."), PathBuf::from)
}
