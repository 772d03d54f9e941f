//! The seam between the sandbox and the platform: everything that a guest's imports can reach, as one trait.
//!
//! Implemented once outside (`bridge::host`), which knows grants, pools and transactions. Ids are the implementer's own.

use std::{fmt, sync::Arc};

use santokit_core::{
    access::table::Verb,
    limit::LimitName,
    value::{Column, RowSet, Value},
};
use secrecy::SecretString;

use crate::packed::PackedBatch;

mod events;
mod fixed;
mod http;
mod logics;
mod storage;

pub use events::EventError;
pub use fixed::{Clock, Fixed, Seed, Times};
pub use http::{HttpBudget, HttpDone, HttpError, HttpRequest, HttpResponse, SendOut};
pub use logics::{LogicCall, LogicCallError, LogicCalled, LogicUsage};
pub use storage::{
    Condition, ObjectPage, ObjectStat, PutOptions, ReaderId, SignedUrl, StorageError, UrlAsked, UrlDeed, WriterId,
};

/// An open connection of one invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId(pub u32);

/// An open transaction or savepoint of one invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TransactionId(pub u32);

/// An open cursor of one invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CursorId(pub u32);

/// What this invocation is.
#[derive(Clone, Debug)]
pub struct InvocationInfo {
    /// Under which the log has it.
    pub request_id: String,
    /// The logic's name.
    pub logic: String,
    /// The project's name.
    pub project: String,
    /// The env's name.
    pub env: String,
    /// `rel_…`.
    pub release_id: String,
    /// `request`, `event`, `cron`, …
    pub trigger: String,
}

/// Who called.
#[derive(Clone, Debug)]
pub struct CallerInfo {
    /// `anonymous`, `apiKey`, `user`, `system`.
    pub kind: String,
    /// Key id or `sub`.
    pub subject: Option<String>,
    /// Role names.
    pub roles: Vec<String>,
    /// A JSON object.
    pub claims: Vec<u8>,
}

/// Severity of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Finest.
    Trace,
    /// For the developer.
    Debug,
    /// For the operator.
    Info,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
}

/// Where a log line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogSource {
    /// `santokit:runtime/log`.
    Guest,
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// The sandbox itself, about the guest.
    Sandbox,
}

/// One log line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Severity.
    pub level: Level,
    /// Text.
    pub message: String,
    /// Key/value pairs.
    pub fields: Vec<(String, String)>,
    /// Where it came from.
    pub source: LogSource,
}

/// Why a configuration value or secret is not given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupError {
    /// Not granted.
    Denied(String),
    /// Granted, but the env has none.
    Missing(String),
    /// (code, message).
    Other(String, String),
}

impl LookupError {
    pub(crate) const fn is_denied(&self) -> bool {
        matches!(self, Self::Denied(_))
    }
}

/// Params of a declared query by name, as the guest sent them.
pub type NamedParams = Vec<(String, Value)>;

/// What is left of the invocation's limits when a statement runs.
#[derive(Clone, Copy, Debug)]
pub struct RowBudget {
    /// Rows.
    pub rows: u64,
    /// Bytes, as [`Value::size_bytes`] counts.
    pub bytes: u64,
}

/// Why a statement failed; the cases are those of `santokit:sql/types.error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SqlError {
    /// Not granted.
    Denied(String),
    /// Not acceptable.
    Invalid(String),
    /// A limit was reached.
    Limit(LimitName),
    /// Ran into its time limit.
    Timeout(String),
    /// The database is away.
    Unavailable(String),
    /// The database refused.
    Database(DatabaseError),
    /// (code, message).
    Other(String, String),
}

/// What the database said. Its words can repeat a value that somebody bound: they are for the guest, and nothing shows them in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseError {
    /// SQLSTATE or `sqlite:<extended code>`.
    pub code: String,
    /// For the guest.
    pub message: String,
    /// `unique`, `foreign_key`, `not_null`, `check`.
    pub constraint_kind: Option<String>,
    /// Whether the same call may succeed when made again.
    pub retryable: bool,
}

impl SqlError {
    /// For the log: the kind and the database's code, without words that can repeat a value.
    pub fn shown(&self) -> String {
        match self {
            SqlError::Denied(_) => "denied".to_owned(),
            SqlError::Invalid(_) => "invalid".to_owned(),
            SqlError::Limit(limit) => format!("limit {}", limit.as_str()),
            SqlError::Timeout(_) => "timeout".to_owned(),
            SqlError::Unavailable(_) => "unavailable".to_owned(),
            SqlError::Database(database) => format!("{database:?}"),
            SqlError::Other(code, _) => code.clone(),
        }
    }
}

impl fmt::Debug for DatabaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.code, self.constraint_kind.as_deref().unwrap_or("statement"))
    }
}

/// A request to tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrudRequest {
    /// What is asked.
    pub asked: CrudAsked,
    /// JSON text, as the guest sent it.
    pub params: Vec<u8>,
    /// The transaction that it belongs to.
    pub within: Option<TransactionId>,
}

/// What a request to tables asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CrudAsked {
    /// One call: the verb, and the table as the guest named it.
    Table(Verb, String),
    /// Several calls, all or nothing.
    Batch,
}

/// What a request to tables came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CrudAnswer {
    /// JSON text.
    pub data: Vec<u8>,
    /// A JSON object as text.
    pub meta: Vec<u8>,
    /// Rows that it has, on all levels.
    pub rows: u64,
}

/// Why a request to tables was not done; the cases are those of `santokit:crud/crud.error`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CrudError {
    /// Not granted.
    Denied(String),
    /// Not acceptable as it stands.
    Invalid(String),
    /// A limit of the invocation was reached.
    Limit(LimitName),
    /// Ran into the time limit.
    Timeout(String),
    /// What a caller of the Bridge would be told.
    Refused(CrudProblem),
}

/// A problem as a caller of the Bridge would be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CrudProblem {
    /// The catalogue's code.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// A JSON object as text.
    pub details: Vec<u8>,
}

/// Everything that a guest can reach. Each method checks its own grant.
///
/// When the value is dropped, whatever is open on it (transactions, cursors) must be rolled back and closed.
pub trait Host: Send + 'static {
    /// What this invocation is.
    fn invocation(&self) -> InvocationInfo;
    /// Who called.
    fn caller(&self) -> CallerInfo;
    /// What is fixed of time and chance.
    fn fixed(&self) -> Fixed {
        Fixed::default()
    }
    /// Who sees the times that the guest is given.
    fn times(&self) -> Option<Arc<dyn Times>> {
        None
    }
    /// A configuration value.
    fn config(&self, name: &str) -> Result<Option<String>, LookupError>;
    /// A secret.
    fn secret(&self, name: &str) -> Result<SecretString, LookupError>;
    /// Takes a log line; must not block.
    fn log(&self, line: LogLine);

    /// Opens a connection by name.
    fn sql_open(&mut self, name: &str) -> impl Future<Output = Result<ConnectionId, SqlError>> + Send;
    /// `sqlite`, `postgres`, `mysql`.
    fn sql_engine(&self, connection: ConnectionId) -> &'static str;
    /// All rows of a statement; [`SqlError::Limit`] as soon as the budget is exceeded.
    fn sql_query(
        &mut self,
        connection: ConnectionId,
        sql: String,
        params: Vec<Value>,
        budget: RowBudget,
    ) -> impl Future<Output = Result<RowSet, SqlError>> + Send;
    /// Rows affected.
    fn sql_execute(
        &mut self,
        connection: ConnectionId,
        sql: String,
        params: Vec<Value>,
    ) -> impl Future<Output = Result<u64, SqlError>> + Send;
    /// All rows of a declared query; where `one`, exactly one row or an error.
    fn query_rows(
        &mut self,
        name: String,
        params: NamedParams,
        one: bool,
        budget: RowBudget,
    ) -> impl Future<Output = Result<RowSet, SqlError>> + Send;
    /// Runs a declared query for its effect; rows affected.
    fn query_execute(
        &mut self,
        name: String,
        params: NamedParams,
    ) -> impl Future<Output = Result<u64, SqlError>> + Send;
    /// Opens a cursor on a declared query; it is read and closed as any other.
    fn query_cursor(
        &mut self,
        name: String,
        params: NamedParams,
        budget: RowBudget,
    ) -> impl Future<Output = Result<(CursorId, Vec<Column>), SqlError>> + Send;
    /// Begins a transaction on a connection of a granted query; it is ended as any other.
    fn query_begin(&mut self, connection: &str) -> impl Future<Output = Result<TransactionId, SqlError>> + Send;
    /// A request to tables; [`CrudError::Limit`] where its answer would exceed the budget.
    fn crud(
        &mut self,
        request: CrudRequest,
        budget: RowBudget,
    ) -> impl Future<Output = Result<CrudAnswer, CrudError>> + Send;
    /// Publishes an event; its id. In a transaction of the guest's, or where the invocation's own events go.
    fn publish(
        &mut self,
        topic: String,
        payload: Vec<u8>,
        within: Option<TransactionId>,
    ) -> impl Future<Output = Result<String, EventError>> + Send;
    /// Whether a key of this logic is marked, as far as the transaction sees it.
    fn once_is_done(
        &mut self,
        key: String,
        within: Option<TransactionId>,
    ) -> impl Future<Output = Result<bool, EventError>> + Send;
    /// Marks it, where an event would be kept.
    fn once_mark_done(
        &mut self,
        key: String,
        within: Option<TransactionId>,
    ) -> impl Future<Output = Result<(), EventError>> + Send;
    /// What sends an outbound request, if one may be sent now; it answers [`HttpError::Requests`] and [`HttpError::Bytes`] where the
    /// budget ends. It can go on beside the guest, and ends when it is dropped.
    fn http(&mut self) -> Result<SendOut, HttpError>;
    /// Calls another logic, which uses no more than what is left.
    fn call_logic(&mut self, call: LogicCall) -> impl Future<Output = LogicCalled> + Send;
    /// What is known of an object.
    fn storage_stat(
        &mut self,
        bucket: String,
        key: String,
    ) -> impl Future<Output = Result<Option<ObjectStat>, StorageError>> + Send;
    /// An object to be read; the same one to the end.
    fn storage_open(
        &mut self,
        bucket: String,
        key: String,
    ) -> impl Future<Output = Result<(ReaderId, ObjectStat), StorageError>> + Send;
    /// So many bytes of it, all of which are there.
    fn storage_read(
        &mut self,
        reader: ReaderId,
        offset: u64,
        length: usize,
    ) -> impl Future<Output = Result<Vec<u8>, StorageError>> + Send;
    /// Ends reading.
    fn storage_close(&mut self, reader: ReaderId);
    /// Begins an object.
    fn storage_create(
        &mut self,
        bucket: String,
        key: String,
        options: PutOptions,
    ) -> impl Future<Output = Result<WriterId, StorageError>> + Send;
    /// Adds bytes to it.
    fn storage_write(
        &mut self,
        writer: WriterId,
        part: Vec<u8>,
    ) -> impl Future<Output = Result<(), StorageError>> + Send;
    /// Puts it in its place.
    fn storage_finish(&mut self, writer: WriterId) -> impl Future<Output = Result<ObjectStat, StorageError>> + Send;
    /// Drops what was written of it.
    fn storage_abort(&mut self, writer: WriterId);
    /// A page of a list.
    fn storage_list(
        &mut self,
        bucket: String,
        prefix: String,
        limit: u32,
        cursor: Option<String>,
    ) -> impl Future<Output = Result<ObjectPage, StorageError>> + Send;
    /// Removes an object; false where there was none.
    fn storage_remove(
        &mut self,
        bucket: String,
        key: String,
        condition: Condition,
    ) -> impl Future<Output = Result<bool, StorageError>> + Send;
    /// A URL for one deed with one object.
    fn storage_presign(
        &mut self,
        bucket: String,
        key: String,
        asked: UrlAsked,
    ) -> impl Future<Output = Result<SignedUrl, StorageError>> + Send;
    /// Opens a cursor.
    fn sql_cursor(
        &mut self,
        connection: ConnectionId,
        sql: String,
        params: Vec<Value>,
        budget: RowBudget,
    ) -> impl Future<Output = Result<(CursorId, Vec<Column>), SqlError>> + Send;
    /// The next rows: at most so many rows and about so many bytes; none at the end.
    fn sql_cursor_next(
        &mut self,
        cursor: CursorId,
        budget: RowBudget,
    ) -> impl Future<Output = Result<Option<PackedBatch>, SqlError>> + Send;
    /// Closes a cursor.
    fn sql_cursor_close(&mut self, cursor: CursorId) -> impl Future<Output = ()> + Send;
    /// Begins a transaction, or a savepoint inside the open one.
    fn sql_begin(&mut self, connection: ConnectionId) -> impl Future<Output = Result<TransactionId, SqlError>> + Send;
    /// Commits.
    fn sql_commit(&mut self, transaction: TransactionId) -> impl Future<Output = Result<(), SqlError>> + Send;
    /// Rolls back.
    fn sql_rollback(&mut self, transaction: TransactionId) -> impl Future<Output = Result<(), SqlError>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_an_error_repeats_no_value() {
        let planted = || "planted".to_owned();
        let database = DatabaseError {
            code: "postgres:P0001".to_owned(),
            message: planted(),
            constraint_kind: None,
            retryable: false,
        };
        for error in [
            SqlError::Denied(planted()),
            SqlError::Invalid(planted()),
            SqlError::Timeout(planted()),
            SqlError::Unavailable(planted()),
            SqlError::Other("ROLLED_BACK".to_owned(), planted()),
            SqlError::Database(database.clone()),
        ] {
            assert!(!error.shown().contains("planted"), "{}", error.shown());
        }
        assert_eq!(SqlError::Database(database.clone()).shown(), "postgres:P0001 (statement)");
        assert!(!format!("{:?}", SqlError::Database(database)).contains("planted"));
    }
}
