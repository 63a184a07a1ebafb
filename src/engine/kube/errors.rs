//! What the Kubernetes API says when it refuses, as errors that say what to do.

use std::sync::LazyLock;

use kube::client::UpgradeConnectionError;
use kube::core::Status;
use regex::Regex;

use super::admission;
use crate::engine::{Error, chain};

/// What RBAC says: `pods "x" is forbidden: User "u" cannot create resource "pods/exec" in API group "" in ...`.
static REFUSED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"cannot (\S+) resource "([^"]+)" in API group "([^"]*)""#).expect("the pattern is constant")
});

/// Maps an error of the client while something was being done.
pub(in crate::engine) fn failed(doing: &str, error: kube::Error) -> Error {
    match error {
        kube::Error::Api(status) => refused(doing, &status),
        kube::Error::UpgradeConnection(UpgradeConnectionError::ProtocolSwitch(status)) => {
            not_switched(doing, status.as_u16())
        }
        // what it says of itself is of no help
        kube::Error::Service(error) => Error::Disconnected { doing: doing.to_owned(), cause: chain(&*error) },
        kube::Error::HyperError(_) | kube::Error::ReadEvents(_) | kube::Error::UpgradeConnection(_) => {
            Error::Disconnected { doing: doing.to_owned(), cause: chain(&error) }
        }
        other => Error::Failed { doing: doing.to_owned(), cause: chain(&other) },
    }
}

/// Maps an answer of the API that is no success.
fn refused(doing: &str, status: &Status) -> Error {
    match status.code {
        403 => match REFUSED.captures(&status.message) {
            Some(found) => Error::Forbidden {
                message: status.message.clone(),
                rule: rule(&found[3], &found[2], &found[1]),
            },
            None => admission::refused(&status.message),
        },
        400 | 422 => Error::Rejected { message: status.message.clone(), help: None },
        // too many requests, an overloaded or restarting API server
        429 | 500..=599 => Error::Disconnected { doing: doing.to_owned(), cause: status.message.clone() },
        _ => Error::Failed { doing: doing.to_owned(), cause: status.message.clone() },
    }
}

/// exec and attach answer without words when they refuse.
fn not_switched(doing: &str, status: u16) -> Error {
    match status {
        403 => Error::Forbidden {
            message: format!("{doing} is forbidden"),
            // since 1.35 the API asks for create, before that for get
            rule: "- apiGroups: [\"\"]\n  resources: [\"pods/exec\"]\n  verbs: [\"get\", \"create\"]"
                .to_owned(),
        },
        code @ 500..=599 => {
            Error::Disconnected { doing: doing.to_owned(), cause: format!("the API answered {code}") }
        }
        code => Error::Failed { doing: doing.to_owned(), cause: format!("the API answered {code}") },
    }
}

/// The rule of a Role that allows a verb on a resource.
fn rule(group: &str, resource: &str, verb: &str) -> String {
    format!("- apiGroups: [\"{group}\"]\n  resources: [\"{resource}\"]\n  verbs: [\"{verb}\"]")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(code: u16, message: &str) -> Error {
        failed("creating the pod `p`", kube::Error::Api(Status::failure(message, "").with_code(code).boxed()))
    }

    #[test]
    fn a_verb_that_the_role_lacks_comes_with_the_rule_to_add() {
        let user = r#"User "system:serviceaccount:kube-ops:ci""#;
        let rows = [
            ("create", "pods", ""),
            ("get", "pods/log", ""),
            ("create", "pods/exec", ""),
            ("list", "deployments", "apps"),
        ];
        for (verb, resource, group) in rows {
            let said = format!(
                r#"{resource} "p" is forbidden: {user} cannot {verb} resource "{resource}" in API group "{group}" in the namespace "kube-ops""#
            );
            let Error::Forbidden { message, rule } = api(403, &said) else {
                panic!("{said}");
            };
            assert_eq!(message, said);
            let expected =
                format!("- apiGroups: [\"{group}\"]\n  resources: [\"{resource}\"]\n  verbs: [\"{verb}\"]");
            assert_eq!(rule, expected);
        }
    }

    #[test]
    fn what_no_role_can_allow_is_no_missing_rule() {
        let said = r#"pods "p" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2"#;
        assert!(matches!(api(403, said), Error::Full { message } if message.contains("quota `small`")));
    }

    #[test]
    fn a_pod_that_is_wrong_is_refused_in_the_words_of_the_api() {
        let said = r#"Pod "p" is invalid: spec.containers[0].image: Required value"#;
        assert_eq!(api(422, said).to_string(), format!("Kubernetes refused the pod: {said}"));
    }

    #[test]
    fn an_api_server_that_restarts_is_a_lost_connection() {
        for code in [429, 500, 503, 504] {
            assert!(matches!(api(code, "later"), Error::Disconnected { .. }), "{code}");
        }
    }
}
