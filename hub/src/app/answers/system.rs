//! The Hub itself: its signing keys, its audit log, how it fares.

use santokit_core::{
    audit::{Checkpoint, Head},
    release::Envelope,
};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value as Json};

/// A key that the Hub signs with, its public half.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SigningKey {
    /// What signatures name it by.
    pub id: String,
    /// `ed25519:…`.
    pub key: String,
    /// `current`, `previous` or `retired`.
    pub state: String,
    /// When it was made.
    pub created_at: String,
    /// When another became the current one.
    pub replaced_at: Option<String>,
    /// When it stopped to sign.
    pub retired_at: Option<String>,
}

/// The keys that the Hub signs with.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct SigningKeys {
    /// The current one first.
    pub keys: Vec<SigningKey>,
}

/// How far an exchange of keys has come.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct KeysStatus {
    /// Those that sign.
    pub keys: Vec<SigningKey>,
    /// Which of them each Bridge trusts.
    pub bridges: Vec<BridgeTrust>,
    /// What comes next, in words.
    pub next: String,
}

/// Which of the Hub's keys a Bridge trusts.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct BridgeTrust {
    /// `brg_…`.
    pub id: String,
    /// `current`, `previous`, `both`, `none`, or `unknown`: it is of a version that does not say.
    pub trusts: &'static str,
    /// Ids of all keys that it trusts.
    pub keys: Vec<String>,
    /// `project/env`.
    pub envs: Vec<String>,
}

/// A page of the audit log.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct AuditPage {
    /// In the order of the page.
    #[schemars(with = "Vec<AuditEntry>")]
    pub entries: Vec<Json>,
    /// Whether there are more on this side.
    pub more: bool,
}

/// An entry of the audit log. The document's view of what is kept as text, byte for byte as it was signed; the contract tests hold
/// the two against each other.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// `aud_…`.
    pub id: String,
    /// From 1, without a gap.
    pub seq: i64,
    /// When.
    pub ts: String,
    /// Who: an operator's, a token's or a Bridge's id, or `hub`.
    pub actor_id: String,
    /// `operator` or `system`.
    pub actor_type: String,
    /// The request's id.
    pub request_id: String,
    /// From where.
    pub ip: Option<String>,
    /// `domain.verb`.
    pub action: String,
    /// The project's name.
    pub project: Option<String>,
    /// The env's name.
    pub env: Option<String>,
    /// The org's name; entries of before do not have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub org: Option<String>,
    /// What was done; never a secret.
    pub detail: Option<Map<String, Json>>,
    /// Hash of the entry before; null of the first.
    pub prev_hash: Option<String>,
    /// SHA-256 of this entry's text.
    pub hash: String,
    /// `<key id>:<base64>`; none in a log that is older than signatures.
    pub signature: Option<String>,
}

/// Where the audit log ends, and what stands for its beginning.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditHead {
    /// What `signed` says.
    pub head: Option<Head>,
    /// To be kept elsewhere.
    pub signed: Option<Envelope>,
    /// What `signedCheckpoint` says.
    pub checkpoint: Option<Checkpoint>,
    /// What stands for entries that were removed.
    pub signed_checkpoint: Option<Envelope>,
    /// The Hub's public keys.
    pub keys: Vec<String>,
}

/// Whether the audit log is whole.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditVerdict {
    /// Whether it is.
    pub verified: bool,
    /// How many entries hold.
    pub entries: i64,
    /// How many of them are older than signatures.
    pub unsigned: i64,
    /// The first one that does not hold.
    pub broken_at: Option<i64>,
    /// Why not, in words.
    pub why: Option<String>,
    /// Where the log ends, as it says itself.
    pub head: Option<Head>,
    /// What stands for removed entries.
    pub checkpoint: Option<Checkpoint>,
}

/// What an operator looks at first.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HubStatus {
    /// Santokit's version.
    pub version: String,
    /// `sqlite` or `postgres`.
    pub engine: String,
    /// Of the Hub's own database.
    pub schema_version: usize,
    /// When this process started.
    pub started_at: String,
    /// Its clock.
    pub time: String,
    /// How many there are.
    pub projects: i64,
    /// How the audit log stands.
    pub audit: AuditStanding,
    /// Null where there was none.
    pub last_backup_at: Option<String>,
}

/// How the audit log stands.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditStanding {
    /// Where it ends, as this process remembers.
    pub head: Option<Head>,
    /// How fast it grows.
    pub entries_last_day: i64,
    /// How long entries are kept.
    pub retention_seconds: u64,
}

/// The clocks that what is kept is dated by.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Clocks {
    /// The Hub's.
    pub hub: String,
    /// Its database's.
    pub database: String,
    /// How far that is ahead, in milliseconds.
    pub database_ahead_ms: i64,
}

/// That a process answers.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Health {
    /// `ok` or `ready`.
    pub status: &'static str,
}
