//! `image` and `services` (`Entry::Imageable`).

use super::{
    context::Context,
    fields::Fields,
    value::Value,
    variables::{self, Scope},
};
use crate::config::{
    keyword::job::{Image, PullPolicy, Service},
    node::{Kind, Value as Scalar},
    source::Spanned,
};

/// The longest `docker:user` and `kubernetes:user`.
const LONGEST_USER: usize = 255;

/// A name, or a hash with `name`.
pub(super) fn image(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Image> {
    let Some(fields) = image_fields(value, cx)? else { return named(value, cx) };
    let image = imageable(&fields, cx);
    fields.finish(cx);
    image
}

/// A list of names or hashes; lists within are spliced (`ComposableArray`).
pub(super) fn services(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Vec<Service>> {
    if value.node.as_sequence().is_none() {
        return value.expected("an array", cx);
    }
    let items = value.flattened(usize::MAX, cx)?;
    Some(items.iter().filter_map(|item| service(item, cx)).collect())
}

fn service(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Service> {
    let Some(fields) = image_fields(value, cx)? else {
        let image = named(value, cx)?;
        return Some(Service {
            image,
            aliases: Vec::new(),
            command: None,
            variables: variables::Variables::new(),
        });
    };
    let image = imageable(&fields, cx);
    let aliases = fields.get("alias").and_then(|alias| alias.string(cx));
    let command = fields.get("command").and_then(|command| arguments(&command, cx));
    refuse_no_arguments(&fields, cx);
    let variables = fields.get("variables").and_then(|value| variables::read(&value, Scope::Job, cx));
    fields.finish(cx);
    Some(Service {
        image: image?,
        aliases: aliases.map(|alias| split(&alias)).unwrap_or_default(),
        command,
        variables: variables.unwrap_or_default(),
    })
}

/// An empty list would change nothing about a service.
fn refuse_no_arguments(fields: &Fields<'_>, cx: &mut Context<'_>) {
    for key in ["entrypoint", "command"] {
        let Some(words) = fields.get(key) else { continue };
        if words.node.as_sequence().is_some_and(<[_]>::is_empty) {
            let help = "leave it out to keep what the image says";
            cx.report(words.error("empty-value", "can't be blank").help(help));
        }
    }
}

/// The fields of the hash form; `Some(None)` for the string form.
#[expect(clippy::option_option, reason = "outer: whether it is either form; inner: which")]
fn image_fields<'n>(value: &Value<'n>, cx: &mut Context<'_>) -> Option<Option<Fields<'n>>> {
    match &value.node.kind {
        Kind::Mapping(mapping) => Some(Some(value.fields_of(mapping))),
        _ if value.node.as_str().is_some() => Some(None),
        _ => value.expected("a string or a hash", cx),
    }
}

fn named(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Image> {
    Some(bare(value.name(cx)?))
}

fn bare(name: Spanned<String>) -> Image {
    Image { name, entrypoint: None, pull_policy: Vec::new(), kubernetes_user: None, platform: None }
}

fn imageable(fields: &Fields<'_>, cx: &mut Context<'_>) -> Option<Image> {
    let name = fields.required("name", cx).and_then(|name| name.name(cx));
    let entrypoint = fields.get("entrypoint").and_then(|entrypoint| arguments(&entrypoint, cx));
    let pull_policy = fields.get("pull_policy").and_then(|policy| pull_policy(&policy, cx));
    let platform = fields.written("docker").and_then(|docker| docker_options(&docker, cx));
    let kubernetes_user = fields.written("kubernetes").and_then(|kubernetes| {
        let options = kubernetes.fields(cx)?;
        let user = options.get("user").and_then(|value| kubernetes_user(&value, cx));
        options.finish(cx);
        user
    });
    let pull_policy = pull_policy.unwrap_or_default();
    Some(Image { entrypoint, pull_policy, kubernetes_user, platform, ..bare(name?) })
}

fn docker_options(docker: &Value<'_>, cx: &mut Context<'_>) -> Option<Spanned<String>> {
    let options = docker.fields(cx)?;
    let platform = options.get("platform").and_then(|platform| platform.name(cx));
    if let Some(user) = options.get("user")
        && user.string(cx).is_some()
    {
        check_length(&user, cx);
    }
    options.finish(cx);
    platform
}

/// A user of Kubernetes: a string, or a number, which stands for itself.
fn kubernetes_user(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Spanned<String>> {
    match value.node.as_scalar().map(|scalar| &scalar.value) {
        Some(Scalar::String | Scalar::Int(_)) => check_length(value, cx),
        _ => value.expected("a string or an integer", cx),
    }
}

/// `1001:1001` is a number to Psych (base 60); what was written is what is meant.
fn check_length(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Spanned<String>> {
    let text = value.node.as_scalar()?.text.clone();
    if text.is_empty() || text.chars().count() > LONGEST_USER {
        cx.report(value.error("wrong-length", format_args!("should have 1 to {LONGEST_USER} characters")));
        return None;
    }
    Some(Spanned::new(text, value.span()))
}

/// `entrypoint` and `command`: arrays of strings.
fn arguments(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Vec<String>> {
    let words = value.strings(cx)?;
    Some(words.into_iter().map(|word| word.value).collect())
}

fn pull_policy(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Vec<PullPolicy>> {
    let words = [
        ("always", PullPolicy::Always),
        ("if-not-present", PullPolicy::IfNotPresent),
        ("never", PullPolicy::Never),
    ];
    let Some(items) = value.items() else { return Some(vec![value.choice(&words, cx)?]) };
    if value.node.as_sequence().is_some_and(<[_]>::is_empty) {
        cx.report(value.error("empty-value", "can't be blank"));
    }
    Some(items.filter_map(|item| item.choice(&words, cx)).collect())
}

/// Aliases stand in one string, between commas or blanks.
fn split(aliases: &str) -> Vec<String> {
    let separator = |char: char| char == ',' || char.is_whitespace();
    aliases.split(separator).filter(|alias| !alias.is_empty()).map(str::to_owned).collect()
}
