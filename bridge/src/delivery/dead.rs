//! Dead letters, for operators: which there are, what one says, and what is to become of them.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use santokit_core::{problem::Problem, value::Value};
use santokit_sql::delivery::{DEAD, Scope, Which};
use serde::Serialize;
use serde_json::{Map, Value as Json};

use super::{
    History,
    history::Attempt,
    rows::{bytes, text, whole},
};
use crate::{
    crud::value::moment,
    db::{Database, DbError, Mode},
    generation::Generation,
};

/// Dead letters that are listed at once.
pub const LISTED_MAX: u32 = 1_000;

/// Ids that are named at once.
pub const IDS_MAX: usize = 500;

/// Columns of a row that is not whole.
const LISTED_COLUMNS: usize = DEAD.len() + 1;

const ASKED_MAX: Duration = Duration::from_secs(30);

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

/// Lists them, the oldest first over each connection. `is_whole` gives fields and histories, too.
pub async fn list(generation: &Generation, wanted: &Wanted, is_whole: bool) -> Result<Vec<DeadLetter>, Box<Problem>> {
    let (mut found, deadline) = (Vec::new(), Instant::now() + ASKED_MAX);
    for (connection, database) in databases(generation) {
        let statement = scope(generation, database).dead(&wanted.which(), is_whole, LISTED_MAX);
        let rows = database.rows(Mode::Read, &statement, deadline).await.map_err(DbError::problem)?;
        found.extend(rows.into_iter().filter_map(|row| DeadLetter::of(row, connection)));
    }
    Ok(found)
}

/// Decides what becomes of them; how many they were.
pub async fn decide(generation: &Generation, wanted: &Wanted, fate: Fate) -> Result<u64, Box<Problem>> {
    let (mut touched, deadline) = (0, Instant::now() + ASKED_MAX);
    for (_, database) in databases(generation) {
        let scope = scope(generation, database);
        let statement = match fate {
            Fate::Replay => scope.replay(&wanted.which(), &moment(Utc::now())),
            Fate::Purge => scope.purge(&wanted.which()),
        };
        touched += database.execute(&statement, deadline).await.map_err(DbError::problem)?.affected;
    }
    if fate == Fate::Replay {
        generation.topics.wake();
    }
    Ok(touched)
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
