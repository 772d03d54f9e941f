//! One connection to a database server: made with the session that Santokit needs, statements run on it, and stopped from beside.

use std::{str::FromStr, time::Duration};

use futures_util::TryStreamExt;
use santokit_core::wire::GuestLogin;
use santokit_sql::{dialect::Dialect, statement::Bound};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection as _, Either, Error, Executor, MySqlConnection, PgConnection, Row as _,
    SqlSafeStr as _, Statement as _, mysql::MySqlConnectOptions, postgres::PgConnectOptions,
};

use super::{
    DatabaseSettings, DbError,
    bind::{self, Texts},
    cell::{Answered, DriverRow, ResultColumn, Row},
    relay::{self, Gauge},
    session::{Done, Flow, Sink},
};

/// Makes connections.
pub(super) struct Connector {
    options: Options,
    session: Session,
    /// Whether it is guests who say what is asked.
    is_for_guests: bool,
}

enum Options {
    Postgres(Box<PgConnectOptions>),
    Mysql(Box<MySqlConnectOptions>),
}

/// What a session is limited to on the server, should this Bridge not be there to end something.
struct Session {
    statement: Duration,
    idle_in_transaction: Duration,
}

/// A connection.
#[derive(Debug)]
pub(super) enum Link {
    /// Where guests say what is asked, what comes is measured.
    Postgres(Box<PgConnection>, Option<Gauge>),
    /// A row has at most the server's `max_allowed_packet`.
    Mysql(Box<MySqlConnection>),
}

/// What a statement came to, and whether rows are left that nobody read.
pub(super) struct Ran {
    pub done: Done,
    pub is_cut: bool,
}

/// On top of our own limits: theirs are for when ours cannot be enforced.
const BACKSTOP_SLACK: Duration = Duration::from_secs(5);
const IDLE_IN_TRANSACTION_MAX: Duration = Duration::from_secs(30);
/// Statements that a connection keeps prepared.
const PREPARED_MAX: usize = 256;
/// What is stored is what was sent or an error; a backslash is a backslash, as everywhere else, so that a text means the same on
/// all engines and to whoever looks for placeholders in it.
const SQL_MODE: &str = "STRICT_TRANS_TABLES,STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,NO_ZERO_IN_DATE,\
    NO_ENGINE_SUBSTITUTION,NO_BACKSLASH_ESCAPES";

impl Connector {
    /// Of a URL, which no error repeats.
    pub(super) fn new(dialect: Dialect, url: &str, settings: &DatabaseSettings) -> Result<Self, DbError> {
        let unreadable = |_| {
            let form = format!("{}://user:password@host:port/database", dialect.as_str());
            DbError::unavailable(format!("the connection's URL cannot be read; expected {form}"))
        };
        let options = if dialect == Dialect::Mysql {
            let url = url.replacen("mariadb://", "mysql://", 1);
            let options = MySqlConnectOptions::from_str(&url).map_err(unreadable)?;
            // All of the session is set in one place, below.
            let options = options.set_names(false).timezone(None).pipes_as_concat(false).no_engine_substitution(false);
            Options::Mysql(Box::new(options.statement_cache_capacity(PREPARED_MAX).disable_statement_logging()))
        } else {
            let options = PgConnectOptions::from_str(url).map_err(unreadable)?;
            let options = options.application_name("santokit-bridge").statement_cache_capacity(PREPARED_MAX);
            Options::Postgres(Box::new(options.disable_statement_logging()))
        };
        let session = Session {
            statement: settings.query_timeout + BACKSTOP_SLACK,
            idle_in_transaction: IDLE_IN_TRANSACTION_MAX,
        };
        Ok(Self { options, session, is_for_guests: false })
    }

    /// As a user of guests.
    pub(super) fn with_login(self, login: &GuestLogin) -> Self {
        let (user, password) = (login.user.as_str(), login.password.expose());
        let options = match self.options {
            Options::Postgres(options) => Options::Postgres(Box::new(options.username(user).password(password))),
            Options::Mysql(options) => Options::Mysql(Box::new(options.username(user).password(password))),
        };
        Self { options, is_for_guests: true, ..self }
    }

    /// How a PostgreSQL server is connected to.
    pub(super) fn postgres(&self) -> Option<&PgConnectOptions> {
        match &self.options {
            Options::Postgres(options) => Some(options),
            Options::Mysql(_) => None,
        }
    }

    /// Connects; the connection and its number on the server.
    pub(super) async fn connect(&self) -> Result<(Link, u64), Error> {
        match &self.options {
            Options::Postgres(options) => {
                let (mut connection, gauge) = if self.is_for_guests {
                    let (connection, gauge) = relay::connect(options).await?;
                    (connection, Some(gauge))
                } else {
                    (PgConnection::connect_with(options).await?, None)
                };
                let id = postgres_session(&mut connection, &self.session).await?;
                Ok((Link::Postgres(Box::new(connection), gauge), id))
            }
            Options::Mysql(options) => {
                let mut connection = MySqlConnection::connect_with(options).await?;
                let id = mysql_session(&mut connection, &self.session).await?;
                Ok((Link::Mysql(Box::new(connection)), id))
            }
        }
    }
}

impl Link {
    /// Runs a command that has no values: `BEGIN`, a savepoint.
    pub(super) async fn command(&mut self, sql: &str) -> Result<(), Error> {
        match self {
            Link::Postgres(connection, _) => connection.execute(bind::text(sql)).await.map(drop),
            Link::Mysql(connection) => connection.execute(bind::text(sql)).await.map(drop),
        }
    }

    /// Whether it is alive.
    pub(super) async fn ping(&mut self) -> Result<(), Error> {
        match self {
            Link::Postgres(connection, _) => connection.ping().await,
            Link::Mysql(connection) => connection.ping().await,
        }
    }

    /// Forgets prepared statements: a table that changed has other columns.
    pub(super) async fn forget_statements(&mut self) -> Result<(), Error> {
        match self {
            Link::Postgres(connection, _) => connection.clear_cached_statements().await,
            Link::Mysql(connection) => connection.clear_cached_statements().await,
        }
    }

    /// Says goodbye.
    pub(super) async fn close(self) -> Result<(), Error> {
        match self {
            Link::Postgres(connection, _) => connection.close().await,
            Link::Mysql(connection) => connection.close().await,
        }
    }

    /// Stops what another connection of the same user runs.
    pub(super) async fn stop(&mut self, id: u64) -> Result<(), Error> {
        match self {
            Link::Postgres(connection, _) => {
                connection.execute(AssertSqlSafe(format!("SELECT pg_cancel_backend({id})"))).await.map(drop)
            }
            Link::Mysql(connection) => connection.execute(AssertSqlSafe(format!("KILL QUERY {id}"))).await.map(drop),
        }
    }

    /// After a statement was stopped: an order to stop that came too late stays for the next one, on MySQL. This is it.
    pub(super) async fn settle(&mut self) -> Result<(), Error> {
        let Link::Mysql(connection) = self else { return Ok(()) };
        for _ in 0..2 {
            match connection.execute("DO 0").await {
                Err(Error::Database(_)) => {}
                settled => return settled.map(drop),
            }
        }
        Ok(())
    }

    /// What is measured of what comes.
    pub(super) fn gauge(&self) -> Option<&Gauge> {
        match self {
            Link::Postgres(_, gauge) => gauge.as_ref(),
            Link::Mysql(_) => None,
        }
    }

    /// Runs a statement and gives its rows to the sink.
    pub(super) async fn run(
        &mut self,
        sql: &str,
        params: &[Bound],
        answered: Answered<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Ran, Error> {
        match self {
            Link::Postgres(connection, gauge) => {
                let texts = match answered {
                    Answered::Columns(_) => Texts::Found,
                    Answered::Found(_) => Texts::Text,
                    Answered::Guest(_) => Texts::TextOrNull,
                };
                let text = bind::postgres_text(sql, params, texts).into_sql_str();
                let types = bind::postgres_types(params, texts);
                let arguments = match types {
                    // Kept by its text, as what is run below.
                    Some(types) => {
                        let prepared = connection.prepare_with(text.clone(), &types).await?;
                        let found = prepared.parameters().and_then(Either::left);
                        bind::postgres(params, found)?
                    }
                    None => bind::postgres(params, None)?,
                };
                let query = sqlx::query_with(text, arguments);
                let mut reader = Reader::new(answered, sink);
                let mut rows = connection.fetch_many(query);
                while let Some(next) = rows.try_next().await? {
                    if let Some(gauge) = gauge {
                        gauge.taken();
                    }
                    match next {
                        Either::Left(done) => reader.done.affected += done.rows_affected(),
                        Either::Right(row) if reader.take(DriverRow::Postgres(&row))? == Flow::Stop => {
                            return Ok(reader.end(true));
                        }
                        Either::Right(_) => {}
                    }
                }
                drop(rows);
                Ok(reader.end(false))
            }
            Link::Mysql(connection) => {
                let query = sqlx::query_with(bind::text(sql), bind::mysql(params)?);
                let mut reader = Reader::new(answered, sink);
                let mut rows = connection.fetch_many(query);
                while let Some(next) = rows.try_next().await? {
                    match next {
                        Either::Left(done) => {
                            reader.done.affected += done.rows_affected();
                            reader.done.last_insert_id = Some(done.last_insert_id()).filter(|id| *id > 0);
                        }
                        Either::Right(row) if reader.take(DriverRow::Mysql(&row))? == Flow::Stop => {
                            return Ok(reader.end(true));
                        }
                        Either::Right(_) => {}
                    }
                }
                drop(rows);
                Ok(reader.end(false))
            }
        }
    }
}

/// Rows on their way from a driver to a sink.
pub(super) struct Reader<'a, 's> {
    answered: Answered<'a>,
    columns: Option<Vec<ResultColumn>>,
    sink: &'a mut Sink<'s>,
    pub done: Done,
}

impl<'a, 's> Reader<'a, 's> {
    pub(super) fn new(answered: Answered<'a>, sink: &'a mut Sink<'s>) -> Self {
        Self { answered, columns: None, sink, done: Done::default() }
    }

    pub(super) fn take(&mut self, row: DriverRow<'_>) -> Result<Flow, Error> {
        let columns = self.columns.get_or_insert_with(|| ResultColumn::all(row, self.answered));
        self.done.rows += 1;
        (self.sink)(&Row::new(row, columns))
    }

    pub(super) fn end(self, is_cut: bool) -> Ran {
        Ran { done: self.done, is_cut }
    }
}

async fn postgres_session(connection: &mut PgConnection, session: &Session) -> Result<u64, Error> {
    let settings = [
        ("statement_timeout", session.statement.as_millis().to_string()),
        ("idle_in_transaction_session_timeout", session.idle_in_transaction.as_millis().to_string()),
        ("default_transaction_isolation", "read committed".to_owned()),
        ("standard_conforming_strings", "on".to_owned()),
        // Dates are ordered as texts.
        ("DateStyle", "ISO".to_owned()),
        ("TimeZone", "UTC".to_owned()),
    ];
    let set: Vec<String> =
        settings.iter().map(|(name, value)| format!("set_config('{name}', '{value}', false)")).collect();
    let sql = format!("SELECT pg_backend_pid(), {}", set.join(", "));
    let row = connection.fetch_one(AssertSqlSafe(sql)).await?;
    // Without placeholders the answer is text.
    let id: String = row.try_get_unchecked(0)?;
    id.parse().map_err(|_| Error::Protocol("pg_backend_pid is no number".to_owned()))
}

async fn mysql_session(connection: &mut MySqlConnection, session: &Session) -> Result<u64, Error> {
    let row = connection.fetch_one("SELECT CAST(CONNECTION_ID() AS CHAR), VERSION()").await?;
    let (id, version): (String, String) = (row.try_get_unchecked(0)?, row.try_get_unchecked(1)?);
    let is_mariadb = version.contains("MariaDB");
    // Without padding and by code points; the two have no such collation in common.
    let collation = if is_mariadb { "utf8mb4_nopad_bin" } else { "utf8mb4_0900_bin" };
    let limits = if is_mariadb {
        let (statement, idle) = (session.statement.as_secs(), session.idle_in_transaction.as_secs());
        format!("max_statement_time = {statement}, idle_transaction_timeout = {idle}")
    } else {
        format!("max_execution_time = {}", session.statement.as_millis())
    };
    let sql = format!("SET NAMES utf8mb4 COLLATE {collation}, time_zone = '+00:00', sql_mode = '{SQL_MODE}', {limits}");
    connection.execute(AssertSqlSafe(sql)).await?;
    connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED").await?;
    id.parse().map_err(|_| Error::Protocol("CONNECTION_ID is no number".to_owned()))
}
