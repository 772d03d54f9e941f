//! The one check that stands between bytes from outside and a release that may run. Used by `stk release verify`, by the
//! Hub when a release is made and by every Bridge before it loads one. Needs no network.

use super::{
    Digest, DigestError, EnvelopeError, FORMAT, Manifest, Pointer, SignedRelease, Statement, VERSION, VerifyingKey,
    envelope::{POINTER_TYPE, RELEASE_TYPE},
};
use crate::{
    component::{self, ComponentError},
    cron,
    limit::InvocationLimits,
    logic::{Body, Logic, Mounts, Record, StorageGrant, TransactionMode, WasmBody},
    name::check_identifier,
    schema::files,
    storage::{StorageError, told},
};

/// The largest manifest that is read.
pub const MANIFEST_BYTES_MAX: usize = 16 << 20;

/// Who is believed, and how many of them must have signed.
#[derive(Clone, Debug)]
pub struct Trust {
    /// The keys of each signer: one that exchanges its key has two, and counts once. From the verifier's own configuration, never
    /// from the Hub that is checked.
    pub signers: Vec<Vec<VerifyingKey>>,
    /// At least one.
    pub required: usize,
}

impl Trust {
    /// Signers with one key each.
    pub fn in_each(keys: impl IntoIterator<Item = VerifyingKey>, required: usize) -> Self {
        Self { signers: keys.into_iter().map(|key| vec![key]).collect(), required }
    }
}

/// A release whose signatures, digest and form hold.
#[derive(Clone, Debug)]
pub struct VerifiedRelease {
    /// What was signed.
    pub statement: Statement,
    /// What it is about.
    pub manifest: Manifest,
}

/// Why a release is refused.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The signatures do not hold.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The manifest is not the one that was signed.
    #[error("the manifest has digest {found}, signed is {signed}")]
    ManifestDigest {
        /// Of the bytes at hand.
        found: Digest,
        /// Of the statement.
        signed: Digest,
    },
    /// The manifest cannot be read.
    #[error("the manifest cannot be read: {0}")]
    Manifest(String),
    /// It has more of something than a project may.
    #[error("the manifest cannot be read: {0}")]
    TooMany(String),
    /// The manifest is of a newer format, or needs a newer Bridge.
    #[error("the release needs Santokit {needed} (manifest format {format}); this is {VERSION} (format {FORMAT})")]
    Incompatible {
        /// The manifest's format.
        format: u32,
        /// The manifest's `minimumBridge`.
        needed: String,
    },
    /// Statement and manifest, or pointer and statement, speak of different things.
    #[error("{0}")]
    Mismatch(String),
    /// A guest's powers are on a table that the release does not declare.
    #[error("{who} may use table {table:?} of connection {connection:?}, which the release does not declare")]
    Undeclared {
        /// `logic "…"` or `query "…"`.
        who: String,
        /// Where.
        connection: String,
        /// Which.
        table: String,
    },
    /// A component's bytes have another digest.
    #[error("the component of logic {logic:?} has digest {found}, the manifest says {signed}")]
    ComponentDigest {
        /// The logic's name.
        logic: String,
        /// Of the bytes at hand.
        found: Digest,
        /// Of the manifest.
        signed: String,
    },
    /// A component's bytes are not at hand.
    #[error("the component of logic {logic:?} ({digest}) is missing")]
    ComponentMissing {
        /// The logic's name.
        logic: String,
        /// Of the manifest.
        digest: String,
    },
    /// A component is not acceptable, or imports what it may not.
    #[error("the component of logic {logic:?} is refused: {source}")]
    Component {
        /// The logic's name.
        logic: String,
        /// Why.
        source: ComponentError,
    },
}

/// Checks signatures, digest and form of a release, without its components.
pub fn release(signed: &SignedRelease, trust: &Trust) -> Result<VerifiedRelease, VerifyError> {
    if signed.manifest.len() > MANIFEST_BYTES_MAX {
        return Err(VerifyError::Manifest(format!("larger than {MANIFEST_BYTES_MAX} bytes")));
    }
    let statement: Statement = signed.envelope.open(RELEASE_TYPE, &trust.signers, trust.required)?;
    let found = Digest::of(signed.manifest.as_bytes());
    if found != statement.digest {
        return Err(VerifyError::ManifestDigest { found, signed: statement.digest });
    }
    let manifest = manifest(&signed.manifest)?;
    if manifest.project != statement.project {
        return Err(VerifyError::Mismatch(format!(
            "the statement is about project {:?}, the manifest about {:?}",
            statement.project, manifest.project
        )));
    }
    Ok(VerifiedRelease { statement, manifest })
}

/// Reads a manifest: right form, known format, not newer than this version, in its canonical spelling.
pub fn manifest(text: &str) -> Result<Manifest, VerifyError> {
    let head: Head = serde_json::from_str(text).map_err(|error| VerifyError::Manifest(error.to_string()))?;
    if head.format != FORMAT || !is_at_most(&head.minimum_bridge, VERSION) {
        return Err(VerifyError::Incompatible { format: head.format, needed: head.minimum_bridge });
    }
    let manifest: Manifest = serde_json::from_str(text).map_err(|error| VerifyError::Manifest(error.to_string()))?;
    let canonical = manifest.canonical().map_err(|error: DigestError| VerifyError::Manifest(error.to_string()))?;
    if canonical != text.as_bytes() {
        return Err(VerifyError::Manifest("not in its canonical form (RFC 8785)".to_owned()));
    }
    for cors in manifest.cors.iter().chain(manifest.envs.values().filter_map(|overlay| overlay.cors.as_ref())) {
        cors.check().map_err(|error| VerifyError::Manifest(format!("cors: {error}")))?;
    }
    manifest.storage.check().map_err(|error| match error {
        StorageError::TooMany => VerifyError::TooMany(format!("storage: {error}")),
        error => VerifyError::Manifest(format!("storage: {error}")),
    })?;
    manifest.events.check().map_err(|error| VerifyError::Manifest(format!("events: {error}")))?;
    check_objects(&manifest)?;
    let default = manifest.connections.get(&manifest.default_connection);
    if !manifest.events.is_empty() && default.is_none_or(|schema| schema.tables.is_empty()) {
        let message = "events are kept beside the tables of the default connection, and it has none";
        return Err(VerifyError::Manifest(message.to_owned()));
    }
    check_events(&manifest)?;
    let ceiling = InvocationLimits::ceiling();
    for (name, logic) in &manifest.logics {
        let asked = match &logic.body {
            Body::Wasm(wasm) => {
                InvocationLimits { timeout: logic.timeout.max(wasm.limits.timeout), ..wasm.limits.clone() }
            }
            Body::Sql(_) => InvocationLimits { timeout: logic.timeout, ..InvocationLimits::default() },
        };
        if let Some(limit) = asked.above(&ceiling) {
            return Err(VerifyError::Manifest(format!("logic {name:?} asks for more {limit} than any logic may have")));
        }
        if let Body::Wasm(wasm) = &logic.body {
            check_component(&manifest, name, wasm)?;
        }
    }
    check_mounts(&manifest)?;
    check_subscriptions(&manifest)?;
    check_tables(&manifest)?;
    Ok(manifest)
}

/// Keys in columns are of the release's buckets, and buckets tell the release's topics.
fn check_objects(manifest: &Manifest) -> Result<(), VerifyError> {
    if let Some((place, error)) = files::problems(&manifest.connections, &manifest.storage).first() {
        let message = format!("column {:?} of table {:?}: {error}", place.column, place.table);
        return Err(VerifyError::Manifest(message));
    }
    match told::problems(&manifest.storage, &manifest.events).first() {
        Some((bucket, _, error)) => Err(VerifyError::Manifest(format!("bucket {bucket:?}: {error}"))),
        None => Ok(()),
    }
}

/// Triggers are of tables and topics that the release declares, rules of its topics, and jobs of its logics.
fn check_events(manifest: &Manifest) -> Result<(), VerifyError> {
    let checked = manifest.events.check_triggers(&manifest.connections);
    checked.map_err(|error| VerifyError::Manifest(format!("events: {error}")))?;
    cron::check(&manifest.cron, &manifest.logics, &manifest.connections)
        .map_err(|error| VerifyError::Manifest(format!("cron: {error}")))?;
    let is_absent = |topic: &&String| !manifest.events.topics.contains_key(*topic);
    match manifest.permissions.events.keys().find(is_absent) {
        Some(topic) => Err(VerifyError::Manifest(format!("rules are for topic {topic:?}, and there is no such topic"))),
        None => Ok(()),
    }
}

/// What a component may do, and what of it is kept.
fn check_component(manifest: &Manifest, name: &str, wasm: &WasmBody) -> Result<(), VerifyError> {
    wasm.grants.check().map_err(|error| VerifyError::Manifest(format!("logic {name:?}: {error}")))?;
    if let Some(called) = wasm.grants.logics.iter().find(|called| takes_no_calls(manifest, called)) {
        let message = format!("logic {name:?} may call {called:?}, which takes no calls");
        return Err(VerifyError::Manifest(message));
    }
    wasm.record
        .as_ref()
        .map_or(Ok(()), Record::check)
        .map_err(|error| VerifyError::Manifest(format!("logic {name:?}: record: {error}")))?;
    if let Some(absent) = wasm.grants.logics.iter().find(|called| !manifest.logics.contains_key(*called)) {
        let message = format!("logic {name:?} may call {absent:?}, and there is no such logic");
        return Err(VerifyError::Manifest(message));
    }
    let is_absent = |grant: &&StorageGrant| !manifest.storage.buckets.contains_key(&grant.bucket);
    if let Some(grant) = wasm.grants.storage.iter().find(is_absent) {
        let message = format!("logic {name:?} is granted bucket {:?}, and there is no such bucket", grant.bucket);
        return Err(VerifyError::Manifest(message));
    }
    let is_absent = |topic: &&String| !manifest.events.topics.contains_key(*topic);
    if let Some(topic) = wasm.grants.events.iter().find(is_absent) {
        let message = format!("logic {name:?} may publish {topic:?}, and there is no such topic");
        return Err(VerifyError::Manifest(message));
    }
    Ok(())
}

/// It is mounted, or only given events.
fn takes_no_calls(manifest: &Manifest, logic: &str) -> bool {
    manifest.logics.get(logic).is_some_and(|logic| !logic.is_called())
}

/// Events are given to what takes them.
fn check_subscriptions(manifest: &Manifest) -> Result<(), VerifyError> {
    for (name, subscription) in &manifest.events.subscriptions {
        let is_fit = manifest.logics.get(&subscription.handler).is_some_and(Logic::is_given_events);
        if !is_fit {
            let message = format!(
                "subscription {name:?} gives events to {:?}, which is no logic that takes them",
                subscription.handler
            );
            return Err(VerifyError::Manifest(message));
        }
    }
    Ok(())
}

/// A path is one component's, and what is mounted takes requests as they are.
fn check_mounts(manifest: &Manifest) -> Result<(), VerifyError> {
    for (name, logic) in &manifest.logics {
        let Some(mount) = logic.mount() else { continue };
        mount.check().map_err(|error| VerifyError::Manifest(format!("logic {name:?}: {error}")))?;
        if !logic.params.is_empty() || logic.transaction == TransactionMode::Required {
            let message = format!("logic {name:?} is mounted, and has params or a transaction of its own");
            return Err(VerifyError::Manifest(message));
        }
        if matches!(&logic.body, Body::Wasm(wasm) if wasm.record.is_some()) {
            let message = format!("logic {name:?} is mounted, and requests to what is mounted are not recorded");
            return Err(VerifyError::Manifest(message));
        }
    }
    match Mounts::of(&manifest.logics).clash() {
        Some((path, one, other)) => {
            Err(VerifyError::Manifest(format!("logics {one:?} and {other:?} are both mounted at {path:?}")))
        }
        None => Ok(()),
    }
}

/// A guest's powers are on tables that the release declares, and those are a project's: never the platform's own, nor the engine's, which
/// lie in the same database.
fn check_tables(manifest: &Manifest) -> Result<(), VerifyError> {
    for table in manifest.connections.values().flat_map(|schema| schema.tables.keys()) {
        check_identifier("a table name", table)
            .map_err(|error| VerifyError::Manifest(format!("{table:?}: {error}")))?;
        if table.to_ascii_lowercase().starts_with("sqlite_") {
            return Err(VerifyError::Manifest(format!("{table:?}: names that begin with sqlite_ are SQLite's own")));
        }
    }
    let is_declared = |connection: &str, table: &str| {
        manifest.connections.get(connection).is_some_and(|schema| schema.tables.contains_key(table))
    };
    let refuse = |who: String, connection: &str, table: &str| {
        Err(VerifyError::Undeclared { who, connection: connection.to_owned(), table: table.to_owned() })
    };
    for (name, logic) in &manifest.logics {
        let Body::Wasm(wasm) = &logic.body else { continue };
        for grant in &wasm.grants.sql {
            if let Some(table) = grant.tables.keys().find(|table| !is_declared(&grant.connection, table)) {
                return refuse(format!("logic {name:?}"), &grant.connection, table);
            }
        }
    }
    for (name, query) in &manifest.queries {
        if let Some(table) = query.tables.keys().find(|table| !is_declared(&query.connection, table)) {
            return refuse(format!("query {name:?}"), &query.connection, table);
        }
    }
    Ok(())
}

/// Checks every component: at hand, right digest, acceptable, and its imports the ones that the manifest lists.
pub fn components<'a>(
    manifest: &Manifest,
    mut bytes_of: impl FnMut(&Digest) -> Option<std::borrow::Cow<'a, [u8]>>,
) -> Result<(), VerifyError> {
    for (name, logic) in &manifest.logics {
        let Body::Wasm(wasm) = &logic.body else { continue };
        let missing = || VerifyError::ComponentMissing { logic: name.clone(), digest: wasm.component.clone() };
        let signed = Digest::parse(&wasm.component).map_err(|error| VerifyError::Manifest(error.to_string()))?;
        let bytes = bytes_of(&signed).ok_or_else(missing)?;
        let found = Digest::of(&bytes);
        if found != signed {
            return Err(VerifyError::ComponentDigest { logic: name.clone(), found, signed: wasm.component.clone() });
        }
        component::check(&bytes, (wasm.world(), &wasm.handles), &wasm.grants, &wasm.imports)
            .map_err(|source| VerifyError::Component { logic: name.clone(), source })?;
    }
    Ok(())
}

/// Checks a pointer: signed by one of the keys, and for this project and env. Who else must have signed is asked of the release: a
/// pointer can only name one that all of them have.
pub fn pointer(envelope: &super::Envelope, trust: &Trust, project: &str, env: &str) -> Result<Pointer, VerifyError> {
    let pointer: Pointer = envelope.open(POINTER_TYPE, &trust.signers, 1)?;
    if pointer.project != project || pointer.env != env {
        return Err(VerifyError::Mismatch(format!(
            "the pointer is for {}/{}, asked was {project}/{env}",
            pointer.project, pointer.env
        )));
    }
    if let Some(canary) = &pointer.canary {
        canary.check().map_err(|error| VerifyError::Mismatch(format!("the pointer's canary: {error}")))?;
        if canary.digest == pointer.digest {
            return Err(VerifyError::Mismatch("the pointer's candidate is its baseline".to_owned()));
        }
    }
    Ok(pointer)
}

/// The fields that decide whether the rest can be read at all.
#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    format: u32,
    minimum_bridge: String,
}

/// Whether a version that is needed is not newer than one that is there. What is no version is not enough.
pub fn is_at_most(needed: &str, have: &str) -> bool {
    match (version(needed), version(have)) {
        (Some(needed), Some(have)) => needed <= have,
        _ => false,
    }
}

fn version(text: &str) -> Option<[u64; 3]> {
    let mut parts = text.split('.').map(str::parse);
    let numbers = [parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?];
    parts.next().is_none().then_some(numbers)
}
