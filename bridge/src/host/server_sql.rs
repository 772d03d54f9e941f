//! The SQL of one invocation on a database server: each statement as a login that may do what was granted for it, and one transaction
//! as one login. What a guest may do is the server's matter (decision 0022); here is decided which login it is.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use santokit_core::{
    logic::Verb,
    release::logins::{TablePowers, raw},
    schema::{Schema, Type},
    value::Value,
};
use santokit_sql::{failure::FailureKind, guest::GuestStatement, statement::Bound};
use santokit_wasm::{RowBudget, SqlError, TransactionId};

use super::session_sql::{SAVEPOINTS_MAX, guest_error};
use crate::{
    db::{Answered, Database, DbError, Reading, Session, Text},
    events::Event,
};

/// How long a transaction may be open, whatever the logic's timeout.
const TRANSACTION_HOLD_MAX: Duration = Duration::from_secs(10);
/// How often what only reads is begun: connections that died while they rested are given up with the first.
const READS_MAX: usize = 3;

/// The logins of a logic, by connection.
#[derive(Debug, Default)]
pub struct Logins {
    /// Of its own SQL.
    raw: BTreeMap<String, Arc<TablePowers>>,
    /// Of its declared queries.
    queried: BTreeMap<String, Arc<TablePowers>>,
}

/// A statement and the login that it needs.
#[derive(Debug)]
pub(super) struct ServerStatement<'a> {
    pub(super) sql: &'a str,
    pub(super) params: Vec<Bound>,
    pub(super) words: GuestStatement,
    /// Whether its session may be another one afterwards.
    pub(super) may_change_session: bool,
    pub(super) login: Login,
}

/// Whose powers a statement needs.
#[derive(Clone, Debug)]
pub(super) enum Login {
    /// A text that the guest made: it may do exactly this.
    Raw(Arc<TablePowers>),
    /// A text of the release: this is what it does.
    Declared(Arc<TablePowers>),
}

/// An open transaction.
#[derive(Debug)]
pub(super) struct Levels {
    session: Session,
    login: Arc<TablePowers>,
    deadline: Instant,
    /// Whether the outermost level is the invocation's own.
    is_own: bool,
    /// The guest's levels, outermost first; the first is no savepoint unless the outermost is the invocation's.
    savepoints: Vec<TransactionId>,
    /// Whether a level could not be ended as it should: nothing is stored then.
    is_broken: bool,
}

impl Logins {
    /// Of a logic. `queried` is what its declared queries touch together.
    pub fn of(
        grants: &santokit_core::logic::Grants,
        queried: BTreeMap<String, TablePowers>,
        acknowledges: bool,
    ) -> Self {
        let shared = |powers: BTreeMap<String, TablePowers>| {
            powers.into_iter().map(|(connection, powers)| (connection, Arc::new(powers))).collect()
        };
        Self { raw: shared(raw(grants, acknowledges)), queried: shared(queried) }
    }

    pub(super) fn of_raw(&self, connection: &str) -> Login {
        Login::Raw(self.raw.get(connection).cloned().unwrap_or_default())
    }

    /// Whose transaction an invocation's own is that has not said anything yet.
    pub(super) fn of_any(&self, connection: &str) -> Option<Login> {
        let raw = self.raw.get(connection).cloned().map(Login::Raw);
        raw.or_else(|| self.queried.get(connection).cloned().map(Login::Declared))
    }

    pub(super) fn of_declared(&self, connection: &str) -> Login {
        Login::Declared(self.queried.get(connection).cloned().unwrap_or_default())
    }
}

impl Login {
    fn powers(&self) -> &Arc<TablePowers> {
        match self {
            Login::Raw(powers) | Login::Declared(powers) => powers,
        }
    }

    /// Whether it may run in a transaction of a login: a guest's own text where that can do no more than the text may, a release's
    /// where that can do all that it does.
    fn fits(&self, login: &TablePowers) -> bool {
        match self {
            Login::Raw(powers) => covers(powers, login),
            Login::Declared(powers) => covers(login, powers),
        }
    }
}

fn covers(wide: &TablePowers, narrow: &TablePowers) -> bool {
    let has = |table: &String, verb: &Verb| wide.get(table).is_some_and(|verbs| verbs.contains(verb));
    narrow.iter().all(|(table, verbs)| verbs.iter().all(|verb| has(table, verb)))
}

/// What a guest sends has no other type than its own.
pub(super) fn bound(values: &[Value]) -> Vec<Bound> {
    let kind = |value: &Value| match value {
        Value::Null | Value::Text(_) => Type::String,
        Value::Boolean(_) => Type::Boolean,
        Value::Int64(_) => Type::Bigint,
        Value::Float64(_) => Type::Float,
        Value::Bytes(_) => Type::Bytes,
        Value::Typed(name, _) => Type::ALL.iter().copied().find(|kind| kind.as_str() == name).unwrap_or(Type::String),
    };
    values.iter().map(|value| Bound { kind: kind(value), value: value.clone() }).collect()
}

/// Runs a statement on its own and reads its rows. What only reads and finds its connection dead is done again.
pub(super) async fn read(
    database: &Database,
    statement: &ServerStatement<'_>,
    schema: &Schema,
    budget: RowBudget,
    deadline: Instant,
) -> Result<Reading, SqlError> {
    let mut left = READS_MAX;
    loop {
        let mut session = database.guest_session(statement.login.powers(), deadline).await.map_err(guest_error)?;
        left -= 1;
        match session.guest_rows(statement.text(schema), statement.answered(schema), budget, deadline).await {
            Err(error) if left > 0 && statement.may_read_again(&error) => {}
            read => {
                session.end();
                return read.map_err(guest_error);
            }
        }
    }
}

/// Runs a statement on its own for its effect.
pub(super) async fn run(
    database: &Database,
    statement: &ServerStatement<'_>,
    schema: &Schema,
    deadline: Instant,
) -> Result<u64, SqlError> {
    let mut session = database.guest_session(statement.login.powers(), deadline).await.map_err(guest_error)?;
    let done = session.guest_execute(statement.text(schema), statement.answered(schema), deadline).await;
    session.end();
    done.map(|done| done.affected).map_err(guest_error)
}

impl ServerStatement<'_> {
    fn text<'a>(&'a self, schema: &'a Schema) -> Text<'a> {
        Text { sql: self.sql, params: &self.params, schema, may_change_session: self.may_change_session }
    }

    /// Params of a declared query have the types that are declared, NULL too.
    fn answered<'a>(&self, schema: &'a Schema) -> Answered<'a> {
        match self.login {
            Login::Raw(_) => Answered::Guest(schema),
            Login::Declared(_) => Answered::Found(schema),
        }
    }

    fn may_read_again(&self, error: &DbError) -> bool {
        self.words.verb == Verb::Select && error.kind == FailureKind::Lost
    }
}

impl Levels {
    /// Begins one as a login.
    pub(super) async fn begin(
        database: &Database,
        login: &Login,
        deadline: Instant,
        is_own: bool,
    ) -> Result<Self, SqlError> {
        let deadline = deadline.min(Instant::now() + TRANSACTION_HOLD_MAX);
        let login = Arc::clone(login.powers());
        let session = database.guest_begin(&login, deadline).await.map_err(guest_error)?;
        Ok(Self { session, login, deadline, is_own, savepoints: Vec::new(), is_broken: false })
    }

    /// Whether the outermost level is the invocation's own.
    pub(super) fn is_own(&self) -> bool {
        self.is_own
    }

    /// The guest's levels.
    pub(super) fn savepoints(&self) -> &[TransactionId] {
        &self.savepoints
    }

    /// Begins a level of the guest's.
    pub(super) async fn enter(&mut self, id: TransactionId) -> Result<(), SqlError> {
        let level = self.savepoints.len();
        if level >= SAVEPOINTS_MAX {
            return Err(SqlError::Limit(santokit_core::limit::LimitName::Handles));
        }
        if level > 0 || self.is_own {
            self.session.savepoint(level, self.deadline).await.map_err(guest_error)?;
        }
        self.savepoints.push(id);
        Ok(())
    }

    /// Ends a level, and those within it.
    pub(super) async fn leave(&mut self, level: usize, commit: bool) -> Result<(), SqlError> {
        self.savepoints.truncate(level);
        let ended = async {
            if !commit {
                self.session.rollback_to(level, self.deadline).await?;
            }
            self.session.release(level, self.deadline).await
        };
        let ended = ended.await;
        self.is_broken |= ended.is_err() && !commit;
        ended.map_err(guest_error)
    }

    /// Stores it all. Whatever keeps it from being stored rolls it back.
    pub(super) async fn commit(mut self) -> Result<(), SqlError> {
        if self.is_broken {
            return Err(SqlError::Other("ROLLED_BACK".to_owned(), "a part could not be undone".to_owned()));
        }
        self.session.commit(self.deadline).await.map_err(guest_error)?;
        self.session.end();
        Ok(())
    }

    pub(super) async fn read(
        &mut self,
        statement: &ServerStatement<'_>,
        schema: &Schema,
        budget: RowBudget,
    ) -> Result<Reading, SqlError> {
        self.admit(statement)?;
        self.session
            .guest_rows(statement.text(schema), statement.answered(schema), budget, self.deadline)
            .await
            .map_err(guest_error)
    }

    pub(super) async fn run(&mut self, statement: &ServerStatement<'_>, schema: &Schema) -> Result<u64, SqlError> {
        self.admit(statement)?;
        let done = self.session.guest_execute(statement.text(schema), statement.answered(schema), self.deadline).await;
        done.map(|done| done.affected).map_err(guest_error)
    }

    /// Whether its login can keep events.
    pub(super) fn can_publish(&self) -> bool {
        self.session.publisher().is_some()
    }

    /// Keeps an event in it. What fails takes the transaction with it.
    pub(super) async fn publish(&mut self, event: &Event) -> Result<(), DbError> {
        let none = || DbError::unavailable("the login has no procedure for events; apply again");
        let publisher = self.session.publisher().cloned().ok_or_else(none)?;
        let call = event.call(self.session.dialect(), &publisher);
        let call = call.map_err(|problem| DbError::unavailable(problem.message.clone()))?;
        let schema = Schema::default();
        let text = Text { sql: &call.sql, params: &call.params, schema: &schema, may_change_session: false };
        let kept = self.session.guest_execute(text, Answered::Found(&schema), self.deadline).await;
        self.is_broken |= kept.is_err();
        kept.map(drop)
    }

    fn admit(&self, statement: &ServerStatement<'_>) -> Result<(), SqlError> {
        if Instant::now() >= self.deadline {
            return Err(guest_error(DbError::interrupted()));
        }
        if statement.login.fits(&self.login) {
            return Ok(());
        }
        let message = "on a database server a transaction is for declared queries or for the logic's own SQL: the other of the two may not \
             do the same, so that it runs outside of the transaction";
        Err(SqlError::Invalid(message.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn powers(tables: &[(&str, &[Verb])]) -> Arc<TablePowers> {
        Arc::new(tables.iter().map(|(table, verbs)| ((*table).to_owned(), verbs.iter().copied().collect())).collect())
    }

    #[test]
    fn a_text_of_the_guest_never_runs_as_a_login_that_may_do_more() {
        let narrow = powers(&[("a", &[Verb::Select])]);
        let wide = powers(&[("a", &[Verb::Select, Verb::Update]), ("b", &[Verb::Select])]);
        assert!(Login::Raw(Arc::clone(&narrow)).fits(&narrow) && Login::Raw(Arc::clone(&wide)).fits(&narrow));
        assert!(!Login::Raw(Arc::clone(&narrow)).fits(&wide));
        // A text of the release is what it is.
        assert!(Login::Declared(Arc::clone(&narrow)).fits(&wide));
        assert!(!Login::Declared(wide).fits(&narrow));
    }

    #[test]
    fn what_a_guest_sends_is_bound_as_what_it_is() {
        let typed = |name: &str| Value::Typed(name.to_owned(), "1".to_owned());
        let kinds: Vec<Type> =
            bound(&[Value::Null, Value::Int64(1), typed("decimal"), typed("timestamp"), typed("else")])
                .into_iter()
                .map(|bound| bound.kind)
                .collect();
        assert_eq!(kinds, [Type::String, Type::Bigint, Type::Decimal, Type::Timestamp, Type::String]);
    }
}
