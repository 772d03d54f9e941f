//! What a rule asks of a row, as data: a tree over columns and typed values, with SQL's three values of truth.
//!
//! It is what a CEL condition becomes for one request (`lower`). `santokit-sql` turns it into a part of a `WHERE`, and it can be
//! evaluated in memory: both admit the same rows. It knows no dialect and no CEL.

use std::sync::Arc;

mod evaluate;

use crate::{schema::Type, value::Value};

/// A row is admitted where this is [`Truth::True`], and nowhere else.
#[derive(Clone, Debug, PartialEq)]
pub enum Predicate {
    /// The same for every row.
    Constant(bool),
    /// Every one of them. An empty list is true.
    All(Vec<Predicate>),
    /// One of them. An empty list is false.
    Any(Vec<Predicate>),
    /// The opposite; of unknown, unknown.
    Not(Box<Predicate>),
    /// A boolean column by itself; unknown where it is NULL.
    Holds(Field),
    /// The column is NULL. Never unknown.
    IsNull(Field),
    /// Both are the same, or both NULL. Never unknown. The sides are of comparable types (see [`comparable`]).
    Same(Field, Operand),
    /// The column is one of the values, none of which is NULL. Never unknown: NULL is none of them.
    OneOf(Field, Vec<Operand>),
    /// An order between two values; unknown where one is NULL. The sides are of comparable types.
    Compare(Field, Order, Operand),
    /// A test of text, by code points and case; unknown where one side is NULL.
    Text {
        /// What is looked into.
        subject: Operand,
        /// The test.
        test: TextTest,
        /// What is looked for.
        wanted: Operand,
    },
}

/// SQL's three values of truth; CEL's are true, false and an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// Admits.
    True,
    /// Does not admit; negated it does.
    False,
    /// Does not admit, negated or not.
    Unknown,
}

/// A column of the row that is asked about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    /// As the schema spells it.
    pub name: Arc<str>,
    /// Its type.
    pub kind: Type,
}

/// One side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// Another column of the same row.
    Field(Field),
    /// A value in the canonical form of its type (`int` and `bigint` are [`Value::Int64`], `decimal` and `timestamp` are
    /// [`Value::Typed`]); never NULL.
    Value {
        /// What it is bound as: of the other side's kind, or one that compares with it as numbers do.
        kind: Type,
        /// The value.
        value: Value,
    },
}

/// An order between two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Order {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

/// A test of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TextTest {
    /// The subject begins with it.
    StartsWith,
    /// The subject ends with it.
    EndsWith,
    /// It is somewhere in the subject.
    Contains,
}

/// Whether values of the two types can be compared with `==` in a rule, and so with the null-safe equality of SQL.
///
/// Numbers compare with numbers, but not `float` with `decimal`: one is not exact. `json` and `array` compare with nothing.
pub const fn comparable(left: Type, right: Type) -> bool {
    matches!(
        (class(left), class(right)),
        (Some(Class::Text), Some(Class::Text))
            | (Some(Class::Boolean), Some(Class::Boolean))
            | (Some(Class::Timestamp), Some(Class::Timestamp))
            | (Some(Class::Bytes), Some(Class::Bytes))
            | (Some(Class::Whole), Some(Class::Whole | Class::Float | Class::Decimal))
            | (Some(Class::Float), Some(Class::Whole | Class::Float))
            | (Some(Class::Decimal), Some(Class::Whole | Class::Decimal))
    )
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Text,
    Whole,
    Float,
    Decimal,
    Boolean,
    Timestamp,
    Bytes,
}

const fn class(kind: Type) -> Option<Class> {
    Some(match kind {
        Type::String | Type::File => Class::Text,
        Type::Int | Type::Bigint => Class::Whole,
        Type::Float => Class::Float,
        Type::Decimal => Class::Decimal,
        Type::Boolean => Class::Boolean,
        Type::Timestamp => Class::Timestamp,
        Type::Bytes => Class::Bytes,
        Type::Json | Type::Array => return None,
    })
}

impl Predicate {
    /// Admits every row.
    pub const ALWAYS: Predicate = Predicate::Constant(true);

    /// Admits no row.
    pub const NEVER: Predicate = Predicate::Constant(false);

    /// Whether it admits every row whatever is in it, so that nothing has to be asked.
    pub fn is_always(&self) -> bool {
        matches!(self, Predicate::Constant(true))
    }

    /// Whether it admits no row whatever is in it.
    pub fn is_never(&self) -> bool {
        matches!(self, Predicate::Constant(false))
    }

    /// Both.
    #[must_use]
    pub fn and(self, other: Predicate) -> Predicate {
        match (self, other) {
            (one, Predicate::Constant(true)) | (Predicate::Constant(true), one) => one,
            (Predicate::Constant(false), _) | (_, Predicate::Constant(false)) => Predicate::NEVER,
            (one, other) => Predicate::All(vec![one, other]),
        }
    }

    /// Calls `seen` with every column that it reads.
    pub fn fields<'p>(&'p self, seen: &mut dyn FnMut(&'p Field)) {
        match self {
            Predicate::Constant(_) => {}
            Predicate::All(parts) | Predicate::Any(parts) => parts.iter().for_each(|part| part.fields(seen)),
            Predicate::Not(part) => part.fields(seen),
            Predicate::Holds(field) | Predicate::IsNull(field) => seen(field),
            Predicate::OneOf(field, operands) => {
                seen(field);
                operands.iter().filter_map(Operand::field).for_each(seen);
            }
            Predicate::Same(field, operand) | Predicate::Compare(field, _, operand) => {
                seen(field);
                operand.field().into_iter().for_each(seen);
            }
            Predicate::Text { subject, wanted, .. } => {
                [subject, wanted].into_iter().filter_map(Operand::field).for_each(seen);
            }
        }
    }

    /// Whether it reads a column of which `is_one` is true.
    pub fn reads(&self, is_one: impl Fn(&str) -> bool) -> bool {
        let mut found = false;
        self.fields(&mut |field| found |= is_one(&field.name));
        found
    }
}

impl Operand {
    /// The column, where it is one.
    pub fn field(&self) -> Option<&Field> {
        match self {
            Operand::Field(field) => Some(field),
            Operand::Value { .. } => None,
        }
    }

    /// Its type.
    pub fn kind(&self) -> Type {
        match self {
            Operand::Field(field) => field.kind,
            Operand::Value { kind, .. } => *kind,
        }
    }
}

impl Truth {
    /// Of a truth value that is known.
    pub const fn of(truth: bool) -> Truth {
        if truth { Truth::True } else { Truth::False }
    }
}

impl std::ops::Not for Truth {
    type Output = Truth;

    fn not(self) -> Truth {
        match self {
            Truth::True => Truth::False,
            Truth::False => Truth::True,
            Truth::Unknown => Truth::Unknown,
        }
    }
}
