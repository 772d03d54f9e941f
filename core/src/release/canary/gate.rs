//! Gates of a canary: what ends it. Written as `error-rate>5%` (of the candidate's requests), `error-rate>+2%` (points above the
//! baseline's), `p95>500ms`, and `p95>1.5x` (times the baseline's).
//!
//! Whole numbers only: every Bridge and the Hub come to the same end from the same counts.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Canary, Sample};
use crate::quantity::Millis;

const P95_MAX: Millis = Millis(3_600_000);

/// Closes where the candidate is worse than it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub enum Gate {
    /// So many hundredths of a percent of the candidate's requests fail.
    ErrorRate(u32),
    /// So many hundredths of a percent more than of the baseline's.
    ErrorRateOver(u32),
    /// 95 of 100 of the candidate's requests take up to longer than this.
    P95(Millis),
    /// So many hundredths of what the baseline's take.
    P95Times(u32),
}

/// Why a gate cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GateError {
    /// None of the forms.
    #[error("a gate is error-rate>5%, error-rate>+2% (over the baseline), p95>500ms or p95>1.5x (of the baseline)")]
    Form,
    /// More than there can be, or nothing that a candidate could keep to.
    #[error("{0}")]
    Bound(&'static str),
}

/// A gate that has closed, with what it saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tripped {
    /// Which one.
    pub gate: Gate,
    /// For operators.
    pub seen: String,
}

/// The first gate that closes for what was counted in the window, if any. A gate that has not seen enough requests stays open.
pub fn judge(terms: &Canary, baseline: &Sample, candidate: &Sample) -> Option<Tripped> {
    let least = u64::from(terms.min_requests);
    if candidate.requests < least {
        return None;
    }
    let gates = terms.gates.iter().filter(|gate| !gate.compares() || baseline.requests >= least);
    gates.copied().find_map(|gate| gate.judge(baseline, candidate))
}

impl Gate {
    /// Whether it looks at the baseline too.
    pub const fn compares(self) -> bool {
        matches!(self, Gate::ErrorRateOver(_) | Gate::P95Times(_))
    }

    fn judge(self, baseline: &Sample, candidate: &Sample) -> Option<Tripped> {
        let [b, c] = [baseline, candidate].map(|sample| (u128::from(sample.requests), u128::from(sample.errors)));
        let p95 = || Some((baseline.latencies.p95(), candidate.latencies.p95()?));
        let (closes, seen) = match self {
            Gate::ErrorRate(limit) => (c.1 * 10_000 > u128::from(limit) * c.0, candidate.failed()),
            Gate::ErrorRateOver(points) => {
                let allowed = (b.1 * 10_000).saturating_add(u128::from(points) * b.0).saturating_mul(c.0);
                let seen = format!("{}; of the baseline {}", candidate.failed(), baseline.failed());
                ((c.1 * 10_000).saturating_mul(b.0) > allowed, seen)
            }
            Gate::P95(limit) => {
                let (_, candidate) = p95()?;
                (candidate > limit.0.saturating_mul(1_000), format!("p95 is {}", shown(candidate)))
            }
            Gate::P95Times(factor) => {
                let (Some(baseline), candidate) = p95()? else { return None };
                let allowed = u128::from(factor) * u128::from(baseline.max(1));
                let seen = format!("p95 is {}; of the baseline {}", shown(candidate), shown(baseline));
                (u128::from(candidate) * 100 > allowed, seen)
            }
        };
        closes.then_some(Tripped { gate: self, seen })
    }
}

impl FromStr for Gate {
    type Err = GateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (metric, limit) = text.split_once('>').ok_or(GateError::Form)?;
        let limit = limit.trim();
        match metric.trim() {
            "error-rate" => {
                let (limit, is_over) = limit.strip_prefix('+').map_or((limit, false), |points| (points, true));
                let limit = limit.strip_suffix('%').and_then(hundredths).ok_or(GateError::Form)?;
                if limit >= 10_000 {
                    return Err(GateError::Bound("an error rate above 100% does not exist"));
                }
                Ok(if is_over { Gate::ErrorRateOver(limit) } else { Gate::ErrorRate(limit) })
            }
            "p95" => match limit.strip_suffix('x') {
                Some(factor) => match hundredths(factor).ok_or(GateError::Form)? {
                    factor @ 100..=100_000 => Ok(Gate::P95Times(factor)),
                    _ => Err(GateError::Bound("p95 can be held to 1x to 1000x of the baseline's")),
                },
                None => match limit.parse::<Millis>().map_err(|_| GateError::Form)? {
                    limit if limit.0 > 0 && limit <= P95_MAX => Ok(Gate::P95(limit)),
                    _ => Err(GateError::Bound("p95 can be held to 1ms to 1h")),
                },
            },
            _ => Err(GateError::Form),
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Gate::ErrorRate(limit) => write!(f, "error-rate>{}%", decimal(*limit)),
            Gate::ErrorRateOver(points) => write!(f, "error-rate>+{}%", decimal(*points)),
            Gate::P95(limit) => write!(f, "p95>{limit}"),
            Gate::P95Times(factor) => write!(f, "p95>{}x", decimal(*factor)),
        }
    }
}

impl TryFrom<String> for Gate {
    type Error = GateError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Gate> for String {
    fn from(gate: Gate) -> Self {
        gate.to_string()
    }
}

impl fmt::Display for Tripped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.gate, self.seen)
    }
}

/// `5`, `0.5` or `0.05` as hundredths.
fn hundredths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let has_part = text.contains('.');
    if whole.is_empty() || whole.len() > 6 || !is_digits(whole) || !is_digits(part) {
        return None;
    }
    if has_part != (1..=2).contains(&part.len()) {
        return None;
    }
    let part: u32 = format!("{part:0<2}").parse().ok()?;
    Some(whole.parse::<u32>().ok()? * 100 + part)
}

/// As [`hundredths`] reads it, in its one spelling.
fn decimal(hundredths: u32) -> String {
    match (hundredths / 100, hundredths % 100) {
        (whole, 0) => whole.to_string(),
        (whole, part) if part % 10 == 0 => format!("{whole}.{}", part / 10),
        (whole, part) => format!("{whole}.{part:02}"),
    }
}

/// Microseconds as people read them.
fn shown(micros: u64) -> String {
    match micros {
        0..=9_999 => format!("{}.{}ms", micros / 1_000, micros % 1_000 / 100),
        _ => format!("{}ms", micros / 1_000),
    }
}

impl Sample {
    /// `12.5% of 80 requests failed`.
    fn failed(&self) -> String {
        format!("{}% of {} requests failed", decimal(self.error_rate()), self.requests)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::release::{
        Digest,
        canary::{MIN_REQUESTS, WINDOW},
    };

    fn terms(gate: &str) -> Canary {
        Canary {
            release_id: "rel_01ARZ3NDEKTSV4RRFFQ69G5FAV".into(),
            digest: Digest::of(b"candidate"),
            percent: 10,
            salt: "golden-salt".into(),
            gates: vec![gate.parse().unwrap()],
            min_requests: MIN_REQUESTS,
            window: WINDOW,
        }
    }

    fn sample(requests: u64, errors: u64, millis: u64) -> Sample {
        let mut sample = Sample::default();
        for number in 0..requests {
            sample.add(millis * 1_000, number < errors, false);
        }
        sample
    }

    #[test]
    fn gates_have_one_spelling() {
        for (text, spelled) in [
            ("error-rate>5%", "error-rate>5%"),
            ("error-rate > 0.50%", "error-rate>0.5%"),
            ("error-rate>0.05%", "error-rate>0.05%"),
            ("error-rate>0%", "error-rate>0%"),
            ("error-rate>+2%", "error-rate>+2%"),
            ("p95>1.5x", "p95>1.5x"),
            ("p95>2.00x", "p95>2x"),
            ("p95>500ms", "p95>500ms"),
            ("p95>1000ms", "p95>1s"),
        ] {
            let gate: Gate = text.parse().unwrap();
            assert_eq!(gate.to_string(), spelled);
            assert_eq!(spelled.parse::<Gate>().unwrap(), gate);
        }
        for text in [
            "",
            "error-rate",
            "error-rate>",
            "error-rate>5",
            "error-rate<5%",
            "error-rate>-5%",
            "error-rate>5.%",
            "error-rate>.5%",
            "error-rate>0.005%",
            "error-rate>1e1%",
            "error-rate>100%",
            "error-rate>++1%",
            "error-rate>2x",
            "error-rate>99999999999%",
            "p95>",
            "p95>5",
            "p95>0ms",
            "p95>0.9x",
            "p95>1000.01x",
            "p95>2h",
            "p95>5%",
            "p95>+1x",
            "p99>1s",
            "p95>٥ms",
            "p95>1\u{661}x",
        ] {
            assert!(text.parse::<Gate>().is_err(), "{text:?} is no gate");
        }
    }

    #[test]
    fn a_gate_closes_where_the_candidate_is_worse_and_not_before_it_has_seen_enough() {
        let close = |gate: &str, baseline: &Sample, candidate: &Sample| judge(&terms(gate), baseline, candidate);
        let none = Sample::default();
        assert_eq!(close("error-rate>5%", &none, &sample(99, 99, 1)), None, "too few");
        assert_eq!(close("error-rate>5%", &none, &sample(100, 5, 1)), None, "5% is not more than 5%");
        let tripped = close("error-rate>5%", &none, &sample(200, 11, 1)).unwrap();
        assert_eq!(tripped.to_string(), "error-rate>5%: 5.5% of 200 requests failed");
        assert!(close("error-rate>0%", &none, &sample(100, 1, 1)).is_some());
        assert!(close("error-rate>0%", &none, &sample(100, 0, 1)).is_none());

        // A database that is away takes both along: only what is worse than the baseline counts.
        assert_eq!(close("error-rate>+2%", &sample(500, 500, 1), &sample(100, 100, 1)), None);
        assert_eq!(close("error-rate>+2%", &sample(99, 0, 1), &sample(100, 100, 1)), None, "too few of the baseline");
        assert_eq!(close("error-rate>+2%", &sample(200, 6, 1), &sample(100, 5, 1)), None, "3% and 2 are 5%");
        let tripped = close("error-rate>+2%", &sample(200, 6, 1), &sample(100, 6, 1)).unwrap();
        assert_eq!(tripped.seen, "6% of 100 requests failed; of the baseline 3% of 200 requests failed");

        assert_eq!(close("p95>500ms", &none, &sample(100, 0, 400)), None);
        assert!(close("p95>500ms", &none, &sample(100, 0, 600)).is_some());
        let mut slow = sample(100, 0, 10);
        slow.merge(&sample(5, 0, 1_000));
        assert_eq!(close("p95>500ms", &none, &slow), None, "five of 105 are not five of 100");
        slow.merge(&sample(2, 0, 1_000));
        assert!(close("p95>500ms", &none, &slow).is_some());
        assert_eq!(close("p95>1.5x", &sample(100, 0, 100), &sample(100, 0, 120)), None);
        let tripped = close("p95>1.5x", &sample(100, 0, 100), &sample(100, 0, 200)).unwrap();
        assert!(tripped.seen.starts_with("p95 is 2"), "{tripped}");
        assert_eq!(close("p95>1.5x", &sample(99, 0, 100), &sample(100, 0, 200)), None, "too few of the baseline");
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_what_is_read_is_written_back(text in ".{0,24}") {
            if let Ok(gate) = text.parse::<Gate>() {
                prop_assert_eq!(gate.to_string().parse::<Gate>(), Ok(gate));
            }
        }

        #[test]
        fn a_better_candidate_closes_no_gate(requests in 100_u64..10_000, errors in 0_u64..100, gate in 0_u32..9_999) {
            let of = |errors| Sample { requests, errors, ..Sample::default() };
            let mut terms = terms("error-rate>1%");
            terms.gates = vec![Gate::ErrorRateOver(gate)];
            prop_assert_eq!(judge(&terms, &of(errors), &of(errors / 2)), None);
            // Whatever is reported, there is no overflow.
            let much = Sample { requests: u64::MAX, errors: u64::MAX, ..Sample::default() };
            prop_assert_eq!(judge(&terms, &much, &much), None);
        }
    }
}
