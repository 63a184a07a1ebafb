//! Artifacts and caches of a build, with variables replaced as the runner does.

use super::{make::KeyOfFiles, variables::Variables};
use crate::config::{
    Spanned,
    keyword::job::{Artifacts, Cache, CacheKey},
};

pub(super) fn artifacts(artifacts: &Artifacts, variables: &Variables<'_>) -> Artifacts {
    let mut expanded = artifacts.clone();
    spanned(&mut expanded.paths, variables);
    spanned(&mut expanded.exclude, variables);
    expanded.reports.values_mut().for_each(|paths| spanned(paths, variables));
    if let Some(name) = &mut expanded.name {
        name.value = variables.expand(&name.value);
    }
    expanded
}

pub(super) fn cache(cache: &Cache, variables: &Variables<'_>, key_of_files: KeyOfFiles<'_>) -> Cache {
    let mut expanded = cache.clone();
    spanned(&mut expanded.paths, variables);
    expanded.fallback_keys.iter_mut().for_each(|key| *key = variables.expand(key));
    expanded.policy = variables.expand(&cache.policy);
    expanded.key = CacheKey::Text(key(&cache.key, variables, key_of_files));
    expanded
}

/// The key as a text: files become a hash of them, or `default` where there are none.
fn key(key: &CacheKey, variables: &Variables<'_>, key_of_files: KeyOfFiles<'_>) -> String {
    match key {
        CacheKey::Text(text) => variables.expand(text),
        CacheKey::Files { files, prefix, commits } => {
            let hash = key_of_files(files, *commits).unwrap_or_else(|| "default".to_owned());
            match prefix.as_ref().map(|prefix| variables.expand(prefix)).filter(|prefix| !prefix.is_empty()) {
                Some(prefix) => format!("{prefix}-{hash}"),
                None => hash,
            }
        }
    }
}

fn spanned(texts: &mut [Spanned<String>], variables: &Variables<'_>) {
    texts.iter_mut().for_each(|text| text.value = variables.expand(&text.value));
}
