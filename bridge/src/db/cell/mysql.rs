//! Cells of MySQL and MariaDB, in the binary protocol.

use chrono::NaiveDateTime;
use santokit_core::schema::{Schema, Type};
use sqlx::{
    Column as _, ColumnOrigin, Decode, Error, MySql, Row as _, Type as SqlType, TypeInfo, ValueRef, mysql::MySqlRow,
};

use super::{Answered, Cell, ResultColumn, Wire, undecodable};

pub(super) fn columns(row: &MySqlRow, answered: Answered<'_>) -> Vec<ResultColumn> {
    let of = |column: &sqlx::mysql::MySqlColumn| {
        let (wire, told) = told(column);
        let kind = match answered {
            Answered::Columns(_) => None,
            Answered::Found(schema) | Answered::Guest(schema) => declared(column, schema),
        };
        // A count is no column of a table: a number, as long as every reader of JSON keeps it.
        let is_of_table = matches!(column.origin(), ColumnOrigin::Table(_));
        let told = Some(told).filter(|told| *told != Type::Bigint || is_of_table);
        ResultColumn::new(column.name(), kind.or(told), wire)
    };
    row.columns().iter().map(of).collect()
}

/// How the bytes of a column are read; as text where there is no such column.
pub(super) fn wire_of(row: &MySqlRow, index: usize) -> Wire {
    row.columns().get(index).map_or(Wire::Text, |column| told(column).0)
}

fn told(column: &sqlx::mysql::MySqlColumn) -> (Wire, Type) {
    match wire(column.type_info().name()) {
        // Text under a collation that compares bytes is named as bytes are; its character set tells them apart.
        (Wire::Bytes, _) if <str as SqlType<MySql>>::compatible(column.type_info()) => (Wire::Text, Type::String),
        told => told,
    }
}

/// A table is named with its database.
fn declared(column: &sqlx::mysql::MySqlColumn, schema: &Schema) -> Option<Type> {
    let ColumnOrigin::Table(origin) = column.origin() else { return None };
    let name = origin.table.rsplit_once('.').map_or(origin.table.as_ref(), |(_, table)| table);
    let table = schema.tables.get(name)?;
    if table.id.name == *origin.name {
        return Some(table.id.kind);
    }
    table.columns.iter().find(|column| column.name == *origin.name).map(|column| column.kind)
}

fn wire(name: &str) -> (Wire, Type) {
    match name {
        "BOOLEAN" => (Wire::Integer, Type::Boolean),
        "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" => (Wire::Integer, Type::Int),
        "TINYINT UNSIGNED" | "SMALLINT UNSIGNED" | "MEDIUMINT UNSIGNED" | "YEAR" => (Wire::Unsigned, Type::Int),
        "BIGINT" => (Wire::Integer, Type::Bigint),
        "INT UNSIGNED" | "BIGINT UNSIGNED" => (Wire::Unsigned, Type::Bigint),
        "FLOAT" => (Wire::Float4, Type::Float),
        "DOUBLE" => (Wire::Float8, Type::Float),
        "DECIMAL" => (Wire::Decimal, Type::Decimal),
        "JSON" => (Wire::Json, Type::Json),
        "DATETIME" | "TIMESTAMP" => (Wire::Timestamp, Type::Timestamp),
        "DATE" => (Wire::Date, Type::String),
        "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB" | "BINARY" | "VARBINARY" | "BIT" | "GEOMETRY" => {
            (Wire::Bytes, Type::Bytes)
        }
        _ => (Wire::Text, Type::String),
    }
}

pub(super) fn cell(row: &MySqlRow, index: usize, wire: Wire) -> Result<Cell<'_>, Error> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    if wire == Wire::Timestamp {
        // A date that is none (2024-00-00) is nothing that anyone could use.
        let time = <NaiveDateTime as Decode<'_, MySql>>::decode(raw);
        return Ok(time.map_or(Cell::Null, |time| Cell::Timestamp(time.and_utc().timestamp_micros())));
    }
    if wire == Wire::Date {
        let date = <chrono::NaiveDate as Decode<'_, MySql>>::decode(raw);
        return Ok(date.map_or(Cell::Null, |date| Cell::Text(date.to_string().into())));
    }
    let bytes = <&[u8] as Decode<'_, MySql>>::decode(raw).map_err(Error::Decode)?;
    decode(bytes, wire).ok_or_else(|| undecodable("a cell"))
}

fn decode(bytes: &[u8], wire: Wire) -> Option<Cell<'_>> {
    let text = || std::str::from_utf8(bytes).ok();
    Some(match wire {
        Wire::Integer | Wire::Boolean => Cell::Integer(integer(bytes)?),
        Wire::Unsigned => unsigned(bytes)?,
        Wire::Float4 => {
            let single = f32::from_le_bytes(bytes.try_into().ok()?);
            Cell::Float(single.to_string().parse().unwrap_or_else(|_| f64::from(single)))
        }
        Wire::Float8 => Cell::Float(f64::from_le_bytes(bytes.try_into().ok()?)),
        Wire::Decimal => Cell::Decimal(without_trailing_zeros(text()?).into()),
        // MariaDB's JSON is text that a check watches, where the column has that check.
        Wire::Json | Wire::Jsonb => Cell::Json(text()?.into(), false),
        Wire::Bytes => Cell::Bytes(bytes.into()),
        _ => match text() {
            Some(text) => Cell::Text(text.into()),
            None => Cell::Bytes(bytes.into()),
        },
    })
}

fn integer(bytes: &[u8]) -> Option<i64> {
    match *bytes {
        [a] => Some(a.cast_signed().into()),
        [a, b] => Some(i16::from_le_bytes([a, b]).into()),
        [a, b, c, d] => Some(i32::from_le_bytes([a, b, c, d]).into()),
        _ => bytes.try_into().ok().map(i64::from_le_bytes),
    }
}

fn unsigned<'r>(bytes: &[u8]) -> Option<Cell<'r>> {
    let number = match *bytes {
        [a] => a.into(),
        [a, b] => u16::from_le_bytes([a, b]).into(),
        [a, b, c, d] => u32::from_le_bytes([a, b, c, d]).into(),
        _ => u64::from_le_bytes(bytes.try_into().ok()?),
    };
    Some(i64::try_from(number).map_or_else(|_| Cell::Decimal(number.to_string().into()), Cell::Integer))
}

/// A column has one number of places for all of its values, which is no property of a value.
fn without_trailing_zeros(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_forms_are_read() {
        for (wire, bytes, cell) in [
            (Wire::Integer, &[0xFE][..], Cell::Integer(-2)),
            (Wire::Integer, &[0, 0, 0, 0x80], Cell::Integer(i32::MIN.into())),
            (Wire::Unsigned, &[0xFF; 8], Cell::Decimal(u64::MAX.to_string().into())),
            (Wire::Unsigned, &[0xFF; 4], Cell::Integer(u32::MAX.into())),
            (Wire::Decimal, b"12.500000", Cell::Decimal("12.5".into())),
            (Wire::Decimal, b"-100.000", Cell::Decimal("-100".into())),
            (Wire::Decimal, b"100", Cell::Decimal("100".into())),
            (Wire::Text, &[0xFF], Cell::Bytes((&[0xFF][..]).into())),
        ] {
            assert_eq!(decode(bytes, wire), Some(cell));
        }
        assert_eq!(decode(&[1, 2, 3], Wire::Integer), None);
    }
}
