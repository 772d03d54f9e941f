//! Plans that read.
//!
//! Order: text by code points, numbers as numbers, NULL last in both directions, on every engine.

use santokit_core::{access::predicate::Predicate, schema::Type, value::Value};

use super::{Column, Condition};

/// Which rows of a table: those that the rule and the caller's filter both admit.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// The table.
    pub table: String,
    /// What the rule asks; always applied.
    pub rule: Predicate,
    /// What the caller asks.
    pub filter: Condition,
    /// Further, that a column is one of these keys: the rows of one level of `expand`, or rows just written.
    pub keys: Option<Keys>,
}

/// A column and the values that it may have. An empty list admits nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Keys {
    /// The primary key, a foreign key, or what one refers to.
    pub column: Column,
    /// Not NULL, of the column's type. The text of the statement grows with powers of two only.
    pub values: Vec<Value>,
}

/// Rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Select {
    /// Which.
    pub source: Source,
    /// What is answered, in this order. For a level of `expand` it has the column of the keys too, so that rows find their parents.
    pub columns: Vec<Column>,
    /// Each combination of `columns` once. `order` names columns of `columns` only then.
    pub distinct: bool,
    /// In order of weight. For a cursor it ends with the primary key, or another unique column that is not nullable.
    pub order: Vec<SortKey>,
    /// Behind which row the answer begins.
    pub after: Option<Position>,
    /// Most rows; ask for one more than is wanted to learn that there are more.
    pub limit: Option<u64>,
    /// Rows left out at the start.
    pub offset: u64,
}

/// One part of an order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SortKey {
    /// Not `json` or `array`.
    pub column: Column,
    /// Up or down; NULL is last in both.
    pub direction: Direction,
}

/// Up or down.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

/// A row's place in an order: its value of each part, which may be NULL.
#[derive(Clone, Debug, PartialEq)]
pub struct Position(pub Vec<Value>);

/// How many rows, as one `bigint` named `count`.
#[derive(Clone, Debug, PartialEq)]
pub struct Count {
    /// Which.
    pub source: Source,
    /// How many different combinations of these; empty counts rows.
    pub distinct: Vec<Column>,
}

/// Groups, or everything as one group.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// Which rows.
    pub source: Source,
    /// Of these columns; answered first, in this order. Empty is one group, which is there also when no row is.
    pub groups: Vec<Column>,
    /// Answered behind the groups. At least one.
    pub measures: Vec<Measure>,
    /// By columns of `groups`.
    pub order: Vec<SortKey>,
    /// Most groups.
    pub limit: Option<u64>,
    /// Groups left out at the start.
    pub offset: u64,
}

/// One number about a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Measure {
    /// Its name in the answer; no other column of the answer has it.
    pub name: String,
    /// What is computed.
    pub function: Function,
}

/// What is computed about a group, over values that are not NULL.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Function {
    /// Rows.
    CountRows,
    /// Values that are not NULL.
    Count(Column),
    /// Exact, but for `float`. NULL where there is no value.
    Sum(Column),
    /// NULL where there is no value.
    Average(Column),
    /// NULL where there is no value.
    Minimum(Column),
    /// NULL where there is no value.
    Maximum(Column),
}

/// What [`Function::result`] refuses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{function} cannot be computed of a column of type {}", kind.as_str())]
pub struct NotComputable {
    /// `sum`, …
    pub function: &'static str,
    /// The column's type.
    pub kind: Type,
}

impl Source {
    /// All rows of a table that a rule admits.
    pub fn of(table: impl Into<String>, rule: Predicate) -> Self {
        Self { table: table.into(), rule, filter: Condition::EVERY, keys: None }
    }
}

impl Function {
    /// As requests name it.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Function::CountRows | Function::Count(_) => "count",
            Function::Sum(_) => "sum",
            Function::Average(_) => "avg",
            Function::Minimum(_) => "min",
            Function::Maximum(_) => "max",
        }
    }

    /// The type of the answer. `count` is `bigint`; `sum` is `bigint` of `int`, `decimal` of `bigint` and `decimal`, `float` of
    /// `float`; `avg` is `decimal` of `decimal`, else `float`; `min` and `max` are the column's.
    pub fn result(&self) -> Result<Type, NotComputable> {
        let refuse = |column: &Column| NotComputable { function: self.as_str(), kind: column.kind };
        match self {
            Function::CountRows | Function::Count(_) => Ok(Type::Bigint),
            Function::Sum(column) => match column.kind {
                Type::Int => Ok(Type::Bigint),
                Type::Bigint | Type::Decimal => Ok(Type::Decimal),
                Type::Float => Ok(Type::Float),
                _ => Err(refuse(column)),
            },
            Function::Average(column) => match column.kind {
                Type::Int | Type::Bigint | Type::Float => Ok(Type::Float),
                Type::Decimal => Ok(Type::Decimal),
                _ => Err(refuse(column)),
            },
            Function::Minimum(column) | Function::Maximum(column) => match column.kind {
                Type::Boolean | Type::Bytes | Type::Json | Type::Array => Err(refuse(column)),
                kind => Ok(kind),
            },
        }
    }
}
