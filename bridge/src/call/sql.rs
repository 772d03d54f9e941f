//! Running a SQL logic: its statements in order, values always bound, the last one's result as the answer; and behind them, in their transaction,
//! what it publishes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use chrono::SecondsFormat;
use santokit_core::{
    code::Code,
    limit::LimitName,
    logic::{Publish, SqlBody, TransactionMode},
    param,
    problem::{Outcome, Problem},
    schema::{Schema, Type},
    sql_text,
    value::Value,
};
use santokit_sql::{
    binding::BoundStatement,
    dialect::Dialect,
    failure::FailureKind,
    statement::{self, Bound},
};
use santokit_wasm::{LogicUsage, RowBudget, SqlError};
use serde_json::{Map, Value as Json, json, value::RawValue};

use super::{CallContext, Called, CalledParts, LoadedLogicEntry};
use crate::db::{
    self, Connection, Cut, Database, DbError, JsonLimits, JsonRows, Mode, Session, Share, SqliteDatabase, Statement,
    Text,
};
use crate::events::{self, Event};
use crate::host::{Place, SqlSession};

mod publish;

/// Rows and bytes of one answer.
const ANSWER_MAX: RowBudget = RowBudget { rows: 10_000, bytes: 50_000_000 };
/// How often a logic that only reads is begun: connections that died while they rested are given up with the first.
const READS_MAX: usize = 3;

/// The statements of a SQL logic, and what it publishes.
#[derive(Debug)]
pub struct SqlCode {
    statements: Vec<Prepared>,
    publish: Vec<Publish>,
}

#[derive(Debug)]
struct Prepared {
    /// In the order of [`Dialect::ALL`]: which engine a connection has is the env's matter.
    statements: Vec<BoundStatement>,
    has_rows: bool,
}

/// One call of a logic.
struct Running<'a> {
    entry: &'a LoadedLogicEntry,
    context: &'a CallContext,
    params: &'a Map<String, Json>,
    schema: &'a Schema,
    deadline: Instant,
    /// What its answer may have.
    most: RowBudget,
    /// What was read for it.
    read: &'a Read,
}

/// Rows and bytes that were read.
#[derive(Debug, Default)]
struct Read {
    rows: AtomicU64,
    bytes: AtomicU64,
}

impl SqlCode {
    pub(super) fn new(body: &SqlBody) -> Self {
        let prepare = |text: &String| Prepared {
            statements: Dialect::ALL.iter().map(|dialect| BoundStatement::new(text, *dialect)).collect(),
            has_rows: sql_text::answers_rows(text),
        };
        Self { statements: body.statements.iter().map(prepare).collect(), publish: body.publish.clone() }
    }

    pub(super) async fn run(
        &self,
        entry: &LoadedLogicEntry,
        context: &CallContext,
        params: &Map<String, Json>,
    ) -> Outcome<Box<RawValue>> {
        let empty = Schema::default();
        let schema = context.schemas.get(&entry.logic.connection).unwrap_or(&empty);
        let timeout = context.begun_by.timeout().map_or(entry.logic.timeout, |most| most.min(entry.logic.timeout));
        let deadline = Instant::now() + timeout.duration();
        let read = Read::default();
        let running = Running { entry, context, params, schema, deadline, most: ANSWER_MAX, read: &read };
        running.admit(&self.publish).await?;
        self.run_alone(&running).await
    }

    /// For another logic: within what is left to it, and in its transaction where one is open on the database.
    pub(super) async fn run_called(
        &self,
        entry: &LoadedLogicEntry,
        context: &CallContext,
        params: &Map<String, Json>,
        Called { left, joined }: Called,
    ) -> CalledParts {
        let (logic, empty, read) = (&entry.logic, Schema::default(), Read::default());
        let schema = context.schemas.get(&logic.connection).unwrap_or(&empty);
        let deadline = Instant::now() + logic.timeout.min(left.timeout).duration();
        let most =
            RowBudget { rows: ANSWER_MAX.rows.min(left.sql_rows), bytes: ANSWER_MAX.bytes.min(left.sql_bytes.0) };
        let running = Running { entry, context, params, schema, deadline, most, read: &read };
        let (databases, schemas) = (Arc::clone(&context.databases), Arc::clone(&context.schemas));
        let nothing_granted = (Arc::default(), Arc::default());
        let mut sql =
            SqlSession::new(nothing_granted, databases, schemas, None, deadline, Arc::clone(&context.metrics));
        sql.join(joined);
        let answer = match running.admit(&self.publish).await {
            Ok(()) => self.run_placed(&running, &mut sql).await,
            Err(refused) => Err(refused),
        };
        let (ended, joined) = sql.hand_back(answer.is_ok()).await;
        let answer = answer.and_then(|answer| ended.map(|()| answer).map_err(no_place));
        let usage = LogicUsage {
            sql_rows: read.rows.load(Ordering::Relaxed),
            sql_bytes: read.bytes.load(Ordering::Relaxed),
            ..LogicUsage::default()
        };
        CalledParts { answer, usage, joined }
    }

    /// In its caller's transaction where one is open on the database, else in its own.
    async fn run_placed(&self, running: &Running<'_>, sql: &mut SqlSession) -> Outcome<Box<RawValue>> {
        let deadline = running.deadline;
        match sql.place(&running.entry.logic.connection, None).await.map_err(no_place)? {
            Place::Alone => self.run_alone(running).await,
            Place::Lent(mut lent, ends) => {
                let running = Running { deadline: deadline.min(ends), ..*running };
                let answer = self.run_in(&running, lent.session()).await;
                lent.end();
                answer
            }
            Place::OnServer(own) => {
                let running = Running { deadline: deadline.min(own.deadline), ..*running };
                self.run_in(&running, &mut own.session).await
            }
        }
    }

    async fn run_alone(&self, running: &Running<'_>) -> Outcome<Box<RawValue>> {
        let away = || Problem::new(Code::ServiceUnavailable, "the database of this logic is not available");
        let database = running.context.databases.get(&running.entry.logic.connection).ok_or_else(away)?;
        match database.sqlite() {
            Ok(sqlite) => self.run_on_sqlite(running, sqlite).await,
            Err(_) => self.run_on_server(running, database).await,
        }
    }

    /// In a transaction that is open.
    async fn run_in(&self, running: &Running<'_>, session: &mut Session) -> Outcome<Box<RawValue>> {
        let mut answer = Box::<RawValue>::default();
        for prepared in &self.statements {
            let started = Instant::now();
            let ran = prepared.run_on_server(session, running, prepared.of(session.dialect())?).await;
            running.context.metrics.query(&running.entry.logic.connection, started.elapsed());
            answer = ran.map_err(|failed| match failed {
                Failed::Database(error) => caller_problem(error),
                Failed::Problem(problem) => problem,
            })?;
        }
        // The caller's end decides whether they come.
        let events = self.store(session, running, &answer).await?;
        running.announce(&events);
        Ok(answer)
    }

    async fn run_on_sqlite(&self, running: &Running<'_>, database: &SqliteDatabase) -> Outcome<Box<RawValue>> {
        let Running { entry, context, deadline, .. } = *running;
        let logic = &entry.logic;
        let in_transaction = self.is_whole(running);
        let mut connection = take(database, self.is_read_only(running, Dialect::Sqlite), deadline).await?;
        if in_transaction {
            command(&mut connection, "BEGIN IMMEDIATE", deadline).await?;
        }
        let mut answer = Json::Null;
        for prepared in &self.statements {
            let bound = prepared.of(Dialect::Sqlite)?;
            let values: Vec<Value> = running.bind(bound)?.into_iter().map(|bound| bound.value).collect();
            let statement = Statement { sql: &bound.sql, values: &values, access: None, deadline };
            let started = Instant::now();
            answer = prepared.run(&statement, &mut connection, running).await?;
            context.metrics.query(&logic.connection, started.elapsed());
        }
        let last = answer.as_array().and_then(|rows| rows.last()).and_then(Json::as_object);
        let events = running.events(&self.publish, last)?;
        for statement in events::inserts(&events, Dialect::Sqlite)? {
            keep(&mut connection, statement, deadline).await?;
        }
        if let Some(row) = running.acknowledgement() {
            running.tell();
            keep(&mut connection, row.insert(Dialect::Sqlite)?, deadline).await?;
        }
        if in_transaction {
            command(&mut connection, "COMMIT", deadline).await?;
        }
        connection.give_back();
        running.announce(&events);
        serde_json::value::to_raw_value(&answer).map_err(Problem::internal)
    }

    async fn run_on_server(&self, running: &Running<'_>, database: &Database) -> Outcome<Box<RawValue>> {
        let Running { entry, context, deadline, .. } = *running;
        let logic = &entry.logic;
        let dialect = database.dialect();
        let is_read_only = self.is_read_only(running, dialect);
        let mode = if is_read_only { Mode::Read } else { Mode::Write };
        let (acknowledgement, in_transaction) = (running.acknowledgement(), self.is_whole(running));
        // What only reads and finds its connection dead is done again; each time on another connection.
        for _ in 0..READS_MAX {
            let session = if in_transaction {
                database.begin(mode, Share::Platform, deadline).await
            } else {
                database.session(mode, Share::Platform, deadline).await
            };
            let mut session = session.map_err(caller_problem)?;
            let mut answer = Ok(Box::<RawValue>::default());
            for prepared in &self.statements {
                let started = Instant::now();
                let bound = prepared.of(dialect)?;
                answer = prepared.run_on_server(&mut session, running, bound).await;
                context.metrics.query(&logic.connection, started.elapsed());
                if answer.is_err() {
                    break;
                }
            }
            let events = match &answer {
                Ok(answer) => self.store(&mut session, running, answer).await?,
                Err(_) => Vec::new(),
            };
            if let Some(row) = acknowledgement.as_ref().filter(|_| answer.is_ok()) {
                running.tell();
                session.execute(&row.insert(dialect)?, deadline).await.map_err(caller_problem)?;
            }
            if in_transaction && answer.is_ok() {
                session.commit(deadline).await.map_err(caller_problem)?;
            }
            match answer {
                Err(Failed::Database(error)) if is_read_only && error.kind == FailureKind::Lost => {}
                Err(Failed::Database(error)) => return Err(caller_problem(error)),
                Err(Failed::Problem(problem)) => return Err(problem),
                Ok(answer) => {
                    running.announce(&events);
                    return Ok(answer);
                }
            }
        }
        Err(Problem::new(Code::ServiceUnavailable, "the database is not available now").hint("try again"))
    }

    fn is_read_only(&self, running: &Running<'_>, dialect: Dialect) -> bool {
        let only_reads = |prepared: &Prepared| prepared.of(dialect).is_ok_and(|bound| bound.is_read_only);
        !self.is_whole(running) && self.statements.iter().all(only_reads)
    }

    /// Whether all that it does is one transaction: it says so, it publishes, or it says that an event is handled.
    fn is_whole(&self, running: &Running<'_>) -> bool {
        running.entry.logic.transaction == TransactionMode::Required
            || !self.publish.is_empty()
            || running.acknowledgement().is_some()
    }
}

/// Why a statement gave no answer.
enum Failed {
    Database(DbError),
    Problem(Box<Problem>),
}

impl Prepared {
    fn of(&self, dialect: Dialect) -> Outcome<&BoundStatement> {
        let index = Dialect::ALL.iter().position(|known| *known == dialect);
        let bound = index.and_then(|index| self.statements.get(index));
        bound.ok_or_else(|| Problem::internal("a dialect without a statement"))
    }

    async fn run(
        &self,
        statement: &Statement<'_>,
        connection: &mut Connection,
        running: &Running<'_>,
    ) -> Outcome<Json> {
        if !self.has_rows {
            let affected = statement.run(connection).await.map_err(caller_problem)?;
            return Ok(json!({ "affected": affected }));
        }
        let reading = statement.read(connection, running.schema, running.most).await.map_err(caller_problem)?;
        running.read.count(&reading.rows.rows);
        match reading.limit {
            Some(limit) => Err(too_large(limit)),
            None => Ok(db::json_rows(reading.rows)),
        }
    }

    async fn run_on_server(
        &self,
        session: &mut Session,
        running: &Running<'_>,
        bound: &BoundStatement,
    ) -> Result<Box<RawValue>, Failed> {
        let params = running.bind(bound).map_err(Failed::Problem)?;
        let text = Text {
            sql: &bound.sql,
            params: &params,
            schema: running.schema,
            may_change_session: bound.may_change_session,
        };
        if !self.has_rows {
            let done = session.text_execute(text, running.deadline).await.map_err(Failed::Database)?;
            let answer = serde_json::value::to_raw_value(&json!({ "affected": done.affected }));
            return answer.map_err(|error| Failed::Problem(Problem::internal(error)));
        }
        let JsonRows { bytes, rows, cut } =
            session.text_json(text, running.json_max(), running.deadline).await.map_err(Failed::Database)?;
        if let Some(cut) = cut {
            let limit = if cut == Cut::Rows { LimitName::SqlRows } else { LimitName::SqlBytes };
            return Err(Failed::Problem(too_large(limit)));
        }
        running.read.add(rows, bytes.len() as u64);
        let answer = String::from_utf8(bytes)
            .map_err(Problem::internal)
            .and_then(|text| RawValue::from_string(text).map_err(Problem::internal));
        answer.map_err(Failed::Problem)
    }
}

impl Read {
    fn count(&self, rows: &[Vec<Value>]) {
        self.add(rows.len() as u64, rows.iter().flatten().map(|value| value.size_bytes() as u64).sum());
    }

    fn add(&self, rows: u64, bytes: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Running<'_> {
    /// What says that the event is handled for which it runs, if it is on the event's database.
    fn acknowledgement(&self) -> Option<Event> {
        let CallContext { begun_by, depth, project, env, release_id, .. } = self.context;
        let occasion = begun_by.occasion().filter(|_| *depth == 0)?;
        let of = occasion.acknowledgement.as_ref().filter(|of| of.connection == self.entry.logic.connection)?;
        Some(of.row((project, env, release_id), self.entry.name(), &occasion.info, self.context.now()))
    }

    fn tell(&self) {
        if let Some(occasion) = self.context.begun_by.occasion() {
            occasion.tell();
        }
    }

    fn json_max(&self) -> JsonLimits {
        JsonLimits { rows: self.most.rows, bytes: usize::try_from(self.most.bytes).unwrap_or(usize::MAX) }
    }

    fn bind(&self, statement: &BoundStatement) -> Outcome<Vec<Bound>> {
        statement.names.iter().map(|name| self.value(name)).collect()
    }

    fn value(&self, name: &str) -> Outcome<Bound> {
        let context = self.context;
        if let Some(bound) = events::variable(context.begun_by.occasion().map(Arc::as_ref), name) {
            return Ok(bound);
        }
        let bound = |kind: Type, value: Value| Bound { kind, value };
        Ok(match name {
            "auth.sub" => bound(Type::String, context.actor.subject.clone().map_or(Value::Null, Value::Text)),
            "auth.roles" => bound(Type::Json, Value::Typed("json".to_owned(), json!(context.actor.roles).to_string())),
            "now" => {
                let now = context.now().to_rfc3339_opts(SecondsFormat::Micros, true);
                bound(Type::Timestamp, Value::Typed("timestamp".to_owned(), now))
            }
            "env" => bound(Type::String, Value::Text(context.env.clone())),
            name => match self.entry.logic.params.iter().find(|param| param.name == name) {
                Some(param) => {
                    bound(param.kind, param::to_value(param, self.params.get(name)).map_err(Problem::internal)?)
                }
                None => return Err(Problem::internal(format!("placeholder :{name} is not declared"))),
            },
        })
    }
}

fn too_large(limit: LimitName) -> Box<Problem> {
    Problem::limit(Code::BadRequest, limit.as_str(), "the answer is too large")
        .hint("ask for less, for example with a limit")
}

/// Why a transaction cannot be had in common.
fn no_place(error: SqlError) -> Box<Problem> {
    let message = match error {
        SqlError::Invalid(message) => message,
        other => {
            return Problem::new(Code::ServiceUnavailable, "the transaction cannot be used now").because(other.shown());
        }
    };
    Problem::new(Code::BadRequest, message)
}

async fn take(database: &SqliteDatabase, is_read_only: bool, deadline: Instant) -> Outcome<Connection> {
    let taking = async { if is_read_only { database.reader(Share::Platform).await } else { database.writer().await } };
    match tokio::time::timeout_at(deadline.into(), taking).await {
        Ok(taken) => taken.map_err(caller_problem),
        Err(_) => Err(timeout()),
    }
}

async fn command(connection: &mut Connection, sql: &str, deadline: Instant) -> Outcome<()> {
    Statement { sql, values: &[], access: None, deadline }.run(connection).await.map(drop).map_err(caller_problem)
}

/// Runs a statement of the platform's.
async fn keep(connection: &mut Connection, statement: statement::Statement, deadline: Instant) -> Outcome<()> {
    let values: Vec<Value> = statement.params.into_iter().map(|bound| bound.value).collect();
    let statement = Statement { sql: &statement.sql, values: &values, access: None, deadline };
    statement.run(connection).await.map(drop).map_err(caller_problem)
}

fn timeout() -> Box<Problem> {
    Problem::limit(Code::LogicFailed, LimitName::Timeout.as_str(), "the logic ran into its time limit")
}

/// What a caller is told. The time of a logic is its own limit.
fn caller_problem(error: DbError) -> Box<Problem> {
    match error.kind {
        FailureKind::Interrupted => timeout().because(error),
        _ => error.problem(),
    }
}
