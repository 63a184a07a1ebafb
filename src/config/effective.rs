//! A job as it is in the end, with what it takes of `default`, for `podline explain`.

use super::node::{Kind, Mapping};

/// Keywords of `default` that have an effect. `timeout` has none on GitLab (issue 213634); `identity` and
/// `secrets` are not acted on.
const DEFAULTS: [&str; 11] = [
    "image",
    "services",
    "tags",
    "before_script",
    "after_script",
    "hooks",
    "cache",
    "artifacts",
    "retry",
    "interruptible",
    "id_tokens",
];

/// Those that may stand at the top level for the same purpose.
const OLD: [&str; 5] = ["image", "services", "cache", "before_script", "after_script"];

/// The keywords of a job of the tree with the defaults it takes, which come after its own. Every value keeps
/// its place. `None` where there is no such mapping; a hidden job takes no defaults.
pub fn effective(tree: &Mapping, job: &str) -> Option<Mapping> {
    let mut own = tree.get(job)?.as_mapping()?.clone();
    if job.starts_with('.') {
        return Some(own);
    }
    let is_trigger = own.get("trigger").is_some();
    for keyword in DEFAULTS {
        let is_set = own.get(keyword).is_some_and(|value| !value.is_null());
        let fits = !is_trigger || keyword == "interruptible";
        if is_set || !fits || !inherits(&own, keyword) {
            continue;
        }
        let default = tree.get("default").and_then(|default| default.as_mapping()?.entry(keyword));
        let old = || OLD.contains(&keyword).then(|| tree.entry(keyword)).flatten();
        if let Some(entry) = default.or_else(old) {
            own.insert(keyword, entry.key, entry.value.clone());
        }
    }
    Some(own)
}

/// `inherit:default`: all, none, or those that are named.
fn inherits(job: &Mapping, keyword: &str) -> bool {
    let inherit = job.get("inherit").and_then(|inherit| inherit.as_mapping()?.get("default"));
    match inherit.map(|node| &node.kind) {
        Some(Kind::Sequence(names)) => names.iter().any(|name| name.as_str() == Some(keyword)),
        Some(_) => inherit.and_then(super::Node::as_bool) != Some(false),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::effective;
    use crate::config::{emit, fixture::project};

    fn shown(text: &str, job: &str) -> Option<String> {
        let tree = project(text).read().tree.expect("a tree");
        effective(&tree.root, job).map(|job| emit(&job))
    }

    #[test]
    fn a_job_takes_the_defaults_that_it_lacks_and_wants() {
        let default = "default: {image: a, retry: 1, timeout: 1h}\nservices: [x]\n";
        let table = [
            ("job: {script: s}", "script: s\nimage: a\nservices:\n  - x\nretry: 1\n"),
            ("job: {script: s, image: b, inherit: {default: [retry]}}", {
                "script: s\nimage: b\ninherit:\n  default:\n    - retry\nretry: 1\n"
            }),
            ("job: {script: s, inherit: {default: false}}", "script: s\ninherit:\n  default: false\n"),
            ("job: {trigger: {include: x}}", "trigger:\n  include: x\n"),
        ];
        for (job, expected) in table {
            assert_eq!(shown(&format!("{default}{job}\n"), "job").as_deref(), Some(expected), "{job}");
        }
        assert_eq!(shown(default, "job"), None);
    }
}
