//! What the Hub keeps: tables in a SQLite file of its own or in a PostgreSQL database that several Hubs share, and blobs by
//! digest. It stores what it is told and decides nothing; secrets reach it sealed.
//!
//! Statements are written once: with `$1`, which both engines read, and with the types that both have (text, 64-bit whole
//! numbers, bytes). What must differ is in [`migrate`] and [`open`].

use std::{
    fmt, io,
    ops::{Deref, DerefMut},
    path::Path,
    sync::Arc,
};

use santokit_core::{
    audit::Head,
    release::{Digest, Envelope},
};
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
pub mod canaries;
pub mod ceilings;
pub mod credentials;
pub mod dump;
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
pub mod sealed;
pub mod sequences;
pub mod sessions;
pub mod unfinished;
pub mod user_keys;

use blobs::Blobs;

pub use migrate::NEWEST;

/// A connection to the store.
pub type Db = AnyConnection;

/// A transaction that writes, of the one writer that there is at a time. Dropped, nothing of it stays. Only in one can the audit
/// log be added to.
#[derive(Debug)]
pub struct Writing {
    transaction: Transaction<'static, Any>,
    log: Arc<audit::Log>,
    /// Of the audit log, where this transaction has added to it.
    head: Option<(Head, Envelope)>,
}

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
    /// Where the audit log ends.
    pub log: Arc<audit::Log>,
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
        let store = Self::connect(place, open::HUB).await?;
        let mut db = store.write().await?;
        migrate::migrate(&mut db, store.engine).await?;
        if !store.is_shared() {
            // Of an earlier process of this one Hub, which has ended.
            apply_locks::forget_all(&mut db).await?;
        }
        commit(db).await?;
        Ok(store)
    }

    /// Opens what is there, for somebody else than a Hub; the tables are left as they are.
    pub async fn open_raw(place: Place<'_>) -> Result<Self, StoreError> {
        Self::connect(place, open::OPERATOR).await
    }

    async fn connect(place: Place<'_>, who: &'static str) -> Result<Self, StoreError> {
        let (pool, engine) = match place {
            Place::Directory(dir) => (open::sqlite(dir).await?, Engine::Sqlite),
            Place::Postgres(url) => (open::postgres(url, who).await?, Engine::Postgres),
        };
        let blobs = match place {
            Place::Directory(dir) => Blobs::on_disk(dir.join("blobs"))?,
            Place::Postgres(_) => Blobs::in_database(pool.clone()),
        };
        Ok(Self { pool, engine, blobs, log: Arc::default() })
    }

    /// Of the tables; 0 where there are none.
    pub async fn version(&self, db: &mut Db) -> Result<usize, StoreError> {
        let version = migrate::version(db, self.engine).await?;
        usize::try_from(version).map_err(|_| StoreError::Newer(version))
    }

    /// Brings the tables up to a version.
    pub async fn migrate_to(&self, db: &mut Db, version: usize) -> Result<(), StoreError> {
        migrate::migrate_to(db, self.engine, version).await
    }

    /// How many Hubs' connections there are, as far as the server knows.
    pub async fn others(&self, db: &mut Db) -> Result<i64, StoreError> {
        open::hubs(db).await
    }

    /// Removes all tables, of whatever version this program knows; in one transaction with what comes instead.
    pub async fn drop_tables(&self, db: &mut Writing) -> Result<(), StoreError> {
        open::drop_tables(db).await
    }

    /// Keeps a component in the transaction, where components are in the database.
    pub async fn put_blob(&self, db: &mut Writing, digest: &Digest, bytes: bytes::Bytes) -> Result<(), StoreError> {
        self.blobs.put_in(db, digest, bytes).await
    }

    /// Leaves nothing beside the one file, so that it can be moved.
    pub async fn settle(&self) -> Result<(), StoreError> {
        if self.engine == Engine::Sqlite {
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut *self.read().await?).await?;
        }
        Ok(())
    }

    /// For reading.
    pub async fn read(&self) -> Result<PoolConnection<Any>, StoreError> {
        Ok(self.pool.acquire().await?)
    }

    /// For writing: one writer at a time, over all Hubs, so that sequences and the audit chain have no gap and what was
    /// looked up stays so.
    pub async fn write(&self) -> Result<Writing, StoreError> {
        let transaction = open::begin(&self.pool, self.engine).await?;
        Ok(Writing { transaction, log: Arc::clone(&self.log), head: None })
    }

    /// For reading what was there at one moment, however long it takes.
    pub async fn snapshot(&self) -> Result<Transaction<'static, Any>, StoreError> {
        open::snapshot(&self.pool, self.engine).await
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
pub async fn commit(writing: Writing) -> Result<(), StoreError> {
    let Writing { transaction, log, head } = writing;
    transaction.commit().await?;
    if let Some((head, envelope)) = head {
        log.kept(head, envelope);
    }
    Ok(())
}

impl Deref for Writing {
    type Target = Db;

    fn deref(&self) -> &Db {
        &self.transaction
    }
}

impl DerefMut for Writing {
    fn deref_mut(&mut self) -> &mut Db {
        &mut self.transaction
    }
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
