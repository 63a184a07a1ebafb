//! What libyaml says of a text that is not YAML, with a hint for the usual causes.

use libyaml_safer::{Error, ErrorKind};

use super::given::Given;
use crate::config::{Diagnostic, SourceId, Span};

/// Makes a diagnostic of libyaml's error.
pub(super) fn diagnostic(error: &Error, given: &Given, source: SourceId, text: &str) -> Diagnostic {
    if error.kind() == ErrorKind::Reader {
        return unreadable(source, text);
    }
    let problem_at = error.problem_mark().map_or(0, |mark| given.byte(mark));
    let context_at = error.context_mark().map(|mark| given.byte(mark));
    // An open quote or bracket is found missing at the end; the mistake is where it begins.
    let runs_to_the_end = text.get(problem_at..).is_none_or(|rest| rest.trim().is_empty());
    let is_name = error.problem() == "did not find expected alphabetic or numeric character";
    let at = context_at.filter(|_| runs_to_the_end || is_name).unwrap_or(problem_at);
    let message = match error.context() {
        Some(context) => format!("{} {context}", error.problem()),
        None => error.problem().to_owned(),
    };
    let diagnostic = Diagnostic::error("yaml-syntax", message, span(source, text, at));
    let diagnostic = match context_at {
        Some(context) if context != at && line_of(text, context) != line_of(text, at) => {
            diagnostic.related(span(source, text, context), "it begins here")
        }
        _ => diagnostic,
    };
    match hint(error.problem(), error.context().unwrap_or_default(), text, problem_at) {
        Some(hint) => diagnostic.help(hint),
        None => diagnostic,
    }
}

/// The usual cause, by libyaml's words and the text around.
fn hint(problem: &str, context: &str, text: &str, at: usize) -> Option<String> {
    let line = line_of(text, at);
    if indentation(line).contains('\t') {
        return Some("indent with spaces: YAML does not allow tabs".to_owned());
    }
    let hint = match problem {
        "found character that cannot start any token" => match text.get(at..)?.chars().next()? {
            '\t' => "indent with spaces: YAML does not allow tabs".to_owned(),
            '`' => "put the value in quotes: YAML reserves the backtick at its start".to_owned(),
            character => format!("put the value in quotes: YAML reserves `{character}` at its start"),
        },
        "mapping values are not allowed in this context" => {
            "put the value in quotes if it contains `: `; else a key is indented too far, or the line above lacks its `:`"
                .to_owned()
        }
        "did not find expected alphabetic or numeric character" => {
            let mark = if context.contains("alias") { '*' } else { '&' };
            format!("put the value in quotes: `{mark}` at its start means an anchor")
        }
        "block sequence entries are not allowed in this context" => {
            "begin the list on a line of its own, below its key".to_owned()
        }
        "did not find expected key" | "did not find expected '-' indicator" => {
            "align this line with its neighbours, or put the value before it in quotes".to_owned()
        }
        "could not find expected ':'" => {
            "end the key with `:`, or indent this line if it belongs to the value above".to_owned()
        }
        "found unexpected end of stream" => "close the quote that begins here".to_owned(),
        "did not find expected ',' or ']'" => {
            "close the list with `]`, or separate its items with `,`".to_owned()
        }
        "did not find expected ',' or '}'" => {
            "close the mapping with `}`, or separate its keys with `,`".to_owned()
        }
        "found unknown escape character" => {
            "use single quotes, in which a backslash is only a backslash".to_owned()
        }
        "did not find expected <document start>" => {
            "look at the line above: what begins a list, a text or a mapping must go on as one".to_owned()
        }
        _ => return None,
    };
    Some(hint)
}

/// A character that YAML does not allow at all.
fn unreadable(source: SourceId, text: &str) -> Diagnostic {
    let found = text.char_indices().find(|&(_, character)| !is_allowed(character));
    let (at, character) = found.unwrap_or((0, '\u{fffd}'));
    Diagnostic::error(
        "yaml-syntax",
        format!("the character U+{:04X} is not allowed in YAML", u32::from(character)),
        span(source, text, at),
    )
    .help("remove it, or write it as an escape in double quotes")
}

/// libyaml's set of characters (`yaml_parser_update_buffer`).
fn is_allowed(character: char) -> bool {
    matches!(character,
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}'
        | '\u{e000}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
        && character != '\u{feff}'
}

/// A span of one character, moved back to what is written if it lies behind it.
fn span(source: SourceId, text: &str, at: usize) -> Span {
    let at = at.min(text.trim_end().len());
    let at = text.floor_char_boundary(at);
    let end = text[at..].chars().next().map_or(at, |character| at + character.len_utf8());
    Span::new(source, at..end)
}

fn line_of(text: &str, at: usize) -> &str {
    let at = text.floor_char_boundary(at.min(text.len()));
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline);
    &text[start..end]
}

fn indentation(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}
