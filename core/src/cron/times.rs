//! The ticks of a job: the points in time at which it runs. Pure: now is given in.

use chrono::{DateTime, TimeDelta, Utc};

use super::Schedule;
use crate::quantity::Millis;

/// The shortest interval.
const EVERY_MIN: Millis = Millis(1_000);

const DAY_MILLIS: u64 = 24 * 60 * 60 * 1_000;

/// When a job runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Times {
    /// As five fields say.
    Schedule(Schedule),
    /// At equal distances.
    Every(Every),
}

/// An interval of which each day has a whole number, from midnight UTC on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Every {
    millis: u64,
}

/// An interval that days cannot be divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EveryError {
    /// Too short.
    #[error("a job runs every {EVERY_MIN} at most")]
    Short,
    /// There would be a shorter one at the end of each day.
    #[error("{0} does not divide a day evenly; 1m, 5m, 1h, 6h and 1d do")]
    Uneven(Millis),
}

impl Every {
    /// Of a duration.
    pub fn of(every: Millis) -> Result<Self, EveryError> {
        if every < EVERY_MIN {
            return Err(EveryError::Short);
        }
        if !DAY_MILLIS.is_multiple_of(every.0) {
            return Err(EveryError::Uneven(every));
        }
        Ok(Self { millis: every.0 })
    }

    /// The last one at or before a time. A day has no other length in UTC.
    fn at_or_before(self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let interval = i64::try_from(self.millis).ok()?;
        DateTime::from_timestamp_millis(at.timestamp_millis().div_euclid(interval) * interval)
    }
}

impl Times {
    /// The first tick after a time. None: not within the years that there are.
    pub fn next_after(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Times::Schedule(schedule) => schedule.next_after(at),
            Times::Every(every) => {
                let millis = i64::try_from(every.millis).ok()?;
                every.at_or_before(at)?.checked_add_signed(TimeDelta::milliseconds(millis))
            }
        }
    }

    /// The last tick that is not after a time.
    pub fn at_or_before(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Times::Schedule(schedule) => schedule.at_or_before(at),
            Times::Every(every) => every.at_or_before(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn an_interval_divides_a_day() {
        for (text, fits) in [("1s", true), ("7s", false), ("5m", true), ("7m", false), ("6h", true), ("1d", true)] {
            assert_eq!(Every::of(text.parse().unwrap()).is_ok(), fits, "{text}");
        }
        for text in ["500ms", "0s", "2d"] {
            assert!(Every::of(text.parse().unwrap()).is_err(), "{text}");
        }
    }

    #[test]
    fn an_interval_begins_at_midnight() {
        let times = Times::Every(Every::of("6h".parse().unwrap()).unwrap());
        assert_eq!(times.next_after(at("2026-02-28T23:59:59Z")), Some(at("2026-03-01T00:00:00Z")));
        assert_eq!(times.next_after(at("2026-03-01T00:00:00Z")), Some(at("2026-03-01T06:00:00Z")));
        assert_eq!(times.at_or_before(at("2026-03-01T00:00:00Z")), Some(at("2026-03-01T00:00:00Z")));
        assert_eq!(times.at_or_before(at("1969-12-31T23:00:00Z")), Some(at("1969-12-31T18:00:00Z")));
    }
}
