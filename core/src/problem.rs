//! A failure as a value: what the caller is told, and apart from it what only the log may hold.
//!
//! HTTP-agnostic; `bridge::edge::respond` and `hub::api` turn a code into a status as their last step.

use std::{error::Error, sync::Arc, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::code::Code;

/// What an error answer says: `{"error": {"code", "message", "requestId", "hint"?, "details"?}}` without the request id.
///
/// It has no `Display`: formatting one could mix the outside message and the inside cause.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The catalogue's code.
    pub code: Code,
    /// For the caller: no driver text, no table name that the caller did not send, no secret.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// For programs, for example `limit` or `errors`.
    pub details: Map<String, Json>,
    /// When it is worth trying again, where that is known.
    pub retry_after: Option<Duration>,
    /// For the log only.
    pub cause: Option<Cause>,
}

/// The inside reason of a [`Problem`]. Never sent to a caller.
pub type Cause = Arc<dyn Error + Send + Sync + 'static>;

/// Result of an operation that can fail towards a caller.
pub type Outcome<T> = Result<T, Box<Problem>>;

/// The `error` object on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProblemBody {
    /// The catalogue's code.
    pub code: Code,
    /// For people.
    pub message: String,
    /// The id under which the log has the cause.
    pub request_id: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// For programs.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub details: Map<String, Json>,
}

impl Problem {
    /// A problem with a message for the caller.
    pub fn new(code: Code, message: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            code,
            message: message.into(),
            hint: None,
            details: Map::new(),
            retry_after: None,
            cause: None,
        })
    }

    /// The host's own failure: the caller learns only that it happened.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Box<Self> {
        Self::new(Code::InternalError, "internal error").because(cause)
    }

    /// A limit was reached; `details.limit` names it.
    pub fn limit(code: Code, limit: &str, message: impl Into<String>) -> Box<Self> {
        Self::new(code, message).detail("limit", limit)
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self: Box<Self>, hint: impl Into<String>) -> Box<Self> {
        self.hint = Some(hint.into());
        self
    }

    /// Adds one entry for programs.
    #[must_use]
    pub fn detail(mut self: Box<Self>, key: &str, value: impl Into<Json>) -> Box<Self> {
        self.details.insert(key.to_owned(), value.into());
        self
    }

    /// Says when it is worth trying again.
    #[must_use]
    pub fn retry_after(mut self: Box<Self>, wait: Duration) -> Box<Self> {
        self.retry_after = Some(wait);
        self
    }

    /// Adds the inside cause, for the log only.
    #[must_use]
    pub fn because(mut self: Box<Self>, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Box<Self> {
        self.cause = Some(Arc::from(cause.into()));
        self
    }

    /// What goes on the wire.
    pub fn body(&self, request_id: &str) -> ProblemBody {
        ProblemBody {
            code: self.code,
            message: self.message.clone(),
            request_id: request_id.to_owned(),
            hint: self.hint.clone(),
            details: self.details.clone(),
        }
    }
}
