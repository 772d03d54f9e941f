//! What the components of a project may have at most: one document for each project that has one.

use super::{Db, StoreError};

/// Sets a project's document, which is JSON.
pub async fn set(db: &mut Db, project: &str, document: &str, at: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO ceilings (project, document, updated_at) VALUES ($1, $2, $3) \
         ON CONFLICT (project) DO UPDATE SET document = excluded.document, updated_at = excluded.updated_at",
    )
    .bind(project)
    .bind(document)
    .bind(at)
    .execute(db)
    .await?;
    Ok(())
}

/// A project's document and when it was set.
pub async fn get(db: &mut Db, project: &str) -> Result<Option<(String, String)>, StoreError> {
    let row = sqlx::query_as("SELECT document, updated_at FROM ceilings WHERE project = $1");
    Ok(row.bind(project).fetch_optional(db).await?)
}

/// Removes it; false where there was none.
pub async fn remove(db: &mut Db, project: &str) -> Result<bool, StoreError> {
    Ok(sqlx::query("DELETE FROM ceilings WHERE project = $1").bind(project).execute(db).await?.rows_affected() == 1)
}
