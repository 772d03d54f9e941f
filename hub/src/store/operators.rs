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
