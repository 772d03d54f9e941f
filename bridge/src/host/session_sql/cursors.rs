//! Cursors of one invocation: how many there are, and what they hold together.

use std::sync::Arc;

use santokit_core::{
    limit::LimitName,
    logic::Verb,
    value::{Column, Value},
};
use santokit_wasm::{ConnectionId, CursorId, RowBudget, SqlError, packed::PackedBatch};

use super::{CURSORS_MAX, SqlSession, guest_error, take};
use crate::host::cursor::{Ahead, Cursor};

impl SqlSession {
    /// Reads ahead what the limits allow, so that no connection is kept between two calls of the guest.
    pub(in crate::host) async fn open_cursor(
        &mut self,
        connection: ConnectionId,
        sql: &str,
        values: Vec<Value>,
        budget: RowBudget,
    ) -> Result<(CursorId, Vec<Column>), SqlError> {
        self.check_cursors()?;
        let budget = self.left_for_cursor(budget).await;
        let logins = Arc::clone(&self.logins);
        let opened = self.named(connection)?;
        if opened.is_on_server() {
            let statement = opened.check_on_server(sql, &values, &logins)?;
            return self.cursor_on_server(connection, statement, budget).await;
        }
        let authority = opened.check(sql)?;
        self.ensure_own_transaction(connection).await?;
        let (deadline, schemas, metrics) = (self.deadline, Arc::clone(&self.schemas), Arc::clone(&self.metrics));
        let opened = self.opened(connection)?;
        let verb = authority.words.verb;
        if opened.transaction.is_some() || verb != Verb::Select {
            let reading = self.read_as(connection, sql, &values, budget, authority).await?;
            return Ok((self.keep_cursor(&reading.rows.rows, reading.limit), reading.rows.columns));
        }
        let (database, name) = (Arc::clone(&opened.database), opened.name.clone());
        let taken = take(&database, verb, deadline).await.map_err(guest_error)?;
        let sql = sql.to_owned();
        let ahead = Ahead { sql, values, authority, deadline, budget, schemas, name, metrics };
        let (cursor, columns) = Cursor::ahead(ahead, taken).await?;
        Ok((self.insert_cursor(cursor), columns))
    }

    /// Whether one more may be open.
    pub(in crate::host) fn check_cursors(&self) -> Result<(), SqlError> {
        if self.cursors.len() < CURSORS_MAX { Ok(()) } else { Err(SqlError::Limit(LimitName::Handles)) }
    }

    /// What one more may read ahead: rows that wait in the others count already. One guest has one reader: those of the others have ended
    /// then.
    pub(in crate::host) async fn left_for_cursor(&mut self, budget: RowBudget) -> RowBudget {
        let mut left = budget;
        for cursor in self.cursors.values_mut() {
            cursor.settle().await;
            let waiting = cursor.waiting();
            left.rows = left.rows.saturating_sub(waiting.rows);
            left.bytes = left.bytes.saturating_sub(waiting.bytes);
        }
        left
    }

    /// Keeps rows until the guest reads them.
    pub(in crate::host) fn keep_cursor(&mut self, rows: &[Vec<Value>], limit: Option<LimitName>) -> CursorId {
        self.insert_cursor(Cursor::of(rows, limit))
    }

    fn insert_cursor(&mut self, cursor: Cursor) -> CursorId {
        let id = self.next_id();
        self.cursors.insert(id, cursor);
        CursorId(id)
    }

    pub(in crate::host) async fn next_rows(
        &mut self,
        cursor: CursorId,
        budget: RowBudget,
    ) -> Result<Option<PackedBatch>, SqlError> {
        let closed = || SqlError::Invalid("the cursor is closed".to_owned());
        self.cursors.get_mut(&cursor.0).ok_or_else(closed)?.next(budget).await
    }

    pub(in crate::host) fn close_cursor(&mut self, cursor: CursorId) {
        self.cursors.remove(&cursor.0);
    }
}
