//! Whether a failed attempt is followed by another, after GitLab's `Ci::Build::AutoRetry`.

use crate::pipeline::Retry;

/// Whether a job that has been retried `retries` times gets another attempt.
///
/// `reason` is GitLab's name of the failure reason. Reasons and exit codes are ORed.
pub(super) fn is_due(retry: &Retry, retries: u32, reason: &str, exit_code: Option<i32>) -> bool {
    // Another attempt would miss the same artifacts: GitLab never retries it, whatever the job says.
    if reason == "missing_dependency_failure" || retries >= retry.max {
        return false;
    }
    let by_code = exit_code.is_some_and(|code| retry.exit_codes.contains(&code));
    by_code || by_reason(retry, reason)
}

fn by_reason(retry: &Retry, reason: &str) -> bool {
    if retry.when.is_empty() {
        return retry.exit_codes.is_empty();
    }
    retry.when.iter().any(|when| match when.as_str() {
        "always" => true,
        // GitLab documents that an image which could not be pulled counts as this one.
        "script_failure" => matches!(reason, "script_failure" | "image_pull_failure"),
        when => when == reason,
    })
}

#[cfg(test)]
mod tests {
    use super::is_due;
    use crate::pipeline::Retry;

    /// Max, when, exit codes, retries so far, reason, exit code, whether another attempt is due.
    type Row<'a> = (u32, &'a [&'a str], &'a [i32], u32, &'a str, Option<i32>, bool);

    #[test]
    fn a_failure_is_retried_by_reason_or_by_exit_code() {
        let table: &[Row<'_>] = &[
            (0, &[], &[], 0, "script_failure", Some(1), false),
            (1, &[], &[], 0, "script_failure", Some(1), true),
            (1, &[], &[], 1, "script_failure", Some(1), false),
            (2, &[], &[], 1, "runner_system_failure", None, true),
            (2, &["always"], &[], 0, "unknown_failure", None, true),
            (2, &["script_failure"], &[], 0, "script_failure", Some(1), true),
            (2, &["script_failure"], &[], 0, "job_execution_timeout", None, false),
            (2, &["script_failure"], &[], 0, "image_pull_failure", None, true),
            (2, &["runner_system_failure"], &[137], 0, "runner_system_failure", None, true),
            (2, &["runner_system_failure"], &[137], 0, "script_failure", Some(137), true),
            (2, &["runner_system_failure"], &[137], 0, "script_failure", Some(1), false),
            (2, &[], &[137], 0, "script_failure", Some(1), false),
            (2, &[], &[137], 0, "script_failure", Some(137), true),
            (2, &["always"], &[], 0, "missing_dependency_failure", None, false),
        ];
        for &(max, when, exit_codes, retries, reason, exit_code, due) in table {
            let when = when.iter().map(|&when| when.to_owned()).collect();
            let retry = Retry { max, when, exit_codes: exit_codes.to_vec() };
            assert_eq!(is_due(&retry, retries, reason, exit_code), due, "{retry:?} {reason} {exit_code:?}");
        }
    }
}
