//! What a request does to a database, with everything decided: tables, columns, both filters, order, bounds.
//!
//! Whoever makes a plan has looked every name up in the schema and every value's type; [`crate::render`] turns it into statements
//! and decides nothing more. A plan holds no name that a request made up.

use santokit_core::schema::{self, Table, Type};

pub mod condition;
pub mod select;
pub mod write;

pub use condition::{Comparison, Condition, Related};
pub use select::{Aggregate, Count, Direction, Function, Keys, Measure, Position, Select, SortKey, Source};
pub use write::{Cell, Check, Conflict, Course, Delete, Existing, Insert, OnConflict, Target, Update};

/// A request to one table.
#[derive(Clone, Debug, PartialEq)]
pub enum Plan {
    /// Rows, also those of a relation by their keys.
    Select(Select),
    /// Groups of rows.
    Aggregate(Aggregate),
    /// How many rows.
    Count(Count),
    /// New rows.
    Insert(Insert),
    /// Changed rows.
    Update(Update),
    /// Removed rows.
    Delete(Delete),
}

/// A column of a table, as the schema has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Column {
    /// The customer's spelling.
    pub name: String,
    /// Its type.
    pub kind: Type,
    /// Whether it can be NULL.
    pub nullable: bool,
    /// Whether it takes the texts of a list only.
    pub is_listed: bool,
}

impl Column {
    /// The column of that name, the primary key too.
    pub fn of(table: &Table, name: &str) -> Option<Column> {
        if table.id.name == name {
            return Some(Column::key(table));
        }
        let column = table.columns.iter().find(|column| column.name == name)?;
        Some(Column::declared(column))
    }

    /// The primary key.
    pub fn key(table: &Table) -> Column {
        Column { name: table.id.name.clone(), kind: table.id.kind, nullable: false, is_listed: false }
    }

    /// One that is not the primary key.
    pub fn declared(column: &schema::Column) -> Column {
        let is_listed = column.bounds.one_of.is_some();
        Column { name: column.name.clone(), kind: column.kind, nullable: column.nullable, is_listed }
    }

    /// The primary key, then the others in the order of the schema.
    pub fn all(table: &Table) -> Vec<Column> {
        std::iter::once(Column::key(table)).chain(table.columns.iter().map(Column::declared)).collect()
    }
}
