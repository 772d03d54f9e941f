//! An open write transaction on SQLite, for guests. It ends by itself at its deadline, also while nobody looks: there is one writer, and a guest that
//! does nothing would keep it from everyone. It knows when the engine has ended it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use tokio::{
    sync::{Mutex, MutexGuard},
    task::AbortHandle,
};

use super::{Connection, DbError, Session, SqliteDatabase, Statement};

/// `BEGIN IMMEDIATE` until it is ended, or dropped, which rolls it back.
#[derive(Debug)]
pub struct OpenTransaction {
    /// Empty once the deadline has taken the connection away.
    connection: Arc<Mutex<Option<Connection>>>,
    /// Set by the engine when it rolls back by itself: an interrupted write does that, and so does a full disk.
    is_lost: Arc<AtomicBool>,
    deadline: Instant,
    /// Ends it at the deadline.
    watcher: AbortHandle,
}

/// The connection of a transaction, lent to the platform's own statements. They run without a guest's border, which the next
/// statement of the guest sets again. Dropped before its end, also midway, it takes the transaction with it.
#[derive(Debug)]
pub struct Lent<'a> {
    held: Held<'a>,
    session: Session,
}

/// The connection of a transaction, for one statement.
#[derive(Debug)]
pub struct Held<'a>(MutexGuard<'a, Option<Connection>>);

impl OpenTransaction {
    /// Takes the writer and begins.
    pub async fn begin(database: &SqliteDatabase, deadline: Instant) -> Result<Self, DbError> {
        let waiting = tokio::time::timeout_at(deadline.into(), database.writer());
        let mut connection = waiting.await.map_err(|_| DbError::interrupted())??;
        command(&mut connection, "BEGIN IMMEDIATE", deadline).await?;
        let is_lost = connection.rolled_back();
        is_lost.store(false, Ordering::Release);
        let connection = Arc::new(Mutex::new(Some(connection)));
        let watched = Arc::downgrade(&connection);
        let ending = tokio::spawn(async move {
            tokio::time::sleep_until(deadline.into()).await;
            if let Some(connection) = watched.upgrade() {
                // A statement that is running ends at the same deadline. Giving the connection back rolls back.
                drop(connection.lock().await.take());
            }
        });
        Ok(Self { connection, is_lost, deadline, watcher: ending.abort_handle() })
    }

    /// When it ends by itself.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The connection, as long as the transaction is open on it. After a rollback that nobody asked for, a statement would
    /// otherwise be stored at once, on its own.
    pub async fn hold(&self) -> Result<Held<'_>, DbError> {
        let held = self.connection.lock().await;
        if held.is_none() {
            return Err(DbError::interrupted());
        }
        if self.is_lost.load(Ordering::Acquire) {
            return Err(DbError::rolled_back());
        }
        Ok(Held(held))
    }

    /// The connection for statements of the platform.
    pub async fn lend(&self) -> Result<Lent<'_>, DbError> {
        let mut held = self.hold().await?;
        let connection = held.0.take().ok_or_else(DbError::interrupted)?;
        Ok(Lent { held, session: Session::in_transaction(connection) })
    }

    /// Runs a savepoint's command.
    pub async fn command(&self, sql: &str) -> Result<(), DbError> {
        let mut held = self.hold().await?;
        command(held.connection()?, sql, self.deadline).await
    }

    /// Stores it. Whatever keeps it from being stored rolls it back.
    pub async fn commit(self) -> Result<(), DbError> {
        let mut held = self.hold().await?;
        command(held.connection()?, "COMMIT", self.deadline).await?;
        if let Some(connection) = held.0.take() {
            connection.give_back();
        }
        Ok(())
    }
}

impl Drop for OpenTransaction {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

impl Lent<'_> {
    /// For the platform's statements.
    pub fn session(&mut self) -> &mut Session {
        &mut self.session
    }

    /// Gives it back to the transaction, as it is.
    pub fn end(self) {
        let Self { mut held, session } = self;
        *held.0 = session.into_connection();
    }
}

impl Held<'_> {
    /// The connection.
    pub fn connection(&mut self) -> Result<&mut Connection, DbError> {
        self.0.as_mut().ok_or_else(DbError::interrupted)
    }
}

async fn command(connection: &mut Connection, sql: &str, deadline: Instant) -> Result<(), DbError> {
    Statement { sql, values: &[], access: None, deadline }.run(connection).await.map(drop)
}
