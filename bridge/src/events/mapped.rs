//! Events whose payloads a mapping makes: of rows for a trigger, of what it was given and has answered for a logic in SQL. What does not fit the
//! topic fails the whole of what is told. It runs no statement.

use santokit_core::{
    code::Code,
    problem::{Outcome, Problem},
};
use serde_json::{Map, Value as Json};

use super::{Event, Occasion, Topics, trigger::Cause};
use crate::crud::access::is_told_reasons;

/// What publishes by a mapping, by its name.
#[derive(Clone, Copy, Debug)]
pub enum Mapper<'m> {
    /// A trigger.
    Trigger(&'m str),
    /// A logic in SQL.
    Logic(&'m str),
}

impl<'m> Mapper<'m> {
    /// The event of a payload, and the bytes of that. The topics are those of a release.
    pub fn event(
        self,
        name: &str,
        payload: Map<String, Json>,
        (topics, release_id): (&Topics, &str),
        cause: Cause<'_>,
    ) -> Outcome<(Event, usize)> {
        let topic = topics.get(name).ok_or_else(|| Problem::internal("a mapping has no topic"))?;
        let payload = topic.check(payload).map_err(|problem| self.unfit(name, &problem, cause))?;
        let size = serde_json::to_vec(&payload).map_err(Problem::internal)?.len();
        let most = topics.payload_max();
        if size > most {
            let what = format!("it has more than {most} bytes");
            return Err(self.unfit(name, &Problem::limit(Code::BadRequest, "eventPayload", what), cause));
        }
        let (caused_by, depth) = Occasion::causes(cause.occasion);
        let event = Event {
            id: Event::id(),
            project: cause.env.0.to_owned(),
            env: cause.env.1.to_owned(),
            release: release_id.to_owned(),
            topic: name.to_owned(),
            payload,
            published_by: match self {
                Self::Trigger(trigger) => format!("trigger:{trigger}"),
                Self::Logic(logic) => logic.to_owned(),
            },
            published_at: cause.now,
            caused_by,
            depth,
            expires_at: topic.expires_at(cause.now),
        };
        Ok((event, size))
    }

    /// What was done is not what the topic needs. Who may not know of topics is told that it cannot be done, and no more.
    pub fn unfit(self, topic: &str, problem: &Problem, cause: Cause<'_>) -> Box<Problem> {
        let errors = problem.details.get("errors");
        // No value is among them: they say what is expected.
        let fields = errors.map_or_else(|| problem.message.clone(), ToString::to_string);
        let (kind, name) = self.named();
        tracing::warn!(
            requestId = cause.request_id,
            by = kind,
            publisher = name,
            topic,
            fields,
            "an event does not fit its topic: what it would tell of is not done"
        );
        let told = |message: String| match problem.details.get("limit").and_then(Json::as_str) {
            Some(limit) => Problem::limit(Code::BadRequest, limit, message),
            None => Problem::new(Code::SchemaValidationFailed, message),
        };
        if !is_told_reasons(cause.kind) {
            return told(match self {
                Self::Trigger(_) => "a row of the request does not fit the event that is published of it".to_owned(),
                Self::Logic(_) => "what the logic did does not fit the event that is published of it".to_owned(),
            });
        }
        let (what, hint) = match self {
            Self::Trigger(_) => {
                ("the row as ", "the columns that the trigger maps must have what the topic's fields take")
            }
            Self::Logic(_) => ("", "what the logic's publish maps must be what the topic's fields take"),
        };
        let message = format!("the {kind} {name:?} cannot publish {what}{topic:?}: {}", problem.message);
        let problem = told(message).hint(hint);
        match errors {
            Some(errors) => problem.detail("errors", errors.clone()),
            None => problem,
        }
    }

    fn named(self) -> (&'static str, &'m str) {
        match self {
            Self::Trigger(name) => ("trigger", name),
            Self::Logic(name) => ("logic", name),
        }
    }
}
