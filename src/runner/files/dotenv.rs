//! `artifacts:reports:dotenv`: variables that a job hands to later ones
//! (`Ci::ParseDotenvArtifactService`).

/// GitLab's limits unless an instance sets others.
const MAX_BYTES: usize = 5 * 1024;
const MAX_VARIABLES: usize = 20;

/// Why GitLab refuses a dotenv report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DotenvError {
    /// It is too long.
    #[error("{0} bytes are more than the {MAX_BYTES} that GitLab takes")]
    TooLong(usize),
    /// It has too many variables.
    #[error("{0} variables are more than the {MAX_VARIABLES} that GitLab takes")]
    TooMany(usize),
    /// A line is not `KEY=VALUE`: blank lines and comments are none either.
    #[error("line {line}, `{text}`, is not `KEY=VALUE`")]
    Format {
        /// The line, from 1.
        line: usize,
        /// What it says.
        text: String,
    },
    /// A key has other characters than letters, digits and underscores.
    #[error("line {line}: `{key}` has other characters than letters, digits and `_`")]
    Key {
        /// The line, from 1.
        line: usize,
        /// The key.
        key: String,
    },
}

/// The variables of a report. Values are taken as they stand, quotes and all; the last of a key wins.
///
/// # Errors
/// When GitLab would refuse the report.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, DotenvError> {
    if text.len() > MAX_BYTES {
        return Err(DotenvError::TooLong(text.len()));
    }
    let mut variables = indexmap::IndexMap::new();
    for (at, line) in text.lines().enumerate() {
        let Some((key, value)) = line.split_once('=') else {
            return Err(DotenvError::Format { line: at + 1, text: line.to_owned() });
        };
        let key = key.trim();
        if key.is_empty() || !key.chars().all(|it| it.is_ascii_alphanumeric() || it == '_') {
            return Err(DotenvError::Key { line: at + 1, key: key.to_owned() });
        }
        variables.insert(key.to_owned(), value.trim().to_owned());
    }
    if variables.len() > MAX_VARIABLES {
        return Err(DotenvError::TooMany(variables.len()));
    }
    Ok(variables.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_gitlab_reads_them() {
        for (text, variables) in [
            ("A=1\n", &[("A", "1")][..]),
            ("A = b c \r\nB=", &[("A", "b c"), ("B", "")]),
            ("A=\"quoted\"", &[("A", "\"quoted\"")]),
            ("A=x=y", &[("A", "x=y")]),
            ("A=1\nA=2", &[("A", "2")]),
            ("", &[]),
        ] {
            let expected: Vec<_> =
                variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            assert_eq!(parse(text), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn what_gitlab_refuses_is_refused() {
        for (text, message) in [
            ("A=1\n\nB=2", "line 2, ``, is not `KEY=VALUE`"),
            ("# comment", "line 1, `# comment`, is not `KEY=VALUE`"),
            ("export A=1", "line 1: `export A` has other characters than letters, digits and `_`"),
            ("=1", "line 1: `` has other characters than letters, digits and `_`"),
        ] {
            assert_eq!(parse(text).expect_err("refused").to_string(), message);
        }
        assert_eq!(parse(&"A".repeat(6000)), Err(DotenvError::TooLong(6000)));
        let many: String = (0..21).map(|number| format!("A{number}=1\n")).collect();
        assert_eq!(parse(&many), Err(DotenvError::TooMany(21)));
    }
}
