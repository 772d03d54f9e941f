//! `events/{topic}/publish`: an event that an application publishes. Who may is said by the topic's rules; who may not learns of no topic.

use std::{slice, time::Instant};

use santokit_core::{
    access::{ActorKind, Decision, Denial},
    code::Code,
    name,
    problem::{Outcome, Problem},
};
use serde_json::{Map, Value as Json, json};

use super::{Event, LoadedTopic, Topics, sweep, trigger::RowEvents};
use crate::{
    crud::{
        Crud,
        answer::Answer,
        findings::shown,
        idempotency::{Known, Remembered},
    },
    db::{DbError, Flow, Mode, Share},
};

impl Crud<'_> {
    /// Publishes an event; its id. `key` is an `Idempotency-Key`.
    pub async fn publish(&self, topic: &str, payload: Map<String, Json>, key: Option<&str>) -> Outcome<Answer> {
        let Some(of) = self.tables.row_events() else { return Err(self.unknown_topic(topic, None)) };
        let Some(loaded) = of.topics.get(topic) else { return Err(self.unknown_topic(topic, Some(&of.topics))) };
        let checked = loaded.check(payload.clone());
        self.ask_topic(topic, of, checked.as_ref().unwrap_or(&payload))?;
        of.topics.admit(self.env, topic).await?;
        let path = format!("events/{topic}/publish");
        let remembered = key.map(|key| Remembered::new(self.env, self.actor, &path, key, &payload)).transpose()?;
        let event = self.event(topic, loaded, of, checked?)?;
        let answer = Answer::of(json!({"id": event.id}).to_string().into_bytes());
        self.keep(event, remembered.as_ref(), answer, of).await
    }

    fn event(&self, topic: &str, loaded: &LoadedTopic, of: &RowEvents, payload: Map<String, Json>) -> Outcome<Event> {
        let most = of.topics.payload_max();
        if serde_json::to_vec(&payload).map_err(Problem::internal)?.len() > most {
            let message = format!("a payload has at most {most} bytes");
            return Err(Problem::limit(Code::BadRequest, "eventPayload", message));
        }
        Ok(Event {
            id: Event::id(),
            project: self.env.0.to_owned(),
            env: self.env.1.to_owned(),
            release: of.release_id.clone(),
            topic: topic.to_owned(),
            payload,
            published_by: format!("request:{}", self.actor.kind.as_str()),
            published_at: self.now,
            caused_by: None,
            depth: 0,
            expires_at: loaded.expires_at(self.now),
        })
    }

    /// Who is denied learns nothing of the payload either.
    fn ask_topic(&self, topic: &str, of: &RowEvents, payload: &Map<String, Json>) -> Outcome<()> {
        let decision = match of.topics.rules.get(topic) {
            Some(rules) => rules.decide(self.actor, payload, self.now),
            None => Decision::Deny { reason: Denial::NoRule },
        };
        let reason = match decision {
            Decision::Allow => return Ok(()),
            Decision::DenyAnonymous => None,
            // The evaluator's words can hold values of the request.
            Decision::Deny { reason: Denial::Evaluation { rule, .. } } => {
                Some(format!("the condition of rule {rule} cannot be evaluated"))
            }
            Decision::Deny { reason } => Some(reason.to_string()),
        };
        self.metrics.denied(topic, "publish");
        tracing::info!(topic, requestId = self.request_id, reason, "denied");
        Err(match (self.actor.kind, reason) {
            (ActorKind::ApiKey | ActorKind::System, Some(reason)) => Problem::new(Code::Forbidden, reason),
            _ => self.unknown_topic(topic, None),
        })
    }

    /// The answer where there is no such topic, and the same where this caller may not know of it.
    fn unknown_topic(&self, sent: &str, topics: Option<&Topics>) -> Box<Problem> {
        let unknown = || Problem::new(Code::NotFound, "there is no such topic");
        match self.actor.kind {
            ActorKind::Anonymous => Problem::new(Code::Unauthorized, "this needs a credential"),
            ActorKind::User | ActorKind::Service => unknown(),
            ActorKind::ApiKey | ActorKind::System => {
                let names = topics.into_iter().flat_map(|topics| topics.by_name.keys().map(String::as_str));
                match name::nearest(&shown(sent), names) {
                    Some(near) => unknown().hint(format!("did you mean {near}?")),
                    None => unknown(),
                }
            }
        }
    }

    /// In a statement of its own, or with the key in one transaction.
    async fn keep(
        &self,
        mut event: Event,
        remembered: Option<&Remembered>,
        answer: Answer,
        of: &RowEvents,
    ) -> Outcome<Answer> {
        let connection = of.topics.default_connection();
        let away = || Problem::new(Code::ServiceUnavailable, "the database of the events is not available");
        let database = self.databases.get(connection).ok_or_else(away)?;
        let deadline = Instant::now() + self.query_timeout;
        Event::date(slice::from_mut(&mut event), database, deadline).await;
        let insert = event.insert(database.dialect())?;
        let answer = if let Some(remembered) = remembered {
            let mut session = database.begin(Mode::Write, Share::Platform, deadline).await.map_err(DbError::problem)?;
            let mut runner = self.runner(&mut session, connection, deadline);
            if let Known::Answered(answer) = runner.remember(remembered, self.now).await? {
                return Ok(Answer { is_replayed: true, ..answer });
            }
            runner.each(&insert, &mut |_| Ok(Flow::Continue)).await.map_err(DbError::problem)?;
            self.end(session, database, Some(remembered), answer, deadline).await?
        } else {
            let session = database.session(Mode::Write, Share::Platform, deadline).await;
            let mut session = session.map_err(DbError::problem)?;
            let mut runner = self.runner(&mut session, connection, deadline);
            runner.each(&insert, &mut |_| Ok(Flow::Continue)).await.map_err(DbError::problem)?;
            session.end();
            answer
        };
        self.events.note();
        self.metrics.events.published(&event.topic);
        if event.is_swept_after() {
            sweep(database, &of.topics);
        }
        Ok(answer)
    }
}

/// What `events/{topic}/publish` names.
pub fn topic_path(path: &str) -> Option<&str> {
    path.strip_prefix("events/")?.strip_suffix("/publish").filter(|topic| !topic.contains('/'))
}
