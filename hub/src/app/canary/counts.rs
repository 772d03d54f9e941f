//! What the Bridges of an env have counted of its canary, one by one and together.

use super::{
    super::{
        answers::releases::{BridgeCanaryState, CanaryBridge, CanaryCounts, CanaryTotals, CanaryWindow, Waiting},
        projects::At,
        releases::ago,
    },
    Record,
};
use crate::store::{Db, audit::Detail, releases};
use chrono::TimeDelta;
use santokit_core::{
    problem::Outcome,
    release::canary::{Sample, judge},
    wire::{CanaryReport, CanaryState, Counts, EnvReport},
};
use serde::{Deserialize, Serialize};

/// A Bridge that has not reported for this long has gone. While a canary lasts, Bridges report every five seconds.
const SEEN_MAX: TimeDelta = TimeDelta::seconds(90);

/// The Bridges of an env.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Fleet {
    bridges: Vec<Bridge>,
    baseline: Counts,
    candidate: Counts,
}

/// One of them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Bridge {
    id: String,
    /// None where it has not seen this canary yet.
    state: Option<CanaryState>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// Of the pointer that it has.
    sequence: u64,
    /// Of the candidate.
    requests: u64,
    errors: u64,
}

impl Fleet {
    /// As they have reported lately.
    pub(super) async fn of(db: &mut Db, at: At<'_>, record: &Record) -> Outcome<Self> {
        let mut fleet = Self::default();
        for (id, _, text, _) in releases::reports(db, at.project, at.env, &ago(SEEN_MAX)).await? {
            // One that cannot be read must not hold up the end of a canary.
            if let Ok(report) = serde_json::from_str::<EnvReport>(&text) {
                fleet.add(id, report, &record.terms.salt);
            }
        }
        Ok(fleet)
    }

    fn add(&mut self, id: String, report: EnvReport, salt: &str) {
        let mut bridge = Bridge { id, state: None, reason: None, sequence: report.sequence, requests: 0, errors: 0 };
        if let Some(canary) = report.canary.filter(|canary| canary.salt == salt) {
            let CanaryReport { state, reason, baseline, candidate, .. } = canary;
            (bridge.state, bridge.reason) = (Some(state), reason);
            (bridge.requests, bridge.errors) = (candidate.requests, candidate.errors);
            add(&mut self.baseline, &baseline);
            add(&mut self.candidate, &candidate);
        }
        self.bridges.push(bridge);
    }

    /// Why the canary must end, if it must: a gate has closed at one Bridge, or closes for all of them together.
    pub(super) fn verdict(&self, record: &Record) -> Option<String> {
        let stopped = self.bridges.iter().find(|bridge| bridge.state == Some(CanaryState::Stopped));
        if let Some(Bridge { id, reason, .. }) = stopped {
            return Some(format!("{} (at {id})", reason.as_deref().unwrap_or("a gate closed")));
        }
        judge(&record.terms, &self.baseline.window, &self.candidate.window).map(|tripped| tripped.to_string())
    }

    /// What was counted of both releases.
    pub(super) fn totals(&self) -> CanaryTotals {
        CanaryTotals { baseline: shown(&self.baseline), candidate: shown(&self.candidate) }
    }

    /// The same in the audit log.
    pub(super) fn facts(&self, detail: Detail) -> Detail {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        detail
            .with("baselineRequests", number(self.baseline.requests))
            .with("baselineErrors", number(self.baseline.errors))
            .with("candidateRequests", number(self.candidate.requests))
            .with("candidateErrors", number(self.candidate.errors))
            .with("candidateLogicFailed", number(self.candidate.window.logic_failed))
    }

    /// What each Bridge does.
    pub(super) fn bridges(&self) -> Vec<CanaryBridge> {
        let row = |bridge: &Bridge| CanaryBridge {
            id: bridge.id.clone(),
            state: bridge.state.map_or(BridgeCanaryState::Waiting(Waiting::Waiting), BridgeCanaryState::Known),
            reason: bridge.reason.clone(),
            sequence: bridge.sequence,
            requests: bridge.requests,
            errors: bridge.errors,
        };
        self.bridges.iter().map(row).collect()
    }
}

fn add(all: &mut Counts, one: &Counts) {
    all.window.merge(&one.window);
    all.requests = all.requests.saturating_add(one.requests);
    all.errors = all.errors.saturating_add(one.errors);
}

fn shown(counts: &Counts) -> CanaryCounts {
    let Counts { window, requests, errors } = counts;
    let Sample { requests: lately, errors: failed, logic_failed, latencies } = window;
    CanaryCounts {
        requests: *requests,
        errors: *errors,
        window: CanaryWindow {
            requests: *lately,
            errors: *failed,
            logic_failed: *logic_failed,
            error_rate_percent: f64::from(window.error_rate()) / 100.0,
            p95_ms: latencies.p95_duration().map(|p95| p95.as_secs_f64() * 1e3),
        },
    }
}

#[cfg(test)]
mod tests {
    use santokit_core::{
        quantity::Millis,
        release::{Canary, Digest},
        wire::EnvState,
    };

    use super::*;
    use crate::store::audit::Caller;

    const SALT: &str = "salt-of-a-canary";

    fn record(gates: &[&str]) -> Record {
        let terms = Canary {
            release_id: "rel_01ARZ3NDEKTSV4RRFFQ69G5FAV".into(),
            digest: Digest::of(b"candidate"),
            percent: 10,
            salt: SALT.into(),
            gates: gates.iter().map(|gate| gate.parse().unwrap()).collect(),
            min_requests: 100,
            window: Millis(60_000),
        };
        let caller = Caller { actor_id: "op_1".into(), actor_type: "operator", request_id: "req_1".into(), ip: None };
        Record::new(terms, "rel_baseline", &caller)
    }

    fn report(salt: &str, state: CanaryState, (requests, errors): (u64, u64)) -> EnvReport {
        let of = |errors| Counts { window: Sample { requests, errors, ..Sample::default() }, requests, errors };
        let reason = (state == CanaryState::Stopped).then(|| "error-rate>5%: all".to_owned());
        let release_id = "rel_01ARZ3NDEKTSV4RRFFQ69G5FAV".to_owned();
        let canary =
            CanaryReport { salt: salt.into(), release_id, state, reason, baseline: of(0), candidate: of(errors) };
        EnvReport {
            project: "shop".into(),
            env: "prod".into(),
            state: EnvState::Fresh,
            release_id: None,
            sequence: 2,
            cache_age_seconds: 0,
            refused: None,
            keys_used: std::collections::BTreeMap::new(),
            stopped_jobs: std::collections::BTreeSet::new(),
            canary: Some(canary),
        }
    }

    #[test]
    fn a_gate_closes_for_all_together_that_closes_for_none() {
        let record = record(&["error-rate>5%"]);
        let mut fleet = Fleet::default();
        for id in ["one", "two"] {
            assert_eq!(fleet.verdict(&record), None, "60 of them are too few");
            fleet.add(id.into(), report(SALT, CanaryState::Serving, (60, 6)), SALT);
        }
        assert_eq!(fleet.verdict(&record).unwrap(), "error-rate>5%: 10% of 120 requests failed");
        // One that counts nothing new takes nothing away; what was counted of another canary does not count.
        let mut fleet = Fleet::default();
        fleet.add("one".into(), report("salt-of-another", CanaryState::Stopped, (1_000, 1_000)), SALT);
        assert_eq!(fleet.verdict(&record), None);
        assert_eq!(serde_json::to_value(fleet.bridges()).unwrap()[0]["state"], "waiting");
    }

    #[test]
    fn a_gate_that_closed_at_one_bridge_ends_it_for_all() {
        let record = record(&["error-rate>5%"]);
        let mut fleet = Fleet::default();
        fleet.add("one".into(), report(SALT, CanaryState::Serving, (10_000, 0)), SALT);
        fleet.add("two".into(), report(SALT, CanaryState::Stopped, (100, 10)), SALT);
        assert_eq!(fleet.verdict(&record).unwrap(), "error-rate>5%: all (at two)");
    }

    #[test]
    fn nothing_ends_one_without_gates() {
        let mut fleet = Fleet::default();
        fleet.add("one".into(), report(SALT, CanaryState::Serving, (10_000, 10_000)), SALT);
        assert_eq!(fleet.verdict(&record(&[])), None);
    }
}
