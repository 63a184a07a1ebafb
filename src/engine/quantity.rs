//! Kubernetes quantities: `100m`, `1.5Gi`, `2e3`.
//!
//! The grammar is that of `k8s.io/apimachinery/pkg/api/resource`: a decimal number, then a binary suffix, a
//! decimal suffix or an exponent.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// An amount, counted in thousandths and rounded up, as Kubernetes rounds what it cannot store.
pub(super) fn millis(quantity: &str) -> Option<u128> {
    let split = quantity.find(|c: char| !matches!(c, '0'..='9' | '.' | '+')).unwrap_or(quantity.len());
    let (number, suffix) = quantity.split_at(split);
    let number = number.strip_prefix('+').unwrap_or(number);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits: u128 = digits.parse().ok()?;
    let (multiplier, divisor) = scale(suffix)?;
    let below = 10u128.checked_pow(fraction.len().try_into().ok()?)?.checked_mul(divisor)?;
    Some(digits.checked_mul(multiplier)?.checked_mul(1000)?.div_ceil(below))
}

/// What a suffix multiplies with and divides by.
fn scale(suffix: &str) -> Option<(u128, u128)> {
    let scale = match suffix {
        "" => (1, 1),
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1000),
        "k" => (1000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        "T" => (1_000_000_000_000, 1),
        "P" => (1_000_000_000_000_000, 1),
        "E" => (1_000_000_000_000_000_000, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        "Ei" => (1 << 60, 1),
        exponent => return power(exponent.strip_prefix(['e', 'E'])?),
    };
    Some(scale)
}

fn power(exponent: &str) -> Option<(u128, u128)> {
    let exponent: i32 = exponent.parse().ok()?;
    let power = 10u128.checked_pow(exponent.unsigned_abs())?;
    Some(if exponent < 0 { (1, power) } else { (power, 1) })
}

/// A quantity of the API as thousandths. What the API serves can be parsed; anything else counts as nothing.
pub(super) fn of(quantity: Option<&Quantity>) -> u128 {
    quantity.and_then(|quantity| millis(&quantity.0)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_reads_them() {
        let rows = [
            ("1", Some(1000)),
            ("100m", Some(100)),
            ("0.5", Some(500)),
            (".5", Some(500)),
            ("1.", Some(1000)),
            ("+2", Some(2000)),
            ("1500u", Some(2)),
            ("1n", Some(1)),
            ("2e3", Some(2_000_000)),
            ("2E-1", Some(200)),
            ("1k", Some(1_000_000)),
            ("1Ki", Some(1_024_000)),
            ("1.5Gi", Some(1_610_612_736_000)),
            ("1E", Some(1_000_000_000_000_000_000_000)),
            ("", None),
            (".", None),
            ("-1", None),
            ("1K", None),
            ("1gi", None),
            ("1 Gi", None),
            ("1Gi ", None),
            ("1.2.3", None),
            ("one", None),
            ("1e", None),
        ];
        for (text, expected) in rows {
            assert_eq!(millis(text), expected, "{text:?}");
        }
    }
}
