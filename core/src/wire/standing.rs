//! What a Bridge says of itself in its reports, beside what it runs: for operators to look at. Nothing is decided by it but what
//! a Bridge is told to do about itself.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a Bridge's process is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Standing {
    /// See [`build`].
    pub build: String,
    /// Since it started.
    pub uptime_seconds: u64,
    /// Its clock when it wrote this; RFC 3339, UTC.
    pub sent_at: String,
    /// The longest time between two of its reports.
    pub every_seconds: u64,
    /// Whose releases it loads: for each signer the ids of its keys.
    pub trusted_keys: Vec<Vec<String>>,
    /// How many of the signers must have signed a release.
    pub required_signers: usize,
    /// Requests that a limit refused or stopped since it started, by `details.limit`.
    pub limits_hit: BTreeMap<String, u64>,
    /// Polls of the Hub that failed since it started.
    pub hub_failures: u64,
    /// Whether events wait because the broker that would hand them over is away.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub events_wait: bool,
    /// Whether a restart needs no Hub: connections and secrets are in its cache, sealed.
    pub seals_cache: bool,
    /// Its listener for operators; none where it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub admin: Option<AdminListener>,
}

/// Where a Bridge takes the tokens of [`crate::admin`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AdminListener {
    /// As the Bridge's configuration says; none: operators must know it.
    pub url: Option<String>,
    /// Ids of the keys whose tokens it takes.
    pub keys: Vec<String>,
}

/// What this program was built for and from: the machine, and the source's revision where the build was told it.
pub fn build() -> String {
    let machine = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let kind = if cfg!(debug_assertions) { " debug" } else { "" };
    let revision = option_env!("SANTOKIT_REVISION").map(|revision| format!(" {revision}")).unwrap_or_default();
    format!("{machine}{kind}{revision}")
}
