//! Events that a guest publishes: whether it may, whether the payload is one of the topic, and in whose transaction it is kept.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::Utc;
use santokit_core::problem::Problem;
use santokit_sql::schema::bookkeeping::{OUTBOX, outbox};
use santokit_wasm::{EventError, SqlError, TransactionId};
use serde_json::{Map, Value as Json};
use tracing::{Instrument, Span, field::Empty};

use super::{EventPlace, Place, Session};
use crate::{
    crud::expired::Expiring,
    db::{Database, DbError, Mode, Session as Connection, Share},
    events::{Event, Topics},
};

/// A sweep is a few statements; what waits longer comes again.
const SWEEP_MAX: Duration = Duration::from_secs(5);

const EXPIRING: Expiring = Expiring { table: OUTBOX, id: outbox::ID, expires_at: outbox::EXPIRES_AT };

impl Session {
    /// Publishes, and shows it from outside. A topic has a name there once it is found granted: before, it is the guest's own text.
    pub(super) async fn publish_event(
        &mut self,
        topic: &str,
        payload: &[u8],
        within: Option<TransactionId>,
    ) -> Result<String, EventError> {
        let span =
            tracing::debug_span!("host.events", op = "publish", topic = Empty, connection = Empty, outcome = Empty);
        let published = self.keep_event(topic, payload, within).instrument(span.clone()).await;
        span.record("outcome", published.as_ref().map_or_else(EventError::code, |_| "ok"));
        published
    }

    async fn keep_event(
        &mut self,
        topic: &str,
        payload: &[u8],
        within: Option<TransactionId>,
    ) -> Result<String, EventError> {
        let event = self.event(topic, payload)?;
        let (deadline, request_id) = (self.deadline, self.invocation.request_id.as_str());
        let (connection, place) =
            self.sql.event_place(self.topics.default_connection(), within).await.map_err(misplaced)?;
        Span::current().record("connection", connection.as_str());
        let kept = match place {
            EventPlace::OfLogin(levels) => levels.publish(&event).await,
            EventPlace::OfTables(Place::Alone) => {
                let database = self.databases.get(&connection).ok_or(EventError::Unavailable)?;
                alone(database, &event, deadline).await
            }
            EventPlace::OfTables(Place::Lent(mut lent, ends)) => {
                let kept = insert(lent.session(), &event, ends.min(deadline)).await;
                // Not given back, it takes the transaction with it.
                if kept.is_ok() {
                    lent.end();
                }
                kept
            }
            EventPlace::OfTables(Place::OnServer(own)) => {
                let kept = insert(&mut own.session, &event, own.deadline.min(deadline)).await;
                own.is_broken |= kept.is_err();
                kept
            }
        };
        kept.map_err(|error| told(&error, request_id))?;
        self.metrics.event_published(&event.topic);
        if event.is_swept_after()
            && let Some(database) = self.databases.get(&connection)
            && self.topics.begin_sweep()
        {
            // Not in the guest's time, nor in its transaction, for whose end it may have to wait.
            tokio::spawn(sweep(Arc::clone(database), Arc::clone(&self.topics)));
        }
        Ok(event.id)
    }

    /// What is to be kept.
    fn event(&self, topic: &str, payload: &[u8]) -> Result<Event, EventError> {
        let denied = || EventError::Denied(format!("grants.events does not list {topic:?}"));
        if !self.grants.events.contains(topic) {
            return Err(denied());
        }
        let loaded = self.topics.get(topic).ok_or_else(denied)?;
        Span::current().record("topic", topic);
        let payload = serde_json::from_slice::<Map<String, Json>>(payload);
        let payload =
            payload.map_err(|error| EventError::Invalid(format!("the payload is no JSON object: {error}")))?;
        let payload = loaded.check(payload).map_err(|problem| unfit(&problem))?;
        let now = self.rehearsal.as_ref().and_then(|rehearsal| rehearsal.now).unwrap_or_else(Utc::now);
        let invocation = &self.invocation;
        Ok(Event {
            id: Event::id(),
            project: invocation.project.clone(),
            env: invocation.env.clone(),
            release: invocation.release_id.clone(),
            topic: topic.to_owned(),
            payload,
            published_by: invocation.logic.clone(),
            published_at: now,
            expires_at: loaded.expires_at(now),
        })
    }
}

async fn alone(database: &Database, event: &Event, deadline: Instant) -> Result<(), DbError> {
    let mut session = database.session(Mode::Write, Share::Guest, deadline).await?;
    let kept = insert(&mut session, event, deadline).await;
    session.end();
    kept
}

async fn insert(session: &mut Connection, event: &Event, deadline: Instant) -> Result<(), DbError> {
    let statement = event.insert(session.dialect()).map_err(|problem| DbError::unavailable(problem.message.clone()))?;
    session.execute(&statement, deadline).await.map(drop)
}

/// Removes some events whose time has come. Its failure is nobody's.
async fn sweep(database: Arc<Database>, topics: Arc<Topics>) {
    let deadline = Instant::now() + SWEEP_MAX;
    let swept = async {
        let mut session = database.session(Mode::Write, Share::Guest, deadline).await?;
        let swept = EXPIRING.sweep(&mut session, Utc::now(), deadline).await;
        session.end();
        swept
    };
    if let Err(error) = swept.await {
        tracing::debug!(error = &error as &dyn std::error::Error, "events whose time has come were not removed");
    }
    topics.end_sweep();
}

/// What does not fit, field by field. The guest has written it: its own values may be repeated to it.
fn unfit(problem: &Problem) -> EventError {
    let details = serde_json::to_vec(&problem.details).unwrap_or_else(|_| b"{}".to_vec());
    EventError::Schema(problem.message.clone(), details)
}

/// Why it has no place.
fn misplaced(error: SqlError) -> EventError {
    match error {
        SqlError::Denied(message) => EventError::Denied(message),
        SqlError::Invalid(message) => EventError::Invalid(message),
        SqlError::Timeout(_) => EventError::Timeout,
        SqlError::Limit(_) | SqlError::Unavailable(_) | SqlError::Database(_) | SqlError::Other(..) => {
            EventError::Unavailable
        }
    }
}

/// What the guest is told; the database's words are for operators.
fn told(error: &DbError, request_id: &str) -> EventError {
    if error.kind == santokit_sql::failure::FailureKind::Interrupted {
        return EventError::Timeout;
    }
    tracing::error!(requestId = request_id, cause = error as &dyn std::error::Error, "an event could not be kept");
    EventError::Unavailable
}
