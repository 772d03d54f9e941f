//! The declared schema of a connection against its database, on three engines: what the catalogue says, the steps to what is
//! declared, and the way back from a catalogue to a declaration.
//!
//! Pure. Every step says what it risks; what could lose a value without saying so is refused with what to do instead. Bounds (`enum`, `min`, `pattern`, …) are checked at the edge
//! and are not part of a table, so that changing one needs no rewrite; of `maxLength` MySQL needs to know.

use std::collections::BTreeMap;

use santokit_core::schema::{ReferenceAction, Schema};

mod alter;
pub mod bookkeeping;
mod cast;
mod catalog;
mod column;
mod ddl;
mod default;
mod diff;
mod fit;
pub mod logins;
mod misfit;
mod mysql;
mod names;
mod postgres;
pub mod pull;
mod rebuild;
mod reference;
mod rename;
mod sqlite;
mod step;

pub use catalog::{Catalog, CatalogRows, Row};
pub use default::CurrentDefault;
pub use misfit::misfits;
pub use step::{Change, Class, Part, Step, When};

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
    /// What else it has that would be lost were it made anew, for people.
    pub extras: Vec<String>,
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
    /// Whether it is whole.
    pub is_valid: bool,
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
    /// Whether the rows that were there before it were held against it.
    pub is_validated: bool,
}

/// A difference that is not resolved in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which difference.
    pub description: String,
    /// Why it is left alone.
    pub reason: String,
}

/// The steps from what is to what is declared, in an order in which each can be taken, or every difference that has none.
/// Tables that nobody declared are left alone; those that were declared `before` and are no more are dropped.
pub fn plan(
    engine: Engine,
    current: &CurrentSchema,
    desired: &Schema,
    before: &Schema,
) -> Result<Vec<Step>, Vec<Refusal>> {
    diff::plan(engine, current, desired, before)
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

impl Refusal {
    fn new(description: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { description: description.into(), reason: reason.into() }
    }
}
