//! `cache` (`Entry::Caches`, `Entry::Cache`, `Entry::Key`).

use super::{artifacts::UPLOAD_WHEN, context::Context, value::Value};
use crate::config::{
    keyword::job::{Cache, CacheKey},
    node::Kind,
};

/// The most caches of one job.
const MOST: usize = 4;

/// The most `fallback_keys` of one cache.
const MOST_FALLBACK_KEYS: usize = 5;

/// The most `key:files`.
const MOST_FILES: usize = 10;

/// The most `key:files_commits`.
const MOST_FILES_COMMITS: usize = 2;

/// The key of a cache that names none.
const DEFAULT_KEY: &str = "default";

/// A hash, or an array of them; an empty one turns caches off.
pub(super) fn read(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Vec<Cache>> {
    match &value.node.kind {
        Kind::Mapping(mapping) if mapping.is_empty() => return Some(Vec::new()),
        Kind::Mapping(_) => return Some(vec![cache(value, cx)?]),
        Kind::Sequence(_) => {}
        _ => return value.expected("a hash or an array of hashes", cx),
    }
    // Arrays within are spliced (`ComposableArray`), and counted as one each.
    let count = value.node.as_sequence().map_or(0, <[_]>::len);
    if count > MOST {
        let rest = format_args!("has {count} entries, GitLab takes {MOST}");
        cx.report(value.error("too-many", rest));
    }
    let caches = value.flattened(usize::MAX, cx)?;
    let caches = caches.iter().filter_map(|item| cache(item, cx)).collect();
    Some(caches)
}

fn cache(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Cache> {
    let fields = value.fields(cx)?;
    let key = fields.get("key").and_then(|value| key(&value, cx));
    let fallback_keys = fields.get("fallback_keys").and_then(|keys| fallback_keys(&keys, cx));
    let cache = Cache {
        key: key.unwrap_or_else(|| CacheKey::Text(DEFAULT_KEY.to_owned())),
        fallback_keys: fallback_keys.unwrap_or_default(),
        paths: fields.get("paths").and_then(|paths| paths.strings(cx)).unwrap_or_default(),
        untracked: fields.get("untracked").and_then(|value| value.boolean(cx)).unwrap_or(false),
        policy: fields.get("policy").and_then(|value| policy(&value, cx)).unwrap_or("pull-push".to_owned()),
        when: fields.get("when").and_then(|when| when.choice(&UPLOAD_WHEN, cx)).unwrap_or_default(),
    };
    fields.get("unprotect").and_then(|unprotect| unprotect.boolean(cx));
    fields.finish(cx);
    Some(cache)
}

fn fallback_keys(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Vec<String>> {
    let keys = value.strings(cx)?;
    if keys.len() > MOST_FALLBACK_KEYS {
        let rest = format_args!("has {} entries, GitLab takes {MOST_FALLBACK_KEYS}", keys.len());
        cx.report(value.error("too-many", rest));
    }
    Some(keys.into_iter().map(|key| key.value).collect())
}

/// A policy, or a variable that holds one.
fn policy(value: &Value<'_>, cx: &mut Context<'_>) -> Option<String> {
    let text = value.string(cx)?.value;
    // GitLab's pattern is not anchored; `push` and `pull-push` are found inside of other words.
    if !text.trim().is_empty() && !["pull", "push", "$"].iter().any(|word| text.contains(word)) {
        let rest = format_args!("should be `pull-push`, `pull`, `push` or a variable, not `{text}`");
        cx.report(value.error("unknown-value", rest));
        return None;
    }
    Some(text)
}

/// A text, or a hash of files.
fn key(value: &Value<'_>, cx: &mut Context<'_>) -> Option<CacheKey> {
    if value.node.as_mapping().is_none() {
        if value.node.as_str().is_none() {
            return value.expected("a string or a hash", cx);
        }
        return Some(CacheKey::Text(part(value, cx)?));
    }
    let fields = value.fields(cx)?;
    let files = fields.get("files");
    let commits = fields.get("files_commits");
    let prefix = fields.get("prefix").and_then(|prefix| part(&prefix, cx));
    fields.finish(cx);
    if let (Some(_), Some(commits)) = (&files, &commits) {
        cx.report(commits.error("conflicting-keywords", "cannot stand beside `cache:key:files`"));
    }
    let (list, most, commits) = match (files, commits) {
        (Some(files), _) => (files, MOST_FILES, false),
        (None, Some(commits)) => (commits, MOST_FILES_COMMITS, true),
        (None, None) => {
            cx.report(value.error("missing-keyword", "should have `files` or `files_commits`"));
            return None;
        }
    };
    let files = list.strings(cx)?;
    if !(1..=most).contains(&files.len()) {
        let rest = format_args!("should have from 1 to {most} entries, not {}", files.len());
        cx.report(list.error("wrong-length", rest));
    }
    Some(CacheKey::Files { files: files.into_iter().map(|file| file.value).collect(), prefix, commits })
}

/// A key or prefix, which becomes a file name.
fn part(value: &Value<'_>, cx: &mut Context<'_>) -> Option<String> {
    let text = value.string(cx)?.value;
    if text.contains('/') || text.to_lowercase().contains("%2f") {
        cx.report(value.error("bad-key", "cannot contain the `/` character"));
        return None;
    }
    if matches!(text.to_lowercase().replace("%2e", ".").as_str(), "." | "..") {
        cx.report(value.error("bad-key", "cannot be `.` or `..`"));
        return None;
    }
    Some(text)
}
