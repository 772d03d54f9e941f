//! Types: what a declared column is on an engine, what a column that is there can be declared as, and whether the two fit.

use santokit_core::{
    name::check_identifier,
    schema::{Column, Generate, Schema, Table, Type},
};

use super::{CurrentColumn, CurrentTable, Engine, mysql, postgres, sqlite};

/// What a column of a type that some declaration describes can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Natural {
    /// The type that it is declared as.
    pub(super) kind: Type,
    /// Of a string.
    pub(super) max_length: Option<u32>,
    /// Of a string: what all of it is like.
    pub(super) pattern: Option<&'static str>,
    /// Of an enum: its texts.
    pub(super) labels: Option<Vec<String>>,
    /// What is not as it would be had the platform made the column.
    pub(super) remark: Option<&'static str>,
}

/// What a database tells of a `uuid`, and takes for one.
pub(super) const UUID: &str = "[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}";

/// The same of a `date`.
pub(super) const DATE: &str = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])";

/// A column of the declared schema, as a type needs to know it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Declared<'a> {
    /// Its type.
    pub(super) kind: Type,
    /// Of a string.
    pub(super) max_length: Option<u32>,
    /// Whether it is in a key or an index, refers or is referred to: MySQL keeps such a text in the row.
    pub(super) is_keyed: bool,
    /// Whether it is the primary key and the database counts it.
    pub(super) is_counted: bool,
    /// Whether it refers to another column.
    pub(super) refers: bool,
    /// For its default.
    pub(super) column: Option<&'a Column>,
}

impl<'a> Declared<'a> {
    /// The primary key of a table.
    pub(super) fn key(table: &Table) -> Self {
        Self {
            kind: table.id.kind,
            max_length: None,
            is_keyed: true,
            is_counted: table.id.generate == Generate::AutoIncrement,
            refers: false,
            column: None,
        }
    }

    /// A column of a table.
    pub(super) fn column(schema: &Schema, name: &str, table: &Table, column: &'a Column) -> Self {
        let indexed = || table.indexes.iter().any(|index| index.columns.contains(&column.name));
        let target =
            || {
                schema.tables.values().flat_map(|table| &table.columns).any(|other| {
                    other.references.as_ref().is_some_and(|to| to.table == *name && to.column == column.name)
                })
            };
        Self {
            kind: column.kind,
            max_length: column.bounds.max_length,
            is_keyed: column.unique || column.references.is_some() || indexed() || target(),
            is_counted: false,
            refers: column.references.is_some(),
            column: Some(column),
        }
    }

    /// The engine's word for the type.
    pub(super) fn sql_type(&self, engine: Engine) -> String {
        match engine {
            Engine::Sqlite => sqlite::column_type(self),
            Engine::Postgres => postgres::column_type(self.kind),
            Engine::Mysql | Engine::Mariadb => mysql::column_type(engine, self),
        }
    }

    /// Whether a column that is there holds every value of the declared one, and is read and written as it.
    pub(super) fn fits(&self, engine: Engine, found: &CurrentColumn) -> bool {
        let Some(natural) = natural(engine, found) else { return false };
        let is_type = match (self.kind, natural.kind) {
            (Type::File, Type::String) | (Type::Array, Type::Json) => true,
            // What the database counts stays within its type, and so does what refers to it.
            (Type::Bigint, Type::Int) => engine == Engine::Sqlite || self.is_counted || self.refers,
            (declared, natural) => declared == natural,
        };
        let is_long_enough = match (self.max_length, natural.max_length) {
            // SQLite holds nobody to a length.
            (Some(declared), Some(found)) if self.kind == Type::String && engine != Engine::Sqlite => declared <= found,
            _ => true,
        };
        let can_be_indexed = !(engine.is_mysql() && self.is_keyed && mysql::is_out_of_row(&found.declared));
        is_type && is_long_enough && can_be_indexed
    }
}

/// What a column can be declared as; none where no type describes it.
pub(super) fn natural(engine: Engine, found: &CurrentColumn) -> Option<Natural> {
    match engine {
        Engine::Sqlite => sqlite::natural(&found.declared),
        Engine::Postgres => postgres::natural(found),
        Engine::Mysql | Engine::Mariadb => mysql::natural(found),
    }
}

/// Why a column cannot be declared at all.
pub(super) fn undeclarable(engine: Engine, table: &CurrentTable, found: &CurrentColumn) -> Option<String> {
    if let Err(error) = check_identifier("its name", &found.name) {
        return Some(error.to_string());
    }
    let is_second = |other: &&CurrentColumn| other.name.eq_ignore_ascii_case(&found.name);
    if table.columns.iter().find(is_second).is_some_and(|first| first.name != found.name) {
        return Some("its name differs from that of another column in case only".to_owned());
    }
    if found.is_computed {
        return Some("the database computes it, so that it cannot be written".to_owned());
    }
    if natural(engine, found).is_none() {
        return Some(format!("no type of a project is {}", found.declared));
    }
    None
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "what a type of the engine is in a project: the arm of a match, of which others are none"
)]
impl Natural {
    pub(super) const fn of(kind: Type) -> Option<Self> {
        Some(Self { kind, max_length: None, pattern: None, labels: None, remark: None })
    }

    pub(super) const fn but(kind: Type, remark: &'static str) -> Option<Self> {
        Some(Self { kind, max_length: None, pattern: None, labels: None, remark: Some(remark) })
    }

    /// A string that the database holds to a form.
    pub(super) const fn like(pattern: &'static str) -> Option<Self> {
        Some(Self { kind: Type::String, max_length: None, pattern: Some(pattern), labels: None, remark: None })
    }
}
