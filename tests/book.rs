//! `docs/` is a book: every page is in its summary, every link leads somewhere. And what the project's own
//! pipeline says of it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use regex::Regex;

use crate::support::Project;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The relative links of a page: where they lead, without the part after `#`.
fn links(page: &Path) -> Vec<String> {
    let text = fs::read_to_string(page).expect("a page can be read");
    let link = Regex::new(r"\]\(([^)\s]+)\)").expect("a pattern");
    let found =
        link.captures_iter(&text).map(|found| found[1].split('#').next().unwrap_or_default().to_owned());
    found.filter(|target| !target.is_empty() && !target.contains("://")).collect()
}

fn pages() -> Vec<PathBuf> {
    let entries = fs::read_dir(root().join("docs")).expect("the docs");
    let paths = entries.map(|entry| entry.expect("a file").path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

#[test]
fn every_page_is_in_the_summary_once() {
    let listed = links(&root().join("docs/SUMMARY.md"));
    let unique: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(unique.len(), listed.len(), "a page is listed twice");
    let names = pages().into_iter().filter_map(|page| Some(page.file_name()?.to_str()?.to_owned()));
    let written: BTreeSet<String> = names.filter(|name| name != "SUMMARY.md").collect();
    assert_eq!(unique, written);
}

#[test]
fn every_link_leads_to_a_file_of_the_repository() {
    let mut broken = Vec::new();
    for page in pages().into_iter().chain([root().join("README.md")]) {
        let folder = page.parent().expect("a page is in a folder");
        for target in links(&page) {
            if !folder.join(&target).exists() {
                broken.push(format!("{}: {target}", page.display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_pipeline_of_podline_itself_is_clean() {
    let project = Project::with(&fs::read_to_string(root().join(".gitlab-ci.yml")).expect("its pipeline"));
    let lint = project.podline(&["lint"]).run().expect(0);
    assert!(!lint.stderr.contains("warning"), "{lint}");
    let shown = |arguments: &[&str]| {
        let plan = project.podline(arguments).env("COLUMNS", "100").run().expect(0).stdout;
        plan.split("\n\n8 pods")
            .next()
            .unwrap_or_default()
            .split("\n\nnot simulated")
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    insta::assert_snapshot!(format!("{}\n\n{}", shown(&["plan"]), shown(&["plan", "--tag", "v1.2.3"])));
}
