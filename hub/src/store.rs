//! What the Hub keeps: one SQLite file in WAL mode, and blobs by digest beside it. It stores what it is told and decides
//! nothing; secrets reach it sealed.

use std::{io, path::Path, time::Duration};

use sqlx::{
    Sqlite, SqlitePool, Transaction,
    pool::PoolConnection,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

/// Rows read by the names of their columns.
macro_rules! row {
    ($type:ident: $($field:ident),*) => {
        impl<'r> sqlx::FromRow<'r, sqlx::sqlite::SqliteRow> for $type {
            fn from_row(row: &'r sqlx::sqlite::SqliteRow) -> Result<Self, sqlx::Error> {
                Ok(Self { $($field: sqlx::Row::try_get(row, stringify!($field))?),* })
            }
        }
    };
}

pub mod audit;
pub mod blobs;
pub mod ceilings;
pub mod credentials;
pub mod envs;
pub mod moves;
pub mod pins;
pub mod releases;

use blobs::Blobs;

/// In order; a database knows by `user_version` how many it has had. One is never changed once it is released.
const MIGRATIONS: &[&str] = &[
    include_str!("store/0001-begin.sql"),
    include_str!("store/0002-moves.sql"),
    include_str!("store/0003-pins.sql"),
    include_str!("store/0004-ceilings.sql"),
];

/// The Hub's store.
#[derive(Clone, Debug)]
pub struct Store {
    pool: SqlitePool,
    /// Components by digest.
    pub blobs: Blobs,
}

/// Why something could not be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said no.
    #[error("the Hub's database failed")]
    Database(#[from] sqlx::Error),
    /// The disk said no.
    #[error("the Hub's data directory cannot be used")]
    Disk(#[from] io::Error),
    /// Something kept is not what it was when it was kept.
    #[error("{0}")]
    Damaged(String),
    /// A newer version wrote the database.
    #[error("the Hub's database is of version {0}, newer than this Hub; start the newer one")]
    Newer(i64),
}

impl Store {
    /// Opens the store in a directory, and brings its tables up to date.
    pub async fn open(dir: &Path) -> Result<Self, StoreError> {
        let options = SqliteConnectOptions::new()
            .filename(dir.join("hub.db"))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(Duration::from_secs(10));
        let pool = SqlitePoolOptions::new()
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(10))
            .connect_with(options)
            .await?;
        migrate(&pool).await?;
        Ok(Self { pool, blobs: Blobs::open(dir.join("blobs"))? })
    }

    /// For reading.
    pub async fn read(&self) -> Result<PoolConnection<Sqlite>, StoreError> {
        Ok(self.pool.acquire().await?)
    }

    /// For writing: one writer at a time, so that sequences and the audit chain have no gap.
    pub async fn write(&self) -> Result<Transaction<'static, Sqlite>, StoreError> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }

    /// Ends it.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Keeps what a transaction has written.
pub async fn commit(transaction: Transaction<'static, Sqlite>) -> Result<(), StoreError> {
    Ok(transaction.commit().await?)
}

async fn migrate(pool: &SqlitePool) -> Result<(), StoreError> {
    let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
    let (version,): (i64,) = sqlx::query_as("PRAGMA user_version").fetch_one(&mut *transaction).await?;
    let done = usize::try_from(version).unwrap_or_default();
    if done > MIGRATIONS.len() {
        return Err(StoreError::Newer(version));
    }
    for sql in &MIGRATIONS[done..] {
        #[expect(clippy::disallowed_methods, reason = "a constant of several statements")]
        sqlx::raw_sql(*sql).execute(&mut *transaction).await?;
    }
    commit(transaction).await
}
