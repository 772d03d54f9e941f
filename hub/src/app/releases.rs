//! What there is to read of releases: blobs, lists, what an env runs and which Bridges run it.

use super::{
    App,
    answers::{
        fleet::{Bridges, Current, Reported},
        releases::{Blob, Pin, ReleaseRow as Shown, Releases},
    },
    fleet::SEEN_MAX,
    projects::{At, missing, need_env, need_project},
};
use crate::store::{
    StoreError, audit,
    audit::Caller,
    commit,
    envs::now,
    pins,
    releases::{self, ReleaseRow, ReportRow},
};
use chrono::{SecondsFormat, TimeDelta, Utc};
use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
    release::{Digest, SignedRelease},
};

const RELEASES_SHOWN_MAX: i64 = 1_000;

/// The time so long ago.
pub(super) fn ago(span: TimeDelta) -> String {
    (Utc::now() - span).to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// The release as it is transferred.
pub(super) fn signed(row: ReleaseRow) -> Outcome<SignedRelease> {
    let envelope = serde_json::from_str(&row.envelope).map_err(Problem::internal)?;
    Ok(SignedRelease { manifest: row.manifest, envelope })
}

/// Runs what blocks.
pub(super) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Outcome<T> {
    tokio::task::spawn_blocking(work).await.map_err(Problem::internal)
}

impl App {
    /// Whether a project has a component, for who would upload it.
    pub async fn wants_no_blob(&self, project: &str, digest: &Digest) -> Outcome<bool> {
        let has = self.has_blob(project, digest).await?;
        if has {
            self.want_blob(project, digest).await?;
        }
        Ok(has)
    }

    async fn has_blob(&self, project: &str, digest: &Digest) -> Outcome<bool> {
        let mut db = self.store.read().await?;
        need_project(&mut db, project).await?;
        Ok(releases::has_blob(&mut db, project, digest.as_str()).await?)
    }

    /// Keeps a component for a project.
    pub async fn put_blob(
        &self,
        caller: &Caller,
        project: &str,
        digest: &Digest,
        bytes: bytes::Bytes,
    ) -> Outcome<Blob> {
        need_project(&mut *self.store.read().await?, project).await?;
        let (expected, sent, size_bytes) = (digest.clone(), bytes.clone(), bytes.len());
        if !blocking(move || expected.matches(&sent)).await? {
            return Err(Problem::new(Code::BadRequest, "the bytes do not have this digest")
                .hint("they changed on the way, or the digest is of something else"));
        }
        self.store.blobs.put(digest, bytes.clone()).await?;
        let mut db = self.store.write().await?;
        // One that was there, and whose time was over, may be gone by now.
        if !self.store.has_blob(&mut db, digest).await? {
            self.store.put_blob(&mut db, digest, bytes).await?;
        }
        releases::add_blob(&mut db, project, digest.as_str(), i64::try_from(size_bytes).unwrap_or(i64::MAX), &now())
            .await?;
        let deed = audit::Deed {
            action: "blob.put",
            project: Some(project),
            env: None,
            detail: audit::Detail::of("digest", digest).with("sizeBytes", size_bytes),
        };
        audit::append(&mut db, caller, &deed).await?;
        commit(db).await?;
        Ok(Blob { digest: digest.clone(), size_bytes })
    }

    /// A project's component.
    pub async fn blob(&self, project: &str, digest: &Digest) -> Outcome<Vec<u8>> {
        if !self.has_blob(project, digest).await? {
            return Err(missing("component", digest.as_str()));
        }
        self.read_blob(digest.clone()).await
    }

    /// A component that is known to be kept.
    pub(super) async fn read_blob(&self, digest: Digest) -> Outcome<Vec<u8>> {
        let found = self.store.blobs.get(&digest).await?;
        Ok(found.ok_or_else(|| StoreError::Damaged(format!("blob {digest} is lost")))?)
    }

    /// The releases of a project, the newest first.
    pub async fn releases(&self, project: &str) -> Outcome<Releases> {
        let mut db = self.store.read().await?;
        need_project(&mut db, project).await?;
        let rows = releases::list(&mut db, project, RELEASES_SHOWN_MAX).await?;
        let pinned = pins::of_project(&mut db, project).await?;
        let row = |(id, digest, author, created_at): (String, String, String, String)| {
            let pin = pinned.iter().find(|(release, _)| *release == id);
            let pin = pin.map(|(_, reason)| Pin { reason: reason.clone() });
            Shown { id, digest, author, created_at, pin }
        };
        Ok(Releases { releases: rows.into_iter().map(row).collect() })
    }

    /// A release of a project.
    pub async fn signed_release(&self, project: &str, id: &str) -> Outcome<SignedRelease> {
        let found = releases::by_id(&mut *self.store.read().await?, id).await?;
        found.filter(|row| row.project == project).map_or_else(|| Err(missing("release", id)), signed)
    }

    /// What an env points to, and the Bridges that report about it.
    pub async fn current(&self, at: At<'_>) -> Outcome<Current> {
        let mut db = self.store.read().await?;
        need_env(&mut db, at).await?;
        let pointer = releases::pointer(&mut db, at.project, at.env).await?.ok_or_else(|| {
            Problem::new(Code::NotFound, "nothing was applied to this env yet")
                .hint("`stk apply` makes a release and points the env to it")
        })?;
        drop(db);
        Ok(Current {
            release_id: pointer.release,
            digest: pointer.digest,
            sequence: pointer.sequence,
            issued_at: pointer.issued_at,
            bridges: self.bridges(at).await?.bridges,
        })
    }

    /// The Bridges that have reported about an env lately.
    pub async fn bridges(&self, at: At<'_>) -> Outcome<Bridges> {
        let mut db = self.store.read().await?;
        need_env(&mut db, at).await?;
        let rows = releases::reports(&mut db, at.project, at.env, &ago(SEEN_MAX)).await?;
        let row = |(id, version, report, reported_at): ReportRow| {
            let report = serde_json::from_str(&report).ok();
            Reported { report, id, version, reported_at }
        };
        Ok(Bridges { bridges: rows.into_iter().map(row).collect() })
    }
}
