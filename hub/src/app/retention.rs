//! The end of releases and components. A release stays for as long as an env points to it, ran it among its last ones, compares it in a
//! canary, or it is pinned. A component stays for as long as a release is made of it, and a day beyond: it may be uploaded for one that
//! is about to be applied. Its bytes stay another day, for a backup may be reading them.
//!
//! Each step is a transaction of the one writer that there is, and looks at what is there then: it may be stopped anywhere, and several
//! Hubs may do the same at once.

use std::collections::BTreeMap;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use santokit_core::{
    problem::{Outcome, Problem},
    release::Digest,
};

use super::{App, canary::Record, hub_itself, projects::At};
use crate::store::{
    Db,
    audit::{self, Deed, Detail, names},
    commit, envs, retention,
};

/// Releases or components in one transaction, which holds up all other writers.
const AT_ONCE: usize = 100;
/// A component that nobody wants stays so long, and its bytes as long again.
const GRACE: TimeDelta = TimeDelta::hours(24);

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Releases.
    pub releases: usize,
    /// Components that a project had.
    pub components: usize,
    /// Components whose bytes are gone.
    pub blobs: usize,
}

impl App {
    /// Removes what nothing needs any more.
    pub async fn tend_releases(&self, now: DateTime<Utc>) -> Outcome<Removed> {
        let mut removed = Removed::default();
        let kept = i64::from(self.releases_kept);
        for project in retention::projects_with_more(&mut *self.store.read().await?, kept).await? {
            removed.releases += self.trim_releases(&project, kept).await?;
        }
        removed.components = self.forget_components(now).await?;
        removed.blobs = self.remove_bytes(now).await?;
        if removed != Removed::default() {
            let Removed { releases, components, blobs } = removed;
            tracing::info!(releases, components, blobs, "removed what nothing needs any more");
        }
        Ok(removed)
    }

    async fn trim_releases(&self, project: &str, kept: i64) -> Outcome<usize> {
        let mut count = 0;
        loop {
            let mut db = self.store.write().await?;
            let mut needed = retention::needed(&mut db, project, kept).await?;
            needed.extend(compared(&mut db, project).await?);
            let mut over = retention::releases(&mut db, project).await?;
            over.retain(|id| !needed.contains(id));
            over.truncate(AT_ONCE);
            if over.is_empty() {
                return Ok(count);
            }
            for id in &over {
                retention::remove_release(&mut db, id).await?;
            }
            let detail = Detail::of("count", over.len()).with("releases", names(over.iter().map(String::as_str)));
            let deed = Deed { action: "release.remove", project: Some(project), env: None, detail };
            audit::append(&mut db, &hub_itself(), &deed).await?;
            commit(db).await?;
            count += over.len();
            if over.len() < AT_ONCE {
                return Ok(count);
            }
        }
    }

    async fn forget_components(&self, now: DateTime<Utc>) -> Outcome<usize> {
        let mut count = 0;
        loop {
            let mut db = self.store.write().await?;
            let unused = retention::unused_blobs(&mut db, &text(now - GRACE), limit()).await?;
            if unused.is_empty() {
                return Ok(count);
            }
            let mut by_project: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
            for (project, digest) in &unused {
                retention::forget_blob(&mut db, project, digest, &text(now)).await?;
                by_project.entry(project).or_default().push(digest);
            }
            for (project, digests) in by_project {
                let detail = Detail::of("count", digests.len()).with("digests", names(digests));
                let deed = Deed { action: "blob.remove", project: Some(project), env: None, detail };
                audit::append(&mut db, &hub_itself(), &deed).await?;
            }
            commit(db).await?;
            count += unused.len();
        }
    }

    /// No project has them, so that there is nobody to tell in the audit log.
    async fn remove_bytes(&self, now: DateTime<Utc>) -> Outcome<usize> {
        let mut count = 0;
        loop {
            let mut db = self.store.write().await?;
            let due = retention::due_blobs(&mut db, &text(now - GRACE), limit()).await?;
            if due.is_empty() {
                return Ok(count);
            }
            for (digest, is_back) in due {
                if !is_back {
                    let digest = Digest::parse(&digest).map_err(Problem::internal)?;
                    self.store.remove_blob(&mut db, &digest).await?;
                    count += 1;
                }
                retention::forget_due(&mut db, &digest).await?;
            }
            commit(db).await?;
        }
    }

    /// Somebody looks whether a component is there, and will not upload it: from then on it stays for the grace. Seldom a write.
    pub(super) async fn want_blob(&self, project: &str, digest: &Digest) -> Outcome<()> {
        let now = Utc::now();
        let since = text(now - GRACE / 2);
        if retention::is_unwanted(&mut *self.store.read().await?, project, digest.as_str(), &since).await? {
            let mut db = self.store.write().await?;
            retention::want_blob(&mut db, (project, digest.as_str()), &since, &text(now)).await?;
            commit(db).await?;
        }
        Ok(())
    }
}

/// What the canaries of a project compare.
async fn compared(db: &mut Db, project: &str) -> Outcome<Vec<String>> {
    let mut all = Vec::new();
    for (env, _) in envs::envs(db, project).await? {
        let running = Record::running(db, At { project, env: &env }).await?;
        all.extend(running.iter().flat_map(Record::releases).map(str::to_owned));
    }
    Ok(all)
}

fn limit() -> i64 {
    i64::try_from(AT_ONCE).unwrap_or(i64::MAX)
}

/// As the store writes it.
fn text(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
