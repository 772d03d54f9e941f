//! Decimals as the text that they are sent and kept as, compared exactly. No arithmetic: databases do that, and
//! `sql::render::aggregate` where one cannot.

use std::{cmp::Ordering, fmt};

/// Digits before the point that a value may have. With those behind it: what `DECIMAL(65,30)` of MySQL holds, so that a value that
/// is accepted fits on every engine.
pub const WHOLE_DIGITS_MAX: usize = 35;

/// Digits behind the point that a value may have.
pub const FRACTION_DIGITS_MAX: usize = 30;

/// A decimal number of any length: sign, digits before the point without leading zeros, digits behind it without trailing ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal<'a> {
    is_negative: bool,
    whole: &'a str,
    fraction: &'a str,
}

impl<'a> Decimal<'a> {
    /// `12.50`, `-.5`, `+1.`: what a column may hold. None for anything else.
    pub fn read(text: &'a str) -> Option<Self> {
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

    /// A value that is sent: digits on both sides of a point, or none and no point, and not more of them than every engine keeps.
    pub fn accept(text: &'a str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, rest)| (whole, Some(rest)));
        let fits = |part: &str, most| !part.is_empty() && part.len() <= most && !part.starts_with('+');
        let is_form = fits(whole, WHOLE_DIGITS_MAX) && fraction.is_none_or(|part| fits(part, FRACTION_DIGITS_MAX));
        if is_form { Self::read(text) } else { None }
    }

    /// Digits behind the point, without zeros at the end.
    pub fn places(self) -> usize {
        self.fraction.len()
    }

    /// More digits before the point are more; digits behind it compare as text does.
    fn magnitude(self, other: Self) -> Ordering {
        (self.whole.len(), self.whole, self.fraction).cmp(&(other.whole.len(), other.whole, other.fraction))
    }
}

impl Ord for Decimal<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.is_negative, other.is_negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.magnitude(*other),
            (true, true) => other.magnitude(*self),
        }
    }
}

impl PartialOrd for Decimal<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Decimal<'_> {
    /// The shortest text of the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.is_negative { "-" } else { "" };
        let whole = if self.whole.is_empty() { "0" } else { self.whole };
        let point = if self.fraction.is_empty() { "" } else { "." };
        write!(f, "{sign}{whole}{point}{}", self.fraction)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_every_engine_keeps_is_accepted() {
        let (whole, fraction) = ("9".repeat(WHOLE_DIGITS_MAX), "9".repeat(FRACTION_DIGITS_MAX));
        for text in ["0", "-0", "12.50", "-0.01", "007", &format!("-{whole}.{fraction}"), &format!("0.{fraction}")] {
            assert!(Decimal::accept(text).is_some(), "{text}");
        }
        for text in [
            "",
            "-",
            ".",
            "1.",
            ".5",
            "+1",
            "-+1",
            "--1",
            "1e5",
            "1.2.3",
            "1.+2",
            " 1",
            "1 ",
            "١",
            "NaN",
            "Infinity",
            "0x10",
            "1_000",
            &format!("1{whole}"),
            &format!("0.{fraction}1"),
        ] {
            assert!(Decimal::accept(text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_shortest_text_is_the_same_number() {
        for (text, shortest) in [
            ("1.50", "1.5"),
            ("-0.00", "0"),
            ("007", "7"),
            ("-.5", "-0.5"),
            ("+10.", "10"),
            ("100", "100"),
            (
                "-12345678901234567890123456789012345.000000000000000000000000000001",
                "-12345678901234567890123456789012345.000000000000000000000000000001",
            ),
        ] {
            let number = Decimal::read(text);
            assert_eq!(number.map(|number| number.to_string()).as_deref(), Some(shortest), "{text}");
            assert_eq!(number, Decimal::read(shortest), "{text}");
        }
    }
}
