//! Releases, and what an env runs of them: applies, promotions, canaries.

use santokit_core::{
    release::{Digest, Envelope, canary::Gate, compare::Access},
    wire::CanaryState,
};
use schemars::JsonSchema;
use serde::Serialize;

/// A release of a project.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseRow {
    /// `rel_…`.
    pub id: String,
    /// Of its manifest.
    pub digest: String,
    /// Who asked for it.
    pub author: String,
    /// When it was made.
    pub created_at: String,
    /// Null where it is not pinned.
    pub pin: Option<Pin>,
}

/// That a release is kept to go back to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Pin {
    /// For people.
    pub reason: String,
}

/// The releases of a project.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Releases {
    /// The newest first, a thousand at most.
    pub releases: Vec<ReleaseRow>,
}

/// A release that was taken over.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Imported {
    /// `rel_…`.
    pub release_id: String,
    /// Of its manifest.
    pub digest: String,
    /// False where its content was there already.
    pub created: bool,
}

/// Who has signed a release.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Signed {
    /// `rel_…`.
    pub release_id: String,
    /// Ids of their keys.
    pub signers: Vec<String>,
}

/// A release that is kept to go back to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pinned {
    /// `rel_…`.
    pub release_id: String,
    /// True.
    pub pinned: bool,
    /// For people.
    pub reason: String,
}

/// Releases that an env could go back to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct RollbackTargets {
    /// What it ran last, the last one first, then what else is pinned.
    pub targets: Vec<RollbackTarget>,
}

/// One of them.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollbackTarget {
    /// `rel_…`.
    pub release_id: String,
    /// Of its last pointer; null where the env never ran it.
    pub sequence: Option<i64>,
    /// Whether it is pinned.
    pub pinned: bool,
    /// Whether the databases have all that it needs.
    pub safe: bool,
    /// What they lack, in words.
    pub needs: Vec<String>,
}

/// A component that was kept.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Blob {
    /// Of its bytes.
    pub digest: Digest,
    /// How many they are.
    pub size_bytes: usize,
}

/// What an apply, a promotion or going back came to, or would come to.
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the API, and says something else")]
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// `rel_…`; empty where a dry run would make it.
    pub release_id: String,
    /// Of the manifest.
    pub digest: Digest,
    /// Of the env's pointer.
    pub sequence: i64,
    /// Whether the release is new.
    pub created: bool,
    /// Whether the env's pointer moved.
    pub moved: bool,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// What was done to databases, a line each.
    pub schema_steps: Vec<String>,
    /// What components gain and lose.
    pub capabilities: CapabilityLines,
    /// What callers gain and lose.
    pub access: Access,
    /// Whether it needs consent to powers.
    pub needs_accept_grants: bool,
    /// All of it for people.
    pub changes: Changes,
    /// Whether it needs consent to what takes away.
    pub needs_force: bool,
    /// Whether it needs consent to what the release before does not know.
    pub needs_migration_window: bool,
    /// Whether it needs consent to databases that somebody else changed; of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs_accept_drift: Option<bool>,
    /// Where the audit log ends after it, signed, to be kept; not of a dry run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit_head: Option<Envelope>,
    /// What the databases lack for the release; not of an apply.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs: Option<Vec<String>>,
    /// What they lack for the release that runs: somebody else changed them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drift: Option<Vec<String>>,
    /// Bridges of the env that are too old for the release, each with its version.
    pub incompatible_bridges: Vec<String>,
}

/// What components gain and lose, a line for each power.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CapabilityLines {
    /// `logic: power`.
    pub added: Vec<String>,
    /// Likewise.
    pub removed: Vec<String>,
}

/// What differs from the release before, and what is done to databases, a line each. What is empty is not there.
#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
pub struct Changes {
    /// Steps, with their class where they are not safe.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schema: Vec<String>,
    /// Releases that could not be gone back to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rollback: Vec<String>,
    /// Powers that come (`+`) and go (`-`).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<String>,
    /// Logins that are made for guests' SQL.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub login: Vec<String>,
    /// What callers may do.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<String>,
    /// What is worth a look.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warning: Vec<String>,
}

/// A canary: the one that runs, or the last one.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "CanaryShown")]
pub struct Canary {
    /// `rel_…` of the candidate.
    pub release_id: String,
    /// `rel_…` that the others get.
    pub baseline: String,
    /// The share of the env's callers that gets the candidate.
    pub percent: u8,
    /// What ends it.
    pub gates: Vec<Gate>,
    /// Requests that a gate needs to have seen.
    pub min_requests: u32,
    /// How far back gates look, for example `5m`.
    pub window: String,
    /// Of the last pointer that it has changed.
    pub sequence: i64,
    /// `running`, `promoted`, `aborted` or `rolledBack`.
    pub state: String,
    /// Of the candidate.
    pub digest: Digest,
    /// When it began.
    pub started_at: String,
    /// Who began it.
    pub started_by: String,
    /// How it ended; nothing of it while it runs.
    #[serde(flatten)]
    pub ended: Option<CanaryEnd>,
    /// What was counted, by all Bridges together.
    pub counted: CanaryTotals,
    /// What each Bridge does.
    pub bridges: Vec<CanaryBridge>,
}

/// How a canary ended.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CanaryEnd {
    /// When.
    pub ended_at: String,
    /// By whom: an operator, or the Hub.
    pub ended_by: String,
    /// Why, where a gate closed.
    pub reason: Option<String>,
}

/// A canary that was begun or changed.
#[expect(clippy::struct_excessive_bools, reason = "each is a field of the API, and says something else")]
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CanarySet {
    /// As it is now, or would be.
    #[serde(flatten)]
    pub canary: Canary,
    /// Whether it is new.
    pub started: bool,
    /// Whether the env's pointer has moved.
    pub moved: bool,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// What differs from the baseline, for people.
    pub changes: Changes,
    /// Whether it needs consent to powers.
    pub needs_accept_grants: bool,
    /// What the databases lack for the candidate.
    pub needs: Vec<String>,
    /// What they lack for the release that runs: somebody else changed them.
    pub drift: Vec<String>,
    /// Bridges of the env that are too old for the candidate, each with its version.
    pub incompatible_bridges: Vec<String>,
}

/// What was counted of both releases.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CanaryTotals {
    /// What the others get.
    pub baseline: CanaryCounts,
    /// What the share gets.
    pub candidate: CanaryCounts,
}

/// What was counted of one of them.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CanaryCounts {
    /// Since the Bridges serve it.
    pub requests: u64,
    /// Of them with 500 or above.
    pub errors: u64,
    /// Within the canary's window.
    pub window: CanaryWindow,
}

/// What was counted lately.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CanaryWindow {
    /// All.
    pub requests: u64,
    /// With 500 or above.
    pub errors: u64,
    /// Of them those that the guest is to blame for.
    pub logic_failed: u64,
    /// In percent.
    pub error_rate_percent: f64,
    /// 95 of 100 took up to so long, in milliseconds; null of none.
    pub p95_ms: Option<f64>,
}

/// What a Bridge does with a canary.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct CanaryBridge {
    /// `brg_…`.
    pub id: String,
    /// How it serves it.
    pub state: BridgeCanaryState,
    /// Why not.
    pub reason: Option<String>,
    /// Of the pointer that it has.
    pub sequence: u64,
    /// Of the candidate.
    pub requests: u64,
    /// Of them with 500 or above.
    pub errors: u64,
}

/// How a Bridge serves a canary.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum BridgeCanaryState {
    /// As it says.
    Known(CanaryState),
    /// It has not seen it yet.
    Waiting(Waiting),
}

/// Not seen yet.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum Waiting {
    /// The word for it.
    Waiting,
}
