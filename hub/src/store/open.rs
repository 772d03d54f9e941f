//! Opening the two engines: how their connections are set up, and how a writer keeps all others out. No error quotes a URL.

use std::{path::Path, str::FromStr, time::Duration};

use secrecy::{ExposeSecret, SecretString};
use sqlx::{
    Any, AnyPool, ConnectOptions, Executor, Transaction,
    any::{AnyConnectOptions, AnyPoolOptions, install_default_drivers},
};

use super::{Db, Engine, StoreError};

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
const POSTGRES_SESSION: &str = "SELECT set_config('application_name', 'santokit-hub', false), \
     set_config('default_transaction_isolation', 'read committed', false), \
     set_config('client_min_messages', 'warning', false), set_config('lock_timeout', '10s', false), \
     set_config('idle_in_transaction_session_timeout', '30s', false)";
/// One database may hold the stores of several Hubs, each in a schema.
const POSTGRES_WRITE_LOCK: &str = "SELECT pg_advisory_xact_lock(hashtextextended('stk_hub/' || current_schema(), 0))";

/// The file in a directory; made where it is not there.
pub(super) async fn sqlite(dir: &Path) -> Result<AnyPool, StoreError> {
    let file = dir.join("hub.db");
    pool(&format!("sqlite://{}?mode=rwc", encoded(file.as_os_str().as_encoded_bytes())), Engine::Sqlite).await
}

/// A server's database.
pub(super) async fn postgres(url: &SecretString) -> Result<AnyPool, StoreError> {
    pool(url.expose_secret(), Engine::Postgres).await
}

async fn pool(url: &str, engine: Engine) -> Result<AnyPool, StoreError> {
    install_default_drivers();
    let options = AnyConnectOptions::from_str(url)?.disable_statement_logging();
    let pool = AnyPoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(ACQUIRE_MAX)
        .after_connect(move |db, _| Box::pin(set_up(db, engine)))
        .connect_with(options);
    Ok(pool.await?)
}

async fn set_up(db: &mut Db, engine: Engine) -> Result<(), sqlx::Error> {
    let statements: &[&'static str] = match engine {
        Engine::Sqlite => &SQLITE_SESSION,
        Engine::Postgres => &[POSTGRES_SESSION],
    };
    for sql in statements {
        db.execute(*sql).await?;
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
