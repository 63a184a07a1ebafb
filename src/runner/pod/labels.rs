//! Labels and annotations of pods: GitLab Runner's, and the one by which podline finds its own again.

use std::{collections::BTreeMap, time::Duration};

use super::{Overwrites, PodParts, names};
use crate::{
    engine::WORKS,
    runner::{Build, failure::HELPER},
};

/// The label that has the run's id, on everything that podline creates.
pub const RUN: &str = "podline.dev/run";

/// The labels of a pod.
pub fn labels(build: &Build, overwrites: &Overwrites, parts: &PodParts<'_>) -> BTreeMap<String, String> {
    let base = names::base(parts.run, build, parts.slot);
    let variable = |key: &str| build.variable(key).unwrap_or_default().to_owned();
    let project = |key: &str| format!("project.runner.gitlab.com/{key}");
    let namespace_id = variable("CI_PROJECT_NAMESPACE_ID");
    let pairs = [
        ("pod".to_owned(), base.clone()),
        ("job.runner.gitlab.com/pod".to_owned(), base),
        ("manager.runner.gitlab.com/id-short".to_owned(), names::short_token(parts.run)),
        ("manager.runner.gitlab.com/name".to_owned(), parts.slot.runner.clone()),
        (project("id"), build.project_id.to_string()),
        (project("name"), variable("CI_PROJECT_NAME")),
        (project("namespace"), variable("CI_PROJECT_NAMESPACE")),
        (project("namespace-id"), namespace_id.clone()),
        (project("root-namespace"), variable("CI_PROJECT_ROOT_NAMESPACE")),
        (project("root-namespace-id"), namespace_id),
        (RUN.to_owned(), parts.run.to_owned()),
    ];
    let more = overwrites.labels.clone().into_iter();
    more.chain(pairs).map(|(key, value)| (key, label_value(&value))).collect()
}

/// The annotations of a pod.
pub fn annotations(build: &Build, overwrites: &Overwrites) -> BTreeMap<String, String> {
    let variable = |key: &str| build.variable(key).unwrap_or_default().to_owned();
    let job = |key: &str| format!("job.runner.gitlab.com/{key}");
    let mut annotations = BTreeMap::from([
        (job("before_sha"), variable("CI_COMMIT_BEFORE_SHA")),
        (job("id"), build.id.to_string()),
        (job("name"), build.name.clone()),
        (job("ref"), variable("CI_COMMIT_REF_NAME")),
        (job("sha"), variable("CI_COMMIT_SHA")),
        (job("timeout"), go_duration(build.timeout)),
        (job("url"), variable("CI_JOB_URL")),
        ("project.runner.gitlab.com/id".to_owned(), build.project_id.to_string()),
    ]);
    annotations.extend(overwrites.annotations.clone());
    if !build.hook().is_empty() {
        annotations.insert(WORKS.to_owned(), HELPER.to_owned());
    }
    annotations
}

/// What Kubernetes takes as the value of a label: as GitLab Runner does, `_` for all else, no `-_.` at the
/// ends, at most 63 characters.
fn label_value(text: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || "_.-".contains(c) { c } else { '_' };
    let value: String = text.chars().map(allowed).collect();
    let ends: &[char] = &['-', '_', '.'];
    let mut value = value.trim_matches(ends).to_owned();
    value.truncate(63);
    value.trim_end_matches(ends).to_owned()
}

/// A duration as Go prints it: `1h0m0s`.
fn go_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Duration, go_duration, label_value};

    #[test]
    fn a_value_that_kubernetes_refuses_is_made_to_fit() {
        let table = [
            ("group", "group"),
            ("group/sub group", "group_sub_group"),
            ("-.edge_", "edge"),
            ("größe", "gr__e"),
            ("", ""),
        ];
        for (text, expected) in table {
            assert_eq!(label_value(text), expected, "{text}");
        }
    }

    #[test]
    fn timeouts_are_written_as_go_does() {
        let table = [(3600, "1h0m0s"), (90, "1m30s"), (5, "5s"), (0, "0s"), (7384, "2h3m4s")];
        for (seconds, expected) in table {
            assert_eq!(go_duration(Duration::from_secs(seconds)), expected);
        }
    }

    proptest! {
        #[test]
        fn a_value_always_fits(text in ".{0,200}") {
            let value = label_value(&text);
            let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
            prop_assert!(value.len() <= 63 && edge(value.chars().next()) && edge(value.chars().last()));
        }
    }
}
