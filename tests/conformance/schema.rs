//! GitLab's own tests of its schema: each top-level key of a file is one case.

use podline::config::{
    self, Diagnostics, Node, Sources,
    node::{Entry, Mapping},
    yaml,
};

use super::{
    project::{Planned, Project, push},
    tally::{self, Tally},
};

/// Codes of mistakes that a fragment of a configuration has because it is one.
const OF_FRAGMENTS: [&str; 5] = ["no-script", "unknown-stage", "unknown-job", "no-jobs", "missing-input"];

/// Top-level keywords; any other key of a case is a job.
const GLOBAL: [&str; 10] = [
    "default",
    "include",
    "stages",
    "variables",
    "workflow",
    "image",
    "services",
    "before_script",
    "after_script",
    "cache",
];

/// What every file that a case includes has in it.
const INCLUDED: &str = ".included: {script: included}\n";

#[test]
fn what_the_schema_calls_valid_is_accepted() {
    each_case("schema/positive", |planned| match mistakes(planned) {
        mistakes if mistakes.is_empty() => Ok(()),
        mistakes => Err(format!("is refused\n    {}", mistakes.join("\n    "))),
    });
}

#[test]
fn what_the_schema_calls_invalid_is_refused() {
    each_case("schema/negative", |planned| match mistakes(planned) {
        mistakes if mistakes.is_empty() => Err("is accepted".to_owned()),
        _ => Ok(()),
    });
}

fn each_case(kind: &str, holds: impl Fn(&Planned) -> Result<(), String>) {
    let Some(root) = tally::conformance() else { return };
    let folder = root.join(kind);
    let mut tally = Tally::new(kind);
    for file in tally::files(&folder) {
        let text = std::fs::read_to_string(folder.join(&file)).expect("a case is text");
        let (mut sources, mut diagnostics) = (Sources::default(), Diagnostics::default());
        let source = sources.add(&file, &text);
        let documents = yaml::parse(source, &text, &mut diagnostics)
            .unwrap_or_else(|| panic!("{file} is no YAML: {diagnostics:?}"));
        for (key, entry) in documents.content.iter() {
            let mut project = Project::of_text(&alone(key, entry, &documents.content));
            project.others = Some(INCLUDED.to_owned());
            tally.case(&format!("{file}: {key}"), holds(&project.plan(".gitlab-ci.yml", &push())));
        }
    }
    tally.finish("");
}

/// A configuration of one key, with what it extends and, where it is no job, with a job.
fn alone(key: &str, entry: &Entry, all: &Mapping) -> String {
    let mut tree = Mapping::default();
    let mut extended: Vec<&str> = entry.value.as_mapping().map(parents).unwrap_or_default();
    while let Some(name) = extended.pop() {
        let node = all.get(name).filter(|node| node.as_mapping().is_some());
        if name != key && tree.get(name).is_none() {
            extended.extend(node.and_then(Node::as_mapping).map(parents).unwrap_or_default());
            let node = node.cloned().unwrap_or_else(|| Node::mapping(Mapping::default(), entry.key));
            tree.insert(name, entry.key, node);
        }
    }
    tree.insert(key, entry.key, entry.value.clone());
    let job = "podline job: {script: x}\n";
    match key {
        // The header of a file is a document of its own.
        "spec" => format!("{}---\n{job}", config::emit(&tree)),
        key if GLOBAL.contains(&key) => format!("{}{job}", config::emit(&tree)),
        _ => config::emit(&tree),
    }
}

/// The names that a job extends.
fn parents(job: &Mapping) -> Vec<&str> {
    let Some(extends) = job.get("extends") else { return Vec::new() };
    match extends.as_sequence() {
        Some(names) => names.iter().filter_map(Node::as_str).collect(),
        None => extends.as_str().into_iter().collect(),
    }
}

/// What is wrong with a case by itself.
fn mistakes(planned: &Planned) -> Vec<String> {
    let own = planned.errors().filter(|found| !OF_FRAGMENTS.contains(&found.code));
    own.map(|found| planned.show(found)).collect()
}
