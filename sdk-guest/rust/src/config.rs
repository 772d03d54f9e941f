//! Configuration values of the release, selected for the env. Each name needs `grants.config`.

use std::fmt;

use crate::bindings::santokit::runtime::config as host;
use crate::{LogicError, log};

/// Why a value cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The manifest does not grant this name.
    Denied(String),
    /// The name is granted, and the env sets nothing (only from [`require`]).
    Missing(String),
    /// Anything else.
    Other {
        /// For programs.
        code: String,
        /// For people.
        message: String,
    },
}

/// The value as text; none where the env sets nothing.
pub fn get(name: &str) -> Result<Option<String>, Error> {
    host::get(name).map_err(|error| match error {
        host::Error::Denied(name) => Error::Denied(name),
        host::Error::Other((code, message)) => Error::Other { code, message },
    })
}

/// The value as text; an error where the env sets nothing.
pub fn require(name: &str) -> Result<String, Error> {
    get(name)?.ok_or_else(|| Error::Missing(name.to_owned()))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(name) => write!(f, "configuration denied: {name} (add it to grants.config in logic.yaml)"),
            Self::Missing(name) => write!(f, "configuration {name} is not set in this env"),
            Self::Other { code, message } => write!(f, "configuration: {code}: {message}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for LogicError {
    /// The caller learns that the logic is not set up; which name is missing goes to the log.
    fn from(error: Error) -> Self {
        log::error(&error.to_string(), &[]);
        Self::new("CONFIG_ERROR", "the logic is not configured for this")
    }
}
