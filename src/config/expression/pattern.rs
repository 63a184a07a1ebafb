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
        let translated = translate(pattern);
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

/// Rewrites RE2's dialect to that of the `regex` crate.
fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    // Where within a set: how many items it has so far.
    let mut set: Option<usize> = None;
    while let Some(first) = rest.chars().next() {
        let (piece, width) = match (first, set) {
            ('\\', _) => escape(rest, set.is_some()),
            ('[', None) => {
                let width = if rest.starts_with("[^") { 2 } else { 1 };
                out.push_str(&rest[..width]);
                rest = &rest[width..];
                set = Some(0);
                // A bracket right at the start is a character of the set.
                if let Some(after) = rest.strip_prefix(']') {
                    out.push_str(r"\]");
                    rest = after;
                    set = Some(1);
                }
                continue;
            }
            ('[', Some(_)) if rest.starts_with("[:") && rest.contains(":]") => {
                let end = rest.find(":]").map_or(rest.len(), |end| end + 2);
                (rest[..end].to_owned(), end)
            }
            ('[', Some(_)) => (r"\[".to_owned(), 1),
            (']', Some(_)) => {
                set = None;
                ("]".to_owned(), 1)
            }
            ('&' | '~', Some(_)) => (format!("\\{first}"), 1),
            ('-', Some(items)) if items == 0 || rest.starts_with("--") || rest.starts_with("-]") => {
                (r"\-".to_owned(), 1)
            }
            ('{', None) if !COUNT.is_match(rest) => (r"\{".to_owned(), 1),
            (other, _) => (other.to_string(), other.len_utf8()),
        };
        if let Some(items) = &mut set {
            *items += 1;
        }
        out.push_str(&piece);
        rest = &rest[width..];
    }
    out
}

/// What follows a backslash: its translation and how many bytes of the pattern it takes.
fn escape(rest: &str, in_set: bool) -> (String, usize) {
    let Some(next) = rest[1..].chars().next() else { return ("\\".to_owned(), 1) };
    let class = |inside: &str, outside: &str| (if in_set { inside } else { outside }.to_owned(), 2);
    match next {
        'd' => class("0-9", "[0-9]"),
        'D' => class("[^0-9]", "[^0-9]"),
        'w' => class("0-9A-Za-z_", "[0-9A-Za-z_]"),
        'W' => class("[^0-9A-Za-z_]", "[^0-9A-Za-z_]"),
        's' => class(r"\t\n\x0c\r\x20", r"[\t\n\x0c\r\x20]"),
        'S' => class(r"[^\t\n\x0c\r\x20]", r"[^\t\n\x0c\r\x20]"),
        'b' if !in_set => (r"(?-u:\b)".to_owned(), 2),
        'B' if !in_set => (r"(?-u:\B)".to_owned(), 2),
        'R' if !in_set => (LINE_END.to_owned(), 2),
        '<' | '>' => (next.to_string(), 2),
        'Q' if !in_set => {
            let end = rest.find(r"\E").unwrap_or(rest.len());
            (regex::escape(&rest[2..end]), (end + 2).min(rest.len()))
        }
        'p' | 'P' if rest[2..].starts_with('{') => {
            let end = rest.find('}').map_or(rest.len(), |end| end + 1);
            (rest[..end].to_owned(), end)
        }
        'x' if rest[2..].starts_with('{') => {
            let end = rest.find('}').map_or(rest.len(), |end| end + 1);
            (rest[..end].to_owned(), end)
        }
        other => (rest[..1 + other.len_utf8()].to_owned(), 1 + other.len_utf8()),
    }
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
