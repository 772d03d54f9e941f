//! Which invocations of a component are recorded, for how long, and what of them is left out.

use std::{collections::BTreeSet, fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::quantity::Millis;

/// Fields of one component that are left out.
const REDACTED_MAX: usize = 100;
/// Of the name of one.
const NAME_BYTES_MAX: usize = 100;
/// The longest that a recording is kept: it is made of what customers sent.
pub const KEEP_MAX: Millis = Millis(30 * 86_400_000);
const KEEP_MIN: Millis = Millis(60_000);

/// What is recorded of a component's invocations, where the Bridge allows it too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// Of all calls.
    #[serde(default, skip_serializing_if = "Share::is_none")]
    pub sample: Share,
    /// Of those that fail.
    #[serde(default, skip_serializing_if = "Share::is_none")]
    pub failures: Share,
    /// For how long.
    pub keep: Millis,
    /// Names of fields and columns whose values are left out, besides those that always are.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub redact: BTreeSet<String>,
}

/// A part of something, in millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Share(pub u32);

/// What a release cannot say of recordings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Not a part of anything.
    #[error("a share is 0% to 100%, with four decimals at most, for example 1% or 0.5%")]
    Share,
    /// Nothing would be recorded.
    #[error("nothing is recorded without a share in sample or failures")]
    Nothing,
    /// Too short or too long.
    #[error("recordings are kept {KEEP_MIN} to {KEEP_MAX}")]
    Keep,
    /// More than anybody reads, or no names.
    #[error("redact has at most {REDACTED_MAX} names, each with a letter or digit and at most {NAME_BYTES_MAX} bytes")]
    Redact,
}

impl Record {
    /// Where nothing else is said.
    pub const KEEP: Millis = Millis(86_400_000);

    /// Whether it can be meant.
    pub fn check(&self) -> Result<(), RecordError> {
        if self.sample > Share::ALL || self.failures > Share::ALL {
            return Err(RecordError::Share);
        }
        if self.sample.is_none() && self.failures.is_none() {
            return Err(RecordError::Nothing);
        }
        if self.keep < KEEP_MIN || self.keep > KEEP_MAX {
            return Err(RecordError::Keep);
        }
        let is_name = |name: &String| {
            name.len() <= NAME_BYTES_MAX && name.chars().any(char::is_alphanumeric) && !has_control(name)
        };
        if self.redact.len() > REDACTED_MAX || !self.redact.iter().all(is_name) {
            return Err(RecordError::Redact);
        }
        Ok(())
    }

    /// As a power: whoever widens it lets more of what customers send be stored.
    pub fn line(&self) -> String {
        let mut shares = Vec::new();
        if !self.sample.is_none() {
            shares.push(format!("{} of calls", self.sample));
        }
        if !self.failures.is_none() {
            shares.push(format!("{} of failures", self.failures));
        }
        let mut line = format!("record {}, kept {}", shares.join(" and "), self.keep);
        if !self.redact.is_empty() {
            line.push_str(", without ");
            line.push_str(&self.redact.iter().cloned().collect::<Vec<_>>().join(", "));
        }
        line
    }
}

fn has_control(name: &str) -> bool {
    name.chars().any(char::is_control)
}

impl Share {
    /// All of it.
    pub const ALL: Self = Self(1_000_000);

    /// Whether it is nothing.
    pub fn is_none(&self) -> bool {
        self.0 == 0
    }
}

impl FromStr for Share {
    type Err = RecordError;

    fn from_str(text: &str) -> Result<Self, RecordError> {
        let number = text.strip_suffix('%').ok_or(RecordError::Share)?;
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(decimals) || whole.len() > 3 || decimals.len() > 4 {
            return Err(RecordError::Share);
        }
        let parts = format!("{whole}{decimals:0<4}").parse().map_err(|_| RecordError::Share)?;
        Some(Self(parts)).filter(|share| *share <= Self::ALL).ok_or(RecordError::Share)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, decimals) = (self.0 / 10_000, format!("{:04}", self.0 % 10_000));
        match decimals.trim_end_matches('0') {
            "" => write!(f, "{whole}%"),
            decimals => write!(f, "{whole}.{decimals}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_read_as_they_are_written() {
        for (text, parts) in [("1%", 10_000), ("0.5%", 5_000), ("100%", 1_000_000), ("0.0001%", 1), ("12.34%", 123_400)]
        {
            assert_eq!((text.parse(), Share(parts).to_string()), (Ok(Share(parts)), text.to_owned()));
        }
        for wrong in ["", "%", "1", "101%", "100.0001%", "-1%", "1.%", ".5%", "0.00001%", "1e1%", "9999%", "١%"] {
            assert_eq!(wrong.parse::<Share>(), Err(RecordError::Share), "{wrong}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        let good = Record { sample: Share(1), failures: Share(0), keep: Record::KEEP, redact: BTreeSet::new() };
        assert_eq!(good.check(), Ok(()));
        assert_eq!(Record { sample: Share(0), ..good.clone() }.check(), Err(RecordError::Nothing));
        assert_eq!(Record { failures: Share(1_000_001), ..good.clone() }.check(), Err(RecordError::Share));
        for keep in [0, 59_999, KEEP_MAX.0 + 1, u64::MAX] {
            assert_eq!(Record { keep: Millis(keep), ..good.clone() }.check(), Err(RecordError::Keep));
        }
        for name in ["", "_", "a\nb", &"x".repeat(101)] {
            let redact = BTreeSet::from([name.to_owned()]);
            assert_eq!(Record { redact, ..good.clone() }.check(), Err(RecordError::Redact), "{name:?}");
        }
    }
}
