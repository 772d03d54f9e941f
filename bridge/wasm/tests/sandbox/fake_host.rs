//! A host that answers from memory: `rows N` gives N rows of one text, `hang` never answers.

use std::sync::{Arc, Mutex, Weak};

use santokit_core::value::{Column, RowSet, Value};
use santokit_wasm::{
    CallerInfo, ConnectionId, CursorId, Host, InvocationInfo, LogLine, LookupError, RowBudget, SqlError, TransactionId,
};
use secrecy::SecretString;

#[derive(Default)]
pub struct FakeHost {
    lines: Arc<Mutex<Vec<LogLine>>>,
    ids: u32,
}

impl FakeHost {
    pub fn lines(&self) -> Vec<LogLine> {
        self.lines.lock().unwrap().clone()
    }

    pub fn alive(&self) -> Weak<Mutex<Vec<LogLine>>> {
        Arc::downgrade(&self.lines)
    }

    fn id(&mut self) -> u32 {
        self.ids += 1;
        self.ids
    }
}

impl Host for FakeHost {
    fn invocation(&self) -> InvocationInfo {
        let text = String::new;
        InvocationInfo { request_id: text(), logic: text(), project: text(), env: text(), release_id: text(), trigger: text() }
    }

    fn caller(&self) -> CallerInfo {
        CallerInfo { kind: "anonymous".into(), subject: None, roles: Vec::new(), claims: b"{}".to_vec() }
    }

    fn config(&self, name: &str) -> Result<Option<String>, LookupError> {
        if name == "shown" { Ok(Some("value".into())) } else { Err(LookupError::Denied(name.into())) }
    }

    fn secret(&self, _name: &str) -> Result<SecretString, LookupError> {
        Ok(SecretString::from("secret".to_owned()))
    }

    fn log(&self, line: LogLine) {
        self.lines.lock().unwrap().push(line);
    }

    async fn sql_open(&mut self, _name: &str) -> Result<ConnectionId, SqlError> {
        Ok(ConnectionId(self.id()))
    }

    fn sql_engine(&self, _connection: ConnectionId) -> &'static str {
        "sqlite"
    }

    async fn sql_query(&mut self, _connection: ConnectionId, sql: String, _params: Vec<Value>, _budget: RowBudget) -> Result<RowSet, SqlError> {
        if sql == "hang" {
            std::future::pending::<()>().await;
        }
        let count = sql.strip_prefix("rows ").and_then(|count| count.parse().ok()).unwrap_or(1);
        let columns = vec![Column { name: "text".into(), type_name: "string".into() }];
        Ok(RowSet { columns, rows: vec![vec![Value::Text("x".repeat(200))]; count] })
    }

    async fn sql_execute(&mut self, _connection: ConnectionId, _sql: String, _params: Vec<Value>) -> Result<u64, SqlError> {
        Ok(1)
    }

    async fn sql_cursor(
        &mut self,
        _connection: ConnectionId,
        _sql: String,
        _params: Vec<Value>,
        _budget: RowBudget,
    ) -> Result<(CursorId, Vec<Column>), SqlError> {
        Ok((CursorId(self.id()), vec![Column { name: "text".into(), type_name: "string".into() }]))
    }

    async fn sql_cursor_next(&mut self, _cursor: CursorId, _budget: RowBudget) -> Result<Option<Vec<Vec<Value>>>, SqlError> {
        Ok(None)
    }

    async fn sql_cursor_close(&mut self, _cursor: CursorId) {}

    async fn sql_begin(&mut self, _connection: ConnectionId) -> Result<TransactionId, SqlError> {
        Ok(TransactionId(self.id()))
    }

    async fn sql_commit(&mut self, _transaction: TransactionId) -> Result<(), SqlError> {
        Ok(())
    }

    async fn sql_rollback(&mut self, _transaction: TransactionId) -> Result<(), SqlError> {
        Ok(())
    }
}
