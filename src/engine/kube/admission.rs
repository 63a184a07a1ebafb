//! Why a pod was not admitted, from the words of the API: what no Role can allow.

use std::sync::LazyLock;

use regex::Regex;

use crate::engine::{Error, quantity};

/// `pods "p" is forbidden: exceeded quota: small, requested: pods=1,cpu=2, used: pods=2,cpu=1, limited: pods=2,cpu=2`.
static EXCEEDED: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r"exceeded quota: (\S+), requested: (\S+), used: (\S+), limited: (\S+)";
    Regex::new(pattern).expect("the pattern is constant")
});

/// `pods "p" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (...)`.
static STANDARD: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r#"violates PodSecurity "([a-z]+):"#).expect("the pattern is constant"));

/// `maximum cpu usage per Container is 1, but limit is 2`, of a LimitRange.
static RANGE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(maximum|minimum) (\S+) usage per (Container|Pod) is").expect("the pattern is constant")
});

/// What a pod that was not admitted means: it may be admitted later, or never.
pub(super) fn refused(message: &str) -> Error {
    let rejected = |help: Option<String>| Error::Rejected { message: message.to_owned(), help };
    if let Some(found) = EXCEEDED.captures(message) {
        return match never_fits(&found[2], &found[4]) {
            None => Error::Full { message: format!("the quota `{}` has no room: {}", &found[1], &found[0]) },
            Some(resource) => rejected(Some(format!(
                "the quota `{}` could never hold it: lower what the pod takes of {resource} \
                 (`KUBERNETES_CPU_LIMIT`, `KUBERNETES_MEMORY_LIMIT` and the like), or have the quota raised",
                &found[1]
            ))),
        };
    }
    if let Some(found) = STANDARD.captures(message) {
        return rejected(Some(format!(
            "the namespace enforces the Pod Security Standard `{}`, which pods of GitLab Runner pass only with \
             security contexts in its settings: take another namespace, or one with the label \
             `pod-security.kubernetes.io/enforce: baseline`",
            &found[1]
        )));
    }
    if message.contains("must specify ") {
        return rejected(Some(
            "the quota wants these of every container: set them for build, helper and services \
             (`KUBERNETES_CPU_LIMIT`, `KUBERNETES_HELPER_CPU_LIMIT` and the like), or have a LimitRange add them"
                .to_owned(),
        ));
    }
    if let Some(found) = RANGE.captures(message) {
        let change = if &found[1] == "maximum" { "lower" } else { "raise" };
        return rejected(Some(format!(
            "a LimitRange of the namespace says so: {change} {} for the {} in the runner's settings or by \
             `KUBERNETES_CPU_LIMIT`, `KUBERNETES_MEMORY_LIMIT` and the like",
            &found[2],
            found[3].to_lowercase()
        )));
    }
    rejected(None)
}

/// The first resource of which more is asked for than there is in all.
fn never_fits(requested: &str, limited: &str) -> Option<String> {
    let limits: Vec<_> = amounts(limited).collect();
    amounts(requested).find_map(|(name, asked)| {
        let (_, limit) = limits.iter().find(|(limit, _)| *limit == name)?;
        (asked > *limit).then(|| name.to_owned())
    })
}

fn amounts(list: &str) -> impl Iterator<Item = (&str, u128)> {
    list.split(',').filter_map(|pair| {
        let (name, amount) = pair.split_once('=')?;
        Some((name, quantity::millis(amount)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_that_is_full_now_is_no_quota_that_is_too_small() {
        let words = |requested: &str| {
            format!(
                "pods \"p\" is forbidden: exceeded quota: small, requested: {requested}, \
                 used: limits.memory=1Gi,pods=1, limited: limits.memory=2Gi,pods=2"
            )
        };
        let full = refused(&words("limits.memory=1124Mi,pods=1"));
        assert!(matches!(&full, Error::Full { .. }), "{full:?}");
        assert!(
            full.to_string().starts_with("the quota `small` has no room: exceeded quota: small"),
            "{full}"
        );
        let Error::Rejected { help: Some(help), .. } = refused(&words("limits.memory=3Gi,pods=1")) else {
            panic!("it can never fit");
        };
        assert!(help.contains("could never hold it: lower what the pod takes of limits.memory"), "{help}");
    }

    #[test]
    fn what_admission_says_comes_with_what_to_do() {
        let rows = [
            (
                r#"pods "p" is forbidden: violates PodSecurity "restricted:latest": unrestricted capabilities"#,
                "the namespace enforces the Pod Security Standard `restricted`",
            ),
            (
                r#"pods "p" is forbidden: failed quota: small: must specify limits.cpu for: helper"#,
                "KUBERNETES_HELPER_CPU_LIMIT",
            ),
            (
                r#"pods "p" is forbidden: maximum cpu usage per Container is 500m, but limit is 1"#,
                "lower cpu for the container",
            ),
            (
                r#"pods "p" is forbidden: minimum memory usage per Pod is 2Gi, but request is 64Mi"#,
                "raise memory for the pod",
            ),
        ];
        for (said, expected) in rows {
            let Error::Rejected { message, help: Some(help) } = refused(said) else { panic!("{said}") };
            assert_eq!(message, said);
            assert!(help.contains(expected), "{help}");
        }
        let unknown = refused(r#"admission webhook "x" denied the request"#);
        assert!(matches!(unknown, Error::Rejected { help: None, .. }), "{unknown:?}");
    }
}
