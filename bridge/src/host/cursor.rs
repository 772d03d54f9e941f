//! Rows that a guest reads batch by batch. A reader of its own reads them ahead within the invocation's limits, while the guest works on
//! those before: the connection is free when the statement has ended, however long the guest takes.
//!
//! Only statements that read do so outside of a transaction; the rows of others are there before the guest goes on.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Instant,
};

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
    /// As they were read.
    chunks: VecDeque<PackedRows>,
    /// The first row of the first chunk that the guest does not have.
    next: usize,
    /// What the guest does not have yet.
    waiting: RowBudget,
    more: More,
}

/// What comes after the rows that are there.
#[derive(Debug)]
enum More {
    Reader(Reader),
    /// The reading failed while nobody asked.
    Failed(DbError),
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
        let rows = PackedRows::of(rows);
        Self { waiting: rows.counted(), chunks: [rows].into(), next: 0, more: More::End(limit) }
    }

    /// Begins to read; returns when the first rows are there, with their columns.
    pub(super) async fn ahead(ahead: Ahead, connection: Connection) -> Result<(Self, Vec<Column>), SqlError> {
        // Room for all that the budget has, as a rule: where there is more, the reader waits for the guest.
        let (sender, chunks) = mpsc::channel(Chunk::most(ahead.budget));
        let task = tokio::spawn(ahead.run(connection, sender).instrument(tracing::Span::current()));
        let more = More::Reader(Reader { chunks, task });
        let waiting = RowBudget { rows: 0, bytes: 0 };
        let mut cursor = Self { chunks: VecDeque::new(), next: 0, waiting, more };
        let columns = cursor.advance().await.map_err(guest_error)?;
        Ok((cursor, columns))
    }

    /// The next rows; none at the end.
    pub(super) async fn next(&mut self, budget: RowBudget) -> Result<Option<PackedBatch>, SqlError> {
        loop {
            if let Some(rows) = self.chunks.front() {
                if self.next < rows.len() {
                    let batch = rows.batch(self.next, budget);
                    self.next += usize::try_from(batch.rows).unwrap_or(usize::MAX);
                    self.waiting.rows = self.waiting.rows.saturating_sub(batch.rows);
                    self.waiting.bytes = self.waiting.bytes.saturating_sub(batch.bytes);
                    return Ok(Some(batch));
                }
                self.chunks.pop_front();
                self.next = 0;
                continue;
            }
            match std::mem::replace(&mut self.more, More::End(None)) {
                More::End(limit) => {
                    self.more = More::End(limit);
                    return limit.map_or(Ok(None), |limit| Err(SqlError::Limit(limit)));
                }
                More::Failed(error) => return Err(guest_error(error)),
                More::Reader(reader) => {
                    self.more = More::Reader(reader);
                    self.advance().await.map_err(guest_error)?;
                }
            }
        }
    }

    /// What was read and the guest does not have yet.
    pub(super) fn waiting(&self) -> RowBudget {
        self.waiting
    }

    /// Waits until its reader has given its connection back: an invocation has one at a time. A failure is told when the guest comes to it.
    pub(super) async fn settle(&mut self) {
        while matches!(self.more, More::Reader(_)) {
            if let Err(error) = self.advance().await {
                self.more = More::Failed(error);
            }
        }
    }

    /// Waits for the next chunk; what it says of columns.
    async fn advance(&mut self) -> Result<Vec<Column>, DbError> {
        let More::Reader(reader) = &mut self.more else { return Ok(Vec::new()) };
        let received = reader.chunks.recv().await;
        let received = received.unwrap_or_else(|| Err(DbError::unavailable("the statement was given up")));
        match received {
            Ok(chunk) => {
                if let Some(limit) = chunk.end {
                    self.more = More::End(limit);
                }
                let counted = chunk.rows.counted();
                self.waiting.rows = self.waiting.rows.saturating_add(counted.rows);
                self.waiting.bytes = self.waiting.bytes.saturating_add(counted.bytes);
                self.chunks.push_back(chunk.rows);
                Ok(chunk.columns)
            }
            Err(error) => {
                self.more = More::End(None);
                Err(error)
            }
        }
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
        if let Some(last) = read.transpose() {
            // Nobody may be there to take it.
            let _ = sender.send(last).await;
        }
    }
}

/// A connection whose statement is given up midway is cleared before it is used again.
impl Drop for Reader {
    fn drop(&mut self) {
        self.task.abort();
    }
}
