//! From the command line and git facts to what a pipeline is created for.

use indexmap::IndexMap;

use super::{
    Failed,
    args::PipelineArguments,
    event,
    project::{CONFIGURATION, Project},
    variables,
};
use crate::pipeline::{
    Context,
    context::{Commit, Project as ProjectContext},
};

/// The context of the pipeline that the user asks for. `number` is its `CI_PIPELINE_ID`.
///
/// # Errors
/// When flags do not fit the event or the repository, or a file of variables cannot be used.
pub fn context(project: &Project, arguments: &PipelineArguments, number: u64) -> Result<Context, Failed> {
    let (facts, head) = (&project.facts, &project.head);
    Ok(Context {
        event: event::event(project, &arguments.event)?,
        commit: Commit {
            sha: head.sha.clone(),
            message: head.message.clone(),
            author: head.author.clone(),
            timestamp: head.timestamp.clone(),
        },
        project: ProjectContext {
            path: facts.project.path.clone(),
            host: facts.project.host.clone(),
            default_branch: facts.default_branch.clone(),
            config_path: arguments.file.clone().unwrap_or_else(|| CONFIGURATION.to_owned()),
            user: facts.user.clone(),
        },
        pipeline_variables: arguments.variables.iter().cloned().collect::<IndexMap<_, _>>(),
        settings: variables::read(project, arguments)?,
        created_at: jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        pipeline_id: number,
        parent: None,
    })
}
