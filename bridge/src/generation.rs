//! A generation: everything that an env serves from one release, made complete or not at all, and never changed afterwards.
//!
//! Only keys and secrets change in place, because they are no part of a release. Pools are taken over from the generation
//! before where the connection is the same, and so are components.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use arc_swap::ArcSwap;
use chrono::{DateTime, SecondsFormat, Utc};
use santokit_core::{
    code::Code,
    cors::Cors,
    logic::{Logic, Mounts},
    query::Query,
    release::{Digest, Manifest, Pointer, VERSION, VerifyingKey, verify::VerifyError},
    schema::Schema,
    wire::{ApiKey, GuestLogin, Jwk, JwkSet, RuntimeBundle, RuntimeConnection, Sealed},
};
use secrecy::SecretString;

use crate::{
    call::LoadedLogicEntry, config::EnvName, cron::Jobs, crud::names::Tables, db::Database, delivery::Subscriptions,
    events::Topics, storage::Buckets,
};

mod load;

pub use load::{Loader, LoaderError};

/// What an env serves.
#[derive(Debug)]
pub struct Generation {
    /// The env.
    pub env: EnvName,
    /// `rel_…`.
    pub release_id: String,
    /// Of its manifest.
    pub digest: Digest,
    /// Of the pointer that named it.
    pub sequence: u64,
    /// Logics by name.
    pub logics: Arc<BTreeMap<String, Arc<LoadedLogicEntry>>>,
    /// Where some of them answer requests of HTTP.
    pub mounts: Mounts,
    /// Databases by the connection's name.
    pub databases: Arc<BTreeMap<String, Arc<Database>>>,
    /// Declared schemas by the connection's name.
    pub schemas: Arc<BTreeMap<String, Schema>>,
    /// Tables of all connections, with their rules.
    pub tables: Arc<Tables>,
    /// The configuration values of the env.
    pub config: Arc<BTreeMap<String, String>>,
    /// Buckets by alias.
    pub buckets: Arc<Buckets>,
    /// Topics by name.
    pub topics: Arc<Topics>,
    /// Who is given their events.
    pub subscriptions: Arc<Subscriptions>,
    /// Jobs by name.
    pub jobs: Arc<Jobs>,
    /// Which web pages may call the env.
    pub cors: Option<Cors>,
    /// Keys and secrets, as the Hub said them last.
    pub runtime: Arc<ArcSwap<Runtime>>,
    /// What the pools were opened with.
    connections: BTreeMap<String, RuntimeConnection>,
    /// What the logics were loaded from.
    sources: BTreeMap<String, Logic>,
    /// What its logics may call by name.
    queries: BTreeMap<String, Query>,
}

/// What a generation needs and what is no part of a release.
#[derive(Debug, Default)]
pub struct Runtime {
    api_keys: HashMap<String, KnownKey>,
    /// What tokens of end users are verified with, by the name that they call it.
    user_keys: HashMap<String, VerifyingKey>,
    /// The same for everyone.
    pub jwks: JwkSet,
    /// Secrets by name.
    pub secrets: Arc<BTreeMap<String, SecretString>>,
    /// What uploads in parts are signed with; a Hub of before gives none.
    pub storage_key: Option<SecretString>,
}

/// A key, and the minute since 1970 in which it was used last; none is 0.
#[derive(Debug)]
struct KnownKey {
    key: ApiKey,
    used: Arc<AtomicI64>,
}

/// What a generation is made of.
pub struct Plan {
    /// For which env.
    pub env: EnvName,
    /// Verified.
    pub pointer: Pointer,
    /// Verified.
    pub manifest: Manifest,
    /// As the Hub said it last.
    pub runtime: Arc<RuntimeBundle>,
    /// What runs now; what is the same there is taken over, from the first that has it.
    pub previous: Vec<Arc<Generation>>,
}

/// Why a release is not loaded. The message is for operators.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct LoadError {
    /// For programs.
    pub code: Code,
    /// For operators.
    pub message: String,
}

impl Generation {
    /// Whether it is what a pointer names.
    pub fn serves(&self, pointer: &Pointer) -> bool {
        self.release_id == pointer.release_id && self.digest == pointer.digest && self.sequence == pointer.sequence
    }

    /// Whether its pools are those of a bundle.
    pub fn has_connections(&self, bundle: &RuntimeBundle) -> bool {
        self.connections.len() == bundle.connections.len()
            && self.connections.iter().all(|(name, mine)| {
                bundle.connections.get(name).is_some_and(|other| same(mine, other) && has_same_guests(mine, other))
            })
    }
}

impl Runtime {
    /// Of a bundle. What is known of the use of keys goes on.
    pub fn new(bundle: &RuntimeBundle, before: Option<&Self>) -> Self {
        let known = |key: &ApiKey| {
            let used = before.and_then(|before| before.api_keys.get(&key.id)).map(|known| known.used.clone());
            (key.id.clone(), KnownKey { key: key.clone(), used: used.unwrap_or_default() })
        };
        // A key of a kind that this version does not know is no reason to refuse the others.
        let keys = bundle.user_keys.iter().filter_map(|jwk| Some((jwk, jwk.verifying_key()?)));
        let (jwks, user_keys): (Vec<Jwk>, HashMap<_, _>) =
            keys.map(|(jwk, key)| (jwk.clone(), (jwk.kid.clone(), key))).unzip();
        Self {
            api_keys: bundle.api_keys.iter().map(known).collect(),
            user_keys,
            jwks: JwkSet { keys: jwks },
            secrets: Arc::new(bundle.secrets.iter().map(|(name, secret)| (name.clone(), secret.secret())).collect()),
            storage_key: bundle.storage_key.as_ref().map(Sealed::secret),
        }
    }

    /// A key by its id.
    pub fn api_key(&self, id: &str) -> Option<&ApiKey> {
        self.api_keys.get(id).map(|known| &known.key)
    }

    /// A key that tokens of end users are signed with, by its id.
    pub fn user_key(&self, kid: &str) -> Option<&VerifyingKey> {
        self.user_keys.get(kid)
    }

    /// Notes that a key was used. To the minute: a caller of many requests is one write a minute.
    pub fn note_use(&self, id: &str, now: DateTime<Utc>) {
        let minute = now.timestamp() / 60;
        if let Some(known) = self.api_keys.get(id)
            && known.used.load(Ordering::Relaxed) < minute
        {
            known.used.store(minute, Ordering::Relaxed);
        }
    }

    /// The keys that were used since this process started, and when.
    pub fn keys_used(&self) -> BTreeMap<String, String> {
        let used = |(id, known): (&String, &KnownKey)| {
            let minute = known.used.load(Ordering::Relaxed);
            let time = DateTime::from_timestamp(minute * 60, 0).filter(|_| minute > 0)?;
            Some((id.clone(), time.to_rfc3339_opts(SecondsFormat::Secs, true)))
        };
        self.api_keys.iter().filter_map(used).collect()
    }
}

impl LoadError {
    /// The release is not acceptable.
    pub fn blocked(message: impl Into<String>) -> Self {
        Self { code: Code::ReleaseBlocked, message: message.into() }
    }
}

impl From<VerifyError> for LoadError {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Incompatible { .. } => {
                Self { code: Code::IncompatibleBridge, message: format!("{error}; update this Bridge ({VERSION})") }
            }
            error => Self::blocked(error.to_string()),
        }
    }
}

fn has_same_guests(a: &RuntimeConnection, b: &RuntimeConnection) -> bool {
    let is_same = |(a, b): (&GuestLogin, &GuestLogin)| {
        a.user == b.user && a.tables == b.tables && a.password.expose() == b.password.expose()
    };
    a.guests.len() == b.guests.len() && a.guests.iter().zip(&b.guests).all(is_same)
}

fn same(a: &RuntimeConnection, b: &RuntimeConnection) -> bool {
    a.engine == b.engine && a.url.expose() == b.url.expose()
}
