//! `release` (`Entry::Release`): checked, and not acted on.

use super::{context::Context, fields::Fields, value::Value};

/// The words of `link_type`.
const LINK_TYPES: [(&str, ()); 4] = [("runbook", ()), ("package", ()), ("image", ()), ("other", ())];

/// A hash.
pub(super) fn check(value: &Value<'_>, cx: &mut Context<'_>) -> Option<()> {
    let fields = value.fields(cx)?;
    for key in ["tag_name", "description"] {
        fields.required(key, cx).and_then(|value| value.name(cx));
    }
    for key in ["tag_message", "name", "ref"] {
        fields.get(key).and_then(|value| value.string(cx));
    }
    fields.get("milestones").and_then(|milestones| milestones.one_or_more(cx));
    fields.get("released_at").and_then(|moment| check_moment(&moment, cx));
    if let Some(assets) = fields.get("assets").and_then(|assets| assets.fields(cx)) {
        assets.required("links", cx).and_then(|links| check_links(&links, cx));
        assets.finish(cx);
    }
    fields.finish(cx);
    Some(())
}

/// A date and time after ISO 8601 (`ISO8601DateValidator`).
fn check_moment(value: &Value<'_>, cx: &mut Context<'_>) -> Option<()> {
    let text = value.string(cx)?;
    if text.parse::<jiff::Timestamp>().is_err() {
        let help = "it looks like `2026-03-15T08:00:00Z`";
        cx.report(value.error("bad-date", "should be a date and time after ISO 8601").help(help));
    }
    Some(())
}

/// `assets:links` (`Entry::Release::Assets::Links`).
fn check_links(value: &Value<'_>, cx: &mut Context<'_>) -> Option<()> {
    let Some(links) = value.items() else { return value.expected("an array of hashes", cx) };
    if value.node.as_sequence().is_some_and(<[_]>::is_empty) {
        cx.report(value.error("empty-value", "can't be blank"));
    }
    for link in links {
        if let Some(fields) = link.fields(cx) {
            check_link(&fields, cx);
            fields.finish(cx);
        }
    }
    Some(())
}

fn check_link(link: &Fields<'_>, cx: &mut Context<'_>) {
    for key in ["name", "url"] {
        link.required(key, cx).and_then(|value| value.name(cx));
    }
    link.get("filepath").and_then(|path| path.string(cx));
    link.get("link_type").and_then(|kind| kind.choice(&LINK_TYPES, cx));
}
