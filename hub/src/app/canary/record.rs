//! What the Hub keeps of an env's canary: its terms, since when, and how it ended.

use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    release::Canary,
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    super::{
        answers::releases::{Canary as Shown, CanaryEnd},
        projects::At,
    },
    counts::Fleet,
};
use crate::store::{
    Db, Writing,
    audit::{self, Caller, Detail, line, lines, name},
    canaries,
    envs::now,
};

/// The last canary of an env.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in crate::app) struct Record {
    pub(in crate::app) terms: Canary,
    /// `rel_…` that the others get.
    pub(super) baseline: String,
    /// Of the last pointer that it has changed; 0 before the first.
    pub(super) sequence: i64,
    started_at: String,
    started_by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ended: Option<Ended>,
}

/// How it ended, and what was counted until then.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Ended {
    how: Ending,
    at: String,
    by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    fleet: Fleet,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Ending {
    /// Everyone has the candidate.
    Promoted,
    /// An operator took everyone back.
    Aborted,
    /// A gate did.
    RolledBack,
}

impl Ending {
    /// As in answers and metrics.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Ending::Promoted => "promoted",
            Ending::Aborted => "aborted",
            Ending::RolledBack => "rolledBack",
        }
    }

    /// As in the audit log.
    const fn action(self) -> &'static str {
        match self {
            Ending::Promoted => "canary.promote",
            Ending::Aborted => "canary.abort",
            Ending::RolledBack => "canary.rollback",
        }
    }
}

impl Record {
    /// One that is about to begin.
    pub(super) fn new(terms: Canary, baseline: &str, caller: &Caller) -> Self {
        Self {
            terms,
            baseline: baseline.to_owned(),
            sequence: 0,
            started_at: now(),
            started_by: caller.actor_id.clone(),
            ended: None,
        }
    }

    /// The last one of an env.
    pub(super) async fn last(db: &mut Db, at: At<'_>) -> Outcome<Option<Self>> {
        let document = canaries::get(db, at.project, at.env).await?;
        document.map(|text| serde_json::from_str(&text)).transpose().map_err(Problem::internal)
    }

    /// The one that runs.
    pub(in crate::app) async fn running(db: &mut Db, at: At<'_>) -> Outcome<Option<Self>> {
        Ok(Self::last(db, at).await?.filter(|record| record.ended.is_none()))
    }

    /// Both of which it compares.
    pub(in crate::app) fn releases(&self) -> [&str; 2] {
        [&self.terms.release_id, &self.baseline]
    }

    pub(super) async fn keep(&self, db: &mut Db, at: At<'_>) -> Outcome<()> {
        let document = serde_json::to_string(self).map_err(Problem::internal)?;
        let ended = self.ended.as_ref().map(|ended| ended.at.as_str());
        Ok(canaries::set(db, at.project, at.env, &document, ended).await?)
    }

    /// Keeps that it has ended, with what was counted, and writes it into the audit log.
    pub(super) async fn end(
        &mut self,
        db: &mut Writing,
        at: At<'_>,
        caller: &Caller,
        (how, reason): (Ending, Option<String>),
    ) -> Outcome<()> {
        let fleet = Fleet::of(db, at, self).await?;
        let mut detail = fleet.facts(self.facts());
        if let Some(reason) = &reason {
            detail = detail.with("reason", line(reason));
        }
        audit::append(db, caller, &at.deed(how.action(), detail)).await?;
        self.ended = Some(Ended { how, at: now(), by: caller.actor_id.clone(), reason, fleet });
        self.keep(db, at).await
    }

    /// What the audit log says of it.
    pub(super) fn facts(&self) -> Detail {
        let Canary { release_id, percent, gates, min_requests, window, .. } = &self.terms;
        let gates: Vec<String> = gates.iter().map(ToString::to_string).collect();
        Detail::of("releaseId", name(release_id))
            .with("baseline", name(&self.baseline))
            .with("percent", i64::from(*percent))
            .with("gates", lines(gates.iter().map(String::as_str)))
            .with("minRequests", i64::from(*min_requests))
            .with("window", name(&window.to_string()))
            .with("sequence", self.sequence)
    }

    /// What operators are answered. What was counted of one that has ended is what was counted then.
    pub(super) fn answer(&self, fleet: &Fleet) -> Shown {
        let fleet = self.ended.as_ref().map_or(fleet, |ended| &ended.fleet);
        let terms = self.terms.clone();
        Shown {
            release_id: terms.release_id,
            baseline: self.baseline.clone(),
            percent: terms.percent,
            gates: terms.gates,
            min_requests: terms.min_requests,
            window: terms.window.to_string(),
            sequence: self.sequence,
            state: self.ended.as_ref().map_or("running", |ended| ended.how.as_str()).to_owned(),
            digest: terms.digest,
            started_at: self.started_at.clone(),
            started_by: self.started_by.clone(),
            ended: self.ended.as_ref().map(|ended| CanaryEnd {
                ended_at: ended.at.clone(),
                ended_by: ended.by.clone(),
                reason: ended.reason.clone(),
            }),
            counted: fleet.totals(),
            bridges: fleet.bridges(),
        }
    }

    /// That it runs, to who would change what it is compared with.
    pub(in crate::app) fn in_the_way(&self, at: At<'_>) -> Box<Problem> {
        let Canary { release_id, percent, .. } = &self.terms;
        let message = format!("a canary of {release_id} runs in {:?} for {percent}% of its callers", at.env);
        let hint = format!(
            "`stk release canary promote --env {env}` gives it to everyone, `stk release canary abort --env {env}` takes everyone back to {}",
            self.baseline,
            env = at.env
        );
        Problem::new(Code::ReleaseBlocked, message)
            .hint(hint)
            .detail("canary", json!({"releaseId": release_id, "percent": percent}))
    }
}
