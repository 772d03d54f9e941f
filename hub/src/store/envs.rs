//! Projects, envs, and what belongs to an env: connections and secrets, both sealed.

use super::{Db, StoreError};
use chrono::{SecondsFormat, Utc};

/// A name and when it was made or changed.
pub type Dated = (String, String);

/// A connection as it is kept.
#[derive(Clone, Debug)]
pub struct ConnectionRow {
    /// Its name.
    pub name: String,
    /// `sqlite`, `postgres` or `mysql`.
    pub engine: String,
    /// Sealed; for the Bridge.
    pub url: Vec<u8>,
    /// Sealed; for the Hub, if it is another.
    pub admin_url: Option<Vec<u8>>,
    /// What may be shown of the URL.
    pub masked: String,
    /// RFC 3339, UTC.
    pub updated_at: String,
}

row!(ConnectionRow: name, engine, url, admin_url, masked, updated_at);

/// The time, as everything here writes it.
pub fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// How many projects there are, of all orgs.
pub async fn count_all_projects(db: &mut Db) -> Result<i64, StoreError> {
    Ok(sqlx::query_as::<_, (i64,)>("SELECT count(*) FROM projects").fetch_one(db).await?.0)
}

/// How many projects an org has.
pub async fn count_projects(db: &mut Db, org: &str) -> Result<i64, StoreError> {
    let count = sqlx::query_as::<_, (i64,)>("SELECT count(*) FROM projects WHERE org = $1");
    Ok(count.bind(org).fetch_one(db).await?.0)
}

/// Adds a project to an org; false where it exists, in whichever.
pub async fn add_project(db: &mut Db, org: &str, name: &str, at: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("INSERT INTO projects (name, org, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING");
    Ok(done.bind(name).bind(org).bind(at).execute(db).await?.rows_affected() == 1)
}

/// The projects in which an operator has a role: name, org, time.
pub async fn projects_of(db: &mut Db, operator: &str) -> Result<Vec<(String, String, String)>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT p.name, p.org, p.created_at FROM projects p JOIN org_members m ON m.org = p.org AND m.operator = $1 \
         WHERE m.role IN ('owner', 'admin') \
         OR EXISTS (SELECT 1 FROM project_operators o WHERE o.project = p.name AND o.operator = m.operator) \
         OR EXISTS (SELECT 1 FROM project_teams t JOIN team_members tm ON tm.org = t.org AND tm.team = t.team \
         WHERE t.project = p.name AND tm.operator = m.operator) ORDER BY p.name",
    );
    Ok(rows.bind(operator).fetch_all(db).await?)
}

/// The org of a project; none where there is no such project.
pub async fn org_of(db: &mut Db, project: &str) -> Result<Option<String>, StoreError> {
    let found = sqlx::query_as::<_, (String,)>("SELECT org FROM projects WHERE name = $1").bind(project);
    Ok(found.fetch_optional(db).await?.map(|(org,)| org))
}

/// Whether a project exists.
pub async fn has_project(db: &mut Db, name: &str) -> Result<bool, StoreError> {
    Ok(sqlx::query("SELECT 1 FROM projects WHERE name = $1").bind(name).fetch_optional(db).await?.is_some())
}

/// Adds an env; false where it exists.
pub async fn add_env(db: &mut Db, project: &str, name: &str, at: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("INSERT INTO envs (project, name, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING");
    Ok(done.bind(project).bind(name).bind(at).execute(db).await?.rows_affected() == 1)
}

/// The envs of a project.
pub async fn envs(db: &mut Db, project: &str) -> Result<Vec<Dated>, StoreError> {
    Ok(sqlx::query_as("SELECT name, created_at FROM envs WHERE project = $1 ORDER BY name")
        .bind(project)
        .fetch_all(db)
        .await?)
}

/// Whether what an env runs wants a second factor.
pub async fn is_protected(db: &mut Db, project: &str, env: &str) -> Result<bool, StoreError> {
    let found = sqlx::query("SELECT 1 FROM envs WHERE project = $1 AND name = $2 AND protected = 1");
    Ok(found.bind(project).bind(env).fetch_optional(db).await?.is_some())
}

/// Says so; false where there is no such env.
pub async fn set_protected(db: &mut Db, project: &str, env: &str, is_protected: bool) -> Result<bool, StoreError> {
    let done = sqlx::query("UPDATE envs SET protected = $1 WHERE project = $2 AND name = $3");
    let done = done.bind(i64::from(is_protected)).bind(project).bind(env);
    Ok(done.execute(db).await?.rows_affected() == 1)
}

/// What Bridges of an env sign uploads with, sealed; none where it has none yet.
pub async fn storage_key(db: &mut Db, project: &str, env: &str) -> Result<Option<Vec<u8>>, StoreError> {
    let found =
        sqlx::query_as::<_, (Option<Vec<u8>>,)>("SELECT storage_key FROM envs WHERE project = $1 AND name = $2");
    Ok(found.bind(project).bind(env).fetch_optional(db).await?.and_then(|(key,)| key))
}

/// Gives it to an env. One that has one keeps it.
pub async fn set_storage_key(db: &mut Db, project: &str, env: &str, sealed: &[u8]) -> Result<(), StoreError> {
    let done = sqlx::query("UPDATE envs SET storage_key = $1 WHERE project = $2 AND name = $3 AND storage_key IS NULL");
    done.bind(sealed).bind(project).bind(env).execute(db).await?;
    Ok(())
}

/// Envs without one: those of a version before there were any.
pub async fn without_storage_key(db: &mut Db) -> Result<Vec<(String, String)>, StoreError> {
    let rows = sqlx::query_as("SELECT project, name FROM envs WHERE storage_key IS NULL ORDER BY project, name");
    Ok(rows.fetch_all(db).await?)
}

/// Whether an env exists.
pub async fn has_env(db: &mut Db, project: &str, env: &str) -> Result<bool, StoreError> {
    let found = sqlx::query("SELECT 1 FROM envs WHERE project = $1 AND name = $2").bind(project).bind(env);
    Ok(found.fetch_optional(db).await?.is_some())
}

/// How many connection names a project has besides this one.
pub async fn count_other_connections(db: &mut Db, project: &str, name: &str) -> Result<i64, StoreError> {
    let count =
        sqlx::query_as::<_, (i64,)>("SELECT count(DISTINCT name) FROM connections WHERE project = $1 AND name <> $2");
    Ok(count.bind(project).bind(name).fetch_one(db).await?.0)
}

/// Adds or replaces a connection.
pub async fn set_connection(db: &mut Db, project: &str, env: &str, row: &ConnectionRow) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO connections (project, env, name, engine, url, admin_url, masked, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT (project, env, name) DO UPDATE SET engine = excluded.engine, url = excluded.url, \
         admin_url = excluded.admin_url, masked = excluded.masked, updated_at = excluded.updated_at",
    )
    .bind(project)
    .bind(env)
    .bind(&row.name)
    .bind(&row.engine)
    .bind(&row.url)
    .bind(&row.admin_url)
    .bind(&row.masked)
    .bind(&row.updated_at)
    .execute(db)
    .await?;
    Ok(())
}

/// The connections of an env.
pub async fn connections(db: &mut Db, project: &str, env: &str) -> Result<Vec<ConnectionRow>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT name, engine, url, admin_url, masked, updated_at FROM connections WHERE project = $1 AND env = $2 ORDER BY name",
    );
    Ok(rows.bind(project).bind(env).fetch_all(db).await?)
}

/// Removes a connection; false where there is none.
pub async fn delete_connection(db: &mut Db, project: &str, env: &str, name: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM connections WHERE project = $1 AND env = $2 AND name = $3")
        .bind(project)
        .bind(env)
        .bind(name);
    Ok(done.execute(db).await?.rows_affected() == 1)
}

/// Adds or replaces a sealed secret.
pub async fn set_secret(
    db: &mut Db,
    (project, env, name): (&str, &str, &str),
    value: &[u8],
    at: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO secrets (project, env, name, value, updated_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (project, env, name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
    )
    .bind(project)
    .bind(env)
    .bind(name)
    .bind(value)
    .bind(at)
    .execute(db)
    .await?;
    Ok(())
}

/// The secrets of an env, sealed: name, value, time.
pub async fn secrets(db: &mut Db, project: &str, env: &str) -> Result<Vec<(String, Vec<u8>, String)>, StoreError> {
    let rows =
        sqlx::query_as("SELECT name, value, updated_at FROM secrets WHERE project = $1 AND env = $2 ORDER BY name");
    Ok(rows.bind(project).bind(env).fetch_all(db).await?)
}

/// Removes a secret; false where there is none.
pub async fn delete_secret(db: &mut Db, project: &str, env: &str, name: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM secrets WHERE project = $1 AND env = $2 AND name = $3")
        .bind(project)
        .bind(env)
        .bind(name);
    Ok(done.execute(db).await?.rows_affected() == 1)
}
