//! Durations (`500ms 1s 5m 6h 7d`) and sizes (`64KiB 5MB`) as they are written in project files and settings.
//!
//! In releases and on the wire they are whole milliseconds and bytes, so that equal content has one spelling.

use std::{fmt, str::FromStr, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A whole number of milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Millis(pub u64);

/// A whole number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Bytes(pub u64);

/// Why a quantity cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not `<number><unit>`.
    #[error("expected a whole number and a unit ({units}), for example {example}")]
    Form {
        /// The units that are known.
        units: &'static str,
        /// One that is right.
        example: &'static str,
    },
    /// More than 2^63.
    #[error("the quantity is too large")]
    TooLarge,
}

impl Millis {
    /// As a [`Duration`].
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl FromStr for Millis {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let units = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
        parse(text, &units)
            .map(Self)
            .map_err(|e| e.unwrap_or(QuantityError::Form { units: "ms s m h d", example: "5s" }))
    }
}

impl FromStr for Bytes {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let units = [
            ("KiB", 1 << 10),
            ("MiB", 1 << 20),
            ("GiB", 1 << 30),
            ("KB", 1_000),
            ("MB", 1_000_000),
            ("GB", 1_000_000_000),
            ("B", 1),
        ];
        parse(text, &units)
            .map(Self)
            .map_err(|e| e.unwrap_or(QuantityError::Form { units: "B KB MB GB KiB MiB GiB", example: "64MiB" }))
    }
}

/// `Err(None)`: not of the form.
fn parse(text: &str, units: &[(&str, u64)]) -> Result<u64, Option<QuantityError>> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor = units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor).ok_or(None)?;
    if number.is_empty() {
        return Err(None);
    }
    let number: u64 = number.parse().map_err(|_| Some(QuantityError::TooLarge))?;
    number.checked_mul(factor).filter(|n| i64::try_from(*n).is_ok()).ok_or(Some(QuantityError::TooLarge))
}

impl fmt::Display for Millis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0;
        for (unit, factor) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
            if ms > 0 && ms.is_multiple_of(factor) {
                return write!(f, "{}{unit}", ms / factor);
            }
        }
        write!(f, "{ms}ms")
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, factor) in [
            ("GiB", 1 << 30),
            ("MiB", 1 << 20),
            ("GB", 1_000_000_000),
            ("MB", 1_000_000),
            ("KiB", 1 << 10),
            ("KB", 1_000),
        ] {
            if self.0 > 0 && self.0.is_multiple_of(factor) {
                return write!(f, "{}{unit}", self.0 / factor);
            }
        }
        write!(f, "{}B", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints() {
        for (text, ms) in [("500ms", 500), ("1s", 1_000), ("5m", 300_000), ("6h", 21_600_000), ("7d", 604_800_000)] {
            assert_eq!(text.parse(), Ok(Millis(ms)));
            assert_eq!(Millis(ms).to_string(), text);
        }
        for (text, bytes) in [("64KiB", 65_536), ("5MB", 5_000_000), ("64MiB", 67_108_864), ("12B", 12)] {
            assert_eq!(text.parse(), Ok(Bytes(bytes)));
            assert_eq!(Bytes(bytes).to_string(), text);
        }
    }

    #[test]
    fn refuses_what_is_not_a_quantity() {
        for text in ["", "5", "s", "-1s", "1.5s", "1 s", "5S", "1w"] {
            assert!(text.parse::<Millis>().is_err(), "{text}");
        }
        assert_eq!("99999999999999999999s".parse::<Millis>(), Err(QuantityError::TooLarge));
        assert_eq!("999999999999999999d".parse::<Millis>(), Err(QuantityError::TooLarge));
    }
}
