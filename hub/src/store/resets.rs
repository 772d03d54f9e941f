//! Codes with which operators who have lost their password or second factor come in again. Of a code only the hash is here.

use super::{Db, StoreError};

/// Keeps the hash of an operator's code, in place of the one before.
pub async fn set(
    db: &mut Db,
    (operator, hash): (&str, &str),
    made_by: &str,
    (created_at, expires_at): (&str, &str),
) -> Result<(), StoreError> {
    let done = sqlx::query(
        "INSERT INTO operator_resets (operator, hash, made_by, created_at, expires_at) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (operator) DO UPDATE SET hash = excluded.hash, made_by = excluded.made_by, \
         created_at = excluded.created_at, expires_at = excluded.expires_at",
    );
    done.bind(operator).bind(hash).bind(made_by).bind(created_at).bind(expires_at).execute(db).await?;
    Ok(())
}

/// Whose code has this hash, and until when it can be used; none where its operator may not work.
pub async fn by_hash(db: &mut Db, hash: &str) -> Result<Option<(String, String)>, StoreError> {
    let row = sqlx::query_as(
        "SELECT r.operator, r.expires_at FROM operator_resets r JOIN operators o ON o.id = r.operator \
         WHERE r.hash = $1 AND o.disabled_at IS NULL",
    );
    Ok(row.bind(hash).fetch_optional(db).await?)
}

/// Uses an operator's code up.
pub async fn remove(db: &mut Db, operator: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM operator_resets WHERE operator = $1").bind(operator).execute(db).await?;
    Ok(())
}
