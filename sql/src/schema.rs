//! The declared schema of a connection against its database, on three engines: what the catalogue says, the steps to what is
//! declared, and the way back from a catalogue to a declaration.
//!
//! Pure. Steps are additive; what is not is refused with a reason. Bounds (`enum`, `min`, `pattern`, …) are checked at the edge
//! and are not part of a table, so that changing one needs no rewrite; of `maxLength` MySQL needs to know.

use std::{collections::BTreeMap, fmt};

use santokit_core::schema::{ReferenceAction, Schema};

pub mod bookkeeping;
mod catalog;
mod ddl;
mod default;
mod diff;
mod fit;
mod mysql;
mod names;
mod postgres;
pub mod pull;
mod sqlite;

pub use catalog::{Catalog, CatalogRows, Row};
pub use default::CurrentDefault;

/// Which database it is, as far as its tables differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Engine {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
    /// MySQL 8.
    Mysql,
    /// MariaDB, which a connection names `mysql` too.
    Mariadb,
}

/// What a database has, in a form that does not depend on how its catalogue says it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CurrentSchema {
    /// By name; the platform's own tables but for those of [`bookkeeping`] are not here.
    pub tables: BTreeMap<String, CurrentTable>,
    /// Names of views.
    pub views: Vec<String>,
}

/// A table as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CurrentTable {
    /// In the order of the table, those of the key too.
    pub columns: Vec<CurrentColumn>,
    /// The columns of the primary key, in its order.
    pub key: Vec<String>,
    /// Without that of the primary key, and without those on a part of the rows or on expressions.
    pub indexes: Vec<CurrentIndex>,
    /// Foreign keys.
    pub references: Vec<CurrentReference>,
}

/// A column as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentColumn {
    /// Its name.
    pub name: String,
    /// The engine's word for its type, in lower case but on SQLite, where it is what the table's author wrote.
    pub declared: String,
    /// Whether NULL is allowed.
    pub is_nullable: bool,
    /// What an insert without a value gets.
    pub default: CurrentDefault,
    /// Whether the database counts it up.
    pub is_counted: bool,
    /// Whether the database computes it from others.
    pub is_computed: bool,
    /// How its text compares, where the catalogue says so.
    pub collation: Option<String>,
    /// Of an enum: the texts that it takes.
    pub labels: Option<Vec<String>>,
}

/// An index as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentIndex {
    /// Its name.
    pub name: String,
    /// In order.
    pub columns: Vec<String>,
    /// Whether the combination is unique.
    pub is_unique: bool,
}

/// A foreign key as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentReference {
    /// The constraint's name; SQLite has none.
    pub name: String,
    /// In order.
    pub columns: Vec<String>,
    /// The schema or database of the target, where it is another.
    pub elsewhere: Option<String>,
    /// The table referred to.
    pub table: String,
    /// Its columns, in the order of `columns`.
    pub targets: Vec<String>,
    /// When the key of the row referred to changes.
    pub on_update: ReferenceAction,
    /// When the row referred to is deleted.
    pub on_delete: ReferenceAction,
}

/// One statement that brings a database nearer to what is declared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it does; its `Display` is for people.
    pub change: Change,
    /// The statement.
    pub sql: String,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new table, without its indexes and, but on SQLite, without its foreign keys.
    CreateTable {
        /// Its name.
        table: String,
    },
    /// A new column of a table that is there.
    AddColumn {
        /// Of this table.
        table: String,
        /// Its name.
        column: String,
    },
    /// A new index.
    CreateIndex {
        /// Of this table.
        table: String,
        /// Its name.
        index: String,
    },
    /// A new foreign key between columns that are there.
    AddReference {
        /// Of this table.
        table: String,
        /// Of this column.
        column: String,
        /// To this table.
        target: String,
    },
}

/// A difference that this version does not resolve by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which difference.
    pub description: String,
    /// Why it is left alone.
    pub reason: String,
}

/// The steps from what is to what is declared, in an order in which each can be taken, or every difference that has none.
/// Tables that nobody declared are left alone.
pub fn plan(engine: Engine, current: &CurrentSchema, desired: &Schema) -> Result<Vec<Step>, Vec<Refusal>> {
    diff::plan(engine, current, desired)
}

impl Engine {
    /// What the catalogue is asked.
    pub fn catalog(self) -> Catalog {
        match self {
            Engine::Sqlite => sqlite::CATALOG,
            Engine::Postgres => postgres::CATALOG,
            Engine::Mysql => mysql::CATALOG,
            Engine::Mariadb => mysql::CATALOG_MARIADB,
        }
    }

    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Engine::Sqlite => "SQLite",
            Engine::Postgres => "PostgreSQL",
            Engine::Mysql => "MySQL",
            Engine::Mariadb => "MariaDB",
        }
    }

    const fn is_mysql(self) -> bool {
        matches!(self, Engine::Mysql | Engine::Mariadb)
    }
}

impl CurrentSchema {
    /// From the rows that the queries of [`Engine::catalog`] find.
    pub fn read(engine: Engine, rows: &CatalogRows) -> Self {
        catalog::read(engine, rows)
    }
}

impl CurrentTable {
    /// The column of a name.
    pub fn column(&self, name: &str) -> Option<&CurrentColumn> {
        self.columns.iter().find(|column| column.name == name)
    }
}

impl Change {
    /// Of which table.
    pub fn table(&self) -> &str {
        match self {
            Change::CreateTable { table }
            | Change::AddColumn { table, .. }
            | Change::CreateIndex { table, .. }
            | Change::AddReference { table, .. } => table,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::CreateTable { table } => write!(f, "create table {table}"),
            Change::AddColumn { table, column } => write!(f, "add column {table}.{column}"),
            Change::CreateIndex { index, .. } => write!(f, "create index {index}"),
            Change::AddReference { table, column, target } => write!(f, "add reference {table}.{column} to {target}"),
        }
    }
}

impl Refusal {
    fn new(description: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { description: description.into(), reason: reason.into() }
    }
}
