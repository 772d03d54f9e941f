//! What time it is at a database: by its clock, which all its Bridges have in common, however wrong their own are. It is asked for now and then, and goes on
//! from there by a clock that nobody sets. How often is said by who asks.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use santokit_core::value::Value;
use santokit_sql::{dialect::Dialect, render};

use super::{Database, DbError, Mode, Session, Share, may_read_again};

/// Who keeps something waits no longer for the first answer.
const FIRST_MAX: Duration = Duration::from_secs(1);

/// By so much an answer can be before what was known, because it took another time to come; more is a clock that was set.
const EARLIER_MAX: TimeDelta = TimeDelta::seconds(1);

/// What is known of it.
#[derive(Debug, Default)]
pub(super) struct Time {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// What time it was there, and when that was.
    anchor: Option<(DateTime<Utc>, Instant)>,
    /// The last one that something was kept with.
    latest: Option<DateTime<Utc>>,
}

impl Database {
    /// What time it is there, as far as is known: before the first answer, and on a file of SQLite, this machine's.
    pub fn now(&self) -> DateTime<Utc> {
        self.time.known().now()
    }

    /// The same for what is kept there, which is not before what was kept with the one before. Where it is not known yet it is asked for; a database that does not
    /// answer that takes nothing either.
    pub async fn time(&self, deadline: Instant) -> DateTime<Utc> {
        let asked = self.look_at_clock(Duration::MAX, deadline.min(Instant::now() + FIRST_MAX)).await;
        if let Err(error) = asked {
            tracing::debug!(error = &error as &dyn std::error::Error, "a database has not said what time it is");
        }
        self.time.next()
    }

    /// Asks for it, if that was not done within a time.
    pub async fn look_at_clock(&self, within: Duration, deadline: Instant) -> Result<(), DbError> {
        if self.dialect() == Dialect::Sqlite || self.time.was_told_within(within) {
            return Ok(());
        }
        loop {
            let mut session = self.session(Mode::Read, Share::Platform, deadline).await?;
            // Without what it takes to have a connection.
            let asked = Instant::now();
            match session.now(deadline).await {
                Err(error) if may_read_again(Mode::Read, &session, &error) => {}
                Err(error) => return Err(error),
                Ok(there) => {
                    session.end();
                    // In the middle of the question and its answer.
                    self.time.set(there, asked + asked.elapsed() / 2);
                    return Ok(());
                }
            }
        }
    }
}

impl Session {
    /// What its database says that the time is.
    pub async fn now(&mut self, deadline: Instant) -> Result<DateTime<Utc>, DbError> {
        let rows = self.rows(&render::now(self.dialect()), deadline).await?;
        let told = match rows.into_iter().next().and_then(|row| row.into_iter().next()) {
            Some(Value::Text(told) | Value::Typed(_, told)) => DateTime::parse_from_rfc3339(&told).ok(),
            _ => None,
        };
        told.map(|at| at.to_utc()).ok_or_else(|| DbError::unavailable("the database does not say what time it is"))
    }
}

impl Time {
    fn was_told_within(&self, within: Duration) -> bool {
        self.known().anchor.is_some_and(|(_, since)| since.elapsed() < within)
    }

    fn set(&self, there: DateTime<Utc>, at: Instant) {
        self.known().anchor = Some((there, at));
    }

    fn next(&self) -> DateTime<Utc> {
        let mut known = self.known();
        let now = known.now();
        let latest = known.latest.filter(|latest| *latest > now && *latest - now < EARLIER_MAX);
        let next = latest.unwrap_or(now);
        known.latest = Some(next);
        next
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn now(&self) -> DateTime<Utc> {
        match self.anchor {
            Some((at, since)) => at + TimeDelta::from_std(since.elapsed()).unwrap_or_default(),
            None => Utc::now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_on_from_what_the_database_has_said() {
        let time = Time::default();
        assert!(!time.was_told_within(Duration::MAX));
        assert!((time.known().now() - Utc::now()).abs() < TimeDelta::minutes(1), "nothing else is known");
        let there = Utc::now() - TimeDelta::hours(3);
        time.set(there, Instant::now());
        let first = time.known().now();
        let second = time.known().now();
        assert!(there <= first && first <= second && second < there + TimeDelta::hours(1), "{first} {second}");
        assert!(time.was_told_within(Duration::from_hours(1)) && !time.was_told_within(Duration::ZERO));
    }

    #[test]
    fn what_is_kept_is_not_before_what_was_kept_unless_the_clock_was_set() {
        let (time, there) = (Time::default(), Utc::now() + TimeDelta::hours(3));
        time.set(there, Instant::now());
        let first = time.next();
        // Another answer, which took longer to come back than to go.
        time.set(there - TimeDelta::milliseconds(500), Instant::now());
        let second = time.next();
        assert!(first >= there && second >= first, "{first} {second}");
        let set = there - TimeDelta::hours(1);
        time.set(set, Instant::now());
        let third = time.next();
        assert!(third >= set && third < there, "{third}");
    }
}
