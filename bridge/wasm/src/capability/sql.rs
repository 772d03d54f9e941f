//! `santokit:sql`: converts values, counts rows and bytes, and keeps the guest's handles. What may be done is the host's matter.

pub(super) mod convert;
mod resources;

use santokit_core::{
    limit::LimitName,
    value::{RowSet, Value},
};
use wasmtime::component::Resource;

use crate::{
    bindings::santokit::sql::{
        connections::Host as Connections,
        types::{Batch, Error, Host as Types},
    },
    error::LimitHit,
    host::{ConnectionId, Host, RowBudget, SqlError},
    packed::{self, PackedBatch, PackedRows},
    state::{ConnectionHandle, CursorHandle, State},
    told::{NAME_BYTES_MAX, ToldName},
};

/// The largest SQL text.
const SQL_BYTES_MAX: usize = 64 << 10;
/// The most values in one statement: SQLite's own limit.
pub(super) const PARAMS_MAX: usize = 32_766;

impl<H: Host> Types for State<H> {}

impl<H: Host> Connections for State<H> {
    async fn open(&mut self, name: String) -> wasmtime::Result<Result<Resource<ConnectionHandle>, Error>> {
        let host = self.enter("sql")?;
        if name.len() > NAME_BYTES_MAX {
            let name = ToldName(&name);
            return Ok(self.refused(Error::Denied(format!("grants.sql does not list connection {name}"))));
        }
        match host.sql_open(&name).await {
            Ok(id) => Ok(Ok(self.keep(ConnectionHandle(id))?)),
            Err(error) => Ok(Err(self.sql_error(error))),
        }
    }
}

impl<H: Host> State<H> {
    /// Keeps a resource; too many is a limit, not a host's failure.
    pub(super) fn keep<T: Send + 'static>(&mut self, value: T) -> wasmtime::Result<Resource<T>> {
        self.table.push(value).map_err(|_| LimitHit(LimitName::Handles).into())
    }

    /// Remembers a limit that the guest is told of, so that giving up over it is seen as the limit that it is.
    pub(super) fn sql_error(&mut self, error: SqlError) -> Error {
        self.went_wrong(matches!(error, SqlError::Denied(_)));
        if let SqlError::Limit(limit) = error {
            self.told_limit = Some(limit);
        }
        convert::error(error)
    }

    /// What is answered without asking the host, counted as what it is.
    pub(super) fn refused<T>(&mut self, error: Error) -> Result<T, Error> {
        self.went_wrong(matches!(error, Error::Denied(_)));
        Err(error)
    }

    async fn run_query(
        &mut self,
        connection: ConnectionId,
        sql: String,
        params: Vec<Value>,
    ) -> wasmtime::Result<Result<RowSet, Error>> {
        self.enter("sql")?;
        if let Err(error) = check(&sql, &params) {
            return Ok(self.refused(error));
        }
        let budget = self.row_budget();
        match self.host()?.sql_query(connection, sql, params, budget).await {
            Ok(rows) => Ok(self.count(&rows.rows).map(|()| rows)),
            Err(error) => Ok(Err(self.sql_error(error))),
        }
    }

    async fn run_execute(
        &mut self,
        connection: ConnectionId,
        sql: String,
        params: Vec<Value>,
    ) -> wasmtime::Result<Result<u64, Error>> {
        self.enter("sql")?;
        if let Err(error) = check(&sql, &params) {
            return Ok(self.refused(error));
        }
        let answer = self.host()?.sql_execute(connection, sql, params).await;
        Ok(answer.map_err(|error| self.sql_error(error)))
    }

    async fn run_cursor(
        &mut self,
        connection: ConnectionId,
        sql: String,
        params: Vec<Value>,
    ) -> wasmtime::Result<Result<Resource<CursorHandle>, Error>> {
        self.enter("sql")?;
        if let Err(error) = check(&sql, &params) {
            return Ok(self.refused(error));
        }
        let budget = self.row_budget();
        match self.host()?.sql_cursor(connection, sql, params, budget).await {
            Ok((id, columns)) => Ok(Ok(self.keep(CursorHandle { id, columns })?)),
            Err(error) => Ok(Err(self.sql_error(error))),
        }
    }

    /// Counts rows that were read.
    pub(super) fn count(&mut self, rows: &[Vec<Value>]) -> Result<(), Error> {
        let bytes: usize = rows.iter().flatten().map(Value::size_bytes).sum();
        let counted = self.count_read(rows.len() as u64, bytes as u64);
        counted.map_err(|limit| self.sql_error(SqlError::Limit(limit)))
    }

    /// Rows of a cursor for the guest, counted.
    pub(super) fn count_batch(&mut self, batch: PackedBatch) -> Result<Batch, Error> {
        let counted = self.count_read(batch.rows, batch.bytes);
        counted.map(|()| packed_batch(batch)).map_err(|limit| self.sql_error(SqlError::Limit(limit)))
    }

    /// Counts what was read. The host stops at the budget; this is the second lock.
    pub(super) fn count_read(&mut self, rows: u64, bytes: u64) -> Result<(), LimitName> {
        self.sql_rows = self.sql_rows.saturating_add(rows);
        self.sql_bytes = self.sql_bytes.saturating_add(bytes);
        if self.sql_rows > self.limits.sql_rows {
            return Err(LimitName::SqlRows);
        }
        if self.sql_bytes > self.limits.sql_bytes.0 { Err(LimitName::SqlBytes) } else { Ok(()) }
    }
}

/// No option means anything yet.
pub(super) fn no_options(options: &[(String, String)]) -> Result<(), Error> {
    match options.first() {
        None => Ok(()),
        Some((name, _)) => Err(Error::Invalid(format!("unknown transaction option {}", ToldName(name)))),
    }
}

pub(super) fn batch(rows: &[Vec<Value>]) -> Batch {
    let all = RowBudget { rows: u64::MAX, bytes: u64::MAX };
    packed_batch(PackedRows::of(rows).batch(0, all))
}

fn packed_batch(batch: PackedBatch) -> Batch {
    Batch { rows: u32::try_from(batch.rows).unwrap_or(u32::MAX), format: packed::FORMAT, data: batch.data }
}

fn check(sql: &str, params: &[Value]) -> Result<(), Error> {
    if sql.len() > SQL_BYTES_MAX {
        return Err(Error::Invalid(format!("the statement is longer than {SQL_BYTES_MAX} bytes")));
    }
    if params.len() > PARAMS_MAX {
        return Err(Error::Invalid(format!("more than {PARAMS_MAX} values in one statement")));
    }
    Ok(())
}
