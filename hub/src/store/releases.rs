//! Releases, pointers, uploaded blobs, and what Bridges have reported.

use super::{Db, StoreError};

/// A release as it is kept.
#[derive(Clone, Debug)]
pub struct ReleaseRow {
    /// `rel_…`.
    pub id: String,
    /// The project's name.
    pub project: String,
    /// Of the manifest.
    pub digest: String,
    /// Canonical text.
    pub manifest: String,
    /// JSON.
    pub envelope: String,
    /// Who asked for it.
    pub author: String,
    /// RFC 3339, UTC.
    pub created_at: String,
}

row!(ReleaseRow: id, project, digest, manifest, envelope, author, created_at);

/// A pointer as it is kept.
#[derive(Clone, Debug)]
pub struct PointerRow {
    /// `rel_…`.
    pub release: String,
    /// Of its manifest.
    pub digest: String,
    /// Rises with every move.
    pub sequence: i64,
    /// JSON.
    pub envelope: String,
    /// RFC 3339, UTC.
    pub issued_at: String,
}

row!(PointerRow: release, digest, sequence, envelope, issued_at);

/// A Bridge's last word about an env: id, version, report (JSON), time.
pub type ReportRow = (String, String, String, String);

/// Notes that a project has a blob, and since when somebody wants it.
pub async fn add_blob(db: &mut Db, project: &str, digest: &str, size_bytes: i64, at: &str) -> Result<(), StoreError> {
    let done = sqlx::query(
        "INSERT INTO project_blobs (project, digest, size_bytes, created_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (project, digest) DO UPDATE SET created_at = excluded.created_at",
    );
    done.bind(project).bind(digest).bind(size_bytes).bind(at).execute(db).await?;
    Ok(())
}

/// Whether a project has a blob.
pub async fn has_blob(db: &mut Db, project: &str, digest: &str) -> Result<bool, StoreError> {
    let found =
        sqlx::query("SELECT 1 FROM project_blobs WHERE project = $1 AND digest = $2").bind(project).bind(digest);
    Ok(found.fetch_optional(db).await?.is_some())
}

/// Adds a release with the blobs that it is made of.
pub async fn add(db: &mut Db, row: &ReleaseRow, blobs: impl IntoIterator<Item = String>) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO releases (id, project, digest, manifest, envelope, author, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)")
        .bind(&row.id)
        .bind(&row.project)
        .bind(&row.digest)
        .bind(&row.manifest)
        .bind(&row.envelope)
        .bind(&row.author)
        .bind(&row.created_at)
        .execute(&mut *db)
        .await?;
    for digest in blobs {
        let blob = sqlx::query("INSERT INTO release_blobs (release, project, digest) VALUES ($1, $2, $3)");
        blob.bind(&row.id).bind(&row.project).bind(digest).execute(&mut *db).await?;
    }
    Ok(())
}

/// A project's release with this content.
pub async fn by_digest(db: &mut Db, project: &str, digest: &str) -> Result<Option<ReleaseRow>, StoreError> {
    let row = sqlx::query_as("SELECT id, project, digest, manifest, envelope, author, created_at FROM releases WHERE project = $1 AND digest = $2").bind(project).bind(digest);
    Ok(row.fetch_optional(db).await?)
}

/// A release.
pub async fn by_id(db: &mut Db, id: &str) -> Result<Option<ReleaseRow>, StoreError> {
    Ok(sqlx::query_as("SELECT id, project, digest, manifest, envelope, author, created_at FROM releases WHERE id = $1")
        .bind(id)
        .fetch_optional(db)
        .await?)
}

/// A project's releases, the newest first: id, digest, author, time.
pub async fn list(db: &mut Db, project: &str, limit: i64) -> Result<Vec<(String, String, String, String)>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT id, digest, author, created_at FROM releases WHERE project = $1 ORDER BY number DESC LIMIT $2",
    );
    Ok(rows.bind(project).bind(limit).fetch_all(db).await?)
}

/// Replaces the signatures of a release; what is signed stays.
pub async fn set_envelope(db: &mut Db, id: &str, envelope: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE releases SET envelope = $1 WHERE id = $2").bind(envelope).bind(id).execute(db).await?;
    Ok(())
}

/// The signatures of all releases, by id.
pub async fn envelopes(db: &mut Db) -> Result<Vec<(String, String)>, StoreError> {
    Ok(sqlx::query_as("SELECT id, envelope FROM releases ORDER BY number").fetch_all(db).await?)
}

/// All signed pointers: project, env, envelope.
pub async fn pointer_envelopes(db: &mut Db) -> Result<Vec<(String, String, String)>, StoreError> {
    Ok(sqlx::query_as("SELECT project, env, envelope FROM pointers ORDER BY project, env").fetch_all(db).await?)
}

/// Replaces the signatures of a pointer; what is signed stays.
pub async fn set_pointer_envelope(db: &mut Db, project: &str, env: &str, envelope: &str) -> Result<(), StoreError> {
    let done = sqlx::query("UPDATE pointers SET envelope = $1 WHERE project = $2 AND env = $3");
    done.bind(envelope).bind(project).bind(env).execute(db).await?;
    Ok(())
}

/// What an env points to.
pub async fn pointer(db: &mut Db, project: &str, env: &str) -> Result<Option<PointerRow>, StoreError> {
    let row = sqlx::query_as(
        "SELECT release, digest, sequence, envelope, issued_at FROM pointers WHERE project = $1 AND env = $2",
    );
    Ok(row.bind(project).bind(env).fetch_optional(db).await?)
}

/// A number that changes whenever any pointer moves.
pub async fn moves(db: &mut Db) -> Result<i64, StoreError> {
    let sum = "SELECT CAST(coalesce(sum(sequence), 0) AS BIGINT) FROM pointers";
    Ok(sqlx::query_as::<_, (i64,)>(sum).fetch_one(db).await?.0)
}

/// Moves an env's pointer.
pub async fn set_pointer(db: &mut Db, project: &str, env: &str, row: &PointerRow) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO pointers (project, env, release, digest, sequence, envelope, issued_at) VALUES ($1, $2, $3, $4, $5, $6, $7) \
         ON CONFLICT (project, env) DO UPDATE SET release = excluded.release, digest = excluded.digest, \
         sequence = excluded.sequence, envelope = excluded.envelope, issued_at = excluded.issued_at",
    )
    .bind(project)
    .bind(env)
    .bind(&row.release)
    .bind(&row.digest)
    .bind(row.sequence)
    .bind(&row.envelope)
    .bind(&row.issued_at)
    .execute(db)
    .await?;
    Ok(())
}

/// Every blob that somebody has uploaded.
pub async fn all_blobs(db: &mut Db) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query_as::<_, (String,)>("SELECT DISTINCT digest FROM project_blobs ORDER BY digest");
    Ok(rows.fetch_all(db).await?.into_iter().map(|(digest,)| digest).collect())
}

/// The projects whose releases are made of a blob.
pub async fn projects_of_blob(db: &mut Db, digest: &str) -> Result<Vec<String>, StoreError> {
    let rows =
        sqlx::query_as::<_, (String,)>("SELECT DISTINCT project FROM release_blobs WHERE digest = $1").bind(digest);
    Ok(rows.fetch_all(db).await?.into_iter().map(|(project,)| project).collect())
}

/// Keeps what a Bridge reports about an env.
pub async fn set_report(db: &mut Db, project: &str, env: &str, row: &ReportRow) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO bridge_reports (project, env, bridge, version, report, reported_at) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (project, env, bridge) DO UPDATE SET version = excluded.version, report = excluded.report, \
         reported_at = excluded.reported_at",
    )
    .bind(project)
    .bind(env)
    .bind(&row.0)
    .bind(&row.1)
    .bind(&row.2)
    .bind(&row.3)
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets what a Bridge reported about an env: it serves it no more.
pub async fn forget_report(db: &mut Db, project: &str, env: &str, bridge: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM bridge_reports WHERE project = $1 AND env = $2 AND bridge = $3")
        .bind(project)
        .bind(env)
        .bind(bridge)
        .execute(db)
        .await?;
    Ok(())
}

/// Forgets reports from before a time; Bridges with a new id at each start leave them behind.
pub async fn forget_reports(db: &mut Db, before: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM bridge_reports WHERE reported_at < $1").bind(before).execute(db).await?;
    Ok(())
}

/// What Bridges have reported about any env since a time: its id, the project, the env, and the report.
pub async fn all_reports(db: &mut Db, since: &str) -> Result<Vec<(String, String, String, String)>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT bridge, project, env, report FROM bridge_reports WHERE reported_at >= $1 ORDER BY bridge, project, env",
    );
    Ok(rows.bind(since).fetch_all(db).await?)
}

/// What Bridges have reported about a project since a time: the env, and the report.
pub async fn project_reports(
    db: &mut Db,
    project: &str,
    since: &str,
) -> Result<Vec<(String, String, String, String, String)>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT env, bridge, version, report, reported_at FROM bridge_reports \
         WHERE project = $1 AND reported_at >= $2 ORDER BY bridge, env",
    );
    Ok(rows.bind(project).bind(since).fetch_all(db).await?)
}

/// What Bridges have reported about an env since a time.
pub async fn reports(db: &mut Db, project: &str, env: &str, since: &str) -> Result<Vec<ReportRow>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT bridge, version, report, reported_at FROM bridge_reports \
         WHERE project = $1 AND env = $2 AND reported_at >= $3 ORDER BY bridge",
    );
    Ok(rows.bind(project).bind(env).bind(since).fetch_all(db).await?)
}
