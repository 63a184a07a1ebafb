//! The three ways in which references to variables are replaced.
//!
//! GitLab knows `$name`, `${name}` and `%name%` ([`expand`], [`expand_existing`], [`expand_all`]); the
//! runner expands once more with Go's `os.Expand` ([`expand_as_runner`]); the shell comes last and is
//! none of podline's business.

use std::{borrow::Cow, ops::Range};

use foldhash::{HashMap, HashMapExt};

/// A variable that a reference may stand for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Definition<'v> {
    /// The name.
    pub key: &'v str,
    /// The value.
    pub value: &'v str,
    /// Whether references in the value are left alone (`expand: false`).
    pub raw: bool,
    /// Whether jobs see the path of a file that holds the value.
    pub file: bool,
    /// Whether the value is hidden in traces.
    pub masked: bool,
}

/// How references are treated that are not simply replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Leave references to unknown variables as they are, rather than replace them by nothing.
    pub keep_unknown: bool,
    /// Replace references to variables of type file.
    pub file_references: bool,
    /// Replace references to variables with `expand: false`.
    pub raw_references: bool,
    /// Refuse references to masked variables.
    pub refuse_masked: bool,
}

impl Options {
    /// Unknown references become empty (`ExpandVariables.expand`).
    pub const EMPTY_UNKNOWN: Self =
        Self { keep_unknown: false, file_references: true, raw_references: true, refuse_masked: false };
    /// Unknown references stay (`ExpandVariables.expand_existing`).
    pub const KEEP_UNKNOWN: Self = Self { keep_unknown: true, ..Self::EMPTY_UNKNOWN };
    /// What GitLab sends to a runner: the rest is expanded there.
    pub const FOR_RUNNER: Self =
        Self { keep_unknown: true, file_references: false, raw_references: false, refuse_masked: false };
}

/// Most bytes that references may be replaced by, in one text or in one list of variables: a guard against
/// a few lines that grow without bound. Linux takes 128 KB for one variable and some MB for all of them.
const MAX_REPLACED: usize = 16 << 20;

/// Why references cannot be replaced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// A reference to a masked variable where none is allowed.
    #[error("masked variables cannot be expanded: `{0}`")]
    Masked(String),
    /// Variables that refer to each other.
    #[error("circular variable reference detected: {}", .0.join(", "))]
    Cycle(Vec<String>),
    /// A variable that grows by its references beyond all bounds.
    #[error("with what it refers to, `{0}` grows beyond all bounds")]
    TooBig(String),
}

/// Replaces references once; unknown ones become empty.
pub fn expand<'v>(text: &str, lookup: impl Fn(&str) -> Option<&'v str>) -> String {
    replace(text, |name| Some(lookup(name).unwrap_or_default()))
}

/// Replaces references once; unknown ones stay as they are written.
pub fn expand_existing<'v>(text: &str, lookup: impl Fn(&str) -> Option<&'v str>) -> String {
    replace(text, lookup)
}

/// Replaces references once, with regard to what each variable is.
///
/// # Errors
/// [`ExpandError::Masked`] for a reference that the options refuse.
pub fn expand_with<'v>(
    text: &str,
    options: Options,
    lookup: impl Fn(&str) -> Option<Definition<'v>>,
) -> Result<String, ExpandError> {
    let mut refused = None;
    let expanded = replace(text, |name| {
        let found = lookup(name);
        if options.refuse_masked && found.is_some_and(|definition| definition.masked) {
            refused.get_or_insert_with(|| name.to_owned());
        }
        replacement(found, options)
    });
    refused.map_or(Ok(expanded), |name| Err(ExpandError::Masked(name)))
}

/// Expands the values of a list of variables through each other, in whatever order they depend on each
/// other, and gives the values in the order of the list (`Collection#sort_and_expand_all`). Of several
/// variables with one key, a reference means the last one.
///
/// # Errors
/// [`ExpandError::Cycle`] for variables that refer to each other; a variable that refers to its own key
/// means an earlier one of that key. [`ExpandError::TooBig`] for values that grow without bound.
pub fn expand_all<'v>(list: &[Definition<'v>], options: Options) -> Result<Vec<Cow<'v, str>>, ExpandError> {
    // Of the variables of a job, few refer to others, and few are referred to.
    let mut known: HashMap<&str, Option<usize>> = HashMap::new();
    for item in list.iter().filter(|item| !item.raw) {
        known.extend(references(item.value).map(|name| (name, None)));
    }
    let order = by_dependency(list, &known)?;
    let mut values: Vec<Cow<'v, str>> = list.iter().map(|item| Cow::Borrowed(item.value)).collect();
    let mut left = MAX_REPLACED;
    for at in order {
        let item = &list[at];
        if !item.raw && may_refer(item.value) {
            let expanded = replace_by(Dialect::Nested, item.value, &mut left, |name| {
                let found = known.get(name).copied().flatten();
                replacement(found.map(|at| Definition { value: &values[at], ..list[at] }), options)
            });
            let expanded = expanded.map_err(|Exhausted| ExpandError::TooBig(item.key.to_owned()))?;
            values[at] = Cow::Owned(expanded);
        }
        if let Some(place) = known.get_mut(item.key) {
            *place = Some(at);
        }
    }
    Ok(values)
}

/// The names that a value refers to.
pub fn references(text: &str) -> impl Iterator<Item = &str> {
    found(text, Dialect::Nested).filter_map(|found| found.name)
}

/// Replaces references as GitLab Runner does: Go's `os.Expand`, one pass, unknown names become empty,
/// `$$` is a dollar sign, and a brace that is never closed is eaten.
pub fn expand_as_runner<'v>(text: &str, lookup: impl Fn(&str) -> Option<&'v str>) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if rest.is_empty() {
            expanded.push('$');
            break;
        }
        let (name, width) = shell_name(rest);
        match name {
            "" if width == 0 => expanded.push('$'),
            "" => {}
            // `JobVariables.Get` of the runner answers for the shell's special names.
            "$" => expanded.push('$'),
            name => {
                let value = lookup(name).unwrap_or_default();
                let fits = expanded.len() + value.len() <= text.len() + MAX_REPLACED;
                expanded.push_str(if fits { value } else { "" });
            }
        }
        rest = &rest[width..];
    }
    expanded.push_str(rest);
    expanded
}

/// The name after a dollar sign and how many bytes it takes (`getShellName` of Go's `os`).
fn shell_name(text: &str) -> (&str, usize) {
    let bytes = text.as_bytes();
    let special = |byte: u8| b"*#$@!?-0123456789".contains(&byte);
    match bytes {
        [b'{', one, b'}', ..] if special(*one) => (&text[1..2], 3),
        [b'{', ..] => match text.find('}') {
            Some(1) => ("", 2),
            Some(end) => (&text[1..end], end + 1),
            None => ("", 1),
        },
        [one, ..] if special(*one) => (&text[..1], 1),
        _ => {
            let end = bytes.iter().position(|byte| !(byte.is_ascii_alphanumeric() || *byte == b'_'));
            let end = end.unwrap_or(bytes.len());
            (&text[..end], end)
        }
    }
}

/// What a reference becomes; `None` leaves it as it is written.
fn replacement<'v>(found: Option<Definition<'v>>, options: Options) -> Option<&'v str> {
    match found {
        None => (!options.keep_unknown).then_some(""),
        Some(definition) if definition.file && !options.file_references => None,
        Some(definition) if definition.raw && !options.raw_references => None,
        Some(definition) => Some(definition.value),
    }
}

/// Replaces references in one text; one that would grow without bound stays as it is written.
fn replace<'v>(text: &str, by: impl FnMut(&str) -> Option<&'v str>) -> String {
    let mut left = MAX_REPLACED;
    replace_by(Dialect::Plain, text, &mut left, by).unwrap_or_else(|Exhausted| text.to_owned())
}

/// The references of a text are replaced by more than is left.
struct Exhausted;

/// Replaces references by what `by` says of the name; what it knows nothing of stays.
fn replace_by<'v>(
    dialect: Dialect,
    text: &str,
    left: &mut usize,
    mut by: impl FnMut(&str) -> Option<&'v str>,
) -> Result<String, Exhausted> {
    let mut expanded = String::with_capacity(text.len());
    let mut end = 0;
    for found in found(text, dialect) {
        let Some(value) = found.name.and_then(&mut by) else { continue };
        *left = left.checked_sub(value.len()).ok_or(Exhausted)?;
        expanded.push_str(&text[end..found.range.start]);
        expanded.push_str(value);
        end = found.range.end;
    }
    expanded.push_str(&text[end..]);
    Ok(expanded)
}

/// What counts as a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dialect {
    /// In a keyword's value (`ExpandVariables::VARIABLES_REGEXP`).
    Plain,
    /// In the value of a variable (`Collection::Item::VARIABLES_REGEXP`): `$$` and `%%` are stepped over, and
    /// left for the runner and the shell; so is `${}`.
    Nested,
}

/// A reference in a text, or in [`Dialect::Nested`] what is stepped over.
struct Found<'t> {
    range: Range<usize>,
    name: Option<&'t str>,
}

/// All references of a text, from left to right.
fn found(text: &str, dialect: Dialect) -> impl Iterator<Item = Found<'_>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        while let Some(start) = memchr::memchr2(b'$', b'%', &text.as_bytes()[from..]).map(|at| from + at) {
            let (width, name) = reference(&text[start..], dialect).unwrap_or((1, None));
            from = start + width;
            if width > 1 {
                return Some(Found { range: start..from, name });
            }
        }
        None
    })
}

/// The reference that a text begins with: how many bytes it takes, and its name.
fn reference(text: &str, dialect: Dialect) -> Option<(usize, Option<&str>)> {
    let is_nested = dialect == Dialect::Nested;
    let after = &text[1..];
    let braced = after.strip_prefix('{');
    match (text.as_bytes(), braced) {
        ([b'$', b'$', ..] | [b'%', b'%', ..], _) if is_nested => Some((2, None)),
        ([b'$', ..], Some(inner)) => {
            let name = leading_name(inner);
            let is_closed = inner[name.len()..].starts_with('}') && (is_nested || !name.is_empty());
            is_closed.then(|| (name.len() + 3, Some(name).filter(|name| !name.is_empty())))
        }
        ([b'$', ..], None) => {
            Some(leading_name(after)).filter(|name| !name.is_empty()).map(|name| (name.len() + 1, Some(name)))
        }
        _ => {
            let name = leading_name(after);
            let is_closed = !name.is_empty() && after[name.len()..].starts_with('%');
            is_closed.then_some((name.len() + 2, Some(name)))
        }
    }
}

/// The name of a variable that a text begins with; empty where there is none.
fn leading_name(text: &str) -> &str {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let end = text.bytes().position(|byte| !is_part(byte)).unwrap_or(text.len());
    if text.starts_with(|first: char| first.is_ascii_digit()) { "" } else { &text[..end] }
}

/// Whether a text has a character that a reference begins with: a quick answer for the many that have none.
pub fn may_refer(text: &str) -> bool {
    memchr::memchr2(b'$', b'%', text.as_bytes()).is_some()
}

/// Indices of the list such that each variable comes after those that it refers to; `names` are what is
/// referred to.
fn by_dependency(
    list: &[Definition<'_>],
    names: &HashMap<&str, Option<usize>>,
) -> Result<Vec<usize>, ExpandError> {
    let referred = list.iter().enumerate().filter(|(_, item)| names.contains_key(item.key));
    let last: HashMap<&str, usize> = referred.map(|(at, item)| (item.key, at)).collect();
    let children: Vec<Vec<usize>> = list
        .iter()
        .enumerate()
        .map(|(at, item)| {
            let names = (!item.raw).then(|| references(item.value)).into_iter().flatten();
            names.filter_map(|name| last.get(name).copied()).filter(|&child| child != at).collect()
        })
        .collect();
    let mut order = Vec::with_capacity(list.len());
    let mut state = vec![Visit::New; list.len()];
    // An own stack instead of recursion: a chain may be as long as the list.
    let mut path = Vec::new();
    for start in 0..list.len() {
        path.push((start, 0));
        while let Some((at, next)) = path.pop() {
            if next == 0 {
                if state[at] != Visit::New {
                    continue;
                }
                state[at] = Visit::Open;
            }
            let Some(&child) = children[at].get(next) else {
                state[at] = Visit::Done;
                order.push(at);
                continue;
            };
            path.push((at, next + 1));
            if state[child] == Visit::Open {
                let from = path.iter().position(|(open, _)| *open == child).unwrap_or_default();
                let names = path[from..].iter().map(|(open, _)| list[*open].key.to_owned());
                return Err(ExpandError::Cycle(names.collect()));
            }
            path.push((child, 0));
        }
    }
    Ok(order)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Visit {
    New,
    Open,
    Done,
}

#[cfg(test)]
mod tests;
