//! `script`, `before_script`, `after_script` and `hooks`.

use super::{context::Context, value::Value};
use crate::config::{node::Kind, source::Spanned};

/// Levels of arrays that GitLab flattens (`Entry::Commands`).
const LEVELS: usize = 10;

/// A string, or an array of strings that may be nested.
pub(super) fn script(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Vec<Spanned<String>>> {
    if !matches!(value.node.kind, Kind::Sequence(_)) && value.node.as_str().is_none() {
        return value.expected("a string or an array of strings", cx);
    }
    let commands = value.flattened(LEVELS, cx)?;
    Some(commands.iter().filter_map(|command| line(command, cx)).collect())
}

/// One command. A command with `: ` in it is a hash unless it is quoted, which is the most common
/// mistake there is.
fn line(command: &Value<'_>, cx: &mut Context<'_>) -> Option<Spanned<String>> {
    if let Kind::Mapping(mapping) = &command.node.kind {
        let rest = "should hold strings only, but this command is a hash";
        let mut diagnostic = command.error("wrong-type", rest);
        if mapping.keys().next().is_some_and(|key| key.contains(' ')) {
            diagnostic = diagnostic.help("a `: ` makes it a hash: put the whole command in quotes");
        }
        cx.report(diagnostic);
        return None;
    }
    command.string(cx)
}

/// `script` of a job, which must do something.
pub(super) fn required_script(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Vec<Spanned<String>>> {
    let empty = value.node.as_sequence().is_some_and(<[_]>::is_empty)
        || value.node.as_str().is_some_and(|text| text.trim().is_empty())
        || value.node.is_null();
    if empty {
        cx.report(value.error("empty-value", "can't be blank"));
        return None;
    }
    script(value, cx)
}

/// `hooks`, of which there is one: `pre_get_sources_script`.
pub(super) fn hooks(value: &Value<'_>, cx: &mut Context<'_>) -> Option<Vec<Spanned<String>>> {
    let fields = value.fields(cx)?;
    let lines = fields.get("pre_get_sources_script").and_then(|value| script(&value, cx));
    fields.finish(cx);
    lines
}
