//! The last canary of each env: one document for each that has had one.

use super::{Db, StoreError};

/// Keeps an env's canary in place of the one before; it runs where there is no time of its end.
pub async fn set(db: &mut Db, project: &str, env: &str, document: &str, ended: Option<&str>) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO canaries (project, env, document, ended_at) VALUES ($1, $2, $3, $4) \
         ON CONFLICT (project, env) DO UPDATE SET document = excluded.document, ended_at = excluded.ended_at",
    )
    .bind(project)
    .bind(env)
    .bind(document)
    .bind(ended)
    .execute(db)
    .await?;
    Ok(())
}

/// An env's canary.
pub async fn get(db: &mut Db, project: &str, env: &str) -> Result<Option<String>, StoreError> {
    let row = sqlx::query_as::<_, (String,)>("SELECT document FROM canaries WHERE project = $1 AND env = $2");
    Ok(row.bind(project).bind(env).fetch_optional(db).await?.map(|(document,)| document))
}

/// Those that run: project, env, document.
pub async fn running(db: &mut Db) -> Result<Vec<(String, String, String)>, StoreError> {
    let rows =
        sqlx::query_as("SELECT project, env, document FROM canaries WHERE ended_at IS NULL ORDER BY project, env");
    Ok(rows.fetch_all(db).await?)
}
