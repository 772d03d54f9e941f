//! The numbers of what guests ask of the host. A logic has a name of the release, and there are as many capabilities as the world has.

use prometheus::{IntCounterVec, Registry};
use santokit_wasm::{Usage, WrongCalls};

use super::counter;

/// What became of calls into the host.
#[derive(Debug)]
pub struct HostCallMetrics {
    calls: IntCounterVec,
}

impl HostCallMetrics {
    pub(super) fn new(r: &Registry) -> Result<Self, prometheus::Error> {
        let help = "Calls of guests into the host, by how they were answered.";
        Ok(Self { calls: counter(r, "logic_host_calls_total", help, &["logic", "capability", "outcome"])? })
    }

    /// Those of one invocation: `ok`, `denied` (not granted), or `failed` (any other error).
    pub fn add(&self, logic: &str, usage: &Usage) {
        for (capability, calls) in &usage.host_calls {
            let WrongCalls { denied, failed } = usage.host_calls_wrong.get(capability).copied().unwrap_or_default();
            let ok = calls.saturating_sub(denied).saturating_sub(failed);
            for (outcome, count) in [("ok", ok), ("denied", denied), ("failed", failed)] {
                if count > 0 {
                    self.calls.with_label_values(&[logic, *capability, outcome]).inc_by(count);
                }
            }
        }
    }
}
