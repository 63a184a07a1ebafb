//! `/pattern/flags`: RE2's dialect over the `regex` crate.
//!
//! Both crates are of one family. What differs is rewritten: classes such as `\d` are ASCII in RE2, a
//! `[` or `--` within a set is a character there, so is a `{` that counts nothing, and GitLab adds `\R`.

use std::sync::LazyLock;

use regex::{Regex, bytes::RegexBuilder};

/// The memory that RE2 gives a compiled pattern.
const SIZE_LIMIT: usize = 8 << 20;

/// How often RE2 repeats at most.
const MAX_REPEAT: u32 = 1000;

/// What Ruby's `\R` stands for (`UntrustedRegexp::BACKSLASH_R`).
const LINE_END: &str = r"(?:\r\n|\n|\x0b|\x0c|\r|\x{85}|\x{2028}|\x{2029})";

/// `/pattern/flags` in a text; lines count, as Ruby's `^` and `$` do.
static LITERAL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^/(.*)/([ismU]*)$").expect("a valid pattern"));

/// `{2}`, `{2,}`, `{2,5}`.
static COUNT: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^\{[0-9]+(?:,[0-9]*)?\}").expect("a valid pattern"));

/// A compiled regular expression.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    regex: regex::bytes::Regex,
}

/// Why a text is no regular expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It has not the form `/pattern/flags`.
    #[error("it is not written as `/pattern/`")]
    Form,
    /// It is not valid in RE2's dialect.
    #[error("{0}")]
    Invalid(String),
}

impl Pattern {
    /// Compiles `/pattern/flags`, where `\/` is a slash and flags are any of `i`, `s`, `m`, `U`.
    ///
    /// # Errors
    /// When it has another form, or RE2 would refuse the pattern.
    pub fn literal(text: &str) -> Result<Self, PatternError> {
        let unescaped = text.replace(r"\/", "/");
        let found = LITERAL.captures(&unescaped).ok_or(PatternError::Form)?;
        let (pattern, flags) = (&found[1], &found[2]);
        let whole = if flags.is_empty() { pattern.to_owned() } else { format!("(?{flags}){pattern}") };
        Ok(Self { text: text.to_owned(), ..Self::bare(&whole)? })
    }

    /// Compiles a pattern without slashes, as `spec:inputs:regex` has it.
    ///
    /// # Errors
    /// When RE2 would refuse the pattern.
    pub fn bare(pattern: &str) -> Result<Self, PatternError> {
        if let Some(count) = too_large(pattern) {
            return Err(PatternError::Invalid(format!("`{count}` repeats more than {MAX_REPEAT} times")));
        }
        let translated = translate(pattern).map_err(PatternError::Invalid)?;
        // Over bytes, since the ASCII `\B` may stand within a character.
        let regex =
            RegexBuilder::new(&translated).size_limit(SIZE_LIMIT).build().map_err(|error| invalid(&error))?;
        Ok(Self { text: pattern.to_owned(), regex })
    }

    /// The text it was compiled from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it matches somewhere in a text.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text.as_bytes())
    }
}

/// A repetition of more than [`MAX_REPEAT`].
fn too_large(pattern: &str) -> Option<&str> {
    pattern.match_indices('{').find_map(|(at, _)| {
        let count = COUNT.find(&pattern[at..])?.as_str();
        let mut numbers = count.split(|c: char| !c.is_ascii_digit()).filter(|number| !number.is_empty());
        numbers.any(|number| number.parse::<u32>().map_or(true, |times| times > MAX_REPEAT)).then_some(count)
    })
}

/// The last line of the crate's message says what is wrong; those before it draw the pattern.
fn invalid(error: &regex::Error) -> PatternError {
    let message = match error {
        regex::Error::CompiledTooBig(_) => "it is too large".to_owned(),
        error => {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            last.trim().trim_start_matches("error: ").to_owned()
        }
    };
    PatternError::Invalid(message)
}

/// Where in a set (`[...]`) the next character is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Set {
    /// An item begins.
    Item,
    /// A character has come that a range may begin with.
    AfterCharacter,
    /// The end of a range comes.
    RangeEnd,
}

/// The named classes that RE2 knows.
const CLASSES: [&str; 14] = [
    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
    "upper", "word", "xdigit",
];

/// Rewrites RE2's dialect to that of the `regex` crate.
///
/// # Errors
/// What RE2 refuses and the crate would take.
fn translate(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    let mut set = None;
    let mut repeats = false;
    while let Some(first) = rest.chars().next() {
        let width = match set {
            Some(place) => {
                let (width, next) = in_set(rest, place, &mut out)?;
                set = next;
                width
            }
            None if first == '[' => {
                let (width, next) = opened(rest, &mut out);
                set = Some(next);
                width
            }
            None => outside(rest, repeats, &mut out)?,
        };
        repeats = set.is_none() && repetition(rest).is_some();
        rest = &rest[width..];
    }
    Ok(out)
}

/// The beginning of a set, in which a bracket right at the start is a character.
fn opened(rest: &str, out: &mut String) -> (usize, Set) {
    let width = if rest.starts_with("[^") { 2 } else { 1 };
    out.push_str(&rest[..width]);
    if rest[width..].starts_with(']') {
        out.push_str(r"\]");
        return (width + 1, Set::AfterCharacter);
    }
    (width, Set::Item)
}

/// One character or class of a set: how many bytes it takes, and what comes after it.
fn in_set(rest: &str, place: Set, out: &mut String) -> Result<(usize, Option<Set>), String> {
    let first = rest.chars().next().unwrap_or_default();
    let after = if place == Set::RangeEnd { Set::Item } else { Set::AfterCharacter };
    if first == ']' {
        out.push(']');
        return Ok((1, None));
    }
    if let (Some(class), true) = (rest.strip_prefix("[:"), place != Set::RangeEnd)
        && let Some(end) = class.find(":]")
    {
        if !CLASSES.contains(&class[..end].trim_start_matches('^')) {
            return Err(format!("`[:{}:]` is no class of characters", &class[..end]));
        }
        out.push_str(&rest[..end + 4]);
        return Ok((end + 4, Some(Set::Item)));
    }
    if first == '-' && place == Set::AfterCharacter && !rest.starts_with("-]") && rest.len() > 1 {
        out.push('-');
        return Ok((1, Some(Set::RangeEnd)));
    }
    if first == '\\' {
        let (piece, width) = escape(rest, true)?;
        out.push_str(&piece);
        let is_class = rest[1..].starts_with(['d', 'D', 'w', 'W', 's', 'S', 'p', 'P']);
        return Ok((width, Some(if is_class { Set::Item } else { after })));
    }
    if matches!(first, '[' | '&' | '~' | '-') {
        out.push('\\');
    }
    out.push(first);
    Ok((first.len_utf8(), Some(after)))
}

/// One character outside of sets, or what belongs together.
fn outside(rest: &str, repeats: bool, out: &mut String) -> Result<usize, String> {
    let first = rest.chars().next().unwrap_or_default();
    if let Some(width) = repetition(rest) {
        if repeats {
            return Err(format!("`{}` repeats a repetition", &rest[..width]));
        }
        out.push_str(&rest[..width]);
        return Ok(width);
    }
    if let Some(flags) = rest.strip_prefix("(?").filter(|flags| !flags.starts_with(['P', '<', ':'])) {
        let end = flags.find([':', ')']).unwrap_or(flags.len());
        if let Some(flag) = flags[..end].chars().find(|flag| !"imsU-".contains(*flag)) {
            return Err(match flag {
                '=' | '!' => "look-around, including look-ahead and look-behind, is not supported".to_owned(),
                flag => format!("`{flag}` is no flag"),
            });
        }
    }
    if first == '\\' {
        let (piece, width) = escape(rest, false)?;
        out.push_str(&piece);
        return Ok(width);
    }
    if first == '{' {
        out.push('\\');
    }
    out.push(first);
    Ok(first.len_utf8())
}

/// How many bytes a repetition takes, with the mark that makes it lazy.
fn repetition(rest: &str) -> Option<usize> {
    let width = match rest.chars().next()? {
        '*' | '+' | '?' => 1,
        '{' => COUNT.find(rest)?.len(),
        _ => return None,
    };
    Some(if rest[width..].starts_with('?') { width + 1 } else { width })
}

/// What follows a backslash: its translation and how many bytes of the pattern it takes.
fn escape(rest: &str, in_set: bool) -> Result<(String, usize), String> {
    let Some(next) = rest[1..].chars().next() else { return Ok(("\\".to_owned(), 1)) };
    let class = |inside: &str, outside: &str| (if in_set { inside } else { outside }.to_owned(), 2);
    Ok(match next {
        'd' => class("0-9", "[0-9]"),
        'D' => class("[^0-9]", "[^0-9]"),
        'w' => class("0-9A-Za-z_", "[0-9A-Za-z_]"),
        'W' => class("[^0-9A-Za-z_]", "[^0-9A-Za-z_]"),
        's' => class(r"\t\n\x0c\r\x20", r"[\t\n\x0c\r\x20]"),
        'S' => class(r"[^\t\n\x0c\r\x20]", r"[^\t\n\x0c\r\x20]"),
        'b' if !in_set => (r"(?-u:\b)".to_owned(), 2),
        'B' if !in_set => (r"(?-u:\B)".to_owned(), 2),
        'R' if !in_set => (LINE_END.to_owned(), 2),
        'C' if !in_set => ("(?s-u:.)".to_owned(), 2),
        '<' | '>' => (next.to_string(), 2),
        'Q' if !in_set => {
            let end = rest.find(r"\E").unwrap_or(rest.len());
            (regex::escape(&rest[2..end]), (end + 2).min(rest.len()))
        }
        '0'..='7' => octal(rest)?,
        'u' | 'U' => return Err(format!("`\\{next}` is no escape: write `\\x{{...}}`")),
        'p' | 'P' if rest[2..].starts_with('{') => {
            let end = rest.find('}').map_or(rest.len(), |end| end + 1);
            match rest[3..end].strip_prefix('^') {
                Some(name) => (format!("\\{}{{{name}", if next == 'p' { 'P' } else { 'p' }), end),
                None => (rest[..end].to_owned(), end),
            }
        }
        'x' if rest[2..].starts_with('{') => {
            let end = rest.find('}').map_or(rest.len(), |end| end + 1);
            (rest[..end].to_owned(), end)
        }
        other => (rest[..1 + other.len_utf8()].to_owned(), 1 + other.len_utf8()),
    })
}

/// A character by its octal number. A single digit but zero would refer to a group, which RE2 cannot.
fn octal(rest: &str) -> Result<(String, usize), String> {
    let digits = rest[1..].bytes().take(3).take_while(|digit| (b'0'..=b'7').contains(digit)).count();
    let number = u32::from_str_radix(&rest[1..=digits], 8).unwrap_or_default();
    if digits == 1 && number > 0 {
        return Err("backreferences are not supported".to_owned());
    }
    Ok((format!("\\x{{{number:x}}}"), 1 + digits))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Pattern, PatternError};

    #[test]
    fn patterns_match_as_in_re2() {
        for (pattern, text, expected) in [
            ("/ab/", "xaby", true),
            ("/AB/i", "xaby", true),
            ("/^a.b$/", "a\nb", false),
            ("/^a.b$/s", "a\nb", true),
            ("/^b$/", "a\nb", false),
            ("/^b$/m", "a\nb", true),
            (r"/^\d+$/", "123", true),
            (r"/^\d+$/", "١٢٣", false),
            (r"/^\w+$/", "é", false),
            (r"/^[\w-]+$/", "a-b", true),
            (r"/^[\w.-]+$/", "a.b-c", true),
            (r"/^[^\s]+$/", "ab", true),
            (r"/^\W$/", "é", true),
            (r"/\bé/", "aé", true),
            (r"/a\Bb/", "ab", true),
            (r"/a\/b/", "a/b", true),
            (r"/^a\Rb$/", "a\r\nb", true),
            (r"/^[[]x]$/", "[x]", true),
            (r"/^[]a]+$/", "]a", true),
            (r"/^[a-c&&b]+$/", "a&b", true),
            (r"/^[!--]$/", "-", true),
            (r"/^a{2}$/", "aa", true),
            (r"/^{a}$/", "{a}", true),
            (r"/^a{,2}$/", "a{,2}", true),
            (r"/\<b\>/", "<b>", true),
            (r"/^\Qa.b\E$/", "a.b", true),
            (r"/^[[:alpha:]]+$/", "abc", true),
            (r"/^\p{Greek}$/", "α", true),
            (r"/a\-b/", "a-b", true),
            (r"/(?i)AB/", "ab", true),
            ("/a.+?b/U", "axbxb", true),
            (r"/^[\w-.]+$/", "a-.", true),
            (r"/^[\w-z]$/", "~", false),
            (r"/^[^\w-.]$/", "-", false),
            (r"/^[a-c-9]+$/", "b-9", true),
            (r"/^[[:alpha:]-9]+$/", "a-9", true),
            (r"/^[+--]+$/", "+,-", true),
            (r"/^[-a]+$/", "a-", true),
            (r"/^\101\0$/", "A\0", true),
            (r"/^\p{^L}$/", "1", true),
            (r"/^a\Cb$/", "a.b", true),
            (r"/^(?P<n>a)(?:b)(?i:C)*?$/", "abc", true),
        ] {
            let compiled = Pattern::literal(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert_eq!(compiled.is_match(text), expected, "{pattern} on {text:?}");
        }
    }

    #[test]
    fn what_re2_refuses_is_refused() {
        for pattern in [
            "/a(?=b)/",
            r"/(a)\1/",
            "/a(/",
            "/*a/",
            "/[b-a]/",
            "/a{1001}/",
            "/a{0,99999999999}/",
            "/(a{1000}){1000}{1000}/",
            "/a**/",
            "/a++/",
            "/a?+/",
            "/a{2}{3}/",
            "/(?x)a/",
            "/(?u)a/",
            r"/\u0041/",
            "/[[:foo:]]/",
            "/[[:any:]]/",
        ] {
            assert!(matches!(Pattern::literal(pattern), Err(PatternError::Invalid(_))), "{pattern}");
        }
        for pattern in ["ab", "/ab", "/ab/x", ""] {
            assert!(matches!(Pattern::literal(pattern), Err(PatternError::Form)), "{pattern}");
        }
    }

    proptest! {
        #[test]
        fn no_pattern_panics(pattern in r"[/\\\[\](){}a-z0-9,&~^$*+?|:é-]{0,24}", text in "[a-z]{0,8}") {
            if let Ok(pattern) = Pattern::literal(&format!("/{pattern}/")) {
                let _ = pattern.is_match(&text);
            }
        }
    }
}
