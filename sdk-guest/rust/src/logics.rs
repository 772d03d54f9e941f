//! Calls of other logics of the project. Needs `grants.logics` for each name.
//!
//! ```no_run
//! use santokit_guest::prelude::*;
//!
//! #[derive(Deserialize)]
//! struct Quote {
//!     cents: i64,
//! }
//!
//! # fn f() -> Result<(), LogicError> {
//! let quote: Quote = logics::call("pricing/quote", json!({"itemId": "i1"}))?;
//! # Ok(()) }
//! ```
//!
//! The logic runs for the same caller, with its own grants, within what this invocation has left, and in the transactions that are open.
//! Where it ends with an error, what it did in them is undone, and they go on.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::bindings::santokit::logics::logics as host;
use crate::{LogicError, log};

/// Why a logic gave no answer.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Error {
    /// Not granted, or the logic's rules do not let the caller of this invocation call it.
    Denied(String),
    /// The params are not as the logic declares them; the details have `errors`.
    Invalid(String, Value),
    /// The logic said no, with a code of its own.
    Refused(LogicError),
    /// It trapped, or reached a limit.
    Failed(String),
    /// A limit of this invocation was reached.
    Limit(String),
    /// The answer does not fit the type that was asked for.
    Decode(String),
    /// Anything else: `depth`, `unavailable`.
    Other {
        /// For programs.
        kind: String,
        /// For people.
        message: String,
    },
}

/// Calls a logic, and waits for its answer.
pub fn call<T: DeserializeOwned>(name: &str, params: impl Serialize) -> Result<T, Error> {
    let params = serde_json::to_vec(&params);
    let params =
        params.map_err(|error| Error::Invalid(format!("the params have no JSON form: {error}"), Value::Null))?;
    let answer = host::call(name, &params)?;
    serde_json::from_slice(&answer).map_err(|error| Error::Decode(error.to_string()))
}

impl From<host::Error> for Error {
    fn from(error: host::Error) -> Self {
        let host::Error { kind, code, message, details } = error;
        let read = |bytes: &Vec<u8>| serde_json::from_slice::<Value>(bytes).ok();
        let read = details.as_ref().and_then(read);
        match kind.as_str() {
            "denied" => Self::Denied(message),
            "invalid" => Self::Invalid(message, read.unwrap_or_default()),
            "refused" => {
                let refusal = LogicError::new(code, message);
                Self::Refused(match read {
                    Some(details) => refusal.details(details),
                    None => refusal,
                })
            }
            "failed" => Self::Failed(message),
            "limit" => Self::Limit(message),
            _ => Self::Other { kind, message },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(why) => write!(f, "logics denied: {why}"),
            Self::Invalid(why, details) => write!(f, "logics invalid: {why} {details}"),
            Self::Refused(refusal) => write!(f, "logics refused: {refusal}"),
            Self::Failed(why) => write!(f, "logics failed: {why}"),
            Self::Limit(why) => write!(f, "logics limit reached: {why}"),
            Self::Decode(why) => write!(f, "an answer does not fit its type: {why}"),
            Self::Other { kind, message } => write!(f, "logics {kind}: {message}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for LogicError {
    /// For `?`. What the called logic refuses with is handed on as it is; of all else the caller gets a code.
    fn from(error: Error) -> Self {
        let (code, message) = match error {
            Error::Refused(refusal) => return refusal,
            Error::Limit(_) => ("LOGICS_LIMIT", "the logic asked for more data than it may read"),
            Error::Denied(_) => ("LOGICS_DENIED", "the logic may not do this for its caller"),
            Error::Invalid(..) | Error::Decode(_) => ("LOGICS_INVALID", "the logic made a mistake with another one"),
            Error::Failed(_) | Error::Other { .. } => ("LOGICS_FAILED", "another logic failed"),
        };
        log::error(&error.to_string(), &[("code", code)]);
        Self::new(code, message)
    }
}
