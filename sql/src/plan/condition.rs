//! What a caller asks of rows, in plain SQL logic: where a column is NULL, every test of it but [`Condition::IsNull`] is unknown,
//! and so is its opposite. A rule's predicate is another thing: see `santokit_core::access::predicate`.

use santokit_core::{access::predicate::Predicate, value::Value};

use super::Column;

/// A caller's filter.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Every one of them. An empty list is true.
    All(Vec<Condition>),
    /// One of them. An empty list is false.
    Any(Vec<Condition>),
    /// The opposite; of unknown, unknown.
    Not(Box<Condition>),
    /// The column is NULL; never unknown. `$isNotNull` is its opposite.
    IsNull(Column),
    /// Compared with a value of the column's type, which is not NULL. Not for `json` and `array`.
    Compare(Column, Comparison, Value),
    /// One of the values, none of which is NULL. An empty list is false. Not for `json` and `array`.
    OneOf(Column, Vec<Value>),
    /// From the first to the second, both included.
    Between(Column, Value, Value),
    /// `LIKE` with `%`, `_` and `\` before one of these three as itself. For text.
    Like {
        /// A text column.
        column: Column,
        /// As the caller wrote it.
        pattern: String,
        /// Whether `a` is not `A`.
        case_sensitive: bool,
    },
    /// The text is somewhere in the column, by code points and case. For text.
    Contains(Column, String),
    /// A row of a relation passes a test.
    Related(Box<Related>),
}

/// A semi-join: there is a row on the other side that this caller may see and that passes the test.
#[derive(Clone, Debug, PartialEq)]
pub struct Related {
    /// The column on this side.
    pub local: Column,
    /// The table on the other side.
    pub table: String,
    /// Its column.
    pub remote: Column,
    /// What the select rule of that table asks of its row.
    pub rule: Predicate,
    /// What the caller asks of it.
    pub condition: Condition,
}

/// How a column and a value compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Condition {
    /// Every row.
    pub const EVERY: Condition = Condition::All(Vec::new());

    /// Whether another table is asked, so that columns need their table's name.
    pub fn has_related(&self) -> bool {
        match self {
            Condition::All(parts) | Condition::Any(parts) => parts.iter().any(Condition::has_related),
            Condition::Not(part) => part.has_related(),
            Condition::Related(_) => true,
            Condition::IsNull(_)
            | Condition::Compare(..)
            | Condition::OneOf(..)
            | Condition::Between(..)
            | Condition::Like { .. }
            | Condition::Contains(..) => false,
        }
    }

    /// Whether every row passes without a look at it.
    pub fn is_every(&self) -> bool {
        matches!(self, Condition::All(parts) if parts.iter().all(Condition::is_every))
    }
}
