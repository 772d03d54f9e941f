//! Dead letters, for operators: which there are, what one says, and what is to become of them; and the end of those whose time is over.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use santokit_core::{code::Code, problem::Problem, value::Value};
use santokit_sql::{
    delivery::{DEAD, Scope, Which},
    statement::Statement,
};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::{
    History,
    history::Attempt,
    rows::{bytes, text, whole},
    turn::{acknowledgement, is_only_busy},
};
use crate::{
    config::EnvName,
    crud::value::moment,
    db::{Database, DbError, Mode, Session, Share},
    generation::Generation,
};

/// Dead letters that are listed at once.
pub const LISTED_MAX: u32 = 1_000;

/// Ids that are named at once.
pub const IDS_MAX: usize = 500;

/// Columns of a row that is not whole.
const LISTED_COLUMNS: usize = DEAD.len() + 1;

/// Of which it is decided in one transaction.
const PORTION: u32 = 500;

/// Of those whose time is over: small, since their payloads go with them, and others write meanwhile.
const EXPIRED: u32 = 50;

const ASKED_MAX: Duration = Duration::from_secs(30);

/// Before a portion is tried again for which somebody else stood in the way.
const BUSY_WAIT: Duration = Duration::from_millis(50);

/// For as long another portion is begun: one that has begun has the rest of the time.
const BEGUN_MAX: Duration = Duration::from_secs(20);

/// Which are meant.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// By their ids; all where there are none.
    pub ids: Vec<String>,
    /// Of this topic.
    pub topic: Option<String>,
    /// Of this subscription.
    pub subscription: Option<String>,
    /// Dead since then or later.
    pub since: Option<DateTime<Utc>>,
    /// Dead before then.
    pub until: Option<DateTime<Utc>>,
}

/// An event that was tried in vain.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// The event's id, a colon, the subscription.
    pub id: String,
    /// On which connection it is.
    pub connection: String,
    /// The event.
    pub event: String,
    /// Its topic.
    pub topic: String,
    /// Who was given it.
    pub subscription: String,
    /// When it was published.
    pub published_at: String,
    /// By which logic.
    pub published_by: String,
    /// The event that was being handled then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caused_by: Option<String>,
    /// How many events caused one another until it.
    pub depth: u32,
    /// How often it was tried since it was published or replayed.
    pub attempts: u32,
    /// Since when it is dead.
    pub dead_since: String,
    /// The last error.
    pub error: String,
    /// What became of each attempt; where one is looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<Attempt>>,
    /// The fields that were published, without their values, which are a customer's; where one is looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<String>>,
    /// Bytes of the payload.
    pub payload_bytes: u32,
}

/// What is done with dead letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// They are tried again, from the first attempt.
    Replay,
    /// They are removed.
    Purge,
}

/// Some of them.
#[derive(Debug, Default)]
pub struct Listed {
    /// The oldest first over each connection.
    pub letters: Vec<DeadLetter>,
    /// Whether there are more behind them.
    pub is_cut: bool,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Done {
    /// How many they were.
    pub touched: u64,
    /// Whether the time was over before all were.
    pub is_cut: bool,
    /// On which connections it went wrong, and how.
    pub failed: Vec<(String, Box<Problem>)>,
}

/// Lists them, those behind `after` where one is named. `is_whole` gives fields and histories, too.
pub async fn list(
    generation: &Generation,
    wanted: &Wanted,
    after: Option<&str>,
    is_whole: bool,
) -> Result<Listed, Box<Problem>> {
    let (mut listed, deadline) = (Listed::default(), Instant::now() + ASKED_MAX);
    let mut is_behind = after.is_none();
    for (connection, database) in databases(generation) {
        let scope = scope(generation, database);
        let mut which = wanted.which();
        if let Some(id) = after.filter(|_| !is_behind) {
            let ids = [id.to_owned()];
            let this = scope.dead_ids(&Which { ids: &ids, ..Which::default() }, 1);
            is_behind = !database.rows(Mode::Read, &this, deadline).await.map_err(DbError::problem)?.is_empty();
            if !is_behind {
                continue;
            }
            which.after = Some(id);
        }
        let left = LISTED_MAX.saturating_sub(u32::try_from(listed.letters.len()).unwrap_or(u32::MAX));
        // One more tells that there are more.
        let rows = database.rows(Mode::Read, &scope.dead(&which, is_whole, left.saturating_add(1)), deadline).await;
        let mut rows = rows.map_err(DbError::problem)?;
        listed.is_cut = rows.len() > left as usize;
        rows.truncate(left as usize);
        listed.letters.extend(rows.into_iter().filter_map(|row| DeadLetter::of(row, connection)));
        if listed.is_cut {
            break;
        }
    }
    if !is_behind {
        return Err(Problem::new(Code::NotFound, "the dead letter is not there any more behind which the others are")
            .hint("list them from the beginning"));
    }
    Ok(listed)
}

/// Decides what becomes of them, in portions. What was done stays done where a later portion, or another connection, fails.
pub async fn decide(generation: &Generation, wanted: &Wanted, fate: Fate) -> Result<Done, Box<Problem>> {
    let (mut done, began) = (Done::default(), Instant::now());
    for (connection, database) in databases(generation) {
        if let Err(error) = decide_on(generation, database, (wanted, fate), &mut done, began).await {
            let told = &error as &dyn std::error::Error;
            tracing::warn!(env = %generation.env, connection, error = told, "not all was done that was decided about dead letters");
            done.failed.push((connection.clone(), error.problem()));
        }
    }
    if fate == Fate::Replay && done.touched > 0 {
        generation.topics.wake();
    }
    match done.failed.pop() {
        Some((_, problem)) if done.touched == 0 => Err(problem),
        last => {
            done.failed.extend(last);
            Ok(done)
        }
    }
}

/// The same on one connection. What dies again meanwhile is not meant: it would be tried for ever.
async fn decide_on(
    generation: &Generation,
    database: &Database,
    (wanted, fate): (&Wanted, Fate),
    done: &mut Done,
    began: Instant,
) -> Result<(), DbError> {
    let (scope, deadline) = (scope(generation, database), began + ASKED_MAX);
    let mut which = wanted.which();
    let last = database.rows(Mode::Read, &scope.last_dead(&which), deadline).await?;
    let Some(last) = last.into_iter().next().and_then(|row| row.into_iter().next()) else { return Ok(()) };
    which.through = Some(last);
    loop {
        if began.elapsed() >= BEGUN_MAX {
            done.is_cut = true;
            return Ok(());
        }
        match portion(generation, database, (&which, fate), deadline).await {
            Ok((found, touched)) => {
                done.touched += touched;
                if found < PORTION as usize {
                    return Ok(());
                }
            }
            // Somebody else has the turn.
            Err(error) if is_only_busy(&error) => tokio::time::sleep(BUSY_WAIT).await,
            Err(error) => return Err(error),
        }
    }
}

/// Of one portion, in a transaction: how many were found, and of how many it was said.
async fn portion(
    generation: &Generation,
    database: &Database,
    (which, fate): (&Which<'_>, Fate),
    deadline: Instant,
) -> Result<(usize, u64), DbError> {
    let scope = scope(generation, database);
    let mut session = database.begin(Mode::Write, Share::Platform, deadline).await?;
    let found = ids(&mut session, &scope.dead_ids(which, PORTION), deadline).await?;
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    let touched = match fate {
        _ if found.is_empty() => 0,
        Fate::Replay => {
            let now = moment(session.now(deadline).await?);
            session.execute(&scope.replay(&found, &now), deadline).await?.affected
        }
        Fate::Purge => purge(&mut session, scope, &generation.env, &found, deadline).await?,
    };
    session.commit(deadline).await?;
    session.end();
    Ok((found.len(), touched))
}

/// Removes some, and with them what says that one was handled.
async fn purge(
    session: &mut Session,
    scope: Scope<'_>,
    env: &EnvName,
    found: &[&str],
    deadline: Instant,
) -> Result<u64, DbError> {
    let touched = session.execute(&scope.purge(found), deadline).await?.affected;
    let found: Vec<(&EnvName, &str)> = found.iter().map(|id| (env, *id)).collect();
    forget(session, scope, (&found, touched), deadline).await?;
    Ok(touched)
}

/// Removes some whose time is over, of whichever env they are, and with them what says that one was handled; how many were found.
pub(super) async fn expire(
    scope: Scope<'_>,
    database: &Database,
    now: DateTime<Utc>,
    deadline: Instant,
) -> Result<usize, DbError> {
    let now = moment(now);
    let rows = database.rows(Mode::Read, &scope.expired(&now, EXPIRED), deadline).await?;
    let whose = |row: Vec<Value>| {
        let [id, project, env] = <[Value; 3]>::try_from(row).ok()?;
        Some((EnvName { project: text(project)?, env: text(env)? }, text(id)?))
    };
    let found: Vec<(EnvName, String)> = rows.into_iter().filter_map(whose).collect();
    if found.is_empty() {
        return Ok(0);
    }
    let ids: Vec<&str> = found.iter().map(|(_, id)| id.as_str()).collect();
    let found: Vec<(&EnvName, &str)> = found.iter().map(|(env, id)| (env, id.as_str())).collect();
    let mut session = database.begin(Mode::Write, Share::Platform, deadline).await?;
    let touched = session.execute(&scope.expire(&ids, &now), deadline).await?.affected;
    forget(&mut session, scope, (&found, touched), deadline).await?;
    session.commit(deadline).await?;
    session.end();
    Ok(found.len())
}

/// Removes what says that one was handled, of those that are gone: of what is not there nobody asks that. `touched` is how many of them this transaction
/// has removed.
async fn forget(
    session: &mut Session,
    scope: Scope<'_>,
    (found, touched): (&[(&EnvName, &str)], u64),
    deadline: Instant,
) -> Result<(), DbError> {
    // Somebody lets one be tried again at the same time: whether it was handled is asked then.
    let kept = match usize::try_from(touched) {
        Ok(touched) if touched == found.len() => Vec::new(),
        _ => {
            let all: Vec<&str> = found.iter().map(|(_, id)| *id).collect();
            ids(session, &scope.still_there(&all), deadline).await?
        }
    };
    let gone = found.iter().filter(|(_, id)| !kept.iter().any(|kept| kept == id));
    let acknowledged: Vec<String> = gone.map(|(env, id)| acknowledgement(env, id)).collect();
    let acknowledged: Vec<&str> = acknowledged.iter().map(String::as_str).collect();
    if !acknowledged.is_empty() {
        session.execute(&scope.forget_acknowledged(&acknowledged), deadline).await?;
    }
    Ok(())
}

async fn ids(session: &mut Session, statement: &Statement, deadline: Instant) -> Result<Vec<String>, DbError> {
    let rows = session.rows(statement, deadline).await?;
    Ok(rows.into_iter().filter_map(|row| text(row.into_iter().next()?)).collect())
}

/// Those that have tables, beside which events are kept.
fn databases(generation: &Generation) -> impl Iterator<Item = (&String, &Database)> {
    let has_tables = |name: &String| generation.schemas.get(name).is_some_and(|schema| !schema.tables.is_empty());
    let databases = generation.databases.iter().filter(move |(name, _)| has_tables(name));
    databases.map(|(name, database)| (name, &**database))
}

fn scope<'g>(generation: &'g Generation, database: &Database) -> Scope<'g> {
    let env = &generation.env;
    Scope { project: &env.project, env: &env.env, dialect: database.dialect() }
}

impl Wanted {
    fn which(&self) -> Which<'_> {
        Which {
            ids: &self.ids,
            topic: self.topic.as_deref(),
            subscription: self.subscription.as_deref(),
            since: self.since.map(moment),
            until: self.until.map(moment),
            ..Which::default()
        }
    }
}

impl DeadLetter {
    /// Of a row that is whole or not.
    fn of(mut row: Vec<Value>, connection: &str) -> Option<Self> {
        let whole_row = row.split_off(row.len().min(LISTED_COLUMNS));
        let [id, event, topic, subscription, at, by, caused_by, depth, attempt, due_at, error, payload_bytes] =
            <[Value; LISTED_COLUMNS]>::try_from(row).ok()?;
        let mut whole_row = whole_row.into_iter();
        let fields = whole_row.next().and_then(bytes).map(|payload| {
            let fields: Map<String, Json> = serde_json::from_slice(&payload).unwrap_or_default();
            fields.into_iter().map(|(name, _)| name).collect()
        });
        Some(Self {
            id: text(id)?,
            connection: connection.to_owned(),
            event: text(event)?,
            topic: text(topic)?,
            subscription: text(subscription)?,
            published_at: text(at)?,
            published_by: text(by)?,
            caused_by: text(caused_by),
            depth: whole(&depth),
            attempts: whole(&attempt),
            dead_since: text(due_at)?,
            error: text(error).unwrap_or_default(),
            history: whole_row.next().map(|history| History::of(bytes(history).as_deref()).0),
            fields,
            payload_bytes: whole(&payload_bytes),
        })
    }
}
