//! Every keyword of GitLab's schema is in the table of what podline makes of it.

use std::collections::BTreeSet;

use podline::config::keyword::support;
use serde_json::Value as Json;

use super::tally;

/// Levels of keywords that are looked at: `artifacts:reports:junit`.
const LEVELS: usize = 3;

#[test]
fn every_keyword_of_the_schema_is_in_the_table() {
    let Some(folder) = tally::conformance() else { return };
    let text = std::fs::read_to_string(folder.join("ci.json")).expect("the schema is part of the data");
    let schema: Json = serde_json::from_str(&text).expect("the schema is JSON");
    let mut walk = Walk { schema: &schema, found: BTreeSet::new() };
    walk.node(&schema["definitions"]["job_template"], "", LEVELS);
    let globals = schema["properties"].as_object().expect("the schema has properties");
    // `pages` there is a job of that name, and `default` holds keywords of jobs.
    for (name, node) in globals.iter().filter(|(name, _)| !matches!(name.as_str(), "pages" | "default")) {
        walk.keyword(name, node, "", LEVELS);
    }
    let missing: Vec<_> = walk.found.iter().filter(|path| !is_known(path)).collect();
    assert!(walk.found.len() > 100, "the schema has keywords: {:?}", walk.found);
    assert!(missing.is_empty(), "keywords that no line of the table covers: {missing:?}");
}

/// A keyword of the third level may be covered by the one that holds it.
fn is_known(path: &str) -> bool {
    let above = path.rsplit_once(':').filter(|(above, _)| above.contains(':')).map(|(above, _)| above);
    support::find(path).is_some() || above.is_some_and(|above| support::find(above).is_some())
}

struct Walk<'s> {
    schema: &'s Json,
    found: BTreeSet<String>,
}

impl<'s> Walk<'s> {
    fn node(&mut self, node: &'s Json, path: &str, levels: usize) {
        if let Some(reference) = node["$ref"].as_str() {
            let target = self.schema.pointer(reference.trim_start_matches('#')).expect("a definition");
            return self.node(target, path, levels);
        }
        for choice in ["anyOf", "oneOf", "allOf"] {
            for branch in node[choice].as_array().into_iter().flatten() {
                self.node(branch, path, levels);
            }
        }
        if node["items"].is_object() {
            self.node(&node["items"], path, levels);
        }
        for (name, below) in node["properties"].as_object().into_iter().flatten() {
            self.keyword(name, below, path, levels);
        }
    }

    fn keyword(&mut self, name: &str, node: &'s Json, above: &str, levels: usize) {
        if matches!(name, "$schema" | "!reference") {
            return;
        }
        let path = if above.is_empty() { name.to_owned() } else { format!("{above}:{name}") };
        if levels > 1 {
            self.node(node, &path, levels - 1);
        }
        self.found.insert(path);
    }
}
