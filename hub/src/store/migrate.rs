//! Bringing the tables up to date. Migrations are part of the program, go forward only, and run under the lock of writers: of
//! several Hubs that start at once, the first one runs them.

use sqlx::{AssertSqlSafe, Executor};

use super::{Db, Engine, StoreError};

/// In order; a database knows how many it has had. One is never changed once it is released.
const SQLITE: &[&str] = &[
    include_str!("sqlite/0001-begin.sql"),
    include_str!("sqlite/0002-apply-locks.sql"),
    include_str!("sqlite/0003-releases.sql"),
    include_str!("sqlite/0004-unfinished-applies.sql"),
    include_str!("sqlite/0005-operators.sql"),
    include_str!("sqlite/0006-sessions.sql"),
    include_str!("sqlite/0007-guest-logins.sql"),
    include_str!("sqlite/0008-fleet.sql"),
    include_str!("sqlite/0009-audit.sql"),
    include_str!("sqlite/0010-sequences.sql"),
    include_str!("sqlite/0011-canaries.sql"),
    include_str!("sqlite/0012-user-keys.sql"),
    include_str!("sqlite/0013-removed-blobs.sql"),
    include_str!("sqlite/0014-audit-org.sql"),
    include_str!("sqlite/0015-resets.sql"),
    include_str!("sqlite/0016-org-ceilings.sql"),
    include_str!("sqlite/0017-storage-keys.sql"),
];
/// The same tables for the other engine.
const POSTGRES: &[&str] = &[
    include_str!("postgres/0001-begin.sql"),
    include_str!("postgres/0002-apply-locks.sql"),
    include_str!("postgres/0003-releases.sql"),
    include_str!("postgres/0004-unfinished-applies.sql"),
    include_str!("postgres/0005-operators.sql"),
    include_str!("postgres/0006-sessions.sql"),
    include_str!("postgres/0007-guest-logins.sql"),
    include_str!("postgres/0008-fleet.sql"),
    include_str!("postgres/0009-audit.sql"),
    include_str!("postgres/0010-sequences.sql"),
    include_str!("postgres/0011-canaries.sql"),
    include_str!("postgres/0012-user-keys.sql"),
    include_str!("postgres/0013-removed-blobs.sql"),
    include_str!("postgres/0014-audit-org.sql"),
    include_str!("postgres/0015-resets.sql"),
    include_str!("postgres/0016-org-ceilings.sql"),
    include_str!("postgres/0017-storage-keys.sql"),
];
const _: () = assert!(SQLITE.len() == POSTGRES.len(), "both engines have the same versions");

/// The version of the tables that this program works with.
pub const NEWEST: usize = SQLITE.len();

/// Where PostgreSQL's database keeps its version; SQLite's file has a number for that.
const POSTGRES_VERSION: &str = "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL)";

/// Runs what is missing, in the transaction that it is given.
pub(super) async fn migrate(db: &mut Db, engine: Engine) -> Result<(), StoreError> {
    migrate_to(db, engine, NEWEST).await
}

/// Likewise, up to a version. Tables that are newer than it stay.
pub(super) async fn migrate_to(db: &mut Db, engine: Engine, newest: usize) -> Result<(), StoreError> {
    let migrations = match engine {
        Engine::Sqlite => SQLITE,
        Engine::Postgres => POSTGRES,
    };
    let version = version(db, engine).await?;
    let missing = usize::try_from(version).ok().and_then(|done| migrations.get(done..));
    let Some(missing) = missing else { return Err(StoreError::Newer(version)) };
    let missing = missing.get(..newest.saturating_sub(migrations.len() - missing.len())).unwrap_or_default();
    if missing.is_empty() {
        return Ok(());
    }
    for sql in missing {
        #[expect(clippy::disallowed_methods, reason = "a constant of several statements")]
        sqlx::raw_sql(*sql).execute(&mut *db).await?;
    }
    set_version(db, engine, newest).await
}

/// How many migrations the tables have had; 0 is an empty database. It writes nothing.
pub(super) async fn version(db: &mut Db, engine: Engine) -> Result<i64, StoreError> {
    let sql = match engine {
        Engine::Sqlite => "PRAGMA user_version",
        Engine::Postgres => {
            let there = "SELECT CAST(to_regclass('schema_version') AS TEXT)";
            let there = sqlx::query_as::<_, (Option<String>,)>(there).fetch_one(&mut *db).await?.0;
            if there.is_none() {
                return Ok(0);
            }
            "SELECT coalesce(max(version), 0) FROM schema_version"
        }
    };
    Ok(sqlx::query_as::<_, (i64,)>(sql).fetch_one(db).await?.0)
}

async fn set_version(db: &mut Db, engine: Engine, version: usize) -> Result<(), StoreError> {
    match engine {
        // A pragma takes no values.
        Engine::Sqlite => {
            db.execute(AssertSqlSafe(format!("PRAGMA user_version = {version}"))).await?;
        }
        Engine::Postgres => {
            db.execute(POSTGRES_VERSION).await?;
            db.execute("DELETE FROM schema_version").await?;
            let version = i64::try_from(version).unwrap_or(i64::MAX);
            sqlx::query("INSERT INTO schema_version (version) VALUES ($1)").bind(version).execute(db).await?;
        }
    }
    Ok(())
}
