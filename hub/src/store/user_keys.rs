//! The keys that tokens of end users are signed with, of each env: public halves as text, private halves sealed.

use super::{Db, StoreError};

/// A key.
#[derive(Clone, Debug)]
pub struct UserKeyRow {
    /// Of its public half.
    pub id: String,
    /// As text.
    pub public: String,
    /// Sealed.
    pub private: Vec<u8>,
    /// RFC 3339, UTC, as everything here.
    pub created_at: String,
    /// Before that, the key that it replaces goes on signing.
    pub signs_from: String,
    /// When nothing that it has signed is good any more; none: it is the current key.
    pub ends_at: Option<String>,
}

row!(UserKeyRow: id, public, private, created_at, signs_from, ends_at);

/// Adds a key.
pub async fn add(db: &mut Db, project: &str, env: &str, row: &UserKeyRow) -> Result<(), StoreError> {
    let done = sqlx::query(
        "INSERT INTO user_keys (project, env, id, public, private, created_at, signs_from, ends_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    );
    let done = done.bind(project).bind(env).bind(&row.id).bind(&row.public).bind(&row.private);
    done.bind(&row.created_at).bind(&row.signs_from).bind(&row.ends_at).execute(db).await?;
    Ok(())
}

/// The keys of an env, the current one first, then from the newest.
pub async fn of_env(db: &mut Db, project: &str, env: &str) -> Result<Vec<UserKeyRow>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT id, public, private, created_at, signs_from, ends_at FROM user_keys WHERE project = $1 AND env = $2 \
         ORDER BY CASE WHEN ends_at IS NULL THEN 0 ELSE 1 END, created_at DESC, id",
    );
    Ok(rows.bind(project).bind(env).fetch_all(db).await?)
}

/// Says when a key ends.
pub async fn set_end(db: &mut Db, project: &str, env: &str, id: &str, at: &str) -> Result<(), StoreError> {
    let done = sqlx::query("UPDATE user_keys SET ends_at = $1 WHERE project = $2 AND env = $3 AND id = $4");
    done.bind(at).bind(project).bind(env).bind(id).execute(db).await?;
    Ok(())
}

/// Forgets a key, with its private half.
pub async fn remove(db: &mut Db, project: &str, env: &str, id: &str) -> Result<(), StoreError> {
    let done = sqlx::query("DELETE FROM user_keys WHERE project = $1 AND env = $2 AND id = $3");
    done.bind(project).bind(env).bind(id).execute(db).await?;
    Ok(())
}

/// Envs without a current key: those of a version before there were any.
pub async fn envs_without(db: &mut Db) -> Result<Vec<(String, String)>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT e.project, e.name FROM envs e WHERE NOT EXISTS \
         (SELECT 1 FROM user_keys k WHERE k.project = e.project AND k.env = e.name AND k.ends_at IS NULL) \
         ORDER BY e.project, e.name",
    );
    Ok(rows.fetch_all(db).await?)
}
