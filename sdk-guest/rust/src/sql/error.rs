//! Why a statement failed, and what of it the caller may learn.

use std::fmt;

use crate::bindings::santokit::sql::types as host;
use crate::{LogicError, log};

/// Why a statement failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The manifest does not grant this.
    Denied(String),
    /// The statement or its values are not acceptable.
    Invalid(String),
    /// A limit of the manifest was reached (`sqlRows`, `sqlBytes`, …).
    Limit(String),
    /// The statement ran into its time limit.
    Timeout(String),
    /// The database cannot be reached now.
    Unavailable(String),
    /// The database refused the statement.
    Database(DatabaseError),
    /// Exactly one row was asked for, and none or several came.
    RowCount {
        /// How many came; 2 stands for "2 or more".
        found: usize,
    },
    /// A row does not fit the type that was asked for.
    Decode(String),
    /// Anything else.
    Other {
        /// For programs.
        code: String,
        /// For people.
        message: String,
    },
}

/// What the database said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseError {
    /// SQLSTATE on PostgreSQL and MySQL; `sqlite:<extended result code>` on SQLite.
    pub code: String,
    /// The database's own words.
    pub message: String,
    /// Which kind of constraint was violated, if that is what happened.
    pub constraint: Option<Constraint>,
    /// True where the same call may succeed when made again.
    pub retryable: bool,
    /// What else the database told.
    pub extras: Vec<(String, String)>,
}

/// The kind of a violated constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Constraint {
    /// A unique index or primary key.
    Unique,
    /// A reference to or from another row.
    ForeignKey,
    /// A missing value.
    NotNull,
    /// A check.
    Check,
    /// One that this version does not know.
    Other(String),
}

impl Error {
    /// The kind of constraint that was violated, if that is what happened.
    pub fn constraint(&self) -> Option<&Constraint> {
        match self {
            Self::Database(error) => error.constraint.as_ref(),
            _ => None,
        }
    }

    /// Whether a unique index or primary key was violated.
    pub fn is_unique_violation(&self) -> bool {
        self.constraint() == Some(&Constraint::Unique)
    }

    /// Whether the same call may succeed when made again (a lock, a serialization failure, a lost connection).
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Database(error) => error.retryable,
            Self::Unavailable(_) => true,
            _ => false,
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
            host::Error::Unavailable(why) => Self::Unavailable(why),
            host::Error::Database(error) => Self::Database(DatabaseError {
                code: error.code,
                message: error.message,
                constraint: error.constraint_kind.map(Constraint::from_name),
                retryable: error.retryable,
                extras: error.extras,
            }),
            host::Error::Other((code, message)) => Self::Other { code, message },
        }
    }
}

impl Constraint {
    fn from_name(name: String) -> Self {
        match name.as_str() {
            "unique" => Self::Unique,
            "foreign_key" => Self::ForeignKey,
            "not_null" => Self::NotNull,
            "check" => Self::Check,
            _ => Self::Other(name),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Denied(why) => write!(f, "sql denied: {why}"),
            Self::Invalid(why) => write!(f, "sql invalid: {why}"),
            Self::Limit(name) => write!(f, "sql limit reached: {name}"),
            Self::Timeout(why) => write!(f, "sql timeout: {why}"),
            Self::Unavailable(why) => write!(f, "database unavailable: {why}"),
            Self::Database(error) => write!(f, "database error {}: {}", error.code, error.message),
            Self::RowCount { found: 0 } => f.write_str("one row was asked for, none came"),
            Self::RowCount { .. } => f.write_str("one row was asked for, several came"),
            Self::Decode(why) => write!(f, "a row does not fit its type: {why}"),
            Self::Other { code, message } => write!(f, "sql: {code}: {message}"),
        }
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::Decode(message.to_string())
    }
}

impl From<Error> for LogicError {
    /// For `?`. The caller gets a code to act on and no word of the database's; those go to the log.
    fn from(error: Error) -> Self {
        let (code, message) = match &error {
            Error::Denied(_) => ("SQL_DENIED", "the logic may not do this in the database"),
            Error::Limit(_) => ("SQL_LIMIT", "the logic asked for more data than it may read"),
            Error::Timeout(_) => ("SQL_TIMEOUT", "the database took too long"),
            Error::Unavailable(_) => ("SQL_UNAVAILABLE", "the database cannot be reached now"),
            Error::Database(database) => match database.constraint {
                Some(Constraint::Unique) => ("UNIQUE_VIOLATION", "a value that must be unique is already taken"),
                Some(Constraint::ForeignKey) => {
                    ("FOREIGN_KEY_VIOLATION", "a referenced row is missing or still in use")
                }
                Some(Constraint::NotNull) => ("NOT_NULL_VIOLATION", "a required value is missing"),
                Some(Constraint::Check) => ("CHECK_VIOLATION", "a value is not acceptable"),
                _ if database.retryable => ("SQL_CONFLICT", "another call got in the way; try again"),
                _ => ("SQL_ERROR", "the database refused"),
            },
            Error::RowCount { found: 0 } => ("NOT_FOUND", "there is no such row"),
            Error::Invalid(_) | Error::Decode(_) | Error::RowCount { .. } => {
                ("SQL_INVALID", "the logic made a mistake with the database")
            }
            Error::Other { .. } => ("SQL_ERROR", "the database refused"),
        };
        log::error(&error.to_string(), &[("code", code)]);
        Self::new(code, message)
    }
}
