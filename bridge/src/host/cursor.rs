//! Rows that a guest reads batch by batch. A reader of its own reads them ahead within the invocation's limits, while the guest works on
//! those before: the connection is free when the statement has ended, however long the guest takes.
//!
//! Only statements that read do so outside of a transaction; the rows of others are there before the guest goes on.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use santokit_core::{
    limit::LimitName,
    schema::Schema,
    value::{Column, Value},
};
use santokit_wasm::{
    RowBudget, SqlError,
    packed::{PackedBatch, PackedRows},
};
use tokio::{sync::mpsc, task::JoinHandle};
use tracing::Instrument;

use super::session_sql::{Authority, guest_error, keep};
use crate::{
    db::{Authorized, Chunk, Connection, DbError, Statement},
    metrics::Metrics,
};

/// Rows that wait for the guest, and whoever brings more.
#[derive(Debug)]
pub(super) struct Cursor {
    rows: PackedRows,
    /// The first of them that the guest does not have.
    next: usize,
    more: More,
}

/// What comes after the rows that are there.
#[derive(Debug)]
enum More {
    Reader(Reader),
    /// Nothing, or a limit that ended the reading.
    End(Option<LimitName>),
}

#[derive(Debug)]
struct Reader {
    chunks: mpsc::Receiver<Result<Chunk, DbError>>,
    task: JoinHandle<()>,
}

/// What a reader runs.
pub(super) struct Ahead {
    pub(super) sql: String,
    pub(super) values: Vec<Value>,
    pub(super) authority: Authority,
    pub(super) deadline: Instant,
    pub(super) budget: RowBudget,
    /// By the connection's name.
    pub(super) schemas: Arc<BTreeMap<String, Schema>>,
    pub(super) name: String,
    pub(super) metrics: Arc<Metrics>,
}

impl Cursor {
    /// Of rows that were read.
    pub(super) fn of(rows: &[Vec<Value>], limit: Option<LimitName>) -> Self {
        Self { rows: PackedRows::of(rows), next: 0, more: More::End(limit) }
    }

    /// Begins to read; returns when the first rows are there, with their columns.
    pub(super) async fn ahead(ahead: Ahead, connection: Connection) -> Result<(Self, Vec<Column>), SqlError> {
        // Room for all that the budget has, as a rule: where there is more, the reader waits for the guest.
        let (sender, chunks) = mpsc::channel(Chunk::most(ahead.budget));
        let task = tokio::spawn(ahead.run(connection, sender).instrument(tracing::Span::current()));
        let mut cursor = Self { rows: PackedRows::default(), next: 0, more: More::Reader(Reader { chunks, task }) };
        let columns = cursor.advance().await?;
        Ok((cursor, columns))
    }

    /// The next rows; none at the end.
    pub(super) async fn next(&mut self, budget: RowBudget) -> Result<Option<PackedBatch>, SqlError> {
        while self.next >= self.rows.len() {
            if let More::End(limit) = self.more {
                return limit.map_or(Ok(None), |limit| Err(SqlError::Limit(limit)));
            }
            self.advance().await?;
        }
        let batch = self.rows.batch(self.next, budget);
        self.next += usize::try_from(batch.rows).unwrap_or(usize::MAX);
        Ok(Some(batch))
    }

    /// Waits for the next chunk; what it says of columns.
    async fn advance(&mut self) -> Result<Vec<Column>, SqlError> {
        let More::Reader(reader) = &mut self.more else { return Ok(Vec::new()) };
        let away = || SqlError::Unavailable("the statement was given up".to_owned());
        let chunk = match reader.chunks.recv().await {
            Some(Ok(chunk)) => chunk,
            Some(Err(error)) => {
                self.more = More::End(None);
                return Err(guest_error(error));
            }
            None => {
                self.more = More::End(None);
                return Err(away());
            }
        };
        if let Some(limit) = chunk.end {
            self.more = More::End(limit);
        }
        (self.rows, self.next) = (chunk.rows, 0);
        Ok(chunk.columns)
    }
}

impl Ahead {
    async fn run(self, mut connection: Connection, sender: mpsc::Sender<Result<Chunk, DbError>>) {
        let started = Instant::now();
        let Self { sql, values, authority, deadline, budget, schemas, name, metrics } = self;
        let access = Some(Authorized::new(authority.access, authority.words));
        let statement = Statement { sql: &sql, values: &values, access, deadline };
        let empty = Schema::default();
        let schema = schemas.get(&name).unwrap_or(&empty);
        let read = statement.read_chunks(&mut connection, schema, budget, &sender).await;
        keep(connection, &read);
        metrics.query(&name, started.elapsed());
        if let Err(error) = read {
            // Nobody may be there to hear it.
            let _ = sender.send(Err(error)).await;
        }
    }
}

/// A connection whose statement is given up midway is cleared before it is used again.
impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}
