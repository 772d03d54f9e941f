//! Marks by which a logic knows what it has done: whether one is there, and in whose transaction a new one is kept. A mark is a row beside events,
//! of one logic in one env, and is never shared among subscriptions.

use chrono::{TimeDelta, Utc};
use santokit_core::release::Digest;
use santokit_sql::{delivery::ONCE, failure::FailureKind};
use santokit_wasm::{EventError, TransactionId};
use serde_json::Map;
use tracing::{Instrument, Span, field::Empty};

use super::{
    EventPlace, Place, Session,
    events::{keep, misplaced, told},
};
use crate::{
    db::{DbError, Mode, Session as Connection, Share},
    events::Event,
};

/// How long a mark stands: longer than the event that it is of, or its dead letter, can come again.
const KEEP_DAYS: i64 = 90;

/// Marks whose place is taken ahead in one invocation. Beyond, each takes its place when it is made.
const RESERVED_MAX: usize = 1_024;

impl Session {
    /// Whether a key is marked, and shows it from outside. The key is the guest's own text: it is not shown.
    pub(super) async fn is_done(&mut self, key: &str, within: Option<TransactionId>) -> Result<bool, EventError> {
        let span = tracing::debug_span!("host.once", op = "is-done", connection = Empty, outcome = Empty);
        let done = self.find_or_reserve(key, within).instrument(span.clone()).await;
        span.record("outcome", done.as_ref().map_or_else(EventError::code, |_| "ok"));
        done
    }

    /// Marks a key, and shows it from outside.
    pub(super) async fn mark_done(&mut self, key: &str, within: Option<TransactionId>) -> Result<(), EventError> {
        let span = tracing::debug_span!("host.once", op = "mark-done", connection = Empty, outcome = Empty);
        let done = self.keep_mark(key, within).instrument(span.clone()).await;
        span.record("outcome", done.as_ref().map_or_else(EventError::code, |()| "ok"));
        done
    }

    async fn find_or_reserve(&mut self, key: &str, within: Option<TransactionId>) -> Result<bool, EventError> {
        let id = self.mark_of(key)?;
        let found = self.find_mark(&id, within).await?;
        if !found {
            // The work comes between this and the mark. What could not be marked is not begun: it would be done again, and refused again.
            self.reserve(&id).await?;
        }
        Ok(found)
    }

    async fn find_mark(&mut self, id: &str, within: Option<TransactionId>) -> Result<bool, EventError> {
        let (deadline, request_id) = (self.deadline, self.invocation.request_id.as_str());
        let (connection, place) =
            self.sql.event_place(self.topics.default_connection(), within).await.map_err(misplaced)?;
        Span::current().record("connection", connection.as_str());
        let found = match place {
            // A login of guests may not read marks: what others have committed is read beside it.
            EventPlace::OfLogin(_) | EventPlace::OfTables(Place::Alone) => {
                let database = self.databases.get(&connection).ok_or(EventError::Unavailable)?;
                match database.session(Mode::Read, Share::Guest, deadline).await {
                    Ok(mut session) => {
                        let found = is_there(&mut session, id, deadline).await;
                        session.end();
                        found
                    }
                    Err(error) => Err(error),
                }
            }
            EventPlace::OfTables(Place::Lent(mut lent, ends)) => {
                let found = is_there(lent.session(), id, ends.min(deadline)).await;
                if found.is_ok() {
                    lent.end();
                }
                found
            }
            EventPlace::OfTables(Place::OnServer(own)) => {
                let found = is_there(&mut own.session, id, own.deadline.min(deadline)).await;
                own.is_broken |= found.is_err();
                found
            }
        };
        found.map_err(|error| told(&error, request_id))
    }

    /// Takes the place of a mark among those that the logic may make, where it has none yet: a mark is a row that stays, so that there are no more of them
    /// than there could be events of one topic.
    async fn reserve(&mut self, id: &str) -> Result<(), EventError> {
        if self.reserved.contains(id) {
            return Ok(());
        }
        let env = (self.invocation.project.as_str(), self.invocation.env.as_str());
        self.topics.admit(env, &format!("{ONCE} {}", self.invocation.logic)).await.map_err(|problem| {
            let wait = problem.retry_after.unwrap_or_default();
            EventError::Rate(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
        })?;
        if self.reserved.len() < RESERVED_MAX {
            self.reserved.insert(id.to_owned());
        }
        Ok(())
    }

    async fn keep_mark(&mut self, key: &str, within: Option<TransactionId>) -> Result<(), EventError> {
        let id = self.mark_of(key)?;
        let invocation = &self.invocation;
        let now = Utc::now();
        let mark = Event {
            id,
            project: invocation.project.clone(),
            env: invocation.env.clone(),
            release: invocation.release_id.clone(),
            topic: ONCE.to_owned(),
            payload: Map::new(),
            published_by: invocation.logic.clone(),
            published_at: now,
            caused_by: None,
            depth: 0,
            expires_at: now + TimeDelta::days(KEEP_DAYS),
        };
        self.reserve(&mark.id).await?;
        self.reserved.remove(&mark.id);
        let (deadline, request_id) = (self.deadline, self.invocation.request_id.as_str());
        let (connection, place) =
            self.sql.event_place(self.topics.default_connection(), within).await.map_err(misplaced)?;
        Span::current().record("connection", connection.as_str());
        let kept = keep(place, self.databases.get(&connection), &mark, deadline).await;
        kept.map_err(|error| match error.kind {
            FailureKind::Unique => EventError::Conflict,
            _ => told(&error, request_id),
        })
    }

    /// The id of a mark. Logics do not know each other's: one component that is two logics does its work for each.
    fn mark_of(&self, key: &str) -> Result<String, EventError> {
        if !self.grants.once {
            return Err(EventError::Denied("`once` is not granted".to_owned()));
        }
        let invocation = &self.invocation;
        let of = [&invocation.project, &invocation.env, &invocation.logic].map(String::as_str);
        let digest = Digest::of(format!("{}\0{key}", of.join("\0")).as_bytes());
        let digits = digest.as_str().rsplit(':').next().unwrap_or_default();
        Ok(format!("once_{}", digits.get(..32).unwrap_or_default()))
    }
}

async fn is_there(session: &mut Connection, id: &str, deadline: std::time::Instant) -> Result<bool, DbError> {
    Event::cause(session, id, deadline).await.map(|found| found.is_some())
}
