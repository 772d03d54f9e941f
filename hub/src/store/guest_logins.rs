//! Users that the Hub makes on the servers of connections, for guests' SQL. A row is there before its user is, and until it is gone:
//! what a Hub that was killed left behind is found again.

use super::{Db, StoreError};

/// A login as it is kept.
#[derive(Clone, Debug)]
pub struct GuestLoginRow {
    /// The user's name, which no other login ever has.
    pub name: String,
    /// The connection's name.
    pub connection: String,
    /// `postgres` or `mysql`.
    pub engine: String,
    /// Server and database, as the connection shows them.
    pub place: String,
    /// What it may do: canonical JSON.
    pub powers: String,
    /// Sealed.
    pub password: Vec<u8>,
    /// RFC 3339, UTC, when it was decided.
    pub created_at: String,
    /// When it was there, with its powers.
    pub made_at: Option<String>,
    /// Since when nothing needs it.
    pub retired_at: Option<String>,
    /// Sealed: where to drop it, where its connection does not say that any more.
    pub address: Option<Vec<u8>>,
}

row!(GuestLoginRow: name, connection, engine, place, powers, password, created_at, made_at, retired_at, address);

/// Adds one that is not there yet: it is retired until it is.
pub async fn add(db: &mut Db, project: &str, env: &str, row: &GuestLoginRow) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO guest_logins (name, project, env, connection, engine, place, powers, password, created_at, retired_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(&row.name)
    .bind(project)
    .bind(env)
    .bind(&row.connection)
    .bind(&row.engine)
    .bind(&row.place)
    .bind(&row.powers)
    .bind(&row.password)
    .bind(&row.created_at)
    .bind(&row.retired_at)
    .execute(db)
    .await?;
    Ok(())
}

/// The logins of an env, the newest first.
pub async fn of_env(db: &mut Db, project: &str, env: &str) -> Result<Vec<GuestLoginRow>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT name, connection, engine, place, powers, password, created_at, made_at, retired_at, address FROM guest_logins \
         WHERE project = $1 AND env = $2 ORDER BY number DESC",
    );
    Ok(rows.bind(project).bind(env).fetch_all(db).await?)
}

/// Envs that have logins that came to be, or were retired, before a time: project and env.
pub async fn due(db: &mut Db, made_before: &str, retired_before: &str) -> Result<Vec<(String, String)>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT DISTINCT project, env FROM guest_logins WHERE retired_at <= $1 OR (retired_at IS NULL AND made_at <= $2) \
         ORDER BY project, env",
    );
    Ok(rows.bind(retired_before).bind(made_before).fetch_all(db).await?)
}

/// It is there, and needed.
pub async fn set_made(db: &mut Db, name: &str, at: &str) -> Result<(), StoreError> {
    let done = sqlx::query("UPDATE guest_logins SET made_at = $1, retired_at = NULL WHERE name = $2");
    done.bind(at).bind(name).execute(db).await?;
    Ok(())
}

/// It is needed, or is not needed since a time.
pub async fn set_retired(db: &mut Db, name: &str, at: Option<&str>) -> Result<(), StoreError> {
    let done = sqlx::query("UPDATE guest_logins SET retired_at = $1 WHERE name = $2");
    done.bind(at).bind(name).execute(db).await?;
    Ok(())
}

/// Its connection does not lead to it any more.
pub async fn set_left(db: &mut Db, name: &str, address: &[u8], at: &str) -> Result<(), StoreError> {
    let done = sqlx::query(
        "UPDATE guest_logins SET address = $1, retired_at = coalesce(retired_at, $2) WHERE name = $3 AND address IS NULL",
    );
    done.bind(address).bind(at).bind(name).execute(db).await?;
    Ok(())
}

/// It is gone.
pub async fn remove(db: &mut Db, name: &str) -> Result<(), StoreError> {
    sqlx::query("DELETE FROM guest_logins WHERE name = $1").bind(name).execute(db).await?;
    Ok(())
}
