//! Cells of PostgreSQL, in its binary form (the `…send` functions of its types).

use chrono::{Days, NaiveDate};
use santokit_core::schema::Type;
use sqlx::{Column as _, Error, Row as _, TypeInfo, ValueRef, postgres::PgRow};

use super::{Cell, ResultColumn, Wire, undecodable};
use crate::db::bind;

/// From 1970, where our times begin, to 2000, where PostgreSQL's do.
const EPOCH_MICROS: i64 = 946_684_800_000_000;
const JSONB_VERSION: u8 = 1;

pub(super) fn columns(row: &PgRow) -> Vec<ResultColumn> {
    let of = |column: &sqlx::postgres::PgColumn| {
        let (wire, kind) = wire(column.type_info().name());
        // A count is no column of a table: a number, as long as every reader of JSON keeps it.
        let kind = Some(kind).filter(|kind| *kind != Type::Bigint || column.relation_id().is_some());
        ResultColumn::new(column.name(), kind, wire)
    };
    row.columns().iter().map(of).collect()
}

/// How the bytes of a column are read; as text where there is no such column.
pub(super) fn wire_of(row: &PgRow, index: usize) -> Wire {
    row.columns().get(index).map_or(Wire::Text, |column| wire(column.type_info().name()).0)
}

fn wire(name: &str) -> (Wire, Type) {
    match name {
        "BOOL" => (Wire::Boolean, Type::Boolean),
        "INT2" | "INT4" => (Wire::Integer, Type::Int),
        "INT8" => (Wire::Integer, Type::Bigint),
        "OID" => (Wire::Unsigned, Type::Bigint),
        "FLOAT4" => (Wire::Float4, Type::Float),
        "FLOAT8" => (Wire::Float8, Type::Float),
        "NUMERIC" => (Wire::Decimal, Type::Decimal),
        "UUID" => (Wire::Uuid, Type::String),
        "JSON" => (Wire::Json, Type::Json),
        "JSONB" => (Wire::Jsonb, Type::Json),
        "TIMESTAMPTZ" | "TIMESTAMP" => (Wire::Timestamp, Type::Timestamp),
        "DATE" => (Wire::Date, Type::String),
        "BYTEA" => (Wire::Bytes, Type::Bytes),
        // Text of all kinds, enums and what extensions make of text.
        _ => (Wire::Text, Type::String),
    }
}

pub(super) fn cell(row: &PgRow, index: usize, wire: Wire) -> Result<Cell<'_>, Error> {
    let raw = row.try_get_raw(index)?;
    if raw.is_null() {
        return Ok(Cell::Null);
    }
    let bytes = raw.as_bytes().map_err(Error::Decode)?;
    decode(bytes, wire).ok_or_else(|| undecodable("a cell"))
}

fn decode(bytes: &[u8], wire: Wire) -> Option<Cell<'_>> {
    Some(match wire {
        Wire::Boolean => Cell::Boolean(*bytes.first()? != 0),
        Wire::Integer => Cell::Integer(integer(bytes)?),
        Wire::Unsigned => Cell::Integer(u32::from_be_bytes(bytes.try_into().ok()?).into()),
        Wire::Float4 => Cell::Float(widened(f32::from_be_bytes(bytes.try_into().ok()?))),
        Wire::Float8 => Cell::Float(f64::from_be_bytes(bytes.try_into().ok()?)),
        Wire::Decimal => Cell::Decimal(bind::numeric_text(bytes)?.into()),
        Wire::Uuid => Cell::Text(uuid(bytes)?.into()),
        Wire::Json => Cell::Json(std::str::from_utf8(bytes).ok()?.into(), true),
        Wire::Jsonb => {
            let (version, text) = bytes.split_first()?;
            let text = (*version == JSONB_VERSION).then(|| std::str::from_utf8(text).ok()).flatten()?;
            Cell::Json(text.into(), true)
        }
        Wire::Timestamp => match i64::from_be_bytes(bytes.try_into().ok()?) {
            end @ (i64::MAX | i64::MIN) => Cell::Timestamp(end),
            micros => Cell::Timestamp(micros.checked_add(EPOCH_MICROS)?),
        },
        Wire::Date => Cell::Text(date(i32::from_be_bytes(bytes.try_into().ok()?))?.into()),
        Wire::Bytes => Cell::Bytes(bytes.into()),
        Wire::Text | Wire::Dynamic => match std::str::from_utf8(bytes) {
            Ok(text) => Cell::Text(text.into()),
            Err(_) => Cell::Bytes(bytes.into()),
        },
    })
}

fn integer(bytes: &[u8]) -> Option<i64> {
    match *bytes {
        [a, b] => Some(i16::from_be_bytes([a, b]).into()),
        [a, b, c, d] => Some(i32::from_be_bytes([a, b, c, d]).into()),
        _ => bytes.try_into().ok().map(i64::from_be_bytes),
    }
}

/// As the shortest decimal that reads as the same single float: 0.1 stays 0.1.
fn widened(single: f32) -> f64 {
    single.to_string().parse().unwrap_or_else(|_| f64::from(single))
}

fn uuid(bytes: &[u8]) -> Option<String> {
    let number = u128::from_be_bytes(bytes.try_into().ok()?);
    let hex = format!("{number:032x}");
    Some([&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-"))
}

fn date(days: i32) -> Option<String> {
    let epoch = NaiveDate::from_ymd_opt(2000, 1, 1)?;
    let distance = Days::new(days.unsigned_abs().into());
    let date = if days < 0 { epoch.checked_sub_days(distance) } else { epoch.checked_add_days(distance) };
    Some(date.map_or_else(|| if days > 0 { "infinity" } else { "-infinity" }.to_owned(), |date| date.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binary_forms_are_read() {
        for (wire, bytes, cell) in [
            (Wire::Integer, &[0xFF, 0xFE][..], Cell::Integer(-2)),
            (Wire::Integer, &[0x80, 0, 0, 0], Cell::Integer(i32::MIN.into())),
            (Wire::Integer, &[0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], Cell::Integer(i64::MAX)),
            (Wire::Timestamp, &[0; 8], Cell::Timestamp(EPOCH_MICROS)),
            (Wire::Date, &[0, 0, 0, 1], Cell::Text("2000-01-02".into())),
            (Wire::Float4, &[0x3D, 0xCC, 0xCC, 0xCD], Cell::Float(0.1)),
            (Wire::Uuid, &[0x11; 16], Cell::Text("11111111-1111-1111-1111-111111111111".into())),
            (Wire::Jsonb, &[1, b'1'], Cell::Json("1".into(), true)),
        ] {
            assert_eq!(decode(bytes, wire), Some(cell));
        }
    }

    #[test]
    fn bytes_of_another_form_are_no_panic() {
        for wire in
            [Wire::Boolean, Wire::Integer, Wire::Float8, Wire::Decimal, Wire::Uuid, Wire::Jsonb, Wire::Timestamp]
        {
            assert_eq!(decode(&[], wire), None, "{wire:?}");
        }
        assert_eq!(decode(&[2, b'1'], Wire::Jsonb), None);
    }
}
