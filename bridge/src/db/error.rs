//! Why a database did not do it, and what a caller is told of that.

use std::fmt;

use santokit_core::{code::Code, problem::Problem};
use santokit_sql::failure::FailureKind;
use sqlx::{mysql::MySqlDatabaseError, postgres::PgDatabaseError};

use super::bind::Unfitting;

/// Why the database did not do it. The engine's words can repeat a bound value (a path of JSON, a search): they are for the guest
/// that bound it, and neither callers nor the log see them. Shown as text, an error is its code.
#[derive(Clone, thiserror::Error)]
#[error("{shown}")]
pub struct DbError {
    /// What kind of failure.
    pub kind: FailureKind,
    /// The engine's code: `sqlite:2067`, `postgres:23505`, `mysql:1062`.
    pub code: String,
    /// The engine's words.
    pub message: String,
    /// For the log.
    shown: String,
}

/// How SQLite says that a name is not there.
const MISSING: [&str; 3] = ["no such table: ", "no such column: ", "no such function: "];
/// What PostgreSQL says when a table changed under a prepared statement, or when it has forgotten the statement; nothing was done.
/// The first one it says of much else, so that the place in its source is asked for as well: the words depend on its language.
const STALE: &str = "0A000";
const STALE_ROUTINE: &str = "RevalidateCachedQuery";
const FORGOTTEN: &str = "26000";
/// `SQLITE_NOMEM`.
const OUT_OF_MEMORY: &str = "sqlite:7";
/// For the operator's log.
const NO_TLS: &str = "no encrypted connection to the database could be made; `stk connections test` says why";

impl DbError {
    pub(crate) fn unavailable(message: impl Into<String>) -> Self {
        Self::own(FailureKind::Unavailable, "", &message.into())
    }

    pub(crate) fn interrupted() -> Self {
        Self::own(FailureKind::Interrupted, "sqlite:9", "the time limit was reached")
    }

    /// A guest's statement needs more memory than one may have.
    pub(super) fn out_of_memory() -> Self {
        Self::own(FailureKind::Statement, OUT_OF_MEMORY, "the statement needs more memory than a guest's may have")
    }

    /// Whether it is [`Self::out_of_memory`].
    pub fn is_out_of_memory(&self) -> bool {
        self.code == OUT_OF_MEMORY
    }

    pub(super) fn busy() -> Self {
        Self::own(FailureKind::Busy, "sqlite:5", "no connection became free in time")
    }

    pub(super) fn rolled_back() -> Self {
        Self::own(FailureKind::Statement, "sqlite:4", "the database has rolled the transaction back")
    }

    pub(super) fn exhausted() -> Self {
        Self::own(FailureKind::Exhausted, "", "no connection became free in time")
    }

    pub(super) fn lost() -> Self {
        Self::own(FailureKind::Lost, "", "the connection to the database was lost")
    }

    /// A statement after one that failed, in the same transaction.
    pub(super) fn failed_transaction() -> Self {
        Self::own(FailureKind::Statement, "", "the transaction has failed and can only be rolled back")
    }

    /// What only SQLite can do by now.
    pub(crate) fn unsupported(what: &str, engine: &str) -> Self {
        Self::own(FailureKind::NotAuthorized, "", &format!("{what} on {engine} is not supported by this version"))
    }

    /// Of whatever driver.
    pub(super) fn from_sqlx(error: &sqlx::Error) -> Self {
        let sqlx::Error::Database(database) = error else { return Self::from_connection(error) };
        if let Some(postgres) = database.try_downcast_ref::<PgDatabaseError>() {
            let code = postgres.code();
            let is_stale = code == FORGOTTEN || (code == STALE && postgres.routine() == Some(STALE_ROUTINE));
            let kind = if is_stale { FailureKind::Busy } else { FailureKind::of_postgres(code) };
            return Self::engine(kind, format!("postgres:{code}"), postgres.message().to_owned());
        }
        if let Some(mysql) = database.try_downcast_ref::<MySqlDatabaseError>() {
            let number = mysql.number();
            let kind = FailureKind::of_mysql(number, mysql.code().unwrap_or_default());
            return Self::engine(kind, format!("mysql:{number}"), mysql.message().to_owned());
        }
        Self::from_sqlite(error)
    }

    /// Of SQLite's.
    pub(super) fn from_sqlite(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(database) => {
                let code = database.code().and_then(|code| code.parse().ok()).unwrap_or(1);
                let kind = FailureKind::of_sqlite(code);
                Self::engine(kind, format!("sqlite:{code}"), database.message().to_owned())
            }
            sqlx::Error::PoolTimedOut => Self::busy(),
            sqlx::Error::Io(_) | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
                Self::unavailable("the database cannot be reached")
            }
            other => Self::engine(FailureKind::Statement, "sqlite:1".to_owned(), other.to_string()),
        }
    }

    /// Of the way to a server.
    fn from_connection(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Encode(cause) if cause.is::<Unfitting>() => {
                Self::own(FailureKind::Value, "", "a text does not have the form of its column")
            }
            sqlx::Error::Tls(_) => Self::unavailable(NO_TLS),
            // A certificate that is refused ends the handshake, which the driver tells as data that are none.
            sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => Self::unavailable(NO_TLS),
            sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => Self::lost(),
            other => Self::from_sqlite(other),
        }
    }

    /// Shows the name that is missing, where it stands in a release's own statement: that is no value.
    pub(super) fn named_in(mut self, sql: &str) -> Self {
        let missing = MISSING.iter().find_map(|start| self.message.strip_prefix(start));
        if missing.is_some_and(|name| sql.contains(name)) {
            self.shown = format!("{}: {}", self.shown, self.message);
        }
        self
    }

    /// Whether it is known that the statement was not begun, so that the same can be done once more.
    pub(super) fn is_stale_plan(&self) -> bool {
        let code = self.code.strip_prefix("postgres:").unwrap_or_default();
        self.kind == FailureKind::Busy && [STALE, FORGOTTEN].contains(&code)
    }

    /// Whether the engine's words about what has no form have a word of ours in them, which a statement put there to be told of a row
    /// (`santokit_sql::plan::write::CHECK_COLUMN`).
    pub fn repeats(&self, word: &str) -> bool {
        matches!(self.code.as_str(), "sqlite:1" | "postgres:22P02") && self.message.contains(word)
    }

    /// What a caller is told: nothing of the database's words.
    pub fn problem(self) -> Box<Problem> {
        let unavailable = "the database is not available now";
        let problem = match self.kind {
            FailureKind::Unique => Problem::new(Code::Conflict, "a value that must be unique is already taken"),
            FailureKind::ForeignKey => {
                Problem::new(Code::Conflict, "a row that is referred to is missing or still in use")
            }
            FailureKind::NotNull => Problem::new(Code::BadRequest, "a required value is missing"),
            FailureKind::Check => Problem::new(Code::BadRequest, "a value is not acceptable"),
            FailureKind::Value => {
                Problem::new(Code::BadRequest, "a value does not fit").hint("look at its range and its length")
            }
            FailureKind::Interrupted => {
                Problem::limit(Code::InternalError, "queryTimeout", "the statement ran into its time limit")
                    .hint("ask for less, or raise queryTimeout of the Bridge")
            }
            FailureKind::Exhausted => {
                Problem::limit(Code::ServiceUnavailable, "poolSize", "all connections to the database are in use")
                    .hint("try again")
            }
            FailureKind::Lost => Problem::new(Code::ServiceUnavailable, "the connection to the database was lost")
                .hint("try again; whether a write was done is not known, an Idempotency-Key makes repeating it safe"),
            FailureKind::Busy | FailureKind::Unavailable => {
                Problem::new(Code::ServiceUnavailable, unavailable).hint("try again")
            }
            // A server that is being replaced, or a standby: another one will write.
            FailureKind::ReadOnly if !self.code.starts_with("sqlite:") => {
                Problem::new(Code::ServiceUnavailable, "the database cannot be written now").hint("try again")
            }
            FailureKind::NotAuthorized | FailureKind::ReadOnly | FailureKind::Statement => {
                Problem::new(Code::InternalError, "internal error")
            }
        };
        problem.because(self)
    }

    /// In our words.
    fn own(kind: FailureKind, code: &str, message: &str) -> Self {
        Self { kind, code: code.to_owned(), message: message.to_owned(), shown: message.to_owned() }
    }

    /// In the engine's.
    fn engine(kind: FailureKind, code: String, message: String) -> Self {
        Self { kind, shown: format!("{code} ({})", kind.as_str()), code, message }
    }
}

impl fmt::Debug for DbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DbError({})", self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_shows_a_missing_name_of_the_statement_and_no_value() {
        let error = |message: &str| DbError::engine(FailureKind::Statement, "sqlite:1".to_owned(), message.to_owned());
        let sql = "SELECT total FROM orders WHERE id = ?";
        let shown = |message: &str| {
            let error = error(message).named_in(sql);
            format!("{error} {error:?}")
        };
        assert!(shown("no such table: orders").contains("sqlite:1 (statement): no such table: orders"));
        assert!(shown("no such column: total").contains("total"));
        for message in
            ["bad JSON path: 'planted'", "fts5: syntax error near \"planted\"", "no such column: planted", "planted"]
        {
            assert!(!shown(message).contains("planted"), "{message}");
            assert_eq!(error(message).message, message);
        }
    }

    #[test]
    fn a_caller_never_sees_the_engines_words() {
        for kind in [FailureKind::Unique, FailureKind::Value, FailureKind::Lost, FailureKind::Statement] {
            let error = DbError::engine(kind, "postgres:1".to_owned(), "planted".to_owned());
            let problem = error.problem();
            let body = serde_json::to_string(&problem.body("req")).unwrap();
            assert!(!body.contains("planted") && !body.contains("postgres"), "{body}");
        }
    }
}
