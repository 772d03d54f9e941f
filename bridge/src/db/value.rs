//! Between SQLite's values, ours, and JSON. A result column's type is the declared one where it comes from a table.

use base64::{Engine, engine::general_purpose::STANDARD};
use santokit_core::{
    limit::LimitName,
    schema::{Schema, Type},
    value::{Column, RowSet, Value},
};
use santokit_wasm::packed::PackedRows;
use serde_json::{Map, Value as Json};
use sqlx::{
    Arguments, Column as _, Row, TypeInfo, ValueRef,
    sqlite::{SqliteArguments, SqliteColumn, SqliteRow},
};

use super::budget::Tally;

/// The largest whole number that every JSON reader keeps exactly.
const SAFE_INTEGER_MAX: u64 = (1 << 53) - 1;

/// A result column with its declared type.
pub(super) struct ResultColumn {
    name: String,
    declared: Option<Type>,
    /// The database's own type, where none is declared.
    own: Option<String>,
}

/// How SQLite stores a value.
enum Storage {
    Null,
    Integer,
    Real,
    Text,
    Blob,
}

pub(super) fn columns(columns: &[SqliteColumn], schema: &Schema) -> Vec<ResultColumn> {
    columns
        .iter()
        .map(|column| {
            let declared = declared(column, schema);
            let own = declared.is_none().then(|| column.type_info().name().to_lowercase());
            ResultColumn { name: column.name().to_owned(), declared, own }
        })
        .collect()
}

pub(super) fn named(columns: &[ResultColumn]) -> Vec<Column> {
    let type_name = |column: &ResultColumn| {
        let declared = || column.declared.map(|kind| kind.as_str().to_owned());
        column.own.clone().or_else(declared).unwrap_or_default()
    };
    columns.iter().map(|column| Column { type_name: type_name(column), name: column.name.clone() }).collect()
}

pub(super) fn declared(column: &SqliteColumn, schema: &Schema) -> Option<Type> {
    let sqlx::ColumnOrigin::Table(origin) = column.origin() else { return None };
    let table = schema.tables.get(origin.table.as_ref())?;
    if table.id.name == *origin.name {
        return Some(table.id.kind);
    }
    table.columns.iter().find(|column| column.name == *origin.name).map(|column| column.kind)
}

/// The next row, or the limit that it is beyond.
pub(super) fn row(
    row: &SqliteRow,
    columns: &[ResultColumn],
    tally: &mut Tally,
) -> Result<Result<Vec<Value>, LimitName>, sqlx::Error> {
    tally.row(columns.len(), |index| cell(row, index, columns.get(index).and_then(|column| column.declared)))
}

fn cell(row: &SqliteRow, index: usize, declared: Option<Type>) -> Result<Value, sqlx::Error> {
    Ok(match (storage(row, index)?, declared) {
        (Storage::Null, _) => Value::Null,
        (Storage::Integer, Some(Type::Boolean)) => Value::Boolean(row.try_get_unchecked::<i64, _>(index)? != 0),
        (Storage::Integer, _) => Value::Int64(row.try_get_unchecked(index)?),
        (Storage::Real, _) => Value::Float64(row.try_get_unchecked(index)?),
        (Storage::Text, declared) => {
            let text: String = row.try_get_unchecked(index)?;
            match declared {
                Some(kind @ (Type::Decimal | Type::Timestamp)) => Value::Typed(kind.as_str().to_owned(), text),
                Some(Type::Json | Type::Array) => Value::Typed(Type::Json.as_str().to_owned(), text),
                _ => Value::Text(text),
            }
        }
        (Storage::Blob, _) => Value::Bytes(row.try_get_unchecked(index)?),
    })
}

/// Writes a row as guests get it, as far as it has no more bytes than so many.
pub(super) fn pack(
    row: &SqliteRow,
    columns: &[ResultColumn],
    packed: &mut PackedRows,
    most: u64,
) -> Result<(), sqlx::Error> {
    for (index, column) in columns.iter().enumerate() {
        if packed.pending_bytes() > most {
            return Ok(());
        }
        match (storage(row, index)?, column.declared) {
            (Storage::Null, _) => packed.null(),
            (Storage::Integer, Some(Type::Boolean)) => packed.boolean(row.try_get_unchecked::<i64, _>(index)? != 0),
            (Storage::Integer, _) => packed.int64(row.try_get_unchecked(index)?),
            (Storage::Real, _) => packed.float64(row.try_get_unchecked(index)?),
            (Storage::Text, declared) => {
                let text: &str = row.try_get_unchecked(index)?;
                match declared {
                    Some(kind @ (Type::Decimal | Type::Timestamp)) => packed.typed(kind.as_str(), text),
                    Some(Type::Json | Type::Array) => packed.typed(Type::Json.as_str(), text),
                    _ => packed.text(text),
                }
            }
            (Storage::Blob, _) => packed.bytes(row.try_get_unchecked(index)?),
        }
    }
    Ok(())
}

fn storage(row: &SqliteRow, index: usize) -> Result<Storage, sqlx::Error> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(Storage::Null);
    }
    Ok(match raw.type_info().name() {
        "REAL" => Storage::Real,
        "TEXT" | "DATETIME" | "DATE" | "TIME" => Storage::Text,
        "BLOB" => Storage::Blob,
        _ => Storage::Integer,
    })
}

pub(super) fn arguments(values: &[Value]) -> Result<SqliteArguments, sqlx::Error> {
    let mut arguments = SqliteArguments::default();
    for value in values {
        let added = match value {
            Value::Null => arguments.add(None::<String>),
            Value::Boolean(truth) => arguments.add(*truth),
            Value::Int64(number) => arguments.add(*number),
            Value::Float64(number) => arguments.add(*number),
            Value::Bytes(bytes) => arguments.add(bytes.clone()),
            Value::Typed(name, text) if name == Type::Bigint.as_str() || name == Type::Int.as_str() => {
                let number: i64 =
                    text.parse().map_err(|_| sqlx::Error::Encode(format!("{text:?} is no {name}").into()))?;
                arguments.add(number)
            }
            Value::Text(text) | Value::Typed(_, text) => arguments.add(text.clone()),
        };
        added.map_err(sqlx::Error::Encode)?;
    }
    Ok(arguments)
}

/// Rows as the API answers them: a list of objects.
pub fn json_rows(set: RowSet) -> Json {
    let columns = set.columns;
    let rows = set.rows.into_iter().map(|row| {
        let fields =
            columns.iter().zip(row).map(|(column, cell)| (column.name.clone(), json_value(&column.type_name, cell)));
        Json::Object(fields.collect::<Map<_, _>>())
    });
    Json::Array(rows.collect())
}

/// A value in its JSON form: `bigint` and `decimal` are strings, bytes are base64, JSON is itself.
pub fn json_value(type_name: &str, value: Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Boolean(truth) => truth.into(),
        Value::Int64(number) if type_name == "bigint" || number.unsigned_abs() > SAFE_INTEGER_MAX => {
            number.to_string().into()
        }
        Value::Int64(number) => number.into(),
        Value::Float64(number) => number.into(),
        Value::Bytes(bytes) => STANDARD.encode(bytes).into(),
        Value::Typed(name, text) if name == "json" => serde_json::from_str(&text).unwrap_or(Json::String(text)),
        Value::Text(text) | Value::Typed(_, text) => text.into(),
    }
}
