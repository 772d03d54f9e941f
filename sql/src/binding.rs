//! The statements of a SQL logic with their named placeholders turned into the engine's own.

use santokit_core::sql_text;

use crate::{dialect::Dialect, session};

/// A statement that is ready to be bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundStatement {
    /// With `?1`, `?2`, … (SQLite), `$1`, `$2`, … (PostgreSQL) or `?` (MySQL).
    pub sql: String,
    /// The name for each value to bind, in order: a param, or `auth.sub`, `auth.roles`, `now`, `env`. MySQL's placeholders have no
    /// numbers, so that a name that is used twice is there twice.
    pub names: Vec<String>,
    /// Whether it only reads.
    pub is_read_only: bool,
    /// Whether the session may be another one afterwards.
    pub may_change_session: bool,
}

impl BoundStatement {
    /// For SQLite.
    pub fn sqlite(text: &str) -> Self {
        Self::new(text, Dialect::Sqlite)
    }

    /// For a dialect.
    pub fn new(text: &str, dialect: Dialect) -> Self {
        let mut names: Vec<String> = Vec::new();
        let sql = sql_text::replace_placeholders(text, |name| {
            let known = names.iter().position(|known| known == name).filter(|_| dialect != Dialect::Mysql);
            let index = known.unwrap_or_else(|| {
                names.push(name.to_owned());
                names.len() - 1
            });
            match dialect {
                Dialect::Sqlite => format!("?{}", index + 1),
                Dialect::Postgres => format!("${}", index + 1),
                Dialect::Mysql => "?".to_owned(),
            }
        });
        let may_change_session = session::may_change(&sql, dialect);
        Self { sql, names, is_read_only: sql_text::is_read_only(text), may_change_session }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_used_twice_is_bound_once() {
        let statement = BoundStatement::sqlite("SELECT * FROM t WHERE a = :a AND (b = :b OR c = :a)");
        assert_eq!(statement.sql, "SELECT * FROM t WHERE a = ?1 AND (b = ?2 OR c = ?1)");
        assert_eq!(statement.names, ["a", "b"]);
        assert!(statement.is_read_only);
    }

    #[test]
    fn each_dialect_has_its_placeholders() {
        let text = "UPDATE t SET a = :a::int, b = ':a' WHERE c = :a AND d = :b";
        let postgres = BoundStatement::new(text, Dialect::Postgres);
        assert_eq!(postgres.sql, "UPDATE t SET a = $1::int, b = ':a' WHERE c = $1 AND d = $2");
        assert_eq!(postgres.names, ["a", "b"]);
        let mysql = BoundStatement::new(text, Dialect::Mysql);
        assert_eq!(mysql.sql, "UPDATE t SET a = ?::int, b = ':a' WHERE c = ? AND d = ?");
        assert_eq!(mysql.names, ["a", "a", "b"]);
    }
}
