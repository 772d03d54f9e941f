//! A host that has nothing but a recording: it answers what was answered, as long as it is asked what was asked.

use std::{future::pending, sync::Arc};

use santokit_core::value::{Column, RowSet, Value};
use secrecy::SecretString;
use serde_json::{Value as Json, json};

use super::{
    answer::{self, Answer},
    args,
    piece::{self, Piece},
    replay::Stage,
};
use crate::{
    host::{
        CallerInfo, Condition, ConnectionId, CrudAnswer, CrudError, CrudRequest, CursorId, EventError, Fixed, Host,
        HttpError, InvocationInfo, LogLine, LogicCall, LogicCalled, LookupError, NamedParams, ObjectPage, ObjectStat,
        PutOptions, ReaderId, RowBudget, SendOut, SignedUrl, SqlError, StorageError, Times, TransactionId, UrlAsked,
        WriterId,
    },
    packed::PackedBatch,
};

/// The host of a replay.
#[derive(Debug)]
pub struct Replayer(Arc<Stage>);

impl Replayer {
    pub(super) fn new(stage: Arc<Stage>) -> Self {
        Self(stage)
    }

    /// The answer that was recorded; where there is none the guest waits until it is thrown away.
    async fn ask<T: Answer>(&self, capability: &str, op: &str, args: &Piece<'_>) -> T {
        match self.0.ask(capability, op, args) {
            Some(answer) => answer,
            None => pending().await,
        }
    }

    /// The same where nothing can wait: the guest goes on for a moment, and what it does is not looked at any more.
    fn look_up<T: Answer>(&self, capability: &str, name: &str) -> Result<T, LookupError> {
        let over = || Err(LookupError::Other("REPLAY_ENDED".to_owned(), "the replay has ended".to_owned()));
        self.0.ask(capability, "get", &args::named(name)).unwrap_or_else(over)
    }
}

impl Host for Replayer {
    fn invocation(&self) -> InvocationInfo {
        let recording = &self.0.recording;
        let head = &recording.head;
        InvocationInfo {
            request_id: head.request_id.clone(),
            logic: head.logic.clone(),
            project: head.project.clone(),
            env: head.env.clone(),
            release_id: head.release_id.clone(),
            trigger: recording.trigger.clone(),
        }
    }

    fn caller(&self) -> CallerInfo {
        let caller = piece::to_bytes(&self.0.recording.caller);
        let caller: Json = caller.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_else(|| json!({}));
        let text = |value: &Json| value.as_str().map(str::to_owned);
        CallerInfo {
            kind: text(&caller["kind"]).unwrap_or_default(),
            subject: text(&caller["subject"]),
            roles: caller["roles"].as_array().into_iter().flatten().filter_map(text).collect(),
            claims: serde_json::to_vec(&caller["claims"]).unwrap_or_else(|_| b"{}".to_vec()),
        }
    }

    fn fixed(&self) -> Fixed {
        Fixed { now: None, random_seed: Some(self.0.seed) }
    }

    fn times(&self) -> Option<Arc<dyn Times>> {
        Some(Arc::clone(&self.0) as Arc<dyn Times>)
    }

    fn config(&self, name: &str) -> Result<Option<String>, LookupError> {
        self.look_up("config", name)
    }

    /// What stands for it in the recording.
    fn secret(&self, name: &str) -> Result<SecretString, LookupError> {
        self.look_up::<String>("secrets", name).map(SecretString::from)
    }

    fn log(&self, line: LogLine) {
        self.0.log(line);
    }

    fn sql_engine(&self, connection: ConnectionId) -> &'static str {
        let engine: Option<String> = self.0.ask("sql", "engine", &args::id(connection.0));
        ["postgres", "mysql"].into_iter().find(|known| engine.as_deref() == Some(known)).unwrap_or("sqlite")
    }

    fn storage_close(&mut self, reader: ReaderId) {
        let _done: Option<()> = self.0.ask("storage", "close", &args::id(reader.0));
    }

    fn storage_abort(&mut self, writer: WriterId) {
        let _done: Option<()> = self.0.ask("storage", "abort", &args::id(writer.0));
    }

    async fn sql_cursor_next(&mut self, cursor: CursorId, budget: RowBudget) -> Result<Option<PackedBatch>, SqlError> {
        if let Some(recorded) = self.0.answer("sql", "next", &args::rows_of(cursor, budget)) {
            match answer::to_batch(recorded) {
                Some(batch) => return batch,
                None => self.0.cannot_read(),
            }
        }
        pending().await
    }

    async fn sql_open(&mut self, name: &str) -> Result<ConnectionId, SqlError> {
        self.ask("sql", "open", &args::named(name)).await
    }

    async fn sql_query(
        &mut self,
        connection: ConnectionId,
        sql: String,
        params: Vec<Value>,
        _budget: RowBudget,
    ) -> Result<RowSet, SqlError> {
        self.ask("sql", "query", &args::statement(connection, &sql, &params)).await
    }

    async fn sql_execute(
        &mut self,
        connection: ConnectionId,
        sql: String,
        params: Vec<Value>,
    ) -> Result<u64, SqlError> {
        self.ask("sql", "execute", &args::statement(connection, &sql, &params)).await
    }

    async fn query_rows(
        &mut self,
        name: String,
        params: NamedParams,
        one: bool,
        _budget: RowBudget,
    ) -> Result<RowSet, SqlError> {
        self.ask("queries", if one { "one" } else { "many" }, &args::query(&name, &params)).await
    }

    async fn query_execute(&mut self, name: String, params: NamedParams) -> Result<u64, SqlError> {
        self.ask("queries", "execute", &args::query(&name, &params)).await
    }

    async fn query_cursor(
        &mut self,
        name: String,
        params: NamedParams,
        _budget: RowBudget,
    ) -> Result<(CursorId, Vec<Column>), SqlError> {
        self.ask("queries", "cursor", &args::query(&name, &params)).await
    }

    async fn query_begin(&mut self, connection: &str) -> Result<TransactionId, SqlError> {
        self.ask("queries", "begin", &args::named(connection)).await
    }

    async fn crud(&mut self, request: CrudRequest, _budget: RowBudget) -> Result<CrudAnswer, CrudError> {
        self.ask("crud", args::crud_op(&request.asked), &args::crud(&request)).await
    }

    fn http(&mut self) -> Result<SendOut, HttpError> {
        // Where there is no answer there is none for what would be sent either, and the guest waits there.
        self.0.ask("http", "open", &args::nothing()).unwrap_or(Ok(()))?;
        let stage = Arc::clone(&self.0);
        Ok(Box::new(move |request, _budget| {
            Box::pin(async move {
                match stage.ask("http", "send", &args::http(&request)) {
                    Some(answer) => answer,
                    None => pending().await,
                }
            })
        }))
    }

    async fn publish(
        &mut self,
        topic: String,
        payload: Vec<u8>,
        within: Option<TransactionId>,
    ) -> Result<String, EventError> {
        self.ask("events", "publish", &args::event(&topic, &payload, within)).await
    }

    async fn once_is_done(&mut self, key: String, within: Option<TransactionId>) -> Result<bool, EventError> {
        self.ask("once", "is-done", &args::mark(&key, within)).await
    }

    async fn once_mark_done(&mut self, key: String, within: Option<TransactionId>) -> Result<(), EventError> {
        self.ask("once", "mark-done", &args::mark(&key, within)).await
    }

    async fn call_logic(&mut self, call: LogicCall) -> LogicCalled {
        self.ask("logics", "call", &args::logic(&call)).await
    }

    async fn storage_stat(&mut self, bucket: String, key: String) -> Result<Option<ObjectStat>, StorageError> {
        self.ask("storage", "stat", &args::object(&bucket, &key)).await
    }

    async fn storage_open(&mut self, bucket: String, key: String) -> Result<(ReaderId, ObjectStat), StorageError> {
        self.ask("storage", "open", &args::object(&bucket, &key)).await
    }

    async fn storage_read(&mut self, reader: ReaderId, offset: u64, length: usize) -> Result<Vec<u8>, StorageError> {
        self.ask("storage", "read", &args::read(reader, offset, length)).await
    }

    async fn storage_create(
        &mut self,
        bucket: String,
        key: String,
        options: PutOptions,
    ) -> Result<WriterId, StorageError> {
        self.ask("storage", "create", &args::put(&bucket, &key, &options)).await
    }

    async fn storage_write(&mut self, writer: WriterId, part: Vec<u8>) -> Result<(), StorageError> {
        self.ask("storage", "write", &args::written(writer, &part)).await
    }

    async fn storage_finish(&mut self, writer: WriterId) -> Result<ObjectStat, StorageError> {
        self.ask("storage", "finish", &args::id(writer.0)).await
    }

    async fn storage_list(
        &mut self,
        bucket: String,
        prefix: String,
        limit: u32,
        cursor: Option<String>,
    ) -> Result<ObjectPage, StorageError> {
        self.ask("storage", "list", &args::list(&bucket, &prefix, limit, cursor.as_deref())).await
    }

    async fn storage_presign(
        &mut self,
        bucket: String,
        key: String,
        asked: UrlAsked,
    ) -> Result<SignedUrl, StorageError> {
        self.ask("storage", "presign", &args::url(&bucket, &key, &asked)).await
    }

    async fn storage_remove(
        &mut self,
        bucket: String,
        key: String,
        condition: Condition,
    ) -> Result<bool, StorageError> {
        self.ask("storage", "remove", &args::remove(&bucket, &key, &condition)).await
    }

    async fn sql_cursor(
        &mut self,
        connection: ConnectionId,
        sql: String,
        params: Vec<Value>,
        _budget: RowBudget,
    ) -> Result<(CursorId, Vec<Column>), SqlError> {
        self.ask("sql", "cursor", &args::statement(connection, &sql, &params)).await
    }

    async fn sql_begin(&mut self, connection: ConnectionId) -> Result<TransactionId, SqlError> {
        self.ask("sql", "begin", &args::id(connection.0)).await
    }

    async fn sql_commit(&mut self, transaction: TransactionId) -> Result<(), SqlError> {
        self.ask("sql", "commit", &args::id(transaction.0)).await
    }

    async fn sql_rollback(&mut self, transaction: TransactionId) -> Result<(), SqlError> {
        self.ask("sql", "rollback", &args::id(transaction.0)).await
    }

    async fn sql_cursor_close(&mut self, cursor: CursorId) {
        let () = self.ask("sql", "close", &args::id(cursor.0)).await;
    }
}
