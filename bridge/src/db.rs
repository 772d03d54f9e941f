//! A database of an env: its connections, and statements run on them. The one place where a request does I/O.
//!
//! SQLite, PostgreSQL, and MySQL or MariaDB behind one value. Every statement has a deadline that stops it inside the engine, and a
//! connection that anything was left open on is rolled back or closed before it is used again. On a server, what guests write
//! themselves runs as users that may do what was granted and nothing else (decision 0022), on connections of their own.

mod bind;
mod budget;
mod cell;
mod connections;
mod error;
mod execute;
mod json;
mod link;
mod listen;
mod pool;
mod relay;
mod session;
mod sqlite;
mod time;
mod transaction;
mod value;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use santokit_core::{
    release::logins::TablePowers,
    value::Value,
    wire::{GuestLogin, RuntimeConnection},
};
use santokit_sql::{dialect::Dialect, failure::FailureKind, statement};

use self::time::Time;
use pool::Pool;

pub use santokit_sqlite::{Access, Authorized};

pub use cell::{Answered, ResultColumn, Row};
pub use connections::Connection;
pub use error::DbError;
pub use execute::{Chunk, Deadline, Reading, Statement};
pub use listen::Listener;
pub use session::{Cut, Done, Flow, JsonLimits, JsonRows, Mode, Session, Share, Sink, Text};
pub use sqlite::SqliteDatabase;
pub use transaction::{Lent, OpenTransaction};
pub use value::{json_rows, json_value};

/// A database of an env.
#[derive(Debug)]
pub struct Database {
    name: String,
    engine: Engine,
    /// On a server, the newest login first where several may do the same.
    guests: Vec<GuestPool>,
    time: Arc<Time>,
}

/// The connections of one login for guests.
#[derive(Clone, Debug)]
struct GuestPool {
    login: GuestLogin,
    pool: Arc<Pool>,
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
    /// Connections of one login for guests.
    fn login_places(&self) -> usize {
        self.guest_places().min(LOGIN_PLACES_MAX)
    }

    pub(crate) fn guest_places(&self) -> usize {
        self.guest_pool_size.unwrap_or(self.pool_size / 2).clamp(1, self.pool_size.max(1))
    }
}

/// A release may need many logins, and the server's connections are not endless.
const LOGIN_PLACES_MAX: usize = 10;

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
        let mut opened = Self { name: name.to_owned(), engine, guests: Vec::new(), time: Arc::default() };
        opened.guests = opened.guest_pools(connection, settings)?;
        Ok(opened)
    }

    /// The same database with the logins of now: connections that are there go on being used.
    pub fn with_guests(&self, connection: &RuntimeConnection, settings: &DatabaseSettings) -> Result<Self, DbError> {
        let engine = match &self.engine {
            Engine::Sqlite(_) => return Self::open(&self.name, connection, settings),
            Engine::Server(pool) => Engine::Server(Arc::clone(pool)),
        };
        let (guests, time) = (self.guest_pools(connection, settings)?, Arc::clone(&self.time));
        Ok(Self { name: self.name.clone(), engine, guests, time })
    }

    fn guest_pools(
        &self,
        connection: &RuntimeConnection,
        settings: &DatabaseSettings,
    ) -> Result<Vec<GuestPool>, DbError> {
        let Engine::Server(platform) = &self.engine else { return Ok(Vec::new()) };
        let most = settings.login_places();
        let open = |login: &GuestLogin| {
            let is_same = |known: &&GuestPool| {
                known.login.user == login.user && known.login.password.expose() == login.password.expose()
            };
            let pool = if let Some(known) = self.guests.iter().find(is_same) {
                Arc::clone(&known.pool)
            } else {
                Arc::new(platform.of_login(connection.url.expose(), login, most)?)
            };
            Ok(GuestPool { login: login.clone(), pool })
        };
        connection.guests.iter().map(open).collect()
    }

    /// A connection of a server's login that may do exactly this.
    pub async fn guest_session(&self, powers: &TablePowers, deadline: Instant) -> Result<Session, DbError> {
        let guest = self.guests.iter().find(|guest| guest.login.tables == *powers);
        let none = || DbError::unavailable("the database has no login for what this logic may do; apply again");
        let lease = guest.ok_or_else(none)?.pool.acquire(Share::Guest, deadline).await?;
        Ok(Session::server(lease))
    }

    /// The same with an open transaction.
    pub async fn guest_begin(&self, powers: &TablePowers, deadline: Instant) -> Result<Session, DbError> {
        begun(deadline, || self.guest_session(powers, deadline)).await
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

    /// Whether the other is this one: the same server by the same connections, or the same file.
    pub fn is_same(&self, other: &Self) -> bool {
        match (&self.engine, &other.engine) {
            (Engine::Server(mine), Engine::Server(other)) => Arc::ptr_eq(mine, other),
            _ => std::ptr::eq(self, other),
        }
    }

    /// Listens on a channel of a PostgreSQL server.
    pub async fn listen(&self, channel: &str) -> Result<Listener, DbError> {
        match &self.engine {
            Engine::Server(pool) => pool.listen(channel).await,
            Engine::Sqlite(_) => Err(DbError::unsupported("to be told by others", self.engine())),
        }
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
                        Mode::Read => database.reader(share).await,
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
        begun(deadline, || self.session(mode, share, deadline)).await
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
            Engine::Server(pool) => {
                // Those in use count once: all take the same places.
                let (used, idle) = pool.usage();
                (used, idle + self.guests.iter().map(|guest| guest.pool.usage().1).sum::<i64>())
            }
        }
    }
}

/// A session with an open transaction.
async fn begun<F>(deadline: Instant, mut take: impl FnMut() -> F) -> Result<Session, DbError>
where
    F: Future<Output = Result<Session, DbError>>,
{
    loop {
        let mut session = take().await?;
        match session.begin(deadline).await {
            Ok(()) => return Ok(session),
            // Nothing was done on it: another one will do. Those that rested are gone after the first.
            Err(error) if error.kind == FailureKind::Lost && session.is_reused() => {}
            Err(error) => return Err(error),
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
