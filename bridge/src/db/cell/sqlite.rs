//! Cells of SQLite, where each says what it is.

use sqlx::{Column as _, Error, Row as _, TypeInfo, ValueRef, sqlite::SqliteRow};

use super::{Answered, Cell, ResultColumn, Wire};
use crate::db::value;

pub(super) fn columns(row: &SqliteRow, answered: Answered<'_>) -> Vec<ResultColumn> {
    let kind = |column| match answered {
        Answered::Columns(_) => None,
        Answered::Found(schema) | Answered::Guest(schema) => value::declared(column, schema),
    };
    row.columns().iter().map(|column| ResultColumn::new(column.name(), kind(column), Wire::Dynamic)).collect()
}

pub(super) fn cell(row: &SqliteRow, index: usize) -> Result<Cell<'_>, Error> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    let storage = raw.type_info().into_owned();
    drop(raw);
    Ok(match storage.name() {
        "REAL" => Cell::Float(row.try_get_unchecked(index)?),
        "TEXT" | "DATETIME" | "DATE" | "TIME" => Cell::Text(row.try_get_unchecked::<&str, _>(index)?.into()),
        "BLOB" => Cell::Bytes(row.try_get_unchecked::<&[u8], _>(index)?.into()),
        _ => Cell::Integer(row.try_get_unchecked(index)?),
    })
}
