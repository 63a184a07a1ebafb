//! What starts the pipeline: the event, from flags and git facts.

use clap::ValueEnum as _;

use super::{
    Failed,
    args::{EventArguments, EventKind},
    project::Project,
};
use crate::{
    pipeline::{Event, context::MergeRequest},
    report::Problem,
};

/// The event that the user asks for.
///
/// # Errors
/// When flags do not go together, or name what the repository has not.
pub(super) fn event(project: &Project, arguments: &EventArguments) -> Result<Event, Failed> {
    let facts = &project.facts;
    let named = arguments.branch.clone().or_else(|| facts.branch.clone());
    // a detached HEAD, as in a CI service, says nothing of the branch
    let branch = named.unwrap_or_else(|| facts.default_branch.clone());
    let kind = kind(arguments)?;
    Ok(match kind {
        EventKind::Push => Event::Push { before: before(project, &branch), branch },
        EventKind::Tag => tag(project, arguments)?,
        EventKind::MergeRequest => Event::MergeRequest(merge_request(project, arguments, branch)?),
        EventKind::Schedule => Event::Schedule {
            branch,
            description: arguments.schedule_description.clone().unwrap_or_default(),
        },
        EventKind::Web => Event::Web { branch },
        EventKind::Api => Event::Api { branch },
        EventKind::Trigger => Event::Trigger { branch },
    })
}

/// The kind of event, once every flag fits it.
fn kind(arguments: &EventArguments) -> Result<EventKind, Failed> {
    let kind = match (arguments.event, &arguments.tag) {
        (Some(kind), _) => kind,
        (None, Some(_)) => EventKind::Tag,
        (None, None) => EventKind::Push,
    };
    let strangers: Vec<_> = given(arguments).into_iter().filter(|(_, of)| !of.contains(&kind)).collect();
    let Some((_, of)) = strangers.first() else { return Ok(kind) };
    let flags: Vec<_> = strangers.iter().map(|(flag, _)| format!("`--{flag}`")).collect();
    let have = if flags.len() == 1 { "has" } else { "have" };
    let message = format!("{} {have} no effect on a {} pipeline", flags.join(", "), words(kind));
    let help = match of {
        [one] => format!("add `--event {}`, or leave the flag away", name(*one)),
        _ => "leave the flag away".to_owned(),
    };
    Err(Failed::usage(Problem::new(message).help(help)))
}

/// The flags that were given and are for certain events only.
fn given(arguments: &EventArguments) -> Vec<(&'static str, &'static [EventKind])> {
    const MERGE_REQUEST: &[EventKind] = &[EventKind::MergeRequest];
    const TAG: &[EventKind] = &[EventKind::Tag];
    const BRANCH: &[EventKind] = &[
        EventKind::Push,
        EventKind::MergeRequest,
        EventKind::Schedule,
        EventKind::Web,
        EventKind::Api,
        EventKind::Trigger,
    ];
    let of = arguments;
    let all = [
        ("branch", of.branch.is_some(), BRANCH),
        ("tag", of.tag.is_some(), TAG),
        ("tag-message", of.tag_message.is_some(), TAG),
        ("schedule-description", of.schedule_description.is_some(), &[EventKind::Schedule]),
        ("target-branch", of.target_branch.is_some(), MERGE_REQUEST),
        ("mr-iid", of.mr_iid.is_some(), MERGE_REQUEST),
        ("mr-title", of.mr_title.is_some(), MERGE_REQUEST),
        ("mr-description", of.mr_description.is_some(), MERGE_REQUEST),
        ("mr-label", !of.mr_labels.is_empty(), MERGE_REQUEST),
        ("mr-assignee", !of.mr_assignees.is_empty(), MERGE_REQUEST),
        ("mr-milestone", of.mr_milestone.is_some(), MERGE_REQUEST),
        ("mr-draft", of.mr_draft, MERGE_REQUEST),
        ("mr-approved", of.mr_approved, MERGE_REQUEST),
        ("mr-squash", of.mr_squash, MERGE_REQUEST),
    ];
    all.into_iter().filter(|(_, is_given, _)| *is_given).map(|(flag, _, of)| (flag, of)).collect()
}

fn name(kind: EventKind) -> String {
    kind.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn words(kind: EventKind) -> String {
    name(kind).replace('_', " ")
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

fn tag(project: &Project, arguments: &EventArguments) -> Result<Event, Failed> {
    let named = arguments.tag.as_deref();
    let Some(tag) = named.or_else(|| project.head.tags.first().map(String::as_str)) else {
        let problem = Problem::new("the commit that is checked out has no tag");
        return Err(Failed::usage(problem.help("name the tag that would be pushed with `--tag NAME`")));
    };
    let message = arguments.tag_message.clone();
    let message = message.unwrap_or_else(|| project.git.tag_message(tag).unwrap_or_default());
    Ok(Event::Tag { tag: tag.to_owned(), message })
}

fn merge_request(
    project: &Project,
    arguments: &EventArguments,
    source_branch: String,
) -> Result<MergeRequest, Failed> {
    let named = arguments.target_branch.as_deref();
    let target_branch = named.unwrap_or(&project.facts.default_branch).to_owned();
    let commit_of = |name: &str| project.git.commit_of(name).ok().flatten();
    let target = commit_of(&format!("origin/{target_branch}")).or_else(|| commit_of(&target_branch));
    if named.is_some() && target.is_none() {
        let problem = Problem::new(format!("there is no branch `{target_branch}` to merge into"));
        let help = format!("get it with `git fetch origin {target_branch}`, or name another one");
        return Err(Failed::usage(problem.help(help)));
    }
    let title = arguments.mr_title.clone();
    let title = title.unwrap_or_else(|| project.head.message.lines().next().unwrap_or_default().to_owned());
    let is_draft = arguments.mr_draft || is_draft(&title);
    Ok(MergeRequest {
        iid: arguments.mr_iid.unwrap_or(1),
        source_branch,
        target_branch,
        diff_base: target.and_then(|target| project.git.run(&["merge-base", "HEAD", &target]).ok()),
        title: if arguments.mr_draft && !self::is_draft(&title) { format!("Draft: {title}") } else { title },
        description: arguments.mr_description.clone().unwrap_or_default(),
        labels: arguments.mr_labels.clone(),
        assignees: arguments.mr_assignees.clone(),
        milestone: arguments.mr_milestone.clone(),
        draft: is_draft,
        approved: arguments.mr_approved,
        squash: arguments.mr_squash,
    })
}

/// GitLab knows a draft by its title (`MergeRequest.draft?`).
fn is_draft(title: &str) -> bool {
    let title = title.trim_start().to_lowercase();
    ["draft:", "[draft]", "(draft)"].iter().any(|mark| title.starts_with(mark))
}
