//! The time by which events are due and claims end: that of their database, which all its Bridges have in common, however wrong their own clocks are. It is
//! asked for now and then, and goes on from there by a clock that nobody sets.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use santokit_core::value::Value;
use santokit_sql::{dialect::Dialect, render};

use super::rows::text;
use crate::db::{Database, DbError, Mode, Session};

/// Between two looks at the database's clock.
const LOOKED_EVERY: Duration = Duration::from_secs(30);

/// How long the answer may take.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// From so much on a clock is wrong, and whoever operates the Bridge is told.
const WRONG: TimeDelta = TimeDelta::seconds(2);

/// Of one database.
#[derive(Debug)]
pub(super) struct Clock {
    database: Arc<Database>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// What time it was there, and when that was.
    anchor: Option<(DateTime<Utc>, Instant)>,
    /// Whether it was told that this machine's clock is wrong.
    is_told: bool,
}

impl Clock {
    /// Of a database that was not asked yet.
    pub(super) fn on(database: &Arc<Database>) -> Self {
        Self { database: Arc::clone(database), known: Mutex::default() }
    }

    /// Whether it is of this database: the connection may lead elsewhere since.
    pub(super) fn is_of(&self, database: &Database) -> bool {
        self.database.is_same(database)
    }

    /// What time it is there, as far as is known.
    pub(super) fn now(&self) -> DateTime<Utc> {
        match self.known().anchor {
            Some((at, since)) => at + TimeDelta::from_std(since.elapsed()).unwrap_or_default(),
            None => Utc::now(),
        }
    }

    /// Asks the database, where it is time to. A file of SQLite has the clock of this machine, as all who have it open.
    pub(super) async fn look(&self) -> Result<(), DbError> {
        let dialect = self.database.dialect();
        let is_known = self.known().anchor.is_some_and(|(_, since)| since.elapsed() < LOOKED_EVERY);
        if dialect == Dialect::Sqlite || is_known {
            return Ok(());
        }
        let asked = Instant::now();
        let rows = self.database.rows(Mode::Read, &render::now(dialect), asked + LOOK_MAX).await?;
        let took = asked.elapsed();
        let there = said(rows)?;
        // In the middle of the question and its answer.
        self.set(there, asked + took / 2);
        Ok(())
    }

    fn set(&self, there: DateTime<Utc>, at: Instant) {
        let mut known = self.known();
        known.anchor = Some((there, at));
        let off = Utc::now() - (there + TimeDelta::from_std(at.elapsed()).unwrap_or_default());
        let is_wrong = off.abs() > WRONG;
        if is_wrong && !known.is_told {
            let (connection, milliseconds) = (self.database.name(), off.num_milliseconds());
            tracing::warn!(
                connection,
                milliseconds,
                "the clock of this machine is not that of the database: events go by the database's"
            );
        }
        known.is_told = is_wrong;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What time it is there, for what happens once.
pub(super) async fn now(session: &mut Session, deadline: Instant) -> Result<DateTime<Utc>, DbError> {
    said(session.rows(&render::now(session.dialect()), deadline).await?)
}

fn said(rows: Vec<Vec<Value>>) -> Result<DateTime<Utc>, DbError> {
    let told = rows.into_iter().next().and_then(|row| text(row.into_iter().next()?));
    let moment = told.and_then(|told| DateTime::parse_from_rfc3339(&told).ok());
    moment.map(|at| at.to_utc()).ok_or_else(|| DbError::unavailable("the database does not say what time it is"))
}

#[cfg(test)]
mod tests {
    use santokit_core::wire::{RuntimeConnection, Sealed};

    use super::*;
    use crate::db::DatabaseSettings;

    #[tokio::test]
    async fn it_goes_on_from_what_the_database_has_said() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("it.db");
        std::fs::write(&file, "").unwrap();
        let url = format!("sqlite:{}", file.display());
        let connection = RuntimeConnection { engine: "sqlite".into(), url: Sealed::new(url), guests: Vec::new() };
        let database = Arc::new(Database::open("main", &connection, &DatabaseSettings::default()).unwrap());
        let clock = Clock::on(&database);
        assert!((clock.now() - Utc::now()).abs() < TimeDelta::minutes(1), "nothing else is known");
        let there = Utc::now() - TimeDelta::hours(3);
        clock.set(there, Instant::now());
        let (first, second) = (clock.now(), clock.now());
        assert!(there <= first && first <= second && second < there + TimeDelta::hours(1), "{first} {second}");
        assert!(clock.known().is_told);
        clock.set(Utc::now(), Instant::now());
        assert!(!clock.known().is_told, "it is right again");
    }
}
