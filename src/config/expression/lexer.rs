//! Text to tokens (`Gitlab::Ci::Pipeline::Expression::Lexer`).

use std::{ops::Range, sync::LazyLock};

use regex::Regex;

use super::{Operator, Pattern, SyntaxError};

/// GitLab counts to 100 and still wants to see the end of the text then.
const MAX_TOKENS: usize = 99;

#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    pub(super) range: Range<usize>,
}

#[derive(Debug, Clone)]
pub(super) enum TokenKind {
    Open,
    Close,
    Input(String),
    Variable(String),
    String(String),
    Pattern(Pattern),
    Null,
    Bool(bool),
    Operator(Operator),
}

/// The shapes of tokens, in the order that GitLab tries them.
struct Shapes {
    input: Regex,
    variable: Regex,
    string: Regex,
    pattern: Regex,
    boolean: Regex,
}

static SHAPES: LazyLock<Shapes> = LazyLock::new(|| {
    let shape = |pattern: &str| Regex::new(pattern).expect("a valid pattern");
    Shapes {
        input: shape(r"^\$\[\[\s*inputs\.([A-Za-z0-9_]+)\s*\]\]"),
        variable: shape(r"^\$([A-Za-z0-9_]+)"),
        string: shape(r#"^(?:"(.*?)"|'(.*?)')"#),
        // As upstream's: greedy about escaped slashes, and with at least two characters inside.
        pattern: shape(r"^/(?:[^/]|\\/)+[^\\]/[ismU]*"),
        boolean: shape(r"^(?:true|false)\b"),
    }
});

const OPERATORS: [(&str, Operator); 6] = [
    ("==", Operator::Equals),
    ("=~", Operator::Matches),
    ("!=", Operator::NotEquals),
    ("!~", Operator::NotMatches),
    ("&&", Operator::And),
    ("||", Operator::Or),
];

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, SyntaxError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        at += text[at..].len() - text[at..].trim_start_matches(is_space).len();
        if at == text.len() {
            return Ok(tokens);
        }
        if tokens.len() == MAX_TOKENS {
            return Err(SyntaxError::new(
                format!("the expression has more than {MAX_TOKENS} tokens"),
                at..text.len(),
            )
            .hint("split it over several rules"));
        }
        let (kind, width) = token(text, at)?;
        tokens.push(Token { kind, range: at..at + width });
        at += width;
    }
}

fn is_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\x0b' | '\x0c' | '\r')
}

/// The token at a place and its width.
fn token(text: &str, at: usize) -> Result<(TokenKind, usize), SyntaxError> {
    let rest = &text[at..];
    let shapes = &*SHAPES;
    if rest.starts_with('(') {
        return Ok((TokenKind::Open, 1));
    }
    if rest.starts_with(')') {
        return Ok((TokenKind::Close, 1));
    }
    if let Some(found) = shapes.input.captures(rest) {
        return Ok((TokenKind::Input(found[1].to_owned()), found[0].len()));
    }
    if let Some(found) = shapes.variable.captures(rest) {
        return Ok((TokenKind::Variable(found[1].to_owned()), found[0].len()));
    }
    if let Some(found) = shapes.string.captures(rest) {
        let content = found.get(1).or_else(|| found.get(2)).map_or("", |content| content.as_str());
        return Ok((TokenKind::String(content.to_owned()), found[0].len()));
    }
    if let Some(found) = shapes.pattern.find(rest) {
        let pattern = Pattern::literal(found.as_str()).map_err(|error| {
            SyntaxError::new(format!("the regular expression is not valid: {error}"), at..at + found.len())
                .hint("GitLab uses RE2: there is no look-around and no back-reference")
        })?;
        return Ok((TokenKind::Pattern(pattern), found.len()));
    }
    if rest.starts_with("null") {
        return Ok((TokenKind::Null, 4));
    }
    if let Some(found) = shapes.boolean.find(rest) {
        return Ok((TokenKind::Bool(found.as_str() == "true"), found.len()));
    }
    for (sign, operator) in OPERATORS {
        if rest.starts_with(sign) {
            return Ok((TokenKind::Operator(operator), sign.len()));
        }
    }
    Err(unknown(text, at))
}

/// What is wrong where no token fits: the common mistakes by name.
fn unknown(text: &str, at: usize) -> SyntaxError {
    let rest = &text[at..];
    let first = rest.chars().next().unwrap_or_default();
    let one = at..at + first.len_utf8();
    let word_end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-' || c == '.'));
    let word = &rest[..word_end.unwrap_or(rest.len())];
    match first {
        '$' if rest.starts_with("${") => {
            let end = rest.find('}').map_or(rest.len(), |end| end + 1);
            let name = rest[2..end].trim_end_matches('}');
            SyntaxError::new("`${...}` is not known in expressions", at..at + end)
                .hint(format!("write `${name}`"))
        }
        '$' => SyntaxError::new("a variable's name must follow `$`", one),
        '=' => {
            SyntaxError::new("a single `=` is no operator", one).hint("write `==` to compare, `=~` to match")
        }
        '&' => SyntaxError::new("a single `&` is no operator", one).hint("write `&&`"),
        '|' => SyntaxError::new("a single `|` is no operator", one).hint("write `||`"),
        '!' => SyntaxError::new("there is no `!` before a value", one)
            .hint("compare instead: `$NAME == null`, `$NAME != \"value\"`, or `$NAME !~ /pattern/`"),
        '"' | '\'' => SyntaxError::new("the string does not end", at..text.len())
            .hint(format!("close it with `{first}` on the same line")),
        '/' => SyntaxError::new(
            "the regular expression does not end, or holds fewer than two characters",
            at..text.len(),
        )
        .hint("write it as `/pattern/` with at least two characters, a slash inside as `\\/`"),
        _ if word.is_empty() => SyntaxError::new(format!("`{first}` is not known in expressions"), one),
        _ => SyntaxError::new(format!("`{word}` is not known in expressions"), at..at + word.len())
            .hint(format!("write `${word}` for a variable, or `\"{word}\"` for a text")),
    }
}
