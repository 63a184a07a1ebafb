//! The functions of a `$[[ ]]` block (GitLab's `Interpolation::Functions`).

use crate::config::{Node, node::Kind, surroundings::Surroundings};

/// Applies a call such as `truncate(0,8)` to a value.
///
/// # Errors
/// What is wrong with the call.
pub(super) fn apply(call: &str, value: &Node, surroundings: &Surroundings<'_>) -> Result<Node, String> {
    let (name, arguments) = match call.split_once('(') {
        // GitLab takes a call without its closing bracket.
        Some((name, rest)) => (name, Some(rest.strip_suffix(')').unwrap_or(rest))),
        None => (call, None),
    };
    let text = || value.as_str().ok_or(format!("`{name}` takes only inputs of type string"));
    let string = |text: String| Node::string(text, value.span);
    match (name, arguments) {
        ("expand_vars", None) => {
            let expanded = surroundings.expand_unmasked(text()?);
            Ok(string(expanded.map_err(|error| error.to_string())?))
        }
        ("posix_escape" | "posix_quote", None) => Ok(string(shell_escape(text()?))),
        ("truncate", Some(arguments)) => {
            let (offset, length) = numbers(arguments).ok_or("write `truncate(offset,length)`")?;
            Ok(string(text()?.chars().skip(offset).take(length).collect()))
        }
        ("split", Some(arguments)) => {
            let separator = arguments.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
            let separator = separator.filter(|separator| !separator.is_empty() && !separator.contains('\''));
            let separator = separator.ok_or("write `split('separator')`")?;
            let parts = text()?.split(separator).map(str::trim).filter(|part| !part.is_empty());
            let items = parts.map(|part| string(part.to_owned())).collect();
            Ok(Node { kind: Kind::Sequence(items), span: value.span })
        }
        _ => Err(format!(
            "there is no function `{call}`; use `expand_vars`, `truncate(offset,length)`, `posix_escape` or `split('separator')`"
        )),
    }
}

fn numbers(arguments: &str) -> Option<(usize, usize)> {
    let (offset, length) = arguments.split_once(',')?;
    Some((offset.trim().parse().ok()?, length.trim().parse().ok()?))
}

/// Ruby's `Shellwords.shellescape`.
fn shell_escape(text: &str) -> String {
    if text.is_empty() {
        return "''".to_owned();
    }
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => out.push_str("'\n'"),
            'A'..='Z' | 'a'..='z' | '0'..='9' | '_' | '-' | '.' | ',' | ':' | '+' | '/' | '@' => {
                out.push(character);
            }
            _ => {
                out.push('\\');
                out.push(character);
            }
        }
    }
    out
}
