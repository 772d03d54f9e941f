//! The SQL of one invocation: its connections, its transaction with savepoints, its cursors.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

use santokit_core::{
    limit::LimitName,
    logic::Grants,
    schema::Schema,
    sql_text,
    value::{Column, Value},
};
use santokit_sql::failure::FailureKind;
use santokit_wasm::{ConnectionId, CursorId, DatabaseError, RowBudget, SqlError, TransactionId};

use crate::{
    db::{Access, Authorized, Connection, Database, DbError, Reading, Statement},
    metrics::Metrics,
};

/// How long a transaction may keep the one writer, whatever the logic's timeout.
const TRANSACTION_HOLD_MAX: Duration = Duration::from_secs(10);
/// Cursors and savepoints open at once.
const CURSORS_MAX: usize = 16;
const SAVEPOINTS_MAX: usize = 16;

#[derive(Debug)]
pub(super) struct SqlSession {
    grants: Arc<Grants>,
    databases: Arc<BTreeMap<String, Arc<Database>>>,
    schemas: Arc<BTreeMap<String, Schema>>,
    transaction_on: Option<String>,
    deadline: Instant,
    metrics: Arc<Metrics>,
    opened: Vec<Opened>,
    cursors: HashMap<u32, Cursor>,
    ids: u32,
}

/// A connection that the guest opened.
#[derive(Debug)]
struct Opened {
    name: String,
    database: Arc<Database>,
    access: Authorized,
    transaction: Option<OpenTransaction>,
}

/// `BEGIN IMMEDIATE`, then a savepoint for each further level.
#[derive(Debug)]
struct OpenTransaction {
    connection: Connection,
    /// Whether the outermost level is the invocation's own.
    is_own: bool,
    /// The guest's levels, outermost first.
    levels: Vec<TransactionId>,
    deadline: Instant,
}

/// Rows that were read within the invocation's limits and wait for the guest.
#[derive(Debug)]
struct Cursor {
    rows: VecDeque<Vec<Value>>,
    limit: Option<LimitName>,
}

impl SqlSession {
    pub(super) fn new(
        grants: Arc<Grants>,
        databases: Arc<BTreeMap<String, Arc<Database>>>,
        schemas: Arc<BTreeMap<String, Schema>>,
        transaction_on: Option<String>,
        deadline: Instant,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            grants,
            databases,
            schemas,
            transaction_on,
            deadline,
            metrics,
            opened: Vec::new(),
            cursors: HashMap::new(),
            ids: 0,
        }
    }

    pub(super) fn open(&mut self, name: &str) -> Result<ConnectionId, SqlError> {
        if let Some(index) = self.opened.iter().position(|opened| opened.name == name) {
            return Ok(ConnectionId(u32::try_from(index).unwrap_or(u32::MAX)));
        }
        if !self.grants.sql.iter().any(|grant| grant.connection == name) {
            return Err(SqlError::Denied(format!("grants.sql does not list connection {name:?}")));
        }
        let database = self.databases.get(name).cloned();
        let database = database.ok_or_else(|| SqlError::Unavailable(format!("this env has no connection {name:?}")))?;
        let access = Access::of(&self.grants, name).authorize();
        self.opened.push(Opened { name: name.to_owned(), database, access, transaction: None });
        Ok(ConnectionId(u32::try_from(self.opened.len() - 1).unwrap_or(u32::MAX)))
    }

    pub(super) fn engine(&self, connection: ConnectionId) -> &'static str {
        self.opened.get(connection.0 as usize).map_or("", |opened| opened.database.engine())
    }

    #[tracing::instrument(name = "host.sql", level = "debug", skip_all)]
    pub(super) async fn read(
        &mut self,
        connection: ConnectionId,
        sql: &str,
        values: &[Value],
        budget: RowBudget,
    ) -> Result<Reading, SqlError> {
        check_single(sql)?;
        self.ensure_own_transaction(connection).await?;
        let schemas = Arc::clone(&self.schemas);
        let (empty, started, deadline) = (Schema::default(), Instant::now(), self.deadline);
        let opened = self.opened(connection)?;
        let schema = schemas.get(&opened.name).unwrap_or(&empty);
        let access = Some(opened.access);
        let answer = match &mut opened.transaction {
            Some(transaction) => {
                let statement = Statement { sql, values, access, deadline: transaction.deadline };
                statement.read(&mut transaction.connection, schema, budget).await
            }
            None => {
                let mut connection = take(&opened.database, sql).await.map_err(guest_error)?;
                Statement { sql, values, access, deadline }.read(&mut connection, schema, budget).await
            }
        };
        self.count(connection, started);
        answer.map_err(guest_error)
    }

    #[tracing::instrument(name = "host.sql", level = "debug", skip_all)]
    pub(super) async fn run(&mut self, connection: ConnectionId, sql: &str, values: &[Value]) -> Result<u64, SqlError> {
        check_single(sql)?;
        self.ensure_own_transaction(connection).await?;
        let (started, deadline) = (Instant::now(), self.deadline);
        let opened = self.opened(connection)?;
        let access = Some(opened.access);
        let answer = match &mut opened.transaction {
            Some(transaction) => {
                let statement = Statement { sql, values, access, deadline: transaction.deadline };
                statement.run(&mut transaction.connection).await
            }
            None => {
                let mut connection = take(&opened.database, sql).await.map_err(guest_error)?;
                Statement { sql, values, access, deadline }.run(&mut connection).await
            }
        };
        self.count(connection, started);
        answer.map_err(guest_error)
    }

    /// Reads ahead what the limits allow, so that no connection is kept between two calls of the guest.
    pub(super) async fn open_cursor(
        &mut self,
        connection: ConnectionId,
        sql: &str,
        values: &[Value],
        budget: RowBudget,
    ) -> Result<(CursorId, Vec<Column>), SqlError> {
        if self.cursors.len() >= CURSORS_MAX {
            return Err(SqlError::Limit(LimitName::Handles));
        }
        let reading = self.read(connection, sql, values, budget).await?;
        let id = self.next_id();
        self.cursors.insert(id, Cursor { rows: reading.rows.rows.into(), limit: reading.limit });
        Ok((CursorId(id), reading.rows.columns))
    }

    pub(super) fn next_rows(&mut self, cursor: CursorId, budget: RowBudget) -> Result<Option<Vec<Vec<Value>>>, SqlError> {
        let cursor = self.cursors.get_mut(&cursor.0).ok_or_else(|| SqlError::Invalid("the cursor is closed".to_owned()))?;
        let (mut rows, mut bytes) = (Vec::new(), 0);
        while (rows.len() as u64) < budget.rows && bytes < budget.bytes {
            let Some(row) = cursor.rows.pop_front() else { break };
            bytes += row.iter().map(|cell| cell.size_bytes() as u64).sum::<u64>();
            rows.push(row);
        }
        match (rows.is_empty(), cursor.limit) {
            (false, _) => Ok(Some(rows)),
            (true, Some(limit)) => Err(SqlError::Limit(limit)),
            (true, None) => Ok(None),
        }
    }

    pub(super) fn close_cursor(&mut self, cursor: CursorId) {
        self.cursors.remove(&cursor.0);
    }

    pub(super) async fn begin(&mut self, connection: ConnectionId) -> Result<TransactionId, SqlError> {
        self.ensure_own_transaction(connection).await?;
        let id = TransactionId(self.next_id());
        let deadline = self.deadline;
        let opened = self.opened(connection)?;
        match &mut opened.transaction {
            None => opened.transaction = Some(begin(&opened.database, deadline, false).await?),
            Some(transaction) if transaction.levels.len() >= SAVEPOINTS_MAX => return Err(SqlError::Limit(LimitName::Handles)),
            Some(transaction) => {
                let level = transaction.levels.len();
                command(&mut transaction.connection, &format!("SAVEPOINT stk_{level}"), transaction.deadline).await?;
            }
        }
        if let Some(transaction) = &mut opened.transaction {
            transaction.levels.push(id);
        }
        Ok(id)
    }

    /// Ends a level. Only the innermost one can be committed; rolling back an outer one ends the inner ones with it.
    pub(super) async fn end(&mut self, id: TransactionId, commit: bool) -> Result<(), SqlError> {
        let ended = || SqlError::Invalid("the transaction has ended".to_owned());
        let holds = |opened: &&mut Opened| opened.transaction.as_ref().is_some_and(|open| open.levels.contains(&id));
        let opened = self.opened.iter_mut().find(holds).ok_or_else(ended)?;
        let transaction = opened.transaction.as_mut().ok_or_else(ended)?;
        let level = transaction.levels.iter().position(|known| *known == id).ok_or_else(ended)?;
        if commit && level + 1 != transaction.levels.len() {
            return Err(SqlError::Invalid("an inner transaction is still open".to_owned()));
        }
        transaction.levels.truncate(level);
        if level == 0 && !transaction.is_own {
            let Some(mut transaction) = opened.transaction.take() else { return Err(ended()) };
            let text = if commit { "COMMIT" } else { "ROLLBACK" };
            return command(&mut transaction.connection, text, transaction.deadline).await;
        }
        let text = if commit {
            format!("RELEASE stk_{level}")
        } else {
            format!("ROLLBACK TO stk_{level}; RELEASE stk_{level}")
        };
        command(&mut transaction.connection, &text, transaction.deadline).await
    }

    pub(super) async fn finish(mut self, commit: bool) -> Result<(), SqlError> {
        for opened in &mut self.opened {
            let Some(mut transaction) = opened.transaction.take() else { continue };
            let keep = commit && transaction.is_own && transaction.levels.is_empty();
            let text = if keep { "COMMIT" } else { "ROLLBACK" };
            command(&mut transaction.connection, text, transaction.deadline).await?;
            if commit && transaction.is_own && !keep {
                return Err(SqlError::Invalid("a nested transaction was left open, so all was rolled back".to_owned()));
            }
        }
        Ok(())
    }

    async fn ensure_own_transaction(&mut self, connection: ConnectionId) -> Result<(), SqlError> {
        let (deadline, on) = (self.deadline, self.transaction_on.clone());
        let opened = self.opened(connection)?;
        if opened.transaction.is_none() && on.as_deref() == Some(&opened.name) {
            opened.transaction = Some(begin(&opened.database, deadline, true).await?);
        }
        Ok(())
    }

    fn opened(&mut self, connection: ConnectionId) -> Result<&mut Opened, SqlError> {
        let unknown = || SqlError::Invalid("the connection is not open".to_owned());
        self.opened.get_mut(connection.0 as usize).ok_or_else(unknown)
    }

    fn count(&self, connection: ConnectionId, started: Instant) {
        if let Some(opened) = self.opened.get(connection.0 as usize) {
            self.metrics.query(&opened.name, started.elapsed());
        }
    }

    fn next_id(&mut self) -> u32 {
        self.ids = self.ids.wrapping_add(1);
        self.ids
    }
}

async fn begin(database: &Database, deadline: Instant, is_own: bool) -> Result<OpenTransaction, SqlError> {
    let mut connection = database.writer().await.map_err(guest_error)?;
    let deadline = deadline.min(Instant::now() + TRANSACTION_HOLD_MAX);
    command(&mut connection, "BEGIN IMMEDIATE", deadline).await?;
    Ok(OpenTransaction { connection, is_own, levels: Vec::new(), deadline })
}

async fn command(connection: &mut Connection, sql: &str, deadline: Instant) -> Result<(), SqlError> {
    let statement = Statement { sql, values: &[], access: None, deadline };
    statement.run(connection).await.map(drop).map_err(guest_error)
}

async fn take(database: &Database, sql: &str) -> Result<Connection, DbError> {
    if sql_text::is_read_only(sql) { database.reader().await } else { database.writer().await }
}

/// The engine would run several statements in turn; each would be checked, but a guest has one result.
fn check_single(sql: &str) -> Result<(), SqlError> {
    match sql_text::statements(sql).len() {
        1 => Ok(()),
        0 => Err(SqlError::Invalid("the statement is empty".to_owned())),
        _ => Err(SqlError::Invalid("one statement at a time".to_owned())),
    }
}

fn guest_error(error: DbError) -> SqlError {
    match error.kind {
        FailureKind::Interrupted => SqlError::Timeout("the statement ran into its time limit".to_owned()),
        FailureKind::NotAuthorized => SqlError::Denied(format!("grants.sql does not allow this: {}", error.message)),
        FailureKind::Unavailable => SqlError::Unavailable(error.message),
        kind => SqlError::Database(DatabaseError {
            code: error.code,
            message: error.message,
            constraint_kind: kind.constraint().map(str::to_owned),
            retryable: kind == FailureKind::Busy,
        }),
    }
}
