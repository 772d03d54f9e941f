//! Sessions of operators: a login, and the tokens that came of it. Of a token only the hash is here.

use super::{Db, StoreError, envs::now};

/// A session.
#[derive(Clone, Debug)]
pub struct SessionRow {
    /// `ses_…`.
    pub id: String,
    /// `op_…`.
    pub operator: String,
    /// 1 where a code of the second factor was shown.
    pub second_factor: i64,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// RFC 3339, UTC; whatever is refreshed.
    pub expires_at: String,
}

row!(SessionRow: id, operator, second_factor, created_at, expires_at);

/// A token that was shown, with its session and operator.
#[derive(Clone, Debug)]
pub struct TokenRow {
    /// `ses_…`.
    pub session: String,
    /// `op_…`.
    pub operator: String,
    /// 1 where a code of the second factor was shown.
    pub second_factor: i64,
    /// The earlier of the token's end and the session's.
    pub expires_at: String,
    /// When a refresh token was used.
    pub used_at: Option<String>,
}

row!(TokenRow: session, operator, second_factor, expires_at, used_at);

/// Opens a session.
pub async fn add(db: &mut Db, row: &SessionRow) -> Result<(), StoreError> {
    let done = sqlx::query(
        "INSERT INTO sessions (id, operator, second_factor, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)",
    );
    let done = done.bind(&row.id).bind(&row.operator).bind(row.second_factor).bind(&row.created_at);
    done.bind(&row.expires_at).execute(db).await?;
    Ok(())
}

/// Gives a session a token of a kind, `access` or `refresh`.
pub async fn add_token(db: &mut Db, session: &str, kind: &str, hash: &str, expires_at: &str) -> Result<(), StoreError> {
    let done = sqlx::query("INSERT INTO session_tokens (hash, session, kind, expires_at) VALUES ($1, $2, $3, $4)");
    done.bind(hash).bind(session).bind(kind).bind(expires_at).execute(db).await?;
    Ok(())
}

/// The token of a kind with this hash, where its session has not ended and its operator may work.
pub async fn token(db: &mut Db, kind: &str, hash: &str) -> Result<Option<TokenRow>, StoreError> {
    let row = sqlx::query_as(
        "SELECT t.session, s.operator, s.second_factor, \
         CASE WHEN t.expires_at < s.expires_at THEN t.expires_at ELSE s.expires_at END AS expires_at, t.used_at \
         FROM session_tokens t JOIN sessions s ON s.id = t.session JOIN operators o ON o.id = s.operator \
         WHERE t.hash = $1 AND t.kind = $2 AND s.ended_at IS NULL AND o.disabled_at IS NULL",
    );
    Ok(row.bind(hash).bind(kind).fetch_optional(db).await?)
}

/// Notes that a refresh token was used; false where it was before.
pub async fn use_token(db: &mut Db, hash: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("UPDATE session_tokens SET used_at = $1 WHERE hash = $2 AND used_at IS NULL");
    Ok(done.bind(now()).bind(hash).execute(db).await?.rows_affected() == 1)
}

/// Notes that a session's operator has shown a second factor.
pub async fn set_second_factor(db: &mut Db, session: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE sessions SET second_factor = 1 WHERE id = $1").bind(session).execute(db).await?;
    Ok(())
}

/// Ends a session and forgets its tokens.
pub async fn end(db: &mut Db, session: &str) -> Result<(), StoreError> {
    let ended = sqlx::query("UPDATE sessions SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL");
    ended.bind(now()).bind(session).execute(&mut *db).await?;
    sqlx::query("DELETE FROM session_tokens WHERE session = $1").bind(session).execute(db).await?;
    Ok(())
}

/// Ends all sessions of an operator but one.
pub async fn end_others(db: &mut Db, operator: &str, but: Option<&str>) -> Result<(), StoreError> {
    for session in open(db, operator).await? {
        if but != Some(session.id.as_str()) {
            end(db, &session.id).await?;
        }
    }
    Ok(())
}

/// The sessions of an operator that have not ended, the newest first.
pub async fn open(db: &mut Db, operator: &str) -> Result<Vec<SessionRow>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT id, operator, second_factor, created_at, expires_at FROM sessions \
         WHERE operator = $1 AND ended_at IS NULL ORDER BY created_at DESC, id DESC",
    );
    Ok(rows.bind(operator).fetch_all(db).await?)
}

/// Forgets what no one can use any more: tokens that are over, and with them what their sessions were.
pub async fn forget(db: &mut Db, operator: &str, before: &str) -> Result<(), StoreError> {
    let tokens = sqlx::query(
        "DELETE FROM session_tokens WHERE expires_at < $1 AND session IN (SELECT id FROM sessions WHERE operator = $2)",
    );
    tokens.bind(before).bind(operator).execute(&mut *db).await?;
    let sessions = sqlx::query("DELETE FROM sessions WHERE operator = $1 AND (expires_at < $2 OR ended_at < $2)");
    sessions.bind(operator).bind(before).execute(db).await?;
    Ok(())
}

/// Nobody's session of an operator has shown a second factor any more.
pub async fn clear_second_factor(db: &mut Db, operator: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE sessions SET second_factor = 0 WHERE operator = $1").bind(operator).execute(db).await?;
    Ok(())
}
