//! Who applies to an env now. A lock is lent: who does not renew it in time has lost it, so that a Hub that was killed blocks
//! nobody for long.

use super::{Db, StoreError, clock};

/// How long a lock is lent, in milliseconds.
const LENT_FOR_MS: i64 = 30_000;

/// Takes the lock of an env for an owner; false where somebody has it.
pub async fn take(db: &mut Db, project: &str, env: &str, owner: &str) -> Result<bool, StoreError> {
    let time = clock(db).await?;
    let expired = sqlx::query("DELETE FROM apply_locks WHERE project = $1 AND env = $2 AND expires_at <= $3");
    expired.bind(project).bind(env).bind(time).execute(&mut *db).await?;
    let done = sqlx::query(
        "INSERT INTO apply_locks (project, env, owner, expires_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    );
    let done = done.bind(project).bind(env).bind(owner).bind(time + LENT_FOR_MS);
    Ok(done.execute(db).await?.rows_affected() == 1)
}

/// Whether an owner has the lock still; if so, it is lent anew.
pub async fn renew(db: &mut Db, project: &str, env: &str, owner: &str) -> Result<bool, StoreError> {
    let time = clock(db).await?;
    let done = sqlx::query(
        "UPDATE apply_locks SET expires_at = $1 WHERE project = $2 AND env = $3 AND owner = $4 AND expires_at > $5",
    );
    let done = done.bind(time + LENT_FOR_MS).bind(project).bind(env).bind(owner).bind(time);
    Ok(done.execute(db).await?.rows_affected() == 1)
}

/// Gives it back, where it is the owner's.
pub async fn give_back(db: &mut Db, project: &str, env: &str, owner: &str) -> Result<(), StoreError> {
    let done = sqlx::query("DELETE FROM apply_locks WHERE project = $1 AND env = $2 AND owner = $3");
    done.bind(project).bind(env).bind(owner).execute(db).await?;
    Ok(())
}

/// Takes every lock back.
pub async fn forget_all(db: &mut Db) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM apply_locks").execute(db).await?;
    Ok(())
}
