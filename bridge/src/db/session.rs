//! A connection that is held for the platform's own statements, one or several, in a transaction or not; and the statements of a
//! release. What guests write themselves goes through [`super::Statement`], under its authorizer.

use std::time::{Duration, Instant};

use santokit_core::{release::logins::Publisher, schema::Schema, value::Value};
use santokit_sql::{
    dialect::Dialect,
    statement::{Bound, Statement},
};
use santokit_wasm::RowBudget;

use super::{
    Connection, DbError, Reading, bind,
    budget::Tally,
    cell::{Answered, Row},
    execute::{self, traced},
    link::Ran,
    pool::{After, Lease},
};

/// A connection, held.
#[derive(Debug)]
pub struct Session {
    held: Held,
    dialect: Dialect,
}

#[derive(Debug)]
enum Held {
    Sqlite { connection: Connection, mode: Mode, open: Open },
    Server(Lease),
}

/// Whether a transaction is open on SQLite, which ends one by itself after some failures: a statement would then be stored alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    No,
    Yes,
    Failed,
}

/// What a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Reading only. A statement that failed because the connection was dead is run again.
    Read,
    /// Reading and writing.
    Write,
}

/// Whose work it is: guests' cannot take all connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// The platform's: CRUD, SQL logic, bookkeeping.
    Platform,
    /// A guest's, which holds a connection for as long as it likes, within its limits.
    Guest,
}

/// A statement of a release: text that its author wrote, with declared params.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// With the engine's placeholders.
    pub sql: &'a str,
    /// For them, in order.
    pub params: &'a [Bound],
    /// Where its columns' types are declared.
    pub schema: &'a Schema,
    /// Whether its session may be another one afterwards: the connection is not used again then.
    pub may_change_session: bool,
}

/// What a statement did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Rows written; on MySQL those that matched.
    pub affected: u64,
    /// Rows read.
    pub rows: u64,
    /// The key that the database counted for the first new row (SQLite: the last one). PostgreSQL says it by `RETURNING`.
    pub last_insert_id: Option<u64>,
}

/// Whether a reader wants more rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// The next one.
    Continue,
    /// None: the statement is stopped. A connection to a server is closed for that, so it is for what does not happen often.
    Stop,
}

/// Takes rows as they come.
pub type Sink<'s> = dyn FnMut(&Row<'_>) -> Result<Flow, sqlx::Error> + Send + 's;

/// How much an answer may hold.
#[derive(Clone, Copy, Debug)]
pub struct JsonLimits {
    /// Rows.
    pub rows: u64,
    /// Bytes of JSON.
    pub bytes: usize,
}

/// Rows as JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JsonRows {
    /// A list of objects.
    pub bytes: Vec<u8>,
    /// How many.
    pub rows: u64,
    /// Why the list ends before its end.
    pub cut: Option<Cut>,
}

/// Which limit an answer reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Of rows.
    Rows,
    /// Of bytes.
    Bytes,
}

/// Rows beyond a limit that are passed over, so that few of them do not cost the connection and what is open on it.
const PASSED_MAX: usize = 1_000;

/// From this on a statement is worth a line in the log.
const SLOW: Duration = Duration::from_secs(5);

impl Session {
    pub(super) fn sqlite(connection: Connection, mode: Mode) -> Self {
        Self { held: Held::Sqlite { connection, mode, open: Open::No }, dialect: Dialect::Sqlite }
    }

    /// On a connection that a write transaction is open on.
    pub(super) fn in_transaction(connection: Connection) -> Self {
        Self { held: Held::Sqlite { connection, mode: Mode::Write, open: Open::Yes }, dialect: Dialect::Sqlite }
    }

    /// SQLite's connection, as it is.
    pub(super) fn into_connection(self) -> Option<Connection> {
        match self.held {
            Held::Sqlite { connection, .. } => Some(connection),
            Held::Server(_) => None,
        }
    }

    pub(super) fn server(lease: Lease) -> Self {
        Self { dialect: lease.pool().dialect(), held: Held::Server(lease) }
    }

    /// Which SQL is spoken.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Whether the connection may have died while it rested.
    pub(super) fn is_reused(&self) -> bool {
        matches!(&self.held, Held::Server(lease) if lease.is_reused())
    }

    /// Runs a statement and gives its rows to the sink.
    pub async fn each(
        &mut self,
        statement: &Statement,
        deadline: Instant,
        sink: &mut Sink<'_>,
    ) -> Result<Done, DbError> {
        let Statement { sql, params, columns } = statement;
        self.run(sql, params, Answered::Columns(columns), deadline, sink).await
    }

    /// Runs a statement; its rows in the canonical form of their types.
    pub async fn rows(&mut self, statement: &Statement, deadline: Instant) -> Result<Vec<Vec<Value>>, DbError> {
        let mut rows = Vec::new();
        self.each(statement, deadline, &mut |row| {
            rows.push(row.values()?);
            Ok(Flow::Continue)
        })
        .await?;
        Ok(rows)
    }

    /// Runs a statement; its rows as JSON, straight from the driver's.
    pub async fn json(
        &mut self,
        statement: &Statement,
        limits: JsonLimits,
        deadline: Instant,
    ) -> Result<JsonRows, DbError> {
        let Statement { sql, params, columns } = statement;
        self.write_json(sql, params, Answered::Columns(columns), limits, deadline).await
    }

    /// Runs a statement for its effect.
    pub async fn execute(&mut self, statement: &Statement, deadline: Instant) -> Result<Done, DbError> {
        self.each(statement, deadline, &mut |_| Ok(Flow::Continue)).await
    }

    /// Runs a release's statement; its rows as JSON.
    pub async fn text_json(
        &mut self,
        text: Text<'_>,
        limits: JsonLimits,
        deadline: Instant,
    ) -> Result<JsonRows, DbError> {
        self.spend_on(text);
        self.write_json(text.sql, text.params, Answered::Found(text.schema), limits, deadline).await
    }

    /// Runs a release's statement for its effect.
    pub async fn text_execute(&mut self, text: Text<'_>, deadline: Instant) -> Result<Done, DbError> {
        self.spend_on(text);
        let answered = Answered::Found(text.schema);
        self.run(text.sql, text.params, answered, deadline, &mut |_| Ok(Flow::Continue)).await
    }

    /// Runs a guest's statement on a server and reads its rows within the budget.
    pub async fn guest_rows(
        &mut self,
        text: Text<'_>,
        answered: Answered<'_>,
        budget: RowBudget,
        deadline: Instant,
    ) -> Result<Reading, DbError> {
        self.spend_on(text);
        if let Held::Server(lease) = &mut self.held {
            lease.allow(budget.bytes);
        }
        let (mut reading, mut tally) = (Reading::default(), Tally::new(budget));
        let mut passed = 0_usize;
        let done = self
            .run(text.sql, text.params, answered, deadline, &mut |row| {
                if reading.rows.columns.is_empty() {
                    reading.rows.columns = row.told();
                }
                if reading.limit.is_none() {
                    match tally.row(row.len(), |index| row.value(index))? {
                        Ok(cells) => reading.rows.rows.push(cells),
                        Err(limit) => reading.limit = Some(limit),
                    }
                    return Ok(Flow::Continue);
                }
                passed += 1;
                Ok(if passed > PASSED_MAX { Flow::Stop } else { Flow::Continue })
            })
            .await?;
        reading.affected = done.affected;
        Ok(reading)
    }

    /// How the login of this session publishes events, if it does.
    pub fn publisher(&self) -> Option<&Publisher> {
        match &self.held {
            Held::Server(lease) => lease.pool().publisher(),
            Held::Sqlite { .. } => None,
        }
    }

    /// Runs a guest's statement on a server for its effect.
    pub async fn guest_execute(
        &mut self,
        text: Text<'_>,
        answered: Answered<'_>,
        deadline: Instant,
    ) -> Result<Done, DbError> {
        self.spend_on(text);
        self.run(text.sql, text.params, answered, deadline, &mut |_| Ok(Flow::Continue)).await
    }

    /// Begins a transaction: READ COMMITTED on servers; on SQLite the one writer, or a snapshot to read.
    pub async fn begin(&mut self, deadline: Instant) -> Result<(), DbError> {
        let sql = match &self.held {
            Held::Sqlite { mode: Mode::Write, .. } => "BEGIN IMMEDIATE",
            _ => "BEGIN",
        };
        self.command(sql, After::Open, deadline).await
    }

    /// Stores all since [`Self::begin`]. After a statement that failed it rolls back, and says so.
    pub async fn commit(&mut self, deadline: Instant) -> Result<(), DbError> {
        self.command("COMMIT", After::Ready, deadline).await
    }

    /// Gives the connection back as it is, where no transaction is open on it. A session that is only dropped is cleared first.
    pub fn end(self) {
        if let Held::Sqlite { connection, open: Open::No, .. } = self.held {
            connection.give_back();
        }
    }

    /// Undoes all since [`Self::begin`]. Dropping a session does the same.
    pub async fn rollback(&mut self, deadline: Instant) -> Result<(), DbError> {
        self.command("ROLLBACK", After::Ready, deadline).await
    }

    /// Begins a level inside of a transaction.
    pub async fn savepoint(&mut self, level: usize, deadline: Instant) -> Result<(), DbError> {
        self.command(&format!("SAVEPOINT stk_{level}"), After::Same, deadline).await
    }

    /// Ends a level and keeps what it did.
    pub async fn release(&mut self, level: usize, deadline: Instant) -> Result<(), DbError> {
        self.command(&format!("RELEASE SAVEPOINT stk_{level}"), After::Same, deadline).await
    }

    /// Undoes a level, also after a statement of it that failed.
    pub async fn rollback_to(&mut self, level: usize, deadline: Instant) -> Result<(), DbError> {
        self.command(&format!("ROLLBACK TO SAVEPOINT stk_{level}"), After::Open, deadline).await
    }

    async fn write_json(
        &mut self,
        sql: &str,
        params: &[Bound],
        answered: Answered<'_>,
        limits: JsonLimits,
        deadline: Instant,
    ) -> Result<JsonRows, DbError> {
        let mut answer = JsonRows { bytes: vec![b'['], ..JsonRows::default() };
        self.run(sql, params, answered, deadline, &mut |row| {
            if answer.rows >= limits.rows {
                answer.cut = Some(Cut::Rows);
                return Ok(Flow::Stop);
            }
            answer.bytes.extend_from_slice(if answer.rows > 0 { b",{" } else { b"{" });
            row.write_fields(row.len(), &mut answer.bytes)?;
            answer.bytes.push(b'}');
            answer.rows += 1;
            if answer.bytes.len() >= limits.bytes {
                answer.cut = Some(Cut::Bytes);
                return Ok(Flow::Stop);
            }
            Ok(Flow::Continue)
        })
        .await?;
        answer.bytes.push(b']');
        Ok(answer)
    }

    async fn run(
        &mut self,
        sql: &str,
        params: &[Bound],
        answered: Answered<'_>,
        deadline: Instant,
        sink: &mut Sink<'_>,
    ) -> Result<Done, DbError> {
        let started = Instant::now();
        let system = system(self.dialect);
        let running = self.run_once_more(sql, params, answered, deadline, sink);
        let ran = traced(system, running, |ran| usize::try_from(ran.done.rows).ok()).await;
        if started.elapsed() > SLOW {
            tracing::warn!(durationMs = u64::try_from(started.elapsed().as_millis()).ok(), "a slow statement");
        }
        Ok(ran?.done)
    }

    /// A prepared statement of a table that changed since is prepared again, unless a transaction has failed by it.
    async fn run_once_more(
        &mut self,
        sql: &str,
        params: &[Bound],
        answered: Answered<'_>,
        deadline: Instant,
        sink: &mut Sink<'_>,
    ) -> Result<Ran, DbError> {
        match &mut self.held {
            Held::Server(lease) => match lease.run(sql, params, answered, sink, deadline).await {
                Err(error) if error.is_stale_plan() && !lease.is_open() => {
                    lease.forget_statements(deadline).await?;
                    lease.run(sql, params, answered, sink, deadline).await
                }
                ran => ran,
            },
            Held::Sqlite { open: Open::Failed, .. } => Err(DbError::failed_transaction()),
            Held::Sqlite { connection, open, .. } => {
                let arguments = bind::sqlite(params).map_err(|error| DbError::from_sqlite(&error))?;
                let statement = execute::Statement { sql, values: &[], access: None, deadline };
                let ran = statement.each(connection, arguments, answered, sink).await;
                if ran.is_err() && *open == Open::Yes {
                    *open = Open::Failed;
                }
                ran
            }
        }
    }

    async fn command(&mut self, sql: &str, after: After, deadline: Instant) -> Result<(), DbError> {
        let has_failed = match &self.held {
            Held::Sqlite { open, .. } => *open == Open::Failed,
            Held::Server(lease) => lease.has_failed(),
        };
        if has_failed && sql == "COMMIT" {
            self.end_failed(deadline).await;
            return Err(DbError::failed_transaction());
        }
        match &mut self.held {
            Held::Server(lease) => traced(system(self.dialect), lease.command(sql, after, deadline), |()| None).await,
            Held::Sqlite { connection, open, .. } => {
                if has_failed && after == After::Same {
                    return Err(DbError::failed_transaction());
                }
                let statement = execute::Statement { sql, values: &[], access: None, deadline };
                statement.run(connection).await?;
                *open = match after {
                    After::Same => *open,
                    After::Open => Open::Yes,
                    After::Ready => Open::No,
                };
                Ok(())
            }
        }
    }

    /// Rolls back. Where that fails too, the connection does it when it is given back.
    async fn end_failed(&mut self, deadline: Instant) {
        match &mut self.held {
            Held::Server(lease) => drop(lease.command("ROLLBACK", After::Ready, deadline).await),
            Held::Sqlite { connection, open, .. } => {
                // SQLite may have rolled back already.
                let statement = execute::Statement { sql: "ROLLBACK", values: &[], access: None, deadline };
                drop(statement.run(connection).await);
                *open = Open::No;
            }
        }
    }

    /// What it leaves in its session would be the next caller's.
    fn spend_on(&mut self, text: Text<'_>) {
        if let Held::Server(lease) = &mut self.held
            && text.may_change_session
        {
            lease.spend();
        }
    }
}

/// As OpenTelemetry names them.
fn system(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Sqlite => "sqlite",
        Dialect::Postgres => "postgresql",
        Dialect::Mysql => "mysql",
    }
}
