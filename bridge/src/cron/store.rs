//! What Bridges agree on: a job's row, locked by whoever deals with a tick, and the rows of its runs. Every time in it is the database's.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use santokit_core::{access::predicate::Predicate, value::Value};
use santokit_sql::{
    plan::{Comparison, Condition, Direction, Select, SortKey, Source},
    render::{self, RenderError},
    schema::bookkeeping::{
        Own,
        cron::{JOBS, RUNS, jobs, runs},
    },
};

use super::{
    LoadedJob,
    decide::{Cause, Decision, Declared, Missed, Seen, State},
};
use crate::{
    config::EnvName,
    crud::{expired::Expiring, value::moment},
    db::{Database, DbError, Mode, Share},
};

mod step;

use step::{Step, is, now, read, text, update};

/// For the statements of one step.
const STEP_MAX: Duration = Duration::from_secs(10);

/// Not the outcome of a run: since when the job does not run by itself any more, ...
pub const OPENED: &str = "opened";
/// ... and that an operator let it again.
pub const RESUMED: &str = "resumed";

/// For what one turn removes. The next one goes on.
const SWEEP_MAX: Duration = Duration::from_secs(5);

const EXPIRING: Expiring = Expiring { table: RUNS, id: runs::ID, expires_at: runs::EXPIRES_AT, after: None };

/// Whose jobs, and who deals with them.
#[derive(Clone, Debug)]
pub struct Place {
    /// Project and env.
    pub env: EnvName,
    /// `rel_…`.
    pub release_id: String,
    /// `brg_…`.
    pub bridge: String,
    /// How long a Bridge is believed to be alive after each sign.
    pub lease: Duration,
}

/// What came of looking at a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// What the database's clock said.
    pub now: DateTime<Utc>,
    /// From when on ticks are this Bridge's matter, whatever the row says: for the next look.
    pub since: DateTime<Utc>,
    /// Whether it has failed too often, and does not run by itself any more.
    pub is_open: bool,
    /// What was done.
    pub done: Done,
    /// Ticks before it that nobody has run.
    pub missed: Option<Missed>,
    /// A run of before that is lost, and whether with it the job does not run by itself any more.
    pub lost: Option<(String, bool)>,
}

/// What was done about a tick.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// Nothing.
    Nothing,
    /// This Bridge runs it now.
    Claimed(Claim),
    /// A run goes on still.
    Skipped,
    /// It does not run by itself, or nobody was there.
    Passed,
}

/// A run that this Bridge has begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// `run_…`.
    pub run: String,
    /// What it is for.
    pub tick: Option<DateTime<Utc>>,
    /// What began it.
    pub cause: Cause,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// `ok`, `error`, `timeout`.
    pub outcome: &'static str,
    /// What went wrong, for operators.
    pub error: Option<String>,
}

/// What the database does not do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It failed.
    #[error(transparent)]
    Database(#[from] DbError),
    /// A statement that cannot be made: a mistake of ours.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// A row that nobody has written so.
    #[error("a row of {0} cannot be read")]
    Row(&'static str),
}

/// Looks at a job, and deals with its tick if it is time. `since` is what the look before has told, if there was one.
pub async fn look(
    database: &Database,
    place: &Place,
    job: &LoadedJob,
    since: Option<DateTime<Utc>>,
) -> Result<Looked, StoreError> {
    let told = job.told_times();
    let declared = Declared { times: &job.times, told: &told, enabled: job.job.enabled, catch_up: job.job.catch_up };
    let (found, now) = state(database, job).await?;
    // Ticks at which it did not run by itself are nobody's when somebody lets it again.
    let is_open = found.as_ref().is_some_and(|state| state.opened_at.is_some());
    let since = since.filter(|_| !is_open).unwrap_or(now);
    // Mostly there is nothing to do, and nobody is held up to learn that.
    if let Some(state) = found
        && !state.is_lost(now)
        && state.decide(declared, Seen { now, since, is_claimed: false }) == Decision::Wait
    {
        return Ok(Looked { now, since, is_open, done: Done::Nothing, missed: None, lost: None });
    }
    let mut step = Step::begin(database).await?;
    let Some(mut state) = step.locked(place, job).await? else {
        // Somebody else has made it now: the next look finds it.
        return Ok(Looked { now: step.now().await?, since, is_open, done: Done::Nothing, missed: None, lost: None });
    };
    let now = step.now().await?;
    let before = state.clone();
    let lost = step.give_up(place, job, (&mut state, now)).await?;
    let is_claimed = match job.times.at_or_before(now) {
        Some(due) => step.is_claimed(place, job, due).await?,
        None => false,
    };
    let decision = state.decide(declared, Seen { now, since, is_claimed });
    let missed = state.missed(decision, declared, now);
    state.note(decision, declared);
    if let Some(missed) = &missed {
        step.add_missed(place, job, missed, now).await?;
    }
    let done = match decision {
        Decision::Wait => Done::Nothing,
        Decision::Pass(_) | Decision::Miss(_) => Done::Passed,
        Decision::Skip(tick) => {
            step.add_run(place, job, (Some(tick), Cause::Schedule, None), ("skipped", now)).await?;
            Done::Skipped
        }
        Decision::Run(tick, cause) => {
            Done::Claimed(step.claim(place, job, (Some(tick), cause, None), (&mut state, now)).await?)
        }
    };
    if state != before {
        step.write(&job.id, &state).await?;
        step.commit().await?;
    } else if step.is_made {
        step.commit().await?;
    }
    Ok(Looked { now, since, is_open: state.opened_at.is_some(), done, missed, lost })
}

/// Begins a run for an operator; none where one goes on.
pub async fn begin(database: &Database, place: &Place, job: &LoadedJob, by: &str) -> Result<Option<Claim>, StoreError> {
    let (mut step, mut state) = Step::on(database, place, job).await?;
    let now = step.now().await?;
    step.give_up(place, job, (&mut state, now)).await?;
    if state.is_running(now) {
        return Ok(None);
    }
    let claim = step.claim(place, job, (None, Cause::Manual, Some(by)), (&mut state, now)).await?;
    step.write(&job.id, &state).await?;
    step.commit().await?;
    Ok(Some(claim))
}

/// Says that a run's Bridge lives. False: it was given up.
pub async fn renew(database: &Database, job: &LoadedJob, run: &str, lease: Duration) -> Result<bool, StoreError> {
    let deadline = Instant::now() + STEP_MAX;
    let mut session = database.session(Mode::Write, Share::Platform, deadline).await?;
    let now = now(&mut session, deadline).await?;
    let own = Condition::Compare(jobs::RUN.column(), Comparison::Equal, text(run));
    let filter = Condition::All(vec![is(jobs::ID, &job.id), own]);
    let set = vec![(jobs::LEASE_UNTIL.column(), moment(now + lease))];
    let done = session.execute(&update(JOBS, jobs::ID, filter, set, session.dialect())?, deadline).await?;
    session.end();
    Ok(done.affected > 0)
}

/// Keeps how a run ended. None: it was given up as lost before; else whether the job does not run by itself any more.
pub async fn end(
    database: &Database,
    job: &LoadedJob,
    place: &Place,
    (run, ended): (&str, &Ended),
) -> Result<Option<bool>, StoreError> {
    let mut step = Step::begin(database).await?;
    let Some(mut state) = step.locked(place, job).await? else { return Ok(None) };
    if state.run.as_deref() != Some(run) {
        return Ok(None);
    }
    let now = step.now().await?;
    let opens = state.end(ended.outcome == "ok", now);
    step.end_run(run, ended, now).await?;
    if opens {
        step.add_run(place, job, (None, Cause::Breaker, None), (OPENED, now)).await?;
    }
    step.write(&job.id, &state).await?;
    step.commit().await?;
    Ok(Some(opens))
}

/// Lets a job run by itself again, as an operator wants it. False: it did.
pub async fn resume(database: &Database, place: &Place, job: &LoadedJob, by: &str) -> Result<bool, StoreError> {
    let (mut step, mut state) = Step::on(database, place, job).await?;
    let was_open = state.opened_at.take().is_some();
    state.failures = 0;
    if was_open {
        let now = step.now().await?;
        step.add_run(place, job, (None, Cause::Manual, Some(by)), (RESUMED, now)).await?;
    }
    step.write(&job.id, &state).await?;
    step.commit().await?;
    Ok(was_open)
}

/// A job's row, if it has one, and what time it is there.
pub async fn state(database: &Database, job: &LoadedJob) -> Result<(Option<State>, DateTime<Utc>), StoreError> {
    let deadline = Instant::now() + STEP_MAX;
    let mut session = database.session(Mode::Read, Share::Platform, deadline).await?;
    let found = read(&mut session, &job.id, deadline).await?;
    let now = now(&mut session, deadline).await?;
    session.end();
    Ok((found, now))
}

/// The last runs of a job, the newest first: the columns of [`SHOWN`]. Of these outcomes alone, if there are any.
pub async fn history(
    database: &Database,
    job: &LoadedJob,
    place: &Place,
    (outcomes, most): (&[&str], u64),
) -> Result<Vec<Vec<Value>>, StoreError> {
    let deadline = Instant::now() + STEP_MAX;
    let mut session = database.session(Mode::Read, Share::Platform, deadline).await?;
    let mut conditions =
        vec![is(runs::PROJECT, &place.env.project), is(runs::ENV, &place.env.env), is(runs::JOB, &job.name)];
    if !outcomes.is_empty() {
        conditions.push(Condition::OneOf(runs::OUTCOME.column(), outcomes.iter().map(|one| text(one)).collect()));
    }
    let filter = Condition::All(conditions);
    let sorted = |own: Own| SortKey { column: own.column(), direction: Direction::Descending };
    let select = Select {
        source: Source { filter, ..Source::of(RUNS, Predicate::ALWAYS) },
        columns: SHOWN.iter().map(|own| own.column()).collect(),
        distinct: false,
        order: vec![sorted(runs::STARTED_AT), sorted(runs::ID)],
        after: None,
        limit: Some(most),
        offset: 0,
    };
    let rows = session.rows(&render::select(&select, session.dialect())?, deadline).await?;
    session.end();
    Ok(rows)
}

/// What is shown of a run.
pub const SHOWN: [Own; 10] = [
    runs::ID,
    runs::RELEASE,
    runs::TICK,
    runs::CAUSE,
    runs::BY,
    runs::BRIDGE,
    runs::STARTED_AT,
    runs::ENDED_AT,
    runs::OUTCOME,
    runs::ERROR,
];

/// Removes runs whose time is over, in portions, until there are none or it has taken long enough; how many rows. Between two portions others write.
pub async fn sweep(database: &Database) -> Result<u64, StoreError> {
    let (began, mut removed) = (Instant::now(), 0_u64);
    loop {
        let deadline = Instant::now() + STEP_MAX;
        let mut session = database.session(Mode::Write, Share::Platform, deadline).await?;
        let now = now(&mut session, deadline).await?;
        let portion = EXPIRING.sweep(&mut session, now, deadline).await?;
        session.end();
        removed = removed.saturating_add(portion);
        if portion == 0 || began.elapsed() >= SWEEP_MAX {
            return Ok(removed);
        }
    }
}
