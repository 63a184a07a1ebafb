//! What the account must be allowed to do, asked before anything is made.

use std::fmt::Write as _;

use futures::future::try_join_all;
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};

use crate::engine::Error;
use crate::engine::kube::failed;

/// What is done with a kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
}

/// What a run does in the namespace of its pods. `docs/kube.md` has it as a Role.
pub(super) const IN_NAMESPACE: &[Rule] = &[
    Rule { group: "", resource: "pods", verbs: &["create", "delete", "get", "list", "watch"] },
    Rule { group: "", resource: "pods/log", verbs: &["get"] },
    // since 1.35 the API asks for create, before that for get
    Rule { group: "", resource: "pods/exec", verbs: &["create", "get"] },
    Rule {
        group: "coordination.k8s.io",
        resource: "leases",
        verbs: &["create", "delete", "get", "list", "patch"],
    },
];

/// What it takes to have a namespace for each run.
pub(super) const OF_NAMESPACES: &[Rule] = &[
    Rule { group: "", resource: "namespaces", verbs: &["create", "delete", "list", "patch"] },
    Rule { group: "", resource: "serviceaccounts", verbs: &["create", "get", "patch"] },
    Rule { group: "", resource: "configmaps", verbs: &["get"] },
];

/// Asks for all of the rules, in a namespace or for the whole cluster, and gives what is missing of them.
///
/// # Errors
///
/// What the API answers.
pub(super) async fn missing(
    client: &Client,
    namespace: Option<&str>,
    rules: &[Rule],
) -> Result<Vec<Rule>, Error> {
    let questions = rules.iter().flat_map(|rule| (0..rule.verbs.len()).map(|verb| (*rule, verb)));
    let answers = try_join_all(questions.map(|(rule, verb)| async move {
        let single = Rule { verbs: &rule.verbs[verb..=verb], ..rule };
        Ok::<_, Error>((!is_allowed(client, namespace, single).await?).then_some(single))
    }));
    Ok(answers.await?.into_iter().flatten().collect())
}

async fn is_allowed(client: &Client, namespace: Option<&str>, rule: Rule) -> Result<bool, Error> {
    let (resource, subresource) = match rule.resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (rule.resource, None),
    };
    let attributes = ResourceAttributes {
        namespace: namespace.map(str::to_owned),
        verb: Some(rule.verbs.concat()),
        group: Some(rule.group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource,
        ..ResourceAttributes::default()
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() },
        ..SelfSubjectAccessReview::default()
    };
    let answer = Api::all(client.clone()).create(&PostParams::default(), &review).await;
    let answer = answer.map_err(|error| failed("asking for permissions", error))?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

/// What is missing, as the error that says which verbs those are and which rules would allow them.
pub(super) fn refused(missing: &[Rule], place: &str) -> Option<Error> {
    let names: Vec<String> =
        missing.iter().map(|rule| format!("{} {}", rule.verbs.concat(), rule.resource)).collect();
    (!missing.is_empty()).then(|| Error::Forbidden {
        message: format!(
            "the account of the kubeconfig may not do all that a run does {place}: {}",
            names.join(", ")
        ),
        rule: yaml(missing),
    })
}

/// The rules as a Role has them, those of one kind of object together.
fn yaml(rules: &[Rule]) -> String {
    let mut merged: Vec<(Rule, Vec<&str>)> = Vec::new();
    for rule in rules {
        let same = |(known, _): &&mut (Rule, Vec<&str>)| {
            (known.group, known.resource) == (rule.group, rule.resource)
        };
        match merged.iter_mut().find(same) {
            Some((_, verbs)) => verbs.extend(rule.verbs),
            None => merged.push((*rule, rule.verbs.to_vec())),
        }
    }
    let mut text = String::new();
    for (rule, verbs) in merged {
        let verbs = verbs.join("\", \"");
        let end = if text.is_empty() { "" } else { "\n" };
        // writing to a String does not fail
        let _ = write!(
            text,
            "{end}- apiGroups: [\"{}\"]\n  resources: [\"{}\"]\n  verbs: [\"{verbs}\"]",
            rule.group, rule.resource
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_that_are_missing_are_named_with_the_rules_that_allow_them() {
        let rule = |resource, verbs| Rule { group: "", resource, verbs };
        let missing = [rule("pods", &["list"]), rule("pods", &["watch"]), rule("pods/exec", &["get"])];
        let Some(Error::Forbidden { message, rule }) = refused(&missing, "in the namespace `ci`") else {
            panic!("something is missing");
        };
        assert_eq!(
            message,
            "the account of the kubeconfig may not do all that a run does in the namespace `ci`: \
             list pods, watch pods, get pods/exec"
        );
        assert_eq!(
            rule,
            "- apiGroups: [\"\"]\n  resources: [\"pods\"]\n  verbs: [\"list\", \"watch\"]\n\
             - apiGroups: [\"\"]\n  resources: [\"pods/exec\"]\n  verbs: [\"get\"]"
        );
        assert!(refused(&[], "in the namespace `ci`").is_none());
    }

    #[test]
    fn the_role_of_the_documentation_is_the_one_that_is_asked_for() {
        let page = include_str!("../../../docs/kube.md");
        for rules in [IN_NAMESPACE, OF_NAMESPACES] {
            let indented: Vec<String> = yaml(rules).lines().map(|line| format!("  {line}")).collect();
            assert!(page.contains(&indented.join("\n")), "docs/kube.md has not:\n{}", indented.join("\n"));
        }
    }
}
