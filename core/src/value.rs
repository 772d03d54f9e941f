//! A database value on its way between a guest or a request and a statement. It knows no dialect and no WIT.

/// One value. The variants are those of `santokit:sql/types.value`.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// A truth value.
    Boolean(bool),
    /// A whole number.
    Int64(i64),
    /// A floating point number.
    Float64(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// Anything else as (schema type, text), for example `("decimal", "1.20")`.
    Typed(String, String),
}

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// The name in the result.
    pub name: String,
    /// The schema's type name where it is known, else the database's own.
    pub type_name: String,
}

/// Rows as they come from a database.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RowSet {
    /// One for each cell of a row.
    pub columns: Vec<Column>,
    /// The cells, row by row.
    pub rows: Vec<Vec<Value>>,
}

impl Value {
    /// About how many bytes the value stands for, as limits count them.
    pub fn size_bytes(&self) -> usize {
        match self {
            Value::Null | Value::Boolean(_) => 1,
            Value::Int64(_) | Value::Float64(_) => 8,
            Value::Text(text) => text.len(),
            Value::Bytes(bytes) => bytes.len(),
            Value::Typed(name, text) => name.len() + text.len(),
        }
    }
}
