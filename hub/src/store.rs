//! What the Hub keeps: tables in a SQLite file of its own or in a PostgreSQL database that several Hubs share, and blobs by
//! digest. It stores what it is told and decides nothing; secrets reach it sealed.
//!
//! Statements are written once: with `$1`, which both engines read, and with the types that both have (text, 64-bit whole
//! numbers, bytes). What must differ is in [`migrate`] and [`open`].

use std::{fmt, io, path::Path};

use secrecy::SecretString;
use sqlx::{
    Any, AnyConnection, AnyPool, Transaction,
    error::{DatabaseError, Error as SqlError},
    pool::PoolConnection,
};

/// Rows read by the names of their columns.
macro_rules! row {
    ($type:ident: $($field:ident),*) => {
        impl<'r> sqlx::FromRow<'r, sqlx::any::AnyRow> for $type {
            fn from_row(row: &'r sqlx::any::AnyRow) -> Result<Self, sqlx::Error> {
                Ok(Self { $($field: sqlx::Row::try_get(row, stringify!($field))?),* })
            }
        }
    };
}

pub mod apply_locks;
pub mod audit;
pub mod blobs;
pub mod ceilings;
pub mod credentials;
pub mod envs;
pub mod guest_logins;
pub mod invites;
pub mod members;
mod migrate;
pub mod moves;
mod open;
pub mod operators;
pub mod orgs;
pub mod personal_tokens;
pub mod pins;
pub mod releases;
pub mod sessions;
pub mod unfinished;

use blobs::Blobs;

/// A connection to the store.
pub type Db = AnyConnection;

/// In which one writes.
pub type Writing = Transaction<'static, Any>;

/// Where everything is kept.
#[derive(Clone, Copy, Debug)]
pub enum Place<'a> {
    /// `hub.db` and `blobs/` in a directory, for one Hub.
    Directory(&'a Path),
    /// A database of PostgreSQL, for any number of Hubs.
    Postgres(&'a SecretString),
}

/// What the tables are on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// One file.
    Sqlite,
    /// A server.
    Postgres,
}

/// The Hub's store.
#[derive(Clone)]
pub struct Store {
    pool: AnyPool,
    engine: Engine,
    /// Components by digest.
    pub blobs: Blobs,
}

/// Why something could not be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database said no.
    #[error("the Hub's database failed")]
    Database(#[from] SqlError),
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

/// What a failure of the database means for who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It is away, or others hold what is needed: later it may work.
    Away,
    /// A text has a character that PostgreSQL does not keep.
    Character,
    /// Anything else: a mistake of this program, or a damage.
    Other,
}

impl Store {
    /// Opens the store and brings its tables up to date.
    pub async fn open(place: Place<'_>) -> Result<Self, StoreError> {
        let (pool, engine) = match place {
            Place::Directory(dir) => (open::sqlite(dir).await?, Engine::Sqlite),
            Place::Postgres(url) => (open::postgres(url).await?, Engine::Postgres),
        };
        let blobs = match place {
            Place::Directory(dir) => Blobs::on_disk(dir.join("blobs"))?,
            Place::Postgres(_) => Blobs::in_database(pool.clone()),
        };
        let store = Self { pool, engine, blobs };
        let mut db = store.write().await?;
        migrate::migrate(&mut db, engine).await?;
        if !store.is_shared() {
            // Of an earlier process of this one Hub, which has ended.
            apply_locks::forget_all(&mut db).await?;
        }
        commit(db).await?;
        Ok(store)
    }

    /// For reading.
    pub async fn read(&self) -> Result<PoolConnection<Any>, StoreError> {
        Ok(self.pool.acquire().await?)
    }

    /// For writing: one writer at a time, over all Hubs, so that sequences and the audit chain have no gap and what was
    /// looked up stays so.
    pub async fn write(&self) -> Result<Transaction<'static, Any>, StoreError> {
        open::begin(&self.pool, self.engine).await
    }

    /// What the tables are on.
    pub fn engine(&self) -> Engine {
        self.engine
    }

    /// Whether other Hubs may write to it.
    pub fn is_shared(&self) -> bool {
        self.engine == Engine::Postgres
    }

    /// Ends it.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Keeps what a transaction has written.
pub async fn commit(transaction: Transaction<'static, Any>) -> Result<(), StoreError> {
    Ok(transaction.commit().await?)
}

/// The time in milliseconds since 1970, by the clock of the database: several Hubs have several clocks.
pub(crate) async fn clock(db: &mut Db) -> Result<i64, StoreError> {
    let sql = match open::engine_of(db) {
        Engine::Sqlite => "SELECT CAST(unixepoch('subsec') * 1000 AS INTEGER)",
        Engine::Postgres => "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)",
    };
    Ok(sqlx::query_as::<_, (i64,)>(sql).fetch_one(db).await?.0)
}

impl StoreError {
    /// What it means for who asked.
    pub fn failure(&self) -> Failure {
        match self {
            Self::Database(
                SqlError::Io(_)
                | SqlError::Tls(_)
                | SqlError::PoolTimedOut
                | SqlError::PoolClosed
                | SqlError::WorkerCrashed,
            ) => Failure::Away,
            Self::Database(SqlError::Database(error)) => failure(error.as_ref()),
            _ => Failure::Other,
        }
    }
}

/// By SQLSTATE, or SQLite's number.
fn failure(error: &dyn DatabaseError) -> Failure {
    match error.code().as_deref().unwrap_or_default() {
        // A lock was not to be had in time; the server ends, starts, is full or ended the session.
        "55P03" | "57P01" | "57P02" | "57P03" | "53300" | "25P03" | "5" | "6" => Failure::Away,
        code if code.starts_with("08") => Failure::Away,
        "22021" => Failure::Character,
        _ => Failure::Other,
    }
}

impl fmt::Debug for Store {
    /// Without the pool, which knows the URL.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("engine", &self.engine).finish_non_exhaustive()
    }
}
