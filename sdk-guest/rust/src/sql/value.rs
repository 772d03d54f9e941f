//! Values that are bound to placeholders.

use serde::Serialize;

pub use crate::bindings::santokit::sql::types::Value;

/// A decimal number as text, so that no digit is lost: `Decimal("19.90")`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal<T: AsRef<str>>(
    /// The number, for example `-1234.50`.
    pub T,
);

/// A value that is bound as JSON: `Json(&my_struct)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Json<'a, T: Serialize + ?Sized>(
    /// What is written as JSON.
    pub &'a T,
);

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

macro_rules! from_integers {
    ($($integer:ty),+) => {$(
        impl From<$integer> for Value {
            fn from(value: $integer) -> Self {
                Self::Int64(value.into())
            }
        }
    )+};
}

from_integers!(i8, i16, i32, i64, u8, u16, u32);

impl From<u64> for Value {
    /// Numbers beyond `i64` are bound as decimals.
    fn from(value: u64) -> Self {
        i64::try_from(value).map_or_else(|_| Self::from(Decimal(value.to_string())), Self::Int64)
    }
}

impl From<f32> for Value {
    fn from(value: f32) -> Self {
        Self::Float64(value.into())
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Float64(value)
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}

impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(value.to_vec())
    }
}

impl<T: AsRef<str>> From<Decimal<T>> for Value {
    fn from(value: Decimal<T>) -> Self {
        Self::Typed(("decimal".to_owned(), value.0.as_ref().to_owned()))
    }
}

impl<T: Serialize + ?Sized> From<Json<'_, T>> for Value {
    /// # Panics
    /// Where the value has no JSON form: that is a mistake in the logic.
    fn from(value: Json<'_, T>) -> Self {
        match serde_json::to_string(value.0) {
            Ok(text) => Self::Typed(("json".to_owned(), text)),
            Err(error) => panic!("a value bound as JSON has no JSON form: {error}"),
        }
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}
