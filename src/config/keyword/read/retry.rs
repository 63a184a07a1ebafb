//! `retry` (`Entry::Retry`) and `allow_failure` (`Entry::AllowFailure`).

use super::{context::Context, value::Value};
use crate::config::{
    keyword::job::{AllowFailure, Retry},
    node::Kind,
};

/// The most retries.
const MOST: u32 = 2;

/// Failure reasons that `retry:when` knows, after GitLab's schema and `CommitStatus.failure_reasons`. Most of the
/// last ones belong to jobs that never started, which nothing starts again.
const REASONS: [&str; 47] = [
    "always",
    "unknown_failure",
    "script_failure",
    "api_failure",
    "stuck_or_timeout_failure",
    "stuck_pending_with_matching_runners",
    "stuck_pending_no_matching_runners",
    "no_updates_running",
    "no_updates_canceling",
    "runner_system_failure",
    "runner_configuration_error",
    "runner_external_dependency_failure",
    "runner_interrupted",
    "runner_unsupported",
    "stale_schedule",
    "job_execution_timeout",
    "server_timeout_running",
    "server_timeout_canceling",
    "archived_failure",
    "unmet_prerequisites",
    "scheduler_failure",
    "data_integrity_failure",
    "missing_dependency_failure",
    "forward_deployment_failure",
    "user_blocked",
    "project_deleted",
    "ci_quota_exceeded",
    "pipeline_loop_detected",
    "no_matching_runner",
    "trace_size_exceeded",
    "builds_disabled",
    "environment_creation_failure",
    "deployment_rejected",
    "failed_outdated_deployment_job",
    "protected_environment_failure",
    "insufficient_bridge_permissions",
    "downstream_bridge_project_not_found",
    "invalid_bridge_trigger",
    "upstream_bridge_project_not_found",
    "insufficient_upstream_permissions",
    "bridge_pipeline_is_child_pipeline",
    "downstream_pipeline_creation_failed",
    "secrets_provider_not_found",
    "reached_max_descendant_pipelines_depth",
    "ip_restriction_failure",
    "reached_max_pipeline_hierarchy_size",
    "reached_downstream_pipeline_trigger_rate_limit",
];

/// A number, or a hash.
pub(super) fn retry(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Retry> {
    match &value.node.kind {
        Kind::Scalar(_) => return Some(Retry { max: max(value, cx)?, ..Retry::default() }),
        Kind::Mapping(_) => {}
        _ => return value.expected("an integer or a hash", cx),
    }
    let fields = value.fields(cx)?;
    let max = fields.get("max").and_then(|value| max(&value, cx));
    let when = fields.get("when").and_then(|value| reasons(&value, cx));
    let exit_codes = fields.get("exit_codes").and_then(|codes| codes.exit_codes(cx));
    fields.finish(cx);
    Some(Retry {
        max: max.unwrap_or(0),
        when: when.unwrap_or_default(),
        exit_codes: exit_codes.unwrap_or_default(),
    })
}

fn max(value: &Value<'_>, cx: &mut Context<'_>) -> Option<u32> {
    let number = value.integer(cx)?;
    match u32::try_from(number) {
        Ok(max) if max <= MOST => Some(max),
        _ => {
            cx.report(value.error("out-of-range", format_args!("should be from 0 to {MOST}, not {number}")));
            None
        }
    }
}

fn reasons(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Vec<String>> {
    let words = REASONS.map(|reason| (reason, reason));
    let Some(items) = value.items() else { return Some(vec![value.choice(&words, cx)?.to_owned()]) };
    Some(items.filter_map(|item| item.choice(&words, cx)).map(str::to_owned).collect())
}

/// A boolean, or a hash with `exit_codes`.
pub(super) fn allow_failure(value: &Value<'_>, cx: &mut Context<'_>) -> Option<AllowFailure> {
    if let Some(always) = value.node.as_bool() {
        return Some(AllowFailure::Always(always));
    }
    if value.node.as_mapping().is_none() {
        return value.expected("a boolean or a hash", cx);
    }
    let fields = value.fields(cx)?;
    let codes = fields.required("exit_codes", cx).and_then(|codes| codes.exit_codes(cx));
    fields.finish(cx);
    Some(AllowFailure::ExitCodes(codes?))
}
