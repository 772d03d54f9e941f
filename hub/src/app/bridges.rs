//! What Bridges ask: the signed pointer (with a long poll), releases, components, the runtime bundle. What they report is in
//! [`super::fleet`].

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    release::{Digest, Manifest, SignedRelease},
    wire::{ApiKey, Current, RuntimeBundle, RuntimeConnection, Sealed, WAIT_SECONDS_MAX},
};
use tokio::time::{Instant, timeout_at};

use super::{
    App,
    access::Fleet,
    canary::Record,
    projects::{At, missing},
    releases::signed,
};
use crate::store::{Db, credentials, envs, guest_logins, releases};

/// How soon a Bridge that waits at one Hub learns of an apply at another.
const LOOK_FOR_MOVES_EVERY: Duration = Duration::from_secs(1);

/// An answer with its ETag; none where the caller has it already.
pub type Tagged<T> = Option<(T, String)>;

impl App {
    /// The pointer of an env, as soon as it differs from what the caller has, or none after the wait.
    pub async fn current_pointer(
        &self,
        fleet: &Fleet,
        at: At<'_>,
        known: Option<&str>,
        wait: Duration,
    ) -> Outcome<Tagged<Current>> {
        fleet.need(at.project, at.env)?;
        let until = Instant::now() + wait.min(Duration::from_secs(WAIT_SECONDS_MAX));
        let (mut moved, mut stopping) = (self.moved.subscribe(), self.stopping.subscribe());
        loop {
            moved.mark_unchanged();
            let row = releases::pointer(&mut *self.store.read().await?, at.project, at.env).await?;
            let etag = row
                .as_ref()
                .map(|row| format!("\"{}-{}\"", row.sequence, &Digest::of(row.envelope.as_bytes()).hex()[..16]));
            match row {
                Some(row) if etag.as_deref() != known => {
                    let pointer = serde_json::from_str(&row.envelope).map_err(Problem::internal)?;
                    return Ok(Some((Current { pointer }, etag.unwrap_or_default())));
                }
                // Nothing was applied yet: a wait is worth the same, for the first release.
                None if wait.is_zero() || Instant::now() >= until || *stopping.borrow() => {
                    return Err(Problem::new(Code::NotFound, "nothing was applied to this env yet"));
                }
                Some(_) if Instant::now() >= until || *stopping.borrow() => return Ok(None),
                _ => {}
            }
            let woken = async {
                tokio::select! { _ = moved.changed() => (), _ = stopping.changed() => () }
            };
            // Whether woken or out of time, the loop looks once more.
            drop(timeout_at(until, woken).await);
        }
    }

    /// Wakes who waits for a pointer that another Hub of the store moves. One question a second for all who wait; it never ends.
    pub async fn follow_moves(self: Arc<Self>) {
        let mut known = None;
        loop {
            let found = async { releases::moves(&mut *self.store.read().await?).await };
            match found.await {
                Ok(moves) => {
                    if known.replace(moves).is_some_and(|before| before != moves) {
                        self.moved.send_modify(|count| *count = count.wrapping_add(1));
                    }
                }
                // Bridges also poll, and learn it then.
                Err(error) => tracing::debug!(%error, "cannot look for moved pointers"),
            }
            tokio::time::sleep(LOOK_FOR_MOVES_EVERY).await;
        }
    }

    /// A release, to whom its project is served by. To others there is none: an id must not tell what others have.
    pub async fn release_of_fleet(&self, fleet: &Fleet, id: &str) -> Outcome<SignedRelease> {
        let row = releases::by_id(&mut *self.store.read().await?, id).await?;
        row.filter(|row| fleet.has_project(&row.project)).map_or_else(|| Err(missing("release", id)), signed)
    }

    /// A component that a release of the fleet's projects is made of. To others there is none.
    pub async fn blob_of_fleet(&self, fleet: &Fleet, digest: &Digest) -> Outcome<Vec<u8>> {
        let projects = releases::projects_of_blob(&mut *self.store.read().await?, digest.as_str()).await?;
        if !projects.iter().any(|project| fleet.has_project(project)) {
            return Err(missing("component", digest.as_str()));
        }
        self.read_blob(digest.clone()).await
    }

    /// What is no release but is needed to run what the pointer names: only what that names.
    pub async fn runtime(&self, fleet: &Fleet, at: At<'_>, known: Option<&str>) -> Outcome<Tagged<RuntimeBundle>> {
        fleet.need(at.project, at.env)?;
        let mut db = self.store.read().await?;
        let manifests = pointed_manifests(&mut db, at).await?;
        let (mut connections, mut secrets) = (BTreeMap::new(), BTreeMap::new());
        if !manifests.is_empty() {
            let logins = guest_logins::of_env(&mut db, at.project, at.env).await?;
            for row in envs::connections(&mut db, at.project, at.env).await? {
                if manifests.iter().any(|manifest| manifest.connections.contains_key(&row.name)) {
                    let url = self.unseal(&at.context("connection", &row.name), &row.url)?;
                    let guests = self.guests(at, &row, &logins)?;
                    connections.insert(row.name, RuntimeConnection { engine: row.engine, url, guests });
                }
            }
            let named: BTreeSet<&str> = manifests.iter().flat_map(Manifest::secrets).collect();
            for (name, value, _) in envs::secrets(&mut db, at.project, at.env).await? {
                if named.contains(name.as_str()) {
                    secrets.insert(name.clone(), self.unseal(&at.context("secret", &name), &value)?);
                }
            }
        }
        let keys = credentials::api_keys(&mut db, at.project, at.env).await?;
        let api_keys =
            keys.into_iter().filter(|row| row.revoked_at.is_none()).map(api_key).collect::<Outcome<Vec<_>>>()?;
        let time = Utc::now();
        let api_keys = api_keys.into_iter().filter(|key| is_valid_at(key, time)).collect();
        let user_keys = self.jwks(&mut db, at).await?;
        let storage_key = self.storage_key(&mut db, at).await?;
        let bundle = RuntimeBundle { connections, secrets, api_keys, user_keys, storage_key };
        let etag = self.etag(&serde_json::to_vec(&bundle).map_err(Problem::internal)?);
        Ok((known != Some(etag.as_str())).then_some((bundle, etag)))
    }

    /// Seals a text for one use.
    pub(super) fn seal(&self, context: &str, text: &Sealed) -> Outcome<Vec<u8>> {
        self.master_key.seal(context, text.expose().as_bytes()).map_err(Problem::internal)
    }

    /// Opens a sealed text.
    pub(super) fn unseal(&self, context: &str, sealed: &[u8]) -> Outcome<Sealed> {
        let plain = self.master_key.open(context, sealed).map_err(Problem::internal)?;
        // The error would quote the secret.
        String::from_utf8(plain).map(Sealed::new).map_err(|_| Problem::internal("a sealed record is no text"))
    }
}

/// What an env's pointer names: the release, and the candidate of a canary.
pub(super) async fn pointed_manifests(db: &mut Db, at: At<'_>) -> Outcome<Vec<Manifest>> {
    let release = releases::pointer(db, at.project, at.env).await?.map(|pointer| pointer.release);
    let candidate = Record::running(db, at).await?.map(|record| record.terms.release_id);
    let mut manifests = Vec::new();
    for id in release.into_iter().chain(candidate) {
        if let Some(row) = releases::by_id(db, &id).await? {
            manifests.push(serde_json::from_str(&row.manifest).map_err(Problem::internal)?);
        }
    }
    Ok(manifests)
}

fn api_key(row: credentials::ApiKeyRow) -> Outcome<ApiKey> {
    let hash = Digest::parse(&row.hash).map_err(Problem::internal)?;
    let roles = serde_json::from_str(&row.roles).map_err(Problem::internal)?;
    Ok(ApiKey { id: row.id, hash, roles, expires_at: row.expires_at })
}

fn is_valid_at(key: &ApiKey, time: DateTime<Utc>) -> bool {
    key.expires_at.as_deref().is_none_or(|text| DateTime::parse_from_rfc3339(text).is_ok_and(|expires| expires > time))
}
