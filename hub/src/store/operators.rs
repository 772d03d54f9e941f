//! Operators: people who work with the Hub. What proves who they are is here hashed or sealed.

use super::{Db, StoreError};

/// An operator as it is kept.
#[derive(Clone, Debug)]
pub struct OperatorRow {
    /// `op_…`.
    pub id: String,
    /// Lower case; none for the operator of the Hub's first token.
    pub email: Option<String>,
    /// For people.
    pub name: String,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// RFC 3339, UTC; since when the operator may do nothing.
    pub disabled_at: Option<String>,
}

row!(OperatorRow: id, email, name, created_at, disabled_at);

/// Adds an operator; false where the email is taken.
pub async fn add(db: &mut Db, row: &OperatorRow) -> Result<bool, StoreError> {
    let done = sqlx::query(
        "INSERT INTO operators (id, email, name, created_at, disabled_at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    );
    let done = done.bind(&row.id).bind(&row.email).bind(&row.name).bind(&row.created_at).bind(&row.disabled_at);
    Ok(done.execute(db).await?.rows_affected() == 1)
}

/// An operator.
pub async fn by_id(db: &mut Db, id: &str) -> Result<Option<OperatorRow>, StoreError> {
    let row = sqlx::query_as("SELECT id, email, name, created_at, disabled_at FROM operators WHERE id = $1");
    Ok(row.bind(id).fetch_optional(db).await?)
}

/// What proves who an operator is.
#[derive(Clone, Debug)]
pub struct ProofRow {
    /// `op_…`.
    pub id: String,
    /// A hash in PHC form; none where the operator cannot log in.
    pub password: Option<String>,
    /// Sealed.
    pub totp: Option<Vec<u8>>,
    /// Since when codes of it are asked for; none while it is being set up.
    pub totp_confirmed_at: Option<String>,
    /// The step of the last code that was taken.
    pub totp_step: i64,
}

row!(ProofRow: id, password, totp, totp_confirmed_at, totp_step);

/// What proves who the operator with this email is; none where there is none who may work.
pub async fn proof_by_email(db: &mut Db, email: &str) -> Result<Option<ProofRow>, StoreError> {
    let row = sqlx::query_as(
        "SELECT id, password, totp, totp_confirmed_at, totp_step FROM operators WHERE email = $1 AND disabled_at IS NULL",
    );
    Ok(row.bind(email).fetch_optional(db).await?)
}

/// What proves who an operator is.
pub async fn proof(db: &mut Db, id: &str) -> Result<Option<ProofRow>, StoreError> {
    let row = sqlx::query_as(
        "SELECT id, password, totp, totp_confirmed_at, totp_step FROM operators WHERE id = $1 AND disabled_at IS NULL",
    );
    Ok(row.bind(id).fetch_optional(db).await?)
}

/// All operators.
pub async fn list(db: &mut Db) -> Result<Vec<OperatorRow>, StoreError> {
    let rows = sqlx::query_as("SELECT id, email, name, created_at, disabled_at FROM operators ORDER BY created_at, id");
    Ok(rows.fetch_all(db).await?)
}

/// Whether anybody can log in.
pub async fn has_password(db: &mut Db) -> Result<bool, StoreError> {
    let found = sqlx::query("SELECT 1 FROM operators WHERE password IS NOT NULL LIMIT 1");
    Ok(found.fetch_optional(db).await?.is_some())
}

/// Whether an email is an operator's, also of one who may not work.
pub async fn has_email(db: &mut Db, email: &str) -> Result<bool, StoreError> {
    let found = sqlx::query("SELECT 1 FROM operators WHERE email = $1").bind(email);
    Ok(found.fetch_optional(db).await?.is_some())
}

/// Sets the hash of an operator's password.
pub async fn set_password(db: &mut Db, id: &str, hash: &str) -> Result<(), StoreError> {
    sqlx::query("UPDATE operators SET password = $1 WHERE id = $2").bind(hash).bind(id).execute(db).await?;
    Ok(())
}

/// Begins to set up a second factor; one that is confirmed stays, and this is false.
pub async fn set_totp(db: &mut Db, id: &str, sealed: &[u8]) -> Result<bool, StoreError> {
    let done = sqlx::query("UPDATE operators SET totp = $1, totp_step = 0 WHERE id = $2 AND totp_confirmed_at IS NULL");
    Ok(done.bind(sealed).bind(id).execute(db).await?.rows_affected() == 1)
}

/// From now on its codes are asked for; with the hashes of the codes that stand in for it.
pub async fn confirm_totp(db: &mut Db, id: &str, at: &str, recovery: &[String]) -> Result<(), StoreError> {
    let done = sqlx::query("UPDATE operators SET totp_confirmed_at = $1 WHERE id = $2").bind(at).bind(id);
    done.execute(&mut *db).await?;
    for hash in recovery {
        let code = sqlx::query("INSERT INTO recovery_codes (operator, hash) VALUES ($1, $2) ON CONFLICT DO NOTHING");
        code.bind(id).bind(hash).execute(&mut *db).await?;
    }
    Ok(())
}

/// Ends a second factor.
pub async fn clear_totp(db: &mut Db, id: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM recovery_codes WHERE operator = $1").bind(id).execute(&mut *db).await?;
    let done = sqlx::query("UPDATE operators SET totp = NULL, totp_confirmed_at = NULL, totp_step = 0 WHERE id = $1");
    done.bind(id).execute(db).await?;
    Ok(())
}

/// Takes the code of a step; false where one of it or a later one was taken.
pub async fn use_step(db: &mut Db, id: &str, step: i64) -> Result<bool, StoreError> {
    let done = sqlx::query("UPDATE operators SET totp_step = $1 WHERE id = $2 AND totp_step < $1");
    Ok(done.bind(step).bind(id).execute(db).await?.rows_affected() == 1)
}

/// Takes a recovery code; false where there is none such.
pub async fn use_recovery(db: &mut Db, id: &str, hash: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM recovery_codes WHERE operator = $1 AND hash = $2").bind(id).bind(hash);
    Ok(done.execute(db).await?.rows_affected() == 1)
}

/// How many recovery codes are left.
pub async fn count_recovery(db: &mut Db, id: &str) -> Result<i64, StoreError> {
    let count = sqlx::query_as::<_, (i64,)>("SELECT count(*) FROM recovery_codes WHERE operator = $1");
    Ok(count.bind(id).fetch_one(db).await?.0)
}

/// From now on the operator may do nothing, or, without a time, may work again.
pub async fn set_disabled(db: &mut Db, id: &str, at: Option<&str>) -> Result<(), StoreError> {
    sqlx::query("UPDATE operators SET disabled_at = $1 WHERE id = $2").bind(at).bind(id).execute(db).await?;
    Ok(())
}
