//! Secrets. Each name needs `grants.secrets`. Never log one.

use std::fmt;

use crate::bindings::santokit::runtime::secrets as host;
use crate::{LogicError, log};

/// Why a secret cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The manifest does not grant this name.
    Denied(String),
    /// The name is granted but the env has no such secret.
    Missing(String),
    /// Anything else.
    Other {
        /// For programs.
        code: String,
        /// For people.
        message: String,
    },
}

/// The secret's value.
pub fn get(name: &str) -> Result<String, Error> {
    host::get(name).map_err(|error| match error {
        host::Error::Denied(name) => Error::Denied(name),
        host::Error::Missing(name) => Error::Missing(name),
        host::Error::Other((code, message)) => Error::Other { code, message },
    })
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(name) => write!(f, "secret denied: {name} (add it to grants.secrets in logic.yaml)"),
            Self::Missing(name) => write!(f, "secret {name} is not set in this env (stk secrets set {name})"),
            Self::Other { code, message } => write!(f, "secret: {code}: {message}"),
        }
    }
}

impl std::error::Error for Error {}

impl From<Error> for LogicError {
    /// The caller learns that the logic is not set up; which name is missing goes to the log.
    fn from(error: Error) -> Self {
        log::error(&error.to_string(), &[]);
        Self::new("SECRET_ERROR", "the logic is not configured for this")
    }
}
