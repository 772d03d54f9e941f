//! Which SQL is spoken, and what an engine can do.

/// Which SQL is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB: what both understand.
    Mysql,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: &'static [Dialect] = &[Dialect::Sqlite, Dialect::Postgres, Dialect::Mysql];

    /// As logs and golden files name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Dialect::Sqlite => "sqlite",
            Dialect::Postgres => "postgres",
            Dialect::Mysql => "mysql",
        }
    }

    /// Whether a write can answer the rows that it wrote.
    ///
    /// MariaDB can for inserts and deletes, MySQL for nothing: on both, rows are written and read by key, in one transaction.
    pub const fn has_returning(self) -> bool {
        matches!(self, Dialect::Sqlite | Dialect::Postgres)
    }

    /// Whether an insert that may meet old rows can answer which rows are new. The others are asked before, in a transaction in which nobody
    /// else can add one.
    pub const fn tells_new(self) -> bool {
        matches!(self, Dialect::Postgres)
    }

    /// Most values that one statement binds.
    pub const fn params_max(self) -> usize {
        match self {
            Dialect::Sqlite => 32_766,
            Dialect::Postgres | Dialect::Mysql => 65_535,
        }
    }
}
