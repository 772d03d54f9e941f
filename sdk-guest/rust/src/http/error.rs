//! Why a request has no answer, and what of it the caller may learn.

use std::fmt;

use crate::bindings::santokit::http::http as host;
use crate::{LogicError, log};

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// `grants.http` does not allow it.
    Denied(String),
    /// The host is at an address that is never connected to.
    Address(String),
    /// Not acceptable as it stands.
    Invalid(String),
    /// A transaction on SQLite is open.
    Transaction(String),
    /// There was no whole answer in the time that it had.
    Timeout(String),
    /// No such host, no connection, or no certificate that is trusted.
    Unreachable(String),
    /// A limit of the manifest was reached (`httpBytes`).
    Limit(String),
    /// The status is none of success; see [`Answer::ok`](super::Answer::ok).
    Status(u16),
    /// The body is not what was asked for.
    Decode(String),
    /// Anything else: `redirects`, `answer`, …
    Other {
        /// For programs.
        code: String,
        /// For people.
        message: String,
    },
}

impl From<host::Error> for Error {
    fn from(error: host::Error) -> Self {
        let host::Error { code, message } = error;
        match code.as_str() {
            "denied" => Self::Denied(message),
            "address" => Self::Address(message),
            "invalid" => Self::Invalid(message),
            "transaction" => Self::Transaction(message),
            "timeout" => Self::Timeout(message),
            "unreachable" => Self::Unreachable(message),
            "limit" => Self::Limit(message),
            _ => Self::Other { code, message },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(why) => write!(f, "http denied: {why}"),
            Self::Address(why) => write!(f, "http address: {why}"),
            Self::Invalid(why) => write!(f, "http invalid: {why}"),
            Self::Transaction(why) => write!(f, "http transaction: {why}"),
            Self::Timeout(why) => write!(f, "http timeout: {why}"),
            Self::Unreachable(why) => write!(f, "http unreachable: {why}"),
            Self::Limit(name) => write!(f, "http limit reached: {name}"),
            Self::Status(status) => write!(f, "http status {status}"),
            Self::Decode(why) => write!(f, "a body is not what was asked for: {why}"),
            Self::Other { code, message } => write!(f, "http {code}: {message}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for LogicError {
    /// For `?`. The caller gets a code to act on; whom the logic asked goes to the log.
    fn from(error: Error) -> Self {
        let (code, message) = match &error {
            Error::Limit(_) => ("HTTP_LIMIT", "the logic asked for more data than it may read"),
            Error::Timeout(_) => ("HTTP_TIMEOUT", "another service took too long"),
            Error::Unreachable(_) => ("HTTP_UNAVAILABLE", "another service cannot be reached now"),
            Error::Denied(_) | Error::Address(_) => ("HTTP_DENIED", "the logic may not ask this of another service"),
            Error::Invalid(_) | Error::Transaction(_) => ("HTTP_INVALID", "the logic made a mistake with a request"),
            Error::Status(_) | Error::Decode(_) | Error::Other { .. } => {
                ("HTTP_ERROR", "another service did not answer as expected")
            }
        };
        log::error(&error.to_string(), &[("code", code)]);
        Self::new(code, message)
    }
}
