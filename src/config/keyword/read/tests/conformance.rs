//! GitLab's own schema tests, where `PODLINE_CONFORMANCE` names the directory that has them.

use std::path::{Path, PathBuf};

use super::{Config, Diagnostics, Severity, Sources, render, yaml};
use crate::config::{
    Tree,
    node::{Mapping, Node},
};

/// Codes of mistakes that a fragment of a configuration has because it is one.
const OF_FRAGMENTS: [&str; 4] = ["no-script", "unknown-stage", "unknown-job", "no-jobs"];

/// Top-level keywords; any other key of a case is a job.
const GLOBAL: [&str; 10] = [
    "default",
    "include",
    "spec",
    "stages",
    "variables",
    "workflow",
    "image",
    "services",
    "before_script",
    "after_script",
];

struct Case {
    name: String,
    diagnostics: Diagnostics,
    sources: Sources,
}

impl Case {
    fn worst(&self) -> Option<Severity> {
        let counts = |code: &str| !OF_FRAGMENTS.contains(&code);
        let found = self.diagnostics.iter().filter(|diagnostic| counts(diagnostic.code));
        found.map(|diagnostic| diagnostic.severity).min()
    }
}

/// Each top-level key of each file as a configuration of its own. What a job lacks only because
/// it is a fragment is not counted.
#[expect(clippy::print_stderr, reason = "a skipped test says why")]
fn cases(kind: &str) -> Vec<Case> {
    let Some(root) = std::env::var_os("PODLINE_CONFORMANCE") else {
        eprintln!("skipped: PODLINE_CONFORMANCE does not name the conformance data");
        return Vec::new();
    };
    let mut cases = Vec::new();
    for path in files(&Path::new(&root).join("schema").join(kind)) {
        let text = std::fs::read_to_string(&path).expect("a readable file");
        let mut sources = Sources::default();
        let id = sources.add(path.display().to_string(), &text);
        let mut diagnostics = Diagnostics::default();
        let tree = yaml::parse(id, &text, &mut diagnostics).expect("YAML").content;
        for (key, entry) in tree.iter() {
            let mut tree = Mapping::default();
            tree.insert(key, entry.key, entry.value.clone());
            if GLOBAL.contains(&key) {
                let job = Node {
                    kind: crate::config::node::Kind::Mapping(Mapping::default()),
                    ..entry.value.clone()
                };
                tree.insert("job", entry.key, job);
            }
            let mut diagnostics = diagnostics.clone();
            Config::read(Tree::of(tree), &mut diagnostics);
            let name = format!("{}: {key}", path.file_name().expect("a name").to_string_lossy());
            cases.push(Case { name, diagnostics, sources: sources.clone() });
        }
    }
    cases
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).expect("the conformance data");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let nested = |path: PathBuf| if path.is_dir() { files(&path) } else { vec![path] };
    paths.into_iter().flat_map(nested).collect()
}

/// The cases are those of GitLab's schema; where GitLab's own code says otherwise, the code counts.
const REFUSED_BY_GITLAB: [(&str, &str); 1] = [(
    "include.yml: trigger:include accepts",
    "`script` and `trigger` exclude each other (`Entry::Processable`)",
)];

/// The same for what the schema refuses; it is warned of where nobody writes it on purpose.
const ACCEPTED_BY_GITLAB: [(&str, &str); 8] = [
    ("artifacts.yml: browser_performance", "`Entry::Reports` takes arrays and null for every report"),
    ("artifacts.yml: cyclonedx no paths", "`Entry::Reports` takes null for every report"),
    ("artifacts.yml: performance string path", "`Entry::Reports` still has the old name"),
    (
        "image.yml: empty_image",
        "null is not set (`Entry::Unspecified`), so that a job can drop what it extends",
    ),
    ("services.yml: empty_", "null is not set; `Entry::Imageable` takes empty arrays"),
    ("rules.yml: rules-if-empty", "`Rules::Rule` takes null"),
    ("rules.yml: rules:exists as string", "`Rule::Exists::SimpleExists` takes one string"),
    ("include.yml: include", "includes are resolved before keywords are read"),
];

fn is_listed(case: &Case, list: &[(&str, &str)]) -> bool {
    list.iter().any(|(name, _)| case.name.starts_with(name))
}

#[test]
fn what_gitlab_calls_valid_is_accepted() {
    let refused: Vec<_> = cases("positive")
        .iter()
        .filter(|case| case.worst() == Some(Severity::Error) && !is_listed(case, &REFUSED_BY_GITLAB))
        .map(|case| format!("{}\n{}", case.name, render(&case.diagnostics, &case.sources)))
        .collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn what_gitlab_calls_invalid_is_refused() {
    let accepted: Vec<_> = cases("negative")
        .into_iter()
        .filter(|case| case.worst() != Some(Severity::Error) && !is_listed(case, &ACCEPTED_BY_GITLAB))
        .map(|case| case.name)
        .collect();
    assert!(accepted.is_empty(), "{accepted:#?}");
}
