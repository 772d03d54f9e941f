//! Why an event was not published, and what of it the caller may learn.

use std::fmt;

use serde_json::{Map, Value};

use crate::bindings::santokit::events::events as host;
use crate::{LogicError, log};

/// Why an event was not published.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// `grants.events` does not list the topic.
    Denied(String),
    /// The call is not acceptable as it stands: the payload is no object, the transaction has ended, or is open and was not passed.
    Invalid(String),
    /// The payload is not as the topic declares it.
    Schema {
        /// For people.
        message: String,
        /// `errors`, with `field` and `message` for each that does not fit.
        details: Map<String, Value>,
    },
    /// Larger than a payload may be.
    TooLarge(String),
    /// The topic is published more often than it may be.
    Rate(String),
    /// The invocation's time, or that of the transaction, was over.
    Timeout(String),
    /// The database does not take it now.
    Unavailable(String),
    /// Anything else.
    Other {
        /// For programs.
        code: String,
        /// For people.
        message: String,
    },
}

impl From<host::Error> for Error {
    fn from(error: host::Error) -> Self {
        let host::Error { code, message, details } = error;
        match code.as_str() {
            "denied" => Self::Denied(message),
            "invalid" => Self::Invalid(message),
            "schema" => Self::Schema { message, details: serde_json::from_slice(&details).unwrap_or_default() },
            "too-large" => Self::TooLarge(message),
            "rate" => Self::Rate(message),
            "timeout" => Self::Timeout(message),
            "unavailable" => Self::Unavailable(message),
            _ => Self::Other { code, message },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(why) => write!(f, "events denied: {why}"),
            Self::Invalid(why) => write!(f, "events invalid: {why}"),
            Self::Schema { message, .. } => write!(f, "events schema: {message}"),
            Self::TooLarge(why) => write!(f, "events too large: {why}"),
            Self::Rate(why) => write!(f, "events rate: {why}"),
            Self::Timeout(why) => write!(f, "events timeout: {why}"),
            Self::Unavailable(why) => write!(f, "events unavailable: {why}"),
            Self::Other { code, message } => write!(f, "events {code}: {message}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for LogicError {
    /// For `?`. The caller gets a code to act on; what it was about goes to the log.
    fn from(error: Error) -> Self {
        let (code, message) = match &error {
            Error::Denied(_) => ("EVENT_DENIED", "the logic may not publish this"),
            Error::Rate(_) => ("EVENT_RATE", "too many events of this kind are published"),
            Error::Timeout(_) => ("EVENT_TIMEOUT", "the database took too long"),
            Error::Unavailable(_) => ("EVENT_UNAVAILABLE", "events cannot be published now"),
            Error::Invalid(_) | Error::Schema { .. } | Error::TooLarge(_) | Error::Other { .. } => {
                ("EVENT_INVALID", "the logic made a mistake with an event")
            }
        };
        log::error(&error.to_string(), &[("code", code)]);
        Self::new(code, message)
    }
}
