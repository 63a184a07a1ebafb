//! Paths against wildcards, in the dialects that GitLab and its runner use.
//!
//! Written out rather than built on `globset`: Ruby gives `**` a meaning only as `**/` at the start of a
//! segment, and takes a pattern that `globset` refuses (an open `[`) as one that matches nothing.

/// A compiled wildcard pattern. Paths are relative, with `/` between segments.
#[derive(Debug, Clone)]
pub struct Glob {
    alternatives: Vec<Vec<Segment>>,
}

/// What stands between two slashes of a pattern.
#[derive(Debug, Clone, PartialEq)]
enum Segment {
    /// Any number of segments, also none.
    Any,
    /// One segment.
    One(Vec<Token>),
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Char(char),
    /// `?`
    Single,
    /// `*`
    Many,
    /// `**` across slashes, in `include: local` only.
    Across,
    /// `[a-z]`
    Set {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
    /// `[` without its end.
    Never,
}

/// More alternatives than this are not looked at: braces multiply.
const MAX_ALTERNATIVES: usize = 4096;

impl Glob {
    /// A pattern of `rules:changes` and `rules:exists`: Ruby's `File.fnmatch` with
    /// `FNM_PATHNAME | FNM_DOTMATCH | FNM_EXTGLOB`. A single `*` stays within a segment, `**/` at the
    /// start of a segment means any folders, files with a leading dot match, `{a,b}` are alternatives.
    pub fn ruby(pattern: &str) -> Self {
        Self::compile(pattern, |segment, is_last| segment == "**" && !is_last)
    }

    /// A pattern of `artifacts` and `cache`: Go's `doublestar`. As Ruby's, and a segment `**` means any
    /// segments also at the end, where it takes the folder itself too.
    pub fn doublestar(pattern: &str) -> Self {
        Self::compile(pattern, |segment, _| segment == "**")
    }

    /// A pattern of `include: local`, where `**` is any text and `*` any text without a slash; nothing
    /// else is special (`Repository#search_files_by_wildcard_path`).
    pub fn include(pattern: &str) -> Self {
        let mut tokens = Vec::new();
        let mut rest = pattern;
        while let Some(first) = rest.chars().next() {
            let (token, width) = match first {
                '*' if rest.starts_with("**") => (Token::Across, 2),
                '*' => (Token::Many, 1),
                other => (Token::Char(other), other.len_utf8()),
            };
            tokens.push(token);
            rest = &rest[width..];
        }
        Self { alternatives: vec![vec![Segment::One(tokens)]] }
    }

    fn compile(pattern: &str, is_any: impl Fn(&str, bool) -> bool) -> Self {
        let compile_one = |pattern: &String| {
            let segments: Vec<&str> = pattern.split('/').collect();
            let last = segments.len() - 1;
            let segment = |(at, text): (usize, &&str)| {
                if is_any(text, at == last) { Segment::Any } else { Segment::One(tokens(text)) }
            };
            let mut compiled: Vec<Segment> = segments.iter().enumerate().map(segment).collect();
            compiled.dedup_by(|next, previous| *next == Segment::Any && *previous == Segment::Any);
            compiled
        };
        Self { alternatives: braces(pattern).iter().map(compile_one).collect() }
    }

    /// Whether the whole path matches.
    pub fn matches(&self, path: &str) -> bool {
        self.alternatives.iter().any(|pattern| match pattern.as_slice() {
            [Segment::One(tokens)] => tokens_match(tokens, path),
            pattern => {
                let segments: Vec<&str> = path.split('/').collect();
                segments_match(pattern, &segments)
            }
        })
    }
}

/// Whether a pattern has anything that a wildcard pattern treats specially.
pub fn is_wildcard(pattern: &str) -> bool {
    pattern.contains(['*', '?', '[', '{'])
}

/// The patterns that `{a,b}` stands for, outermost first; a brace without its end is a character.
fn braces(pattern: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_owned()];
    while let Some(pattern) = open.pop() {
        if done.len() + open.len() >= MAX_ALTERNATIVES {
            break;
        }
        match first_braces(&pattern) {
            None => done.push(pattern),
            Some((start, end, commas)) => {
                let mut from = start + 1;
                for to in commas.into_iter().chain([end]) {
                    open.push(format!("{}{}{}", &pattern[..start], &pattern[from..to], &pattern[end + 1..]));
                    from = to + 1;
                }
            }
        }
    }
    done
}

/// Where the first pair of braces starts, ends, and has its commas.
fn first_braces(pattern: &str) -> Option<(usize, usize, Vec<usize>)> {
    let mut start = None;
    let mut depth = 0;
    let mut commas = Vec::new();
    let mut characters = pattern.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => {
                characters.next();
            }
            '{' => {
                start = start.or(Some(at));
                depth += 1;
            }
            '}' if depth == 1 => return Some((start?, at, commas)),
            '}' if depth > 1 => depth -= 1,
            ',' if depth == 1 => commas.push(at),
            _ => {}
        }
    }
    None
}

fn tokens(segment: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut characters = segment.chars();
    while let Some(character) = characters.next() {
        tokens.push(match character {
            '*' if tokens.last() == Some(&Token::Many) => continue,
            '*' => Token::Many,
            '?' => Token::Single,
            '[' => set(&mut characters),
            '\\' => Token::Char(characters.next().unwrap_or('\\')),
            other => Token::Char(other),
        });
    }
    tokens
}

/// Reads a set after its `[`.
fn set(characters: &mut std::str::Chars<'_>) -> Token {
    let mut ahead = characters.clone();
    let negated = matches!(ahead.next(), Some('!' | '^'));
    if negated {
        *characters = ahead;
    }
    let mut ranges = Vec::new();
    loop {
        let low = match characters.next() {
            None => return Token::Never,
            Some(']') => return Token::Set { negated, ranges },
            Some('\\') => characters.next(),
            other => other,
        };
        let Some(low) = low else { return Token::Never };
        let mut ahead = characters.clone();
        if ahead.next() == Some('-') && !matches!(ahead.clone().next(), None | Some(']')) {
            let high = match ahead.next() {
                Some('\\') => ahead.next(),
                other => other,
            };
            *characters = ahead;
            let Some(high) = high else { return Token::Never };
            ranges.push((low, high));
        } else {
            ranges.push((low, low));
        }
    }
}

/// Whether segments match; time grows with the product of both lengths.
fn segments_match(pattern: &[Segment], path: &[&str]) -> bool {
    let (mut at, mut on) = (0, 0);
    let mut retry = None;
    loop {
        match pattern.get(at) {
            Some(Segment::Any) => {
                at += 1;
                retry = Some((at, on));
                continue;
            }
            Some(Segment::One(tokens)) if path.get(on).is_some_and(|text| tokens_match(tokens, text)) => {
                (at, on) = (at + 1, on + 1);
                continue;
            }
            None if on == path.len() => return true,
            _ => {}
        }
        match retry {
            Some((after, from)) if from < path.len() => {
                (at, on) = (after, from + 1);
                retry = Some((after, from + 1));
            }
            _ => return false,
        }
    }
}

/// Whether a text matches; on a mismatch the last `*` that can takes one character more.
fn tokens_match(tokens: &[Token], text: &str) -> bool {
    let (mut at, mut rest) = (0, text);
    let mut retries: [Option<(usize, &str)>; 2] = [None, None];
    loop {
        let next = rest.chars().next();
        let matched = match tokens.get(at) {
            Some(Token::Many) => {
                at += 1;
                retries[1] = Some((at, rest));
                continue;
            }
            Some(Token::Across) => {
                at += 1;
                retries = [Some((at, rest)), None];
                continue;
            }
            None => {
                if next.is_none() {
                    return true;
                }
                false
            }
            Some(token) => next.is_some_and(|character| token_matches(token, character)),
        };
        if matched {
            at += 1;
            rest = &rest[next.map_or(0, char::len_utf8)..];
            continue;
        }
        let Some((after, remaining)) = take_one_more(&mut retries) else { return false };
        (at, rest) = (after, remaining);
    }
}

/// Lets the last `*` take one character more, or the last `**` where that stands before a slash.
fn take_one_more<'t>(retries: &mut [Option<(usize, &'t str)>; 2]) -> Option<(usize, &'t str)> {
    if let Some((after, from)) = retries[1] {
        match from.chars().next() {
            Some(character) if character != '/' => {
                let rest = &from[character.len_utf8()..];
                retries[1] = Some((after, rest));
                return Some((after, rest));
            }
            _ => retries[1] = None,
        }
    }
    let (after, from) = retries[0]?;
    let character = from.chars().next()?;
    let rest = &from[character.len_utf8()..];
    retries[0] = Some((after, rest));
    Some((after, rest))
}

fn token_matches(token: &Token, character: char) -> bool {
    match token {
        Token::Char(expected) => *expected == character,
        Token::Single => character != '/',
        Token::Set { negated, ranges } => {
            character != '/'
                && ranges.iter().any(|(low, high)| (low..=high).contains(&&character)) != *negated
        }
        Token::Many | Token::Across | Token::Never => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Glob;

    #[test]
    fn changes_and_exists_follow_rubys_fnmatch() {
        for (pattern, path, expected) in [
            ("Dockerfile", "Dockerfile", true),
            ("Dockerfile", "docker/Dockerfile", false),
            ("*.rb", "a.rb", true),
            ("*.rb", "lib/a.rb", false),
            ("*", ".gitignore", true),
            ("**/*.rb", "a.rb", true),
            ("**/*.rb", "lib/deep/.hidden/a.rb", true),
            ("lib/**/*", "lib/a/b.rb", true),
            ("lib/**/*", "lib/a.rb", true),
            ("lib/**/*", "lib", false),
            ("lib/**", "lib/a.rb", true),
            ("lib/**", "lib/a/b.rb", false),
            ("**", "a/b", false),
            ("lib**/x", "lib1/x", true),
            ("lib**/x", "lib/a/x", false),
            ("a/**/**/b", "a/b", true),
            ("a/**/b/**/c", "a/x/b/y/b/z/c", true),
            ("*.{rb,md}", "a.md", true),
            ("*.{rb,md}", "a.js", false),
            ("{a,b{c,d}}/x", "bd/x", true),
            ("a{}b", "ab", true),
            ("a{b", "a{b", true),
            (r"\{a,b\}", "{a,b}", true),
            ("file[0-9].txt", "file7.txt", true),
            ("file[!0-9].txt", "file7.txt", false),
            ("file[^0-9].txt", "filex.txt", true),
            ("a[/]b", "a/b", false),
            ("a[b", "a[b", false),
            ("a?c", "abc", true),
            ("a?c", "a/c", false),
            (r"\*", "*", true),
            (r"\*", "a", false),
            ("!(a)", "b", false),
            ("./a", "a", false),
            ("", "", true),
            ("", "a", false),
            ("é?", "éà", true),
        ] {
            assert_eq!(Glob::ruby(pattern).matches(path), expected, "{pattern} on {path}");
        }
    }

    #[test]
    fn artifacts_follow_gos_doublestar() {
        for (pattern, path, expected) in [
            ("dist/**", "dist/a/b", true),
            ("dist/**", "dist", true),
            ("**", "a/b", true),
            ("**/*.o", "a.o", true),
            ("**/*.o", "x/y/a.o", true),
            ("dist/*", "dist/a", true),
            ("dist/*", "dist/a/b", false),
            ("a**/b", "ax/b", true),
            ("a**/b", "a/x/b", false),
            ("{a,b}/**/c", "b/x/y/c", true),
            ("*", ".hidden", true),
            ("x[a-c]", "xb", true),
        ] {
            assert_eq!(Glob::doublestar(pattern).matches(path), expected, "{pattern} on {path}");
        }
    }

    #[test]
    fn include_local_takes_two_asterisks_as_any_text() {
        for (pattern, path, expected) in [
            ("configs/*.yml", "configs/a.yml", true),
            ("configs/*.yml", "configs/a/b.yml", false),
            ("configs/**.yml", "configs/a.yml", true),
            ("configs/**.yml", "configs/a/b.yml", true),
            ("configs/**/*.yml", "configs/a.yml", false),
            ("configs/**/*.yml", "configs/a/b.yml", true),
            ("configs/**/*.yml", "configs/a/b/c.yml", true),
            ("a?.yml", "ab.yml", false),
            ("**/x/*b", "p/x/q/x/ab", true),
        ] {
            assert_eq!(Glob::include(pattern).matches(path), expected, "{pattern} on {path}");
        }
    }

    proptest! {
        #[test]
        fn no_pattern_panics_or_takes_long(pattern in r"[ab/*?\[\]{},!^\\-]{0,40}", path in "[ab/]{0,40}") {
            let _ = Glob::ruby(&pattern).matches(&path);
            let _ = Glob::doublestar(&pattern).matches(&path);
            let _ = Glob::include(&pattern).matches(&path);
        }

        #[test]
        fn a_path_without_wildcards_matches_itself(path in "[a-z./]{0,20}") {
            prop_assert!(Glob::ruby(&path).matches(&path));
            prop_assert!(Glob::doublestar(&path).matches(&path));
        }
    }
}
