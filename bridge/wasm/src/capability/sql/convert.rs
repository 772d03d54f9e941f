//! Between WIT values and ours.

use santokit_core::value::{Column, RowSet, Value};

use crate::{
    bindings::santokit::sql::types::{Column as WitColumn, DatabaseError, Error, Rows, Value as WitValue},
    host::SqlError,
};

pub(in crate::capability) fn params(values: Vec<WitValue>) -> Vec<Value> {
    values.into_iter().map(param).collect()
}

pub(in crate::capability) fn param(value: WitValue) -> Value {
    match value {
        WitValue::Null => Value::Null,
        WitValue::Boolean(truth) => Value::Boolean(truth),
        WitValue::Int64(number) => Value::Int64(number),
        WitValue::Float64(number) => Value::Float64(number),
        WitValue::Text(text) => Value::Text(text),
        WitValue::Bytes(bytes) => Value::Bytes(bytes),
        WitValue::Typed((name, text)) => Value::Typed(name, text),
    }
}

pub(in crate::capability) fn columns(columns: Vec<Column>) -> Vec<WitColumn> {
    columns.into_iter().map(|column| WitColumn { name: column.name, type_name: column.type_name }).collect()
}

pub(in crate::capability) fn rows(set: RowSet) -> Rows {
    let rows = set.rows.into_iter().map(|row| row.into_iter().map(value).collect()).collect();
    Rows { columns: columns(set.columns), rows }
}

fn value(value: Value) -> WitValue {
    match value {
        Value::Null => WitValue::Null,
        Value::Boolean(truth) => WitValue::Boolean(truth),
        Value::Int64(number) => WitValue::Int64(number),
        Value::Float64(number) => WitValue::Float64(number),
        Value::Text(text) => WitValue::Text(text),
        Value::Bytes(bytes) => WitValue::Bytes(bytes),
        Value::Typed(name, text) => WitValue::Typed((name, text)),
    }
}

pub(in crate::capability) fn error(error: SqlError) -> Error {
    match error {
        SqlError::Denied(message) => Error::Denied(message),
        SqlError::Invalid(message) => Error::Invalid(message),
        SqlError::Limit(limit) => Error::Limit(limit.as_str().to_owned()),
        SqlError::Timeout(message) => Error::Timeout(message),
        SqlError::Unavailable(message) => Error::Unavailable(message),
        SqlError::Other(code, message) => Error::Other((code, message)),
        SqlError::Database(database) => Error::Database(DatabaseError {
            code: database.code,
            message: database.message,
            constraint_kind: database.constraint_kind,
            retryable: database.retryable,
            extras: Vec::new(),
        }),
    }
}
