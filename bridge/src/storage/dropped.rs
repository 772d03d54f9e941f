//! Objects that rows have let go (`onDelete: cascade`) are removed: after the commit of the rows, again and again until they are gone, by whichever
//! Bridge comes first. Who lets them go is `crud::objects`.
//!
//! An object that a row names stays, and so does one that was put after it was let go: it is another one. Nothing is ever given up.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use santokit_core::{access::predicate::Predicate, problem::Problem, storage::ObjectKey, value::Value};
use santokit_sql::{
    delivery::Scope,
    plan::{Column, Condition, Select, Source},
    render::{self, RenderError},
    statement::Statement,
};
use santokit_wasm::StorageError;
use tokio::{sync::watch, task::JoinSet};
use ulid::Ulid;

use super::{Bucket, Gone, told::Told};
use crate::{
    app::App,
    crud::{names::Tables, value::moment},
    db::{Database, DbError, Mode, Share},
    generation::Generation,
    release::EnvSlot,
};

/// How often it is looked which buckets there are, and whether something waits that a release before has let go.
const IDLE: Duration = Duration::from_secs(10);

/// Objects that are looked at in one round.
const ROUND_MAX: u32 = 100;

/// For one object: after it another Bridge may try it.
const CLAIM: Duration = Duration::from_mins(1);

/// For what a store is asked: it must be over before the claim is.
const REMOVE_MAX: Duration = Duration::from_secs(40);

/// For the statements of one object.
const STATEMENT_MAX: Duration = Duration::from_secs(5);

/// The longest between two attempts.
const AGAIN_MAX: Duration = Duration::from_mins(5);

/// From this attempt on it is an error of the log each time.
const ALARM_FROM: u32 = 5;

/// An object that waits to go.
struct Waiting {
    id: String,
    object: String,
    attempt: u32,
    dropped_at: DateTime<Utc>,
}

/// Whose attempt it is.
enum Claimed {
    Mine,
    Elsewhere,
    /// A row names it.
    Named,
}

/// Why it is tried again.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the store did not answer in time")]
    Time,
    #[error("the store says {:?}", .0.code())]
    Store(StorageError),
    #[error("the database does not answer")]
    Database(#[from] DbError),
    #[error("whether a row names it cannot be asked")]
    Statement(#[from] RenderError),
    #[error("the event of it is not kept: {}", .0.message)]
    Event(Box<Problem>),
}

/// Removes an env's objects that rows have let go, until the Bridge ends.
pub async fn run(app: Arc<App>, slot: Arc<EnvSlot>, mut stopped: watch::Receiver<bool>) {
    let mut workers: JoinSet<()> = JoinSet::new();
    let mut started: BTreeSet<String> = BTreeSet::new();
    loop {
        let generation = slot.generation();
        // A store that hangs keeps nobody else waiting.
        for alias in generation.iter().flat_map(|generation| generation.buckets.aliases()) {
            if started.insert(alias.to_owned()) {
                workers.spawn(work(Arc::clone(&app), Arc::clone(&slot), alias.to_owned(), stopped.clone()));
            }
        }
        let wait = if generation.is_some() { IDLE } else { app.config.delivery.poll_interval };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stopped.wait_for(|stopped| *stopped) => break,
        }
    }
    while workers.join_next().await.is_some() {}
}

/// Those of one bucket.
async fn work(app: Arc<App>, slot: Arc<EnvSlot>, alias: String, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        let (mut published, mut wait) = (None, IDLE);
        if let Some(generation) = slot.generation()
            && let Some(bucket) = generation.buckets.get(&alias)
        {
            // What is let go from here on wakes it.
            published = Some(generation.topics.published());
            if generation.tables.takes(&alias) {
                wait = app.config.delivery.poll_interval;
            }
            for database in generation.databases.values() {
                if generation.schemas.get(database.name()).is_some_and(|schema| !schema.tables.is_empty()) {
                    Of { app: &app, generation: &generation, database, alias: &alias, bucket }
                        .round(stopped.clone())
                        .await;
                }
            }
        }
        let woken = async {
            match &mut published {
                // It is kept with what sends it.
                Some(published) => drop(published.changed().await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = woken => {}
            () = tokio::time::sleep(wait) => {}
            _ = stopped.wait_for(|stopped| *stopped) => {}
        }
    }
}

/// Where they are let go, and where they are.
struct Of<'a> {
    app: &'a App,
    generation: &'a Generation,
    database: &'a Database,
    alias: &'a str,
    bucket: &'a Bucket,
}

impl Of<'_> {
    fn scope(&self) -> Scope<'_> {
        let env = &self.generation.env;
        Scope { project: &env.project, env: &env.env, dialect: self.database.dialect() }
    }

    /// Tries all that are due.
    async fn round(&self, mut stopped: watch::Receiver<bool>) {
        loop {
            let due = match self.due().await {
                Ok(due) => due,
                Err(error) => {
                    let (env, connection) = (&self.generation.env, self.database.name());
                    tracing::debug!(%env, connection, error = &error as &dyn std::error::Error, "objects that rows have let go cannot be looked at");
                    return;
                }
            };
            let is_full = due.len() == ROUND_MAX as usize;
            for waiting in due {
                // Left in the middle, its claim ends by itself.
                tokio::select! {
                    () = self.attempt(&waiting) => {}
                    _ = stopped.wait_for(|stopped| *stopped) => return,
                }
            }
            if !is_full {
                return;
            }
        }
    }

    async fn due(&self) -> Result<Vec<Waiting>, DbError> {
        let statement = self.scope().dropped(self.alias, &moment(Utc::now()), ROUND_MAX);
        let rows = self.database.rows(Mode::Read, &statement, Instant::now() + STATEMENT_MAX).await?;
        Ok(rows.into_iter().filter_map(Waiting::of).collect())
    }

    async fn attempt(&self, waiting: &Waiting) {
        let claim = Ulid::new().to_string();
        let ending = match self.claim(waiting, &claim).await {
            Ok(Claimed::Elsewhere) => return,
            Ok(Claimed::Named) => Ok(Gone::Kept),
            Ok(Claimed::Mine) => self.remove(waiting).await,
            Err(error) => Err(error),
        };
        let env = &self.generation.env;
        let word = match &ending {
            Ok(ending) => {
                tracing::debug!(%env, bucket = self.alias, ?ending, "an object that rows have let go");
                self.scope().forget_object(&waiting.id, &claim)
            }
            Err(failure) => self.later(waiting, &claim, failure),
        };
        self.app.metrics.objects.let_go(match ending {
            Ok(Gone::Removed | Gone::Absent) => "removed",
            Ok(Gone::Kept) => "kept",
            Err(_) => "failed",
        });
        // Unsaid, the claim ends by itself, and it is tried once more: of what is gone nothing is left to do.
        if let Err(error) = self.database.execute(&word, Instant::now() + STATEMENT_MAX).await {
            tracing::warn!(%env, error = &error as &dyn std::error::Error, "what has become of an object was not noted");
        }
    }

    /// Claims it, and asks in the same transaction whether a row names it: who names it now waits for this, and is told that it goes.
    async fn claim(&self, waiting: &Waiting, claim: &str) -> Result<Claimed, Failure> {
        let (now, deadline) = (Utc::now(), Instant::now() + STATEMENT_MAX);
        let until = moment(now + TimeDelta::from_std(CLAIM).unwrap_or(TimeDelta::MAX));
        let naming = naming(&self.generation.tables, self.database, self.alias, &[&waiting.object], 1)?;
        let mut session = self.database.begin(Mode::Write, Share::Platform, deadline).await?;
        let statement = self.scope().claim_object(&waiting.id, claim, (&moment(now), &until));
        let mut claimed = Claimed::Elsewhere;
        if session.execute(&statement, deadline).await?.affected > 0 {
            claimed = Claimed::Mine;
            for statement in &naming {
                if !session.rows(statement, deadline).await?.is_empty() {
                    claimed = Claimed::Named;
                    break;
                }
            }
        }
        session.commit(deadline).await?;
        session.end();
        Ok(claimed)
    }

    async fn remove(&self, waiting: &Waiting) -> Result<Gone, Failure> {
        // Bridges of before have noted what SQL had written: what is no key names nothing, and another spelling of one is not what rows were asked for.
        let Some(key) = ObjectKey::parse(&waiting.object).ok().filter(|key| key.as_str() == waiting.object) else {
            return Ok(Gone::Kept);
        };
        let until = u64::try_from(waiting.dropped_at.timestamp_millis()).unwrap_or(0);
        let removed = tokio::time::timeout(REMOVE_MAX, self.bucket.remove_until(&key, until));
        let ending = removed.await.map_err(|_| Failure::Time)?.map_err(Failure::Store)?;
        // Where there is none, an attempt before may have removed it and told nobody; of what never was nobody is told.
        if ending == Gone::Removed || (ending == Gone::Absent && waiting.attempt > 0) {
            let told = Told { generation: self.generation, by: "rows", metrics: &self.app.metrics };
            told.gone(self.bucket, &key).await.map_err(Failure::Event)?;
        }
        Ok(ending)
    }

    fn later(&self, waiting: &Waiting, claim: &str, failure: &Failure) -> Statement {
        let (env, bucket, attempt) = (&self.generation.env, self.alias, waiting.attempt + 1);
        let error = failure as &(dyn std::error::Error + 'static);
        let wait = Duration::from_secs(1 << attempt.min(16)).min(AGAIN_MAX);
        if attempt >= ALARM_FROM {
            tracing::error!(%env, bucket, attempt, error, "an object that rows have let go cannot be removed; it is tried again");
        } else {
            tracing::warn!(%env, bucket, attempt, error, "an object that rows have let go was not removed; it is tried again");
        }
        let due = moment(Utc::now() + TimeDelta::from_std(wait).unwrap_or(TimeDelta::MAX));
        self.scope().later_object(&waiting.id, claim, &due, &failure.to_string())
    }
}

impl Waiting {
    fn of(row: Vec<Value>) -> Option<Self> {
        let [Value::Text(id), Value::Text(object), attempt, Value::Text(dropped_at) | Value::Typed(_, dropped_at)] =
            <[Value; 4]>::try_from(row).ok()?
        else {
            return None;
        };
        let attempt = match attempt {
            Value::Int64(attempt) => u32::try_from(attempt).unwrap_or(u32::MAX),
            _ => 0,
        };
        let dropped_at = DateTime::parse_from_rfc3339(&dropped_at).ok()?.to_utc();
        Some(Self { id, object, attempt, dropped_at })
    }
}

/// What answers those of some keys that rows of a database name: a statement for each column.
pub(super) fn naming(
    tables: &Tables,
    database: &Database,
    bucket: &str,
    keys: &[&str],
    most: u64,
) -> Result<Vec<Statement>, RenderError> {
    let statement = |table: &str, column: &Column| {
        let keys = keys.iter().map(|key| Value::Text((*key).to_owned())).collect();
        let select = Select {
            source: Source { filter: Condition::OneOf(column.clone(), keys), ..Source::of(table, Predicate::ALWAYS) },
            columns: vec![column.clone()],
            distinct: true,
            order: Vec::new(),
            after: None,
            limit: Some(most),
            offset: 0,
        };
        render::select(&select, database.dialect())
    };
    let columns = tables.naming(bucket).filter(|(entry, _)| entry.connection == database.name());
    columns.map(|(entry, column)| statement(&entry.name, &column.column)).collect()
}
