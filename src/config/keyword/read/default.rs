//! `default`, the old global forms of it, and `inherit` (`Entry::Default`, `Entry::Inherit`).

use super::{
    accepted, artifacts, cache, context::Context, duration, fields::Fields, image, retry, script, secrets,
    value::Value,
};
use crate::config::{
    diagnostic::Diagnostic,
    keyword::{
        Inherit,
        duration::LONGEST_TIMEOUT,
        job::{Artifacts, Cache, Image, Retry, Service},
    },
    source::Spanned,
};

/// The keywords of `default`.
const KEYWORDS: [&str; 14] = [
    "after_script",
    "artifacts",
    "before_script",
    "cache",
    "hooks",
    "id_tokens",
    "identity",
    "image",
    "interruptible",
    "retry",
    "secrets",
    "services",
    "tags",
    "timeout",
];

/// Keywords that may stand at the top level for the same purpose.
pub(super) const OLD: [&str; 5] = ["image", "services", "cache", "before_script", "after_script"];

/// What a job takes where it says nothing itself. A keyword is taken whole, never merged.
#[derive(Debug, Default)]
pub(super) struct Defaults {
    pub(super) before_script: Option<Vec<Spanned<String>>>,
    pub(super) after_script: Option<Vec<Spanned<String>>>,
    pub(super) pre_get_sources_script: Option<Vec<Spanned<String>>>,
    pub(super) image: Option<Image>,
    pub(super) services: Option<Vec<Service>>,
    pub(super) cache: Option<Vec<Cache>>,
    pub(super) artifacts: Option<Artifacts>,
    pub(super) retry: Option<Retry>,
    pub(super) interruptible: Option<bool>,
    pub(super) tags: Option<Vec<Spanned<String>>>,
    pub(super) id_tokens: Option<Vec<Spanned<String>>>,
}

/// Reads the keywords that a job shares with `default`, from either.
pub(super) fn read(fields: &Fields<'_>, cx: &mut Context<'_>) -> Defaults {
    Defaults {
        id_tokens: fields.get("id_tokens").and_then(|value| accepted::id_tokens(&value, cx)),
        artifacts: fields.get("artifacts").and_then(|value| artifacts::read(&value, cx)),
        retry: fields.get("retry").and_then(|value| retry::retry(&value, cx)),
        interruptible: fields.get("interruptible").and_then(|value| value.boolean(cx)),
        tags: fields.get("tags").and_then(|value| tags(&value, cx)),
        pre_get_sources_script: fields.get("hooks").and_then(|value| script::hooks(&value, cx)),
        ..read_old(fields, cx)
    }
}

/// Reads the keywords that may also stand at the top level.
fn read_old(fields: &Fields<'_>, cx: &mut Context<'_>) -> Defaults {
    Defaults {
        before_script: fields.get("before_script").and_then(|value| script::script(&value, cx)),
        after_script: fields.get("after_script").and_then(|value| script::script(&value, cx)),
        image: fields.get("image").and_then(|value| image::image(&value, cx)),
        services: fields.get("services").and_then(|value| image::services(&value, cx)),
        cache: fields.get("cache").and_then(|value| cache::read(&value, cx)),
        ..Defaults::default()
    }
}

/// Reads `default` and what stands for it at the top level.
pub(super) fn of(top: &Fields<'_>, cx: &mut Context<'_>) -> Defaults {
    let old = read_old(top, cx);
    let Some(value) = top.get("default") else { return old };
    let Some(mapping) = value.node.as_mapping() else {
        value.expected::<()>("a hash", cx);
        return old;
    };
    let fields = Fields::of(mapping, value.span(), &" of `default`".into());
    let new = read(&fields, cx);
    // `default:timeout` has no effect on GitLab (issue 213634); it is only checked.
    fields.get("timeout").and_then(|timeout| duration::read(&timeout, LONGEST_TIMEOUT, cx));
    fields.get("identity").and_then(|identity| accepted::identity(&identity, cx));
    fields.get("secrets").and_then(|secrets| secrets::read(&secrets, cx));
    for keyword in OLD {
        if let (Some(global), Some(_)) = (top.get(keyword), fields.get(keyword)) {
            let message = format!("`{keyword}` is defined at the top level and in `default`");
            let mut diagnostic = Diagnostic::error("conflicting-keywords", message, global.span());
            diagnostic.related.extend(fields.key(keyword).map(|key| (key, "the other one".to_owned())));
            cx.report(diagnostic.help("keep the one in `default`"));
        }
    }
    fields.finish(cx);
    Defaults {
        before_script: new.before_script.or(old.before_script),
        after_script: new.after_script.or(old.after_script),
        image: new.image.or(old.image),
        services: new.services.or(old.services),
        cache: new.cache.or(old.cache),
        ..new
    }
}

impl Defaults {
    /// What a job says itself, and for the rest what it inherits.
    pub(super) fn over(self, defaults: &Self, inherit: &Inherit) -> Self {
        fn either<T: Clone>(own: Option<T>, default: &Option<T>, takes: bool) -> Option<T> {
            own.or_else(|| default.clone().filter(|_| takes))
        }
        let takes = |keyword| inherit.takes(keyword);
        Self {
            before_script: either(self.before_script, &defaults.before_script, takes("before_script")),
            after_script: either(self.after_script, &defaults.after_script, takes("after_script")),
            pre_get_sources_script: either(
                self.pre_get_sources_script,
                &defaults.pre_get_sources_script,
                takes("hooks"),
            ),
            image: either(self.image, &defaults.image, takes("image")),
            services: either(self.services, &defaults.services, takes("services")),
            cache: either(self.cache, &defaults.cache, takes("cache")),
            artifacts: either(self.artifacts, &defaults.artifacts, takes("artifacts")),
            retry: either(self.retry, &defaults.retry, takes("retry")),
            interruptible: either(self.interruptible, &defaults.interruptible, takes("interruptible")),
            tags: either(self.tags, &defaults.tags, takes("tags")),
            id_tokens: either(self.id_tokens, &defaults.id_tokens, takes("id_tokens")),
        }
    }
}

/// Levels of arrays that are flattened.
const LEVELS: usize = 10;

/// The number of tags from which on GitLab refuses (`Entry::Tags::TAGS_LIMIT`).
const TOO_MANY_TAGS: usize = 50;

/// `tags`.
fn tags(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Vec<Spanned<String>>> {
    if value.node.as_sequence().is_none() {
        return value.expected("an array of strings", cx);
    }
    let items = value.flattened(LEVELS, cx)?;
    if items.len() >= TOO_MANY_TAGS {
        let rest = format_args!("must have less than {TOO_MANY_TAGS} entries, not {}", items.len());
        cx.report(value.error("too-many", rest));
    }
    Some(items.iter().filter_map(|tag| tag.name(cx)).collect())
}

/// `inherit`: what a job takes of `default` and of the global variables.
pub(super) fn inherit(value: &Value<'_>, cx: &mut Context<'_>) -> Option<(Inherit, Inherit)> {
    let fields = value.fields(cx)?;
    let default = fields.get("default").and_then(|value| choice(&value, cx));
    let variables = fields.get("variables").and_then(|value| choice(&value, cx));
    fields.finish(cx);
    if let Some(Inherit::Only(keywords)) = &default {
        for keyword in keywords.iter().filter(|keyword| !KEYWORDS.contains(&keyword.as_str())) {
            let rest = format_args!("names `{keyword}` in `default`, which `default` cannot hold");
            let mut diagnostic = value.error("unknown-value", rest);
            if let Some(word) = cx.nearest(keyword, &KEYWORDS) {
                diagnostic = diagnostic.help(format!("did you mean `{word}`?"));
            }
            cx.report(diagnostic);
        }
    }
    Some((default.unwrap_or_default(), variables.unwrap_or_default()))
}

fn choice(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Inherit> {
    match value.node.as_bool() {
        Some(true) => Some(Inherit::All),
        Some(false) => Some(Inherit::None),
        None if value.node.as_sequence().is_none() => value.expected("a boolean or an array of strings", cx),
        None => Some(Inherit::Only(value.strings(cx)?.into_iter().map(|name| name.value).collect())),
    }
}
