//! How a whole row becomes a Rust type: a struct by column name, a tuple in order, a single column its value.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::cell::Cell;
use super::{Column, Error};

/// A row as serde sees it.
#[derive(Clone, Copy)]
pub(super) struct RowDeserializer<'a, 'de> {
    pub(super) columns: &'a [Column],
    pub(super) cells: &'a [Cell<'de>],
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
        visitor
            .visit_seq(SeqDeserializer::new(cells.map(|(column, cell)| NamedCell { name: &column.name, cell: *cell })))
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

/// An error that says which column it is about.
pub(super) fn in_column(error: Error, column: &str) -> Error {
    match error {
        Error::Decode(why) => Error::Decode(format!("column {column}: {why}")),
        other => other,
    }
}
