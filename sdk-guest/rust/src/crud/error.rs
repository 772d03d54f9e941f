//! Why a request to a table was not done, and what of it the caller may learn.

use std::fmt;

use serde_json::{Map, Value};

use crate::bindings::santokit::crud::crud as host;
use crate::{LogicError, log};

/// Why a request to a table was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The manifest does not grant this.
    Denied(String),
    /// The call is not acceptable as it stands: its transaction has ended, is on another database, or is open and was not passed.
    Invalid(String),
    /// A limit of the manifest was reached (`sqlRows`, `sqlBytes`).
    Limit(String),
    /// The invocation's time, or that of the transaction, was over.
    Timeout(String),
    /// The tables' answer, as a caller of the Bridge would be told.
    Refused(Problem),
    /// The answer does not fit the type that was asked for.
    Decode(String),
    /// Anything else.
    Other {
        /// For programs.
        code: String,
        /// For people.
        message: String,
    },
}

/// What a caller of the Bridge would be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Of the catalogue of error codes: `NOT_FOUND`, `BAD_REQUEST`, `CONFLICT`, …
    pub code: String,
    /// For people.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// For programs: `errors`, `limit`.
    pub details: Map<String, Value>,
}

impl Error {
    /// The code of the tables' answer, if that is what it is: `NOT_FOUND`, `CONFLICT`, …
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused(problem) => Some(&problem.code),
            _ => None,
        }
    }
}

impl From<host::Error> for Error {
    fn from(error: host::Error) -> Self {
        match error {
            host::Error::Denied(why) => Self::Denied(why),
            host::Error::Invalid(why) => Self::Invalid(why),
            host::Error::Limit(name) => Self::Limit(name),
            host::Error::Timeout(why) => Self::Timeout(why),
            host::Error::Refused(problem) => Self::Refused(Problem {
                code: problem.code,
                message: problem.message,
                hint: problem.hint,
                details: serde_json::from_slice(&problem.details).unwrap_or_default(),
            }),
            host::Error::Other((code, message)) => Self::Other { code, message },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(why) => write!(f, "crud denied: {why}"),
            Self::Invalid(why) => write!(f, "crud invalid: {why}"),
            Self::Limit(name) => write!(f, "crud limit reached: {name}"),
            Self::Timeout(why) => write!(f, "crud timeout: {why}"),
            Self::Refused(problem) => write!(f, "crud refused, {}: {}", problem.code, problem.message),
            Self::Decode(why) => write!(f, "an answer does not fit its type: {why}"),
            Self::Other { code, message } => write!(f, "crud: {code}: {message}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for LogicError {
    /// For `?`. The caller gets a code to act on; what the tables said to the logic goes to the log.
    fn from(error: Error) -> Self {
        let (code, message) = match &error {
            Error::Limit(_) => ("SQL_LIMIT", "the logic asked for more data than it may read"),
            Error::Timeout(_) => ("CRUD_TIMEOUT", "the database took too long"),
            Error::Denied(_) => ("CRUD_DENIED", "the logic may not do this with a table"),
            Error::Invalid(_) | Error::Decode(_) => ("CRUD_INVALID", "the logic made a mistake with a table"),
            Error::Other { .. } => ("CRUD_ERROR", "the database refused"),
            Error::Refused(problem) => match problem.code.as_str() {
                "UNAUTHORIZED" | "FORBIDDEN" | "NOT_FOUND" => ("CRUD_DENIED", "the logic may not do this with a table"),
                "BAD_REQUEST" | "SCHEMA_VALIDATION_FAILED" => ("CRUD_INVALID", "a table does not take this"),
                "CONFLICT" => ("CRUD_CONFLICT", "the change contradicts what is stored"),
                "SERVICE_UNAVAILABLE" => ("CRUD_UNAVAILABLE", "the database cannot be reached now"),
                _ => ("CRUD_ERROR", "the database refused"),
            },
        };
        log::error(&error.to_string(), &[("code", code)]);
        Self::new(code, message)
    }
}
