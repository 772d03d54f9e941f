//! Releases that are kept as ones to go back to, whatever else is removed.

use super::{Db, StoreError};

/// Pins a release; the reason of one that is pinned is replaced.
pub async fn set(db: &mut Db, release: &str, project: &str, reason: &str, at: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO release_pins (release, project, reason, pinned_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (release) DO UPDATE SET reason = excluded.reason, pinned_at = excluded.pinned_at",
    )
    .bind(release)
    .bind(project)
    .bind(reason)
    .bind(at)
    .execute(db)
    .await?;
    Ok(())
}

/// Ends it; false where it was not pinned.
pub async fn remove(db: &mut Db, release: &str) -> Result<bool, StoreError> {
    Ok(sqlx::query("DELETE FROM release_pins WHERE release = $1").bind(release).execute(db).await?.rows_affected() == 1)
}

/// The pinned releases of a project, each with its reason.
pub async fn of_project(db: &mut Db, project: &str) -> Result<Vec<(String, String)>, StoreError> {
    let rows = sqlx::query_as("SELECT release, reason FROM release_pins WHERE project = $1 ORDER BY release");
    Ok(rows.bind(project).fetch_all(db).await?)
}
