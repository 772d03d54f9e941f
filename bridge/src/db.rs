//! A database of an env: its pools, and statements run on them. The one place where a request does I/O.
//!
//! SQLite: one writer, several readers, WAL. A connection that anything was left open on is rolled back before it is used
//! again, and every statement has a deadline that stops it inside the engine.

mod authorizer;
mod execute;
mod transaction;
mod value;

use std::{str::FromStr, time::Duration};

use santokit_core::wire::RuntimeConnection;
use sqlx::{
    Executor, Sqlite, SqlitePool,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

pub use authorizer::{Access, Authorized};
pub use execute::{Deadline, Reading, Statement};
pub use transaction::OpenTransaction;
pub use value::{json_rows, json_value};

/// How long a caller waits for a connection.
const ACQUIRE_MAX: Duration = Duration::from_secs(5);
const READERS_MAX: u32 = 8;

/// A database of an env.
#[derive(Debug)]
pub struct Database {
    name: String,
    writer: SqlitePool,
    reader: SqlitePool,
}

/// A connection that is taken out of its pool.
pub type Connection = PoolConnection<Sqlite>;

/// Why the database did not do it. `message` may hold the database's words: for guests and the log, never for callers.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct DbError {
    /// What kind of failure.
    pub kind: santokit_sql::failure::FailureKind,
    /// The engine's code.
    pub code: String,
    /// The engine's words.
    pub message: String,
}

impl Database {
    /// Opens the pools. The file must exist: a Bridge never makes a database.
    pub fn open(name: &str, connection: &RuntimeConnection) -> Result<Self, DbError> {
        if connection.engine != "sqlite" {
            return Err(DbError::unavailable(format!(
                "engine {:?} is not supported by this version",
                connection.engine
            )));
        }
        let options = SqliteConnectOptions::from_str(connection.url.expose())
            // The driver's message could repeat the URL.
            .map_err(|_| DbError::unavailable("the connection's URL cannot be read; expected sqlite:path"))?
            .create_if_missing(false)
            .foreign_keys(true)
            .busy_timeout(ACQUIRE_MAX);
        let pool = || {
            SqlitePoolOptions::new().acquire_timeout(ACQUIRE_MAX).test_before_acquire(false).after_release(
                |connection, _| {
                    Box::pin(async move {
                        // Whatever was left open by a cancelled call. Without a transaction it fails, which is fine.
                        authorizer::clear(connection).await?;
                        let mut handle = connection.lock_handle().await?;
                        handle.remove_progress_handler();
                        handle.remove_rollback_hook();
                        drop(handle);
                        let _ = connection.execute("ROLLBACK").await;
                        Ok(true)
                    })
                },
            )
        };
        // Only the writer may turn a database to WAL: a reader that tries fails where nobody has written yet.
        let writing = options.clone().journal_mode(SqliteJournalMode::Wal).synchronous(SqliteSynchronous::Normal);
        Ok(Self {
            name: name.to_owned(),
            writer: pool().max_connections(1).connect_lazy_with(writing),
            reader: pool().max_connections(READERS_MAX).connect_lazy_with(options.read_only(true)),
        })
    }

    /// The connection's name in the project.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `sqlite`.
    pub fn engine(&self) -> &'static str {
        "sqlite"
    }

    /// A connection that can only read.
    pub async fn reader(&self) -> Result<Connection, DbError> {
        self.reader.acquire().await.map_err(|error| DbError::from_sqlx(&error))
    }

    /// The connection that writes; there is one.
    pub async fn writer(&self) -> Result<Connection, DbError> {
        self.writer.acquire().await.map_err(|error| DbError::from_sqlx(&error))
    }

    /// (in use, idle) over both pools.
    pub fn pool_use(&self) -> (i64, i64) {
        let count = |pool: &SqlitePool| {
            let idle = i64::try_from(pool.num_idle()).unwrap_or(i64::MAX);
            (i64::from(pool.size()) - idle, idle)
        };
        let ((a, b), (c, d)) = (count(&self.writer), count(&self.reader));
        (a + c, b + d)
    }
}

impl DbError {
    fn unavailable(message: impl Into<String>) -> Self {
        let kind = santokit_sql::failure::FailureKind::Unavailable;
        Self { kind, code: String::new(), message: message.into() }
    }

    pub(crate) fn interrupted() -> Self {
        let kind = santokit_sql::failure::FailureKind::Interrupted;
        Self { kind, code: "sqlite:9".to_owned(), message: "the time limit was reached".to_owned() }
    }

    fn rolled_back() -> Self {
        let kind = santokit_sql::failure::FailureKind::Statement;
        Self { kind, code: "sqlite:4".to_owned(), message: "the database has rolled the transaction back".to_owned() }
    }

    fn from_sqlx(error: &sqlx::Error) -> Self {
        use santokit_sql::failure::FailureKind;
        match error {
            sqlx::Error::Database(database) => {
                let code = database.code().and_then(|code| code.parse().ok()).unwrap_or(1);
                Self {
                    kind: FailureKind::of_sqlite(code),
                    code: format!("sqlite:{code}"),
                    message: database.message().to_owned(),
                }
            }
            sqlx::Error::PoolTimedOut => Self {
                kind: FailureKind::Busy,
                code: "sqlite:5".to_owned(),
                message: "no connection became free in time".to_owned(),
            },
            sqlx::Error::Io(_) | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Self::unavailable("the database cannot be reached")
            }
            other => Self { kind: FailureKind::Statement, code: "sqlite:1".to_owned(), message: other.to_string() },
        }
    }
}
