//! The protocol between Hub and Bridge (`/internal/*`, bearer service token): bodies and headers, no transport.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};

use crate::{
    code::Code,
    release::{Digest, Envelope, SignedRelease, logins::TablePowers},
};

mod canary;
mod jwk;
mod standing;

pub use canary::{CanaryReport, CanaryState, Counts};
pub use jwk::{Jwk, JwkSet};
pub use standing::{AdminListener, Standing, build};

/// Longest wait of a long poll, in seconds.
pub const WAIT_SECONDS_MAX: u64 = 60;

/// `GET /internal/releases/current?project&env[&wait=30s]`: 200 with an ETag, 304, or 404 where nothing was applied yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Current {
    /// Signs a [`crate::release::Pointer`].
    pub pointer: Envelope,
}

/// `GET /internal/releases/{id}`.
pub type Release = SignedRelease;

/// `GET /internal/runtime/{project}/{env}` (ETag): what is no release but a Bridge needs. Never logged.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeBundle {
    /// Connections by name.
    pub connections: BTreeMap<String, RuntimeConnection>,
    /// The secrets that the current release names.
    pub secrets: BTreeMap<String, Sealed>,
    /// Valid API keys.
    pub api_keys: Vec<ApiKey>,
    /// What tokens of end users are verified with, the current key first. A Hub of before says none, and a Bridge of before does
    /// not look at them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub user_keys: Vec<Jwk>,
    /// What uploads in parts are signed with, the same for all Bridges of the env. A Hub of before gives none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_key: Option<Sealed>,
}

/// A connection as the Bridge opens it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuntimeConnection {
    /// `sqlite`, `postgres` or `mysql`.
    pub engine: String,
    /// With its credentials.
    pub url: Sealed,
    /// Users of the database that may do what components were granted, and nothing else. None on SQLite, whose engine is told
    /// with each statement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guests: Vec<GuestLogin>,
}

/// A user of a database server for guests' SQL.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct GuestLogin {
    /// What it may do.
    pub tables: TablePowers,
    /// Its name.
    pub user: String,
    /// Its password.
    pub password: Sealed,
}

/// A key that an application calls with: `stk_<id>.<secret>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiKey {
    /// The part before the dot, without `stk_`.
    pub id: String,
    /// SHA-256 of the secret part, `sha256:<hex>`.
    pub hash: Digest,
    /// What it may act as.
    pub roles: Vec<String>,
    /// RFC 3339, UTC; none never expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<String>,
}

/// A secret on the wire and in memory: `Debug` never shows it; only this type may serialise it.
#[derive(Clone)]
pub struct Sealed(SecretString);

/// `POST /internal/bridges/{id}/report`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Santokit's version.
    pub version: String,
    /// One for each env that it serves; none is the last report of a Bridge that ends.
    pub envs: Vec<EnvReport>,
    /// Of the process; a Bridge of before says nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
}

/// What a Bridge runs for one env.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvReport {
    /// The project's name.
    pub project: String,
    /// The env's name.
    pub env: String,
    /// `empty`, `fresh`, `stale` or `expired`.
    pub state: EnvState,
    /// `rel_…` of the running generation.
    pub release_id: Option<String>,
    /// Sequence of its pointer.
    pub sequence: u64,
    /// Seconds since the Hub last confirmed the pointer.
    pub cache_age_seconds: u64,
    /// The newest release that was refused, while it is the one pointed to.
    pub refused: Option<Refused>,
    /// API keys by id that were used since the report before, and when, to the minute (RFC 3339, UTC).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys_used: BTreeMap<String, String>,
    /// Jobs that have failed too often and do not run by themselves any more, by name.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub stopped_jobs: BTreeSet<String>,
    /// While its pointer names a candidate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanaryReport>,
}

/// A release that a Bridge would not load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RefusedRelease")]
pub struct Refused {
    /// `rel_…`.
    pub release_id: String,
    /// Sequence of the pointer that named it.
    pub sequence: u64,
    /// Why, for programs.
    pub code: Code,
    /// Why, for operators.
    pub message: String,
}

/// How old the release is that a Bridge serves for an env.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EnvState {
    /// Nothing loaded: 503.
    Empty,
    /// Confirmed within two poll intervals.
    Fresh,
    /// The Hub is away; serves and warns.
    Stale,
    /// The Hub is away for longer than `STK_BRIDGE_MAX_STALE`: 503.
    Expired,
}

impl EnvState {
    /// As in reports and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            EnvState::Empty => "empty",
            EnvState::Fresh => "fresh",
            EnvState::Stale => "stale",
            EnvState::Expired => "expired",
        }
    }
}

impl Sealed {
    /// Takes a secret in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(SecretString::from(text.into()))
    }

    /// The secret itself. The name is loud on purpose.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// As the type that the rest of the process passes on.
    pub fn secret(&self) -> SecretString {
        self.0.clone()
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl JsonSchema for Sealed {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"description": "A secret: it is in no log.", "type": "string", "format": "password"})
    }
}

impl Serialize for Sealed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

impl<'de> Deserialize<'de> for Sealed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_does_not_show_its_secrets() {
        let connection = RuntimeConnection {
            engine: "sqlite".into(),
            url: Sealed::new("postgres://u:hunter2@h/db"),
            guests: Vec::new(),
        };
        assert!(!format!("{connection:?}").contains("hunter2"));
    }
}
