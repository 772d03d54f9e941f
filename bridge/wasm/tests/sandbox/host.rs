//! A host in memory, which notes what was asked of it.

use std::{
    future::pending,
    sync::{Arc, Mutex},
    time::Duration,
};

use santokit_core::value::{Column, RowSet, Value};
use santokit_wasm::{
    CallerInfo, Condition, ConnectionId, CrudAnswer, CrudError, CrudRequest, CursorId, EventError, Fixed, Host,
    HttpBudget, HttpDone, HttpError, HttpRequest, HttpResponse, InvocationInfo, LogLine, LogicCall, LogicCalled,
    LogicUsage, LookupError, NamedParams, ObjectPage, ObjectStat, PutOptions, ReaderId, RowBudget, SendOut, SignedUrl,
    SqlError, StorageError, TransactionId, UrlAsked, UrlDeed, WriterId,
    packed::{PackedBatch, PackedRows},
};
use secrecy::SecretString;

/// What happened on the host of one call.
#[derive(Clone, Default)]
pub(crate) struct Record(Arc<Mutex<Notes>>);

#[derive(Default)]
struct Notes {
    lines: Vec<LogLine>,
    events: Vec<String>,
}

/// The host of one call.
pub(crate) struct Fake {
    record: Record,
    fixed: Fixed,
    asked: Asked,
    opened: u32,
    cursor: Vec<Vec<Value>>,
}

/// How those answer that are asked by HTTP.
#[derive(Clone, Copy)]
pub(crate) enum Asked {
    AtOnce,
    /// After a while, with so many bytes.
    Slow(u64),
    Never,
}

/// A request that is on its way.
struct OnItsWay(Record);

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.0.note("sent");
    }
}

impl Record {
    pub(crate) fn lines(&self) -> Vec<LogLine> {
        self.0.lock().unwrap().lines.clone()
    }

    pub(crate) fn events(&self) -> Vec<String> {
        self.0.lock().unwrap().events.clone()
    }

    fn note(&self, event: &str) {
        self.0.lock().unwrap().events.push(event.to_owned());
    }

    /// Waits for an event.
    pub(crate) async fn until(&self, event: &str) {
        while !self.events().iter().any(|noted| noted == event) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub(crate) fn host(&self) -> Fake {
        Fake { record: self.clone(), fixed: Fixed::default(), asked: Asked::AtOnce, opened: 0, cursor: Vec::new() }
    }
}

impl Fake {
    /// What a test fixes.
    pub(crate) fn fixed_to(mut self, fixed: Fixed) -> Self {
        self.fixed = fixed;
        self
    }

    pub(crate) fn asking(mut self, asked: Asked) -> Self {
        self.asked = asked;
        self
    }

    fn note(&self, event: &str) {
        self.record.note(event);
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.note("dropped");
    }
}

/// `rows <n>` gives as many; anything else gives one. The budget is left to the sandbox: it has to count as well.
fn rows(sql: &str) -> Vec<Vec<Value>> {
    let count = sql.strip_prefix("rows ").and_then(|count| count.parse().ok()).unwrap_or(1);
    (0..count).map(|number| vec![Value::Int64(number), Value::Text("x".repeat(100))]).collect()
}

fn columns() -> Vec<Column> {
    ["id", "name"].map(|name| Column { name: name.to_owned(), type_name: "string".to_owned() }).to_vec()
}

impl Host for Fake {
    fn invocation(&self) -> InvocationInfo {
        InvocationInfo {
            request_id: "req_1".to_owned(),
            logic: "test".to_owned(),
            project: "shop".to_owned(),
            env: "dev".to_owned(),
            release_id: "rel_1".to_owned(),
            trigger: "test".to_owned(),
        }
    }

    fn caller(&self) -> CallerInfo {
        CallerInfo { kind: "anonymous".to_owned(), subject: None, roles: Vec::new(), claims: b"{}".to_vec() }
    }

    fn fixed(&self) -> Fixed {
        self.fixed
    }

    fn config(&self, name: &str) -> Result<Option<String>, LookupError> {
        Ok(Some(name.to_owned()))
    }

    fn secret(&self, name: &str) -> Result<SecretString, LookupError> {
        Ok(SecretString::from(format!("\"planted-{name}\"")))
    }

    fn log(&self, line: LogLine) {
        self.record.0.lock().unwrap().lines.push(line);
    }

    async fn sql_open(&mut self, name: &str) -> Result<ConnectionId, SqlError> {
        if name == "hang" {
            self.note("hanging");
            pending::<()>().await;
        }
        if name == "sending" {
            self.record.until("sending").await;
        }
        self.opened += 1;
        Ok(ConnectionId(self.opened))
    }

    fn sql_engine(&self, _connection: ConnectionId) -> &'static str {
        "sqlite"
    }

    async fn sql_query(
        &mut self,
        _connection: ConnectionId,
        sql: String,
        _params: Vec<Value>,
        _budget: RowBudget,
    ) -> Result<RowSet, SqlError> {
        Ok(RowSet { columns: columns(), rows: rows(&sql) })
    }

    async fn sql_execute(
        &mut self,
        _connection: ConnectionId,
        _sql: String,
        _params: Vec<Value>,
    ) -> Result<u64, SqlError> {
        Ok(1)
    }

    async fn sql_cursor(
        &mut self,
        _connection: ConnectionId,
        sql: String,
        _params: Vec<Value>,
        _budget: RowBudget,
    ) -> Result<(CursorId, Vec<Column>), SqlError> {
        self.cursor = rows(&sql);
        Ok((CursorId(1), columns()))
    }

    async fn query_rows(
        &mut self,
        name: String,
        params: NamedParams,
        one: bool,
        _budget: RowBudget,
    ) -> Result<RowSet, SqlError> {
        self.note(&format!("query {name} {} {one}", params.len()));
        Ok(RowSet { columns: columns(), rows: rows(&name) })
    }

    async fn query_execute(&mut self, _name: String, _params: NamedParams) -> Result<u64, SqlError> {
        Ok(1)
    }

    async fn query_cursor(
        &mut self,
        name: String,
        _params: NamedParams,
        _budget: RowBudget,
    ) -> Result<(CursorId, Vec<Column>), SqlError> {
        self.cursor = rows(&name);
        Ok((CursorId(1), columns()))
    }

    async fn query_begin(&mut self, _connection: &str) -> Result<TransactionId, SqlError> {
        self.note("begin");
        Ok(TransactionId(1))
    }

    async fn crud(&mut self, _request: CrudRequest, _budget: RowBudget) -> Result<CrudAnswer, CrudError> {
        Ok(CrudAnswer { data: b"[]".to_vec(), meta: b"{}".to_vec(), rows: 0 })
    }

    async fn publish(
        &mut self,
        topic: String,
        _payload: Vec<u8>,
        _within: Option<TransactionId>,
    ) -> Result<String, EventError> {
        self.note("publish");
        if topic == "granted" { Ok("evt_1".to_owned()) } else { Err(EventError::Denied(topic)) }
    }

    async fn once_is_done(&mut self, key: String, _within: Option<TransactionId>) -> Result<bool, EventError> {
        self.note("once");
        Ok(key == "done")
    }

    async fn once_mark_done(&mut self, key: String, _within: Option<TransactionId>) -> Result<(), EventError> {
        self.note("once");
        if key == "done" { Err(EventError::Conflict) } else { Ok(()) }
    }

    async fn call_logic(&mut self, call: LogicCall) -> LogicCalled {
        self.note(&format!("call with {}", call.left.http_bytes.0));
        LogicCalled { answer: Ok(call.params), usage: LogicUsage::default() }
    }

    fn http(&mut self) -> Result<SendOut, HttpError> {
        let (record, asked) = (self.record.clone(), self.asked);
        Ok(Box::new(move |request: HttpRequest, _budget: HttpBudget| {
            Box::pin(async move {
                record.note("sending");
                let _on_its_way = OnItsWay(record);
                let bytes = match asked {
                    Asked::AtOnce => 0,
                    Asked::Slow(bytes) => {
                        tokio::time::sleep(Duration::from_millis(300)).await;
                        bytes
                    }
                    Asked::Never => pending().await,
                };
                let answer = HttpResponse { status: 200, url: request.url, ..HttpResponse::default() };
                HttpDone { answer: Ok(answer), requests: 1, bytes }
            })
        }))
    }

    async fn storage_stat(&mut self, _bucket: String, _key: String) -> Result<Option<ObjectStat>, StorageError> {
        Ok(None)
    }

    async fn storage_open(&mut self, _bucket: String, key: String) -> Result<(ReaderId, ObjectStat), StorageError> {
        Ok((ReaderId(1), object(key, 3)))
    }

    async fn storage_read(&mut self, _reader: ReaderId, _offset: u64, length: usize) -> Result<Vec<u8>, StorageError> {
        Ok(vec![7; length])
    }

    fn storage_close(&mut self, _reader: ReaderId) {
        self.note("close");
    }

    async fn storage_create(
        &mut self,
        _bucket: String,
        _key: String,
        _options: PutOptions,
    ) -> Result<WriterId, StorageError> {
        Ok(WriterId(1))
    }

    async fn storage_write(&mut self, _writer: WriterId, _part: Vec<u8>) -> Result<(), StorageError> {
        Ok(())
    }

    async fn storage_finish(&mut self, _writer: WriterId) -> Result<ObjectStat, StorageError> {
        self.note("finish");
        Ok(object("made".to_owned(), 3))
    }

    fn storage_abort(&mut self, _writer: WriterId) {
        self.note("abort");
    }

    async fn storage_list(
        &mut self,
        _bucket: String,
        _prefix: String,
        _limit: u32,
        _cursor: Option<String>,
    ) -> Result<ObjectPage, StorageError> {
        Ok(ObjectPage::default())
    }

    async fn storage_presign(
        &mut self,
        bucket: String,
        key: String,
        asked: UrlAsked,
    ) -> Result<SignedUrl, StorageError> {
        self.note("presign");
        let method = if matches!(asked.deed, UrlDeed::Get { .. }) { "GET" } else { "PUT" };
        let url = format!("https://store.test/{bucket}/{key}?signed");
        Ok(SignedUrl { url, method: method.to_owned(), headers: Vec::new(), expires: 1_000 })
    }

    async fn storage_remove(
        &mut self,
        _bucket: String,
        _key: String,
        _condition: Condition,
    ) -> Result<bool, StorageError> {
        Ok(true)
    }

    async fn sql_cursor_next(&mut self, _cursor: CursorId, budget: RowBudget) -> Result<Option<PackedBatch>, SqlError> {
        let batch = PackedRows::of(&self.cursor).batch(0, budget);
        self.cursor.drain(..usize::try_from(batch.rows).unwrap());
        Ok(if batch.rows == 0 { None } else { Some(batch) })
    }

    async fn sql_cursor_close(&mut self, _cursor: CursorId) {
        self.note("close");
    }

    async fn sql_begin(&mut self, _connection: ConnectionId) -> Result<TransactionId, SqlError> {
        self.note("begin");
        Ok(TransactionId(1))
    }

    async fn sql_commit(&mut self, _transaction: TransactionId) -> Result<(), SqlError> {
        self.note("commit");
        Ok(())
    }

    async fn sql_rollback(&mut self, _transaction: TransactionId) -> Result<(), SqlError> {
        self.note("rollback");
        Ok(())
    }
}

fn object(key: String, size: u64) -> ObjectStat {
    ObjectStat { key, size, etag: "e".to_owned(), content_type: "text/plain".to_owned(), modified: 0 }
}
