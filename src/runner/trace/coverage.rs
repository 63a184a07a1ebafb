//! `coverage`: the number that a job's trace has for it.

use regex::RegexBuilder;

/// What a pattern, `/Coverage: (\d+)%/`, finds in a trace: the first number in the last match of the last line
/// that has one, in percent, as in `Gitlab::Ci::Trace::Stream#extract_coverage`.
pub fn coverage(pattern: &str, trace: &str) -> Option<f64> {
    let (pattern, flags) = pattern.strip_prefix('/')?.rsplit_once('/')?;
    let regex = RegexBuilder::new(pattern)
        .case_insensitive(flags.contains('i'))
        .dot_matches_new_line(flags.contains('m'))
        .build()
        .ok()?;
    trace.lines().rev().find_map(|line| {
        let last = regex.captures_iter(line).last()?;
        // of a pattern with groups the last one counts, even where it is empty
        let found = last.iter().last().flatten()?;
        number(found.as_str())
    })
}

fn number(text: &str) -> Option<f64> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let rest = &text[start..];
    let whole = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let decimals = rest[whole..]
        .strip_prefix('.')
        .map_or(0, |after| after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len()));
    let end = if decimals > 0 { whole + 1 + decimals } else { whole };
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::coverage;

    #[test]
    fn the_last_number_counts() {
        let trace = "Coverage: 12%\nlib 80.5%\nTOTAL 100 20 85.25% of 90%\n\u{1b}[32;1mCoverage: 77.7%\u{1b}[0;m\nend\n";
        let table = [
            (r"/Coverage: \d+(\.\d+)?%/", Some(7.0)),
            (r"/Coverage: \d+(?:\.\d+)?%/", Some(77.7)),
            (r"/coverage: (\d+)/i", Some(77.0)),
            (r"/TOTAL.*?(\d+\.\d+)%/", Some(85.25)),
            (r"/\d+% of \d+%/", Some(25.0)),
            (r"/no such thing/", None),
            (r"/Coverage/", None),
            (r"/(/", None),
            ("Coverage", None),
        ];
        for (pattern, expected) in table {
            assert_eq!(coverage(pattern, trace), expected, "{pattern}");
        }
    }
}
