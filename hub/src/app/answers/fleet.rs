//! Bridges: what an env runs and who runs it, and what is wrong with them.

use santokit_core::wire::{EnvReport, EnvState, Refused, Sealed, Standing};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an env points to, and the Bridges that report about it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "EnvCurrent")]
pub struct Current {
    /// `rel_…`.
    pub release_id: String,
    /// Of its manifest.
    pub digest: String,
    /// Of the pointer.
    pub sequence: i64,
    /// Since when.
    pub issued_at: String,
    /// Those that have reported lately.
    pub bridges: Vec<Reported>,
}

/// The Bridges of an env.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Bridges {
    /// Those that have reported lately.
    pub bridges: Vec<Reported>,
}

/// What a Bridge said last about an env.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reported {
    /// Nothing of it where another version wrote it in another form.
    #[serde(flatten)]
    pub report: Option<Kept>,
    /// `brg_…`.
    pub id: String,
    /// Santokit's version.
    pub version: String,
    /// When it was said.
    pub reported_at: String,
}

/// A report about one env, as it is kept.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "KeptReport")]
pub struct Kept {
    /// What was said of the env.
    #[serde(flatten)]
    pub env: EnvReport,
    /// What was said of the process.
    #[serde(default)]
    pub standing: Option<Standing>,
    /// How far the Bridge's clock is ahead of the Hub's.
    #[serde(default)]
    pub clock_skew_seconds: Option<i64>,
    /// The id of the token that it showed itself with.
    #[serde(default)]
    pub service_token: Option<String>,
}

/// The Bridges of a project, and what is wrong.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fleet {
    /// Whether nothing is wrong; notes do not count.
    pub ok: bool,
    /// The project's name.
    pub project: String,
    /// What Bridges are held against.
    pub hub: HubNow,
    /// Envs that run a release.
    pub envs: Vec<PointedEnv>,
    /// Ids of the Hub's keys that sign, the current one first.
    pub signing_keys: Vec<String>,
    /// Silent ones too.
    pub bridges: Vec<Bridge>,
    /// Of envs that no Bridge serves.
    pub findings: Vec<Finding>,
}

/// The Hub that answers.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct HubNow {
    /// Santokit's version.
    pub version: String,
    /// Its clock.
    pub time: String,
}

/// What an env points to.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PointedEnv {
    /// Its name.
    pub env: String,
    /// `rel_…`.
    pub release_id: String,
    /// Of the pointer.
    pub sequence: u64,
    /// Since when.
    pub issued_at: String,
}

/// A Bridge with all that it said last.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bridge {
    /// `brg_…`.
    pub id: String,
    /// Santokit's version.
    pub version: String,
    /// `connected` or `silent`.
    pub state: String,
    /// When it reported last.
    pub last_seen: String,
    /// How long ago that is.
    pub last_seen_seconds: i64,
    /// When it is forgotten where it stays silent.
    pub forgotten_at: String,
    /// How far its clock is ahead of the Hub's.
    pub clock_skew_seconds: Option<i64>,
    /// The id of the token that it showed itself with.
    pub service_token: Option<String>,
    /// How its process is doing; null where its version does not say.
    pub standing: Option<Standing>,
    /// What it runs.
    pub envs: Vec<BridgeEnv>,
    /// What is wrong with it, the worst first.
    pub findings: Vec<Finding>,
}

/// What a Bridge runs for one env.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BridgeEnv {
    /// The env's name.
    pub env: String,
    /// How old what it serves is.
    pub state: EnvState,
    /// `rel_…` of what it runs.
    pub release_id: Option<String>,
    /// Of its pointer.
    pub sequence: u64,
    /// Seconds since the Hub last confirmed that.
    pub cache_age_seconds: u64,
    /// The release that it would not load.
    pub refused: Option<Refused>,
}

/// How bad something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Callers notice, or will as soon as something else goes wrong.
    Error,
    /// Not as it should be.
    Warning,
    /// Worth knowing.
    Note,
}

/// One thing that is wrong, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// None: it is about the Bridge as a whole.
    pub env: Option<String>,
    /// In words.
    pub what: String,
    /// What to do.
    pub todo: String,
}

/// A token for a Bridge itself.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BridgeToken {
    /// Good for one request.
    pub token: Sealed,
    /// When it ends.
    pub expires_at: Option<String>,
    /// `brg_…`.
    pub bridge: String,
    /// Where the Bridge takes it, as it says; null: operators must know it.
    pub url: Option<String>,
}
