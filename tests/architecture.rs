//! The rooms under `src/` may only know what `docs/architecture.md` allows them.

use std::{collections::BTreeSet, fs, path::Path};

/// Each room and the rooms it may use. `event`, `git` and `mask` are single subjects beside the rooms.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("config", &[]),
    ("pipeline", &["config"]),
    ("scheduler", &["pipeline"]),
    ("event", &["scheduler"]),
    ("git", &[]),
    ("mask", &[]),
    ("fetch", &["config", "git"]),
    ("engine", &[]),
    ("runner", &["config", "engine", "event", "git", "mask", "pipeline", "scheduler"]),
    ("report", &["config", "event", "mask"]),
    (
        "cli",
        &["config", "engine", "event", "fetch", "git", "mask", "pipeline", "report", "runner", "scheduler"],
    ),
];

#[test]
fn every_room_knows_only_what_it_may() {
    let mut faults = Vec::new();
    for (file, room) in rooms() {
        let (_, allowed) = MAY_KNOW
            .iter()
            .find(|(name, _)| *name == room)
            .unwrap_or_else(|| panic!("`{room}` is not in the table: say what it may know"));
        for used in crate_modules(&fs::read_to_string(&file).expect("a source file can be read")) {
            if used != room && !allowed.contains(&used.as_str()) {
                faults.push(format!("{file} uses `crate::{used}`: `{room}` may know only {allowed:?}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_room_is_there() {
    let there: BTreeSet<String> = rooms().into_iter().map(|(_, room)| room).collect();
    let told: BTreeSet<String> = MAY_KNOW.iter().map(|(room, _)| (*room).to_owned()).collect();
    assert_eq!(there, told);
}

#[test]
fn no_file_outgrows_its_subject() {
    let long: Vec<String> = rooms()
        .into_iter()
        .filter(|(file, _)| !file.ends_with("tests.rs"))
        .map(|(file, _)| {
            let text = fs::read_to_string(&file).expect("a source file can be read");
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            (code.lines().count(), file)
        })
        .filter(|(lines, _)| *lines > 600)
        .map(|(lines, file)| format!("{file} has {lines} lines: a file is one subject"))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

/// Every source file with the room that it belongs to.
fn rooms() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&root, &mut files);
    files
        .into_iter()
        .filter_map(|file| {
            let inside = Path::new(&file).strip_prefix(&root).ok()?;
            let first = inside.components().next()?.as_os_str().to_str()?;
            let room = first.strip_suffix(".rs").unwrap_or(first).to_owned();
            (room != "main" && room != "lib").then_some((file, room))
        })
        .collect()
}

fn collect(folder: &Path, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("src can be listed") {
        let path = entry.expect("src can be listed").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path.to_string_lossy().into_owned());
        }
    }
}

/// First segments of all `crate::...` paths of a file, also inside `use crate::{a, b::c}`.
fn crate_modules(text: &str) -> BTreeSet<String> {
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut modules = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => modules.extend(group_heads(group)),
            None => modules.extend(head(rest)),
        }
    }
    modules
}

/// First segments of the paths in a `{...}` group, whose opening brace is gone.
fn group_heads(group: &str) -> Vec<String> {
    let (mut heads, mut depth, mut item) = (Vec::new(), 0, String::new());
    for character in group.chars() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.extend(head(std::mem::take(&mut item).trim())),
            other if depth == 0 => item.push(other),
            _ => {}
        }
    }
    heads.extend(head(item.trim()));
    heads
}

fn head(path: &str) -> Option<String> {
    let word: String = path.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (word.chars().next()?.is_lowercase()).then_some(word)
}

#[test]
fn paths_are_found_in_every_form_of_use() {
    let text = "use crate::{config::{Node, source::Span}, event::Event};\nfn f(x: crate::git::Git) {}";
    let found: Vec<String> = crate_modules(text).into_iter().collect();
    assert_eq!(found, ["config", "event", "git"]);
}
