//! Removing an env, or a project, with all that is kept of it. The audit log keeps what was done there.

use sqlx::AssertSqlSafe;

use super::{Db, StoreError, retention};

/// Tables with rows of one env, each before those that it refers to. Not among them is what a personal token is for: without its envs
/// it would be for all.
pub const OF_ENV: &[&str] = &[
    "service_token_envs",
    "api_keys",
    "secrets",
    "connections",
    "pointers",
    "pointer_moves",
    "bridge_reports",
    "apply_locks",
    "unfinished_applies",
    "guest_logins",
    "canaries",
    "user_keys",
];

/// Tables with rows of a project, beside its envs and its components.
pub const OF_PROJECT: &[&str] =
    &["release_pins", "release_blobs", "releases", "ceilings", "project_operators", "project_teams", "invites"];

/// Removes an env.
pub async fn env(db: &mut Db, project: &str, env: &str) -> Result<(), StoreError> {
    for table in OF_ENV {
        let sql = format!("DELETE FROM {table} WHERE project = $1 AND env = $2");
        sqlx::query(AssertSqlSafe(sql)).bind(project).bind(env).execute(&mut *db).await?;
    }
    let gone = sqlx::query("DELETE FROM envs WHERE project = $1 AND name = $2");
    gone.bind(project).bind(env).execute(db).await?;
    Ok(())
}

/// Removes a project that has no envs any more. Its components are due to be removed.
pub async fn project(db: &mut Db, project: &str, at: &str) -> Result<(), StoreError> {
    for table in OF_PROJECT {
        let sql = format!("DELETE FROM {table} WHERE project = $1");
        sqlx::query(AssertSqlSafe(sql)).bind(project).execute(&mut *db).await?;
    }
    let blobs = sqlx::query_as::<_, (String,)>("SELECT digest FROM project_blobs WHERE project = $1");
    for (digest,) in blobs.bind(project).fetch_all(&mut *db).await? {
        retention::forget_blob(db, project, &digest, at).await?;
    }
    sqlx::query("DELETE FROM projects WHERE name = $1").bind(project).execute(db).await?;
    Ok(())
}
