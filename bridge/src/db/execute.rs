//! Running one statement on a connection, with its deadline and, for guests, its access.

use std::time::Instant;

use futures_util::TryStreamExt;
use santokit_core::{
    limit::LimitName,
    schema::Schema,
    value::{Column, RowSet, Value},
};
use santokit_wasm::{RowBudget, packed::PackedRows};
use sqlx::{Executor, Row, SqliteConnection, query::Query, sqlite::SqliteArguments};
use tokio::sync::mpsc::Sender;
use tracing::{Instrument, field::Empty};

use super::{
    Authorized, Connection, DbError, bind,
    budget::{Tally, packed_most},
    cell::{Answered, DriverRow},
    link::{Ran, Reader},
    session::{Flow, Sink},
    value,
};

/// When a statement must have ended.
pub type Deadline = Instant;

/// A longer statement is prepared each time: what is kept of one grows with its text, and guests write texts.
const KEPT_BYTES_MAX: usize = 4 << 10;

/// A statement with its values.
#[derive(Clone, Debug)]
pub struct Statement<'a> {
    /// The text. From a release, or from a guest together with `access`.
    pub sql: &'a str,
    /// For its placeholders, in order.
    pub values: &'a [Value],
    /// What it may touch; none for statements of the release itself.
    pub access: Option<Authorized>,
    /// When it is stopped.
    pub deadline: Deadline,
}

/// Rows that were read, and the limit that ended the reading.
#[derive(Debug, Default)]
pub struct Reading {
    /// What was read.
    pub rows: RowSet,
    /// The limit, where it was reached.
    pub limit: Option<LimitName>,
    /// Rows affected, where the statement writes.
    pub affected: u64,
}

/// Some of a statement's rows, as guests get them.
#[derive(Debug, Default)]
pub struct Chunk {
    /// With the first rows only.
    pub columns: Vec<Column>,
    /// At least one but in the last chunk.
    pub rows: PackedRows,
    /// In the last chunk: the limit that ended the reading, where it was one.
    pub end: Option<Option<LimitName>>,
}

/// The first rows of a statement are handed on soon, so that whoever waits for them can begin.
const FIRST_CHUNK_ROWS: usize = 64;
const CHUNK_ROWS: usize = 1_024;
const CHUNK_BYTES: usize = 256 << 10;
const CHUNKS_MAX: usize = 1_024;

impl Chunk {
    /// In so many a reading within the budget comes, as long as it is not very large.
    pub fn most(budget: RowBudget) -> usize {
        let by_rows = budget.rows / CHUNK_ROWS as u64;
        let by_bytes = budget.bytes / CHUNK_BYTES as u64;
        usize::try_from(by_rows.saturating_add(by_bytes)).unwrap_or(CHUNKS_MAX).saturating_add(3).min(CHUNKS_MAX)
    }
}

impl Statement<'_> {
    /// Runs it and hands on its rows within the budget, as they are read, until nobody wants them any more. The last of them are
    /// the answer: whoever has them knows that the connection is not needed any more.
    pub async fn read_chunks(
        &self,
        connection: &mut Connection,
        schema: &Schema,
        budget: RowBudget,
        sink: &Sender<Result<Chunk, DbError>>,
    ) -> Result<Option<Chunk>, DbError> {
        let reading = async {
            self.prepare(connection, budget.bytes).await?;
            let read = self.send_chunks(connection.driver(), schema, budget, sink).await;
            let is_whole = |last: &Option<Chunk>| last.as_ref().is_some_and(|chunk| chunk.end == Some(None));
            if !read.as_ref().is_ok_and(|(_, last)| is_whole(last)) {
                self.settle(connection).await?;
            }
            read.map_err(|error| self.failed(&error))
        };
        Ok(traced("sqlite", reading, |(rows, _)| Some(*rows)).await?.1)
    }

    /// How many rows were read, and the last of them; none where nobody wanted them.
    async fn send_chunks(
        &self,
        connection: &mut SqliteConnection,
        schema: &Schema,
        budget: RowBudget,
        sink: &Sender<Result<Chunk, DbError>>,
    ) -> Result<(usize, Option<Chunk>), sqlx::Error> {
        let (mut chunk, mut columns) = (Chunk::default(), None);
        let (mut count, mut bytes, mut sent, mut chunk_rows) = (0, 0_u64, 0_u64, FIRST_CHUNK_ROWS);
        let mut rows = connection.fetch_many(self.query()?);
        let (mut limit, mut is_done) = (None, false);
        while let Some(next) = rows.try_next().await? {
            let sqlx::Either::Right(row) = next else {
                is_done = true;
                continue;
            };
            let columns = columns.get_or_insert_with(|| value::columns(row.columns(), schema));
            if count == 0 {
                chunk.columns = value::named(columns);
            }
            if count as u64 >= budget.rows {
                limit = Some(LimitName::SqlRows);
                break;
            }
            value::pack(&row, columns, &mut chunk.rows, budget.bytes.saturating_sub(bytes))?;
            bytes += chunk.rows.end_row();
            // An empty text counts nothing, and takes some bytes.
            if bytes > budget.bytes || sent + chunk.rows.memory_bytes() > packed_most(budget) {
                chunk.rows.drop_row();
                limit = Some(LimitName::SqlBytes);
                break;
            }
            count += 1;
            if chunk.rows.len() >= chunk_rows || chunk.rows.data_bytes() >= CHUNK_BYTES {
                chunk_rows = CHUNK_ROWS;
                sent += chunk.rows.memory_bytes();
                if sink.send(Ok(std::mem::take(&mut chunk))).await.is_err() {
                    return Ok((count, None));
                }
            }
        }
        drop(rows);
        ended(is_done || limit.is_some())?;
        Ok((count, Some(Chunk { end: Some(limit), ..chunk })))
    }

    /// Runs it and reads rows within the budget.
    pub async fn read(
        &self,
        connection: &mut Connection,
        schema: &Schema,
        budget: RowBudget,
    ) -> Result<Reading, DbError> {
        let reading = async {
            self.prepare(connection, budget.bytes).await?;
            let read = self.read_rows(connection.driver(), schema, budget).await;
            if !read.as_ref().is_ok_and(|reading| reading.limit.is_none()) {
                self.settle(connection).await?;
            }
            read.map_err(|error| self.failed(&error))
        };
        traced("sqlite", reading, |reading| Some(reading.rows.rows.len())).await
    }

    /// Runs it for its effect; rows affected.
    pub async fn run(&self, connection: &mut Connection) -> Result<u64, DbError> {
        let running = async {
            self.prepare(connection, 0).await?;
            let ran = match self.query() {
                Ok(query) => self.affected(connection.driver(), query).await,
                Err(error) => Err(error),
            };
            if ran.is_err() {
                self.settle(connection).await?;
            }
            ran.map_err(|error| self.failed(&error))
        };
        traced("sqlite", running, |_| None).await
    }

    /// Runs it with arguments instead of its values, and gives its rows to the sink.
    pub(super) async fn each(
        &self,
        connection: &mut Connection,
        arguments: SqliteArguments,
        answered: Answered<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Ran, DbError> {
        self.prepare(connection, 0).await?;
        let ran = self.each_row(connection.driver(), arguments, answered, sink).await;
        if !ran.as_ref().is_ok_and(|ran| !ran.is_cut) {
            self.settle(connection).await?;
        }
        ran.map_err(|error| self.failed(&error))
    }

    async fn each_row(
        &self,
        connection: &mut SqliteConnection,
        arguments: SqliteArguments,
        answered: Answered<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<Ran, sqlx::Error> {
        let mut reader = Reader::new(answered, sink);
        let query = sqlx::query_with(bind::text(self.sql), arguments).persistent(self.may_be_kept());
        let mut rows = connection.fetch_many(query);
        while let Some(next) = rows.try_next().await? {
            match next {
                sqlx::Either::Left(done) => {
                    reader.done.affected += done.rows_affected();
                    reader.done.last_insert_id = u64::try_from(done.last_insert_rowid()).ok().filter(|id| *id > 0);
                }
                sqlx::Either::Right(row) if reader.take(DriverRow::Sqlite(&row))? == Flow::Stop => {
                    return Ok(reader.end(true));
                }
                sqlx::Either::Right(_) => {}
            }
        }
        drop(rows);
        Ok(reader.end(false))
    }

    async fn read_rows(
        &self,
        connection: &mut SqliteConnection,
        schema: &Schema,
        budget: RowBudget,
    ) -> Result<Reading, sqlx::Error> {
        let (mut reading, mut tally) = (Reading::default(), Tally::new(budget));
        let (mut columns, mut is_done) = (None, false);
        let mut rows = connection.fetch_many(self.query()?);
        while let Some(next) = rows.try_next().await? {
            let row = match next {
                sqlx::Either::Left(done) => {
                    reading.affected += done.rows_affected();
                    is_done = true;
                    continue;
                }
                sqlx::Either::Right(row) => row,
            };
            let columns = columns.get_or_insert_with(|| value::columns(row.columns(), schema));
            match value::row(&row, columns, &mut tally)? {
                Ok(cells) => reading.rows.rows.push(cells),
                Err(limit) => {
                    reading.limit = Some(limit);
                    break;
                }
            }
        }
        drop(rows);
        ended(is_done || reading.limit.is_some())?;
        reading.rows.columns = columns.as_deref().map(value::named).unwrap_or_default();
        Ok(reading)
    }

    /// Runs it and passes over its rows.
    async fn affected(
        &self,
        connection: &mut SqliteConnection,
        query: Query<'static, sqlx::Sqlite, SqliteArguments>,
    ) -> Result<u64, sqlx::Error> {
        let (mut affected, mut is_done) = (0, false);
        let mut rows = connection.fetch_many(query);
        while let Some(next) = rows.try_next().await? {
            if let sqlx::Either::Left(done) = next {
                affected += done.rows_affected();
                is_done = true;
            }
        }
        drop(rows);
        ended(is_done)?;
        Ok(affected)
    }

    /// After a statement that did not end as it should. What it wanted of the memory is said first: the driver's thread ends over a row
    /// that it cannot copy.
    async fn settle(&self, connection: &mut Connection) -> Result<(), DbError> {
        let settled = connection.settle().await;
        if self.access.is_some() && connection.is_memory_refused() {
            return Err(DbError::out_of_memory());
        }
        settled
    }

    fn failed(&self, error: &sqlx::Error) -> DbError {
        let error = DbError::from_sqlite(error);
        if self.access.is_none() { error.named_in(self.sql) } else { error }
    }

    fn query(&self) -> Result<Query<'static, sqlx::Sqlite, SqliteArguments>, sqlx::Error> {
        let arguments = value::arguments(self.values)?;
        Ok(sqlx::query_with(bind::text(self.sql), arguments).persistent(self.may_be_kept()))
    }

    /// Whether it is prepared once for a connection. SQLite prepares it anew under the authorizer of now where another was set
    /// since.
    fn may_be_kept(&self) -> bool {
        self.sql.len() <= KEPT_BYTES_MAX && !self.names_all_columns()
    }

    /// What `*` stands for changes with the schema; `count(*)` is another thing. A product is taken for one: that is only slower.
    fn names_all_columns(&self) -> bool {
        let is_counted = |at: usize| self.sql[..at].ends_with('(') && self.sql[at + 1..].starts_with(')');
        self.sql.match_indices('*').any(|(at, _)| !is_counted(at))
    }

    /// `bytes`: what it may read, where it is a guest's.
    async fn prepare(&self, connection: &mut Connection, bytes: u64) -> Result<(), DbError> {
        // A short statement ends before SQLite looks at the clock.
        if Instant::now() >= self.deadline {
            return Err(DbError::interrupted());
        }
        if self.names_all_columns() {
            // SQLite would prepare it with the schema that the connection knows and, where that is no more, once again while it
            // runs: the driver has the columns of before then, and its thread dies of the difference.
            connection.arm(None, self.deadline).await?;
            let look = sqlx::query("SELECT 1 FROM sqlite_schema LIMIT 1").fetch_optional(connection.driver());
            look.await.map_err(|error| DbError::from_sqlite(&error))?;
        }
        connection.arm(self.access.as_ref().map(|access| (access, bytes)), self.deadline).await
    }
}

/// A driver whose thread ended says nothing, as after the last row.
fn ended(is_done: bool) -> Result<(), sqlx::Error> {
    if is_done { Ok(()) } else { Err(sqlx::Error::WorkerCrashed) }
}

/// A span for a statement. Its text is not in it: a guest's may hold values.
pub(super) async fn traced<T>(
    system: &'static str,
    statement: impl Future<Output = Result<T, DbError>>,
    rows: impl FnOnce(&T) -> Option<usize>,
) -> Result<T, DbError> {
    let span = tracing::debug_span!(
        "db.execute",
        otel.kind = "client",
        otel.status_code = Empty,
        error.type = Empty,
        db.system.name = system,
        db.response.returned_rows = Empty,
    );
    let answer = statement.instrument(span.clone()).await;
    match &answer {
        Ok(done) => span.record("db.response.returned_rows", rows(done).and_then(|rows| i64::try_from(rows).ok())),
        Err(error) => span.record("otel.status_code", "error").record("error.type", error.kind.as_str()),
    };
    answer
}
