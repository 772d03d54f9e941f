//! What was counted of a release's requests: how many, how many failed, how long they took. Bridges count, reports carry it, the Hub
//! adds it up; percentiles are taken after adding, never added.

use std::{collections::BTreeMap, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Eight buckets for each doubling, up to 2^32 µs (71 minutes).
const BUCKETS: u16 = 256;

/// Requests of one release.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// All that were answered, or given up by their caller.
    pub requests: u64,
    /// Answered with 500 or above.
    pub errors: u64,
    /// Of them those that the guest is to blame for (`LOGIC_FAILED`).
    pub logic_failed: u64,
    /// How long they took.
    pub latencies: Latencies,
}

/// Times by buckets, each at most an eighth wider than its beginning. Written as pairs of bucket and count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<(u16, u64)>", into = "Vec<(u16, u64)>")]
pub struct Latencies(BTreeMap<u16, u64>);

impl Sample {
    /// Counts a request.
    pub fn add(&mut self, micros: u64, is_error: bool, is_logic_failed: bool) {
        self.requests = self.requests.saturating_add(1);
        self.errors = self.errors.saturating_add(u64::from(is_error));
        self.logic_failed = self.logic_failed.saturating_add(u64::from(is_logic_failed));
        self.latencies.add(micros);
    }

    /// Adds what was counted elsewhere.
    pub fn merge(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.errors = self.errors.saturating_add(other.errors);
        self.logic_failed = self.logic_failed.saturating_add(other.logic_failed);
        for (bucket, count) in &other.latencies.0 {
            let own = self.latencies.0.entry(*bucket).or_default();
            *own = own.saturating_add(*count);
        }
    }

    /// Takes away what was added before.
    pub fn take(&mut self, other: &Self) {
        self.requests = self.requests.saturating_sub(other.requests);
        self.errors = self.errors.saturating_sub(other.errors);
        self.logic_failed = self.logic_failed.saturating_sub(other.logic_failed);
        for (bucket, count) in &other.latencies.0 {
            if let Some(own) = self.latencies.0.get_mut(bucket) {
                *own = own.saturating_sub(*count);
            }
        }
        self.latencies.0.retain(|_, count| *count > 0);
    }

    /// In hundredths of a percent; 0 of nothing.
    pub fn error_rate(&self) -> u32 {
        if self.requests == 0 {
            return 0;
        }
        let rate = u128::from(self.errors.min(self.requests)) * 10_000 / u128::from(self.requests);
        u32::try_from(rate).unwrap_or(10_000)
    }
}

impl Latencies {
    fn add(&mut self, micros: u64) {
        let own = self.0.entry(bucket(micros)).or_default();
        *own = own.saturating_add(1);
    }

    /// The end of the bucket, in microseconds, up to which 95 of 100 requests took.
    pub fn p95(&self) -> Option<u64> {
        let all: u128 = self.0.values().map(|count| u128::from(*count)).sum();
        let mut seen = 0_u128;
        for (bucket, count) in &self.0 {
            seen += u128::from(*count);
            if seen * 100 >= all * 95 {
                return Some(end(*bucket));
            }
        }
        None
    }

    /// The same, as a duration.
    pub fn p95_duration(&self) -> Option<Duration> {
        self.p95().map(Duration::from_micros)
    }
}

impl TryFrom<Vec<(u16, u64)>> for Latencies {
    type Error = &'static str;

    fn try_from(buckets: Vec<(u16, u64)>) -> Result<Self, Self::Error> {
        let count = buckets.len();
        let all: BTreeMap<u16, u64> = buckets.into_iter().filter(|(bucket, _)| *bucket < BUCKETS).collect();
        if all.len() < count {
            return Err("a bucket of latencies is below 256, and each is there once");
        }
        Ok(Self(all))
    }
}

impl From<Latencies> for Vec<(u16, u64)> {
    fn from(latencies: Latencies) -> Self {
        latencies.0.into_iter().collect()
    }
}

/// Up to 7 µs one each; from there the position of the highest bit and the three bits below it.
fn bucket(micros: u64) -> u16 {
    if micros < 8 {
        return u16::try_from(micros).unwrap_or_default();
    }
    let bit = micros.ilog2().min(31);
    let below = if micros.ilog2() > 31 { 7 } else { micros >> (bit - 3) & 7 };
    u16::try_from(u64::from(bit) * 8 + below).unwrap_or(BUCKETS - 1)
}

/// The last microsecond of a bucket.
fn end(bucket: u16) -> u64 {
    if bucket < 8 {
        return u64::from(bucket);
    }
    let (bit, below) = (u32::from(bucket / 8).max(3), u64::from(bucket % 8));
    ((8 + below + 1) << (bit - 3)) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_bucket_holds_its_times_within_an_eighth(micros in 0_u64..1 << 32) {
            let end = end(bucket(micros));
            prop_assert!(micros <= end && end - micros <= micros / 8, "{micros} is in a bucket up to {end}");
        }

        #[test]
        fn what_is_added_can_be_taken_away(one in prop::collection::vec((any::<u64>(), any::<bool>()), 0..50), other in prop::collection::vec((any::<u64>(), any::<bool>()), 0..50)) {
            let of = |times: &[(u64, bool)]| {
                let mut sample = Sample::default();
                for (micros, failed) in times {
                    sample.add(*micros, *failed, *failed);
                }
                sample
            };
            let (one, other) = (of(&one), of(&other));
            let mut both = one.clone();
            both.merge(&other);
            prop_assert_eq!(both.requests, one.requests + other.requests);
            both.take(&other);
            prop_assert_eq!(both, one);
        }
    }

    #[test]
    fn percentiles_are_of_all_and_reports_are_bounded() {
        let mut sample = Sample::default();
        assert_eq!((sample.latencies.p95(), sample.error_rate()), (None, 0));
        for micros in 1..=1_000 {
            sample.add(micros * 1_000, micros <= 10, false);
        }
        let p95 = sample.latencies.p95().unwrap();
        assert!((950_000..1_070_000).contains(&p95), "{p95}");
        assert_eq!(sample.error_rate(), 100);
        let text = serde_json::to_string(&sample).unwrap();
        assert_eq!(serde_json::from_str::<Sample>(&text).unwrap(), sample);
        for bad in ["[[256,1]]", "[[-1,1]]", "[[1,1],[1,1]]", "[[1,-1]]", "[1]"] {
            assert!(serde_json::from_str::<Latencies>(bad).is_err(), "{bad}");
        }
        let much = serde_json::from_str::<Latencies>("[[1,18446744073709551615],[2,18446744073709551615]]").unwrap();
        assert_eq!(much.p95(), Some(2));
        assert!(u64::MAX.ilog2() > 31 && bucket(u64::MAX) == BUCKETS - 1);
    }
}
