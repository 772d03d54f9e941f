//! The time by which events are due and claims end: that of their database, which is asked for it now and then. Who operates a Bridge whose own clock is another
//! is told.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};

use crate::db::{Database, DbError};

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
    /// Whether it was told that this machine's clock is wrong.
    is_told: AtomicBool,
}

impl Clock {
    /// Of a database that was not asked yet.
    pub(super) fn on(database: &Arc<Database>) -> Self {
        Self { database: Arc::clone(database), is_told: AtomicBool::new(false) }
    }

    /// Whether it is of this database: the connection may lead elsewhere since.
    pub(super) fn is_of(&self, database: &Database) -> bool {
        self.database.is_same(database)
    }

    /// What time it is there, as far as is known.
    pub(super) fn now(&self) -> DateTime<Utc> {
        self.database.now()
    }

    /// Asks the database, where it is time to.
    pub(super) async fn look(&self) -> Result<(), DbError> {
        self.database.look_at_clock(LOOKED_EVERY, Instant::now() + LOOK_MAX).await?;
        self.compare(Utc::now() - self.now());
        Ok(())
    }

    /// Tells, once, that this machine's clock is off by so much.
    fn compare(&self, off: TimeDelta) {
        let is_wrong = off.abs() > WRONG;
        if is_wrong && !self.is_told.load(Ordering::Relaxed) {
            let (connection, milliseconds) = (self.database.name(), off.num_milliseconds());
            tracing::warn!(
                connection,
                milliseconds,
                "the clock of this machine is not that of the database: events go by the database's"
            );
        }
        self.is_told.store(is_wrong, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use santokit_core::wire::{RuntimeConnection, Sealed};

    use super::*;
    use crate::db::DatabaseSettings;

    #[tokio::test]
    async fn a_wrong_clock_is_told_until_it_is_right_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("it.db");
        std::fs::write(&file, "").unwrap();
        let url = format!("sqlite:{}", file.display());
        let connection = RuntimeConnection { engine: "sqlite".into(), url: Sealed::new(url), guests: Vec::new() };
        let database = Arc::new(Database::open("main", &connection, &DatabaseSettings::default()).unwrap());
        let clock = Clock::on(&database);
        assert!((clock.now() - Utc::now()).abs() < TimeDelta::minutes(1), "a file has this machine's");
        clock.compare(TimeDelta::hours(-3));
        assert!(clock.is_told.load(Ordering::Relaxed));
        clock.look().await.unwrap();
        assert!(!clock.is_told.load(Ordering::Relaxed), "it is right again");
    }
}
