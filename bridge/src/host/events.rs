//! Events that a guest publishes: whether it may, whether the payload is one of the topic, and in whose transaction it is kept.

use std::{slice, sync::Arc, time::Instant};

use chrono::Utc;
use santokit_core::problem::Problem;
use santokit_wasm::{EventError, SqlError, ToldName, TransactionId};
use tracing::{Instrument, Span, field::Empty};

use super::{EventPlace, Place, Session, object, session_sql::guest_error};
use crate::{
    db::{Database, DbError, Mode, Session as Connection, Share},
    events::{self, DEPTH_MAX, Event, Occasion, chain},
};

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
        let mut event = self.event(topic, payload)?;
        if event.is_too_deep() {
            return Err(self.too_deep(&event).await);
        }
        let env = (self.invocation.project.as_str(), self.invocation.env.as_str());
        self.topics.admit(env, topic).await.map_err(|problem| {
            let wait = problem.retry_after.unwrap_or_default();
            EventError::Rate(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX))
        })?;
        let (deadline, request_id) = (self.deadline, self.invocation.request_id.as_str());
        let (connection, place) =
            self.sql.event_place(self.topics.default_connection(), within).await.map_err(misplaced)?;
        Span::current().record("connection", connection.as_str());
        if self.rehearsal.is_none()
            && let Some(database) = self.databases.get(&connection)
        {
            Event::date(slice::from_mut(&mut event), database, deadline).await;
        }
        let kept = keep(place, self.databases.get(&connection), &event, deadline).await;
        kept.map_err(|error| told(&error, request_id))?;
        self.has_published = true;
        self.metrics.events.published(&event.topic);
        if event.is_swept_after()
            && let Some(database) = self.databases.get(&connection)
        {
            events::sweep(database, &self.topics);
        }
        Ok(event.id)
    }

    /// What is to be kept.
    fn event(&self, topic: &str, payload: &[u8]) -> Result<Event, EventError> {
        let denied = || EventError::Denied(format!("grants.events does not list {}", ToldName(topic)));
        if !self.grants.events.contains(topic) {
            return Err(denied());
        }
        let loaded = self.topics.get(topic).ok_or_else(denied)?;
        Span::current().record("topic", topic);
        if payload.len() > self.topics.payload_max() {
            return Err(EventError::TooLarge(self.topics.payload_max()));
        }
        let payload = object::read(payload)
            .map_err(|error| EventError::Invalid(format!("the payload is no JSON object: {error}")))?;
        let payload = loaded.check(payload).map_err(|problem| unfit(&problem))?;
        let now = self.rehearsal.as_ref().and_then(|rehearsal| rehearsal.now).unwrap_or_else(Utc::now);
        let (caused_by, depth) = Occasion::causes(self.occasion.as_deref());
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
            caused_by,
            depth,
            expires_at: loaded.expires_at(now),
        })
    }

    /// Why an event is refused that so many others have led to: with the events themselves, as far as they are still there.
    async fn too_deep(&self, event: &Event) -> EventError {
        let of = (event.topic.as_str(), event.caused_by.clone());
        let chain = chain::told(of, &self.databases, None, self.deadline).await;
        tracing::warn!(logic = %self.invocation.logic, requestId = %self.invocation.request_id, %chain, "a chain of events is too deep");
        EventError::Invalid(format!("{DEPTH_MAX} events have caused one another, and this one is refused: {chain}"))
    }

    /// Says that the event is handled for which this invocation is, in its own transaction, where that is on the event's database.
    pub(super) async fn acknowledge(&mut self) -> Result<(), SqlError> {
        let Some(occasion) = self.occasion.clone().filter(|_| self.depth == 0) else { return Ok(()) };
        let Some(acknowledgement) = &occasion.acknowledgement else { return Ok(()) };
        if !self.sql.is_whole(&acknowledgement.connection) {
            return Ok(());
        }
        let invocation = &self.invocation;
        let of = (invocation.project.as_str(), invocation.env.as_str(), invocation.release_id.as_str());
        let row = acknowledgement.row(of, &invocation.logic, &occasion.info, Utc::now());
        let deadline = self.deadline;
        let (_, place) = self.sql.event_place(&acknowledgement.connection, None).await?;
        match place {
            // Of a release before it handled events: what is not said here is said afterwards.
            EventPlace::OfLogin(levels) if !levels.can_publish() => Ok(()),
            EventPlace::OfTables(Place::Alone) => Ok(()),
            place => {
                occasion.tell();
                keep(place, None, &row, deadline).await
            }
        }
        .map_err(guest_error)
    }
}

/// Keeps an event, or what is kept as one, where it belongs. What fails in a transaction takes it with it.
pub(super) async fn keep(
    place: EventPlace<'_>,
    database: Option<&Arc<Database>>,
    event: &Event,
    deadline: Instant,
) -> Result<(), DbError> {
    match place {
        EventPlace::OfLogin(levels) => levels.publish(event).await,
        EventPlace::OfTables(Place::Alone) => {
            let none = || DbError::unavailable("the release has no such connection");
            alone(database.ok_or_else(none)?, event, deadline).await
        }
        EventPlace::OfTables(Place::Lent(mut lent, ends)) => {
            let kept = insert(lent.session(), event, ends.min(deadline)).await;
            // Not given back, it takes the transaction with it.
            if kept.is_ok() {
                lent.end();
            }
            kept
        }
        EventPlace::OfTables(Place::OnServer(own)) => {
            let kept = insert(&mut own.session, event, own.deadline.min(deadline)).await;
            own.is_broken |= kept.is_err();
            kept
        }
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

/// What does not fit, field by field. The guest has written it: its own values may be repeated to it.
fn unfit(problem: &Problem) -> EventError {
    let details = serde_json::to_vec(&problem.details).unwrap_or_else(|_| b"{}".to_vec());
    EventError::Schema(problem.message.clone(), details)
}

/// Why it has no place.
pub(super) fn misplaced(error: SqlError) -> EventError {
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
pub(super) fn told(error: &DbError, request_id: &str) -> EventError {
    if error.kind == santokit_sql::failure::FailureKind::Interrupted {
        return EventError::Timeout;
    }
    tracing::error!(requestId = request_id, cause = error as &dyn std::error::Error, "an event could not be kept");
    EventError::Unavailable
}
