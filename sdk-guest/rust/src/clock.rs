//! Time as the host sees it.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::bindings::santokit::runtime::clock as host;
use crate::sql;

/// A moment, UTC. It is written (also as JSON and as an SQL value) as RFC 3339 with microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub seconds: i64,
    /// 0 to 999,999,999.
    pub nanoseconds: u32,
}

/// The wall clock.
pub fn now() -> Timestamp {
    let host::Datetime { seconds, nanoseconds } = host::now();
    Timestamp { seconds, nanoseconds }
}

/// Time since this invocation began. Coarse: the step is a microsecond or more.
pub fn elapsed() -> Duration {
    Duration::from_nanos(host::elapsed())
}

/// Time until the host stops this invocation.
pub fn remaining() -> Duration {
    Duration::from_millis(host::remaining().into())
}

impl Timestamp {
    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub fn unix_millis(self) -> i64 {
        self.seconds.saturating_mul(1000).saturating_add(i64::from(self.nanoseconds / 1_000_000))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_date(self.seconds.div_euclid(86_400));
        let second = self.seconds.rem_euclid(86_400);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let micros = self.nanoseconds / 1000;
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl sql::Param for Timestamp {
    fn to_value(&self) -> sql::Value {
        sql::Value::Typed(("timestamp".to_owned(), self.to_string()))
    }
}

/// The Gregorian date of a day counted from 1970-01-01 (the era of 400 years begins in March, so that the leap day is
/// the last of its year).
fn civil_date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn timestamps_are_rfc_3339() {
        for (seconds, nanoseconds, text) in [
            (0, 0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400, 1_000, "2000-02-29T00:00:00.000001Z"),
            (4_107_542_399, 999_999_999, "2100-02-28T23:59:59.999999Z"),
            (-1, 0, "1969-12-31T23:59:59.000000Z"),
        ] {
            assert_eq!(Timestamp { seconds, nanoseconds }.to_string(), text);
        }
    }
}
