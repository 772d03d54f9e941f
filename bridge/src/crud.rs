//! Requests to tables: what a caller sends becomes a plan, the plan statements, and the rows an answer.
//!
//! Everything up to [`execute`] and [`write`] is pure. A name that a caller may not use is answered as one that does not exist; every plan
//! has what the rule asks beside what the caller asks, at every table that it touches.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use santokit_core::{
    access::{
        Actor, ActorKind, Permissions,
        table::{TableRules, Verb},
    },
    code::Code,
    name,
    problem::{Outcome, Problem},
    schema::{Schema, relation::Relations},
};
use santokit_sql::failure::FailureKind;
use serde_json::{Map, Value as Json};

use crate::{
    db::{Database, DbError, Mode, Session, Share},
    events::{Publishing, trigger::Firing},
    host::GuestObjects,
    metrics::Metrics,
};

pub mod access;
pub mod aggregate;
pub mod answer;
pub mod batch;
pub mod cursor;
pub mod delete;
pub mod execute;
pub mod expand;
pub mod expired;
pub mod filter;
pub mod findings;
mod fire;
pub mod guest;
pub mod idempotency;
pub mod insert;
pub mod limits;
pub mod names;
pub mod objects;
pub mod request;
pub mod select;
pub mod update;
pub mod value;
pub mod write;

use answer::{Answer, Returning};
use batch::{Earlier, Step};
use execute::Runner;
use findings::{Findings, Place};
use idempotency::{Known, Remembered};
use limits::{Allowance, CrudLimits};
use names::{Entry, Readable, Tables};
use request::Request;

/// What requests to tables share: who asks, what is there, and within which bounds.
#[derive(Clone, Debug)]
pub struct Crud<'c> {
    /// Of the generation.
    pub tables: &'c Tables,
    /// By the connection's name.
    pub databases: &'c BTreeMap<String, Arc<Database>>,
    /// Whose data it is.
    pub env: (&'c str, &'c str),
    /// Who asks.
    pub actor: &'c Actor,
    /// The moment that rules and defaults see.
    pub now: DateTime<Utc>,
    /// Of this Bridge.
    pub limits: &'c CrudLimits,
    /// Bytes that an answer may have.
    pub bytes_max: usize,
    /// For all statements of a request.
    pub query_timeout: Duration,
    /// Where a guest asks: what its invocation has left.
    pub allowance: Option<Allowance>,
    /// The numbers.
    pub metrics: &'c Metrics,
    /// For the log.
    pub request_id: &'c str,
    /// Where a guest asks: which objects it may put.
    pub objects: Option<GuestObjects<'c>>,
    /// What its events are caused by, and whether there are any.
    pub events: Publishing,
}

/// A request that was understood and that is allowed.
#[derive(Clone, Debug, PartialEq)]
pub enum Planned {
    /// Reads.
    Select(select::Selection),
    /// Adds.
    Insert(Box<insert::Insertion>),
    /// Changes.
    Update(Box<update::Change>),
    /// Removes.
    Delete(Box<delete::Removal>),
}

/// The tables of all connections of a release, with their rules. The error is for operators.
pub fn tables(connections: &BTreeMap<String, Schema>, permissions: &Permissions) -> Result<Tables, String> {
    let mut entries = Vec::new();
    for (connection, schema) in connections {
        let relations = Relations::of(schema);
        let mut rules = TableRules::compile_all(schema, permissions).map_err(|error| error.to_string())?;
        for (name, table) in &schema.tables {
            let rules = rules.remove(name).unwrap_or_default();
            let own = relations.of_table(name).cloned();
            let entry = Entry::new(name, connection, table, own, rules);
            entries.push(entry.map_err(|error| format!("table {name:?}: {error}"))?);
        }
    }
    Ok(Tables::new(entries))
}

/// What stands around the data of an answer.
const ENVELOPE_BYTES: usize = 64;

/// What `db/{table}/{verb}` names.
pub fn table_path(path: &str) -> Option<(&str, Verb)> {
    let (table, verb) = path.strip_prefix("db/")?.split_once('/')?;
    let verb = Verb::ALL.iter().copied().find(|known| known.as_str() == verb)?;
    Some((table, verb))
}

impl<'c> Crud<'c> {
    /// Answers `db/{table}/{verb}`. `key` is an `Idempotency-Key`, which writes heed.
    pub async fn call(
        &self,
        table: &str,
        verb: Verb,
        params: &Map<String, Json>,
        key: Option<&str>,
    ) -> Outcome<Answer> {
        let (entry, planned) = self.plan(table, verb, params)?;
        let remembered = match key {
            Some(key) if verb != Verb::Select => {
                let path = format!("db/{table}/{}", verb.as_str());
                Some(Remembered::new(self.env, self.actor, &path, key, params)?)
            }
            _ => None,
        };
        self.run(entry, verb, &planned, remembered.as_ref()).await
    }

    /// Runs what was planned, on a connection of its own.
    async fn run(
        &self,
        entry: &Entry,
        verb: Verb,
        planned: &Planned,
        remembered: Option<&Remembered>,
    ) -> Outcome<Answer> {
        let database = self.database(&entry.connection)?;
        let deadline = self.deadline();
        let answered = match planned {
            Planned::Select(_) => self.read(database, (entry, planned), deadline).await,
            planned => self.write(database, (entry, planned), remembered, deadline).await,
        };
        answered.map_err(|problem| self.refused(problem, entry, verb))
    }

    /// Answers `batch`: all calls in one transaction, in order.
    pub async fn batch(&self, params: &Map<String, Json>, key: Option<&str>) -> Outcome<Answer> {
        let (connection, calls) = self.read_batch(params)?;
        let remembered = key.map(|key| Remembered::new(self.env, self.actor, "batch", key, params)).transpose()?;
        self.run_batch(connection, &calls, remembered.as_ref()).await
    }

    /// The calls of a batch. The first one says which database, and whether there is anything for this caller at all.
    fn read_batch(&self, params: &Map<String, Json>) -> Outcome<(&'c str, Vec<TableCall>)> {
        let calls = calls(batch::read(params, self.limits)?)?;
        let first = Earlier::default().resolve(&calls[0].params).map_err(|problem| batch::failed(0, problem))?;
        let planned = self.plan(&calls[0].table, calls[0].verb, &first);
        let (entry, _) = planned.map_err(|problem| batch::failed(0, problem))?;
        Ok((entry.connection.as_str(), calls))
    }

    /// Runs a batch in a transaction of its own.
    async fn run_batch(
        &self,
        connection: &str,
        calls: &[TableCall],
        remembered: Option<&Remembered>,
    ) -> Outcome<Answer> {
        let database = self.database(connection)?;
        let deadline = self.deadline();
        let is_reading = remembered.is_none() && calls.iter().all(|call| call.verb == Verb::Select);
        let mode = if is_reading { Mode::Read } else { Mode::Write };
        let mut session = database.begin(mode, self.share(), deadline).await.map_err(DbError::problem)?;
        let mut runner = self.runner(&mut session, connection, deadline);
        if let Some(remembered) = remembered
            && let Known::Answered(answer) = runner.remember(remembered, self.now).await?
        {
            return Ok(Answer { is_replayed: true, ..answer });
        }
        let answer = self.run_calls(&mut runner, calls, connection).await?;
        self.end(session, database, remembered, answer, deadline).await
    }

    /// What a request means, and that it is allowed. Pure.
    pub fn plan(&self, table: &str, verb: Verb, params: &Map<String, Json>) -> Outcome<(&'c Entry, Planned)> {
        let Some(entry) = self.tables.get(table) else { return Err(self.missing_table(table, verb, None)) };
        let mut request = Request {
            tables: self.tables,
            actor: self.actor,
            params,
            now: self.now,
            limits: self.limits,
            objects: self.objects,
            findings: Findings::default(),
        };
        let span = tracing::debug_span!("permission", allowed = tracing::field::Empty);
        let grant = span.in_scope(|| access::ask(&entry.rules, verb, &request));
        span.record("allowed", grant.is_ok());
        let grant = grant.map_err(|reason| self.missing_table(table, verb, Some(reason)))?;
        let planned = match verb {
            Verb::Select => Planned::Select(select::read(&mut request, &Readable::granted(entry, grant))),
            Verb::Insert => Planned::Insert(Box::new(insert::read(&mut request, entry, &grant))),
            Verb::Update => Planned::Update(Box::new(update::read(&mut request, entry, &grant))),
            Verb::Delete => Planned::Delete(Box::new(delete::read(&mut request, entry, &grant))),
        };
        request.findings.check().map_err(|problem| self.refused(problem, entry, verb))?;
        Ok((entry, planned))
    }

    /// The answer where there is no such table, and the same where this caller may not know of it.
    fn missing_table(&self, sent: &str, verb: Verb, denied: Option<String>) -> Box<Problem> {
        if let Some(reason) = &denied {
            self.metrics.denied(sent, verb.as_str());
            tracing::info!(table = sent, op = verb.as_str(), requestId = self.request_id, reason, "denied");
        }
        let unknown = || Problem::new(Code::NotFound, "there is no such table");
        match (self.actor.kind, denied) {
            (ActorKind::Anonymous, _) => Problem::new(Code::Unauthorized, "this needs a credential"),
            // A logic may hand its answer on to whoever called it.
            (ActorKind::User | ActorKind::Service, _) => unknown(),
            (_, Some(reason)) => Problem::new(Code::Forbidden, reason),
            (_, None) => match name::nearest(&findings::shown(sent), self.tables.names()) {
                Some(near) => unknown().hint(format!("did you mean {near}?")),
                None => unknown(),
            },
        }
    }

    /// Notes what a rule has refused. Without a credential the answer is that one is needed.
    fn refused(&self, problem: Box<Problem>, entry: &Entry, verb: Verb) -> Box<Problem> {
        if problem.code != Code::Forbidden {
            return problem;
        }
        self.metrics.denied(&entry.name, verb.as_str());
        tracing::info!(table = entry.name, op = verb.as_str(), requestId = self.request_id, "denied");
        match self.actor.kind {
            ActorKind::Anonymous => Problem::new(Code::Unauthorized, "this needs a credential"),
            _ => problem,
        }
    }

    fn database(&self, connection: &str) -> Outcome<&'c Database> {
        let away = || Problem::new(Code::ServiceUnavailable, "the database of this table is not available");
        self.databases.get(connection).map(Arc::as_ref).ok_or_else(away)
    }

    pub(crate) fn runner<'r>(&'r self, session: &'r mut Session, connection: &'r str, deadline: Instant) -> Runner<'r> {
        let left = self.allowance.map_or(usize::MAX, |left| usize::try_from(left.bytes).unwrap_or(usize::MAX));
        Runner {
            session,
            deadline,
            limits: self.limits,
            bytes_max: self.bytes_max.saturating_sub(ENVELOPE_BYTES).min(left),
            metrics: self.metrics,
            connection,
            rows_left: self.limits.result_rows,
            allowance: self.allowance,
            crud: self,
        }
    }

    fn deadline(&self) -> Instant {
        let own = Instant::now() + self.query_timeout;
        self.allowance.map_or(own, |left| own.min(left.deadline))
    }

    /// Guests' work cannot take all connections, whoever they ask for.
    fn share(&self) -> Share {
        if self.allowance.is_some() { Share::Guest } else { Share::Platform }
    }

    /// Reading changes nothing: what a dead connection did not answer is asked once more.
    async fn read(
        &self,
        database: &Database,
        (entry, planned): (&Entry, &Planned),
        deadline: Instant,
    ) -> Outcome<Answer> {
        let mut is_again = false;
        loop {
            let session = database.session(Mode::Read, self.share(), deadline).await;
            let mut session = session.map_err(DbError::problem)?;
            match self.runner(&mut session, database.name(), deadline).run(entry, planned).await {
                Err(problem) if !is_again && is_lost(&problem) => is_again = true,
                answered => {
                    session.end();
                    return answered;
                }
            }
        }
    }

    async fn write(
        &self,
        database: &Database,
        (entry, planned): (&Entry, &Planned),
        remembered: Option<&Remembered>,
        deadline: Instant,
    ) -> Outcome<Answer> {
        // Rows that are more than an invocation may read, or an answer may have, must not be stored by then.
        let is_whole = planned.answers_rows() && (self.allowance.is_some() || planned.may_exceed(self.bytes_max));
        let is_alone = planned.fired(entry).is_none() && planned.objects(entry, self.tables).is_none();
        let is_several = is_whole || planned.is_several(database) || !is_alone;
        if remembered.is_none() && !is_several {
            let session = database.session(Mode::Write, self.share(), deadline).await;
            let mut session = session.map_err(DbError::problem)?;
            let answered = self.runner(&mut session, database.name(), deadline).run(entry, planned).await;
            session.end();
            return answered;
        }
        let mut session = database.begin(Mode::Write, self.share(), deadline).await.map_err(DbError::problem)?;
        let mut runner = self.runner(&mut session, database.name(), deadline);
        if let Some(remembered) = remembered
            && let Known::Answered(answer) = runner.remember(remembered, self.now).await?
        {
            return Ok(Answer { is_replayed: true, ..answer });
        }
        let answer = runner.run(entry, planned).await?;
        self.end(session, database, remembered, answer, deadline).await
    }

    /// Stores it all. What was an error before this has left the transaction open, and dropping the session rolls it back.
    pub(crate) async fn end(
        &self,
        mut session: Session,
        database: &Database,
        remembered: Option<&Remembered>,
        answer: Answer,
        deadline: Instant,
    ) -> Outcome<Answer> {
        if let Some(remembered) = remembered {
            self.runner(&mut session, database.name(), deadline).keep(remembered, &answer).await?;
        }
        session.commit(deadline).await.map_err(DbError::problem)?;
        if let Some(remembered) = remembered {
            self.runner(&mut session, database.name(), deadline).sweep(remembered, self.now).await;
        }
        session.end();
        Ok(answer)
    }

    async fn run_calls(&self, runner: &mut Runner<'_>, calls: &[TableCall], connection: &str) -> Outcome<Answer> {
        let mut earlier = Earlier::default();
        let is_referred_to = calls.iter().any(|call| batch::has_references(&call.params));
        let (mut out, mut rows) = (vec![b'['], 0);
        for (index, TableCall { table, verb, params }) in calls.iter().enumerate() {
            let failed = |problem| batch::failed(index, problem);
            let params = earlier.resolve(params).map_err(failed)?;
            let (entry, planned) = self.plan(table, *verb, &params).map_err(failed)?;
            if entry.connection != connection {
                return Err(failed(Problem::new(Code::BadRequest, "is in another database than the calls before it")));
            }
            let answer = runner.run(entry, &planned).await;
            let answer = answer.map_err(|problem| failed(self.refused(problem, entry, *verb)))?;
            rows += answer.rows;
            if index > 0 {
                out.push(b',');
            }
            let start = out.len();
            answer.write(&mut out).map_err(Problem::internal)?;
            if is_referred_to {
                earlier.keep(&out[start..]).map_err(Problem::internal)?;
            }
            // With what ends the list.
            if out.len() >= runner.bytes_max {
                return Err(failed(runner.whose_limit(execute::too_large())));
            }
        }
        out.push(b']');
        Ok(Answer { rows, ..Answer::of(out) })
    }
}

impl Planned {
    /// Whether it needs a transaction of its own: several statements, or an answer that may end it.
    fn is_several(&self, database: &Database) -> bool {
        match self {
            Planned::Select(_) => false,
            Planned::Insert(insertion) => insertion.is_several(database.dialect()),
            Planned::Update(change) => !change.update.check.is_always() || change.returning != Returning::Affected,
            Planned::Delete(removal) => removal.returning != Returning::Affected,
        }
    }

    /// What it publishes of the rows that it writes.
    pub fn fired<'e>(&self, entry: &'e Entry) -> Option<Firing<'e>> {
        let (verb, conflict) = match self {
            Planned::Select(_) => return None,
            Planned::Insert(insertion) => (Verb::Insert, insertion.insert.conflict.as_ref()),
            Planned::Update(_) => (Verb::Update, None),
            Planned::Delete(_) => (Verb::Delete, None),
        };
        entry.triggers.fired(entry.key(), verb, conflict)
    }

    /// Whether the answer may turn out to be larger than it may be. The others are in a transaction in any case.
    fn may_exceed(&self, bytes_max: usize) -> bool {
        matches!(self, Planned::Insert(insertion) if insertion.answer_bytes_max() + ENVELOPE_BYTES > bytes_max)
    }

    fn answers_rows(&self) -> bool {
        match self {
            Planned::Select(_) => true,
            Planned::Insert(insertion) => insertion.returning != Returning::Affected,
            Planned::Update(change) => change.returning != Returning::Affected,
            Planned::Delete(removal) => removal.returning != Returning::Affected,
        }
    }
}

/// A call of a batch, with what it names.
#[derive(Debug)]
pub struct TableCall {
    table: String,
    verb: Verb,
    params: Map<String, Json>,
}

/// The calls of a batch; every path must be that of a call of a table.
fn calls(steps: Vec<Step>) -> Outcome<Vec<TableCall>> {
    let mut findings = Findings::default();
    let place = Place::Params.field("calls");
    let mut calls = Vec::new();
    for (index, Step { path, params }) in steps.into_iter().enumerate() {
        if let Some((table, verb)) = table_path(&path) {
            calls.push(TableCall { table: table.to_owned(), verb, params });
        } else {
            let hint = "calls of a batch are db/{table}/{select|insert|update|delete}";
            findings.hinted(place.element(index).field("path"), "is no call of a table", hint);
        }
    }
    findings.check()?;
    Ok(calls)
}

fn is_lost(problem: &Problem) -> bool {
    let cause = problem.cause.as_ref().and_then(|cause| cause.downcast_ref::<DbError>());
    cause.is_some_and(|error| error.kind == FailureKind::Lost)
}
