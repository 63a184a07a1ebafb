//! `concurrent`, which no variable sets: start scripts write it into `config.toml`.

use std::sync::LazyLock;

use regex::Regex;

use super::manifests::Entry;
use crate::config::Span;

/// `concurrent` as a text sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concurrent {
    /// The value; absent where the text takes it from something that is not known.
    pub value: Option<usize>,
    /// The variable it comes from.
    pub variable: Option<String>,
    /// Where the text was written.
    pub place: Option<Span>,
}

/// `concurrent = 4`, `concurrent = ${NAME}`, `concurrent=${NAME:-4}`, with quotes between.
static ASSIGNMENT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"\bconcurrent\s*=\s*["']*(?:(?<number>[0-9]+)|\$\{?(?<name>[A-Za-z_][A-Za-z0-9_]*)(?::?-(?<default>[0-9]+))?)"#,
    )
    .expect("the pattern is valid")
});

/// What the last line of a script or `config.toml` makes of `concurrent`.
pub fn concurrent(text: &Entry, environment: &[Entry]) -> Option<Concurrent> {
    let lines = text.value.lines().filter(|line| !line.trim_start().starts_with('#'));
    // `sed s/concurrent = 1/concurrent = 4/` has two on one line: the last one is what it writes.
    let found = lines.filter_map(|line| ASSIGNMENT.captures_iter(line).last()).next_back()?;
    let number = |text: &str| text.trim().parse().ok().filter(|value| *value > 0);
    let variable = found.name("name").map(|name| name.as_str().to_owned());
    let value = match (&variable, found.name("number")) {
        (None, Some(literal)) => number(literal.as_str()),
        (Some(name), _) => match environment.iter().find(|entry| entry.name == *name) {
            Some(entry) => number(&entry.value),
            None => found.name("default").and_then(|default| number(default.as_str())),
        },
        (None, None) => None,
    };
    Some(Concurrent { value, variable, place: text.place })
}

#[cfg(test)]
mod tests {
    use super::{Entry, concurrent};

    #[test]
    fn concurrent_is_read_from_the_start_script() {
        let set = [("RUNNER_REQUEST_CONCURRENCY", "4"), ("WORD", "many")];
        let entry = |name: &str, value: &str| Entry { name: name.into(), value: value.into(), place: None };
        let environment = set.map(|(name, value)| entry(name, value));
        let table: [(&str, Option<Option<usize>>); 10] = [
            (r#"sed -i "s/^concurrent.*/concurrent = ${RUNNER_REQUEST_CONCURRENCY}/" f"#, Some(Some(4))),
            ("sed -i 's/concurrent.*/concurrent = '\"$RUNNER_REQUEST_CONCURRENCY\"'/' f", Some(Some(4))),
            ("sed -i 's/concurrent = 1/concurrent = 10/g' f", Some(Some(10))),
            ("sed -i s/concurrent=.*/concurrent=3/ f", Some(Some(3))),
            ("concurrent = 7\ncheck_interval = 0", Some(Some(7))),
            ("x concurrent = ${MISSING:-5}", Some(Some(5))),
            ("x concurrent = ${MISSING}", Some(None)),
            ("x concurrent = $WORD", Some(None)),
            ("# concurrent = 9", None),
            ("request_concurrency = 2", None),
        ];
        for (script, expected) in table {
            let found = concurrent(&entry("run.sh", script), &environment).map(|found| found.value);
            assert_eq!(found, expected, "{script}");
        }
    }
}
