//! The audit log as operators ask for it: pages, where it ends, whether it is whole; and its end of life: what is older than it
//! must be kept is removed, and a signed checkpoint stands for it.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use santokit_core::{
    audit::{Checkpoint, Head},
    code::Code,
    problem::{Outcome, Problem},
    release::Envelope,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value as Json;

use super::{
    App,
    answers::system::{AuditHead, AuditPage, AuditVerdict},
    authority::{self, Action, Target, Who},
    hub_itself,
};
use crate::store::{
    StoreError,
    audit::{self, Deed, Detail, Filter, Page, name},
    commit, members,
};

const PAGE_MAX: i64 = 1_000;
/// Entries removed in one transaction, which holds up all other writers.
const REMOVED_AT_ONCE: u64 = 10_000;

/// Which entries are asked for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AuditQuery {
    /// The oldest ones after this number.
    #[serde(default)]
    pub after: Option<i64>,
    /// The newest ones before this number, the newest first.
    #[serde(default)]
    pub before: Option<i64>,
    /// How many at most.
    #[serde(default)]
    pub limit: Option<i64>,
    /// RFC 3339: from then on.
    #[serde(default)]
    pub since: Option<String>,
    /// RFC 3339: before then.
    #[serde(default)]
    pub until: Option<String>,
    /// An operator's, a token's or a Bridge's id, or `hub`.
    #[serde(default)]
    pub actor: Option<String>,
    /// `domain.verb`; `domain.` for all of one.
    #[serde(default)]
    pub action: Option<String>,
    /// The project's name.
    #[serde(default)]
    pub project: Option<String>,
    /// The env's name.
    #[serde(default)]
    pub env: Option<String>,
    /// The request's id.
    #[serde(default)]
    pub request_id: Option<String>,
    /// The org's name.
    #[serde(default)]
    pub org: Option<String>,
}

/// What the last day added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Growth {
    /// How many entries.
    pub entries: i64,
    /// Whether that is more than somebody expects, and was warned about.
    pub is_fast: bool,
}

impl App {
    /// A page of the audit log: of all of it for who runs the Hub, of their orgs' entries for owners of orgs.
    pub async fn audit(&self, who: &Who, query: AuditQuery) -> Outcome<AuditPage> {
        let page = match (query.after, query.before) {
            (Some(_), Some(_)) => {
                return Err(Problem::new(Code::BadRequest, "a page is after a number or before one, not both"));
            }
            (after, None) => Page::After(after.unwrap_or_default().max(0)),
            (None, Some(before)) => Page::Before(before),
        };
        let orgs = self.readable_orgs(who, query.org.as_deref()).await?;
        let filter = Filter {
            since: query.since.as_deref().map(|text| time("since", text)).transpose()?,
            until: query.until.as_deref().map(|text| time("until", text)).transpose()?,
            actor: query.actor,
            action: query.action,
            project: query.project,
            env: query.env,
            request_id: query.request_id,
            orgs,
        };
        let limit = query.limit.unwrap_or(100).clamp(1, PAGE_MAX);
        let rows = audit::list(&mut *self.store.read().await?, &filter, page, limit + 1).await?;
        let has_more = i64::try_from(rows.len()).is_ok_and(|count| count > limit);
        let rows = rows.iter().take(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(AuditPage { entries: rows.map(santokit_core::audit::Row::to_json).collect(), more: has_more })
    }

    /// The orgs whose entries are asked for, and may be read; none is all.
    async fn readable_orgs(&self, who: &Who, named: Option<&str>) -> Outcome<Option<Vec<String>>> {
        let mut db = self.store.read().await?;
        if authority::may(&mut db, who, Action::AuditRead, Target::Hub).await? {
            return Ok(named.map(|org| vec![org.to_owned()]));
        }
        if let Some(org) = named {
            authority::authorise(&mut db, who, Action::AuditRead, Target::Org(org)).await?;
            return Ok(Some(vec![org.to_owned()]));
        }
        let mut own = Vec::new();
        for (org, _) in members::orgs_of(&mut db, &who.operator).await? {
            if authority::may(&mut db, who, Action::AuditRead, Target::Org(&org)).await? {
                own.push(org);
            }
        }
        if own.is_empty() {
            authority::authorise(&mut db, who, Action::AuditRead, Target::Hub).await?;
        }
        Ok(Some(own))
    }

    /// Where the log ends, and what stands for its beginning; both signed, to be kept elsewhere.
    pub async fn audit_head(&self) -> Outcome<AuditHead> {
        let mut db = self.store.snapshot().await?;
        let keys = self.store.log.trusted(&mut db).await?;
        let (signed, checkpoint) = (audit::head(&mut db).await?, audit::checkpoint(&mut db).await?);
        let head = signed.as_ref().and_then(|signed| Head::open(signed, &keys).ok());
        let removed = checkpoint.as_ref().and_then(|signed| Checkpoint::open(signed, &keys).ok());
        let keys = keys.iter().map(ToString::to_string).collect();
        Ok(AuditHead { head, signed, checkpoint: removed, signed_checkpoint: checkpoint, keys })
    }

    /// Whether the audit log is whole.
    pub async fn verify_audit(&self) -> Outcome<AuditVerdict> {
        let verdict = audit::verify(&self.store, Vec::new()).await?;
        self.metrics.audit_intact(verdict.broken.is_none());
        if let Some(broken) = &verdict.broken {
            tracing::error!(seq = broken.at, why = broken.why, "the audit log is not whole");
        }
        Ok(AuditVerdict {
            verified: verdict.broken.is_none(),
            entries: verdict.entries,
            unsigned: verdict.unsigned,
            broken_at: verdict.broken.as_ref().map(|broken| broken.at),
            why: verdict.broken.map(|broken| broken.why),
            head: verdict.head,
            checkpoint: verdict.checkpoint,
        })
    }

    /// What the log needs from time to time: removing what is too old, and a look at how much is written.
    pub async fn tend_audit(&self, now: DateTime<Utc>) -> Outcome<Growth> {
        self.trim_audit(now).await?;
        let day_ago = text(now - TimeDelta::days(1));
        let count = audit::count_since(&mut *self.store.read().await?, &day_ago).await?;
        self.metrics.audit_entries_a_day(count);
        let growth = Growth { entries: count, is_fast: count > i64::from(self.audit_entries_a_day) };
        self.metrics.audit_grows_fast(growth.is_fast);
        if growth.is_fast {
            let most = self.audit_entries_a_day;
            tracing::warn!(entries = count, most, "the audit log grows by more entries a day than auditEntriesADay");
        }
        Ok(growth)
    }

    /// Removes what is older than it must be kept; how many entries. Several Hubs may do so at once: each finds what is left.
    pub async fn trim_audit(&self, now: DateTime<Utc>) -> Outcome<u64> {
        let before = text(now - self.audit_retention);
        let mut removed = 0;
        loop {
            let mut db = self.store.write().await?;
            let Some(last) =
                audit::last_before(&mut db, &before, i64::try_from(REMOVED_AT_ONCE).unwrap_or(i64::MAX)).await?
            else {
                return Ok(removed);
            };
            // What was tampered with is evidence, and stays.
            if let Some(broken) = audit::verify_to(&self.store.log, &mut db, last.seq).await? {
                tracing::error!(
                    seq = broken.at,
                    why = broken.why,
                    "the audit log is not whole; nothing of it is removed"
                );
                return Ok(removed);
            }
            let entry: Json = serde_json::from_str(&last.entry).map_err(Problem::internal)?;
            let until = entry["ts"].as_str().unwrap_or_default().to_owned();
            let hash = last.hash.parse().map_err(Problem::internal)?;
            let checkpoint = Checkpoint { seq: last.seq, hash, until, ts: text(now) };
            let count = audit::remove(&mut db, &checkpoint).await?;
            let detail = Detail::of("removed", i64::try_from(count).unwrap_or(i64::MAX))
                .with("seq", checkpoint.seq)
                .with("until", name(&checkpoint.until));
            let deed = Deed { action: "audit.truncate", project: None, env: None, detail };
            audit::append(&mut db, &hub_itself(), &deed).await?;
            commit(db).await?;
            removed += count;
            tracing::info!(
                removed = count,
                seq = checkpoint.seq,
                until = checkpoint.until,
                "old audit entries removed"
            );
            if count < REMOVED_AT_ONCE {
                return Ok(removed);
            }
        }
    }

    /// The head after a deed, for whoever did it to keep.
    pub(super) async fn head_now(&self) -> Result<Option<Envelope>, StoreError> {
        audit::head(&mut *self.store.read().await?).await
    }
}

/// As entries write it.
fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn time(what: &str, written: &str) -> Outcome<String> {
    DateTime::parse_from_rfc3339(written).map(|time| text(time.to_utc())).map_err(|_| {
        Problem::new(Code::BadRequest, format!("{what} is no time"))
            .hint("write it as RFC 3339, for example 2030-01-01T00:00:00Z")
    })
}
