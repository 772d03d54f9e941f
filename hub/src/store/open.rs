//! Opening the two engines: how their connections are set up, and how a writer keeps all others out. No error quotes a URL.

use std::{collections::BTreeSet, path::Path, str::FromStr, time::Duration};

use santokit_sqlite::memory;
use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    Any, AnyPool, AssertSqlSafe, ConnectOptions, Executor, Transaction,
    any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers},
};

use super::{Db, Engine, StoreError, dump, migrate};

const CONNECTIONS_MAX: u32 = 8;
const ACQUIRE_MAX: Duration = Duration::from_secs(10);

/// Full: an audit entry that was told of is on the disk.
const SQLITE_SESSION: [&str; 4] = [
    "PRAGMA busy_timeout = 10000",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
];
/// READ COMMITTED: who waited for the lock of writers sees what the writer before has kept. A Hub that stops in the middle of a
/// transaction holds the others up for as long as a session may do nothing.
const POSTGRES_SESSION: &str = "SELECT set_config('application_name', left($1 || current_schema(), 63), false), \
     set_config('default_transaction_isolation', 'read committed', false), \
     set_config('client_min_messages', 'warning', false), set_config('lock_timeout', '10s', false), \
     set_config('idle_in_transaction_session_timeout', '30s', false)";
/// One database may hold the stores of several Hubs, each in a schema.
const POSTGRES_WRITE_LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('stk_hub/' || current_schema(), 0))";

/// How a Hub's connections are named on a server, before the name of its schema.
pub(super) const HUB: &str = "santokit-hub/";
/// How those of a command are, which works on the tables while no Hub does.
pub(super) const OPERATOR: &str = "santokit-operator/";

/// The file in a directory; made where it is not there.
pub(super) async fn sqlite(dir: &Path) -> Result<AnyPool, StoreError> {
    let file = dir.join("hub.db");
    pool(&format!("sqlite://{}?mode=rwc", encoded(file.as_os_str().as_encoded_bytes())), Engine::Sqlite, "").await
}

/// A server's database.
pub(super) async fn postgres(url: &SecretString, who: &'static str) -> Result<AnyPool, StoreError> {
    pool(url.expose_secret(), Engine::Postgres, who).await
}

async fn pool(url: &str, engine: Engine, who: &'static str) -> Result<AnyPool, StoreError> {
    install_default_drivers();
    memory::install();
    let options = AnyConnectOptions::from_str(url)?.disable_statement_logging();
    let pool = AnyPoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(ACQUIRE_MAX)
        .after_connect(move |db, _| Box::pin(set_up(db, engine, who)))
        .connect_with(options);
    Ok(pool.await?)
}

async fn set_up(db: &mut Db, engine: Engine, who: &'static str) -> Result<(), sqlx::Error> {
    match engine {
        Engine::Sqlite => {
            for sql in SQLITE_SESSION {
                db.execute(sql).await?;
            }
        }
        Engine::Postgres => {
            sqlx::query(POSTGRES_SESSION).bind(who).execute(db).await?;
        }
    }
    Ok(())
}

/// How many connections of Hubs there are to these tables.
pub(super) async fn hubs(db: &mut Db) -> Result<i64, StoreError> {
    if engine_of(db) == Engine::Sqlite {
        return Ok(0);
    }
    let count = sqlx::query_as::<_, (i64,)>(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
         AND application_name = left($1 || current_schema(), 63)",
    );
    Ok(count.bind(HUB).fetch_one(db).await?.0)
}

/// Removes every table of ours, and the functions of their triggers.
pub(super) async fn drop_tables(db: &mut Db) -> Result<(), StoreError> {
    let Some(tables) = dump::tables(migrate::NEWEST).await? else { return Ok(()) };
    let tables = tables.iter().map(|table| table.name.as_str());
    let tables: Vec<&str> = tables.chain(["apply_locks", "blob_chunks", "schema_version"]).collect();
    let mut functions = BTreeSet::new();
    for table in &tables {
        let called: Vec<(String,)> = sqlx::query_as(
            "SELECT CAST(p.oid::regprocedure AS TEXT) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid \
             WHERE NOT t.tgisinternal AND t.tgrelid = to_regclass(quote_ident($1))",
        )
        .bind(*table)
        .fetch_all(&mut *db)
        .await?;
        functions.extend(called.into_iter().map(|(name,)| name));
        sqlx::query(AssertSqlSafe(format!("DROP TABLE IF EXISTS \"{table}\" CASCADE"))).execute(&mut *db).await?;
    }
    for function in functions {
        sqlx::query(AssertSqlSafe(format!("DROP FUNCTION IF EXISTS {function}"))).execute(&mut *db).await?;
    }
    Ok(())
}

/// Begins a transaction in which nobody else writes.
pub(super) async fn begin(pool: &AnyPool, engine: Engine) -> Result<Transaction<'static, Any>, StoreError> {
    match engine {
        Engine::Sqlite => Ok(pool.begin_with("BEGIN IMMEDIATE").await?),
        Engine::Postgres => {
            let mut transaction = pool.begin().await?;
            transaction.execute(POSTGRES_WRITE_LOCK).await?;
            Ok(transaction)
        }
    }
}

/// Begins a transaction that sees one moment, and writes nothing.
pub(super) async fn snapshot(pool: &AnyPool, engine: Engine) -> Result<Transaction<'static, Any>, StoreError> {
    Ok(match engine {
        // The moment is that of the first statement.
        Engine::Sqlite => pool.begin_with("BEGIN").await?,
        Engine::Postgres => pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?,
    })
}

/// What a connection leads to.
pub(super) fn engine_of(db: &Db) -> Engine {
    if db.backend_name() == "SQLite" { Engine::Sqlite } else { Engine::Postgres }
}

/// A path in a URL, byte by byte.
fn encoded(path: &[u8]) -> String {
    let mut text = String::with_capacity(path.len());
    for byte in path {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            text.extend(['%', hex(byte >> 4), hex(byte & 15)]);
        }
    }
    text
}

fn hex(nibble: u8) -> char {
    char::from(b"0123456789ABCDEF"[usize::from(nibble & 15)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_found_under_any_name() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a b", "100%25", "?mode=memory", "#x", "ü'\"", ":memory:"] {
            let dir = dir.path().join(name);
            std::fs::create_dir(&dir).unwrap();
            sqlite(&dir).await.unwrap().close().await;
            assert!(dir.join("hub.db").is_file(), "{name}");
        }
    }
}
