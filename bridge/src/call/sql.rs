//! Running a SQL logic: its statements in order, values always bound, the last one's result as the answer.

use std::time::{Duration, Instant};

use chrono::{SecondsFormat, Utc};
use santokit_core::{
    code::Code,
    limit::LimitName,
    logic::{SqlBody, TransactionMode},
    param,
    problem::{Outcome, Problem},
    schema::Schema,
    sql_text::{self, Piece},
    value::Value,
};
use santokit_sql::{binding::BoundStatement, failure::FailureKind};
use santokit_wasm::RowBudget;
use serde_json::{Map, Value as Json, json, value::RawValue};

use super::{CallContext, LoadedLogicEntry};
use crate::db::{self, Connection, Database, DbError, Statement};

/// Rows and bytes of one answer.
const ANSWER_MAX: RowBudget = RowBudget { rows: 10_000, bytes: 50_000_000 };

/// The statements of a SQL logic.
#[derive(Debug)]
pub struct SqlCode {
    statements: Vec<Prepared>,
}

#[derive(Debug)]
struct Prepared {
    statement: BoundStatement,
    has_rows: bool,
}

impl SqlCode {
    pub(super) fn new(body: &SqlBody) -> Self {
        let prepare = |text: &String| Prepared { statement: BoundStatement::sqlite(text), has_rows: has_rows(text) };
        Self { statements: body.statements.iter().map(prepare).collect() }
    }

    pub(super) async fn run(
        &self,
        entry: &LoadedLogicEntry,
        context: &CallContext,
        params: &Map<String, Json>,
    ) -> Outcome<Box<RawValue>> {
        let logic = &entry.logic;
        let away = || Problem::new(Code::ServiceUnavailable, "the database of this logic is not available");
        let database = context.databases.get(&logic.connection).ok_or_else(away)?;
        let empty = Schema::default();
        let schema = context.schemas.get(&logic.connection).unwrap_or(&empty);
        let deadline = Instant::now() + logic.timeout.duration();
        let in_transaction = logic.transaction == TransactionMode::Required;
        let is_read_only = !in_transaction && self.statements.iter().all(|prepared| prepared.statement.is_read_only);
        let mut connection = take(database, is_read_only, logic.timeout.duration()).await?;
        if in_transaction {
            command(&mut connection, "BEGIN IMMEDIATE", deadline).await?;
        }
        let mut answer = Json::Null;
        for prepared in &self.statements {
            let values = bind(&prepared.statement, entry, context, params)?;
            let statement = Statement { sql: &prepared.statement.sql, values: &values, access: None, deadline };
            let started = Instant::now();
            answer = prepared.run(&statement, &mut connection, schema).await?;
            context.metrics.query(&logic.connection, started.elapsed());
        }
        if in_transaction {
            command(&mut connection, "COMMIT", deadline).await?;
        }
        serde_json::value::to_raw_value(&answer).map_err(Problem::internal)
    }
}

impl Prepared {
    async fn run(&self, statement: &Statement<'_>, connection: &mut Connection, schema: &Schema) -> Outcome<Json> {
        if !self.has_rows {
            let affected = statement.run(connection).await.map_err(caller_problem)?;
            return Ok(json!({ "affected": affected }));
        }
        let reading = statement.read(connection, schema, ANSWER_MAX).await.map_err(caller_problem)?;
        match reading.limit {
            Some(limit) => Err(Problem::limit(Code::BadRequest, limit.as_str(), "the answer is too large")
                .hint("ask for less, for example with a limit")),
            None => Ok(db::json_rows(reading.rows)),
        }
    }
}

async fn take(database: &Database, is_read_only: bool, at_most: Duration) -> Outcome<Connection> {
    let taking = async { if is_read_only { database.reader().await } else { database.writer().await } };
    match tokio::time::timeout(at_most, taking).await {
        Ok(taken) => taken.map_err(caller_problem),
        Err(_) => Err(timeout()),
    }
}

async fn command(connection: &mut Connection, sql: &str, deadline: Instant) -> Outcome<()> {
    Statement { sql, values: &[], access: None, deadline }.run(connection).await.map(drop).map_err(caller_problem)
}

fn bind(
    statement: &BoundStatement,
    entry: &LoadedLogicEntry,
    context: &CallContext,
    params: &Map<String, Json>,
) -> Outcome<Vec<Value>> {
    statement.names.iter().map(|name| value(name, entry, context, params)).collect()
}

fn value(name: &str, entry: &LoadedLogicEntry, context: &CallContext, params: &Map<String, Json>) -> Outcome<Value> {
    Ok(match name {
        "auth.sub" => context.actor.subject.clone().map_or(Value::Null, Value::Text),
        "auth.roles" => Value::Typed("json".to_owned(), json!(context.actor.roles).to_string()),
        "now" => Value::Typed("timestamp".to_owned(), Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true)),
        "env" => Value::Text(context.env.clone()),
        name => match entry.logic.params.iter().find(|param| param.name == name) {
            Some(param) => param::to_value(param, params.get(name)).map_err(Problem::internal)?,
            None => return Err(Problem::internal(format!("placeholder :{name} is not declared"))),
        },
    })
}

fn has_rows(text: &str) -> bool {
    let returns =
        |piece: &Piece<'_>| matches!(piece, Piece::Word { text, .. } if text.eq_ignore_ascii_case("returning"));
    sql_text::is_read_only(text) || sql_text::pieces(text).iter().any(returns)
}

fn timeout() -> Box<Problem> {
    Problem::limit(Code::LogicFailed, LimitName::Timeout.as_str(), "the logic ran into its time limit")
}

/// What a caller is told: nothing of the database's words.
fn caller_problem(error: DbError) -> Box<Problem> {
    let problem = match error.kind {
        FailureKind::Unique => Problem::new(Code::Conflict, "a value that must be unique is already taken"),
        FailureKind::ForeignKey => Problem::new(Code::Conflict, "a row that is referred to is missing or still in use"),
        FailureKind::NotNull => Problem::new(Code::BadRequest, "a required value is missing"),
        FailureKind::Check => Problem::new(Code::BadRequest, "a value is not acceptable"),
        FailureKind::Interrupted => timeout(),
        FailureKind::Busy | FailureKind::Unavailable => {
            Problem::new(Code::ServiceUnavailable, "the database is not available now").hint("try again")
        }
        FailureKind::NotAuthorized | FailureKind::ReadOnly | FailureKind::Statement => {
            Problem::new(Code::InternalError, "internal error")
        }
    };
    problem.because(error)
}
