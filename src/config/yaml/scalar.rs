//! Psych's scalar types (`psych/scalar_scanner.rb`), which are YAML 1.1 with habits of its own.

use std::sync::LazyLock;

use regex::Regex;

use crate::config::node::{Scalar, Value};

/// What Psych makes of an unquoted scalar.
///
/// A symbol (`:name`) becomes the string of its name: GitLab permits symbols and takes them
/// wherever it takes a string.
pub fn scan(text: &str) -> Scalar {
    if let Some(name) = symbol(text) {
        return Scalar { value: Value::String, text: name.to_owned() };
    }
    Scalar { value: value(text), text: text.to_owned() }
}

fn value(text: &str) -> Value {
    if let Some(word) = word(text) {
        return word;
    }
    let first = text.as_bytes()[0];
    if !(first.is_ascii_digit() || b"+-.".contains(&first)) || text.contains('\n') {
        return Value::String;
    }
    if TIME.is_match(text) {
        Value::Refused("Time")
    } else if DATE.is_match(text) {
        Value::Refused("Date")
    } else if let Some(value) = infinity(text) {
        Value::Float(value)
    } else if BASE_60.is_match(text) {
        base_60(text)
    } else if FLOAT.is_match(text) {
        float(text).map_or(Value::String, Value::Float)
    } else if INTEGER.is_match(text) {
        integer(text).map_or(Value::String, Value::Int)
    } else {
        Value::String
    }
}

/// The words that are not strings, in any case.
fn word(text: &str) -> Option<Value> {
    if text.len() > 5 {
        return None;
    }
    Some(match text.to_ascii_lowercase().as_str() {
        "" | "~" | "null" => Value::Null,
        "yes" | "true" | "on" => Value::Bool(true),
        "no" | "false" | "off" => Value::Bool(false),
        _ => return None,
    })
}

/// The name of a Ruby symbol.
fn symbol(text: &str) -> Option<&str> {
    let name = text.strip_prefix(':').filter(|name| !name.is_empty() && !name.contains('\n'))?;
    let quoted = ['"', '\''].into_iter().find_map(|quote| name.strip_prefix(quote)?.rsplit_once(quote));
    Some(quoted.map_or(name, |(inside, _)| inside.strip_prefix(':').unwrap_or(inside)))
}

fn infinity(text: &str) -> Option<f64> {
    match text.to_ascii_lowercase().as_str() {
        ".inf" | "+.inf" => Some(f64::INFINITY),
        "-.inf" => Some(f64::NEG_INFINITY),
        ".nan" => Some(f64::NAN),
        _ => None,
    }
}

/// `h:mm` and `h:mm:ss`. Psych always counts the first part as hours, so `1:30` is 5400, and the
/// sign belongs to the first part only.
fn base_60(text: &str) -> Value {
    let text = text.replace('_', "");
    let parts = || text.split(':').zip([3600_u32, 60, 1]);
    if text.contains('.') {
        let seconds = parts().map(|(part, unit)| part.parse().unwrap_or(0.0) * f64::from(unit));
        Value::Float(seconds.sum())
    } else {
        let seconds = parts().map(|(part, unit)| Some(part.parse::<i128>().ok()? * i128::from(unit)));
        seconds.sum::<Option<i128>>().map_or(Value::String, Value::Int)
    }
}

fn float(text: &str) -> Option<f64> {
    let digits = text.replace([',', '_'], "").replace(".e", "e").replace(".E", "E");
    digits.strip_suffix('.').unwrap_or(&digits).parse().ok()
}

fn integer(text: &str) -> Option<i128> {
    let digits = text.replace([',', '_'], "");
    let (negative, digits) = match digits.as_bytes()[0] {
        b'-' => (true, &digits[1..]),
        b'+' => (false, &digits[1..]),
        _ => (false, digits.as_str()),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'b', ..] => (2, &digits[2..]),
        [b'0', b'x', ..] => (16, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    let number = i128::from_str_radix(digits, radix).ok()?;
    Some(if negative { -number } else { number })
}

static TIME: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r"^-?[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt]|\s+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]*)?(\s*(Z|[-+][0-9]{1,2}:?([0-9]{2})?))?$",
    )
});
static DATE: LazyLock<Regex> =
    LazyLock::new(|| regex("^[0-9]{4}-(1[012]|0[0-9]|[0-9])-([12][0-9]|3[01]|0[0-9]|[0-9])$"));
static BASE_60: LazyLock<Regex> =
    LazyLock::new(|| regex(r"^[-+]?[0-9][0-9_]*(:[0-5]?[0-9]){1,2}(\.[0-9_]*)?$"));
static FLOAT: LazyLock<Regex> = LazyLock::new(|| regex(r"^[-+]?([0-9][0-9_,]*)?\.[0-9]*([eE][-+][0-9]+)?$"));
static INTEGER: LazyLock<Regex> =
    LazyLock::new(|| regex("^[-+]?(0b[01_,]+|0[0-7_,]+|0|[1-9]([0-9]|,[0-9]|_[0-9])*|0x[0-9a-fA-F_,]+)$"));

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the pattern is a constant")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_have_the_types_that_psych_gives_them() {
        use Value::{Bool, Float, Int, Null, Refused, String};
        let table = [
            ("", Null),
            ("~", Null),
            ("null", Null),
            ("NULL", Null),
            ("yes", Bool(true)),
            ("Yes", Bool(true)),
            ("on", Bool(true)),
            ("TRUE", Bool(true)),
            ("no", Bool(false)),
            ("off", Bool(false)),
            ("False", Bool(false)),
            // The single letters of YAML 1.1 are not booleans in Ruby.
            ("y", String),
            ("n", String),
            ("truey", String),
            ("0", Int(0)),
            ("-12", Int(-12)),
            ("+12", Int(12)),
            ("0755", Int(0o755)),
            ("-0755", Int(-0o755)),
            // Not octal, so not a number at all.
            ("0o755", String),
            ("089", String),
            ("0b101", Int(5)),
            ("0xff", Int(255)),
            ("1_000", Int(1000)),
            ("1,000", Int(1000)),
            ("1,", String),
            ("12:30", Int(45_000)),
            ("12:30:45", Int(45_045)),
            ("1:30.5", Float(5430.0)),
            ("12:61", String),
            ("1:2:3:4", String),
            ("1.5", Float(1.5)),
            ("1.10", Float(1.1)),
            (".5", Float(0.5)),
            ("1.", Float(1.0)),
            ("1,000.5", Float(1000.5)),
            ("1.5e+3", Float(1500.0)),
            // Psych wants a point and a sign.
            ("1e3", String),
            ("1.5e3", String),
            ("1.2.3", String),
            (".", String),
            ("-", String),
            ("-.", String),
            (".inf", Float(f64::INFINITY)),
            ("-.INF", Float(f64::NEG_INFINITY)),
            ("2024-01-31", Refused("Date")),
            ("2024-1-1", Refused("Date")),
            ("2024-13-01", String),
            ("2024-01-31 10:00:00", Refused("Time")),
            ("2024-01-31T10:00:00Z", Refused("Time")),
            ("v1.0", String),
            ("alpine:3.20", String),
            ("-x", String),
        ];
        for (text, value) in table {
            assert_eq!(scan(text), Scalar { value, text: text.to_owned() }, "{text:?}");
        }
        assert!(matches!(scan(".nan").value, Float(nan) if nan.is_nan()));
    }

    #[test]
    fn a_symbol_is_the_string_of_its_name() {
        for (text, name) in [(":name", "name"), (":\"a b\"", "a b"), (":':a'", "a"), (":", ":"), (": ", " ")]
        {
            assert_eq!(scan(text), Scalar { value: Value::String, text: name.to_owned() }, "{text:?}");
        }
    }

    #[test]
    fn numbers_beyond_reason_stay_text() {
        let digits = "9".repeat(60);
        assert_eq!(scan(&digits).value, Value::String);
    }
}
