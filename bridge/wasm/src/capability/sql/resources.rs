//! The resources of `santokit:sql/connections`.

use wasmtime::component::Resource;

use super::{batch, convert, no_options};
use crate::{
    bindings::santokit::sql::{
        connections::{HostConnection, HostCursor, HostTransaction},
        types::{Batch, Column, Error, PackedRows, Rows, Value},
    },
    host::{ConnectionId, Host, RowBudget},
    state::{ConnectionHandle, CursorHandle, State, TransactionHandle},
};

type Answer<T> = wasmtime::Result<Result<T, Error>>;
type Pairs = Vec<(String, String)>;

fn packed(set: santokit_core::value::RowSet) -> PackedRows {
    PackedRows { batch: batch(&set.rows), columns: convert::columns(set.columns) }
}

impl<H: Host> HostConnection for State<H> {
    async fn engine(&mut self, handle: Resource<ConnectionHandle>) -> wasmtime::Result<String> {
        let id = self.table.get(&handle)?.0;
        Ok(self.enter("sql")?.sql_engine(id).to_owned())
    }

    async fn query(&mut self, handle: Resource<ConnectionHandle>, sql: String, params: Vec<Value>) -> Answer<Rows> {
        let id = self.table.get(&handle)?.0;
        Ok(self.run_query(id, sql, convert::params(params)).await?.map(convert::rows))
    }

    async fn query_packed(
        &mut self,
        handle: Resource<ConnectionHandle>,
        sql: String,
        params: Vec<Value>,
    ) -> Answer<PackedRows> {
        let id = self.table.get(&handle)?.0;
        Ok(self.run_query(id, sql, convert::params(params)).await?.map(packed))
    }

    async fn execute(&mut self, handle: Resource<ConnectionHandle>, sql: String, params: Vec<Value>) -> Answer<u64> {
        let id = self.table.get(&handle)?.0;
        self.run_execute(id, sql, convert::params(params)).await
    }

    async fn open_cursor(
        &mut self,
        handle: Resource<ConnectionHandle>,
        sql: String,
        params: Vec<Value>,
    ) -> Answer<Resource<CursorHandle>> {
        let id = self.table.get(&handle)?.0;
        self.run_cursor(id, sql, convert::params(params)).await
    }

    async fn begin(
        &mut self,
        handle: Resource<ConnectionHandle>,
        options: Pairs,
    ) -> Answer<Resource<TransactionHandle>> {
        let connection = self.table.get(&handle)?.0;
        let host = self.enter("sql")?;
        if let Err(error) = no_options(&options) {
            return Ok(self.refused(error));
        }
        match host.sql_begin(connection).await {
            Ok(id) => Ok(Ok(self.keep(TransactionHandle { id, connection, open: true })?)),
            Err(error) => Ok(Err(self.sql_error(error))),
        }
    }

    async fn drop(&mut self, handle: Resource<ConnectionHandle>) -> wasmtime::Result<()> {
        self.table.delete(handle)?;
        Ok(())
    }
}

impl<H: Host> HostTransaction for State<H> {
    async fn query(&mut self, handle: Resource<TransactionHandle>, sql: String, params: Vec<Value>) -> Answer<Rows> {
        match self.connection_of(&handle)? {
            Ok(id) => Ok(self.run_query(id, sql, convert::params(params)).await?.map(convert::rows)),
            Err(ended) => Ok(Err(ended)),
        }
    }

    async fn query_packed(
        &mut self,
        handle: Resource<TransactionHandle>,
        sql: String,
        params: Vec<Value>,
    ) -> Answer<PackedRows> {
        match self.connection_of(&handle)? {
            Ok(id) => Ok(self.run_query(id, sql, convert::params(params)).await?.map(packed)),
            Err(ended) => Ok(Err(ended)),
        }
    }

    async fn execute(&mut self, handle: Resource<TransactionHandle>, sql: String, params: Vec<Value>) -> Answer<u64> {
        match self.connection_of(&handle)? {
            Ok(id) => self.run_execute(id, sql, convert::params(params)).await,
            Err(ended) => Ok(Err(ended)),
        }
    }

    async fn open_cursor(
        &mut self,
        handle: Resource<TransactionHandle>,
        sql: String,
        params: Vec<Value>,
    ) -> Answer<Resource<CursorHandle>> {
        match self.connection_of(&handle)? {
            Ok(id) => self.run_cursor(id, sql, convert::params(params)).await,
            Err(ended) => Ok(Err(ended)),
        }
    }

    async fn commit(&mut self, handle: Resource<TransactionHandle>) -> Answer<()> {
        self.end(&handle, true).await
    }

    async fn rollback(&mut self, handle: Resource<TransactionHandle>) -> Answer<()> {
        self.end(&handle, false).await
    }

    async fn drop(&mut self, handle: Resource<TransactionHandle>) -> wasmtime::Result<()> {
        let transaction = self.table.delete(handle)?;
        if transaction.open {
            let rolled_back = self.enter("sql")?.sql_rollback(transaction.id).await;
            // The guest cannot be told; what stays open is rolled back with the invocation.
            if let Err(error) = rolled_back {
                self.went_wrong(false);
                tracing::warn!(error = error.shown(), "a dropped transaction was not rolled back at once");
            }
        }
        Ok(())
    }
}

impl<H: Host> HostCursor for State<H> {
    async fn columns(&mut self, handle: Resource<CursorHandle>) -> wasmtime::Result<Vec<Column>> {
        self.enter("sql")?;
        Ok(convert::columns(self.table.get(&handle)?.columns.clone()))
    }

    async fn next_batch(
        &mut self,
        handle: Resource<CursorHandle>,
        max_rows: u32,
        max_bytes: u32,
    ) -> Answer<Option<Batch>> {
        let id = self.table.get(&handle)?.id;
        let left = self.row_budget();
        // One row at least, and one beyond the limit, so that reaching it is told from reaching the end.
        let rows = u64::from(max_rows.max(1)).min(left.rows.saturating_add(1));
        let bytes = u64::from(max_bytes.max(1)).min(left.bytes.saturating_add(1));
        match self.enter("sql")?.sql_cursor_next(id, RowBudget { rows, bytes }).await {
            Ok(Some(batch)) => Ok(self.count_batch(batch).map(Some)),
            Ok(None) => Ok(Ok(None)),
            Err(error) => Ok(Err(self.sql_error(error))),
        }
    }

    async fn drop(&mut self, handle: Resource<CursorHandle>) -> wasmtime::Result<()> {
        let cursor = self.table.delete(handle)?;
        self.enter("sql")?.sql_cursor_close(cursor.id).await;
        Ok(())
    }
}

impl<H: Host> State<H> {
    fn connection_of(&self, handle: &Resource<TransactionHandle>) -> Answer<ConnectionId> {
        let transaction = self.table.get(handle)?;
        let ended = || Error::Invalid("the transaction has ended".to_owned());
        Ok(if transaction.open { Ok(transaction.connection) } else { Err(ended()) })
    }

    async fn end(&mut self, handle: &Resource<TransactionHandle>, commit: bool) -> Answer<()> {
        if let Err(ended) = self.connection_of(handle)? {
            return Ok(Err(ended));
        }
        let transaction = self.table.get_mut(handle)?;
        transaction.open = false;
        let id = transaction.id;
        let host = self.enter("sql")?;
        let answer = if commit { host.sql_commit(id).await } else { host.sql_rollback(id).await };
        Ok(answer.map_err(|error| self.sql_error(error)))
    }
}
