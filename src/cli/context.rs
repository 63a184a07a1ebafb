//! From the command line and git facts to what a pipeline is created for.

use indexmap::IndexMap;

use super::{
    Failed,
    args::{EventKind, PipelineArguments},
    project::{CONFIGURATION, Project},
    variables,
};
use crate::{
    pipeline::{
        Context, Event,
        context::{Commit, MergeRequest, Project as ProjectContext},
    },
    report::Problem,
};

/// The context of the pipeline that the user asks for. `number` is its `CI_PIPELINE_ID`.
///
/// # Errors
/// When a tag pipeline has no tag.
pub fn context(project: &Project, arguments: &PipelineArguments, number: u64) -> Result<Context, Failed> {
    let (facts, head) = (&project.facts, &project.head);
    Ok(Context {
        event: event(project, arguments)?,
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

fn event(project: &Project, arguments: &PipelineArguments) -> Result<Event, Failed> {
    let facts = &project.facts;
    let named = arguments.branch.clone().or_else(|| facts.branch.clone());
    // a detached HEAD, as in a CI service, says nothing of the branch
    let branch = named.unwrap_or_else(|| facts.default_branch.clone());
    let kind = if arguments.tag.is_some() { EventKind::Tag } else { arguments.event };
    Ok(match kind {
        EventKind::Push => Event::Push { before: before(project, &branch), branch },
        EventKind::Tag => tag(project, arguments.tag.as_deref())?,
        EventKind::MergeRequest => Event::MergeRequest(merge_request(project, branch)),
        EventKind::Schedule => Event::Schedule { branch },
        EventKind::Web => Event::Web { branch },
        EventKind::Api => Event::Api { branch },
        EventKind::Trigger => Event::Trigger { branch },
    })
}

/// The commit that the branch has on the server before the push. Where there is nothing to push, the last
/// commit counts as what is pushed, so that `rules:changes` has something to look at.
fn before(project: &Project, branch: &str) -> Option<String> {
    let facts = &project.facts;
    if facts.branch.as_deref() != Some(branch) {
        return project.git.commit_of(&format!("origin/{branch}")).ok().flatten();
    }
    let upstream = facts.upstream.clone()?;
    let is_pushed = upstream == project.head.sha && !facts.is_modified && facts.untracked.is_empty();
    if is_pushed { project.git.commit_of("HEAD^").ok().flatten() } else { Some(upstream) }
}

fn tag(project: &Project, named: Option<&str>) -> Result<Event, Failed> {
    let Some(tag) = named.or_else(|| project.head.tags.first().map(String::as_str)) else {
        let problem = Problem::new("the commit that is checked out has no tag");
        return Err(Failed::usage(problem.help("name the tag that would be pushed with `--tag NAME`")));
    };
    Ok(Event::Tag { tag: tag.to_owned(), message: project.git.tag_message(tag).unwrap_or_default() })
}

fn merge_request(project: &Project, source_branch: String) -> MergeRequest {
    let target_branch = project.facts.default_branch.clone();
    let target = project.git.commit_of(&format!("origin/{target_branch}")).ok().flatten();
    let target = target.or_else(|| project.git.commit_of(&target_branch).ok().flatten());
    let diff_base = target.and_then(|target| project.git.run(&["merge-base", "HEAD", &target]).ok());
    let title = project.head.message.lines().next().unwrap_or_default().to_owned();
    MergeRequest { iid: 1, source_branch, target_branch, diff_base, title, labels: Vec::new(), draft: false }
}
