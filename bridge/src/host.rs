//! The only implementation of the sandbox's [`Host`]: what a guest's imports reach. Every method checks its grant.
//!
//! A session belongs to one invocation. Dropped, it gives its connections back, and what is open on them is rolled back.

use std::collections::BTreeMap;

use santokit_core::value::{Column, RowSet, Value};
use santokit_wasm::{
    CallerInfo, Condition, ConnectionId, CrudAnswer, CrudError, CrudRequest, CursorId, EventError, Fixed, Host,
    HttpError, InvocationInfo, Level, LogLine, LogicCall, LogicCalled, LookupError, NamedParams, ObjectPage,
    ObjectStat, PutOptions, ReaderId, RowBudget, SendOut, SignedUrl, SqlError, StorageError, ToldName, TransactionId,
    UrlAsked, WriterId, packed::PackedBatch, record::Recorder,
};
use secrecy::SecretString;
use tracing::{Instrument, field::Empty};

use crate::guest_log::{More, Said, own_line};

mod crud;
mod cursor;
mod events;
mod http;
mod logics;
mod object;
mod once;
mod queries;
mod server_sql;
mod session;
mod session_sql;
mod storage;

pub use queries::{GrantedQueries, LoadedQuery};
pub use server_sql::Logins;
pub use session::{Session, SessionParts};
use session_sql::EventPlace;
pub use session_sql::{GrantedTables, Joined, granted_tables};
pub(crate) use session_sql::{Place, SqlSession};
pub use storage::{GrantedObjects, GuestObjects};

/// What guests are run with: a session, which may be recorded.
pub type GuestHost = Recorder<Session>;

impl Host for Session {
    fn invocation(&self) -> InvocationInfo {
        self.invocation.clone()
    }

    fn caller(&self) -> CallerInfo {
        CallerInfo {
            kind: self.actor.kind.as_str().to_owned(),
            subject: self.actor.subject.clone(),
            roles: self.actor.roles.clone(),
            claims: serde_json::to_vec(&self.actor.claims).unwrap_or_else(|_| b"{}".to_vec()),
        }
    }

    fn fixed(&self) -> Fixed {
        self.rehearsal.as_ref().map(|rehearsal| rehearsal.fixed()).unwrap_or_default()
    }

    fn config(&self, name: &str) -> Result<Option<String>, LookupError> {
        let span = tracing::debug_span!("host.config", outcome = Empty).entered();
        let answer = if self.grants.config.contains(name) {
            Ok(self.config.get(name).cloned())
        } else {
            Err(LookupError::Denied(format!("grants.config does not list {}", ToldName(name))))
        };
        span.record("outcome", looked_up(&answer));
        answer
    }

    fn secret(&self, name: &str) -> Result<SecretString, LookupError> {
        let span = tracing::debug_span!("host.secrets", outcome = Empty).entered();
        let answer = if self.grants.secrets.contains(name) {
            let missing = || LookupError::Missing(format!("this env has no secret {}", ToldName(name)));
            self.secrets.get(name).cloned().ok_or_else(missing)
        } else {
            Err(LookupError::Denied(format!("grants.secrets does not list {}", ToldName(name))))
        };
        span.record("outcome", looked_up(&answer));
        answer
    }

    fn log(&self, line: LogLine) {
        if let Some(rehearsal) = &self.rehearsal {
            rehearsal.seen().lines.push(line);
            return;
        }
        let said = Said::of(&self.invocation);
        self.guest_log.add(
            said,
            line.level,
            line.source,
            &line.message,
            More { fields: &line.fields, backtrace: None },
        );
        let fields: BTreeMap<&str, &str> =
            line.fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let fields = serde_json::to_string(&fields).unwrap_or_default();
        let message = &line.message;
        match line.level {
            Level::Trace => own_line!(trace, said, %fields, "{message}"),
            Level::Debug => own_line!(debug, said, %fields, "{message}"),
            Level::Info => own_line!(info, said, %fields, "{message}"),
            Level::Warn => own_line!(warn, said, %fields, "{message}"),
            Level::Error => own_line!(error, said, %fields, "{message}"),
        }
    }

    async fn sql_open(&mut self, name: &str) -> Result<ConnectionId, SqlError> {
        self.sql.open(name)
    }

    fn sql_engine(&self, connection: ConnectionId) -> &'static str {
        self.sql.engine(connection)
    }

    async fn sql_query(
        &mut self,
        connection: ConnectionId,
        sql: String,
        params: Vec<Value>,
        budget: RowBudget,
    ) -> Result<RowSet, SqlError> {
        let reading = traced("query", self.sql.read(connection, &sql, &params, budget)).await?;
        match reading.limit {
            Some(limit) => Err(SqlError::Limit(limit)),
            None => Ok(reading.rows),
        }
    }

    async fn sql_execute(
        &mut self,
        connection: ConnectionId,
        sql: String,
        params: Vec<Value>,
    ) -> Result<u64, SqlError> {
        traced("execute", self.sql.run(connection, &sql, &params)).await
    }

    async fn sql_cursor(
        &mut self,
        connection: ConnectionId,
        sql: String,
        params: Vec<Value>,
        budget: RowBudget,
    ) -> Result<(CursorId, Vec<Column>), SqlError> {
        traced("cursor", self.sql.open_cursor(connection, &sql, params, budget)).await
    }

    async fn query_rows(
        &mut self,
        name: String,
        params: NamedParams,
        one: bool,
        budget: RowBudget,
    ) -> Result<RowSet, SqlError> {
        self.declared_rows(&name, params, one, budget).await
    }

    async fn query_execute(&mut self, name: String, params: NamedParams) -> Result<u64, SqlError> {
        self.declared_execute(&name, params).await
    }

    async fn query_cursor(
        &mut self,
        name: String,
        params: NamedParams,
        budget: RowBudget,
    ) -> Result<(CursorId, Vec<Column>), SqlError> {
        self.declared_cursor(&name, params, budget).await
    }

    async fn query_begin(&mut self, connection: &str) -> Result<TransactionId, SqlError> {
        traced("begin", self.declared_begin(connection)).await
    }

    async fn crud(&mut self, request: CrudRequest, budget: RowBudget) -> Result<CrudAnswer, CrudError> {
        self.ask_tables(request, budget).await
    }

    async fn publish(
        &mut self,
        topic: String,
        payload: Vec<u8>,
        within: Option<TransactionId>,
    ) -> Result<String, EventError> {
        self.publish_event(&topic, &payload, within).await
    }

    async fn once_is_done(&mut self, key: String, within: Option<TransactionId>) -> Result<bool, EventError> {
        self.is_done(&key, within).await
    }

    async fn once_mark_done(&mut self, key: String, within: Option<TransactionId>) -> Result<(), EventError> {
        self.mark_done(&key, within).await
    }

    async fn call_logic(&mut self, call: LogicCall) -> LogicCalled {
        self.call_other(call).await
    }

    fn http(&mut self) -> Result<SendOut, HttpError> {
        self.send_out()
    }

    async fn storage_stat(&mut self, bucket: String, key: String) -> Result<Option<ObjectStat>, StorageError> {
        self.object_stat(&bucket, &key).await
    }

    async fn storage_open(&mut self, bucket: String, key: String) -> Result<(ReaderId, ObjectStat), StorageError> {
        self.object_open(&bucket, &key).await
    }

    async fn storage_read(&mut self, reader: ReaderId, offset: u64, length: usize) -> Result<Vec<u8>, StorageError> {
        self.object_read(reader, offset, length).await
    }

    fn storage_close(&mut self, reader: ReaderId) {
        self.object_close(reader);
    }

    async fn storage_create(
        &mut self,
        bucket: String,
        key: String,
        options: PutOptions,
    ) -> Result<WriterId, StorageError> {
        self.object_create(&bucket, &key, options).await
    }

    async fn storage_write(&mut self, writer: WriterId, part: Vec<u8>) -> Result<(), StorageError> {
        self.object_write(writer, part).await
    }

    async fn storage_finish(&mut self, writer: WriterId) -> Result<ObjectStat, StorageError> {
        self.object_finish(writer).await
    }

    fn storage_abort(&mut self, writer: WriterId) {
        self.object_abort(writer);
    }

    async fn storage_list(
        &mut self,
        bucket: String,
        prefix: String,
        limit: u32,
        cursor: Option<String>,
    ) -> Result<ObjectPage, StorageError> {
        self.object_list(&bucket, &prefix, limit, cursor.as_deref()).await
    }

    async fn storage_presign(
        &mut self,
        bucket: String,
        key: String,
        asked: UrlAsked,
    ) -> Result<SignedUrl, StorageError> {
        self.object_presign(&bucket, &key, asked).await
    }

    async fn storage_remove(
        &mut self,
        bucket: String,
        key: String,
        condition: Condition,
    ) -> Result<bool, StorageError> {
        self.object_remove(&bucket, &key, condition).await
    }

    async fn sql_cursor_next(&mut self, cursor: CursorId, budget: RowBudget) -> Result<Option<PackedBatch>, SqlError> {
        self.sql.next_rows(cursor, budget).await
    }

    async fn sql_cursor_close(&mut self, cursor: CursorId) {
        self.sql.close_cursor(cursor);
    }

    async fn sql_begin(&mut self, connection: ConnectionId) -> Result<TransactionId, SqlError> {
        traced("begin", self.sql.begin(connection)).await
    }

    async fn sql_commit(&mut self, transaction: TransactionId) -> Result<(), SqlError> {
        traced("commit", self.sql.end(transaction, true)).await
    }

    async fn sql_rollback(&mut self, transaction: TransactionId) -> Result<(), SqlError> {
        traced("rollback", self.sql.end(transaction, false)).await
    }
}

/// A span for a call that reaches the database. Neither its text nor its values are seen, nor a name that is not granted.
async fn traced<T>(op: &'static str, call: impl Future<Output = Result<T, SqlError>>) -> Result<T, SqlError> {
    let span = tracing::debug_span!("host.sql", op, connection = Empty, outcome = Empty);
    let answer = call.instrument(span.clone()).await;
    span.record("outcome", outcome(&answer));
    answer
}

fn outcome<T>(answer: &Result<T, SqlError>) -> &'static str {
    match answer {
        Ok(_) => "ok",
        Err(SqlError::Denied(_)) => "denied",
        Err(SqlError::Invalid(_)) => "invalid",
        Err(SqlError::Limit(_)) => "limit",
        Err(SqlError::Timeout(_)) => "timeout",
        Err(SqlError::Unavailable(_)) => "unavailable",
        Err(SqlError::Database(_)) => "database",
        Err(SqlError::Other(..)) => "other",
    }
}

fn looked_up<T>(answer: &Result<T, LookupError>) -> &'static str {
    match answer {
        Ok(_) => "ok",
        Err(LookupError::Denied(_)) => "denied",
        Err(LookupError::Missing(_)) => "missing",
        Err(LookupError::Other(..)) => "other",
    }
}
