//! The audit log's rows: append-only, each entry signed and with the hash of the one before. [`Log`] knows where it ends and
//! signs; what is verified, and how, is in `core::audit`.

use std::sync::Arc;

use santokit_core::{
    audit::{BEGIN, Broken, Checkpoint, Head, Row, Verdict, Walk},
    id::Kind,
    release::{Envelope, canonical_json},
};
use serde_json::{Value as Json, json};
use sqlx::AssertSqlSafe;

use super::{
    Db, Store, StoreError, Writing,
    envs::{self, now},
};

mod detail;
mod log;

pub use detail::{Detail, Fact, Line, Name, line, lines, name, names};
use log::Place;
pub use log::{FILE, Log, Signer, proof_context, remembered};

/// Entries read at once when the chain is checked.
const PAGE: i64 = 1_000;
const REMEMBERED: &str = "what this Hub remembers";

/// Who does something, from where, and as which request.
#[derive(Clone, Debug)]
pub struct Caller {
    /// `op_…`, a token's id, a Bridge's id, or `hub`.
    pub actor_id: String,
    /// `operator`, `system` or `bridge`.
    pub actor_type: &'static str,
    /// The request's id.
    pub request_id: String,
    /// Where it came from.
    pub ip: Option<String>,
}

/// What was done.
#[derive(Clone, Debug)]
pub struct Deed<'a> {
    /// `domain.verb`.
    pub action: &'static str,
    /// The project, if it is about one.
    pub project: Option<&'a str>,
    /// The env, if it is about one.
    pub env: Option<&'a str>,
    /// More, by action.
    pub detail: Detail,
}

/// Which entries are asked for. What is empty or none does not matter.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Those from this time on; RFC 3339, UTC, milliseconds.
    pub since: Option<String>,
    /// Those before this time.
    pub until: Option<String>,
    /// Whose they are.
    pub actor: Option<String>,
    /// `domain.verb`, or `domain.` for all of one.
    pub action: Option<String>,
    /// The project's name.
    pub project: Option<String>,
    /// The env's name.
    pub env: Option<String>,
    /// The request's id.
    pub request_id: Option<String>,
    /// The orgs that they are about, any of them. None: also those that are about none.
    pub orgs: Option<Vec<String>>,
}

/// Which page of them.
#[derive(Clone, Copy, Debug)]
pub enum Page {
    /// The oldest ones after a number.
    After(i64),
    /// The newest ones before a number, the newest first.
    Before(i64),
}

type Kept = (i64, String, String, Option<String>);
/// With what an entry is found by.
type KeptAndFiled = (
    i64,
    String,
    String,
    Option<String>,
    String,
    String,
    String,
    Option<String>,
    Option<String>,
    String,
    Option<String>,
);

/// Adds an entry, and moves the head; the transaction that does the deed also writes it. It follows the last entry that the Hub
/// knows of, whether that is there still: a cut is a gap for ever.
pub async fn append(db: &mut Writing, caller: &Caller, deed: &Deed<'_>) -> Result<(), StoreError> {
    let log = Arc::clone(&db.log);
    let place = begun(db, &log).await?;
    write(db, &log, place, caller, deed).await
}

/// Where the next entry goes. A log that is older than signatures has them from here on, and says so.
async fn begun(db: &mut Writing, log: &Log) -> Result<Place, StoreError> {
    let place = log.place(db).await?;
    if !place.is_older {
        return Ok(place);
    }
    let detail = Detail::of("entries", place.next - 1);
    let begin = Deed { action: BEGIN, project: None, env: None, detail };
    write(db, log, place, &log::itself(), &begin).await?;
    log.place(db).await
}

/// Adds the entry of a restore. The log goes on from what was brought back, with an epoch above all before.
pub async fn append_restored(db: &mut Writing, deed: &Deed<'_>, lost: Option<&Head>) -> Result<(), StoreError> {
    let log = Arc::clone(&db.log);
    let mut place = begun(db, &log).await?;
    place.epoch = place.epoch.max(lost.map_or(0, |lost| lost.epoch)) + 1;
    write(db, &log, place, &log::itself(), deed).await
}

async fn write(
    db: &mut Writing,
    log: &Log,
    Place { next: seq, prev_hash, epoch, .. }: Place,
    caller: &Caller,
    deed: &Deed<'_>,
) -> Result<(), StoreError> {
    let signer = log.current(db).await?;
    let (ts, org) = (now(), org_of(db, deed).await?);
    let entry = canonical_json(&json!({
        "seq": seq, "id": Kind::Audit.generate(), "ts": ts,
        "actorId": caller.actor_id, "actorType": caller.actor_type, "requestId": caller.request_id, "ip": caller.ip,
        "action": deed.action, "org": org, "project": deed.project, "env": deed.env, "detail": deed.detail.to_json(), "prevHash": prev_hash,
    }))
    .map_err(damaged)?;
    let row = Row::sign(seq, String::from_utf8(entry).map_err(damaged)?, &signer.key).map_err(damaged)?;
    sqlx::query(
        "INSERT INTO audit (seq, entry, hash, signature, ts, actor, action, project, env, request_id, org) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(seq)
    .bind(&row.entry)
    .bind(&row.hash)
    .bind(&row.signature)
    .bind(&ts)
    .bind(&caller.actor_id)
    .bind(deed.action)
    .bind(deed.project)
    .bind(deed.env)
    .bind(&caller.request_id)
    .bind(&org)
    .execute(&mut **db)
    .await?;
    let hash = row.hash.parse().map_err(damaged)?;
    let head = Head { epoch, seq, hash, ts };
    set_head(db, head, &signer).await
}

/// The org that a deed is about: the one of its project, or the one that it tells of. One about the Hub, or about an operator's own
/// things, is about none.
async fn org_of(db: &mut Db, deed: &Deed<'_>) -> Result<Option<String>, StoreError> {
    match deed.project {
        Some(project) => envs::org_of(db, project).await,
        None => Ok(deed.detail.to_json()["org"].as_str().map(str::to_owned)),
    }
}

/// Moves the head in the transaction; with its commit it is what the Hub believes.
pub(super) async fn set_head(db: &mut Writing, head: Head, signer: &Signer) -> Result<(), StoreError> {
    let envelope = head.sign(&signer.key).map_err(damaged)?;
    sqlx::query(
        "INSERT INTO audit_head (one, envelope) VALUES (1, $1) ON CONFLICT (one) DO UPDATE SET envelope = excluded.envelope",
    )
    .bind(serde_json::to_string(&envelope).map_err(damaged)?)
    .execute(&mut **db)
    .await?;
    db.head = Some((head, envelope));
    Ok(())
}

/// The head as it is kept; whether it is to be believed, its signature says.
pub async fn head(db: &mut Db) -> Result<Option<Envelope>, StoreError> {
    let row = sqlx::query_as::<_, (String,)>("SELECT envelope FROM audit_head").fetch_optional(db).await?;
    Ok(row.and_then(|(text,)| serde_json::from_str(&text).ok()))
}

/// What stands for entries that were removed, as it is kept.
pub async fn checkpoint(db: &mut Db) -> Result<Option<Envelope>, StoreError> {
    let row = sqlx::query_as::<_, (String,)>("SELECT envelope FROM audit_checkpoint").fetch_optional(db).await?;
    Ok(row.and_then(|(text,)| serde_json::from_str(&text).ok()))
}

/// The last entry.
async fn last(db: &mut Db) -> Result<Option<Row>, StoreError> {
    let row = sqlx::query_as::<_, Kept>("SELECT seq, entry, hash, signature FROM audit ORDER BY seq DESC LIMIT 1");
    Ok(row.fetch_optional(db).await?.map(row_of))
}

/// A page of entries, each with its hash and its signature.
pub async fn list(db: &mut Db, filter: &Filter, page: Page, limit: i64) -> Result<Vec<Row>, StoreError> {
    let (edge, side, order) = match page {
        Page::After(seq) => (seq, "seq > $1", "seq"),
        Page::Before(seq) => (seq, "seq < $1", "seq DESC"),
    };
    // `release.` to `release/`, the character after the dot.
    let domain = filter.action.as_ref().filter(|action| action.ends_with('.'));
    let after_domain = domain.map(|domain| format!("{}/", domain.trim_end_matches('.')));
    let (mut tests, mut values) = (vec![side.to_owned()], Vec::new());
    for (value, test) in [
        (&filter.since, "ts >="),
        (&filter.until, "ts <"),
        (&filter.actor, "actor ="),
        (&filter.action, if domain.is_some() { "action >=" } else { "action =" }),
        (&after_domain, "action <"),
        (&filter.project, "project ="),
        (&filter.env, "env ="),
        (&filter.request_id, "request_id ="),
    ] {
        if let Some(value) = value {
            values.push(value);
            tests.push(format!("{test} ${}", values.len() + 1));
        }
    }
    if let Some(orgs) = &filter.orgs {
        let any = orgs.iter().map(|org| {
            values.push(org);
            let at = values.len() + 1;
            // Entries from before they named an org are of their project's, if it was there already.
            format!(
                "org = ${at} OR (org IS NULL AND EXISTS (SELECT 1 FROM projects p WHERE p.name = audit.project \
                 AND p.org = ${at} AND p.created_at <= audit.ts))"
            )
        });
        let any = any.collect::<Vec<_>>().join(" OR ");
        tests.push(if any.is_empty() { "1 = 0".to_owned() } else { format!("({any})") });
    }
    let (tests, last) = (tests.join(" AND "), values.len() + 2);
    let sql = format!("SELECT seq, entry, hash, signature FROM audit WHERE {tests} ORDER BY {order} LIMIT ${last}");
    let mut query = sqlx::query_as::<_, Kept>(AssertSqlSafe(sql)).bind(edge);
    for value in values {
        query = query.bind(value);
    }
    Ok(query.bind(limit).fetch_all(db).await?.into_iter().map(row_of).collect())
}

/// How many entries there are since a time.
pub async fn count_since(db: &mut Db, time: &str) -> Result<i64, StoreError> {
    let count = sqlx::query_as::<_, (i64,)>("SELECT count(*) FROM audit WHERE ts >= $1").bind(time);
    Ok(count.fetch_one(db).await?.0)
}

/// Goes through the log from its first entry to its head, as it was at one moment. `known` are heads that were kept elsewhere.
pub async fn verify(store: &Store, mut known: Vec<(Head, String)>) -> Result<Verdict, StoreError> {
    let log = &store.log;
    // Before the moment: what the Hub remembers is never later than what is kept.
    let anchor = log.anchor();
    let mut db = store.snapshot().await?;
    let keys = log.trusted(&mut db).await?;
    let head = head(&mut db).await?;
    let epoch = head.as_ref().and_then(|head| Head::open(head, &keys).ok()).map_or(0, |head| head.epoch);
    // After a restore, what was remembered before it says nothing.
    known.extend(anchor.filter(|anchor| anchor.epoch >= epoch).map(|anchor| (anchor, REMEMBERED.to_owned())));
    let mut walk = Walk::new(keys, known);
    walk.begin(checkpoint(&mut db).await?.as_ref());
    go(&mut db, &mut walk, i64::MAX).await?;
    Ok(walk.end(head.as_ref()))
}

/// Whether the entries up to one hold. What comes after it is not looked at.
pub async fn verify_to(log: &Log, db: &mut Db, seq: i64) -> Result<Option<Broken>, StoreError> {
    let mut walk = Walk::new(log.trusted(db).await?, Vec::new());
    walk.begin(checkpoint(db).await?.as_ref());
    go(db, &mut walk, seq).await?;
    Ok(walk.broken().cloned())
}

/// Up to the last entry, or to one, or to the first that does not hold.
async fn go(db: &mut Db, walk: &mut Walk, last: i64) -> Result<(), StoreError> {
    loop {
        let rows = sqlx::query_as::<_, KeptAndFiled>(
            "SELECT seq, entry, hash, signature, ts, actor, action, project, env, request_id, org FROM audit \
             WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3",
        );
        let rows = rows.bind(walk.seq()).bind(last).bind(PAGE).fetch_all(&mut *db).await?;
        if rows.is_empty() {
            return Ok(());
        }
        for (seq, entry, hash, signature, ts, actor, action, project, env, request_id, org) in rows {
            let row = row_of((seq, entry, hash, signature));
            if !walk.step(&row) {
                return Ok(());
            }
            let filed = json!([ts, actor, action, project, env, request_id, org]);
            let said: Json = serde_json::from_str(&row.entry).unwrap_or_default();
            let said = ["ts", "actorId", "action", "project", "env", "requestId", "org"].map(|key| said[key].clone());
            if filed != json!(said) {
                walk.fail(seq, "it is filed under what it does not say, so that a question may miss it");
                return Ok(());
            }
        }
    }
}

/// Removes all entries up to one, and puts a checkpoint in their place. How many were removed.
pub async fn remove(db: &mut Writing, checkpoint: &Checkpoint) -> Result<u64, StoreError> {
    let log = Arc::clone(&db.log);
    let signer = log.current(db).await?;
    let envelope = checkpoint.sign(&signer.key).map_err(damaged)?;
    sqlx::query(
        "INSERT INTO audit_checkpoint (one, seq, envelope) VALUES (1, $1, $2) \
         ON CONFLICT (one) DO UPDATE SET seq = excluded.seq, envelope = excluded.envelope",
    )
    .bind(checkpoint.seq)
    .bind(serde_json::to_string(&envelope).map_err(damaged)?)
    .execute(&mut **db)
    .await?;
    // The tables let go of what a checkpoint stands for, and of nothing else.
    let done = sqlx::query("DELETE FROM audit WHERE seq <= $1").bind(checkpoint.seq).execute(&mut **db).await?;
    Ok(done.rows_affected())
}

/// The last of the entries that are all from before a time, at most so many from the first one on; none where there are none.
pub async fn last_before(db: &mut Db, time: &str, at_most: i64) -> Result<Option<Row>, StoreError> {
    let row = sqlx::query_as::<_, Kept>(
        "SELECT seq, entry, hash, signature FROM audit WHERE seq < \
         (SELECT coalesce(min(seq), (SELECT max(seq) FROM audit)) FROM audit WHERE ts >= $1) AND seq < (SELECT min(seq) + $2 FROM audit) \
         ORDER BY seq DESC LIMIT 1",
    );
    Ok(row.bind(time).bind(at_most).fetch_optional(db).await?.map(row_of))
}

fn row_of((seq, entry, hash, signature): Kept) -> Row {
    Row { seq, entry, hash, signature }
}

fn damaged(error: impl std::fmt::Display) -> StoreError {
    StoreError::Damaged(error.to_string())
}
