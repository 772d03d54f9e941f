//! The statements of a SQL logic with their named placeholders turned into the engine's own.

use santokit_core::sql_text;

/// A statement that is ready to be bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoundStatement {
    /// With `?1`, `?2`, … (SQLite).
    pub sql: String,
    /// The name for each placeholder, in order: a param, or `auth.sub`, `auth.roles`, `now`, `env`.
    pub names: Vec<String>,
    /// Whether it only reads.
    pub is_read_only: bool,
}

impl BoundStatement {
    /// For SQLite.
    pub fn sqlite(text: &str) -> Self {
        let mut names: Vec<String> = Vec::new();
        let sql = sql_text::replace_placeholders(text, |name| {
            let index = names.iter().position(|known| known == name).unwrap_or_else(|| {
                names.push(name.to_owned());
                names.len() - 1
            });
            format!("?{}", index + 1)
        });
        Self { sql, names, is_read_only: sql_text::is_read_only(text) }
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
}
