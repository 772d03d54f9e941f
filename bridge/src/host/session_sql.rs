//! The SQL of one invocation: its connections, its transaction with savepoints, its cursors.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use santokit_core::{
    limit::LimitName,
    logic::{Grants, Verb},
    schema::Schema,
    value::Value,
};
use santokit_sql::{
    failure::FailureKind,
    guest::{self, GuestStatement, Refused},
};
use santokit_wasm::{ConnectionId, DatabaseError, RowBudget, SqlError, ToldName, TransactionId};

use super::{
    cursor::Cursor,
    server_sql::{Levels as ServerLevels, Logins},
};
use crate::{
    db::{Access, Authorized, Connection, Database, DbError, Lent, OpenTransaction, Reading, Share, Statement},
    metrics::Metrics,
};

mod cursors;
mod joined;
mod on_server;
mod transactions;

pub(super) use joined::CallLevels;
pub use joined::Joined;
pub(crate) use on_server::OnServer;
pub(super) use transactions::EventPlace;

/// How long a transaction may keep the one writer, whatever the logic's timeout.
const TRANSACTION_HOLD_MAX: Duration = Duration::from_secs(10);
/// Cursors and savepoints open at once.
const CURSORS_MAX: usize = 16;
pub(super) const SAVEPOINTS_MAX: usize = 16;

/// What a logic's own SQL may touch, by connection. Made once for a logic: a connection's border stays as long as it is the same.
pub type GrantedTables = BTreeMap<String, Arc<Access>>;

/// Of a logic.
pub fn granted_tables(grants: &Grants) -> GrantedTables {
    let of = |connection: &String| (connection.clone(), Arc::new(Access::of(grants, connection)));
    grants.sql.iter().map(|grant| of(&grant.connection)).collect()
}

#[derive(Debug)]
pub(crate) struct SqlSession {
    tables: Arc<GrantedTables>,
    logins: Arc<Logins>,
    databases: Arc<BTreeMap<String, Arc<Database>>>,
    schemas: Arc<BTreeMap<String, Schema>>,
    /// The connections on which the whole invocation is one transaction.
    whole: BTreeSet<String>,
    /// Those of them on which that is the caller's.
    inherited: BTreeSet<String>,
    /// The connections whose transactions are a caller's, and how many levels of them.
    floors: BTreeMap<String, usize>,
    /// Whether a logic that was called has what is open.
    is_lent: bool,
    deadline: Instant,
    metrics: Arc<Metrics>,
    opened: Vec<Opened>,
    /// The invocation's own transactions of requests to tables on servers, by connection.
    on_server: BTreeMap<String, OnServer>,
    cursors: HashMap<u32, Cursor>,
    ids: u32,
}

/// A connection that the guest opened.
#[derive(Debug)]
struct Opened {
    name: String,
    database: Arc<Database>,
    access: Arc<Access>,
    /// The text that was looked at last, and what its words say: a loop sends the same one again and again.
    checked: Option<(String, GuestStatement)>,
    transaction: Option<Levels>,
    /// The same on a server.
    levels: Option<ServerLevels>,
}

/// A transaction, with a savepoint for each further level.
#[derive(Debug)]
struct Levels {
    open: OpenTransaction,
    /// Whether the outermost level is the invocation's own.
    is_own: bool,
    /// The guest's levels, outermost first; the first is no savepoint unless the outermost is the invocation's.
    savepoints: Vec<TransactionId>,
}

/// Where a request to tables runs.
pub(crate) enum Place<'s> {
    /// On a connection of its own.
    Alone,
    /// In a transaction on SQLite, which ends then.
    Lent(Lent<'s>, Instant),
    /// In the invocation's own on a server.
    OnServer(&'s mut OnServer),
}

/// What a statement may touch, and what its words say.
#[derive(Debug)]
pub(super) struct Authority {
    pub(super) access: Arc<Access>,
    pub(super) words: GuestStatement,
}

impl SqlSession {
    pub(crate) fn new(
        (tables, logins): (Arc<GrantedTables>, Arc<Logins>),
        databases: Arc<BTreeMap<String, Arc<Database>>>,
        schemas: Arc<BTreeMap<String, Schema>>,
        transaction_on: Option<String>,
        deadline: Instant,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            tables,
            logins,
            databases,
            schemas,
            whole: transaction_on.into_iter().collect(),
            inherited: BTreeSet::new(),
            floors: BTreeMap::new(),
            is_lent: false,
            deadline,
            metrics,
            opened: Vec::new(),
            on_server: BTreeMap::new(),
            cursors: HashMap::new(),
            ids: 0,
        }
    }

    /// Whether the whole invocation is one transaction on a connection.
    pub(super) fn is_whole(&self, connection: &str) -> bool {
        self.whole.contains(connection)
    }

    /// Whether a transaction of this invocation keeps the one writer of a database.
    pub(super) fn keeps_a_writer(&self) -> bool {
        self.opened.iter().any(|opened| opened.transaction.is_some())
    }

    pub(super) fn open(&mut self, name: &str) -> Result<ConnectionId, SqlError> {
        if !self.tables.contains_key(name) {
            return Err(SqlError::Denied(format!("grants.sql does not list connection {}", ToldName(name))));
        }
        self.open_declared(name)
    }

    /// For a declared query, which is a grant of its own. What a guest's own SQL may do there stays what it is: perhaps nothing.
    pub(super) fn open_declared(&mut self, name: &str) -> Result<ConnectionId, SqlError> {
        if let Some(index) = self.opened.iter().position(|opened| opened.name == name) {
            return Ok(ConnectionId(u32::try_from(index).unwrap_or(u32::MAX)));
        }
        let database = self.databases.get(name).cloned();
        let database = database.ok_or_else(|| SqlError::Unavailable(format!("this env has no connection {name:?}")))?;
        Ok(self.open_on(name, database, None, None))
    }

    fn open_on(
        &mut self,
        name: &str,
        database: Arc<Database>,
        transaction: Option<Levels>,
        levels: Option<ServerLevels>,
    ) -> ConnectionId {
        let access = self.tables.get(name).cloned().unwrap_or_default();
        self.opened.push(Opened { name: name.to_owned(), database, access, checked: None, transaction, levels });
        ConnectionId(u32::try_from(self.opened.len() - 1).unwrap_or(u32::MAX))
    }

    /// Declared schemas by connection.
    pub(super) fn schemas(&self) -> &Arc<BTreeMap<String, Schema>> {
        &self.schemas
    }

    pub(super) fn engine(&self, connection: ConnectionId) -> &'static str {
        self.opened.get(connection.0 as usize).map_or("", |opened| opened.database.engine())
    }

    pub(super) async fn read(
        &mut self,
        connection: ConnectionId,
        sql: &str,
        values: &[Value],
        budget: RowBudget,
    ) -> Result<Reading, SqlError> {
        let logins = Arc::clone(&self.logins);
        let opened = self.named(connection)?;
        if opened.is_on_server() {
            let statement = opened.check_on_server(sql, values, &logins)?;
            return self.read_on_server(connection, statement, budget).await;
        }
        let authority = opened.check(sql)?;
        self.read_as(connection, sql, values, budget, authority).await
    }

    /// Reads under powers that are not necessarily the guest's own.
    pub(super) async fn read_as(
        &mut self,
        connection: ConnectionId,
        sql: &str,
        values: &[Value],
        budget: RowBudget,
        authority: Authority,
    ) -> Result<Reading, SqlError> {
        self.opened(connection)?;
        let verb = authority.words.verb;
        self.ensure_own_transaction(connection).await?;
        let schemas = Arc::clone(&self.schemas);
        let (empty, started, deadline) = (Schema::default(), Instant::now(), self.deadline);
        let opened = self.opened(connection)?;
        let schema = schemas.get(&opened.name).unwrap_or(&empty);
        let access = Some(Authorized::new(authority.access, authority.words));
        let answer = if let Some(Levels { open, .. }) = &opened.transaction {
            let mut held = open.hold().await.map_err(guest_error)?;
            let statement = Statement { sql, values, access, deadline: open.deadline() };
            statement.read(held.connection().map_err(guest_error)?, schema, budget).await
        } else {
            let mut connection = take(&opened.database, verb, deadline).await.map_err(guest_error)?;
            let answer = Statement { sql, values, access, deadline }.read(&mut connection, schema, budget).await;
            keep(connection, &answer);
            answer
        };
        self.count(connection, started);
        answer.map_err(guest_error)
    }

    pub(super) async fn run(&mut self, connection: ConnectionId, sql: &str, values: &[Value]) -> Result<u64, SqlError> {
        let logins = Arc::clone(&self.logins);
        let opened = self.named(connection)?;
        if opened.is_on_server() {
            let statement = opened.check_on_server(sql, values, &logins)?;
            return self.run_on_server(connection, statement).await;
        }
        let authority = opened.check(sql)?;
        self.run_as(connection, sql, values, authority).await
    }

    /// Runs under powers that are not necessarily the guest's own.
    pub(super) async fn run_as(
        &mut self,
        connection: ConnectionId,
        sql: &str,
        values: &[Value],
        authority: Authority,
    ) -> Result<u64, SqlError> {
        self.opened(connection)?;
        let verb = authority.words.verb;
        self.ensure_own_transaction(connection).await?;
        let (started, deadline) = (Instant::now(), self.deadline);
        let opened = self.opened(connection)?;
        let access = Some(Authorized::new(authority.access, authority.words));
        let answer = if let Some(Levels { open, .. }) = &opened.transaction {
            let mut held = open.hold().await.map_err(guest_error)?;
            let statement = Statement { sql, values, access, deadline: open.deadline() };
            statement.run(held.connection().map_err(guest_error)?).await
        } else {
            let mut connection = take(&opened.database, verb, deadline).await.map_err(guest_error)?;
            let answer = Statement { sql, values, access, deadline }.run(&mut connection).await;
            keep(connection, &answer);
            answer
        };
        self.count(connection, started);
        answer.map_err(guest_error)
    }

    async fn ensure_own_transaction(&mut self, connection: ConnectionId) -> Result<(), SqlError> {
        let deadline = self.deadline;
        let is_whole = self.opened.get(connection.0 as usize).is_some_and(|opened| self.whole.contains(&opened.name));
        let opened = self.opened(connection)?;
        if opened.transaction.is_none() && is_whole {
            opened.transaction = Some(begin(&opened.database, deadline, true).await?);
        }
        Ok(())
    }

    /// Says in the call's span which connection it is about.
    fn named(&mut self, connection: ConnectionId) -> Result<&mut Opened, SqlError> {
        let opened = self.opened(connection)?;
        tracing::Span::current().record("connection", opened.name.as_str());
        Ok(opened)
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

impl Opened {
    /// The guest's levels of the transaction that is open, outermost first.
    fn savepoints(&self) -> &[TransactionId] {
        match (&self.transaction, &self.levels) {
            (Some(open), _) => &open.savepoints,
            (None, Some(levels)) => levels.savepoints(),
            (None, None) => &[],
        }
    }

    fn has_transaction(&self) -> bool {
        self.transaction.is_some() || self.levels.is_some()
    }

    /// Whether its transaction is the whole invocation.
    fn is_own(&self) -> bool {
        self.transaction.as_ref().is_some_and(|open| open.is_own)
            || self.levels.as_ref().is_some_and(ServerLevels::is_own)
    }

    /// What the engine's authorizer is never asked about, and an early word on the rest.
    fn check(&mut self, sql: &str) -> Result<Authority, SqlError> {
        let access = &self.access;
        if let Some((_, words)) = self.checked.as_ref().filter(|(text, _)| text == sql) {
            return Ok(Authority { access: Arc::clone(access), words: words.clone() });
        }
        let words = guest::check(sql, |table, verb| access.has(table, verb), access.tables());
        let words = words.map_err(|refused| match refused {
            Refused::Denied(message) => SqlError::Denied(message),
            Refused::Invalid(message) => SqlError::Invalid(message),
        })?;
        let authority = Authority { access: Arc::clone(access), words: words.clone() };
        self.checked = Some((sql.to_owned(), words));
        Ok(authority)
    }
}

async fn begin(database: &Database, deadline: Instant, is_own: bool) -> Result<Levels, SqlError> {
    let deadline = deadline.min(Instant::now() + TRANSACTION_HOLD_MAX);
    let database = database.sqlite().map_err(guest_error)?;
    let open = OpenTransaction::begin(database, deadline).await.map_err(guest_error)?;
    Ok(Levels { open, is_own, savepoints: Vec::new() })
}

async fn take(database: &Database, verb: Verb, deadline: Instant) -> Result<Connection, DbError> {
    let database = database.sqlite()?;
    let taking =
        async { if verb == Verb::Select { database.reader(Share::Guest).await } else { database.writer().await } };
    tokio::time::timeout_at(deadline.into(), taking).await.map_err(|_| DbError::interrupted())?
}

/// The engine has ended the statement, whichever way; a connection that broke is not used again.
pub(super) fn keep<T>(connection: Connection, answer: &Result<T, DbError>) {
    if !answer.as_ref().is_err_and(|error| error.kind == FailureKind::Unavailable) {
        connection.give_back();
    }
}

pub(super) fn guest_error(error: DbError) -> SqlError {
    match error.kind {
        FailureKind::Interrupted => SqlError::Timeout("the statement ran into its time limit".to_owned()),
        _ if error.is_out_of_memory() => SqlError::Limit(LimitName::SqlBytes),
        // SQLite reports this one without a code of its own.
        _ if error.message.starts_with("not authorized to use function") => SqlError::Denied(error.message),
        FailureKind::NotAuthorized if error.code.is_empty() => SqlError::Denied(error.message),
        FailureKind::NotAuthorized => SqlError::Denied(format!("grants.sql does not allow this: {}", error.message)),
        FailureKind::Unavailable | FailureKind::Lost | FailureKind::Exhausted => SqlError::Unavailable(error.message),
        kind => SqlError::Database(DatabaseError {
            code: error.code,
            message: error.message,
            constraint_kind: kind.constraint().map(str::to_owned),
            retryable: kind.is_retryable(),
        }),
    }
}

#[cfg(test)]
mod tests;
