//! Decimals that are kept as text, compared as numbers. SQLite has no exact decimals: its columns keep the text, and conditions
//! and orders on them go by the collation `stk_decimal`.

use std::cmp::Ordering;

use santokit_core::decimal::Decimal;

/// The name of the collation. Whoever runs statements on SQLite registers it on the connection.
pub const COLLATION: &str = "stk_decimal";

/// Compares exactly: `1.50` equals `1.5`, `-0` equals `0`. What is no decimal comes after all that are, in the order of its bytes,
/// so that the order is total whatever a column holds.
pub fn compare(a: &str, b: &str) -> Ordering {
    match (Decimal::read(a), Decimal::read(b)) {
        (Some(a), Some(b)) => a.cmp(&b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.cmp(b),
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
