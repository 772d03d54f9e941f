//! Decimals that are kept as text, compared as numbers. SQLite has no exact decimals: its columns keep the text, and conditions
//! and orders on them go by the collation `stk_decimal`.

use std::cmp::Ordering;

/// The name of the collation. Whoever runs statements on SQLite registers it on the connection.
pub const COLLATION: &str = "stk_decimal";

/// Sign, digits before the point without leading zeros, digits after it without trailing ones.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Parts<'a> {
    is_negative: bool,
    whole: &'a str,
    fraction: &'a str,
}

/// Compares exactly: `1.50` equals `1.5`, `-0` equals `0`. What is no decimal comes after all that are, in the order of its bytes,
/// so that the order is total whatever a column holds.
pub fn compare(a: &str, b: &str) -> Ordering {
    match (Parts::of(a), Parts::of(b)) {
        (Some(a), Some(b)) => a.cmp(b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
    }
}

impl<'a> Parts<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let (is_negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let are_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() && fraction.is_empty() || !are_digits(whole) || !are_digits(fraction) {
            return None;
        }
        let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
        let is_zero = whole.is_empty() && fraction.is_empty();
        Some(Self { is_negative: is_negative && !is_zero, whole, fraction })
    }

    fn cmp(self, other: Self) -> Ordering {
        match (self.is_negative, other.is_negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.magnitude(other),
            (true, true) => other.magnitude(self),
        }
    }

    /// More digits before the point are more; digits after it compare as text does.
    fn magnitude(self, other: Self) -> Ordering {
        (self.whole.len(), self.whole, self.fraction).cmp(&(other.whole.len(), other.whole, other.fraction))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_as_numbers() {
        let ordered = [
            "-123456789012345678901234567890.5",
            "-10",
            "-9.99",
            "-0.01",
            "0",
            "0.000000000000000000000000000001",
            "0.1",
            "1.05",
            "1.5",
            "9",
            "10",
            "10.0000000000000000000000000001",
            "123456789012345678901234567890",
            "no number",
        ];
        for (i, a) in ordered.iter().enumerate() {
            for (j, b) in ordered.iter().enumerate() {
                assert_eq!(compare(a, b), i.cmp(&j), "{a} and {b}");
            }
        }
    }

    #[test]
    fn spelling_does_not_matter() {
        for (a, b) in [("1.50", "1.5"), ("-0", "0"), ("-0.00", "+0"), ("007", "7"), ("1.", "1"), (".5", "0.50")] {
            assert_eq!(compare(a, b), Ordering::Equal, "{a} and {b}");
        }
    }

    #[test]
    fn whatever_a_column_holds_has_a_place() {
        for odd in ["", ".", "-", "+", "--1", "1e5", "1.2.3", " 1", "é", "NaN"] {
            assert_eq!(compare("9", odd), Ordering::Less, "{odd:?}");
            assert_eq!(compare(odd, "9"), Ordering::Greater, "{odd:?}");
            assert_eq!(compare(odd, odd), Ordering::Equal, "{odd:?}");
        }
    }
}
