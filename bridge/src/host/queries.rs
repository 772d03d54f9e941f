//! Declared queries of one invocation: looked up among those that are granted, params checked as declared, run under exactly the
//! powers that the release derived, rows brought to the declared types. No SQL text comes from a guest here.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Instant,
};

use chrono::{SecondsFormat, Utc};
use santokit_core::{
    access::Actor,
    logic::Verb,
    param::{self, CompiledParams},
    problem::Problem,
    query::{Query, Returns},
    schema::Type,
    value::{Column, RowSet, Value},
};
use santokit_sql::{
    binding::BoundStatement,
    dialect::Dialect,
    guest::{self, GuestStatement},
    statement::Bound,
};
use santokit_wasm::{ConnectionId, CursorId, NamedParams, RowBudget, SqlError, ToldName, TransactionId};
use serde_json::{Map, Value as Json, json};
use tracing::{Instrument, field::Empty};

use super::{
    Session, outcome,
    server_sql::ServerStatement,
    session_sql::{Authority, SqlSession},
};
use crate::db::{Access, Reading};
use crate::events;

/// The granted queries of a logic.
pub type GrantedQueries = BTreeMap<String, LoadedQuery>;

/// A query that is ready to be called.
#[derive(Debug)]
pub struct LoadedQuery {
    query: Query,
    /// In the order of [`Dialect::ALL`]: which engine a connection has is the env's matter.
    statements: Vec<BoundStatement>,
    params: CompiledParams,
    access: Arc<Access>,
    words: GuestStatement,
    columns: Vec<Column>,
}

impl LoadedQuery {
    /// Of a query that was verified. The error is for operators.
    pub fn new(name: &str, query: &Query) -> Result<Self, String> {
        let statements = Dialect::ALL.iter().map(|dialect| BoundStatement::new(&query.statement, *dialect)).collect();
        let access = Access::exactly(&query.tables);
        let on_sqlite = BoundStatement::sqlite(&query.statement);
        let words = guest::check(&on_sqlite.sql, |table, verb| access.has(table, verb), access.tables());
        let column = |name: &str, kind: &str| Column { name: name.to_owned(), type_name: kind.to_owned() };
        Ok(Self {
            params: CompiledParams::compile(&query.params).map_err(|error| format!("query {name:?}: {error}"))?,
            words: words.map_err(|refused| format!("query {name:?}: {refused}"))?,
            access: Arc::new(access),
            columns: query.result.iter().map(|one| column(&one.name, &one.type_name)).collect(),
            statements,
            query: query.clone(),
        })
    }

    /// Those that a logic is granted.
    pub fn granted(names: &BTreeSet<String>, queries: &BTreeMap<String, Query>) -> Result<GrantedQueries, String> {
        let load = |name: &String| {
            let query = queries.get(name).ok_or_else(|| format!("query {name:?} is granted, but there is none"))?;
            Ok((name.clone(), Self::new(name, query)?))
        };
        names.iter().map(load).collect()
    }

    fn expect(&self, called: Returns, how: &str) -> Result<(), SqlError> {
        let returns = self.query.returns;
        if returns == called {
            return Ok(());
        }
        let right = match returns {
            Returns::Many => "many, or a cursor",
            Returns::One => "one",
            Returns::Exec => "execute",
        };
        let returns = returns.as_str();
        Err(SqlError::Invalid(format!("the query returns {returns}: call it with {right}, not with {how}")))
    }

    /// For the engine of a connection, with values for its placeholders.
    fn bind(&self, sent: NamedParams, session: &Session, connection: ConnectionId) -> Result<Ready<'_>, SqlError> {
        let checked = self.check(sent).map_err(SqlError::Invalid)?;
        let engine = session.sql.engine(connection);
        let at = Dialect::ALL.iter().position(|dialect| dialect.as_str() == engine);
        let statement = at.and_then(|at| self.statements.get(at));
        let statement = statement.ok_or_else(|| SqlError::Unavailable("the engine is not known".to_owned()))?;
        let value = |name: &String| self.value(name, &checked, session).map_err(SqlError::Invalid);
        Ok(Ready { query: self, statement, params: statement.names.iter().map(value).collect::<Result<_, _>>()? })
    }

    fn check(&self, sent: NamedParams) -> Result<Map<String, Json>, String> {
        let mut input = Map::new();
        for (name, value) in sent {
            let declared = self.query.params.iter().find(|param| param.name == name);
            // What is not declared is the check's to refuse.
            let json = match declared {
                Some(param) => {
                    param::from_value(param.kind, value).map_err(|message| format!("param {name:?}: {message}"))?
                }
                None => Json::Bool(true),
            };
            if input.insert(name, json).is_some() {
                return Err("a param is sent twice".to_owned());
            }
        }
        self.params.check(Json::Object(input)).map_err(|problem| told(&problem))
    }

    fn value(&self, name: &str, checked: &Map<String, Json>, session: &Session) -> Result<Bound, String> {
        if let Some(bound) = events::variable(session.occasion.as_deref(), name) {
            return Ok(bound);
        }
        let actor: &Actor = &session.actor;
        let bound = |kind: Type, value: Value| Bound { kind, value };
        Ok(match name {
            "auth.sub" => bound(Type::String, actor.subject.clone().map_or(Value::Null, Value::Text)),
            "auth.roles" => bound(Type::Json, Value::Typed("json".to_owned(), json!(actor.roles).to_string())),
            "now" => {
                let fixed = session.rehearsal.as_ref().and_then(|rehearsal| rehearsal.now);
                let now = fixed.unwrap_or_else(Utc::now).to_rfc3339_opts(SecondsFormat::Micros, true);
                bound(Type::Timestamp, Value::Typed("timestamp".to_owned(), now))
            }
            "env" => bound(Type::String, Value::Text(session.invocation.env.clone())),
            name => match self.query.params.iter().find(|param| param.name == name) {
                Some(param) => bound(param.kind, param::to_value(param, checked.get(name))?),
                None => return Err(format!("the placeholder :{name} is not declared")),
            },
        })
    }

    /// Rows with the columns and types that the release says.
    fn shaped(&self, rows: Vec<Vec<Value>>) -> Result<RowSet, SqlError> {
        let kinds: Vec<Option<Type>> = self.query.result.iter().map(santokit_core::query::ResultColumn::kind).collect();
        let cell = |(index, value): (usize, Value)| match kinds.get(index).copied().flatten() {
            None => Ok(value),
            Some(kind) => as_declared(kind, value).ok_or_else(|| {
                let name = self.columns.get(index).map_or("", |column| &column.name);
                let message = format!("column {name:?} is declared {}, and a row holds something else", kind.as_str());
                SqlError::Other("TYPE_MISMATCH".to_owned(), message)
            }),
        };
        let row = |row: Vec<Value>| row.into_iter().enumerate().map(cell).collect();
        Ok(RowSet { columns: self.columns.clone(), rows: rows.into_iter().map(row).collect::<Result<_, _>>()? })
    }

    fn authority(&self) -> Authority {
        Authority { access: Arc::clone(&self.access), words: self.words.clone() }
    }
}

/// A query with the values of one call.
#[derive(Debug)]
struct Ready<'q> {
    query: &'q LoadedQuery,
    statement: &'q BoundStatement,
    params: Vec<Bound>,
}

impl Ready<'_> {
    async fn read(&self, sql: &mut SqlSession, at: ConnectionId, budget: RowBudget) -> Result<Reading, SqlError> {
        if sql.is_on_server(at) {
            return sql.read_on_server(at, self.on_server(sql), budget).await;
        }
        sql.read_as(at, &self.statement.sql, &self.values(), budget, self.query.authority()).await
    }

    async fn run(&self, sql: &mut SqlSession, at: ConnectionId) -> Result<u64, SqlError> {
        if sql.is_on_server(at) {
            return sql.run_on_server(at, self.on_server(sql)).await;
        }
        sql.run_as(at, &self.statement.sql, &self.values(), self.query.authority()).await
    }

    fn values(&self) -> Vec<Value> {
        self.params.iter().map(|bound| bound.value.clone()).collect()
    }

    fn on_server(&self, sql: &SqlSession) -> ServerStatement<'_> {
        ServerStatement {
            sql: &self.statement.sql,
            params: self.params.clone(),
            words: self.query.words.clone(),
            may_change_session: self.statement.may_change_session,
            login: sql.logins().of_declared(&self.query.query.connection),
        }
    }
}

impl Session {
    pub(super) async fn declared_rows(
        &mut self,
        name: &str,
        sent: NamedParams,
        one: bool,
        budget: RowBudget,
    ) -> Result<RowSet, SqlError> {
        let (called, op) = if one { (Returns::One, "one") } else { (Returns::Many, "many") };
        self.declared(name, op, async |session, query| {
            query.expect(called, op)?;
            let connection = session.sql.open_declared(&query.query.connection)?;
            let ready = query.bind(sent, session, connection)?;
            if one {
                return session.exactly_one(&ready, connection, budget).await;
            }
            let reading = ready.read(&mut session.sql, connection, budget).await?;
            match reading.limit {
                Some(limit) => Err(SqlError::Limit(limit)),
                None => query.shaped(reading.rows.rows),
            }
        })
        .await
    }

    pub(super) async fn declared_execute(&mut self, name: &str, sent: NamedParams) -> Result<u64, SqlError> {
        self.declared(name, "execute", async |session, query| {
            query.expect(Returns::Exec, "execute")?;
            let connection = session.sql.open_declared(&query.query.connection)?;
            query.bind(sent, session, connection)?.run(&mut session.sql, connection).await
        })
        .await
    }

    pub(super) async fn declared_cursor(
        &mut self,
        name: &str,
        sent: NamedParams,
        budget: RowBudget,
    ) -> Result<(CursorId, Vec<Column>), SqlError> {
        self.declared(name, "cursor", async |session, query| {
            query.expect(Returns::Many, "a cursor")?;
            let connection = session.sql.open_declared(&query.query.connection)?;
            let ready = query.bind(sent, session, connection)?;
            session.sql.check_cursors()?;
            let budget = session.sql.left_for_cursor(budget).await;
            let reading = ready.read(&mut session.sql, connection, budget).await?;
            let rows = query.shaped(reading.rows.rows)?;
            Ok((session.sql.keep_cursor(&rows.rows, reading.limit), rows.columns))
        })
        .await
    }

    pub(super) async fn declared_begin(&mut self, connection: &str) -> Result<TransactionId, SqlError> {
        if !self.queries.values().any(|query| query.query.connection == connection) {
            let message = format!("no query of grants.queries is on connection {}", ToldName(connection));
            return Err(SqlError::Denied(message));
        }
        let id = self.sql.open_declared(connection)?;
        self.sql.begin_declared(id).await
    }

    /// One row or nothing done: what writes is taken back where its rows are not one.
    async fn exactly_one(
        &mut self,
        ready: &Ready<'_>,
        connection: ConnectionId,
        budget: RowBudget,
    ) -> Result<RowSet, SqlError> {
        let only_reads = ready.query.words.verb == Verb::Select;
        let guard = if only_reads { None } else { Some(self.sql.begin_declared(connection).await?) };
        let found = self.one_row(ready, connection, budget).await;
        if let Some(transaction) = guard {
            let ended = self.sql.end(transaction, found.is_ok()).await;
            if found.is_ok() {
                ended?;
            }
        }
        found
    }

    async fn one_row(
        &mut self,
        ready: &Ready<'_>,
        connection: ConnectionId,
        budget: RowBudget,
    ) -> Result<RowSet, SqlError> {
        let capped = RowBudget { rows: budget.rows.min(1), bytes: budget.bytes };
        let reading = ready.read(&mut self.sql, connection, capped).await?;
        let is_second = reading.limit == Some(santokit_core::limit::LimitName::SqlRows) && budget.rows > 0;
        match (reading.rows.rows.len(), reading.limit) {
            (_, Some(_)) if is_second => {
                Err(SqlError::Other("SEVERAL_ROWS".to_owned(), "exactly one row was expected, several came".to_owned()))
            }
            (_, Some(limit)) => Err(SqlError::Limit(limit)),
            (0, None) => {
                Err(SqlError::Other("NO_ROW".to_owned(), "exactly one row was expected, none came".to_owned()))
            }
            (_, None) => ready.query.shaped(reading.rows.rows),
        }
    }

    /// Looks the query up, and sees the call from outside. What is not granted has no name there: it is the guest's own text.
    async fn declared<T>(
        &mut self,
        name: &str,
        op: &'static str,
        call: impl AsyncFnOnce(&mut Self, &LoadedQuery) -> Result<T, SqlError>,
    ) -> Result<T, SqlError> {
        let span = tracing::debug_span!("host.query", query = Empty, op, connection = Empty, outcome = Empty);
        let queries = Arc::clone(&self.queries);
        let Some((name, query)) = queries.get_key_value(name) else {
            span.record("outcome", "denied");
            return Err(SqlError::Denied(format!("grants.queries does not list {}", ToldName(name))));
        };
        span.record("query", name.as_str()).record("connection", query.query.connection.as_str());
        let started = Instant::now();
        let answer = call(self, query).instrument(span.clone()).await.map_err(in_words_of_queries);
        let outcome = outcome(&answer);
        span.record("outcome", outcome);
        self.metrics.declared_query(name, outcome, started.elapsed());
        answer
    }
}

/// All that is wrong with the params.
fn told(problem: &Problem) -> String {
    let Some(errors) = problem.details.get("errors").and_then(Json::as_array) else { return problem.message.clone() };
    let told = |error: &Json| {
        let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
        format!("param {:?}: {}", text("param"), text("message"))
    };
    errors.iter().map(told).collect::<Vec<_>>().join("; ")
}

fn in_words_of_queries(error: SqlError) -> SqlError {
    match error {
        SqlError::Denied(message) => SqlError::Denied(
            message.replace("grants.sql does not allow this", "the release does not say that it does this"),
        ),
        other => other,
    }
}

/// The value in the form of a type; none where it is of another one.
fn as_declared(kind: Type, value: Value) -> Option<Value> {
    let typed = |text: String| Some(Value::Typed(kind.as_str().to_owned(), text));
    match (kind, value) {
        (_, Value::Null) => Some(Value::Null),
        (Type::Boolean, Value::Int64(number @ (0 | 1))) => Some(Value::Boolean(number == 1)),
        (Type::Boolean, value @ Value::Boolean(_))
        | (Type::Int | Type::Bigint, value @ Value::Int64(_))
        | (Type::Float, value @ Value::Float64(_))
        | (Type::String | Type::File, value @ Value::Text(_))
        | (Type::Bytes, value @ Value::Bytes(_)) => Some(value),
        #[expect(clippy::cast_precision_loss, reason = "a float is what was asked for")]
        (Type::Float, Value::Int64(number)) => Some(Value::Float64(number as f64)),
        (Type::Decimal, Value::Int64(number)) => typed(number.to_string()),
        (Type::Decimal, Value::Float64(number)) if number.is_finite() => typed(number.to_string()),
        (Type::Decimal | Type::Timestamp, Value::Text(text)) => typed(text),
        (Type::Json | Type::Array, Value::Text(text)) => Some(Value::Typed("json".to_owned(), text)),
        (Type::Json | Type::Array, Value::Typed(name, text)) if name == "json" => Some(Value::Typed(name, text)),
        (kind, Value::Typed(name, text)) if name == kind.as_str() => Some(Value::Typed(name, text)),
        _ => None,
    }
}
