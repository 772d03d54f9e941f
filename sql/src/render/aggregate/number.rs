//! Decimal numbers of any length, as far as sums and means need them.

use std::fmt::Write as _;

use santokit_core::value::Value;

/// Digits of a part.
pub(super) const PART: usize = 9;

/// 10 to the power of [`PART`].
const BASE: i128 = 1_000_000_000;

/// Parts of a decimal: 36 digits before the point and 36 behind it, which is more than a decimal that is sent may have
/// (`santokit_core::decimal`).
pub(super) const PARTS: usize = 8;

/// Those of [`PARTS`] before the point.
pub(super) const WHOLE_PARTS: usize = 4;

/// A sign, digits from the highest, and how many of them are behind the point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Number {
    is_negative: bool,
    digits: Vec<u8>,
    scale: usize,
}

impl Number {
    /// From sums of parts, the highest first; the first `whole` are before the point. Each may be of any size and sign.
    pub(super) fn of_parts(parts: &[i64], whole: usize) -> Self {
        let scale = (parts.len() - whole.min(parts.len())) * PART;
        let mut carried = carry(parts.iter().map(|part| i128::from(*part)));
        let is_negative = carried.first().is_some_and(|top| *top < 0);
        if is_negative {
            carried = carry(parts.iter().map(|part| -i128::from(*part)));
        }
        let mut digits = String::new();
        for (index, part) in carried.iter().enumerate() {
            // Writing to a string cannot fail.
            let _ = if index == 0 { write!(digits, "{part}") } else { write!(digits, "{part:09}") };
        }
        Self { is_negative, digits: digits.bytes().map(|byte| byte - b'0').collect(), scale }
    }

    /// `-12.50`
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (is_negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = rest.split_once('.').unwrap_or((rest, ""));
        let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_digits(whole) || !is_digits(fraction) {
            return None;
        }
        let digits = whole.bytes().chain(fraction.bytes()).map(|byte| byte - b'0').collect();
        Some(Self { is_negative, digits, scale: fraction.len() })
    }

    /// With so many digits behind the point, rounded half away from zero. `None` where the divisor is 0.
    pub(super) fn divided_by(&self, divisor: u64, places: usize) -> Option<Self> {
        if divisor == 0 {
            return None;
        }
        // One place more than is asked for decides the rounding: nothing behind it can.
        let zeros = (places + 1).saturating_sub(self.scale);
        let kept = self.digits.len() - self.scale.saturating_sub(places + 1);
        let (mut rest, mut digits) = (0_u128, Vec::with_capacity(kept + zeros));
        for digit in self.digits[..kept].iter().copied().chain(std::iter::repeat_n(0, zeros)) {
            rest = rest * 10 + u128::from(digit);
            digits.push(u8::try_from(rest / u128::from(divisor)).unwrap_or(9));
            rest %= u128::from(divisor);
        }
        let rounds_up = digits.pop().is_some_and(|last| last >= 5);
        let mut number = Self { is_negative: self.is_negative, digits, scale: places };
        if rounds_up {
            number.add_one();
        }
        Some(number)
    }

    fn add_one(&mut self) {
        for digit in self.digits.iter_mut().rev() {
            if *digit < 9 {
                *digit += 1;
                return;
            }
            *digit = 0;
        }
        self.digits.insert(0, 1);
    }

    /// Without zeros that say nothing.
    pub(super) fn to_value(&self) -> Value {
        let point = self.digits.len().saturating_sub(self.scale);
        let text = |digits: &[u8]| digits.iter().map(|digit| char::from(b'0' + digit)).collect::<String>();
        let missing = "0".repeat(self.scale.saturating_sub(self.digits.len()));
        let (whole, fraction) = (text(&self.digits[..point]), missing + &text(&self.digits[point..]));
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let is_zero = whole.is_empty() && fraction.is_empty();
        let sign = if self.is_negative && !is_zero { "-" } else { "" };
        let whole = if whole.is_empty() { "0" } else { whole };
        let point = if fraction.is_empty() { "" } else { "." };
        Value::Typed("decimal".to_owned(), format!("{sign}{whole}{point}{fraction}"))
    }
}

/// Every part but the first between 0 and [`BASE`].
fn carry(parts: impl DoubleEndedIterator<Item = i128> + ExactSizeIterator) -> Vec<i128> {
    let mut carried = Vec::with_capacity(parts.len());
    let mut over = 0;
    let mut left = parts.len();
    for part in parts.rev() {
        left -= 1;
        let part = part + over;
        if left == 0 {
            carried.push(part);
        } else {
            carried.push(part.rem_euclid(BASE));
            over = part.div_euclid(BASE);
        }
    }
    carried.reverse();
    carried
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(number: &Number) -> String {
        match number.to_value() {
            Value::Typed(_, text) => text,
            _ => String::new(),
        }
    }

    #[test]
    fn parts_of_any_sign_make_one_number() {
        for (parts, expected) in [
            ([0, 0, 0, 12, 500_000_000, 0, 0, 0], "12.5"),
            ([0, 0, 0, -12, -500_000_000, 0, 0, 0], "-12.5"),
            ([0, 0, 0, 1, -500_000_000, 0, 0, 0], "0.5"),
            ([0, 0, 0, -1, 250_000_000, 0, 0, 0], "-0.75"),
            ([0, 0, 0, 0, 0, 0, 0, 0], "0"),
            ([0, 0, 0, 7_000_000_000, 0, 0, 0, 1], "7000000000.000000000000000000000000000000000001"),
            (
                [i64::MAX, 0, 0, 0, 0, 0, 0, i64::MIN],
                "9223372036854775806999999999999999999999999999.999999999999999990776627963145224192",
            ),
        ] {
            assert_eq!(text(&Number::of_parts(&parts, WHOLE_PARTS)), expected);
        }
        assert_eq!(text(&Number::of_parts(&[9_223_372_037, -1], 2)), "9223372036999999999");
    }

    #[test]
    fn a_mean_is_rounded_half_away_from_zero() {
        for (sum, count, expected) in [
            ("10", 4, "2.5"),
            ("1", 3, "0.3333333333"),
            ("2", 3, "0.6666666667"),
            ("-2", 3, "-0.6666666667"),
            ("0.00000000005", 1, "0.0000000001"),
            ("-0.00000000005", 1, "-0.0000000001"),
            ("0.000000000049999999999999", 1, "0"),
            ("-0.00000000001", 9, "0"),
            ("99999999999.99999999999", 1, "100000000000"),
            ("12345678901234567890123456789012345678.5", 2, "6172839450617283945061728394506172839.25"),
            ("0", 7, "0"),
        ] {
            let mean = Number::parse(sum).and_then(|sum| sum.divided_by(count, 10));
            assert_eq!(mean.as_ref().map(text).as_deref(), Some(expected), "{sum} / {count}");
        }
        assert_eq!(Number::parse("1").and_then(|sum| sum.divided_by(0, 10)), None);
        assert!(Number::parse("1e5").is_none() && Number::parse("").is_none() && Number::parse("-.5").is_none());
    }
}
