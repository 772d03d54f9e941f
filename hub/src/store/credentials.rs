//! API keys, tokens and signing keys: hashes of what others hold, and sealed what the Hub itself holds.

use super::{Db, StoreError};

/// An API key without its secret.
#[derive(Clone, Debug)]
pub struct ApiKeyRow {
    /// The part before the dot.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// SHA-256 of the secret part.
    pub hash: String,
    /// A JSON list.
    pub roles: String,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// RFC 3339, UTC.
    pub expires_at: Option<String>,
    /// RFC 3339, UTC.
    pub revoked_at: Option<String>,
    /// RFC 3339, UTC, to the minute, as Bridges said.
    pub last_used_at: Option<String>,
}

row!(ApiKeyRow: id, name, hash, roles, created_at, expires_at, revoked_at, last_used_at);

/// A service token without its secret: id, name, time.
pub type ServiceTokenRow = (String, String, String);

/// A signing key.
#[derive(Clone, Debug)]
pub struct SigningKeyRow {
    /// Of its public half.
    pub id: String,
    /// As text.
    pub public: String,
    /// Sealed; once it is retired, a sealed proof that the public half was the Hub's.
    pub private: Vec<u8>,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// Since when another one is the current key.
    pub replaced_at: Option<String>,
    /// Since when it signs no more.
    pub retired_at: Option<String>,
}

row!(SigningKeyRow: id, public, private, created_at, replaced_at, retired_at);

/// How many keys of a project are not revoked.
pub async fn count_api_keys(db: &mut Db, project: &str) -> Result<i64, StoreError> {
    let count = sqlx::query_as::<_, (i64,)>("SELECT count(*) FROM api_keys WHERE project = $1 AND revoked_at IS NULL");
    Ok(count.bind(project).fetch_one(db).await?.0)
}

/// Adds a key, also in the place of a revoked one of the same env; false where the id is taken.
pub async fn add_api_key(db: &mut Db, project: &str, env: &str, row: &ApiKeyRow) -> Result<bool, StoreError> {
    let replace =
        sqlx::query("DELETE FROM api_keys WHERE id = $1 AND project = $2 AND env = $3 AND revoked_at IS NOT NULL");
    replace.bind(&row.id).bind(project).bind(env).execute(&mut *db).await?;
    let done = sqlx::query(
        "INSERT INTO api_keys (id, project, env, name, hash, roles, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) \
         ON CONFLICT DO NOTHING",
    );
    let done = done.bind(&row.id).bind(project).bind(env).bind(&row.name).bind(&row.hash).bind(&row.roles);
    Ok(done.bind(&row.created_at).bind(&row.expires_at).execute(db).await?.rows_affected() == 1)
}

/// The keys of an env, revoked ones too.
pub async fn api_keys(db: &mut Db, project: &str, env: &str) -> Result<Vec<ApiKeyRow>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT id, name, hash, roles, created_at, expires_at, revoked_at, last_used_at FROM api_keys \
         WHERE project = $1 AND env = $2 ORDER BY created_at, id",
    );
    Ok(rows.bind(project).bind(env).fetch_all(db).await?)
}

/// Notes that a key was used, unless it is known to have been used later.
pub async fn note_use(db: &mut Db, project: &str, env: &str, id: &str, at: &str) -> Result<(), StoreError> {
    let done = sqlx::query(
        "UPDATE api_keys SET last_used_at = $1 WHERE project = $2 AND env = $3 AND id = $4 \
         AND (last_used_at IS NULL OR last_used_at < $1)",
    );
    done.bind(at).bind(project).bind(env).bind(id).execute(db).await?;
    Ok(())
}

/// Revokes a key; false where there is none that is valid.
pub async fn revoke_api_key(db: &mut Db, project: &str, env: &str, id: &str, at: &str) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "UPDATE api_keys SET revoked_at = $1 WHERE project = $2 AND env = $3 AND id = $4 AND revoked_at IS NULL",
    );
    Ok(done.bind(at).bind(project).bind(env).bind(id).execute(db).await?.rows_affected() == 1)
}

/// Adds a service token with the envs that it is for.
pub async fn add_service_token(
    db: &mut Db,
    row: &ServiceTokenRow,
    hash: &str,
    envs: &[(String, String)],
) -> Result<(), StoreError> {
    let token = sqlx::query("INSERT INTO service_tokens (id, name, created_at, hash) VALUES ($1, $2, $3, $4)");
    token.bind(&row.0).bind(&row.1).bind(&row.2).bind(hash).execute(&mut *db).await?;
    for (project, env) in envs {
        let bound = sqlx::query(
            "INSERT INTO service_token_envs (token, project, env) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        );
        bound.bind(&row.0).bind(project).bind(env).execute(&mut *db).await?;
    }
    Ok(())
}

/// All service tokens.
pub async fn service_tokens(db: &mut Db) -> Result<Vec<ServiceTokenRow>, StoreError> {
    Ok(sqlx::query_as("SELECT id, name, created_at FROM service_tokens ORDER BY created_at, id").fetch_all(db).await?)
}

/// The envs of a service token.
pub async fn service_token_envs(db: &mut Db, id: &str) -> Result<Vec<(String, String)>, StoreError> {
    let rows = sqlx::query_as("SELECT project, env FROM service_token_envs WHERE token = $1 ORDER BY project, env");
    Ok(rows.bind(id).fetch_all(db).await?)
}

/// Removes a service token; false where there is none.
pub async fn delete_service_token(db: &mut Db, id: &str) -> Result<bool, StoreError> {
    Ok(sqlx::query("DELETE FROM service_tokens WHERE id = $1").bind(id).execute(db).await?.rows_affected() == 1)
}

/// The id of the service token with this hash.
pub async fn service_token_by_hash(db: &mut Db, hash: &str) -> Result<Option<String>, StoreError> {
    let found = sqlx::query_as::<_, (String,)>("SELECT id FROM service_tokens WHERE hash = $1")
        .bind(hash)
        .fetch_optional(db)
        .await?;
    Ok(found.map(|(id,)| id))
}

/// The id of the operator with this token's hash.
pub async fn operator_by_hash(db: &mut Db, hash: &str) -> Result<Option<String>, StoreError> {
    let found = sqlx::query_as::<_, (String,)>("SELECT id FROM operator_tokens WHERE hash = $1")
        .bind(hash)
        .fetch_optional(db)
        .await?;
    Ok(found.map(|(id,)| id))
}

/// The operator of the first token, whichever it is now.
pub async fn first_operator(db: &mut Db) -> Result<Option<String>, StoreError> {
    let found = sqlx::query_as::<_, (String,)>("SELECT id FROM operator_tokens").fetch_optional(db).await?;
    Ok(found.map(|(id,)| id))
}

/// Makes this the first operator's only token; true where it was not.
pub async fn set_operator(db: &mut Db, id: &str, hash: &str, at: &str) -> Result<bool, StoreError> {
    if operator_by_hash(db, hash).await?.is_some() {
        return Ok(false);
    }
    sqlx::query("DELETE FROM operator_tokens").execute(&mut *db).await?;
    let done = sqlx::query("INSERT INTO operator_tokens (id, hash, created_at) VALUES ($1, $2, $3)")
        .bind(id)
        .bind(hash)
        .bind(at);
    done.execute(db).await?;
    Ok(true)
}

/// All signing keys: the current one, those that sign beside it, the retired ones.
pub async fn signing_keys(db: &mut Db) -> Result<Vec<SigningKeyRow>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT id, public, private, created_at, replaced_at, retired_at FROM signing_keys ORDER BY \
         CASE WHEN retired_at IS NULL THEN 0 ELSE 1 END, CASE WHEN replaced_at IS NULL THEN 0 ELSE 1 END, created_at DESC, id",
    );
    Ok(rows.fetch_all(db).await?)
}

/// Adds a signing key.
pub async fn add_signing_key(db: &mut Db, row: &SigningKeyRow) -> Result<(), StoreError> {
    let done = sqlx::query("INSERT INTO signing_keys (id, public, private, created_at) VALUES ($1, $2, $3, $4)");
    done.bind(&row.id).bind(&row.public).bind(&row.private).bind(&row.created_at).execute(db).await?;
    Ok(())
}

/// Whatever key is current, it is no more.
pub async fn replace_signing_keys(db: &mut Db, at: &str) -> Result<(), StoreError> {
    let done = sqlx::query("UPDATE signing_keys SET replaced_at = $1 WHERE replaced_at IS NULL");
    done.bind(at).execute(db).await?;
    Ok(())
}

/// Forgets the private half of a key; a sealed proof that it was the Hub's takes its place.
pub async fn retire_signing_key(db: &mut Db, id: &str, at: &str, proof: &[u8]) -> Result<(), StoreError> {
    let done = sqlx::query("UPDATE signing_keys SET retired_at = $1, private = $2 WHERE id = $3");
    done.bind(at).bind(proof).bind(id).execute(db).await?;
    Ok(())
}
