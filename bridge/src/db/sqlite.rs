//! SQLite: one writer, several readers, WAL. A connection that anything was left open on is rolled back before it is used again.

use std::str::FromStr;

use santokit_sql::decimal;
use sqlx::{
    ConnectOptions, Executor,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{Connection, DatabaseSettings, DbError, Share, connections::Connections};

const READERS_MAX: u32 = 8;
/// Of them, those that guests may hold: a guest's statement may take as long as its timeout.
const GUEST_READERS_MAX: usize = 6;

/// A file and its pools.
#[derive(Debug)]
pub struct SqliteDatabase {
    writer: Connections,
    reader: Connections,
}

impl SqliteDatabase {
    /// Opens the pools. The file must exist: a Bridge never makes a database.
    pub(super) fn open(url: &str, settings: &DatabaseSettings) -> Result<Self, DbError> {
        if !santokit_sqlite::memory::install() {
            return Err(DbError::unavailable("SQLite was in use before its memory was bounded"));
        }
        let options = SqliteConnectOptions::from_str(url)
            // The driver's message could repeat the URL.
            .map_err(|_| DbError::unavailable("the connection's URL cannot be read; expected sqlite:path"))?
            .create_if_missing(false)
            .foreign_keys(true)
            .busy_timeout(settings.pool_wait)
            .collation(decimal::COLLATION, decimal::compare)
            // A guest's statements can hold values.
            .disable_statement_logging();
        let pool = || {
            SqlitePoolOptions::new().acquire_timeout(settings.pool_wait).test_before_acquire(false).after_release(
                |connection, _| {
                    Box::pin(async move {
                        // Whatever was left open by a cancelled call. Without a transaction it fails, which is fine.
                        santokit_sqlite::clear(connection).await?;
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
        let writer = pool().max_connections(1).connect_lazy_with(writing);
        let reader = pool().max_connections(READERS_MAX).connect_lazy_with(options.read_only(true));
        Ok(Self {
            writer: Connections::new(writer, settings.pool_wait, 1),
            reader: Connections::new(reader, settings.pool_wait, GUEST_READERS_MAX),
        })
    }

    /// A connection that can only read.
    pub async fn reader(&self, share: Share) -> Result<Connection, DbError> {
        self.reader.take(share).await
    }

    /// The connection that writes; there is one.
    pub async fn writer(&self) -> Result<Connection, DbError> {
        self.writer.take(Share::Platform).await
    }

    pub(super) fn pool_use(&self) -> (i64, i64) {
        let ((a, b), (c, d)) = (self.writer.count(), self.reader.count());
        (a + c, b + d)
    }
}
