//! The event that an invocation is for: what its guest is told, what events that it publishes are caused by, and how its end is told in the
//! transaction of the handler itself. It knows no subscription.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use chrono::{DateTime, Utc};
use santokit_core::{schema::Type, value::Value};
use santokit_sql::statement::Bound;
use santokit_wasm::{CallError, EventInfo, Frame};
use serde_json::Map;

use super::Event;

/// How deep a chain of events that cause one another may be.
pub const DEPTH_MAX: u32 = 16;

/// What acknowledgements are kept as beside events: no topic has such a name.
pub use santokit_sql::delivery::ACKNOWLEDGED;

/// Frames and messages of a guest that are kept, in bytes.
const KEPT_MAX: usize = 4 << 10;

/// The event that an invocation is for.
#[derive(Debug)]
pub struct Occasion {
    /// What the guest is told.
    pub info: EventInfo,
    /// Told in the handler's own transaction, where it has one.
    pub acknowledgement: Option<Acknowledgement>,
    /// Whether it may have been.
    is_told: AtomicBool,
    failure: Mutex<Option<Failure>>,
}

/// The events that a request publishes: what they are caused by, and whether there may be any.
#[derive(Clone, Debug, Default)]
pub struct Publishing {
    occasion: Option<Arc<Occasion>>,
    has_published: Arc<AtomicBool>,
}

/// A row that says that an event is handled. It is stored with what the handler did or not at all, and it can be stored once.
#[derive(Clone, Debug)]
pub struct Acknowledgement {
    /// On which connection the handler's transaction must be.
    pub connection: String,
    /// `ack_` and digits of what it is for.
    pub id: String,
}

/// How a handler failed, for operators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Failure {
    /// What the sandbox says of it.
    pub message: String,
    /// The functions that the guest was in, a line each; empty where there were none.
    pub backtrace: String,
}

impl Occasion {
    /// For one attempt.
    pub fn new(info: EventInfo, acknowledgement: Option<Acknowledgement>) -> Self {
        Self { info, acknowledgement, is_told: AtomicBool::new(false), failure: Mutex::default() }
    }

    /// What an event that is published now is caused by, and how deep it is in its chain.
    pub(crate) fn causes(occasion: Option<&Self>) -> (Option<String>, u32) {
        let info = occasion.map(|occasion| &occasion.info);
        (info.map(|info| info.id.clone()), info.map_or(0, |info| info.depth.saturating_add(1)))
    }

    /// Notes that the handler's own transaction says that the event is handled. Before it is said: what may be there is looked after.
    pub(crate) fn tell(&self) {
        self.is_told.store(true, Ordering::Relaxed);
    }

    /// The row of that, where there may be one.
    pub(crate) fn told(&self) -> Option<&str> {
        let acknowledgement = self.acknowledgement.as_ref()?;
        self.is_told.load(Ordering::Relaxed).then_some(acknowledgement.id.as_str())
    }

    /// Notes how the guest failed.
    pub(crate) fn note(&self, error: &CallError) {
        let backtrace = match error {
            CallError::Limit { backtrace, .. } | CallError::Trap { backtrace, .. } => lines(backtrace),
            _ => String::new(),
        };
        let failure = Failure { message: cut(error.to_string()), backtrace: cut(backtrace) };
        *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }

    /// How the guest failed, if it did.
    pub fn failure(&self) -> Option<Failure> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Publishing {
    /// Of a guest that handles an event, if it handles one.
    pub(crate) fn of(occasion: Option<Arc<Occasion>>) -> Self {
        Self { occasion, has_published: Arc::default() }
    }

    /// What its events are caused by.
    pub(crate) fn occasion(&self) -> Option<&Occasion> {
        self.occasion.as_deref()
    }

    /// Notes that it may have published one, which is there when its transaction has ended.
    pub(crate) fn note(&self) {
        self.has_published.store(true, Ordering::Relaxed);
    }

    /// Whether it may have.
    pub(crate) fn has_published(&self) -> bool {
        self.has_published.load(Ordering::Relaxed)
    }
}

impl Acknowledgement {
    /// The row, which is kept as an event is, and is none.
    pub(crate) fn row(
        &self,
        (project, env, release): (&str, &str, &str),
        logic: &str,
        info: &EventInfo,
        now: DateTime<Utc>,
    ) -> Event {
        Event {
            id: self.id.clone(),
            project: project.to_owned(),
            env: env.to_owned(),
            release: release.to_owned(),
            topic: ACKNOWLEDGED.to_owned(),
            payload: Map::new(),
            published_by: logic.to_owned(),
            published_at: now,
            caused_by: Some(info.id.clone()),
            depth: 0,
            expires_at: now + chrono::TimeDelta::days(1),
        }
    }
}

/// A system variable of statements about the event that is handled: NULL where none is.
pub(crate) fn variable(occasion: Option<&Occasion>, name: &str) -> Option<Bound> {
    let info = occasion.map(|occasion| &occasion.info);
    let text = |of: fn(&EventInfo) -> Option<String>| {
        let value = info.and_then(of).map_or(Value::Null, Value::Text);
        Bound { kind: Type::String, value }
    };
    let number = |of: fn(&EventInfo) -> u32| {
        let value = info.map_or(Value::Null, |info| Value::Int64(of(info).into()));
        Bound { kind: Type::Int, value }
    };
    Some(match name {
        "event.id" => text(|info| Some(info.id.clone())),
        "event.topic" => text(|info| Some(info.topic.clone())),
        "event.causedBy" => text(|info| info.caused_by.clone()),
        "event.attempt" => number(|info| info.attempt),
        "event.depth" => number(|info| info.depth),
        "event.publishedAt" => {
            let typed = |info: &EventInfo| Value::Typed("timestamp".to_owned(), info.published_at.clone());
            Bound { kind: Type::Timestamp, value: info.map_or(Value::Null, typed) }
        }
        _ => return None,
    })
}

/// A guest's frames, a line each.
pub(crate) fn lines(backtrace: &[Frame]) -> String {
    let line = |frame: &Frame| match &frame.place {
        Some(place) => format!("{} at {place}", frame.function),
        None => frame.function.clone(),
    };
    backtrace.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn cut(mut text: String) -> String {
    if text.len() > KEPT_MAX {
        let mut end = KEPT_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_guest_says_is_kept_within_bounds() {
        let occasion = Occasion::new(EventInfo::default(), None);
        assert_eq!(occasion.failure(), None);
        occasion.note(&CallError::Host("ä".repeat(KEPT_MAX)));
        let failure = occasion.failure().unwrap();
        assert!(
            failure.message.len() <= KEPT_MAX + 3 && failure.message.ends_with('…') && failure.backtrace.is_empty()
        );
    }
}
