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

/// A cache of a job, with its position among those of the job.
pub(super) fn cache(
    (position, cache): (usize, &Cache),
    variables: &Variables<'_>,
    key_of_files: KeyOfFiles<'_>,
) -> Cache {
    let mut expanded = cache.clone();
    spanned(&mut expanded.paths, variables);
    expanded.fallback_keys.iter_mut().for_each(|key| *key = variables.expand(key));
    expanded.policy = variables.expand(&cache.policy);
    expanded.key = CacheKey::Text(key(&cache.key, position, variables, key_of_files));
    expanded
}

/// The key as a text: files become a hash of them, or `default` where there are none. Without a prefix of their
/// own, they have the position of the cache and their names (`Seed::Build#cache_prefix`): two caches of one job
/// never share a key.
fn key(key: &CacheKey, position: usize, variables: &Variables<'_>, key_of_files: KeyOfFiles<'_>) -> String {
    match key {
        CacheKey::Text(text) => variables.expand(text),
        CacheKey::Files { files, prefix, commits } => {
            let hash = key_of_files(files, *commits).unwrap_or_else(|| "default".to_owned());
            let prefix = match prefix {
                Some(prefix) => variables.expand(prefix),
                None => {
                    let names = files.iter().map(|file| file.split('.').next().unwrap_or_default());
                    format!("{position}_{}", names.collect::<Vec<_>>().join("_"))
                }
            };
            if prefix.is_empty() { hash } else { format!("{prefix}-{hash}") }
        }
    }
}

fn spanned(texts: &mut [Spanned<String>], variables: &Variables<'_>) {
    texts.iter_mut().for_each(|text| text.value = variables.expand(&text.value));
}
