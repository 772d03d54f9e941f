//! The audit log: append-only, each entry with the hash of the one before, so that a change or a gap is found.

use super::{Db, StoreError};
use santokit_core::{
    id::Kind,
    release::{Digest, canonical_json},
};
use serde_json::{Value as Json, json};

mod detail;

pub use detail::{Detail, Fact, Line, Name, line, lines, name, names};

/// Entries read at once when the chain is checked.
const PAGE: i64 = 1_000;

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

/// What was done. It must hold no secret.
#[derive(Clone, Debug)]
pub struct Deed<'a> {
    /// `domain.verb`.
    pub action: &'static str,
    /// The project, if it is about one.
    pub project: Option<&'a str>,
    /// The env, if it is about one.
    pub env: Option<&'a str>,
    /// More, by action.
    pub detail: Json,
}

/// Whether the log is whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// How many entries hold.
    pub entries: i64,
    /// The number of the first entry that does not.
    pub broken_at: Option<i64>,
}

/// Adds an entry; the transaction that does the deed also writes it.
pub async fn append(db: &mut Db, caller: &Caller, deed: &Deed<'_>) -> Result<(), StoreError> {
    let last: Option<(i64, String)> =
        sqlx::query_as("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").fetch_optional(&mut *db).await?;
    let (seq, prev_hash) = last.map_or((1, None), |(seq, hash)| (seq + 1, Some(hash)));
    let entry = canonical_json(&json!({
        "seq": seq, "id": Kind::Audit.generate(), "ts": super::envs::now(),
        "actorId": caller.actor_id, "actorType": caller.actor_type, "requestId": caller.request_id, "ip": caller.ip,
        "action": deed.action, "project": deed.project, "env": deed.env, "detail": deed.detail, "prevHash": prev_hash,
    }));
    let entry = entry.map_err(|error| StoreError::Damaged(error.to_string()))?;
    let hash = Digest::of(&entry);
    sqlx::query("INSERT INTO audit (seq, entry, hash) VALUES ($1, $2, $3)")
        .bind(seq)
        .bind(String::from_utf8_lossy(&entry).into_owned())
        .bind(hash.as_str())
        .execute(db)
        .await?;
    Ok(())
}

/// Entries after a number, each with its hash.
pub async fn list(db: &mut Db, after: i64, limit: i64) -> Result<Vec<Json>, StoreError> {
    let rows: Vec<(i64, String, String)> =
        sqlx::query_as("SELECT seq, entry, hash FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2")
            .bind(after)
            .bind(limit)
            .fetch_all(db)
            .await?;
    Ok(rows
        .into_iter()
        .map(|(seq, entry, hash)| {
            let mut entry: Json = serde_json::from_str(&entry).unwrap_or_else(|_| json!({"seq": seq}));
            entry["hash"] = json!(hash);
            entry
        })
        .collect())
}

/// Checks every hash and every link.
pub async fn verify(db: &mut Db) -> Result<Chain, StoreError> {
    let (mut entries, mut prev_hash) = (0, None::<String>);
    loop {
        let rows: Vec<(i64, String, String)> =
            sqlx::query_as("SELECT seq, entry, hash FROM audit WHERE seq > $1 ORDER BY seq LIMIT $2")
                .bind(entries)
                .bind(PAGE)
                .fetch_all(&mut *db)
                .await?;
        if rows.is_empty() {
            return Ok(Chain { entries, broken_at: None });
        }
        for (seq, entry, hash) in rows {
            let linked = serde_json::from_str::<Json>(&entry)
                .is_ok_and(|json| json["prevHash"] == json!(prev_hash) && json["seq"] == json!(seq));
            if seq != entries + 1 || !linked || Digest::of(entry.as_bytes()).as_str() != hash {
                return Ok(Chain { entries, broken_at: Some(entries + 1) });
            }
            (entries, prev_hash) = (seq, Some(hash));
        }
    }
}
