//! The answer of a logic that says no.

use std::fmt;

use serde::Serialize;

use crate::bindings::exports::santokit::logic::handler;

/// The logic refuses. It reaches the caller as `LOGIC_ERROR` (422) with these fields inside, and rolls back the
/// invocation's transaction.
///
/// Everything in it is seen by the caller: what only an operator should see belongs in a log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogicError {
    code: String,
    message: String,
    details: Option<Vec<u8>>,
}

impl LogicError {
    /// `code` is for programs (upper case with underscores, `OUT_OF_STOCK`), `message` for people.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), details: None }
    }

    /// Adds any value that can be written as JSON, for example `json!({"left": 3})`.
    ///
    /// # Panics
    /// Where `details` has no JSON form (a map whose keys are not strings): that is a mistake in the logic.
    #[must_use]
    pub fn details(mut self, details: impl Serialize) -> Self {
        match serde_json::to_vec(&details) {
            Ok(bytes) => self.details = Some(bytes),
            Err(error) => panic!("the details of LogicError {} have no JSON form: {error}", self.code),
        }
        self
    }

    /// The code for programs.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The message for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn into_parts(self) -> (String, String, Option<Vec<u8>>) {
        (self.code, self.message, self.details)
    }

    pub(crate) fn into_wit(self) -> handler::LogicError {
        handler::LogicError { code: self.code, message: self.message, details: self.details }
    }
}

impl fmt::Display for LogicError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.message)
    }
}

impl std::error::Error for LogicError {}
