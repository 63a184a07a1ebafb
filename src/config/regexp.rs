//! Regular expressions of Ruby's, which `rules:changes:regexp` and `rules:exists:regexp` match paths with.

/// Steps back after which a match is given up; GitLab gives up after 50 ms.
const MOST_STEPS: usize = 1_000_000;

/// A compiled regular expression, as Ruby's `Regexp.new` reads it.
#[derive(Debug, Clone)]
pub struct Regexp(fancy_regex::Regex);

/// A match that was given up, as it would take too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooSlow;

impl Regexp {
    /// Compiles a pattern without slashes or flags.
    ///
    /// # Errors
    /// Why it is none, in a few words.
    pub fn new(pattern: &str) -> Result<Self, String> {
        // `^` and `$` stand at every line in Ruby.
        let mut builder = fancy_regex::RegexBuilder::new(pattern);
        builder.oniguruma_mode(true).multi_line(true).backtrack_limit(MOST_STEPS);
        let regex = builder.build().map_err(|error| {
            let text = error.to_string();
            text.lines().last().unwrap_or_default().trim().trim_start_matches("error: ").to_owned()
        })?;
        Ok(Self(regex))
    }

    /// Whether it matches somewhere in a text.
    ///
    /// # Errors
    /// When that would take too long.
    pub fn is_match(&self, text: &str) -> Result<bool, TooSlow> {
        self.0.is_match(text).map_err(|_| TooSlow)
    }
}

#[cfg(test)]
mod tests {
    use super::{Regexp, TooSlow};

    #[test]
    fn patterns_match_as_in_ruby() {
        for (pattern, text, expected) in [
            (r"\.go$", "src/main.go", true),
            (r"\.go$", "src/main.rs", false),
            (r"\A(?!docs/).*", "docs/a.md", false),
            (r"\A(?!docs/).*", "src/a.rs", true),
            (r"(?<!test_)a\.py", "test_a.py", false),
            (r"^b", "a\nb", true),
            (r"a\Z", "a", true),
            (r"\h+", "beef", true),
            (r"(a)\1", "aa", true),
        ] {
            let compiled = Regexp::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert_eq!(compiled.is_match(text), Ok(expected), "{pattern} on {text:?}");
        }
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        for pattern in ["a(", "[b-a]", "*a"] {
            assert!(Regexp::new(pattern).is_err_and(|why| !why.is_empty()), "{pattern}");
        }
    }

    #[test]
    fn what_takes_too_long_is_given_up() {
        let slow = Regexp::new(r"^(a|a)*\1b$").expect("a pattern");
        assert_eq!(slow.is_match(&"a".repeat(40)), Err(TooSlow));
    }
}
