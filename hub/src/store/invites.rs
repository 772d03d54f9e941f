//! Invites into orgs and projects. Of the secret that is sent only the hash is here.

use super::{Db, StoreError};

/// An invite without its secret.
#[derive(Clone, Debug)]
pub struct InviteRow {
    /// `inv_…`.
    pub id: String,
    /// Into which org,
    pub org: String,
    /// and as what.
    pub org_role: String,
    /// A project of it, where the invite is into one,
    pub project: Option<String>,
    /// and as what.
    pub project_role: Option<String>,
    /// Whom.
    pub email: String,
    /// `op_…`.
    pub invited_by: String,
    /// RFC 3339, UTC.
    pub created_at: String,
    /// RFC 3339, UTC.
    pub expires_at: String,
    /// RFC 3339, UTC.
    pub used_at: Option<String>,
}

row!(InviteRow: id, org, org_role, project, project_role, email, invited_by, created_at, expires_at, used_at);

/// Adds an invite.
pub async fn add(db: &mut Db, row: &InviteRow, hash: &str) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO invites (id, hash, org, org_role, project, project_role, email, invited_by, created_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(&row.id)
    .bind(hash)
    .bind(&row.org)
    .bind(&row.org_role)
    .bind(&row.project)
    .bind(&row.project_role)
    .bind(&row.email)
    .bind(&row.invited_by)
    .bind(&row.created_at)
    .bind(&row.expires_at)
    .execute(db)
    .await?;
    Ok(())
}

/// The invite with this hash, used or not.
pub async fn by_hash(db: &mut Db, hash: &str) -> Result<Option<InviteRow>, StoreError> {
    let row = sqlx::query_as(
        "SELECT id, org, org_role, project, project_role, email, invited_by, created_at, expires_at, used_at \
         FROM invites WHERE hash = $1",
    );
    Ok(row.bind(hash).fetch_optional(db).await?)
}

/// The invites into an org that can still be used.
pub async fn open(db: &mut Db, org: &str, now: &str) -> Result<Vec<InviteRow>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT id, org, org_role, project, project_role, email, invited_by, created_at, expires_at, used_at \
         FROM invites WHERE org = $1 AND used_at IS NULL AND expires_at > $2 ORDER BY created_at, id",
    );
    Ok(rows.bind(org).bind(now).fetch_all(db).await?)
}

/// Uses an invite; false where it was used.
pub async fn use_up(db: &mut Db, id: &str, at: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("UPDATE invites SET used_at = $1 WHERE id = $2 AND used_at IS NULL").bind(at).bind(id);
    Ok(done.execute(db).await?.rows_affected() == 1)
}

/// Takes an invite into an org back; false where there is none that can be used.
pub async fn delete(db: &mut Db, org: &str, id: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM invites WHERE org = $1 AND id = $2 AND used_at IS NULL").bind(org).bind(id);
    Ok(done.execute(db).await?.rows_affected() == 1)
}

/// Takes back what somebody has invited into an org: who leaves it lets nobody in.
pub async fn delete_of(db: &mut Db, org: &str, operator: &str) -> Result<(), StoreError> {
    let done = sqlx::query("DELETE FROM invites WHERE org = $1 AND invited_by = $2 AND used_at IS NULL");
    done.bind(org).bind(operator).execute(db).await?;
    Ok(())
}

/// Forgets the invites of an org that have been over since before a time.
pub async fn forget(db: &mut Db, org: &str, before: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM invites WHERE org = $1 AND expires_at < $2").bind(org).bind(before).execute(db).await?;
    Ok(())
}
