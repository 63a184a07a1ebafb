//! Kubernetes quantities: `500m`, `1Gi`, `1e3`.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// The value of a quantity, in thousandths: CPU counts in thousandths of a core, memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(i128);

/// A text is no Kubernetes quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a Kubernetes quantity")]
pub struct NotAQuantity;

/// Kubernetes caps larger numbers at this (`resource.Quantity`).
const CAP: i128 = i64::MAX as i128 * 1000;

/// Powers of ten up to here fit; beyond, a quantity is capped or rounded up anyway.
const MAX_POWER: u32 = 36;

/// What Kubernetes says of a text that is no quantity.
pub const PATTERN: &str =
    "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

impl Amount {
    /// Reads a quantity as Kubernetes does; digits finer than a thousandth are rounded up.
    ///
    /// # Errors
    /// When Kubernetes would refuse the text.
    pub fn parse(text: &str) -> Result<Self, NotAQuantity> {
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let number_end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(number_end);
        let (digits, decimals) = significant(number)?;
        let unit = Unit::parse(suffix)?;
        let thousandths = unit.thousandths(digits, decimals).min(CAP);
        Ok(Self(if negative { -thousandths } else { thousandths }))
    }

    /// The value of a quantity, if it is one.
    pub fn of(quantity: &Quantity) -> Option<Self> {
        Self::parse(&quantity.0).ok()
    }

    /// So many whole units: cores or bytes.
    pub fn units(count: u64) -> Self {
        Self((i128::from(count) * 1000).min(CAP))
    }

    /// So many thousandths: of a core.
    pub fn thousandths(count: u64) -> Self {
        Self(i128::from(count))
    }

    /// Thousandths, for CPU. A negative amount counts as none.
    pub fn as_thousandths(self) -> u64 {
        u64::try_from(self.0.max(0)).unwrap_or(u64::MAX)
    }

    /// Whole units, for memory, rounded up. A negative amount counts as none.
    pub fn as_units(self) -> u64 {
        u64::try_from(self.0.max(0).div_ceil_by(1000)).unwrap_or(u64::MAX)
    }

    /// Whether it is below zero, which no resource may be.
    pub fn is_negative(self) -> bool {
        self.0 < 0
    }

    /// As people write CPU: `1`, `500m`.
    pub fn cpu(self) -> String {
        if self.0 % 1000 == 0 { (self.0 / 1000).to_string() } else { format!("{}m", self.0) }
    }

    /// Memory for people, in whole `Mi` where it is more than one.
    pub fn rounded_memory(self) -> String {
        let mebibyte = 1 << 20;
        let bytes = self.as_units();
        if bytes < mebibyte { self.memory() } else { Self::units(bytes - bytes % mebibyte).memory() }
    }

    /// As people write memory: `1Gi`, `100Mi`, `1500`.
    pub fn memory(self) -> String {
        let bytes = self.as_units();
        let scale = [(1 << 30, "Gi"), (1 << 20, "Mi"), (1 << 10, "Ki")];
        match scale.into_iter().find(|(size, _)| bytes != 0 && bytes.is_multiple_of(*size)) {
            Some((size, suffix)) => format!("{}{suffix}", bytes / size),
            None => bytes.to_string(),
        }
    }
}

impl std::ops::Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl std::ops::Mul<usize> for Amount {
    type Output = Self;

    fn mul(self, times: usize) -> Self {
        Self(self.0.saturating_mul(i128::try_from(times).unwrap_or(i128::MAX)))
    }
}

/// Division that rounds up.
trait DivCeil {
    fn div_ceil_by(self, divisor: i128) -> i128;
}

impl DivCeil for i128 {
    fn div_ceil_by(self, divisor: i128) -> i128 {
        self / divisor + i128::from(self % divisor != 0)
    }
}

/// What follows the number.
enum Unit {
    /// `Ki` and the like: two to this power.
    Binary(u32),
    /// `m`, `k`, `e3` and the like: ten to this power.
    Decimal(i32),
}

impl Unit {
    fn parse(suffix: &str) -> Result<Self, NotAQuantity> {
        let unit = match suffix {
            "n" => Self::Decimal(-9),
            "u" => Self::Decimal(-6),
            "m" => Self::Decimal(-3),
            "" => Self::Decimal(0),
            "k" => Self::Decimal(3),
            "M" => Self::Decimal(6),
            "G" => Self::Decimal(9),
            "T" => Self::Decimal(12),
            "P" => Self::Decimal(15),
            "E" => Self::Decimal(18),
            "Ki" => Self::Binary(10),
            "Mi" => Self::Binary(20),
            "Gi" => Self::Binary(30),
            "Ti" => Self::Binary(40),
            "Pi" => Self::Binary(50),
            "Ei" => Self::Binary(60),
            exponent => Self::exponent(exponent)?,
        };
        Ok(unit)
    }

    fn exponent(suffix: &str) -> Result<Self, NotAQuantity> {
        let digits = suffix.strip_prefix(['e', 'E']).ok_or(NotAQuantity)?;
        let power: i32 = digits.parse().map_err(|_| NotAQuantity)?;
        Ok(Self::Decimal(power))
    }

    /// `digits` times ten to minus `decimals`, in this unit.
    fn thousandths(&self, digits: i128, decimals: u32) -> i128 {
        let (factor, power) = match self {
            Self::Binary(bits) => (1_i128 << bits, 0),
            Self::Decimal(power) => (1, *power),
        };
        let power = power.saturating_add(3).saturating_sub_unsigned(decimals);
        let Some(value) = digits.checked_mul(factor) else { return CAP };
        let ten = |power: u32| 10_i128.pow(power.min(MAX_POWER));
        match u32::try_from(power) {
            Ok(power) if value != 0 => value.checked_mul(ten(power)).unwrap_or(CAP),
            Ok(_) => 0,
            Err(_) => value.div_ceil_by(ten(power.unsigned_abs())),
        }
    }
}

/// The digits of a number without its point, and how many of them stood behind it.
fn significant(number: &str) -> Result<(i128, u32), NotAQuantity> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return Err(NotAQuantity);
    }
    let whole = whole.trim_start_matches('0');
    // Beyond 20 digits a number is over the cap; beyond 15 decimals it is finer than anything counted.
    let whole = if whole.len() > 20 { "99999999999999999999" } else { whole };
    let fraction = &fraction[..fraction.len().min(15)];
    let digits = format!("0{whole}{fraction}").parse().map_err(|_| NotAQuantity)?;
    Ok((digits, u32::try_from(fraction.len()).expect("at most 15")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Amount;

    #[test]
    fn a_quantity_is_read_as_kubernetes_reads_it() {
        let table = [
            ("1", 1000),
            ("500m", 500),
            ("1.5", 1500),
            (".5", 500),
            ("5.", 5000),
            ("+2", 2000),
            ("0", 0),
            ("0.1m", 1),
            ("100n", 1),
            ("1k", 1_000_000),
            ("1e3", 1_000_000),
            ("1E3", 1_000_000),
            ("12e-1", 1200),
            ("1Ki", 1_024_000),
            ("100Mi", 104_857_600_000),
            ("1Gi", 1_073_741_824_000),
            ("1.5Gi", 1_610_612_736_000),
            ("1E", 1_000_000_000_000_000_000_000),
        ];
        for (text, thousandths) in table {
            assert_eq!(Amount::parse(text), Ok(Amount(thousandths)), "{text}");
        }
    }

    #[test]
    fn what_kubernetes_refuses_is_no_quantity() {
        for text in
            ["", "m", "1cpu", "1 Gi", "1GB", "1gi", "1K", "1.2.3", ".", "-", "1e", "1e1.5", "0x10", "½"]
        {
            assert!(Amount::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn numbers_beyond_the_cap_are_capped() {
        for text in ["99Ei", "1e30", "1e2000000000", "123456789012345678901234567890"] {
            assert_eq!(Amount::parse(text), Ok(Amount(super::CAP)), "{text}");
        }
        assert_eq!(Amount::parse("0e2000000000"), Ok(Amount(0)));
        assert_eq!(Amount::parse("1e-2000000000"), Ok(Amount(1)));
    }

    #[test]
    fn amounts_are_written_as_people_write_them() {
        let table = [("1000m", "1", "1"), ("1500m", "1500m", "2"), ("1Gi", "1073741824", "1Gi")];
        for (text, cpu, memory) in table {
            let amount = Amount::parse(text).expect("a quantity");
            assert_eq!((amount.cpu().as_str(), amount.memory().as_str()), (cpu, memory), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "[-+0-9.eEinumkKMGTP]{0,40}") {
            let _ = Amount::parse(&text);
        }

        #[test]
        fn what_is_written_reads_the_same(bytes in any::<u32>()) {
            let amount = Amount::units(u64::from(bytes));
            prop_assert_eq!(Amount::parse(&amount.memory()), Ok(amount));
            prop_assert_eq!(Amount::parse(&amount.cpu()), Ok(amount));
        }
    }
}
