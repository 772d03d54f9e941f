//! A statement that is ready to be bound, as the one thing that goes to a database.

use santokit_core::{schema::Type, value::Value};

/// A statement of the platform's own, ready to be bound. Made only by [`crate::render`]: no text in it comes from a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// One statement with the dialect's placeholders, each used once, in the order of `params`.
    pub sql: String,
    /// The values.
    pub params: Vec<Bound>,
    /// What it answers; empty where it answers only how many rows it touched.
    pub columns: Vec<OutputColumn>,
}

/// A value with the schema type it is bound as: a NULL carries a type on PostgreSQL.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// What it is bound as. A whole number of more than 32 bits is bound as `bigint`, whatever it is compared with.
    pub kind: Type,
    /// In the canonical form of the type, or NULL.
    pub value: Value,
}

/// A column of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputColumn {
    /// Its name in the answer.
    pub name: String,
    /// How a cell is decoded.
    pub kind: Type,
}
