//! The release: an immutable, canonical manifest, its digest, and what is signed about it.
//!
//! The digest covers content only. Who made it, when and from what source stands in the signed [`Statement`], so that the
//! same content has the same digest. Which release an env runs is a signed [`Pointer`] whose sequence never goes back.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    access::Permissions,
    cors::Cors,
    cron::Job,
    event::Events,
    logic::{Body, Logic},
    query::Query,
    schema::Schema,
    storage::Storage,
};

pub mod canary;
pub mod ceilings;
pub mod compare;
pub mod deprecation;
pub mod digest;
pub mod envelope;
pub mod logins;
pub mod verify;

pub use canary::Canary;
pub use compare::{Comparison, Power, Section, compare};
pub use digest::{Digest, DigestError, Hasher, canonical_json};
pub use envelope::{Envelope, EnvelopeError, Signature, SigningKey, VerifyingKey};

/// The newest manifest format that this version writes and reads.
pub const FORMAT: u32 = 1;

/// The version of Santokit that this code is, which a manifest's `minimumBridge` is compared with.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Everything a Bridge serves for a project: content only, equal for every env.
///
/// Sections that a project does not use are absent from the canonical form. Reserved for later versions, with these names:
/// `clientContract`. A Bridge refuses a manifest with a section it does not know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// [`FORMAT`].
    pub format: u32,
    /// The project's name.
    pub project: String,
    /// The oldest Bridge that can serve it, `major.minor.patch`.
    pub minimum_bridge: String,
    /// The connection that is meant where none is named.
    pub default_connection: String,
    /// The declared schema of each connection.
    pub connections: BTreeMap<String, Schema>,
    /// Rules of tables (logics carry their own).
    #[serde(default, skip_serializing_if = "Permissions::is_empty")]
    pub permissions: Permissions,
    /// Declared queries by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub queries: BTreeMap<String, Query>,
    /// Logics by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub logics: BTreeMap<String, Logic>,
    /// Which web pages may call it; none where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
    /// Buckets.
    #[serde(default, skip_serializing_if = "Storage::is_empty")]
    pub storage: Storage,
    /// Topics and triggers.
    #[serde(default, skip_serializing_if = "Events::is_empty")]
    pub events: Events,
    /// Jobs by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub cron: BTreeMap<String, Job>,
    /// Configuration values by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, String>,
    /// What differs by env; the Bridge selects.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub envs: BTreeMap<String, Overlay>,
}

/// What an env changes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Overlay {
    /// Values that replace or add to the manifest's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub config: BTreeMap<String, String>,
    /// Replaces the manifest's as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
}

/// What a signature on a release says: this content, made so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Statement {
    /// `rel_…`, given by the Hub.
    pub release_id: String,
    /// The project's name.
    pub project: String,
    /// Of the canonical manifest.
    pub digest: Digest,
    /// Where it came from.
    pub provenance: Provenance,
}

/// Where a release came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Provenance {
    /// RFC 3339, UTC.
    pub created_at: String,
    /// Who asked for it: operator id or token name.
    pub author: String,
    /// Source revision, as the author's tool reported it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_revision: Option<String>,
    /// The tool that built it, for example `stk 0.1.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
}

/// Which release an env runs. Signed as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Pointer {
    /// The project's name.
    pub project: String,
    /// The env's name.
    pub env: String,
    /// `rel_…`.
    pub release_id: String,
    /// Of the release's manifest.
    pub digest: Digest,
    /// A candidate that serves a part of the callers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// Rises with every move, rollbacks too. A Bridge refuses one lower than it has seen.
    pub sequence: u64,
    /// RFC 3339, UTC.
    pub issued_at: String,
}

/// A release as it is stored and transferred: the manifest's canonical bytes and the envelope that signs it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignedRelease {
    /// Canonical JSON of the [`Manifest`], as text.
    pub manifest: String,
    /// Signs a [`Statement`].
    pub envelope: Envelope,
}

impl Manifest {
    /// The canonical bytes (RFC 8785) that the digest is of.
    pub fn canonical(&self) -> Result<Vec<u8>, DigestError> {
        canonical_json(self)
    }

    /// Digest of the canonical bytes.
    pub fn digest(&self) -> Result<Digest, DigestError> {
        Ok(Digest::of(&self.canonical()?))
    }

    /// Digests of all components, each once.
    pub fn components(&self) -> BTreeSet<Digest> {
        self.logics
            .values()
            .filter_map(|logic| match &logic.body {
                Body::Wasm(wasm) => Digest::parse(&wasm.component).ok(),
                Body::Sql(_) => None,
            })
            .collect()
    }

    /// The configuration values of an env.
    pub fn config_of(&self, env: &str) -> BTreeMap<String, String> {
        let mut config = self.config.clone();
        if let Some(overlay) = self.envs.get(env) {
            config.extend(overlay.config.clone());
        }
        config
    }

    /// Which web pages may call an env.
    pub fn cors_of(&self, env: &str) -> Option<&Cors> {
        self.envs.get(env).and_then(|overlay| overlay.cors.as_ref()).or(self.cors.as_ref())
    }

    /// Every power that its components have, and its buckets: whose endpoint learns of a secret is said as what a logic may read of one. A
    /// declared query is as wide as what it touches, so that a query that touches more widens every logic that may call it.
    pub fn powers(&self) -> BTreeSet<Power> {
        let places = self.storage.buckets.iter().filter_map(|(alias, bucket)| Some((alias, bucket.s3.as_ref()?)));
        // No logic has a space in its name.
        let of_buckets = places.flat_map(|(alias, place)| {
            let power = |secret: &str| format!("credential {secret} at {}", place.endpoint());
            place
                .secrets()
                .map(|secret| Power { logic: format!("bucket {alias}"), power: power(secret) })
                .collect::<Vec<_>>()
        });
        self.logics
            .iter()
            .filter_map(|(name, logic)| match &logic.body {
                Body::Wasm(wasm) => Some((name, wasm)),
                Body::Sql(_) => None,
            })
            .flat_map(|(name, wasm)| {
                let queries = wasm.grants.queries.iter().flat_map(|query| self.query_lines(query));
                let lines = wasm.lines().into_iter().chain(queries);
                lines.map(move |power| Power { logic: name.clone(), power }).collect::<Vec<_>>()
            })
            .chain(of_buckets)
            .collect()
    }

    /// Names of the secrets that it needs: those that its logics are granted, and those that open its buckets.
    pub fn secrets(&self) -> BTreeSet<&str> {
        let wasm = self.logics.values().filter_map(|logic| match &logic.body {
            Body::Wasm(wasm) => Some(wasm),
            Body::Sql(_) => None,
        });
        let granted = wasm.flat_map(|wasm| wasm.grants.secrets.iter().map(String::as_str));
        granted.chain(self.storage.secrets()).collect()
    }

    /// The powers in words, one line each: `logic: power`.
    pub fn capability_lines(&self) -> BTreeSet<String> {
        self.powers().iter().map(ToString::to_string).collect()
    }

    /// `query NAME: connection.table verb` for everything that a query touches.
    fn query_lines(&self, name: &str) -> Vec<String> {
        let Some(query) = self.queries.get(name) else { return vec![format!("query {name}")] };
        let lines: Vec<String> = query.powers().map(|power| format!("query {name}: {power}")).collect();
        if lines.is_empty() { vec![format!("query {name}: no table")] } else { lines }
    }
}
