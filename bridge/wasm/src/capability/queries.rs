//! `santokit:queries`: converts values, counts rows and bytes, and keeps the guest's handles. Which queries there are, and what
//! they take and may touch, is the host's matter.

use wasmtime::component::Resource;

use super::sql::{PARAMS_MAX, batch, convert, no_options};
use crate::{
    bindings::santokit::{
        queries::queries::{Host as Queries, HostCursor, HostTransaction},
        sql::types::{Batch, Column, Error, PackedRows, Value},
    },
    host::{Host, NamedParams, RowBudget},
    state::{CursorHandle, QueryCursorHandle, QueryTransactionHandle, State},
    told::{NAME_BYTES_MAX, ToldName},
};

type Answer<T> = wasmtime::Result<Result<T, Error>>;
type Params = Vec<(String, Value)>;

impl<H: Host> Queries for State<H> {
    async fn many(&mut self, name: String, params: Params) -> Answer<PackedRows> {
        self.query(name, params, false).await
    }

    async fn one(&mut self, name: String, params: Params) -> Answer<PackedRows> {
        self.query(name, params, true).await
    }

    async fn execute(&mut self, name: String, params: Params) -> Answer<u64> {
        self.enter("queries")?;
        let params = match named(&name, params) {
            Ok(params) => params,
            Err(error) => return Ok(self.refused(error)),
        };
        let answer = self.host()?.query_execute(name, params).await;
        Ok(answer.map_err(|error| self.sql_error(error)))
    }

    async fn open_cursor(&mut self, name: String, params: Params) -> Answer<Resource<QueryCursorHandle>> {
        self.enter("queries")?;
        let params = match named(&name, params) {
            Ok(params) => params,
            Err(error) => return Ok(self.refused(error)),
        };
        let budget = self.row_budget();
        match self.host()?.query_cursor(name, params, budget).await {
            Ok((id, columns)) => Ok(Ok(self.keep(QueryCursorHandle(CursorHandle { id, columns }))?)),
            Err(error) => Ok(Err(self.sql_error(error))),
        }
    }

    async fn begin(
        &mut self,
        connection: String,
        options: Vec<(String, String)>,
    ) -> Answer<Resource<QueryTransactionHandle>> {
        let host = self.enter("queries")?;
        if let Err(error) = no_options(&options) {
            return Ok(self.refused(error));
        }
        if connection.len() > NAME_BYTES_MAX {
            let name = ToldName(&connection);
            return Ok(self.refused(Error::Denied(format!("no query of grants.queries is on connection {name}"))));
        }
        match host.query_begin(&connection).await {
            Ok(id) => Ok(Ok(self.keep(QueryTransactionHandle { id, open: true })?)),
            Err(error) => Ok(Err(self.sql_error(error))),
        }
    }
}

impl<H: Host> HostTransaction for State<H> {
    async fn commit(&mut self, handle: Resource<QueryTransactionHandle>) -> Answer<()> {
        self.end_begun(&handle, true).await
    }

    async fn rollback(&mut self, handle: Resource<QueryTransactionHandle>) -> Answer<()> {
        self.end_begun(&handle, false).await
    }

    async fn drop(&mut self, handle: Resource<QueryTransactionHandle>) -> wasmtime::Result<()> {
        let transaction = self.table.delete(handle)?;
        if transaction.open {
            let rolled_back = self.enter("queries")?.sql_rollback(transaction.id).await;
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
    async fn columns(&mut self, handle: Resource<QueryCursorHandle>) -> wasmtime::Result<Vec<Column>> {
        self.enter("queries")?;
        Ok(convert::columns(self.table.get(&handle)?.0.columns.clone()))
    }

    async fn next_batch(
        &mut self,
        handle: Resource<QueryCursorHandle>,
        max_rows: u32,
        max_bytes: u32,
    ) -> Answer<Option<Batch>> {
        let id = self.table.get(&handle)?.0.id;
        let left = self.row_budget();
        // One row at least, and one beyond the limit, so that reaching it is told from reaching the end.
        let rows = u64::from(max_rows.max(1)).min(left.rows.saturating_add(1));
        let bytes = u64::from(max_bytes.max(1)).min(left.bytes.saturating_add(1));
        match self.enter("queries")?.sql_cursor_next(id, RowBudget { rows, bytes }).await {
            Ok(Some(batch)) => Ok(self.count_batch(batch).map(Some)),
            Ok(None) => Ok(Ok(None)),
            Err(error) => Ok(Err(self.sql_error(error))),
        }
    }

    async fn drop(&mut self, handle: Resource<QueryCursorHandle>) -> wasmtime::Result<()> {
        let cursor = self.table.delete(handle)?;
        self.enter("queries")?.sql_cursor_close(cursor.0.id).await;
        Ok(())
    }
}

impl<H: Host> State<H> {
    async fn query(&mut self, name: String, params: Params, one: bool) -> Answer<PackedRows> {
        self.enter("queries")?;
        let params = match named(&name, params) {
            Ok(params) => params,
            Err(error) => return Ok(self.refused(error)),
        };
        let budget = self.row_budget();
        match self.host()?.query_rows(name, params, one, budget).await {
            Ok(set) => Ok(self
                .count(&set.rows)
                .map(|()| PackedRows { batch: batch(&set.rows), columns: convert::columns(set.columns) })),
            Err(error) => Ok(Err(self.sql_error(error))),
        }
    }

    async fn end_begun(&mut self, handle: &Resource<QueryTransactionHandle>, commit: bool) -> Answer<()> {
        let transaction = self.table.get_mut(handle)?;
        if !transaction.open {
            return Ok(Err(Error::Invalid("the transaction has ended".to_owned())));
        }
        transaction.open = false;
        let id = transaction.id;
        let host = self.enter("queries")?;
        let answer = if commit { host.sql_commit(id).await } else { host.sql_rollback(id).await };
        Ok(answer.map_err(|error| self.sql_error(error)))
    }
}

/// What no project has is not looked up, and answered as what is not granted.
fn named(name: &str, params: Params) -> Result<NamedParams, Error> {
    if name.len() > NAME_BYTES_MAX {
        return Err(Error::Denied(format!("grants.queries does not list {}", ToldName(name))));
    }
    if params.len() > PARAMS_MAX {
        return Err(Error::Invalid(format!("more than {PARAMS_MAX} params")));
    }
    Ok(params.into_iter().map(|(name, value)| (name, convert::param(value))).collect())
}
