//! One value of a row, and how it becomes a Rust type.
//!
//! What the databases cannot tell apart is decided by the type that is asked for: SQLite has no boolean, so 0 and 1 do;
//! decimals and big integers come as text and are parsed where a number is asked for; JSON text becomes a struct, map or
//! list where one is asked for.

use std::fmt::Display;
use std::str::FromStr;

use serde::de::value::{StrDeserializer, StringDeserializer};
use serde::de::{Deserializer, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

use super::{Error, Value};

/// A value, borrowed from the packed rows or from a [`super::Row`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Boolean(bool),
    Int64(i64),
    Float64(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// (type name, text).
    Typed(&'a str, &'a str),
}

impl<'a> Cell<'a> {
    pub(crate) fn of(value: &'a Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Boolean(value) => Self::Boolean(*value),
            Value::Int64(value) => Self::Int64(*value),
            Value::Float64(value) => Self::Float64(*value),
            Value::Text(value) => Self::Text(value),
            Value::Bytes(value) => Self::Bytes(value),
            Value::Typed((name, text)) => Self::Typed(name, text),
        }
    }

    pub(crate) fn to_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Boolean(value) => Value::Boolean(value),
            Self::Int64(value) => Value::Int64(value),
            Self::Float64(value) => Value::Float64(value),
            Self::Text(value) => Value::Text(value.to_owned()),
            Self::Bytes(value) => Value::Bytes(value.to_vec()),
            Self::Typed(name, text) => Value::Typed((name.to_owned(), text.to_owned())),
        }
    }

    /// The text that a number can be parsed from.
    fn numeric_text(self) -> Option<&'a str> {
        match self {
            Self::Typed("decimal" | "bigint" | "int" | "float" | "numeric", text) => Some(text),
            _ => None,
        }
    }

    /// The text that JSON can be parsed from.
    fn json_text(self) -> Option<&'a str> {
        match self {
            Self::Typed("json" | "array", text) | Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|error| Error::Decode(format!("a number was asked for: {error}")))
}

macro_rules! integers {
    ($($method:ident)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self.numeric_text() {
                Some(text) => match text.parse::<i64>() {
                    Ok(number) => visitor.visit_i64(number),
                    Err(_) => visitor.visit_u64(parse(text)?),
                },
                None => self.deserialize_any(visitor),
            }
        }
    )+};
}

macro_rules! from_json {
    ($($method:ident($($argument:ident: $type:ty),*))+) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, Error> {
            match self.json_text() {
                Some(text) => serde_json::Deserializer::from_str(text)
                    .$method($($argument,)* visitor)
                    .map_err(|error| Error::Decode(format!("JSON in a column: {error}"))),
                None => self.deserialize_any(visitor),
            }
        }
    )+};
}

impl<'de> Deserializer<'de> for Cell<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Boolean(value) => visitor.visit_bool(value),
            Self::Int64(value) => visitor.visit_i64(value),
            Self::Float64(value) => visitor.visit_f64(value),
            Self::Bytes(value) => visitor.visit_borrowed_bytes(value),
            Self::Typed("json" | "array", text) => serde_json::Deserializer::from_str(text)
                .deserialize_any(visitor)
                .map_err(|error| Error::Decode(format!("JSON in a column: {error}"))),
            Self::Text(text) | Self::Typed(_, text) => visitor.visit_borrowed_str(text),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Self::Int64(number @ (0 | 1)) => visitor.visit_bool(number == 1),
            _ => self.deserialize_any(visitor),
        }
    }

    integers!(deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
              deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64);

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.numeric_text() {
            Some(text) => visitor.visit_f64(parse(text)?),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            // Also JSON: who asks for text gets the text.
            Self::Typed(_, text) => visitor.visit_borrowed_str(text),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    from_json! {
        deserialize_map()
        deserialize_tuple(len: usize)
        deserialize_struct(name: &'static str, fields: &'static [&'static str])
        deserialize_tuple_struct(name: &'static str, len: usize)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match (self, self.json_text()) {
            // `Vec<u8>` asks for a sequence.
            (Self::Bytes(bytes), _) => visitor.visit_seq(serde::de::value::SeqDeserializer::new(bytes.iter().copied())),
            (_, Some(text)) => serde_json::Deserializer::from_str(text)
                .deserialize_seq(visitor)
                .map_err(|error| Error::Decode(format!("JSON in a column: {error}"))),
            (_, None) => self.deserialize_any(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Self::Typed("json", text) => serde_json::Deserializer::from_str(text)
                .deserialize_enum(name, variants, visitor)
                .map_err(|error| Error::Decode(format!("JSON in a column: {error}"))),
            Self::Text(text) | Self::Typed(_, text) => {
                let text: StrDeserializer<'_, Error> = text.into_deserializer();
                text.deserialize_enum(name, variants, visitor)
            }
            Self::Int64(number) => {
                let text: StringDeserializer<Error> = number.to_string().into_deserializer();
                text.deserialize_enum(name, variants, visitor)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        i128 u128 char bytes byte_buf unit unit_struct identifier ignored_any
    }
}
