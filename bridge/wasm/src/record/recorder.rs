//! A host that keeps what passes, or, without a tape, the host that it has.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use santokit_core::value::{Column, RowSet, Value};
use secrecy::{ExposeSecret, SecretString};

use super::{
    Tape,
    answer::{self, Answer},
    args,
    piece::Piece,
    tape::Begun,
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

/// A host whose invocation may be recorded.
#[derive(Debug)]
pub struct Recorder<H> {
    host: H,
    tape: Option<Arc<Tape>>,
    /// Of open cursors.
    columns: HashMap<CursorId, Vec<Column>>,
}

impl<H> Recorder<H> {
    /// Without a tape nothing is kept.
    pub fn new(host: H, tape: Option<Arc<Tape>>) -> Self {
        Self { host, tape, columns: HashMap::new() }
    }

    /// The host, for its end.
    pub fn into_host(self) -> H {
        self.host
    }
}

/// What a secret is to a recording: its name, and a text that must not be in it.
fn secret<'a>(name: &str, answer: &'a Result<SecretString, LookupError>) -> Piece<'a> {
    match answer {
        Ok(text) => Piece::Map(vec![("ok", Piece::Secret(name.to_owned(), Cow::Borrowed(text.expose_secret())))]),
        Err(error) => Piece::Map(vec![("error", error.piece())]),
    }
}

impl<H: Host> Host for Recorder<H> {
    fn invocation(&self) -> InvocationInfo {
        self.host.invocation()
    }

    fn caller(&self) -> CallerInfo {
        self.host.caller()
    }

    /// Random numbers are kept as the seed that they are made from, so that there may be any number of them.
    fn fixed(&self) -> Fixed {
        let fixed = self.host.fixed();
        match &self.tape {
            None => fixed,
            Some(tape) => Fixed { random_seed: fixed.random_seed.or(Some(tape.seed())), ..fixed },
        }
    }

    fn times(&self) -> Option<Arc<dyn Times>> {
        self.tape.clone().map(|tape| tape as Arc<dyn Times>)
    }

    fn config(&self, name: &str) -> Result<Option<String>, LookupError> {
        let begun = self.begin("config", "get", || args::named(name));
        let answer = self.host.config(name);
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }

    fn secret(&self, name: &str) -> Result<SecretString, LookupError> {
        let begun = self.begin("secrets", "get", || args::named(name));
        let answer = self.host.secret(name);
        self.ended(begun.as_ref(), || secret(name, &answer));
        answer
    }

    fn log(&self, line: LogLine) {
        self.host.log(line);
    }

    async fn sql_open(&mut self, name: &str) -> Result<ConnectionId, SqlError> {
        let begun = self.begin("sql", "open", || args::named(name));
        let answer = self.host.sql_open(name).await;
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }

    fn sql_engine(&self, connection: ConnectionId) -> &'static str {
        let begun = self.begin("sql", "engine", || args::id(connection.0));
        let engine = self.host.sql_engine(connection);
        self.ended(begun.as_ref(), || Piece::text(engine));
        engine
    }

    async fn sql_query(
        &mut self,
        connection: ConnectionId,
        sql: String,
        params: Vec<Value>,
        budget: RowBudget,
    ) -> Result<RowSet, SqlError> {
        let begun = self.begin("sql", "query", || args::statement(connection, &sql, &params));
        let answer = self.host.sql_query(connection, sql, params, budget).await;
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }

    async fn sql_execute(
        &mut self,
        connection: ConnectionId,
        sql: String,
        params: Vec<Value>,
    ) -> Result<u64, SqlError> {
        let begun = self.begin("sql", "execute", || args::statement(connection, &sql, &params));
        let answer = self.host.sql_execute(connection, sql, params).await;
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }

    async fn query_rows(
        &mut self,
        name: String,
        params: NamedParams,
        one: bool,
        budget: RowBudget,
    ) -> Result<RowSet, SqlError> {
        let op = if one { "one" } else { "many" };
        let begun = self.begin("queries", op, || args::query(&name, &params));
        let answer = self.host.query_rows(name, params, one, budget).await;
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }

    async fn query_execute(&mut self, name: String, params: NamedParams) -> Result<u64, SqlError> {
        let begun = self.begin("queries", "execute", || args::query(&name, &params));
        let answer = self.host.query_execute(name, params).await;
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }

    async fn query_cursor(
        &mut self,
        name: String,
        params: NamedParams,
        budget: RowBudget,
    ) -> Result<(CursorId, Vec<Column>), SqlError> {
        let begun = self.begin("queries", "cursor", || args::query(&name, &params));
        let answer = self.host.query_cursor(name, params, budget).await;
        self.opened(begun.as_ref(), &answer);
        answer
    }

    async fn query_begin(&mut self, connection: &str) -> Result<TransactionId, SqlError> {
        let begun = self.begin("queries", "begin", || args::named(connection));
        let answer = self.host.query_begin(connection).await;
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }

    async fn crud(&mut self, request: CrudRequest, budget: RowBudget) -> Result<CrudAnswer, CrudError> {
        let op = args::crud_op(&request.asked);
        let begun = self.begin("crud", op, || args::crud(&request));
        let answer = self.host.crud(request, budget).await;
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }

    /// Whether one may be sent is a call of its own, and what is sent comes behind it.
    fn http(&mut self) -> Result<SendOut, HttpError> {
        let begun = self.begin("http", "open", args::nothing);
        let answer = self.host.http();
        let seen: Result<(), HttpError> = answer.as_ref().map(|_| ()).map_err(Clone::clone);
        self.ended(begun.as_ref(), || seen.piece());
        let send = answer?;
        let Some(tape) = self.tape.clone() else { return Ok(send) };
        Ok(Box::new(move |request, budget| {
            Box::pin(async move {
                let begun = tape.begin("http", "send", args::http(&request));
                let done = send(request, budget).await;
                tape.end(&begun, done.piece());
                done
            })
        }))
    }

    async fn publish(
        &mut self,
        topic: String,
        payload: Vec<u8>,
        within: Option<TransactionId>,
    ) -> Result<String, EventError> {
        let begun = self.begin("events", "publish", || args::event(&topic, &payload, within));
        let answer = self.host.publish(topic, payload, within).await;
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }

    async fn once_is_done(&mut self, key: String, within: Option<TransactionId>) -> Result<bool, EventError> {
        let begun = self.begin("once", "is-done", || args::mark(&key, within));
        let answer = self.host.once_is_done(key, within).await;
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }

    async fn once_mark_done(&mut self, key: String, within: Option<TransactionId>) -> Result<(), EventError> {
        let begun = self.begin("once", "mark-done", || args::mark(&key, within));
        let answer = self.host.once_mark_done(key, within).await;
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }

    async fn call_logic(&mut self, call: LogicCall) -> LogicCalled {
        let begun = self.begin("logics", "call", || args::logic(&call));
        let answer = self.host.call_logic(call).await;
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }

    async fn storage_stat(&mut self, bucket: String, key: String) -> Result<Option<ObjectStat>, StorageError> {
        let begun = self.begin("storage", "stat", || args::object(&bucket, &key));
        let answer = self.host.storage_stat(bucket, key).await;
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }

    async fn storage_open(&mut self, bucket: String, key: String) -> Result<(ReaderId, ObjectStat), StorageError> {
        let begun = self.begin("storage", "open", || args::object(&bucket, &key));
        let answer = self.host.storage_open(bucket, key).await;
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }

    async fn storage_read(&mut self, reader: ReaderId, offset: u64, length: usize) -> Result<Vec<u8>, StorageError> {
        let begun = self.begin("storage", "read", || args::read(reader, offset, length));
        let answer = self.host.storage_read(reader, offset, length).await;
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }

    fn storage_close(&mut self, reader: ReaderId) {
        let begun = self.begin("storage", "close", || args::id(reader.0));
        self.host.storage_close(reader);
        self.ended(begun.as_ref(), || ().piece());
    }

    async fn storage_create(
        &mut self,
        bucket: String,
        key: String,
        options: PutOptions,
    ) -> Result<WriterId, StorageError> {
        let begun = self.begin("storage", "create", || args::put(&bucket, &key, &options));
        let answer = self.host.storage_create(bucket, key, options).await;
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }

    async fn storage_write(&mut self, writer: WriterId, part: Vec<u8>) -> Result<(), StorageError> {
        let begun = self.begin("storage", "write", || args::written(writer, &part));
        let answer = self.host.storage_write(writer, part).await;
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }

    async fn storage_finish(&mut self, writer: WriterId) -> Result<ObjectStat, StorageError> {
        let begun = self.begin("storage", "finish", || args::id(writer.0));
        let answer = self.host.storage_finish(writer).await;
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }

    fn storage_abort(&mut self, writer: WriterId) {
        let begun = self.begin("storage", "abort", || args::id(writer.0));
        self.host.storage_abort(writer);
        self.ended(begun.as_ref(), || ().piece());
    }

    async fn storage_list(
        &mut self,
        bucket: String,
        prefix: String,
        limit: u32,
        cursor: Option<String>,
    ) -> Result<ObjectPage, StorageError> {
        let begun = self.begin("storage", "list", || args::list(&bucket, &prefix, limit, cursor.as_deref()));
        let answer = self.host.storage_list(bucket, prefix, limit, cursor).await;
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }

    async fn storage_presign(
        &mut self,
        bucket: String,
        key: String,
        asked: UrlAsked,
    ) -> Result<SignedUrl, StorageError> {
        let begun = self.begin("storage", "presign", || args::url(&bucket, &key, &asked));
        let answer = self.host.storage_presign(bucket, key, asked).await;
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }

    async fn storage_remove(
        &mut self,
        bucket: String,
        key: String,
        condition: Condition,
    ) -> Result<bool, StorageError> {
        let begun = self.begin("storage", "remove", || args::remove(&bucket, &key, &condition));
        let answer = self.host.storage_remove(bucket, key, condition).await;
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }

    async fn sql_cursor(
        &mut self,
        connection: ConnectionId,
        sql: String,
        params: Vec<Value>,
        budget: RowBudget,
    ) -> Result<(CursorId, Vec<Column>), SqlError> {
        let begun = self.begin("sql", "cursor", || args::statement(connection, &sql, &params));
        let answer = self.host.sql_cursor(connection, sql, params, budget).await;
        self.opened(begun.as_ref(), &answer);
        answer
    }

    async fn sql_cursor_next(&mut self, cursor: CursorId, budget: RowBudget) -> Result<Option<PackedBatch>, SqlError> {
        let begun = self.begin("sql", "next", || args::rows_of(cursor, budget));
        let answer = self.host.sql_cursor_next(cursor, budget).await;
        let columns = self.columns.get(&cursor).map(Vec::as_slice).unwrap_or_default();
        self.ended(begun.as_ref(), || answer::of_batch(&answer, columns));
        answer
    }

    async fn sql_cursor_close(&mut self, cursor: CursorId) {
        self.columns.remove(&cursor);
        let begun = self.begin("sql", "close", || args::id(cursor.0));
        self.host.sql_cursor_close(cursor).await;
        self.ended(begun.as_ref(), || ().piece());
    }

    async fn sql_begin(&mut self, connection: ConnectionId) -> Result<TransactionId, SqlError> {
        let begun = self.begin("sql", "begin", || args::id(connection.0));
        let answer = self.host.sql_begin(connection).await;
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }

    async fn sql_commit(&mut self, transaction: TransactionId) -> Result<(), SqlError> {
        let begun = self.begin("sql", "commit", || args::id(transaction.0));
        let answer = self.host.sql_commit(transaction).await;
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }

    async fn sql_rollback(&mut self, transaction: TransactionId) -> Result<(), SqlError> {
        let begun = self.begin("sql", "rollback", || args::id(transaction.0));
        let answer = self.host.sql_rollback(transaction).await;
        self.ended(begun.as_ref(), || answer.piece());
        answer
    }
}

impl<H> Recorder<H> {
    /// Without a tape nothing is made of what is sent.
    fn begin<'a>(&self, capability: &'static str, op: &'static str, args: impl FnOnce() -> Piece<'a>) -> Option<Begun> {
        self.tape.as_ref().map(|tape| tape.begin(capability, op, args()))
    }

    fn ended<'a>(&self, begun: Option<&Begun>, result: impl FnOnce() -> Piece<'a>) {
        if let (Some(tape), Some(begun)) = (&self.tape, begun) {
            tape.end(begun, result());
        }
    }

    fn opened(&mut self, begun: Option<&Begun>, answer: &Result<(CursorId, Vec<Column>), SqlError>) {
        if self.tape.is_none() {
            return;
        }
        if let Ok((id, columns)) = answer {
            self.columns.insert(*id, columns.clone());
        }
        self.ended(begun, || answer.piece());
    }
}
