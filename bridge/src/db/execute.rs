//! Running one statement on a connection, with its deadline and, for guests, its access.

use std::time::Instant;

use futures_util::TryStreamExt;
use santokit_core::{
    limit::LimitName,
    schema::Schema,
    value::{RowSet, Value},
};
use santokit_wasm::RowBudget;
use sqlx::{AssertSqlSafe, Executor, Row, SqliteConnection, query::Query, sqlite::SqliteArguments};

use super::{Authorized, DbError, authorizer, value};

/// When a statement must have ended.
pub type Deadline = Instant;

/// How many steps of SQLite's machine between two looks at the clock.
const STEPS_BETWEEN_CHECKS: i32 = 2_000;

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

impl Statement<'_> {
    /// Runs it and reads rows within the budget.
    #[tracing::instrument(name = "db.execute", level = "debug", skip_all)]
    pub async fn read(
        &self,
        connection: &mut SqliteConnection,
        schema: &Schema,
        budget: RowBudget,
    ) -> Result<Reading, DbError> {
        self.prepare(connection).await?;
        let read = self.read_rows(connection, schema, budget).await;
        self.finish(connection).await?;
        read.map_err(|error| DbError::from_sqlx(&error))
    }

    /// Runs it for its effect; rows affected.
    #[tracing::instrument(name = "db.execute", level = "debug", skip_all)]
    pub async fn run(&self, connection: &mut SqliteConnection) -> Result<u64, DbError> {
        self.prepare(connection).await?;
        let ran = match self.query() {
            Ok(query) => connection.execute(query).await,
            Err(error) => Err(error),
        };
        self.finish(connection).await?;
        ran.map(|done| done.rows_affected()).map_err(|error| DbError::from_sqlx(&error))
    }

    async fn read_rows(
        &self,
        connection: &mut SqliteConnection,
        schema: &Schema,
        budget: RowBudget,
    ) -> Result<Reading, sqlx::Error> {
        let mut reading = Reading::default();
        let mut bytes = 0_u64;
        let mut columns = None;
        let mut rows = connection.fetch_many(self.query()?);
        while let Some(next) = rows.try_next().await? {
            let row = match next {
                sqlx::Either::Left(done) => {
                    reading.affected += done.rows_affected();
                    continue;
                }
                sqlx::Either::Right(row) => row,
            };
            let columns = columns.get_or_insert_with(|| value::columns(row.columns(), schema));
            if reading.rows.rows.len() as u64 >= budget.rows {
                reading.limit = Some(LimitName::SqlRows);
                break;
            }
            let cells = value::row(&row, columns)?;
            bytes += cells.iter().map(|cell| cell.size_bytes() as u64).sum::<u64>();
            if bytes > budget.bytes {
                reading.limit = Some(LimitName::SqlBytes);
                break;
            }
            reading.rows.rows.push(cells);
        }
        drop(rows);
        reading.rows.columns = match columns {
            Some(columns) => value::named(&columns),
            None => Vec::new(),
        };
        Ok(reading)
    }

    fn query(&self) -> Result<Query<'static, sqlx::Sqlite, SqliteArguments>, sqlx::Error> {
        let arguments = value::arguments(self.values)?;
        // The one place where text becomes a statement: a release's own, or a guest's under its authorizer. A guest's is
        // prepared each time, so that one that was prepared under other grants is never run again.
        Ok(sqlx::query_with(AssertSqlSafe(self.sql.to_owned()), arguments).persistent(self.access.is_none()))
    }

    async fn prepare(&self, connection: &mut SqliteConnection) -> Result<(), DbError> {
        let failed = |error: sqlx::Error| DbError::from_sqlx(&error);
        // A short statement ends before SQLite looks at the clock.
        if Instant::now() >= self.deadline {
            return Err(DbError::interrupted());
        }
        if let Some(access) = &self.access {
            authorizer::restrict(connection, access.clone()).await.map_err(failed)?;
        }
        let deadline = self.deadline;
        connection
            .lock_handle()
            .await
            .map_err(failed)?
            .set_progress_handler(STEPS_BETWEEN_CHECKS, move || Instant::now() < deadline);
        Ok(())
    }

    async fn finish(&self, connection: &mut SqliteConnection) -> Result<(), DbError> {
        let failed = |error: sqlx::Error| DbError::from_sqlx(&error);
        connection.lock_handle().await.map_err(failed)?.remove_progress_handler();
        if self.access.is_some() {
            authorizer::clear(connection).await.map_err(failed)?;
        }
        Ok(())
    }
}
