//! `.env` files: `NAME=value` lines.
//!
//! Read here, as the libraries for that replace `$NAME` by what this machine's environment has: a reference
//! is GitLab's to replace.

/// The variables of a text in its order, or what is wrong, with the line.
pub(super) fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut variables = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |what: &str| format!("line {}: {what}", number + 1);
        let line = line.strip_prefix("export ").unwrap_or(line);
        let (key, rest) = line.split_once('=').ok_or_else(|| wrong("expected `NAME=value`"))?;
        let rest = rest.trim_start();
        let value = match rest.chars().next().filter(|first| matches!(first, '"' | '\'')) {
            Some(quote) => {
                let mut value = rest.to_owned();
                // A quoted value may go over several lines.
                let end = loop {
                    if let Some(end) = end_of_quoted(&value, quote) {
                        break end;
                    }
                    let (_, more) = lines.next().ok_or_else(|| wrong("a quote is never closed"))?;
                    value.push('\n');
                    value.push_str(more);
                };
                if quote == '"' { unescaped(&value[1..end]) } else { value[1..end].to_owned() }
            }
            None => rest.split(" #").next().unwrap_or_default().trim_end().to_owned(),
        };
        variables.push((key.trim().to_owned(), value));
    }
    Ok(variables)
}

/// Where the quote is that closes a quoted text.
fn end_of_quoted(text: &str, quote: char) -> Option<usize> {
    let mut is_escaped = false;
    text.char_indices().skip(1).find_map(|(at, character)| {
        let is_end = character == quote && !is_escaped;
        is_escaped = quote == '"' && character == '\\' && !is_escaped;
        is_end.then_some(at)
    })
}

/// What double quotes stand around: `\n`, `\"`, `\$` and the like are one character.
fn unescaped(text: &str) -> String {
    let mut value = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            value.push(character);
            continue;
        }
        match characters.next() {
            Some('n') => value.push('\n'),
            Some('r') => value.push('\r'),
            Some('t') => value.push('\t'),
            Some(other @ ('"' | '\\' | '$')) => value.push(other),
            Some(other) => value.extend(['\\', other]),
            None => value.push('\\'),
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_variable() {
        for (text, variables) in [
            ("A=1\nB = two words \n", &[("A", "1"), ("B", "two words")][..]),
            ("# note\n\nexport A=x # why\nB=x#y\n", &[("A", "x"), ("B", "x#y")]),
            ("A='$B \"\\n'\nB=$HOME", &[("A", "$B \"\\n"), ("B", "$HOME")]),
            (r#"A="one\ntwo \"x\" \z""#, &[("A", "one\ntwo \"x\" \\z")]),
            ("KEY=\"first\n  second\n\" # end\nB=1", &[("KEY", "first\n  second\n"), ("B", "1")]),
            ("EMPTY=\nQ=''", &[("EMPTY", ""), ("Q", "")]),
            ("URL=a=b", &[("URL", "a=b")]),
            ("A=' x '", &[("A", " x ")]),
        ] {
            let expected: Vec<_> =
                variables.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
            assert_eq!(parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_without_its_text() {
        assert_eq!(parse("A=1\nsecret words"), Err("line 2: expected `NAME=value`".to_owned()));
        assert_eq!(parse("A='x\ny"), Err("line 1: a quote is never closed".to_owned()));
    }
}
