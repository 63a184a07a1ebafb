//! `needs` of a job and of a rule (`Entry::Needs`, `Entry::Need`).

use super::{context::Context, fields::Fields, parallel, value::Value};
use crate::config::{
    diagnostic::Diagnostic,
    keyword::job::{Job, Need, NeedTarget},
    node::Kind,
};

/// The most entries that GitLab takes (`ci_needs_size_limit`).
const MOST: usize = 50;

/// The most entries with `project`, and the most with `pipeline`
/// (`Entry::Needs::NEEDS_CROSS_PIPELINE_DEPENDENCIES_LIMIT`).
const MOST_ELSEWHERE: usize = 5;

/// The longest name of a needed job (`Ci::BuildNeed::MAX_JOB_NAME_LENGTH`).
const LONGEST_NAME: usize = 255;

/// A list of needs, or a single hash.
pub(super) fn read(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Vec<Need>> {
    if value.node.as_mapping().is_none() && value.node.as_sequence().is_none() {
        return value.expected("an array or a hash", cx);
    }
    let entries = value.flattened(usize::MAX, cx)?;
    // Those of other pipelines do not count, and have limits of their own.
    let most = MOST + 2 * MOST_ELSEWHERE;
    let mut needs: Vec<Need> = entries.iter().take(most).filter_map(|entry| need(entry, cx)).collect();
    let jobs = needs.iter().filter(|need| matches!(need.target, NeedTarget::Job { .. })).count();
    let count = jobs + entries.len().saturating_sub(most);
    if count > MOST {
        let rest = format_args!("has {count} entries, GitLab takes {MOST}");
        cx.report(value.error("too-many", rest));
        // Those behind the limit would be compared with all others, and are refused with the list anyway.
        needs.truncate(MOST);
    }
    let elsewhere = |need: &Need| match need.target {
        NeedTarget::Job { .. } => None,
        NeedTarget::Project { .. } => Some("project"),
        NeedTarget::Pipeline { .. } => Some("pipeline"),
    };
    for keyword in ["project", "pipeline"] {
        let count = needs.iter().filter(|need| elsewhere(need) == Some(keyword)).count();
        if count > MOST_ELSEWHERE {
            let rest = format_args!("has {count} entries with `{keyword}`, GitLab takes {MOST_ELSEWHERE}");
            cx.report(value.error("too-many", rest));
        }
    }
    Some(needs)
}

/// `rules:needs`, which name jobs of the same pipeline only.
pub(super) fn read_of_rule(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Vec<Need>> {
    let mut needs = read(value, cx)?;
    needs.retain(|need| {
        let job = matches!(need.target, NeedTarget::Job { .. });
        if !job {
            let rest = "can name only jobs of the same pipeline";
            cx.report(Diagnostic { span: Some(need.span), ..value.error("wrong-need", rest) });
        }
        job
    });
    Some(needs)
}

/// Reports a status to mirror (`pipeline` without `job`) in a job that does something itself.
pub(super) fn refuse_mirror(job: &Job, cx: &mut Context<'_>) {
    for need in job.needs.iter().flatten() {
        if matches!(need.target, NeedTarget::Pipeline { job: None, .. }) {
            let message = format!("`needs:pipeline` of job `{}` needs `job` beside it", job.name.value);
            let help = "without it, it mirrors a status, which a job with a script cannot do";
            cx.report(Diagnostic::error("wrong-need", message, need.span).help(help));
        }
    }
}

/// Reports what a trigger job cannot need: jobs of pipelines that are not its own, and the status of more than one
/// (`Entry::Bridge`).
pub(super) fn check_of_trigger(job: &Job, cx: &mut Context<'_>) {
    let mut mirrored = 0;
    for need in job.needs.iter().flatten() {
        let problem = match &need.target {
            NeedTarget::Job { .. } => continue,
            NeedTarget::Project { .. } | NeedTarget::Pipeline { job: Some(_), .. } => {
                "can name only jobs of the same pipeline, as it starts another"
            }
            NeedTarget::Pipeline { job: None, .. } => {
                mirrored += 1;
                if mirrored == 1 {
                    continue;
                }
                "can mirror the status of one pipeline only"
            }
        };
        let message = format!("`needs` of job `{}` {problem}", job.name.value);
        cx.report(Diagnostic::error("wrong-need", message, need.span));
    }
}

fn need(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Need> {
    let Kind::Mapping(_) = value.node.kind else {
        if value.node.as_str().is_none() {
            return value.expected("a job's name or a hash", cx);
        }
        let name = job_name(value, cx)?;
        let target = NeedTarget::Job { name, matrix: None };
        return Some(Need { span: value.span(), target, artifacts: true, optional: false });
    };
    let fields = value.fields(cx)?;
    let target = target(&fields, cx);
    let artifacts = fields.get("artifacts").and_then(|artifacts| artifacts.boolean(cx));
    fields.finish(cx);
    let (target, optional) = target?;
    Some(Need { span: value.span(), target, artifacts: artifacts.unwrap_or(true), optional })
}

fn target(fields: &Fields<'_>, cx: &mut Context<'_>) -> Option<(NeedTarget, bool)> {
    if let Some(project) = fields.get("project") {
        return Some((project_target(fields, &project, cx)?, false));
    }
    if let Some(pipeline) = fields.get("pipeline") {
        let job = fields.get("job").and_then(|job| job.name(cx)).map(|job| job.value);
        let optional = fields.get("optional").and_then(|optional| optional.boolean(cx));
        fields.ignore(&["parallel"]);
        let pipeline = pipeline.name(cx)?.value;
        return Some((NeedTarget::Pipeline { pipeline, job }, optional.unwrap_or(false)));
    }
    let optional = fields.get("optional").and_then(|optional| optional.boolean(cx));
    let matrix = fields.get("parallel").map(|value| parallel::needed_matrix(&value, cx));
    let name = job_name(&fields.required("job", cx)?, cx)?;
    let target = NeedTarget::Job { name, matrix: matrix.flatten() };
    Some((target, optional.unwrap_or(false)))
}

fn project_target(fields: &Fields<'_>, project: &Value<'_>, cx: &mut Context<'_>) -> Option<NeedTarget> {
    fields.ignore(&["parallel"]);
    let job = fields.required("job", cx).and_then(|job| job.name(cx));
    let reference = fields.required("ref", cx).and_then(|reference| reference.name(cx));
    if let Some(pipeline) = fields.key("pipeline") {
        let message = format!("`needs`{} has `project` and `pipeline`", fields.owner);
        cx.report(Diagnostic::error("conflicting-keywords", message, pipeline));
        fields.ignore(&["pipeline"]);
    }
    let project = project.name(cx)?;
    Some(NeedTarget::Project { project: project.value, job: job?.value, reference: reference?.value })
}

fn job_name(value: &Value<'_>, cx: &mut Context<'_>) -> Option<String> {
    let name = value.name(cx)?.value;
    if name.chars().count() > LONGEST_NAME {
        let rest = format_args!("has a name with more than {LONGEST_NAME} characters");
        cx.report(value.error("too-long", rest));
    }
    Some(name)
}
