//! A cell of a row as the driver has it, borrowed, and brought to the declared type: the one form from which a value for the
//! platform and the JSON of an answer are made.

mod mysql;
mod postgres;
mod sqlite;

use std::borrow::Cow;

use chrono::{DateTime, Datelike, Timelike};
use santokit_core::{
    schema::{Schema, Type},
    value::{Column, Value},
};
use santokit_sql::statement::OutputColumn;
use sqlx::{Error, mysql::MySqlRow, postgres::PgRow, sqlite::SqliteRow};

/// A row, while the statement is being read.
#[derive(Debug)]
pub struct Row<'r> {
    driver: DriverRow<'r>,
    columns: &'r [ResultColumn],
}

/// As a driver has it.
#[derive(Clone, Copy, Debug)]
pub(super) enum DriverRow<'r> {
    Sqlite(&'r SqliteRow),
    Postgres(&'r PgRow),
    Mysql(&'r MySqlRow),
}

/// What a statement is known to answer.
#[derive(Clone, Copy, Debug)]
pub enum Answered<'a> {
    /// The platform's own: declared.
    Columns(&'a [OutputColumn]),
    /// A release's: as the engine tells, and as the schema declares where a column comes from a table.
    Found(&'a Schema),
    /// A guest's: the same. Of its NULLs nobody knows the type but the engine.
    Guest(&'a Schema),
}

/// A column of a result.
#[derive(Clone, Debug)]
pub struct ResultColumn {
    /// What it is decoded as: declared, or told by the engine. None: whatever a cell is (SQLite).
    pub kind: Option<Type>,
    /// `"name":` in JSON.
    key: Vec<u8>,
    /// How the driver's bytes are read.
    wire: Wire,
}

/// How the driver's bytes are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wire {
    Boolean,
    /// One, two, four or eight bytes.
    Integer,
    Unsigned,
    Float4,
    Float8,
    Decimal,
    Text,
    Bytes,
    Uuid,
    Json,
    Jsonb,
    Timestamp,
    Date,
    /// SQLite: each cell says.
    Dynamic,
}

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cell<'r> {
    Null,
    Boolean(bool),
    Integer(i64),
    Float(f64),
    /// Its digits.
    Decimal(Cow<'r, str>),
    Text(Cow<'r, str>),
    Bytes(Cow<'r, [u8]>),
    /// JSON; whether it is known to be valid.
    Json(Cow<'r, str>, bool),
    /// Microseconds since 1970, UTC.
    Timestamp(i64),
}

/// Longest text of a time: year, month, day, time, microseconds, zone.
const TIMESTAMP_BYTES: usize = 32;

impl<'r> Row<'r> {
    pub(super) fn new(driver: DriverRow<'r>, columns: &'r [ResultColumn]) -> Self {
        Self { driver, columns }
    }

    /// How many cells it has.
    pub fn len(&self) -> usize {
        self.columns.len()
    }

    /// What its columns are called and hold, as guests are told.
    pub(super) fn told(&self) -> Vec<Column> {
        let kind = |column: &ResultColumn| column.kind.map_or("", Type::as_str).to_owned();
        self.columns.iter().map(|column| Column { name: column.name(), type_name: kind(column) }).collect()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// A cell, in the canonical form of its type.
    pub fn value(&self, index: usize) -> Result<Value, Error> {
        let kind = self.columns.get(index).and_then(|column| column.kind);
        Ok(self.cell(index)?.into_value(kind))
    }

    /// All cells.
    pub fn values(&self) -> Result<Vec<Value>, Error> {
        (0..self.len()).map(|index| self.value(index)).collect()
    }

    /// Writes a cell as JSON.
    pub fn write_json(&self, index: usize, out: &mut Vec<u8>) -> Result<(), Error> {
        let kind = self.columns.get(index).and_then(|column| column.kind);
        super::json::write(out, &self.cell(index)?, kind)
    }

    /// Writes the first cells, as many as are asked for, as the fields of a JSON object, without its braces.
    pub fn write_fields(&self, count: usize, out: &mut Vec<u8>) -> Result<(), Error> {
        for (index, column) in self.columns.iter().enumerate().take(count) {
            if index > 0 {
                out.push(b',');
            }
            out.extend_from_slice(&column.key);
            self.write_json(index, out)?;
        }
        Ok(())
    }

    fn cell(&self, index: usize) -> Result<Cell<'r>, Error> {
        let column = self.columns.get(index).ok_or(Error::ColumnIndexOutOfBounds { index, len: self.columns.len() })?;
        let cell = match self.driver {
            DriverRow::Sqlite(row) => sqlite::cell(row, index)?,
            DriverRow::Postgres(row) => postgres::cell(row, index, column.wire)?,
            DriverRow::Mysql(row) => mysql::cell(row, index, column.wire)?,
        };
        Ok(match column.kind {
            Some(kind) => cell.conform(kind),
            None => cell,
        })
    }
}

impl ResultColumn {
    /// Of a result, by its first row.
    pub(super) fn all(row: DriverRow<'_>, answered: Answered<'_>) -> Vec<Self> {
        let Answered::Columns(declared) = answered else {
            return match row {
                DriverRow::Sqlite(row) => sqlite::columns(row, answered),
                DriverRow::Postgres(row) => postgres::columns(row),
                DriverRow::Mysql(row) => mysql::columns(row, answered),
            };
        };
        let wire = |index: usize| match row {
            DriverRow::Sqlite(_) => Wire::Dynamic,
            DriverRow::Postgres(row) => postgres::wire_of(row, index),
            DriverRow::Mysql(row) => mysql::wire_of(row, index),
        };
        let declared = declared.iter().enumerate();
        declared.map(|(index, column)| Self::new(&column.name, Some(column.kind), wire(index))).collect()
    }

    /// Its name.
    pub(super) fn name(&self) -> String {
        // It was written here.
        serde_json::from_slice(&self.key[..self.key.len() - 1]).unwrap_or_default()
    }

    fn new(name: &str, kind: Option<Type>, wire: Wire) -> Self {
        let mut key = Vec::with_capacity(name.len() + 3);
        // Text always serialises.
        drop(serde_json::to_writer(&mut key, name));
        key.push(b':');
        Self { kind, key, wire }
    }
}

impl Cell<'_> {
    /// Brought to the type, where the engine answers with another one: an average that is a decimal, a truth value that is a number.
    fn conform(self, kind: Type) -> Self {
        match (kind, self) {
            (Type::Boolean, Cell::Integer(number)) => Cell::Boolean(number != 0),
            (Type::Float, Cell::Integer(number)) => Cell::Float(lossy(number)),
            (Type::Float, Cell::Decimal(digits)) => match digits.parse() {
                Ok(number) => Cell::Float(number),
                Err(_) => Cell::Decimal(digits),
            },
            (Type::Decimal, Cell::Integer(number)) => Cell::Decimal(number.to_string().into()),
            (Type::Decimal, Cell::Float(number)) => Cell::Decimal(number.to_string().into()),
            (Type::Decimal, Cell::Text(text)) => Cell::Decimal(text),
            (Type::Int | Type::Bigint, Cell::Decimal(digits)) => match whole(&digits) {
                Some(number) => Cell::Integer(number),
                None => Cell::Decimal(digits),
            },
            (Type::Json | Type::Array, Cell::Text(text)) => Cell::Json(text, false),
            (Type::Json | Type::Array, Cell::Bytes(Cow::Borrowed(bytes))) => match std::str::from_utf8(bytes) {
                Ok(text) => Cell::Json(text.into(), false),
                Err(_) => Cell::Bytes(bytes.into()),
            },
            (Type::String | Type::File, Cell::Bytes(Cow::Borrowed(bytes))) => match std::str::from_utf8(bytes) {
                Ok(text) => Cell::Text(text.into()),
                Err(_) => Cell::Bytes(bytes.into()),
            },
            (Type::Bytes, Cell::Text(Cow::Borrowed(text))) => Cell::Bytes(text.as_bytes().into()),
            (Type::String | Type::File, Cell::Integer(number)) => Cell::Text(number.to_string().into()),
            (Type::String | Type::File, Cell::Decimal(digits)) => Cell::Text(digits),
            (_, cell) => cell,
        }
    }

    fn into_value(self, kind: Option<Type>) -> Value {
        let typed = |kind: Type, text: String| Value::Typed(kind.as_str().to_owned(), text);
        match self {
            Cell::Null => Value::Null,
            Cell::Boolean(truth) => Value::Boolean(truth),
            Cell::Integer(number) => Value::Int64(number),
            Cell::Float(number) => Value::Float64(number),
            Cell::Decimal(digits) => typed(Type::Decimal, digits.into_owned()),
            Cell::Text(text) if kind == Some(Type::Timestamp) => typed(Type::Timestamp, text.into_owned()),
            Cell::Text(text) => Value::Text(text.into_owned()),
            Cell::Bytes(bytes) => Value::Bytes(bytes.into_owned()),
            Cell::Json(text, _) => typed(Type::Json, text.into_owned()),
            Cell::Timestamp(micros) => typed(Type::Timestamp, timestamp(micros)),
        }
    }
}

/// RFC 3339 in UTC with six digits, as it is everywhere. PostgreSQL knows two times without an end, and years beyond 9999, which
/// RFC 3339 cannot say: they are as PostgreSQL and ISO 8601 say them.
pub(super) fn timestamp(micros: i64) -> String {
    use std::fmt::Write as _;

    let mut text = String::with_capacity(TIMESTAMP_BYTES);
    let Some(time) = DateTime::from_timestamp_micros(micros) else {
        return if micros > 0 { "infinity".to_owned() } else { "-infinity".to_owned() };
    };
    let year = time.year();
    let written = if (0..=9999).contains(&year) { write!(text, "{year:04}") } else { write!(text, "{year:+07}") };
    let written = written.and_then(|()| {
        write!(text, "-{:02}-{:02}T{:02}:", time.month(), time.day(), time.hour())?;
        write!(text, "{:02}:{:02}.{:06}Z", time.minute(), time.second(), time.timestamp_subsec_micros())
    });
    // A string takes whatever is written.
    debug_assert!(written.is_ok(), "writing to a string failed");
    text
}

/// `12`, `12.000`: what sums and counts are where the engine makes decimals of them.
fn whole(digits: &str) -> Option<i64> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    fraction.bytes().all(|digit| digit == b'0').then(|| whole.parse().ok()).flatten()
}

fn undecodable(what: &str) -> Error {
    Error::Decode(format!("the engine's form of {what} is not understood").into())
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a whole number in a column of floating point numbers is rounded as SQL rounds it"
)]
fn lossy(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_one_width() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (-62_135_596_800_000_000, "0001-01-01T00:00:00.000000Z"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
            (253_402_300_800_000_000, "+010000-01-01T00:00:00.000000Z"),
            (i64::MAX, "infinity"),
            (i64::MIN, "-infinity"),
        ] {
            assert_eq!(timestamp(micros), text);
        }
    }

    #[test]
    fn a_cell_becomes_the_declared_type() {
        for (kind, cell, expected) in [
            (Type::Boolean, Cell::Integer(1), Cell::Boolean(true)),
            (Type::Float, Cell::Decimal("2.50".into()), Cell::Float(2.5)),
            (Type::Bigint, Cell::Decimal("9223372036854775807".into()), Cell::Integer(i64::MAX)),
            (Type::Bigint, Cell::Decimal("3.000".into()), Cell::Integer(3)),
            (Type::Bigint, Cell::Decimal("9223372036854775808".into()), Cell::Decimal("9223372036854775808".into())),
            (Type::Decimal, Cell::Integer(7), Cell::Decimal("7".into())),
            (Type::Json, Cell::Text("[1]".into()), Cell::Json("[1]".into(), false)),
            (Type::String, Cell::Null, Cell::Null),
        ] {
            assert_eq!(cell.conform(kind), expected);
        }
    }
}
