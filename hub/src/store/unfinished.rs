//! Envs whose databases an apply began to change and whose pointer has not moved since: what is found there may be half of it.

use super::{Db, StoreError};

/// Notes an env.
pub async fn add(db: &mut Db, project: &str, env: &str, at: &str) -> Result<(), StoreError> {
    let done = sqlx::query(
        "INSERT INTO unfinished_applies (project, env, begun_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    );
    done.bind(project).bind(env).bind(at).execute(db).await?;
    Ok(())
}

/// Whether it is noted.
pub async fn has(db: &mut Db, project: &str, env: &str) -> Result<bool, StoreError> {
    let found = sqlx::query("SELECT 1 FROM unfinished_applies WHERE project = $1 AND env = $2").bind(project).bind(env);
    Ok(found.fetch_optional(db).await?.is_some())
}

/// Forgets it.
pub async fn remove(db: &mut Db, project: &str, env: &str) -> Result<(), StoreError> {
    let done = sqlx::query("DELETE FROM unfinished_applies WHERE project = $1 AND env = $2");
    done.bind(project).bind(env).execute(db).await?;
    Ok(())
}
