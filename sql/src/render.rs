//! A plan as statements of a dialect. It decides nothing: names come from the plan, and so from the schema; values are bound, never
//! written into the text. The same shape of plan gives the same text.
//!
//! Text is compared and ordered by code points and case, numbers as numbers, on every engine: `docs/reference/permissions.md` says how.

use santokit_core::schema::Type;

use crate::{
    dialect::Dialect,
    plan::{Check, Count, Delete, Existing, Insert, Select, Target, Update, select::NotComputable},
    statement::Statement,
};

mod aggregate;
mod condition;
mod insert;
mod now;
mod pattern;
mod predicate;
mod select;
mod write;
mod writer;

pub use aggregate::{AVERAGE_DIGITS, AggregateStatement, UnexpectedRow, aggregate};

/// A plan that cannot be a statement. [`RenderError::NotForType`] and [`RenderError::NotComputable`] can be what a caller asked for; all
/// others are mistakes of the planner.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// Such a column cannot be compared, ordered or grouped.
    #[error("a column of type {} cannot be {what}", kind.as_str())]
    NotForType {
        /// The column's type.
        kind: Type,
        /// `compared`, `ordered`, …
        what: &'static str,
    },
    /// A number cannot be computed of such a column.
    #[error(transparent)]
    NotComputable(#[from] NotComputable),
    /// A value is not in the canonical form of its type, or is a text with U+0000.
    #[error("a value is not in the form of type {}", kind.as_str())]
    Value {
        /// The type.
        kind: Type,
    },
    /// It would bind more values than a statement can.
    #[error("the statement would bind {count} values; {most} is the most")]
    TooManyParams {
        /// How many.
        count: usize,
        /// The dialect's most.
        most: usize,
    },
    /// A part of the plan contradicts another.
    #[error("the plan is not whole: {0}")]
    Plan(&'static str),
}

/// Rows.
pub fn select(plan: &Select, dialect: Dialect) -> Result<Statement, RenderError> {
    select::rows(plan, dialect)
}

/// What time it is for the database, as one `timestamp` named `now`: at this statement, not at the beginning of its transaction.
pub fn now(dialect: Dialect) -> Statement {
    now::now(dialect)
}

/// How many rows.
pub fn count(plan: &Count, dialect: Dialect) -> Result<Statement, RenderError> {
    select::count(plan, dialect)
}

/// New rows: one statement, or several that run in order in one transaction. They answer as [`Insert::course`] says; where a course
/// by key needs keys that the database makes, each statement is one row, and its key is the last insert id.
///
/// [`Dialect::Mysql`] has no `ON CONFLICT`: there the rows of [`existing`] are taken out of the plan before, and a plan that still has
/// a conflict is refused.
pub fn insert(plan: &Insert, dialect: Dialect) -> Result<Vec<Statement>, RenderError> {
    insert::rows(plan, dialect)
}

/// The rows that an insert with a conflict meets, locked: see [`Existing`].
pub fn existing(plan: Existing<'_>, dialect: Dialect) -> Result<Statement, RenderError> {
    insert::existing(plan.0, dialect)
}

/// Changed rows.
pub fn update(plan: &Update, dialect: Dialect) -> Result<Statement, RenderError> {
    write::update(plan, dialect)
}

/// Removed rows.
pub fn delete(plan: &Delete, dialect: Dialect) -> Result<Statement, RenderError> {
    write::delete(plan, dialect)
}

/// The keys that a write is for, locked until the transaction ends, in order of the key; at most `limit`.
pub fn lock(target: &Target, limit: u64, dialect: Dialect) -> Result<Statement, RenderError> {
    write::lock(target, limit, dialect)
}

/// How many of some rows satisfy a predicate.
pub fn check(plan: &Check, dialect: Dialect) -> Result<Statement, RenderError> {
    write::check(plan, dialect)
}
