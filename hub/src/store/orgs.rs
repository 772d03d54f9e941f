//! Orgs and their teams: what they are called. Who is in them, and as what, is in [`members`](super::members).

use super::{
    Db, StoreError,
    envs::{Dated, now},
};

/// The org that a Hub begins with. Its owners run the Hub.
pub const FIRST: &str = "default";

/// How many orgs there are.
pub async fn count(db: &mut Db) -> Result<i64, StoreError> {
    Ok(sqlx::query_as::<_, (i64,)>("SELECT count(*) FROM orgs").fetch_one(db).await?.0)
}

/// Adds an org; false where it exists.
pub async fn add(db: &mut Db, name: &str, at: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("INSERT INTO orgs (name, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING");
    Ok(done.bind(name).bind(at).execute(db).await?.rows_affected() == 1)
}

/// Whether an org exists.
pub async fn has(db: &mut Db, name: &str) -> Result<bool, StoreError> {
    Ok(sqlx::query("SELECT 1 FROM orgs WHERE name = $1").bind(name).fetch_optional(db).await?.is_some())
}

/// Removes an org with its teams and memberships; false where there is none.
pub async fn delete(db: &mut Db, name: &str) -> Result<bool, StoreError> {
    Ok(sqlx::query("DELETE FROM orgs WHERE name = $1").bind(name).execute(db).await?.rows_affected() == 1)
}

/// How many teams an org has.
pub async fn count_teams(db: &mut Db, org: &str) -> Result<i64, StoreError> {
    let count = sqlx::query_as::<_, (i64,)>("SELECT count(*) FROM teams WHERE org = $1");
    Ok(count.bind(org).fetch_one(db).await?.0)
}

/// Adds a team; false where it exists.
pub async fn add_team(db: &mut Db, org: &str, name: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("INSERT INTO teams (org, name, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING");
    Ok(done.bind(org).bind(name).bind(now()).execute(db).await?.rows_affected() == 1)
}

/// The teams of an org.
pub async fn teams(db: &mut Db, org: &str) -> Result<Vec<Dated>, StoreError> {
    let rows = sqlx::query_as("SELECT name, created_at FROM teams WHERE org = $1 ORDER BY name");
    Ok(rows.bind(org).fetch_all(db).await?)
}

/// Whether a team exists.
pub async fn has_team(db: &mut Db, org: &str, name: &str) -> Result<bool, StoreError> {
    let found = sqlx::query("SELECT 1 FROM teams WHERE org = $1 AND name = $2").bind(org).bind(name);
    Ok(found.fetch_optional(db).await?.is_some())
}

/// Removes a team with what it gave to its members; false where there is none.
pub async fn delete_team(db: &mut Db, org: &str, name: &str) -> Result<bool, StoreError> {
    let done = sqlx::query("DELETE FROM teams WHERE org = $1 AND name = $2").bind(org).bind(name);
    Ok(done.execute(db).await?.rows_affected() == 1)
}
