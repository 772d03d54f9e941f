//! Rows, and how a whole row becomes a Rust type.

use std::rc::Rc;

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::cell::Cell;
use super::packed::Reader;
use super::{Error, Value};

pub use crate::bindings::santokit::sql::types::Column;

use crate::bindings::santokit::sql::types::{Batch, PackedRows};

/// One row. [`Row::get`] for one column, [`Row::decode`] for the whole.
#[derive(Debug, Clone)]
pub struct Row {
    columns: Rc<[Column]>,
    values: Vec<Value>,
}

/// All rows of a result, in order: `for row in rows`.
#[derive(Debug, Clone)]
pub struct Rows {
    columns: Rc<[Column]>,
    rows: std::vec::IntoIter<Vec<Value>>,
}

impl Row {
    /// The value of a column as the type that is asked for: `row.get::<i64>("stock")?`.
    pub fn get<T: DeserializeOwned>(&self, column: &str) -> Result<T, Error> {
        let value = self.value(column).ok_or_else(|| {
            let known: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
            Error::Decode(format!("there is no column {column}; there are: {}", known.join(", ")))
        })?;
        T::deserialize(Cell::of(value)).map_err(|error| in_column(error, column))
    }

    /// The bare value of a column.
    pub fn value(&self, column: &str) -> Option<&Value> {
        let index = self.columns.iter().position(|known| known.name == column)?;
        self.values.get(index)
    }

    /// The whole row as a struct (by column name), a tuple (in order) or, with one column, its value.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, Error> {
        let cells: Vec<Cell<'_>> = self.values.iter().map(Cell::of).collect();
        T::deserialize(RowDeserializer { columns: &self.columns, cells: &cells })
    }

    /// Names and types of the columns, in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }
}

impl Rows {
    /// Names and types of the columns, in order.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }
}

impl Iterator for Rows {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let values = self.rows.next()?;
        Some(Row { columns: Rc::clone(&self.columns), values })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.rows.size_hint()
    }
}

impl ExactSizeIterator for Rows {}

/// Decodes a result into rows.
pub(crate) fn rows(packed: PackedRows) -> Result<Rows, Error> {
    let columns: Rc<[Column]> = packed.columns.into();
    let rows = batch_values(&columns, &packed.batch)?.into_iter();
    Ok(Rows { columns, rows })
}

/// Decodes a batch into rows.
pub(crate) fn batch_rows(columns: &Rc<[Column]>, batch: &Batch) -> Result<Vec<Row>, Error> {
    let rows = batch_values(columns, batch)?;
    Ok(rows.into_iter().map(|values| Row { columns: Rc::clone(columns), values }).collect())
}

/// Decodes a batch straight into a type, with no values in between.
pub(crate) fn batch_as<T: DeserializeOwned>(columns: &[Column], batch: &Batch) -> Result<Vec<T>, Error> {
    let mut reader = Reader::new(batch.format, &batch.data)?;
    let mut cells = vec![Cell::Null; columns.len()];
    let mut decoded = Vec::new();
    for _ in 0..batch.rows {
        for cell in &mut cells {
            *cell = reader.cell()?;
        }
        decoded.push(T::deserialize(RowDeserializer { columns, cells: &cells })?);
    }
    Ok(decoded)
}

fn batch_values(columns: &[Column], batch: &Batch) -> Result<Vec<Vec<Value>>, Error> {
    let mut reader = Reader::new(batch.format, &batch.data)?;
    (0..batch.rows).map(|_| columns.iter().map(|_| reader.cell().map(Cell::to_value)).collect()).collect()
}

fn in_column(error: Error, column: &str) -> Error {
    match error {
        Error::Decode(why) => Error::Decode(format!("column {column}: {why}")),
        other => other,
    }
}

/// A row as serde sees it.
#[derive(Clone, Copy)]
struct RowDeserializer<'a, 'de> {
    columns: &'a [Column],
    cells: &'a [Cell<'de>],
}

/// A cell that knows its column, so that an error can name it.
#[derive(Clone, Copy)]
struct NamedCell<'a, 'de> {
    name: &'a str,
    cell: Cell<'de>,
}

impl<'de> RowDeserializer<'_, 'de> {
    /// For everything that is neither map nor sequence: the value of the only column.
    fn single(self) -> Result<Cell<'de>, Error> {
        match self.cells {
            [cell] => Ok(*cell),
            cells => Err(Error::Decode(format!(
                "a single value was asked for, the row has {} columns: ask for a struct or a tuple",
                cells.len()
            ))),
        }
    }
}

macro_rules! single_value {
    ($($method:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            self.single()?.$method(visitor)
        }
    )+};
}

impl<'de> Deserializer<'de> for RowDeserializer<'_, 'de> {
    type Error = Error;

    single_value!(deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
                  deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
                  deserialize_f32 deserialize_f64 deserialize_char deserialize_str deserialize_string
                  deserialize_bytes deserialize_byte_buf);

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let cells = self.columns.iter().zip(self.cells).map(|(column, cell)| {
            let name = column.name.as_str();
            (name, NamedCell { name, cell: *cell })
        });
        visitor.visit_map(MapDeserializer::new(cells))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let cells = self.columns.iter().zip(self.cells);
        visitor.visit_seq(SeqDeserializer::new(
            cells.map(|(column, cell)| NamedCell { name: &column.name, cell: *cell }),
        ))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.cells {
            [Cell::Null] => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.single()?.deserialize_enum(name, variants, visitor)
    }

    forward_to_deserialize_any! { i128 u128 unit unit_struct identifier ignored_any }
}

macro_rules! named {
    ($($method:ident($($argument:ident: $type:ty),*))+) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, Error> {
            self.cell.$method($($argument,)* visitor).map_err(|error| in_column(error, self.name))
        }
    )+};
}

impl<'de> Deserializer<'de> for NamedCell<'_, 'de> {
    type Error = Error;

    named! {
        deserialize_any() deserialize_bool()
        deserialize_i8() deserialize_i16() deserialize_i32() deserialize_i64() deserialize_i128()
        deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64() deserialize_u128()
        deserialize_f32() deserialize_f64() deserialize_char() deserialize_str() deserialize_string()
        deserialize_bytes() deserialize_byte_buf() deserialize_option() deserialize_unit()
        deserialize_unit_struct(name: &'static str)
        deserialize_newtype_struct(name: &'static str)
        deserialize_seq() deserialize_tuple(len: usize)
        deserialize_tuple_struct(name: &'static str, len: usize)
        deserialize_map()
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
        deserialize_identifier() deserialize_ignored_any()
    }
}

impl<'de> IntoDeserializer<'de, Error> for NamedCell<'_, 'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}
