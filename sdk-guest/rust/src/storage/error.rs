//! Why something was not done to an object, and what of it the caller may learn.

use std::fmt;

use crate::bindings::santokit::storage::storage as host;
use crate::{LogicError, log};

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// `grants.storage` does not allow it.
    Denied(String),
    /// Not acceptable as it stands.
    Invalid(String),
    /// There is no such object.
    Missing,
    /// The object that is there is not as was asked for; nothing was changed.
    Precondition,
    /// The bytes have another digest; nothing was changed.
    Checksum,
    /// Larger than objects of the bucket may be.
    TooLarge(String),
    /// The store has no room.
    Full(String),
    /// A limit of the manifest was reached (`storageBytes`).
    Limit(String),
    /// The store does not answer.
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
        let host::Error { code, message } = error;
        match code.as_str() {
            "denied" => Self::Denied(message),
            "invalid" => Self::Invalid(message),
            "missing" => Self::Missing,
            "precondition" => Self::Precondition,
            "checksum" => Self::Checksum,
            "too-large" => Self::TooLarge(message),
            "full" => Self::Full(message),
            "limit" => Self::Limit(message),
            "unavailable" => Self::Unavailable(message),
            _ => Self::Other { code, message },
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(why) => write!(f, "storage denied: {why}"),
            Self::Invalid(why) => write!(f, "storage invalid: {why}"),
            Self::Missing => f.write_str("storage missing: there is no such object"),
            Self::Precondition => f.write_str("storage precondition: the object is not as was asked for"),
            Self::Checksum => f.write_str("storage checksum: the bytes have another digest"),
            Self::TooLarge(why) => write!(f, "storage too large: {why}"),
            Self::Full(why) => write!(f, "storage full: {why}"),
            Self::Limit(name) => write!(f, "storage limit reached: {name}"),
            Self::Unavailable(why) => write!(f, "storage unavailable: {why}"),
            Self::Other { code, message } => write!(f, "storage {code}: {message}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for LogicError {
    /// For `?`. The caller gets a code to act on; which object it was goes to the log.
    fn from(error: Error) -> Self {
        let (code, message) = match &error {
            Error::Limit(_) => ("STORAGE_LIMIT", "the logic asked for more data than it may"),
            Error::Unavailable(_) | Error::Full(_) => ("STORAGE_UNAVAILABLE", "objects cannot be reached now"),
            Error::Denied(_) => ("STORAGE_DENIED", "the logic may not do this to an object"),
            Error::Missing => ("STORAGE_MISSING", "there is no such object"),
            Error::Precondition => ("STORAGE_CONFLICT", "the object was changed meanwhile"),
            Error::TooLarge(_) => ("STORAGE_TOO_LARGE", "the object is too large"),
            Error::Invalid(_) | Error::Checksum | Error::Other { .. } => {
                ("STORAGE_INVALID", "the logic made a mistake with an object")
            }
        };
        log::error(&error.to_string(), &[("code", code)]);
        Self::new(code, message)
    }
}
