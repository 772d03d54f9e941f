//! Plans that write.
//!
//! A rule is asked twice of a written row: of the row as it was, in the `WHERE` of the write ([`Target::rule`]), and of the row as it
//! then is ([`Insert::check`], [`Update::check`]). A row that fails the first is not there for this caller; one that fails the
//! second fails the request, which is rolled back.

use santokit_core::{access::predicate::Predicate, value::Value};

use super::{Column, Condition, Keys};
use crate::dialect::Dialect;

/// The name of the column behind all of a table's that a write answers where it has a check: a `boolean`, which must be true for every row.
/// No column of a customer's begins with `stk_`.
///
/// Where a statement writes one new row and nothing else ([`Insert::is_alone`]), a row that fails makes the statement itself fail, with
/// this name in the engine's words: nothing is stored, and it needs no transaction around it.
pub const CHECK_COLUMN: &str = "stk_check";

/// The name of the column behind those of [`Insert::returning`] that says whether the caller may see the row: a `boolean`.
pub const VISIBLE_COLUMN: &str = "stk_visible";

/// The name of the column behind those of [`Insert::returning`] that says whether a row is new: a `boolean`.
pub const NEW_COLUMN: &str = "stk_new";

/// New rows of one table, all or none.
#[derive(Clone, Debug, PartialEq)]
pub struct Insert {
    /// The table.
    pub table: String,
    /// Its primary key. Generated ids are values of `rows`; the database makes one only for `auto_increment`.
    pub key: Column,
    /// Whether the database makes the key.
    pub auto_increment: bool,
    /// The columns that the rows have cells for; at least one, unless every row is all defaults.
    pub columns: Vec<Column>,
    /// A cell for each of `columns`.
    pub rows: Vec<Vec<Cell>>,
    /// What happens to a row that is there already.
    pub conflict: Option<Conflict>,
    /// What the row must be after the write. With [`OnConflict::Update`] it is the insert rule *and* the update rule: a row
    /// that is there afterwards satisfies both, whichever way it came.
    pub check: Predicate,
    /// What is answered of each row. Empty answers nothing.
    pub returning: Vec<Column>,
    /// What the select rule asks of a row to be shown. It decides about no write: [`VISIBLE_COLUMN`] says it of each row that is
    /// answered. [`Predicate::ALWAYS`] where nothing is answered.
    pub visible: Predicate,
    /// Whether [`NEW_COLUMN`] is answered of each row: with [`OnConflict::Update`], whether it is new. Only where the engine knows
    /// ([`Dialect::tells_new`]), and where something is answered.
    pub tells_new: bool,
}

/// What a new row has in a column.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// This, which may be NULL.
    Value(Value),
    /// The column's default, which the database knows.
    Default,
}

/// What happens where a new row meets an old one.
#[derive(Clone, Debug, PartialEq)]
pub struct Conflict {
    /// The primary key, or the columns of one unique index; the rows have values for them, no two of them the same ones.
    /// A row that meets another on some other unique column is still a conflict (409).
    pub columns: Vec<Column>,
    /// What happens.
    pub action: OnConflict,
}

/// What happens to the row that is there already.
#[derive(Clone, Debug, PartialEq)]
pub enum OnConflict {
    /// It stays, and the new row is dropped. It is not answered.
    Ignore,
    /// It gets the new row's values.
    Update {
        /// Of these columns, all among those of the insert.
        set: Vec<Column>,
        /// What the update rule asks of the row as it was. Where a row fails it the statement answers fewer rows than it was given: the
        /// request is denied.
        rule: Predicate,
    },
}

/// Rows that are there already, asked for and locked before an insert where the engine has no `ON CONFLICT` for named columns
/// ([`Dialect::Mysql`]). Answers, for each, `stk_row` (`bigint`, the index into the insert's rows), the primary key, and
/// [`CHECK_COLUMN`] (the update rule on the row as it is; true for [`OnConflict::Ignore`]).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Existing<'i>(pub &'i Insert);

/// Which rows a write is for.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The table.
    pub table: String,
    /// Its primary key.
    pub key: Column,
    /// What the rule asks of the row as it is; always applied.
    pub rule: Predicate,
    /// What the caller asks.
    pub filter: Condition,
    /// For [`Course::ByKey`]: the rows that were found and locked.
    pub keys: Option<Keys>,
}

/// Changed rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// Which.
    pub target: Target,
    /// The new values; at least one, each column once.
    pub set: Vec<(Column, Value)>,
    /// What the rule asks of the row as it then is. [`Predicate::ALWAYS`] where it reads none of the columns that are set:
    /// see [`Update::check_needed`].
    pub check: Predicate,
    /// What is answered of each row. Empty answers nothing.
    pub returning: Vec<Column>,
}

/// Removed rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Delete {
    /// Which.
    pub target: Target,
    /// What is answered of each row. Empty answers nothing.
    pub returning: Vec<Column>,
}

/// How many of some rows satisfy a predicate, as one `bigint` named `count`: as many as there are keys, or the write is denied.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// The table.
    pub table: String,
    /// The rows.
    pub keys: Keys,
    /// What each must satisfy.
    pub predicate: Predicate,
}

/// How a write runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Course {
    /// One statement, of which only the number of rows counts.
    Affected,
    /// One statement that answers the rows: those of `returning`, then [`CHECK_COLUMN`] where there is a check.
    Returning,
    /// Several, in one transaction. An update or delete first finds and locks its keys (`render::lock`), then writes
    /// these; an insert writes. Then rows are checked (`render::check`) and read (a `Select` with `Source::keys`; of a delete, before it is
    /// written) by key.
    ByKey,
}

impl Insert {
    /// How it runs.
    pub fn course(&self, dialect: Dialect) -> Course {
        course(dialect, !self.returning.is_empty() || !self.check.is_always() || self.conflict.is_some())
    }

    /// Whether it is one row that meets no other, so that its statement is done or not done by itself.
    pub fn is_alone(&self) -> bool {
        self.rows.len() == 1 && self.conflict.is_none()
    }
}

impl Update {
    /// How it runs.
    pub fn course(&self, dialect: Dialect) -> Course {
        let answers = !self.returning.is_empty() || !self.check.is_always();
        course(dialect, answers || needs_keys(dialect, &self.target))
    }

    /// The check that is left to do of a rule that held before: none, where nothing that it reads is set.
    pub fn check_needed(rule: &Predicate, set: &[(Column, Value)]) -> Predicate {
        let reads = rule.reads(|name| set.iter().any(|(column, _)| column.name == name));
        if reads { rule.clone() } else { Predicate::ALWAYS }
    }
}

impl Delete {
    /// How it runs.
    pub fn course(&self, dialect: Dialect) -> Course {
        course(dialect, !self.returning.is_empty() || needs_keys(dialect, &self.target))
    }
}

/// MySQL cannot write a table that the same statement reads in another place.
fn needs_keys(dialect: Dialect, target: &Target) -> bool {
    dialect == Dialect::Mysql && target.filter.has_related()
}

const fn course(dialect: Dialect, answers: bool) -> Course {
    match (answers, dialect.has_returning()) {
        (false, _) => Course::Affected,
        (true, true) => Course::Returning,
        (true, false) => Course::ByKey,
    }
}
