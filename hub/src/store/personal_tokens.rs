//! Personal tokens: what people and CI show in place of a session. Of a token only the hash is here.

use super::{Db, StoreError};

/// A personal token without its secret.
#[derive(Clone, Debug)]
pub struct PersonalTokenRow {
    /// `key_…`.
    pub id: String,
    /// Whose it is.
    pub operator: String,
    /// What it is for.
    pub name: String,
    /// The most that it may do: `read`, `deploy` or `admin`.
    pub level: String,
    /// 1 where it was made by who had shown a second factor.
    pub second_factor: i64,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// RFC 3339, UTC.
    pub expires_at: String,
    /// RFC 3339, UTC; to the minute.
    pub last_used_at: Option<String>,
    /// RFC 3339, UTC.
    pub revoked_at: Option<String>,
}

row!(PersonalTokenRow: id, operator, name, level, second_factor, created_at, expires_at, last_used_at, revoked_at);

/// Adds a token with the envs that it is for; none is all.
pub async fn add(db: &mut Db, row: &PersonalTokenRow, hash: &str, envs: &[(String, String)]) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO personal_tokens (id, operator, name, hash, level, second_factor, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(&row.id)
    .bind(&row.operator)
    .bind(&row.name)
    .bind(hash)
    .bind(&row.level)
    .bind(row.second_factor)
    .bind(&row.created_at)
    .bind(&row.expires_at)
    .execute(&mut *db)
    .await?;
    for (project, env) in envs {
        let bound = sqlx::query(
            "INSERT INTO personal_token_envs (token, project, env) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        );
        bound.bind(&row.id).bind(project).bind(env).execute(&mut *db).await?;
    }
    Ok(())
}

/// The token with this hash, where it is not revoked and its operator may work.
pub async fn by_hash(db: &mut Db, hash: &str) -> Result<Option<PersonalTokenRow>, StoreError> {
    let row = sqlx::query_as(
        "SELECT t.id, t.operator, t.name, t.level, t.second_factor, t.created_at, t.expires_at, t.last_used_at, t.revoked_at \
         FROM personal_tokens t JOIN operators o ON o.id = t.operator \
         WHERE t.hash = $1 AND t.revoked_at IS NULL AND o.disabled_at IS NULL",
    );
    Ok(row.bind(hash).fetch_optional(db).await?)
}

/// The envs of a token: project and env, of which `*` is every one.
pub async fn envs(db: &mut Db, id: &str) -> Result<Vec<(String, String)>, StoreError> {
    let rows = sqlx::query_as("SELECT project, env FROM personal_token_envs WHERE token = $1 ORDER BY project, env");
    Ok(rows.bind(id).fetch_all(db).await?)
}

/// The tokens of an operator, those that are over too.
pub async fn list(db: &mut Db, operator: &str) -> Result<Vec<PersonalTokenRow>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT id, operator, name, level, second_factor, created_at, expires_at, last_used_at, revoked_at \
         FROM personal_tokens WHERE operator = $1 ORDER BY created_at, id",
    );
    Ok(rows.bind(operator).fetch_all(db).await?)
}

/// Notes that a token was used.
pub async fn used(db: &mut Db, id: &str, at: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE personal_tokens SET last_used_at = $1 WHERE id = $2").bind(at).bind(id).execute(db).await?;
    Ok(())
}

/// Revokes a token of an operator; false where it has none such that is valid.
pub async fn revoke(db: &mut Db, operator: &str, id: &str, at: &str) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE personal_tokens SET revoked_at = $1 WHERE operator = $2 AND id = $3 AND revoked_at IS NULL",
    );
    Ok(done.bind(at).bind(operator).bind(id).execute(db).await?.rows_affected() == 1)
}

/// Revokes every token of an operator.
pub async fn revoke_all(db: &mut Db, operator: &str, at: &str) -> Result<(), StoreError> {
    let done = sqlx::query("UPDATE personal_tokens SET revoked_at = $1 WHERE operator = $2 AND revoked_at IS NULL");
    done.bind(at).bind(operator).execute(db).await?;
    Ok(())
}

/// Forgets the tokens of an operator that have been over since before a time.
pub async fn forget(db: &mut Db, operator: &str, before: &str) -> Result<(), StoreError> {
    let done = sqlx::query("DELETE FROM personal_tokens WHERE operator = $1 AND (expires_at < $2 OR revoked_at < $2)");
    done.bind(operator).bind(before).execute(db).await?;
    Ok(())
}

/// No token of an operator counts as made with a second factor any more.
pub async fn clear_second_factor(db: &mut Db, operator: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE personal_tokens SET second_factor = 0 WHERE operator = $1").bind(operator).execute(db).await?;
    Ok(())
}
