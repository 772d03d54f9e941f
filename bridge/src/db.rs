//! A database of an env: its connections, and statements run on them. The one place where a request does I/O.
//!
//! SQLite, PostgreSQL, and MySQL or MariaDB behind one value. Every statement has a deadline that stops it inside the engine, and a
//! connection that anything was left open on is rolled back or closed before it is used again.

mod bind;
mod cell;
mod connections;
mod error;
mod execute;
mod json;
mod link;
mod pool;
mod session;
mod sqlite;
mod transaction;
mod value;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use santokit_core::{value::Value, wire::RuntimeConnection};
use santokit_sql::{dialect::Dialect, failure::FailureKind, statement};

use pool::Pool;

pub use santokit_sqlite::{Access, Authorized};

pub use cell::{Answered, ResultColumn, Row};
pub use connections::Connection;
pub use error::DbError;
pub use execute::{Chunk, Deadline, Reading, Statement};
pub use session::{Cut, Done, Flow, JsonLimits, JsonRows, Mode, Session, Share, Sink, Text};
pub use sqlite::SqliteDatabase;
pub use transaction::{Lent, OpenTransaction};
pub use value::{json_rows, json_value};

/// A database of an env.
#[derive(Debug)]
pub struct Database {
    name: String,
    engine: Engine,
}

#[derive(Debug)]
enum Engine {
    Sqlite(SqliteDatabase),
    Server(Arc<Pool>),
}

/// How databases are used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DatabaseSettings {
    /// Connections to a server, for each connection of the project.
    pub pool_size: usize,
    /// Of those, at most so many for guests' work; none: half of them.
    pub guest_pool_size: Option<usize>,
    /// How long a caller waits for a connection.
    pub pool_wait: Duration,
    /// The longest that a statement may take, whatever its caller allows.
    pub query_timeout: Duration,
}

impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            pool_size: 100,
            guest_pool_size: None,
            pool_wait: Duration::from_secs(5),
            query_timeout: Duration::from_secs(30),
        }
    }
}

impl DatabaseSettings {
    pub(crate) fn guest_places(&self) -> usize {
        self.guest_pool_size.unwrap_or(self.pool_size / 2).clamp(1, self.pool_size.max(1))
    }
}

impl Database {
    /// Reads the connection's URL. Nothing is connected to before it is needed.
    pub fn open(name: &str, connection: &RuntimeConnection, settings: &DatabaseSettings) -> Result<Self, DbError> {
        let url = connection.url.expose();
        let engine = match dialect_of(&connection.engine) {
            Some(Dialect::Sqlite) => Engine::Sqlite(SqliteDatabase::open(url, settings)?),
            Some(dialect) => Engine::Server(Arc::new(Pool::new(dialect, url, settings)?)),
            None => {
                return Err(DbError::unavailable(format!(
                    "engine {:?} is not supported by this version",
                    connection.engine
                )));
            }
        };
        Ok(Self { name: name.to_owned(), engine })
    }

    /// The connection's name in the project.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which SQL is spoken.
    pub fn dialect(&self) -> Dialect {
        match &self.engine {
            Engine::Sqlite(_) => Dialect::Sqlite,
            Engine::Server(pool) => pool.dialect(),
        }
    }

    /// `sqlite`, `postgres` or `mysql`.
    pub fn engine(&self) -> &'static str {
        self.dialect().as_str()
    }

    /// What only SQLite has: an authorizer under which a guest's own SQL runs.
    pub fn sqlite(&self) -> Result<&SqliteDatabase, DbError> {
        match &self.engine {
            Engine::Sqlite(database) => Ok(database),
            Engine::Server(_) => Err(DbError::unsupported("a guest's SQL", self.engine())),
        }
    }

    /// A connection, held for several statements.
    pub async fn session(&self, mode: Mode, share: Share, deadline: Instant) -> Result<Session, DbError> {
        match &self.engine {
            Engine::Sqlite(database) => {
                let taking = async {
                    match mode {
                        Mode::Read => database.reader().await,
                        Mode::Write => database.writer().await,
                    }
                };
                let taken = tokio::time::timeout_at(deadline.into(), taking).await;
                Ok(Session::sqlite(taken.map_err(|_| DbError::interrupted())??, mode))
            }
            Engine::Server(pool) => Ok(Session::server(pool.acquire(share, deadline).await?)),
        }
    }

    /// A connection with an open transaction.
    pub async fn begin(&self, mode: Mode, share: Share, deadline: Instant) -> Result<Session, DbError> {
        loop {
            let mut session = self.session(mode, share, deadline).await?;
            match session.begin(deadline).await {
                Ok(()) => return Ok(session),
                // Nothing was done on it: another one will do. Those that rested are gone after the first.
                Err(error) if error.kind == FailureKind::Lost && session.is_reused() => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Runs one statement on its own; its rows in the canonical form of their types.
    pub async fn rows(
        &self,
        mode: Mode,
        statement: &statement::Statement,
        deadline: Instant,
    ) -> Result<Vec<Vec<Value>>, DbError> {
        loop {
            let mut session = self.session(mode, Share::Platform, deadline).await?;
            match session.rows(statement, deadline).await {
                Err(error) if may_read_again(mode, &session, &error) => {}
                rows => {
                    session.end();
                    return rows;
                }
            }
        }
    }

    /// Runs one statement on its own; its rows as JSON, straight from the driver's.
    pub async fn json(
        &self,
        mode: Mode,
        statement: &statement::Statement,
        limits: JsonLimits,
        deadline: Instant,
    ) -> Result<JsonRows, DbError> {
        loop {
            let mut session = self.session(mode, Share::Platform, deadline).await?;
            match session.json(statement, limits, deadline).await {
                Err(error) if may_read_again(mode, &session, &error) => {}
                rows => {
                    session.end();
                    return rows;
                }
            }
        }
    }

    /// Runs one statement on its own, for its effect.
    pub async fn execute(&self, statement: &statement::Statement, deadline: Instant) -> Result<Done, DbError> {
        let mut session = self.session(Mode::Write, Share::Platform, deadline).await?;
        let done = session.execute(statement, deadline).await;
        session.end();
        done
    }

    /// (in use, idle).
    pub fn pool_use(&self) -> (i64, i64) {
        match &self.engine {
            Engine::Sqlite(database) => database.pool_use(),
            Engine::Server(pool) => pool.usage(),
        }
    }
}

/// By `engine` of a connection.
pub(crate) fn dialect_of(engine: &str) -> Option<Dialect> {
    match engine {
        "sqlite" => Some(Dialect::Sqlite),
        "postgres" => Some(Dialect::Postgres),
        "mysql" | "mariadb" => Some(Dialect::Mysql),
        _ => None,
    }
}

/// Reading changes nothing, so that what a dead connection did not answer is asked again. It ends: a connection that was just made
/// is not taken for one that died while it rested, and all that rested are given up with the first that is found dead.
fn may_read_again(mode: Mode, session: &Session, error: &DbError) -> bool {
    mode == Mode::Read && error.kind == FailureKind::Lost && session.is_reused()
}
