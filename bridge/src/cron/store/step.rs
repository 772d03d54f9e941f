//! One transaction on a job's row, which it locks; and the statements of it.

use std::time::Instant;

use chrono::{DateTime, Utc};
use santokit_core::{access::predicate::Predicate, id::Kind, value::Value};
use santokit_sql::{
    dialect::Dialect,
    failure::FailureKind,
    plan::{Cell, Column, Comparison, Condition, Conflict, Insert, OnConflict, Select, Source, Target, Update},
    render::{self, RenderError},
    schema::bookkeeping::{
        Own,
        cron::{JOBS, RUNS, jobs, runs},
    },
    statement::Statement,
};

use super::{
    super::{
        LoadedJob,
        decide::{Cause, KEPT_MAX, Missed, State, expires_at},
        key,
    },
    Claim, Ended, OPENED, Place, RESUMED, STEP_MAX, StoreError,
};
use crate::{
    crud::value::moment,
    db::{Database, Mode, Session, Share},
};

/// Characters of an error that are kept.
const ERROR_CHARS_MAX: usize = 1_000;

/// So often a job's row may turn out to be made by somebody else.
const MADE_MAX: usize = 3;

/// A transaction on a job's row.
pub(super) struct Step {
    session: Session,
    deadline: Instant,
    /// Whether the row is new, which must be kept whatever else is done.
    pub(super) is_made: bool,
}

impl Step {
    pub(super) async fn begin(database: &Database) -> Result<Self, StoreError> {
        let deadline = Instant::now() + STEP_MAX;
        let session = database.begin(Mode::Write, Share::Platform, deadline).await?;
        Ok(Self { session, deadline, is_made: false })
    }

    /// With the job's row, locked. Who makes that at the same time has made it by the time that is known here: a look of the schedule is no run, and an
    /// operator need not come again for it.
    pub(super) async fn on(database: &Database, place: &Place, job: &LoadedJob) -> Result<(Self, State), StoreError> {
        for _ in 0..MADE_MAX {
            let mut step = Self::begin(database).await?;
            if let Some(state) = step.locked(place, job).await? {
                return Ok((step, state));
            }
        }
        Err(StoreError::Row("a job that others make and take away"))
    }

    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        self.session.commit(self.deadline).await?;
        self.session.end();
        Ok(())
    }

    pub(super) async fn now(&mut self) -> Result<DateTime<Utc>, StoreError> {
        now(&mut self.session, self.deadline).await
    }

    /// The job's row, locked until the transaction ends; made where there is none. None: another Bridge makes it now.
    pub(super) async fn locked(&mut self, place: &Place, job: &LoadedJob) -> Result<Option<State>, StoreError> {
        for _ in 0..2 {
            let target = target(JOBS, jobs::ID, is(jobs::ID, &job.id));
            let lock = render::lock(&target, 1, self.session.dialect())?;
            if !self.session.rows(&lock, self.deadline).await?.is_empty() {
                return read(&mut self.session, &job.id, self.deadline).await;
            }
            if !self.make(place, job).await? {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// Makes a job's row: it begins with now. False: the transaction is of no more use.
    pub(super) async fn make(&mut self, place: &Place, job: &LoadedJob) -> Result<bool, StoreError> {
        let now = self.now().await?;
        let dialect = self.session.dialect();
        let row = vec![
            (jobs::ID, text(&job.id)),
            (jobs::PROJECT, text(&place.env.project)),
            (jobs::ENV, text(&place.env.env)),
            (jobs::JOB, text(&job.name)),
            (jobs::TIMES, text(&job.told_times())),
            (jobs::LAST_TICK, moment(now)),
            (jobs::FAILURES, Value::Int64(0)),
            (jobs::SKIPPED, Value::Int64(0)),
        ];
        let ignoring = Conflict { columns: vec![jobs::ID.column()], action: OnConflict::Ignore };
        let conflict = (dialect != Dialect::Mysql).then_some(ignoring);
        match self.insert(JOBS, jobs::ID, row, conflict).await {
            Ok(()) => {
                self.is_made = true;
                Ok(true)
            }
            Err(StoreError::Database(error)) if error.kind == FailureKind::Unique => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Notes a run as lost whose Bridge has not been heard of.
    pub(super) async fn give_up(
        &mut self,
        place: &Place,
        job: &LoadedJob,
        (state, now): (&mut State, DateTime<Utc>),
    ) -> Result<Option<(String, bool)>, StoreError> {
        if !state.is_lost(now) {
            return Ok(None);
        }
        let Some(run) = state.run.clone() else { return Ok(None) };
        let error = Some("its Bridge was not heard of any more".to_owned());
        self.end_run(&run, &Ended { outcome: "lost", error }, now).await?;
        let opens = state.end(false, now);
        if opens {
            self.add_run(place, job, (None, Cause::Breaker, None), (OPENED, now)).await?;
        }
        Ok(Some((run, opens)))
    }

    /// Whether there is a run of a tick, which may be one that did not run.
    pub(super) async fn is_claimed(
        &mut self,
        place: &Place,
        job: &LoadedJob,
        tick: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let filter = is(runs::CLAIM, &claim_of(place, job, tick));
        let select = Select {
            source: Source { filter, ..Source::of(RUNS, Predicate::ALWAYS) },
            columns: vec![runs::ID.column()],
            distinct: false,
            order: Vec::new(),
            after: None,
            limit: Some(1),
            offset: 0,
        };
        let found = self.session.rows(&render::select(&select, self.session.dialect())?, self.deadline).await?;
        Ok(!found.is_empty())
    }

    pub(super) async fn claim(
        &mut self,
        place: &Place,
        job: &LoadedJob,
        (tick, cause, by): (Option<DateTime<Utc>>, Cause, Option<&str>),
        (state, now): (&mut State, DateTime<Utc>),
    ) -> Result<Claim, StoreError> {
        let run = self.add_run(place, job, (tick, cause, by), ("running", now)).await?;
        (state.run, state.lease_until) = (Some(run.clone()), Some(now + place.lease));
        Ok(Claim { run, tick, cause })
    }

    pub(super) async fn add_run(
        &mut self,
        place: &Place,
        job: &LoadedJob,
        (tick, cause, by): (Option<DateTime<Utc>>, Cause, Option<&str>),
        (outcome, now): (&str, DateTime<Utc>),
    ) -> Result<String, StoreError> {
        let run = Kind::Run.generate();
        let claim = match tick {
            Some(tick) => claim_of(place, job, tick),
            None => key(&[&run]),
        };
        // Of these there are few, however often the job runs.
        let expires_at =
            if [OPENED, RESUMED].contains(&outcome) { now + KEPT_MAX } else { expires_at(&job.times, now) };
        let ended = if outcome == "running" { Value::Null } else { moment(now) };
        let row = vec![
            (runs::ID, text(&run)),
            (runs::CLAIM, text(&claim)),
            (runs::PROJECT, text(&place.env.project)),
            (runs::ENV, text(&place.env.env)),
            (runs::JOB, text(&job.name)),
            (runs::RELEASE, text(&place.release_id)),
            (runs::TICK, tick.map_or(Value::Null, moment)),
            (runs::CAUSE, text(cause.as_str())),
            (runs::BY, by.map_or(Value::Null, text)),
            (runs::BRIDGE, text(&place.bridge)),
            (runs::STARTED_AT, moment(now)),
            (runs::ENDED_AT, ended),
            (runs::OUTCOME, text(outcome)),
            (runs::EXPIRES_AT, moment(expires_at)),
        ];
        self.insert(RUNS, runs::ID, row, None).await?;
        Ok(run)
    }

    /// Notes ticks that nobody has run: one row, however many they are.
    pub(super) async fn add_missed(
        &mut self,
        place: &Place,
        job: &LoadedJob,
        missed: &Missed,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        // No two rows are of one tick: another release may have run this one.
        let tick = if self.is_claimed(place, job, missed.last).await? { None } else { Some(missed.last) };
        let run = self.add_run(place, job, (tick, Cause::Schedule, None), ("missed", now)).await?;
        self.end_run(&run, &Ended { outcome: "missed", error: Some(missed.to_string()) }, now).await
    }

    pub(super) async fn end_run(&mut self, run: &str, ended: &Ended, now: DateTime<Utc>) -> Result<(), StoreError> {
        let error = ended.error.as_ref().map(|error| error.chars().take(ERROR_CHARS_MAX).collect::<String>());
        let set = vec![
            (runs::ENDED_AT.column(), moment(now)),
            (runs::OUTCOME.column(), text(ended.outcome)),
            (runs::ERROR.column(), error.map_or(Value::Null, Value::Text)),
        ];
        let statement = update(RUNS, runs::ID, is(runs::ID, run), set, self.session.dialect())?;
        self.session.execute(&statement, self.deadline).await?;
        Ok(())
    }

    pub(super) async fn write(&mut self, id: &str, state: &State) -> Result<(), StoreError> {
        let set = vec![
            (jobs::TIMES.column(), text(&state.times)),
            (jobs::LAST_TICK.column(), moment(state.last_tick)),
            (jobs::FAILURES.column(), Value::Int64(state.failures)),
            (jobs::SKIPPED.column(), Value::Int64(state.skipped)),
            (jobs::OPENED_AT.column(), state.opened_at.map_or(Value::Null, moment)),
            (jobs::RUN.column(), state.run.as_deref().map_or(Value::Null, text)),
            (jobs::LEASE_UNTIL.column(), state.lease_until.map_or(Value::Null, moment)),
        ];
        let statement = update(JOBS, jobs::ID, is(jobs::ID, id), set, self.session.dialect())?;
        self.session.execute(&statement, self.deadline).await?;
        Ok(())
    }

    pub(super) async fn insert(
        &mut self,
        table: &str,
        id: Own,
        row: Vec<(Own, Value)>,
        conflict: Option<Conflict>,
    ) -> Result<(), StoreError> {
        let (columns, values): (Vec<Column>, Vec<Cell>) =
            row.into_iter().map(|(own, value)| (own.column(), Cell::Value(value))).unzip();
        let insert = Insert {
            table: table.to_owned(),
            key: id.column(),
            auto_increment: false,
            columns,
            rows: vec![values],
            conflict,
            check: Predicate::ALWAYS,
            returning: Vec::new(),
            visible: Predicate::ALWAYS,
            tells_new: false,
        };
        for statement in render::insert(&insert, self.session.dialect())? {
            self.session.execute(&statement, self.deadline).await?;
        }
        Ok(())
    }
}

/// What no two runs of a job have.
fn claim_of(place: &Place, job: &LoadedJob, tick: DateTime<Utc>) -> String {
    key(&[&place.env.project, &place.env.env, &job.name, &tick.timestamp_micros().to_string()])
}

pub(super) async fn now(session: &mut Session, deadline: Instant) -> Result<DateTime<Utc>, StoreError> {
    let rows = session.rows(&render::now(session.dialect()), deadline).await?;
    rows.first().and_then(|row| time(row.first()?)).ok_or(StoreError::Row("the clock"))
}

pub(super) async fn read(session: &mut Session, id: &str, deadline: Instant) -> Result<Option<State>, StoreError> {
    let columns =
        [jobs::TIMES, jobs::LAST_TICK, jobs::FAILURES, jobs::SKIPPED, jobs::OPENED_AT, jobs::RUN, jobs::LEASE_UNTIL];
    let select = Select {
        source: Source { filter: is(jobs::ID, id), ..Source::of(JOBS, Predicate::ALWAYS) },
        columns: columns.iter().map(|own| own.column()).collect(),
        distinct: false,
        order: Vec::new(),
        after: None,
        limit: Some(1),
        offset: 0,
    };
    let rows = session.rows(&render::select(&select, session.dialect())?, deadline).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(None) };
    let state = match row.as_slice() {
        [Value::Text(times), last_tick, Value::Int64(failures), Value::Int64(skipped), opened_at, run, lease_until] => {
            time(last_tick).map(|last_tick| State {
                times: times.clone(),
                last_tick,
                failures: *failures,
                skipped: *skipped,
                opened_at: time(opened_at),
                run: match run {
                    Value::Text(run) => Some(run.clone()),
                    _ => None,
                },
                lease_until: time(lease_until),
            })
        }
        _ => None,
    };
    state.map(Some).ok_or(StoreError::Row(JOBS))
}

/// A point in time, where it is one.
pub(super) fn time(value: &Value) -> Option<DateTime<Utc>> {
    match value {
        Value::Typed(_, text) | Value::Text(text) => DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc()),
        _ => None,
    }
}

pub(super) fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

pub(super) fn is(own: Own, value: &str) -> Condition {
    Condition::Compare(own.column(), Comparison::Equal, text(value))
}

pub(super) fn target(table: &str, id: Own, filter: Condition) -> Target {
    Target { table: table.to_owned(), key: id.column(), rule: Predicate::ALWAYS, filter, keys: None }
}

pub(super) fn update(
    table: &str,
    id: Own,
    filter: Condition,
    set: Vec<(Column, Value)>,
    dialect: Dialect,
) -> Result<Statement, RenderError> {
    let update = Update { target: target(table, id, filter), set, check: Predicate::ALWAYS, returning: Vec::new() };
    render::update(&update, dialect)
}
