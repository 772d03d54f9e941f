//! One event: what is told of it, the payload as a type, the handler, and what its error becomes.

use serde::de::DeserializeOwned;

use crate::bindings::handling::exports::santokit::events::event_handler as wit;
use crate::{LogicError, panic};

/// What is told of an event besides its payload. It comes at least once: `id` is the same each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// `evt_…`.
    pub id: String,
    /// Its topic.
    pub topic: String,
    /// When it was published: RFC 3339 with microseconds, in UTC.
    pub published_at: String,
    /// Which attempt of the subscription this is, from 1.
    pub attempt: u32,
    /// The event that was being handled when this one was published.
    pub caused_by: Option<String>,
    /// How many events caused one another until this one; 0 for one that no event has caused.
    pub depth: u32,
}

/// Reads the payload and calls the handler. Not for direct use.
pub fn handle<P: DeserializeOwned>(
    event: wit::Event,
    payload: &[u8],
    handle: fn(Event, P) -> Result<(), LogicError>,
) -> Result<(), wit::EventError> {
    panic::install_hook();
    let payload = serde_json::from_slice(payload).map_err(|error| {
        // The payload was checked against its topic, so this is a topic that does not fit the type.
        refused(LogicError::new("INVALID_INPUT", format!("the payload does not fit the handler's type: {error}")))
    })?;
    let wit::Event { id, topic, published_at, attempt, caused_by, depth } = event;
    handle(Event { id, topic, published_at, attempt, caused_by, depth }, payload).map_err(refused)
}

fn refused(error: LogicError) -> wit::EventError {
    let (code, message, details) = error.into_parts();
    wit::EventError { code, message, details }
}
