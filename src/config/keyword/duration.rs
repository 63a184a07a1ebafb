//! Durations in the natural language that GitLab reads (`lib/chronic_duration.rb` of its gem).

use std::time::Duration;

/// The longest `start_in` that GitLab takes: one week.
pub const LONGEST_DELAY: Duration = Duration::from_hours(7 * 24);

/// The longest `timeout` that GitLab takes: `Project::MAX_BUILD_TIMEOUT`, one month of Rails.
pub const LONGEST_TIMEOUT: Duration = Duration::from_secs(2_629_746);

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// A word that is neither a number nor a unit.
    #[error("`{0}` is no unit of time")]
    Word(String),
    /// It comes to nothing, or to more than can be counted.
    #[error("it comes to no time at all")]
    Nothing,
}

/// Reads `1h 30m`, `3 hours and 5 mins`, `90` (seconds), `1:30:00`.
///
/// # Errors
/// [`DurationError`] for what GitLab calls no duration.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let words = words(&numbers(&clock(&text.to_lowercase())))?;
    let mut seconds = 0.0;
    for (at, word) in words.iter().enumerate() {
        if let Word::Number(number) = word {
            seconds += number
                * match words.get(at + 1) {
                    Some(Word::Unit(unit)) => *unit,
                    // Of two numbers in a row the first counts for nothing.
                    Some(Word::Number(_)) => 0.0,
                    None => 1.0,
                };
        }
    }
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(DurationError::Nothing),
    }
}

enum Word {
    Number(f64),
    Unit(f64),
}

/// `1:30:00` spelled with units; anything else as it is.
fn clock(text: &str) -> String {
    let compact = text.replace(' ', "");
    let parts: Vec<_> = compact.split(':').collect();
    let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let (Some(last), 2..=6) = (parts.last(), parts.len()) else { return text.to_owned() };
    let whole = last.split_once('.').map_or(*last, |(whole, fraction)| {
        if fraction.bytes().all(|byte| byte.is_ascii_digit()) { whole } else { "" }
    });
    if !digits(whole) || !parts[..parts.len() - 1].iter().all(|part| digits(part)) {
        return text.to_owned();
    }
    let units = ["seconds", "minutes", "hours", "days", "months", "years"];
    let spelled = parts.iter().rev().zip(units).map(|(part, unit)| format!("{part} {unit}"));
    spelled.rev().collect::<Vec<_>>().join(" ")
}

/// Number words as digits: `one week`, `twenty-four hours` (the plain ones of the numerizer gem).
fn numbers(text: &str) -> String {
    let mut written: Vec<String> = Vec::new();
    let mut tens: Option<u32> = None;
    for word in text.split(' ').flat_map(hyphenated) {
        let number = NUMBERS.iter().find(|(name, _)| *name == word).map(|(_, number)| *number);
        match (number, tens) {
            (Some(unit @ 1..=9), Some(ten)) => {
                written.pop();
                written.push((ten + unit).to_string());
            }
            (Some(number), _) => written.push(number.to_string()),
            (None, _) => written.push(word.to_owned()),
        }
        tens = number.filter(|number| *number >= 20);
    }
    written.join(" ")
}

/// The parts of `twenty-four`; anything else whole.
fn hyphenated(word: &str) -> Vec<&str> {
    if word.chars().all(|char| char.is_ascii_alphabetic() || char == '-') && !word.starts_with('-') {
        word.split('-').collect()
    } else {
        vec![word]
    }
}

/// The number words.
const NUMBERS: [(&str, u32); 27] = [
    ("one", 1),
    ("two", 2),
    ("three", 3),
    ("four", 4),
    ("five", 5),
    ("six", 6),
    ("seven", 7),
    ("eight", 8),
    ("nine", 9),
    ("ten", 10),
    ("eleven", 11),
    ("twelve", 12),
    ("thirteen", 13),
    ("fourteen", 14),
    ("fifteen", 15),
    ("sixteen", 16),
    ("seventeen", 17),
    ("eighteen", 18),
    ("nineteen", 19),
    ("twenty", 20),
    ("thirty", 30),
    ("forty", 40),
    ("fifty", 50),
    ("sixty", 60),
    ("seventy", 70),
    ("eighty", 80),
    ("ninety", 90),
];

fn words(text: &str) -> Result<Vec<Word>, DurationError> {
    let mut words = Vec::new();
    for word in spaced(text).split_whitespace() {
        if word.ends_with(|last: char| last.is_ascii_digit()) {
            words.push(Word::Number(word.parse().map_err(|_| DurationError::Word(word.to_owned()))?));
            continue;
        }
        let bare = word.strip_prefix(',').unwrap_or(word);
        let bare = bare.strip_suffix(',').unwrap_or(bare);
        match unit(bare) {
            Some(seconds) => words.push(Word::Unit(seconds)),
            None if matches!(bare, "and" | "with" | "plus") => {}
            None => return Err(DurationError::Word(word.to_owned())),
        }
    }
    if matches!(words.first(), Some(Word::Unit(_))) {
        words.insert(0, Word::Number(1.0));
    }
    Ok(words)
}

/// The text with a blank on each side of every number (`[0-9]*\.?[0-9]+`).
fn spaced(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let digit = |at: usize| chars.get(at).is_some_and(char::is_ascii_digit);
    let mut spaced = String::new();
    let mut at = 0;
    while at < chars.len() {
        let start = at;
        while digit(at) {
            at += 1;
        }
        if chars.get(at) == Some(&'.') && digit(at + 1) {
            at += 1;
            while digit(at) {
                at += 1;
            }
        }
        if at > start {
            spaced.push(' ');
            spaced.extend(&chars[start..at]);
            spaced.push(' ');
        } else {
            spaced.push(chars[at]);
            at += 1;
        }
    }
    spaced
}

/// Seconds of a unit.
fn unit(word: &str) -> Option<f64> {
    Some(match word {
        "seconds" | "second" | "secs" | "sec" | "s" => 1.0,
        "minutes" | "minute" | "mins" | "min" | "m" => 60.0,
        "hours" | "hour" | "hrs" | "hr" | "h" => 3600.0,
        "days" | "day" | "dy" | "d" => 86_400.0,
        "weeks" | "week" | "wks" | "wk" | "w" => 604_800.0,
        "months" | "month" | "mos" | "mo" => 2_592_000.0,
        "years" | "year" | "yrs" | "yr" | "y" => 31_557_600.0,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn natural_language_is_read_as_gitlab_reads_it() {
        for (text, seconds) in [
            ("90", 90.0),
            ("1h 30m", 5400.0),
            ("1h30", 3630.0),
            ("3 hours", 10_800.0),
            ("3 HOURS and 5 mins", 11_100.0),
            ("1 day 2 hrs", 93_600.0),
            ("1 week", 604_800.0),
            ("1 mo", 2_592_000.0),
            ("1 yr", 31_557_600.0),
            ("1.5 hours", 5400.0),
            (".5 min", 30.0),
            ("minute 30sec", 90.0),
            ("hour", 3600.0),
            ("2 hrs, 20 min", 8400.0),
            ("2h20min", 8400.0),
            ("1:30", 90.0),
            ("3:41:59", 13_319.0),
            ("1:00:00.5", 3600.5),
            ("6 mos 1 day", 15_638_400.0),
            ("5 10 minutes", 600.0),
            ("one day", 86_400.0),
            ("twenty-four hours and five minutes", 86_700.0),
            ("thirty seconds", 30.0),
        ] {
            assert_eq!(parse(text), Ok(Duration::from_secs_f64(seconds)), "{text}");
        }
    }

    #[test]
    fn what_gitlab_calls_no_duration_is_refused() {
        for text in ["", "0", "0 days", "soon", "never", "3 moons", "-5 minutes", "1,000 s", "1:x", "1."] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(parse("3 moons"), Err(DurationError::Word("moons".to_owned())));
    }
}
